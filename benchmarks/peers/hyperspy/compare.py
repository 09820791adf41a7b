"""Compare what adatom reads with what HyperSpy read: ``python compare.py FOLDER hyperspy.jsonl``.

`dump.py` writes the second. Prints a table in Markdown, one line a file that
either reads. Arrays are compared by their numbers in order of size, which does
not hang on the order of dims, and axes by their ends in the units of adatom.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
from dump import summary

from adatom.errors import AdatomError
from adatom.io import read_contents
from adatom.io.opening import open_file
from adatom.io.signals import RawPart, RawSignal
from adatom.units import house_unit

# HyperSpy's words for no unit.
_NO_UNIT = {"", "[]", "<undefined>", "None", "t.Undefined", "px"}


def adatom_signals(path: Path) -> list[dict[str, Any]] | str:
    """Read all datasets, or give why not."""
    try:
        kinds = read_contents(path)["kind"].values.tolist()
        return [_told(part, kind) for part, kind in zip(open_file(path).parts, kinds, strict=True)]
    except AdatomError as refusal:
        return str(refusal).partition("): ")[2][:160]


def _told(part: RawPart, kind: str) -> dict[str, Any]:
    if not isinstance(part, RawSignal):
        return {"kind": kind}
    values = part.values
    values = np.asarray(values.compute() if hasattr(values, "compute") else values[...])
    axes = []
    for axis, size in zip(part.axes, part.shape, strict=True):
        along = (
            axis.values if axis.values is not None else axis.offset + axis.scale * np.arange(size)
        )
        axes.append({"unit": axis.unit, "first": float(along[0]), "last": float(along[-1]),
                     "size": size})  # fmt: skip
    return {"kind": kind, "name": part.name, "axes": axes, **summary(values)}


def _length(axis: dict[str, Any]) -> tuple[int, float, str]:
    """Give size and extent of an axis in the unit of adatom."""
    unit = axis["unit"] if axis["unit"] not in _NO_UNIT else ""
    try:
        house, factor = house_unit(unit)
    except AdatomError:
        house, factor = unit, 1.0
    return axis["size"], abs(axis["last"] - axis["first"]) * factor, house


def same_axes(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether axes, in any order, have the same sizes, units and extents."""
    ours, theirs = sorted(map(_length, one["axes"])), sorted(map(_length, other["axes"]))
    return len(ours) == len(theirs) and all(
        a[0] == b[0] and a[2] == b[2] and np.isclose(a[1], b[1], rtol=1e-5)
        for a, b in zip(ours, theirs, strict=True)
        if a[0] > 1
    )


def compared(ours: list[dict[str, Any]] | str, theirs: dict[str, Any]) -> tuple[str, str, str]:
    """Say what HyperSpy reads, what adatom reads, and whether they are equal."""
    peer = theirs.get("signals") or []
    told = " + ".join("x".join(map(str, one["shape"])) for one in peer[:3]) or "no"
    if isinstance(ours, str):
        return told, f"no: {ours}", ""
    own = ", ".join(dict.fromkeys(str(one["kind"]) for one in ours))
    if not peer:
        return "no", own, ""
    numbers = [one for one in ours if "sorted" in one]
    missing = [one for one in peer if not any(one["sorted"] == mine["sorted"] for mine in numbers)]
    if missing:
        shapes = ", ".join("x".join(map(str, one["shape"])) for one in missing[:3])
        return told, own, f"numbers differ: {shapes} of {len(missing)}/{len(peer)}"
    odd = [
        one
        for one in peer
        if not any(one["sorted"] == mine["sorted"] and same_axes(mine, one) for mine in numbers)
    ]
    return told, own, f"numbers yes, axes differ in {len(odd)}/{len(peer)}" if odd else "yes"


def main() -> None:
    logging.disable(logging.CRITICAL)
    folder = Path(sys.argv[1])
    for line in Path(sys.argv[2]).read_text("utf-8").splitlines():
        theirs = json.loads(line)
        if len(sys.argv) > 3 and sys.argv[3] not in theirs["file"]:
            continue
        ours = adatom_signals(folder / theirs["file"])
        if isinstance(ours, str) and "signals" not in theirs:
            continue
        told, own, equal = compared(ours, theirs)
        print(f"| {theirs['file']} | {told} | {own} | {equal} |", flush=True)


if __name__ == "__main__":
    main()
