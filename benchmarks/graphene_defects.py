"""How well defects of graphene are found: the shared library, and planted ones at several doses.

ADATOM_DATA=... python benchmarks/graphene_defects.py [real | simulated] [FOLDER]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from adatom.defects import Defects

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))


def real(folder: str | None) -> None:
    """Print recall of atoms, labels, and the confusion matrix; draw all images where asked."""
    from graphene_truth import defects_of_file, library_files, match_labels

    rows, found = [], {}
    for number, path in enumerate(library_files()):
        found[path] = defects_of_file(path)
        rows += [(number % 2, one) for one in match_labels(path, found[path])]
    for half, title in ((0, "used in development"), (1, "not used"), (None, "all")):
        part = [one for h, one in rows if half is None or h == half]
        silicon, carbon = (
            (
                sum(getattr(one, f"{name}_found") for one in part),
                sum(getattr(one, name) for one in part),
            )
            for name in ("n_silicon", "n_carbon")
        )
        right = sum(one.names == (one.label,) for one in part)
        print(
            f"{title}: Si {silicon[0]}/{silicon[1]}, C {carbon[0]}/{carbon[1]}, "
            f"labels {right}/{len(part)}"
        )
    for (label, names), count in sorted(Counter((one.label, one.names) for _, one in rows).items()):
        print(f"{label:6s} -> {', '.join(names) or 'not found':14s} {count}")
    if folder:
        _draw(found, folder)


def _draw(found: dict[Path, Defects], folder: str) -> None:
    from adatom.io import read_image
    from adatom.plotting import plot_defects

    Path(folder).mkdir(parents=True, exist_ok=True)
    for path, defects in found.items():
        figure = plot_defects(defects, read_image(path))
        figure.savefig(Path(folder) / f"{path.parent.name}-{path.stem}.png")


def simulated() -> None:
    """Print precision and recall of planted defects, by class and dose."""
    from adatom.defects import assign_species, find_defects
    from adatom.localization import find_sheet_atoms
    from adatom.simulation import Microscope, simulate_graphene

    names = {"Si-C3": "Si1C3", "Si-C4": "Si1C4", "V1": "V1", "V2": "V2"}
    for dose in (100.0, 300.0, 1200.0):
        tally: Counter[tuple[str, str]] = Counter()
        for seed in range(3):
            made = simulate_graphene(
                size=384, field="5 nm", microscope=Microscope(electrons=dose), seed=seed
            )
            atoms = find_sheet_atoms(made.image)
            found = find_defects(assign_species(atoms, made.image), made.image).defects
            places = [(made.truth, "class"), (made.vacancies, "class")]
            for truth, name in places:
                for key, label in names.items():
                    own = truth[name].values == key
                    clean = made.clean.sel(y=truth.y[own], x=truth.x[own], method="nearest").values
                    want = np.c_[truth.y[own], truth.x[own]][clean]
                    got = np.char.startswith(found["name"].values.astype(str), label)
                    tally[label, "true"] += len(want)
                    if len(want) and got.any():
                        tree = cKDTree(np.c_[found.y[got], found.x[got]])
                        tally[label, "hit"] += int((tree.query(want)[0] < 0.1).sum())
            for label in names.values():
                tally[label, "found"] += int(
                    np.char.startswith(found["name"].values.astype(str), label).sum()
                )
        print(
            f"electrons={dose:.0f}: "
            + "; ".join(
                f"{label} {tally[label, 'hit']} of {tally[label, 'true']}, "
                f"{tally[label, 'found']} found"
                for label in names.values()
            )
        )


if __name__ == "__main__":
    if "simulated" in sys.argv[1:]:
        simulated()
    else:
        real(next((name for name in sys.argv[1:] if name != "real"), None))
