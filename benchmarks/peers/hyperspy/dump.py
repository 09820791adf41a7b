"""Read every file of a folder with HyperSpy: one JSON line a file.

Run by the Python of an environment with ``requirements.txt`` beside this file:
``python dump.py DATA > hyperspy.jsonl``. Each file is read in a process of
its own, which may take two minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
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


def summary(values: np.ndarray) -> dict:
    """Tell of numbers what tells them from others: type, size, and a hash of them as float64."""
    if values.dtype.names:
        values = np.stack([values[name] for name in values.dtype.names], axis=-1)
    kind = np.complex128 if values.dtype.kind == "c" else np.float64
    exact = np.ascontiguousarray(values, dtype=kind)
    return {
        "dtype": str(values.dtype),
        "shape": list(values.shape),
        "sorted": hashlib.sha256(np.sort(exact, axis=None).tobytes()).hexdigest()[:16],
    }


def read(path: str, answers: multiprocessing.Queue) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            import hyperspy.api as hs

            found = hs.load(path, reader=None)
            signals = found if isinstance(found, list) else [found]
            told = [_told(signal) for signal in signals]
    except BaseException as error:  # noqa: BLE001 -- whatever comes out is told
        answers.put({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"})
    else:
        answers.put({"signals": told})


def _told(signal: Any) -> dict:  # noqa: ANN401 -- of HyperSpy
    axes = [
        {
            "name": str(axis.name),
            "unit": str(axis.units),
            "first": float(axis.axis[0]),
            "last": float(axis.axis[-1]),
            "size": int(axis.size),
            "navigate": bool(axis.navigate),
        }
        for axis in signal.axes_manager._axes
    ]
    values = np.asarray(signal.data)
    return {"title": signal.metadata.General.title, "axes": axes, **summary(values)}


def main() -> None:
    folder = Path(sys.argv[1])
    context = multiprocessing.get_context("fork")
    import hyperspy.api  # noqa: F401 -- once for all children

    found = (one for place in ("imaging", "spectral") for one in (folder / place).rglob("*"))
    for file in sorted(one for one in found if one.is_file()):
        answers = context.Queue()
        child = context.Process(target=read, args=(str(file), answers))
        child.start()
        try:
            told = answers.get(timeout=SECONDS)
        except queue.Empty:
            told = {"error": f"no answer within {SECONDS} s"}
            child.kill()
        child.join()
        print(json.dumps({"file": file.relative_to(folder).as_posix(), **told}), flush=True)


if __name__ == "__main__":
    main()
