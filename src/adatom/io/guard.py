"""Whatever goes wrong while a file is read becomes one ReadError; chatter becomes notes."""

from __future__ import annotations

import logging
import math
import warnings
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

from adatom.errors import AdatomError, KindError, ReadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    import numpy as np

# Python's warning filters and the loggers of libraries belong to the whole process.
_ONE_AT_A_TIME = RLock()

# zlib packs 1032 bytes into one, LZW 2730 at most. A file that promises far more than
# that holds no image. What is small is never refused.
_MAX_PACKING = 3000
_ALWAYS_ALLOWED = 64 * 2**20

# Of no use to who reads a file: they speak of the code of a library.
_ABOUT_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)


@contextmanager
def reading(path: Path, /, *, remedy: str = "") -> Iterator[None]:
    """Turn every exception of a reader into a `ReadError` that names the file."""
    try:
        yield
    # What a damaged file says of itself does not fit together.
    except KindError as error:
        reason = str(error).rstrip(".")
        raise read_error(path, reason, remedy or _remedy(error)) from error
    # Other errors of adatom itself, as of a setting, already say what is wrong.
    except AdatomError:
        raise
    # Readers of foreign formats raise anything at all on damaged files.
    except Exception as error:
        raise read_error(path, _reason(error), remedy or _remedy(error)) from error


def read_error(path: Path, reason: str, remedy: str, /) -> ReadError:
    """Make the error that names file, reason and remedy."""
    # A list of datasets ends with a line break of its own.
    stop = "" if reason.endswith("\n") else ". "
    return ReadError(f"cannot read {path.name!r} ({path.parent}): {reason}{stop}{remedy}".rstrip())


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    if len(text) > 300:
        text = f"{text[:300]} ..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _remedy(error: BaseException) -> str:
    if isinstance(error, PermissionError):
        return "Ask for permission to read it"
    if isinstance(error, MemoryError):
        return "Close other programs, or read a smaller part of it"
    return (
        "The file may be damaged or incomplete: compare its size with the original "
        "and copy it again, or open it in the instrument's software and save it anew"
    )


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def collected_chatter(logger_names: Sequence[str] = (), /) -> Iterator[list[str]]:
    """Collect what libraries warn about and log, instead of showing it.

    RosettaSciIO logs to the standard output, which belongs to the user's
    own program; what it says of the data must reach the notes.
    """
    lines: list[str] = []
    collector = _Collector()
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _diverted(logger_names, collector):
            yield lines
        told = [_one_line(w.message) for w in caught if not _is_about_code(w.category)]
    lines.extend(dict.fromkeys([*collector.lines, *told]))


@contextmanager
def _diverted(logger_names: Sequence[str], collector: logging.Handler) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in logger_names]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [collector], False
    try:
        yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


def _is_about_code(category: type[Warning]) -> bool:
    return issubclass(category, _ABOUT_CODE) or "Deprecat" in category.__name__


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def check_size(
    path: Path, shape: Sequence[int], itemsize: int, /, *, stored: int, packed: bool = True
) -> None:
    """Refuse an array that cannot be in a file of `stored` bytes, before memory is taken.

    Parameters
    ----------
    path : pathlib.Path
        For the message.
    shape : sequence of int
        As declared in the file.
    itemsize : int
        Bytes of a value.
    stored : int
        Bytes on disk that the array can come from.
    packed : bool
        Whether the array may be compressed.
    """
    declared = math.prod(int(size) for size in shape) * itemsize
    if not packed and declared > stored:
        reason = (
            f"its header promises an array of shape {tuple(shape)}, {declared} bytes, but "
            f"{stored} bytes follow"
        )
        raise read_error(path, reason, "The file is cut off or damaged: copy it again")
    if declared > max(_ALWAYS_ALLOWED, stored * _MAX_PACKING):
        reason = (
            f"its header promises an array of shape {tuple(shape)}, {declared} bytes, which "
            f"cannot be packed into {stored} bytes"
        )
        raise read_error(path, reason, "The file is damaged: copy it again")


def check_plain(path: Path, dtype: np.dtype[Any], /) -> None:
    """Refuse arrays that are no numbers, saying how to convert them.

    Raises
    ------
    ReadError
        If values are Python objects, records or text.
    """
    if dtype.hasobject:
        raise _object_error(path)
    if dtype.names:
        reason = f"it is an array of records with fields {', '.join(dtype.names)}"
        raise read_error(path, reason, "Save one field: numpy.save(file, records[field])")
    if dtype.kind not in "biufc":
        raise read_error(path, f"its values are {dtype}, not numbers", "Save an array of numbers")


def _object_error(path: Path, /) -> ReadError:
    """Make the error for pickled objects."""
    return read_error(
        path,
        "it holds pickled Python objects, which can run any code when they are loaded, so adatom "
        "never does",
        "If you trust its source, convert it once: "
        "objects = numpy.load(file, allow_pickle=True); then save every plain array in it with "
        'numpy.savez("arrays.npz", name=array)',
    )
