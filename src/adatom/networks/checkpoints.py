"""The state of a training in one file: written whole or not at all, without pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adatom.errors import SettingError, StoreError
from adatom.networks.torch_state import require_safetensors
from adatom.numerics.whole_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FILE: Final = "checkpoint.safetensors"
FORMAT: Final = "1"


@dataclass
class Checkpoint:
    """Everything that the next step of a training depends on.

    Attributes
    ----------
    identity : dict
        Settings of the training: only a training of the same goes on from here.
    numbers : dict
        Step, scores so far and the like, as JSON holds them.
    tensors : dict of str to ndarray
        Weights, their averages, moments of the optimizer, by name.
    """

    identity: dict[str, Any]
    numbers: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_checkpoint(folder: Path, checkpoint: Checkpoint, /) -> None:
    """Write the state; a crash in the middle leaves the state before it.

    Raises
    ------
    StoreError
        If the folder cannot be written to.
    """
    save = require_safetensors().numpy.save
    metadata = {
        "format": FORMAT,
        "identity": json.dumps(checkpoint.identity),
        "numbers": json.dumps(checkpoint.numbers),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / FILE, save(checkpoint.tensors, metadata))
    except OSError as error:
        msg = f"cannot write the state of the training into {folder}: {error}"
        raise StoreError(msg) from error


def find_checkpoint(folder: Path | None, identity: Mapping[str, Any], /) -> Checkpoint | None:
    """Read the state of a training that was begun in a folder, if there is one.

    Raises
    ------
    SettingError
        If the training that was begun there is another one.
    StoreError
        If the file is damaged, or of a layout that this version does not know.
    """
    if folder is None or not (folder / FILE).is_file():
        return None
    library = require_safetensors()
    place = folder / FILE
    try:
        with library.safe_open(place, framework="numpy") as stored:
            metadata = stored.metadata() or {}
            _check_format(place, metadata["format"])
            tensors: dict[str, NDArray[np.generic]] = {
                name: stored.get_tensor(name)
                for name in stored.keys()  # noqa: SIM118 -- no mapping
            }
        found = Checkpoint(
            json.loads(metadata["identity"]), json.loads(metadata["numbers"]), tensors
        )
    except StoreError:
        raise
    except (library.SafetensorError, OSError, KeyError, ValueError) as error:
        msg = f"{place} is damaged ({error}): remove it, and the training begins anew"
        raise StoreError(msg) from error
    wanted = json.loads(json.dumps(identity))
    if found.identity != wanted:
        differing = sorted(
            key for key in {*wanted, *found.identity} if wanted.get(key) != found.identity.get(key)
        )
        msg = (
            f"{folder} holds a training with other {', '.join(differing)}: choose another folder, "
            f"or remove {FILE} to begin anew"
        )
        raise SettingError(msg)
    return found


def _check_format(place: Path, found: str) -> None:
    if found != FORMAT:
        msg = (
            f"{place} has layout {found!r}, this version of adatom reads layout {FORMAT!r}: go on "
            "with the version that began the training, or remove the file, and it begins anew"
        )
        raise StoreError(msg)
