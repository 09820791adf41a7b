"""Weights that come with adatom, to be trained further."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adatom.errors import StoreError

_FOLDER: Final = Path(__file__).parent / "shipped_weights"


def find_weights(name: str | Path, /) -> Path:
    """Find weights by their file, or shipped ones by their name.

    Parameters
    ----------
    name : str or Path
        A safetensors file, or a name such as "universal".

    Raises
    ------
    StoreError
        If it is neither.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = _FOLDER / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    known = sorted(path.stem for path in _FOLDER.glob("*.safetensors"))
    msg = (
        f"{name} is neither a file nor the name of shipped weights "
        f"({', '.join(known) or 'none come with this version'})"
    )
    raise StoreError(msg)
