"""Input files: their content hashes, and which files make one item of a run."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from adatom.errors import ReadError, RecipeError
from adatom.io.sidecar import sidecar_of_file
from adatom.recipes.cache import sha256_of_file


@dataclass(frozen=True)
class Source:
    """A file with the hash of its contents."""

    path: Path
    sha256: str
    n_bytes: int


def source_of_path(path: Path, /) -> Source:
    """Hash a file and all that is read with it.

    A folder (zspy, zarr) counts with all its files, an array with the JSON
    file of its calibration, an emi file with its ser files.

    Raises
    ------
    ReadError
        If there is no such file.
    """
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    if not files:
        reason = "the folder is empty" if path.is_dir() else "there is no such file"
        msg = f"{path} cannot be read: {reason}"
        raise ReadError(msg)
    files += _companions(path)
    try:
        n_bytes = sum(file.stat().st_size for file in files)
        if files == [path]:
            return Source(path, sha256_of_file(path), n_bytes)
        digest = hashlib.sha256()
        for file in files:
            place = file.relative_to(path if path.is_dir() else path.parent).as_posix()
            digest.update(f"{place} {sha256_of_file(file)}\n".encode())
        return Source(path, digest.hexdigest(), n_bytes)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise ReadError(msg) from error


def _companions(path: Path) -> list[Path]:
    found = []
    sidecar = sidecar_of_file(path)
    if sidecar is not None:
        found.append(sidecar)
    if path.suffix.lower() == ".emi":
        found += sorted(path.parent.glob(f"{glob.escape(path.stem)}_*.ser"))
    return found


def sources_of_paths(paths: Sequence[Path], /) -> list[Source | ReadError]:
    """Hash many files at once; an unreadable one gives its error."""

    def one(path: Path) -> Source | ReadError:
        try:
            return source_of_path(path)
        except ReadError as error:
            return error

    # Hashing frees the interpreter lock.
    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, paths))


def items_of_files(
    inputs: Sequence[str],
    files: Sequence[str | Path],
    named: Mapping[str, Sequence[str | Path]],
    /,
    *,
    shared: Sequence[str] = (),
) -> list[dict[str, Path]]:
    """Fill the inputs of a recipe with files, one item after the other.

    Parameters
    ----------
    inputs : sequence of str
        Names of the recipe's inputs.
    files : sequence of path
        Fill the first input that `named` does not name.
    named : mapping of str to sequence of path
        Files of further inputs, in the same order; a single one stands for
        all items.
    shared : sequence of str
        Inputs that take the files of the first one where they get none:
        those that read another dataset of the same file.

    Raises
    ------
    RecipeError
        If an input gets no file, or the inputs get different numbers of files.
    """
    given = {name: [Path(path) for path in paths] for name, paths in named.items()}
    odd = [name for name in given if name not in inputs]
    if odd:
        msg = f"the recipe has no input `{odd[0]}`: it has {', '.join(inputs) or 'none'}"
        raise RecipeError(msg)
    open_inputs = [name for name in inputs if name not in given]
    if files and not open_inputs:
        given_to = ", ".join(inputs)
        why = f"--input names those of {given_to} already" if inputs else "the recipe has no inputs"
        msg = f"no input is left for {files[0]}: {why}"
        raise RecipeError(msg)
    if files:
        given[open_inputs.pop(0)] = [Path(path) for path in files]
    first = next((name for name in inputs if name in given), None)
    if first is not None:
        given |= {name: given[first] for name in open_inputs if name in shared}
        open_inputs = [name for name in open_inputs if name not in given]
    if open_inputs:
        example = f"--input {open_inputs[0]}=FILE"
        msg = f"no file for the input `{open_inputs[0]}`: name files, or use {example}"
        raise RecipeError(msg)
    counts = {name: len(given[name]) for name in inputs}
    n_items = max(counts.values(), default=1)
    if any(count not in (1, n_items) for count in counts.values()):
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        msg = f"inputs need equally many files, or one for all: {told}"
        raise RecipeError(msg)
    items = [
        {name: given[name][number if counts[name] > 1 else 0] for name in inputs}
        for number in range(n_items)
    ]
    return _distinct(items)


def _distinct(items: list[dict[str, Path]]) -> list[dict[str, Path]]:
    # A link is a file of its own name, though not of its own contents.
    seen = {tuple(map(os.path.abspath, item.values())): item for item in reversed(items)}
    return list(reversed(seen.values()))


def files_of_pattern(pattern: str, /) -> list[Path]:
    """List the files of a pattern such as ``scans/*.npy``, 2 before 10."""
    if Path(pattern).exists() or not glob.has_magic(pattern):
        return [Path(pattern)]
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 -- patterns may be absolute
    if not found:
        msg = f"no file matches {pattern!r}"
        raise RecipeError(msg)
    return [Path(name) for name in sorted(found, key=_natural)]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
