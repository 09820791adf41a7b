"""A trained network: its weights, and a card that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import KindError, SettingError, StoreError, WriteError
from adatom.networks.architecture import Architecture
from adatom.networks.cards import TrainingCard
from adatom.networks.torch_state import require_safetensors, require_torch
from adatom.numerics.whole_files import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = 1
"""Number of the layout."""

_MOST_HEADER_BYTES: Final = 4 * 2**20
_MOST_BYTES: Final = 2**30
_DTYPES: Final = {"F32": np.dtype(np.float32), "I64": np.dtype(np.int64)}


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network with its weights.

    Attributes
    ----------
    architecture : Architecture
        What it is made of.
    tensors : dict of str to ndarray
        Weights and running statistics by the name of their place.
    card : TrainingCard
        What it was trained on, how, and how good it is.
    """

    architecture: Architecture
    tensors: dict[str, NDArray[Any]]
    card: TrainingCard

    def save(self, path: str | Path, /) -> None:
        """Write a safetensors file with the card in its metadata, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Written over if it exists.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        save = require_safetensors().numpy.save
        described = {
            "format": FORMAT,
            "architecture": asdict(self.architecture),
            "card": replace(self.card, sha256=hash_of_tensors(self.tensors)).to_json(),
        }
        text = json.dumps(described, sort_keys=True)
        # A single entry: the library writes several in an order of chance.
        content = save(dict(sorted(self.tensors.items())), {"adatom": text})
        try:
            write_whole(Path(path), content)
        except OSError as error:
            msg = f"cannot write the network to {path}: {error}"
            raise WriteError(msg) from error

    @classmethod
    def load(cls, path: str | Path, /) -> TrainedNetwork:
        """Read a file that `save` wrote; nothing in it is ever executed.

        Parameters
        ----------
        path : str or Path
            A safetensors file.

        Raises
        ------
        StoreError
            If the file is damaged, is not of adatom, or its tensors are not
            those that its card and its architecture tell.
        """
        try:
            content = _read(_path(path))
            described, tensors = _parts_of_file(content)
            network = _network_from_parts(described, tensors)
        except StoreError as error:
            msg = f"{path} is refused: {error}"
            raise StoreError(msg) from error
        return network


def check_network(found: object, /) -> None:
    """Raise `KindError` unless it is a trained network."""
    if not isinstance(found, TrainedNetwork):
        msg = (
            f"found {type(found).__name__}, need a TrainedNetwork: networks.read_network reads "
            "one, pipelines.train_finder trains one"
        )
        raise KindError(msg)


def read_network(path: Path, /) -> TrainedNetwork:
    """Read a trained network from a file; nothing in it is ever executed.

    Parameters
    ----------
    path : Path
        A safetensors file that `TrainedNetwork.save` or ``adatom train`` wrote.

    Returns
    -------
    TrainedNetwork
        To be trained further, or exported.

    Raises
    ------
    StoreError
        If the file is damaged, is not of adatom, or its tensors are not
        those that its card and its architecture tell.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from adatom.networks import Architecture, Trainer
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "mine.safetensors"
    ...     Trainer(Architecture(width=4)).untrained().save(path)
    ...     read_network(path).architecture.width
    4
    """
    return TrainedNetwork.load(path)


def hash_of_tensors(tensors: Mapping[str, NDArray[Any]], /) -> str:
    """Hash names, types, shapes and values of tensors.

    Examples
    --------
    >>> hash_of_tensors({"a": np.zeros(2, np.float32)})[:8]
    '4049c0b2'
    """
    digest = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        head = json.dumps([name, values.dtype.newbyteorder("<").str, list(values.shape)])
        digest.update(head.encode())
        digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _path(path: object) -> Path:
    if not isinstance(path, str | Path):
        msg = f"found {type(path).__name__}, need the path of a safetensors file"
        raise KindError(msg)
    return Path(path)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            msg = f"it has {size} bytes, a network has at most {_MOST_BYTES}"
            raise StoreError(msg)
        return path.read_bytes()
    except StoreError:
        raise
    except OSError as error:
        msg = f"it cannot be read ({error.strerror or error})"
        raise StoreError(msg) from error


def _parts_of_file(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Take a file apart; the library checks that tensors lie side by side within the file."""
    library = require_safetensors()
    header = _header(content)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or "adatom" not in metadata:
        msg = "it has no card of adatom in its metadata"
        raise StoreError(msg)
    for name, told in header.items():
        dtype = told.get("dtype") if isinstance(told, dict) else None
        if dtype not in _DTYPES:
            msg = f"tensor {name!r} is {dtype}, need {' or '.join(_DTYPES)}"
            raise StoreError(msg)
    try:
        # The library gives them in an order of chance.
        tensors = dict(sorted(library.numpy.load(content).items()))
        described = json.loads(metadata["adatom"])
    except (library.SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        msg = f"it is damaged ({error})"
        raise StoreError(msg) from error
    if not isinstance(described, dict) or set(described) != {"format", "architecture", "card"}:
        msg = "its metadata do not hold an architecture and a card"
        raise StoreError(msg)
    if described["format"] != FORMAT:
        msg = f"its layout is {described['format']!r}, this version reads layout {FORMAT}"
        raise StoreError(msg)
    return described, tensors


def _header(content: bytes) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content) - 8:
        msg = f"its {len(content)} bytes end before its header: it is cut off, or no safetensors"
        raise StoreError(msg)
    if size > _MOST_HEADER_BYTES:
        msg = f"its header has {size} bytes, a network needs at most {_MOST_HEADER_BYTES}"
        raise StoreError(msg)
    try:
        header = json.loads(content[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        msg = f"its header is not JSON ({error})"
        raise StoreError(msg) from error
    if not isinstance(header, dict):
        msg = "its header is no JSON object"
        raise StoreError(msg)
    return header


def _network_from_parts(
    described: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> TrainedNetwork:
    card = TrainingCard.from_json(described["card"])
    try:
        parts = dict(described["architecture"])
        architecture = Architecture(**{**parts, "classes": tuple(parts.get("classes", ()))})
    except (SettingError, TypeError, ValueError) as error:
        msg = f"its architecture cannot be built ({error})"
        raise StoreError(msg) from error
    found = hash_of_tensors(tensors)
    if found != card.sha256:
        msg = f"its tensors have hash {found[:12]}, its card tells {card.sha256[:12]}"
        raise StoreError(msg)
    check_tensors(architecture, tensors)
    return TrainedNetwork(architecture, tensors, card)


def check_tensors(architecture: Architecture, tensors: Mapping[str, NDArray[Any]], /) -> None:
    """Raise `StoreError` unless the tensors are those of a network of this architecture."""
    torch = require_torch()
    from adatom.networks.blocks import build_network

    with torch.device("meta"):
        wanted = build_network(architecture).state_dict()
    missing, odd = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or odd:
        named = [f"{len(missing)} missing, such as {missing[0]!r}"] if missing else []
        named += [f"{len(odd)} unexpected, such as {odd[0]!r}"] if odd else []
        msg = f"its tensors are not those of its architecture: {'; '.join(named)}"
        raise StoreError(msg)
    for name, tensor in wanted.items():
        values = tensors[name]
        dtype = np.dtype(str(tensor.dtype).removeprefix("torch."))
        if values.shape != tuple(tensor.shape) or values.dtype != dtype:
            msg = (
                f"tensor {name!r} is {values.dtype} of shape {values.shape}, "
                f"its architecture needs {dtype} of {tuple(tensor.shape)}"
            )
            raise StoreError(msg)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            msg = f"tensor {name!r} holds values that are no numbers"
            raise StoreError(msg)
