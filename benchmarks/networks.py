"""Atoms found in simulated images of structures that no training has seen, with nothing told.

    python benchmarks/networks.py [--method both] [--n 12] [--json FILE]

Images of 256 x 256 px with all errors of the microscope; Gaussian widths of 2 px
or more. SNR is the amplitude of the median column over the noise of a pixel;
``--n`` images are made in each of five steps of it, and twice as many without
any lattice, of which the false sites are counted. The truth is where a column
lies in the distorted image; columns that even without noise have no maximum of
their own, lie under dirt or drown in it count neither way, and so do those in
the margin of half a spacing. Clear sites are those whose own SNR is 2 or more, and
so is their clarity, the same over all that is not lattice (stripes, jumps of
lines, film) through a filter of their width. Errors of positions are those of
sites for which both are 8 or more, along an axis, over the width of their Gaussian.
``--trained`` takes the structures of the training instead. One core; the default
takes some three minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from simulated_figures import Counts, counts_of_image, pooled

from adatom.errors import NoLatticeError
from adatom.localization import find_atoms
from adatom.localization.choosing import Method
from adatom.schema import Image, Sites
from adatom.simulation.training_images import (
    TRAINED_ON,
    LabeledImage,
    empty_images,
    held_out_images,
    simulate_training_image,
)

METHODS: tuple[Method, ...] = ("classical", "network")
STEPS = ((0.7, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 30.0))
# Far from the seeds of trainings.
SEED = 20_261_127
# Least SNR and clarity of the sites of which the claim of the finder speaks.
CLEAR = 2.0


Finder = Callable[[Image], Sites | None]


def finder(method: Method, network: str | None) -> Finder:
    """Give a function that finds atoms, or None where it is said that there is no lattice."""
    file = network if method == "network" else None

    def find(image: Image) -> Sites | None:
        try:
            return find_atoms(image, method=method, network=file)
        except NoLatticeError:
            return None

    return find


def with_lattice(n: int, *, trained: bool) -> Iterator[tuple[str, LabeledImage]]:
    """Make the images that show a lattice, step by step of SNR."""
    for number, step in enumerate(STEPS):
        images = replace(held_out_images(), snr=step)
        if trained:
            images = replace(images, families=TRAINED_ON)
        for index in range(n):
            yield (
                f"{step[0]:g} to {step[1]:g}",
                simulate_training_image(images=images, seed=SEED + number, index=index),
            )


def measured_lattices(
    n: int, finders: dict[Method, Finder], *, trained: bool
) -> list[dict[str, Any]]:
    """Find the atoms of all images that show a lattice."""
    rows = []
    for step, made in with_lattice(n, trained=trained):
        told = json.loads(made.manifest)
        for method, find in finders.items():
            start = time.process_time()
            found = find(made.image)
            rows.append(
                {
                    "method": method,
                    "SNR": step,
                    "family": told["family"],
                    "snr": told["snr"],
                    "refused": found is None,
                    "cpu_s": time.process_time() - start,
                    "all": counts_of_image(found, made.sites),
                    "clear": counts_of_image(found, made.sites, clear=CLEAR),
                }
            )
    return rows


def measured_empties(n: int, finders: dict[Method, Finder]) -> list[dict[str, Any]]:
    """Count sites where there is no lattice."""
    rows = []
    for index in range(n):
        made = simulate_training_image(images=empty_images(), seed=SEED - 1, index=index)
        kind = json.loads(made.manifest)["family"]
        for method, find in finders.items():
            found = find(made.image)
            number = 0 if found is None else found.sizes["site"]
            rows.append({"method": method, "kind": kind, "false sites": number})
    return rows


def line_of_counts(label: str, rows: list[dict[str, Any]]) -> str:
    """Write the pooled counts of images, and of their clear sites where they should have some."""
    counts = pooled(row["all"] for row in rows)
    refused = sum(row["refused"] for row in rows)
    clear = ""
    if all(row["snr"] >= CLEAR for row in rows):
        clear = f", of clear sites {pooled(row['clear'] for row in rows).f1:.4f}"
    return (
        f"  {label:26s} {len(rows):4d} images  F1 {counts.f1:.4f} (precision "
        f"{counts.precision:.4f}, recall {counts.recall:.4f}){clear}, refused {refused}"
    )


def print_method(
    method: str, lattices: list[dict[str, Any]], empties: list[dict[str, Any]]
) -> None:
    """Print the tables of one method."""
    mine = [row for row in lattices if row["method"] == method]
    print(f"{method}: {sum(row['cpu_s'] for row in mine) / len(mine):.2f} CPU s an image")
    for key in ("SNR", "family"):
        groups = defaultdict(list)
        for row in mine:
            if key == "SNR" or row["snr"] >= CLEAR:
                groups[row[key]].append(row)
        for label, rows in groups.items():
            print(line_of_counts(f"{key} {label}" if key == "SNR" else f"{label}, SNR >= 2", rows))
    seen = [row for row in mine if row["snr"] >= CLEAR]
    print(line_of_counts("SNR >= 2", seen))
    whole = pooled(row["all"] for row in mine)
    print(
        f"  error along an axis of sites with SNR >= 8: {whole.relative_rmse:.4f} of the width "
        f"({len(whole.errors)} sites)"
    )
    false = defaultdict(list)
    for row in empties:
        if row["method"] == method:
            false[row["kind"]].append(row["false sites"])
    total = [number for numbers in false.values() for number in numbers]
    each = ", ".join(f"{kind} {sum(some) / len(some):.2f}" for kind, some in sorted(false.items()))
    print(f"  false sites an image without lattice: {sum(total) / len(total):.2f} ({each})")


def as_json(row: dict[str, Any]) -> str:
    """Write a row in one line, with the sums of its errors in place of all of them."""
    plain = {
        key: {
            "matched": value.matched,
            "missed": value.missed,
            "false": value.false,
            "relative_rmse": value.relative_rmse,
            "n_errors": len(value.errors),
        }
        if isinstance(value, Counts)
        else value
        for key, value in row.items()
    }
    return json.dumps(plain)


def main() -> None:
    """Print one table a method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--method", choices=(*METHODS, "both"), default="both")
    parser.add_argument("--n", type=int, default=12, help="images in each step of SNR")
    parser.add_argument("--trained", action="store_true", help="structures of the training")
    parser.add_argument("--network", help="file of another network than the shipped one")
    parser.add_argument("--json", type=Path, help="file for one line an image and method")
    told = parser.parse_args()
    methods = METHODS if told.method == "both" else (told.method,)
    finders = {method: finder(method, told.network) for method in methods}
    lattices = measured_lattices(told.n, finders, trained=told.trained)
    empties = measured_empties(2 * told.n, finders)
    for method in finders:
        print_method(method, lattices, empties)
    if told.json:
        told.json.write_text("".join(as_json(row) + "\n" for row in lattices + empties))


if __name__ == "__main__":
    main()
