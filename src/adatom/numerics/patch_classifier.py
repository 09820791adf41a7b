"""A trained classifier of patches in one file that ONNX Runtime reads, with its card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import SettingError
from adatom.numerics.graph_files import read_graph, write_graph
from adatom.numerics.onnx_graph import graph_summary, model_with_metadata
from adatom.numerics.patch_grid import N_GRID
from adatom.units import SPACE_UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

CARD_KEY: Final = "adatom.patch_card"
"""Under which the card stands in the metadata of the file."""

LARGEST: Final = 64 * 2**20
"""Bytes beyond which a file is no classifier of ours, which have half a million."""

_MOST_CLASSES: Final = 256
# Patches that go through the network at once, in some 30 MB.
_AT_ONCE: Final = 512


@dataclass(frozen=True)
class PatchCard:
    """What a classifier of patches was trained on.

    Attributes
    ----------
    classes : tuple of str
        Their names, in the order of their numbers.
    diameter : float
        Of the disc that it sees.
    unit : str
        Of `diameter`: "d" for distances between neighbors, or nm, mm, px.
    counts : tuple of int
        Patches of each class in its training.
    trained_on : str
        The settings of the training, as JSON.
    scores : mapping of str to float
        What it reached on patches held back, such as "recall:vacancy".
    version : str
        Of adatom.
    hash : str
        SHA-256 of the graph, hexadecimal; `PatchClassifier.from_graph`
        writes it.
    """

    classes: tuple[str, ...]
    diameter: float
    unit: str = "d"
    counts: tuple[int, ...] = ()
    trained_on: str = "{}"
    scores: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
    hash: str = ""

    def __post_init__(self) -> None:
        """Refuse what no prediction could use; a card may come from any file."""
        names: Any = self.classes
        diameter: Any = self.diameter
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            msg = f"classes={names!r} must be names"
            raise SettingError(msg)
        if not 2 <= len(set(names)) == len(names) <= _MOST_CLASSES:
            msg = f"classes={names} must be 2 to {_MOST_CLASSES} different names"
            raise SettingError(msg)
        if not isinstance(diameter, int | float) or not 0 < diameter < np.inf:
            msg = f"{diameter=} must be a positive number"
            raise SettingError(msg)
        if self.unit not in {"d", *SPACE_UNITS}:
            msg = f"unit={self.unit!r} must be d, {', '.join(SPACE_UNITS)}"
            raise SettingError(msg)

    def to_json(self) -> str:
        """Give the card as text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, /) -> PatchCard:
        """Make the card again from its text.

        Raises
        ------
        SettingError
            If it is no card of a classifier.
        """
        try:
            told: dict[str, Any] = json.loads(text)
            told["classes"] = tuple(told["classes"])
            told["counts"] = tuple(told["counts"])
            return cls(**told)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            msg = f"the card of the classifier cannot be read: {error}"
            raise SettingError(msg) from error


@dataclass(frozen=True)
class PatchClassifier:
    """A trained classifier of patches: an ONNX graph and its card, checked as it is made.

    The graph takes patches on the grid of `numerics.patch_grid`, float32
    (patch, 1, 24, 24), and gives logits (patch, class, 1, 1). What it may
    hold is checked as for networks that find atoms: it can do no more than
    compute.

    Attributes
    ----------
    graph : bytes
        The ONNX model, without metadata.
    card : PatchCard
        With the hash of the graph.
    """

    graph: bytes
    card: PatchCard

    def __post_init__(self) -> None:
        """Check the graph against its card."""
        try:
            summary = graph_summary(self.graph)
        except ValueError as error:
            msg = f"this is no classifier that is safe to run: {error}"
            raise SettingError(msg) from error
        if summary.hash != self.card.hash:
            msg = (
                f"the graph has the hash {summary.hash[:16]}, its card was written for "
                f"{self.card.hash[:16] or 'none'}: the file is damaged or was changed; get it "
                "again, or train again"
            )
            raise SettingError(msg)
        sizes = [port.sizes[1:] for port in (*summary.inputs, *summary.outputs)]
        if sizes != [(1, N_GRID, N_GRID), (len(self.card.classes), 1, 1)]:
            msg = (
                f"the graph has arrays of {sizes}, a classifier of {len(self.card.classes)} "
                f"classes takes (1, {N_GRID}, {N_GRID}) and gives one number a class"
            )
            raise SettingError(msg)

    @classmethod
    def from_graph(cls, model: bytes, card: PatchCard, /) -> PatchClassifier:
        """Join an ONNX model and a card, whose hash is filled in."""
        summary = graph_summary(model)
        return cls(summary.bare, dataclasses.replace(card, hash=summary.hash))

    def save(self, path: str | Path, /) -> None:
        """Write one ONNX file, with the card in its metadata.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        write_graph(path, model_with_metadata(self.graph, {CARD_KEY: self.card.to_json()}))

    @classmethod
    def load(cls, path: str | Path, /) -> PatchClassifier:
        """Read one ONNX file; nothing in it is run.

        Raises
        ------
        ReadError
            If it cannot be read, or is no classifier of patches.
        """
        return read_graph(path, cls._from_bytes, largest=LARGEST, what="a classifier")

    @classmethod
    def _from_bytes(cls, contents: bytes) -> PatchClassifier:
        summary = graph_summary(contents)
        text = summary.metadata.get(CARD_KEY)
        if text is None:
            msg = (
                f"it has no card ({CARD_KEY!r} in its metadata): it is no classifier of patches "
                "made by networks.train_patch_classifier"
            )
            raise SettingError(msg)
        return cls(summary.bare, PatchCard.from_json(text))

    def probabilities(self, patches: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Give the probability of each class for patches (patch, row, column) of the grid."""
        session = _session(self.graph)
        name = session.get_inputs()[0].name
        logits = np.empty((len(patches), len(self.card.classes)), dtype=np.float32)
        for start in range(0, len(patches), _AT_ONCE):
            part = patches[start : start + _AT_ONCE, None]
            logits[start : start + _AT_ONCE] = session.run(None, {name: part})[0][:, :, 0, 0]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)


@lru_cache(maxsize=4)
def _session(graph: bytes) -> Any:  # noqa: ANN401 -- onnxruntime has no types
    """Open a session on one thread, so that results are the same bits on any number of cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
