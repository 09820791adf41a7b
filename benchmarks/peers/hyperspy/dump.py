"""Read every file of a folder with HyperSpy and keep arrays and axes: ``python dump.py DATA OUT``.

Run by the Python of an environment with ``requirements.txt`` beside this file.
Each file is read in a process of its own, which may take two minutes. ``OUT``
gets ``hyperspy.jsonl``, one line a file, and one npz a signal: the array as
HyperSpy has it, and the values of its axes in the order of the array. Where
HyperSpy asks for one of several readers, the first that finds a signal is named.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import logging
import multiprocessing
import queue
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SECONDS = 120
LARGEST = 2**30


def read(path: str, out: str, answers: multiprocessing.Queue) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            reader, signals = _loaded(path)
            told = [_kept(one, Path(f"{out}-{i}.npz")) for i, one in enumerate(signals)]
    except BaseException as error:  # noqa: BLE001 -- whatever comes out is told
        answers.put({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"})
    else:
        answers.put({"reader": reader, "signals": told})


def _loaded(path: str) -> tuple[str | None, list[Any]]:
    import hyperspy.api as hs

    try:
        found = hs.load(path)
    except ValueError as error:
        _, asked, names = str(error).partition("File readers for your file: ")
        for reader in ast.literal_eval(names) if asked else []:
            with contextlib.suppress(Exception):
                if found := hs.load(path, reader=reader):
                    return reader, found if isinstance(found, list) else [found]
        raise
    return None, found if isinstance(found, list) else [found]


def _kept(signal: Any, place: Path) -> dict:  # noqa: ANN401 -- of HyperSpy
    """Write arrays and give names, which stand in the order of the array."""
    values = np.asarray(signal.data)
    if values.dtype.hasobject or values.nbytes > LARGEST:
        msg = f"an array of {values.dtype} and {values.nbytes} bytes is not kept"
        raise ValueError(msg)
    axes = sorted(signal.axes_manager._axes, key=lambda axis: axis.index_in_array)
    along = {f"axis_{i}": np.asarray(axis.axis, float) for i, axis in enumerate(axes)}
    np.savez(place, allow_pickle=False, values=values, **along)
    return {
        "title": signal.metadata.General.title,
        "quantity": signal.metadata.get_item("Signal.quantity", default=""),
        "array": place.name,
        "shape": list(values.shape),
        "axes": [
            {"name": str(axis.name), "unit": str(axis.units), "navigate": bool(axis.navigate)}
            for axis in axes
        ],
    }


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("fork")
    import hyperspy.api  # noqa: F401 -- once for all children

    found = (one for place in ("imaging", "spectral") for one in (folder / place).rglob("*"))
    with (out / "hyperspy.jsonl").open("w", encoding="utf-8") as lines:
        for number, file in enumerate(sorted(one for one in found if one.is_file())):
            answers = context.Queue()
            child = context.Process(target=read, args=(str(file), f"{out}/{number}", answers))
            child.start()
            try:
                told = answers.get(timeout=SECONDS)
            except queue.Empty:
                told = {"error": f"no answer within {SECONDS} s"}
                child.kill()
            child.join()
            lines.write(json.dumps({"file": file.relative_to(folder).as_posix(), **told}) + "\n")


if __name__ == "__main__":
    main()
