"""Images and other arrays of a library, kept by the hash of their contents."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_CHUNK: Final = 512
_DRAFT: Final = "draft-"


def hash_of_array(values: NDArray[Any], /) -> str:
    """Hash shape, type and values; equal on machines of either byte order."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{values.dtype.str[1:]} {values.shape}".encode())
    digest.update(little.data)
    return digest.hexdigest()


def _hash_of_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    told = {name: hash_of_array(values) for name, values in arrays.items()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def hash_of_image(values: NDArray[Any], /) -> str:
    """Hash an image by its values alone: the same as bytes and as real numbers."""
    return hash_of_array(values.astype(np.float32))


def put_arrays(store: Path, arrays: Mapping[str, NDArray[Any]], /) -> str:
    """Keep arrays under the hash of them all, and give the hash.

    They are written under another name, brought to the disk and moved into
    place in one go: under a hash there is everything or nothing. What a
    killed process leaves is never looked at (`remove_drafts`).

    Raises
    ------
    StoreError
        If the disk is full or may not be written.
    """
    digest = _hash_of_arrays(arrays)
    place = _place(store, digest)
    if place.exists():
        return digest
    draft = store / f"{_DRAFT}{uuid.uuid4().hex}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _write_group(draft, arrays)
        try:
            draft.rename(place)
        except OSError:
            # Another process was faster; its contents are the same.
            if not place.exists():
                raise
    except OSError as error:
        msg = f"cannot write pictures into {store}: {error.strerror or error}"
        raise StoreError(msg) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return digest


def _opened(place: Path) -> Any:  # noqa: ANN401 -- a group of zarr
    import zarr

    # Libraries come from others, and in the older format arrays may be pickled.
    return zarr.open_group(place, mode="r", zarr_format=3)


def get_array(store: Path, digest: str, name: str, /) -> NDArray[Any]:
    """Read one array of those kept under a hash.

    Raises
    ------
    StoreError
        If it is missing or damaged.
    """
    place = _place(store, digest)
    try:
        group = _opened(place)
        return np.asarray(group[name][...])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        msg = f"{name} of {digest[:12]} is missing or damaged in {store}: add the image again"
        raise StoreError(msg) from error


def list_arrays(store: Path, digest: str, /) -> list[str]:
    """Name the arrays that are kept under a hash."""
    place = _place(store, digest)
    try:
        return sorted(_opened(place).array_keys())
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        msg = f"{digest[:12]} is missing or damaged in {store}: restore a copy"
        raise StoreError(msg) from error


def get_window(store: Path, digest: str, rows: slice, columns: slice, /) -> NDArray[Any]:
    """Read a part of an image."""
    place = _place(store, digest)
    try:
        group = _opened(place)
        return np.asarray(group["image"][rows, columns])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        msg = f"image {digest[:12]} is missing or damaged in {store}: add it again"
        raise StoreError(msg) from error


def has_arrays(store: Path, digest: str, /) -> bool:
    """Tell whether something is kept under a hash."""
    return _place(store, digest).is_dir()


def copy_arrays(source: Path, target: Path, digest: str, /) -> None:
    """Take what is kept under a hash over into another store.

    Raises
    ------
    StoreError
        If it is missing or damaged, or is not what its hash says: under that hash it would be
        taken for the image of whoever adds it next.
    """
    if has_arrays(target, digest):
        return
    arrays = {name: get_array(source, digest, name) for name in list_arrays(source, digest)}
    if _hash_of_arrays(arrays) != digest:
        msg = f"{digest[:12]} in {source} holds something else than its hash says: restore a copy"
        raise StoreError(msg)
    put_arrays(target, arrays)


def remove_drafts(store: Path, /) -> int:
    """Remove what killed processes left, and give how many there were."""
    drafts = list(store.glob(f"{_DRAFT}*"))
    for draft in drafts:
        shutil.rmtree(draft, ignore_errors=True)
    return len(drafts)


def _place(store: Path, digest: str) -> Path:
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        # It comes from the database, which anybody may have written.
        msg = f"{digest[:80]!r} is no hash of pictures: the library is damaged"
        raise StoreError(msg)
    return store / digest[:2] / digest


def _write_group(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    import zarr

    group = zarr.open_group(folder, mode="w-", zarr_format=3)
    for name, values in arrays.items():
        made = group.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            chunks=tuple(max(1, min(size, _CHUNK)) for size in values.shape),
            config={"write_empty_chunks": True},
        )
        made[...] = values
    _flush(folder)


def _flush(folder: Path) -> None:
    if os.name == "nt":
        return
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
