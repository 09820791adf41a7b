"""Results by key: written whole or not at all, checked before they are read."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from adatom.errors import AdatomWarning, StoreError
from adatom.io.store import read_result, write_result
from adatom.numerics.life_locks import LifeLock
from adatom.numerics.whole_files import write_whole

_CHUNK: Final = 2**20


@dataclass(frozen=True)
class StoredResult:
    """A result in the store, whole when it was found."""

    key: str
    folder: Path
    origin: Mapping[str, Any]
    """How it was made: step, settings, versions, seconds, peak memory, warnings."""
    files: Mapping[str, Any]
    """Size and hash of each of its files."""

    def load(self) -> Any:  # noqa: ANN401 -- whatever the step gave
        """Read the result."""
        return read_result(self.folder / "data")


class ResultStore:
    """Results in one folder, each under its key.

    A result is written into a folder of its own process and then renamed, so
    that under a key there is either nothing or everything; a manifest of all
    its files tells later damage. Several processes may share a store. Files are not
    forced to the disk one by one, which takes longer than many steps: what a loss of power
    leaves incomplete the manifest shows, and it is made anew.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drafts = folder / "drafts"
        self._lock: LifeLock | None = None
        self._checked: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def find(self, key: str, /) -> StoredResult | None:
        """Find a result; a damaged one counts as missing, with a warning."""
        folder = self._place(key)
        if not folder.exists():
            return None
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            if key not in self._checked:
                _check_files(folder, manifest["files"])
                self._checked.add(key)
            return StoredResult(key, folder, manifest["origin"], manifest["files"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            msg = f"a stored result is damaged and made anew: {folder.name[:12]} ({error})"
            warnings.warn(AdatomWarning(msg), stacklevel=2)
            return None

    def add(self, key: str, result: object, origin: Mapping[str, Any], /) -> StoredResult:
        """Write a result under its key.

        Raises
        ------
        StoreError
            If a part of the result cannot be stored, or the disk is full.
        """
        draft = self.new_draft()
        try:
            write_result(result, draft / "data")
            manifest = {"key": key, "origin": origin, "files": _list_files(draft)}
            text = json.dumps(manifest, indent=1, sort_keys=True)
            (draft / "manifest.json").write_text(text, encoding="utf-8")
            self._move_in(draft, key)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if isinstance(error, StoreError):
                raise
            msg = f"cannot write a result into {self.folder}: {error}"
            raise StoreError(msg) from error
        found = self.find(key)
        if found is None:
            msg = f"a result just written to {self.folder} cannot be read back: check the disk"
            raise StoreError(msg)
        return found

    def unfinished(self, key: str, /) -> Path:
        """Name the folder in which long work on a result keeps what it needs to go on."""
        return self.folder / "unfinished" / key

    def remove_unfinished(self, key: str, /) -> None:
        """Remove what long work kept, now that its result is stored."""
        shutil.rmtree(self.unfinished(key), ignore_errors=True)
        with suppress(OSError):
            # Only when it is empty.
            (self.folder / "unfinished").rmdir()

    def remove_leftovers(self) -> None:
        """Remove what killed processes left behind."""
        for lock_file in self._drafts.glob("*.lock"):
            lock = LifeLock(lock_file)
            if lock.take():
                shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
                lock.free()
        for folder in self._drafts.glob("*"):
            if folder.is_dir() and not folder.with_name(f"{folder.name}.lock").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the drafts of this process."""
        if self._lock is not None:
            shutil.rmtree(self._lock.path.with_suffix(""), ignore_errors=True)
            self._lock.free()
            self._lock = None

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def new_draft(self) -> Path:
        """Make an empty folder on the same disk, which the next run removes if this one dies."""
        if self._lock is None:
            self._drafts.mkdir(parents=True, exist_ok=True)
            lock = LifeLock(self._drafts / f"{uuid.uuid4().hex}.lock")
            while not lock.take():
                # Another process took it for a leftover before it was locked.
                lock = LifeLock(self._drafts / f"{uuid.uuid4().hex}.lock")
            self._lock = lock
        draft = self._lock.path.with_suffix("") / uuid.uuid4().hex
        draft.mkdir(parents=True)
        return draft

    def _move_in(self, draft: Path, key: str) -> None:
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            # Where a folder stands already, rename fails: another process
            # was faster, or what stands there is damaged.
            draft.rename(place)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AdatomWarning)
            stands = self.find(key)
        if stands is None:
            place.rename(self.new_draft() / "damaged")
            draft.rename(place)
        else:
            shutil.rmtree(draft)


def _list_files(folder: Path) -> dict[str, list[Any]]:
    return {
        path.relative_to(folder).as_posix(): [path.stat().st_size, sha256_of_file(path)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _check_files(folder: Path, files: Mapping[str, list[Any]]) -> None:
    for name, (size, digest) in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or sha256_of_file(path) != digest:
            msg = f"{name} is missing or changed"
            raise StoreError(msg)


def sha256_of_file(path: Path, /) -> str:
    """Hash the bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def write_text_atomic(path: Path, text: str, /) -> None:
    """Write a small file whole or not at all."""
    write_whole(path, text.encode("utf-8"))
