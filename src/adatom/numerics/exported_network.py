"""A trained network in one file that any ONNX runtime reads, with a card that says what it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adatom.errors import KindError, SettingError
from adatom.numerics.graph_files import read_graph, write_graph
from adatom.numerics.network_card import CHANNELS, Card
from adatom.numerics.onnx_graph import GraphSummary, Port, graph_summary, model_with_metadata

__all__ = ["CARD_KEY", "CHANNELS", "LARGEST", "Card", "ExportedNetwork", "check_exported"]

CARD_KEY: Final = "adatom.card"
"""Under which the card stands in the metadata of the file."""

LARGEST: Final = 256 * 2**20
"""Bytes beyond which a file is no network of ours: the shipped one has three million."""

_LARGEST_CARD: Final = 2**22


@dataclass(frozen=True)
class ExportedNetwork:
    """A trained network as an ONNX graph, and its card; both are checked as it is made.

    Nothing of it is run here. What a graph may hold is a list of operators
    of convolutional networks, without code, files or graphs of its own, so
    that a file from elsewhere does no more than compute.

    Attributes
    ----------
    graph : bytes
        The ONNX model, without metadata.
    card : Card
        With the hash of the graph.

    Raises
    ------
    SettingError
        If the graph is none of a network for pictures, does not fit to its
        card, or is another one than the card's hash says.
    """

    graph: bytes
    card: Card

    def __post_init__(self) -> None:
        """Check the graph against its card."""
        summary = _summary(self.graph)
        if summary.metadata:
            msg = "the graph carries metadata: ExportedNetwork.from_bytes takes a whole file"
            raise SettingError(msg)
        _check_fit(summary, self.card)

    @classmethod
    def from_graph(cls, model: bytes, card: Card, /) -> ExportedNetwork:
        """Join an ONNX model, as an exporter wrote it, and a card, whose hash is filled in."""
        summary = _summary(model)
        return cls(summary.bare, dataclasses.replace(card, hash=summary.hash))

    @classmethod
    def from_bytes(cls, contents: bytes, /) -> ExportedNetwork:
        """Make a network from the contents of a file.

        Raises
        ------
        SettingError
            As for the class, or if there is no card.
        """
        if len(contents) > LARGEST:
            msg = f"{len(contents)} bytes are too many for a network, at most {LARGEST}"
            raise SettingError(msg)
        summary = _summary(contents)
        text = summary.metadata.get(CARD_KEY)
        if text is None:
            msg = (
                f"it has no card ({CARD_KEY!r} in its metadata): networks.export_network writes "
                "one, ExportedNetwork.from_graph gives one to a graph from elsewhere"
            )
            raise SettingError(msg)
        if len(text) > _LARGEST_CARD:
            msg = f"its card has {len(text)} characters, at most {_LARGEST_CARD} are read"
            raise SettingError(msg)
        return cls(summary.bare, Card.from_json(text))

    def to_bytes(self) -> bytes:
        """Give the contents of a file: the graph with the card in its metadata."""
        return model_with_metadata(self.graph, {CARD_KEY: self.card.to_json()})

    def save(self, path: str | Path, /) -> None:
        """Write one ONNX file.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        write_graph(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | Path, /) -> ExportedNetwork:
        """Read one ONNX file; nothing in it is run.

        Raises
        ------
        ReadError
            If it cannot be read, or is no exported network that can be
            trusted to be what its card says.
        """
        return read_graph(path, cls.from_bytes, largest=LARGEST, what="a network")


def check_exported(found: object, /) -> None:
    """Raise `KindError` unless it is an exported network."""
    if not isinstance(found, ExportedNetwork):
        msg = (
            f"network is {type(found).__name__}, need an ExportedNetwork: networks.export_network "
            "makes one of a trained network, io.read_network reads one from a file"
        )
        raise KindError(msg)


def _summary(model: bytes) -> GraphSummary:
    try:
        return graph_summary(model)
    except ValueError as error:
        msg = f"this is no network that is safe to run: {error}"
        raise SettingError(msg) from error


def _check_fit(summary: GraphSummary, card: Card) -> None:
    if summary.hash != card.hash:
        msg = (
            f"the graph has the hash {summary.hash[:16]}, the card was written for "
            f"{card.hash[:16] or 'none'}: the file is damaged or was changed; get it again, or "
            "export the network again"
        )
        raise SettingError(msg)
    for what, ports, channels in (
        ("input", summary.inputs, 1),
        ("output", summary.outputs, len(card.channels)),
    ):
        wrong = _wrong_port(ports, channels)
        if wrong:
            msg = (
                f"the graph has {wrong} as {what}, need one float32 array "
                f"(batch, {channels}, y, x) of any size"
            )
            raise SettingError(msg)


def _wrong_port(ports: tuple[Port, ...], channels: int) -> str:
    """Say what is wrong with the inputs or outputs of a graph, nothing if they fit."""
    if len(ports) != 1:
        return f"{len(ports)} arrays ({', '.join(port.name for port in ports)})"
    port = ports[0]
    sizes = tuple("any" if size is None else size for size in port.sizes)
    if not port.is_float32:
        return f"an array {port.name!r} that is not float32"
    # Exporters need not say the shape of an output.
    if port.sizes and (
        len(port.sizes) != 4
        or port.sizes[0] not in {None, 1}
        or port.sizes[1] not in {None, channels}
        or port.sizes[2:] != (None, None)
    ):
        return f"an array {port.name!r} of shape {sizes}"
    return ""
