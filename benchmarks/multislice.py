"""Finders on images by multislice: F1 and position error of every reference image.

    python benchmarks/multislice.py [part of a name ...] [--folder FOLDER] [--dose 3e7]

The reference set is computed at the first run (three minutes of one core, needs
`pip install 'adatom[multislice]'`), and read from the folder afterwards. Found sites are compared
with the columns that have a peak of their own in the image without noise; "visible" says
how many of all columns these are. A site on one of the others is neither right nor wrong.
Missed columns are told by their class and their number of atoms. Errors are root mean
squares of distances, and means per axis, in pm.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from adatom.errors import AdatomError
from adatom.localization import compare_sites, find_atoms
from adatom.simulation import MultisliceSimulation, simulate_reference_image
from adatom.simulation.reference_structures import REFERENCES


def line(name: str, detector: str, made: MultisliceSimulation) -> str:
    """Find the columns of one image and tell about it in one line."""
    visible = int(made.truth["visible"].sum())
    head = f"{name:12s} {detector:5s} {visible:4d} of {made.truth.sizes['site']:4d} visible"
    start = time.process_time()
    try:
        found = find_atoms(made.image, contrast="bright" if detector == "haadf" else "dark")
    except AdatomError as error:
        return f"{head}  {type(error).__name__}: {str(error)[:80]}"
    seconds = time.process_time() - start
    comparison = compare_sites(found, made.truth)
    scores = comparison.scores.isel(row=0)
    missed = Counter(
        f"{what} of {atoms:g}"
        for what, atoms in zip(
            comparison.missed["class"].values.tolist(),
            comparison.missed["occupancy"].values.tolist(),
            strict=True,
        )
    )
    which = ", ".join(f"{number} {what}" for what, number in missed.most_common())
    error, y, x = (1e3 * float(scores[name]) for name in ("rmse", "bias_y", "bias_x"))
    return (
        f"{head}  found F1={float(scores['f1']):.3f} P={float(scores['precision']):.3f} "
        f"R={float(scores['recall']):.3f}{f' (missed {which})' if which else ''}  "
        f"error {error:.1f} pm (mean y {y:+.1f}, x {x:+.1f})  {seconds:.1f} CPU s"
    )


def main() -> None:
    """Print the lines of all reference images whose name holds one of the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[""], help="parts of names")
    parser.add_argument("--folder", type=Path, help="where the reference set is kept")
    parser.add_argument("--dose", type=float, default=3e7, help="electrons per nm^2")
    told = parser.parse_args()
    folder = None if told.folder is None else str(told.folder)
    for name in REFERENCES:
        if not any(part in name for part in told.names):
            continue
        for detector in ("haadf", "abf"):
            start = time.process_time()
            made = simulate_reference_image(
                name=name, detector=detector, dose=told.dose, folder=folder
            )
            seconds = time.process_time() - start
            print(line(name, detector, made), f" made in {seconds:.1f} CPU s", flush=True)


if __name__ == "__main__":
    main()
