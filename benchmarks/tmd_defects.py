"""How well defects of layers such as MoS2 are found: masks, real images, and planted ones.

    ADATOM_DATA=... python benchmarks/tmd_defects.py [real | simulated]

A line of JSON a figure. *real*: columns of a multislice image of WSe(Te) made by
others against their masks; vanadium in MoS2, grown with 1 %; the composition of four
images of WS2 turned into WSSe or WSe2. *simulated*: planted defects of MoS2 and WS2 at
two doses. "recall" is of the planted ones the share found there under their name,
"precision" of those found under a name the share that is right. Places cut by the edge
count for neither.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

DOSES = (300.0, 60.0)
SEEDS = (41, 42)
MASKS = {"label_Se": "Se", "label_TeSe": "SeTe", "label_2Te": "Te2", "label_vacancy": "empty"}


def say(what: str, **figures: object) -> None:
    """Print one figure."""
    print(json.dumps({"what": what, **figures}), flush=True)


def real() -> None:
    """Count columns of the shared images."""
    from adatom.defects import count_columns, find_lattice_defects

    data = Path(os.environ["ADATOM_DATA"]) / "imaging"
    wsete()
    for number, host in (("000-2", "MoS2"), ("001-5", "MoS2")):
        sites = named(data / f"mos2_scilink/MoS2_stem_Exp-{number}.npy", host, metals=("V",))
        counts = count_columns(sites)
        row = int(np.flatnonzero(counts["column"].values == "V")[0])
        interval = [float(counts[f"share_{end}"].values[row]) for end in ("low", "high")]
        say(
            f"MoS2 {number}",
            vanadium=int(counts["count"].values[row]),
            share=round(float(counts["share"].values[row]), 4),
            interval=[round(end, 4) for end in interval],
            listed=listed(find_lattice_defects(sites).defects["name"].values),
            places=int((sites["column"].values != "").sum()),
        )
    for path in sorted((data / "ws2_janus_dyck").glob("*/*.tif")):
        counts = count_columns(named(path, "WS2", chalcogens=("Se",)))
        say(f"{path.parent.name}/{path.stem}", statement=counts.attrs["statement"])


def wsete() -> None:
    """Compare the columns of WSe(Te) with the masks, each with the nearest planted one."""
    from scipy import ndimage
    from scipy.spatial import cKDTree

    from adatom.io import read_image
    from adatom.schema import positions

    folder = Path(os.environ["ADATOM_DATA"]) / "imaging/stem_wsete_sim_stemlearning/simulated/0"
    sites = named(folder / "input.tiff", "WSe2", chalcogens=("Te",))
    for mask, column in MASKS.items():
        labels, n_planted = ndimage.label(read_image(folder / f"{mask}.tiff").values > 0)
        centers = ndimage.center_of_mass(labels > 0, labels, np.arange(1, n_planted + 1))
        here = sites["column"].values == column
        # A third of the bond: no other place is as near.
        reach = float(sites.attrs["spacing"]) / 3
        place = positions(sites)
        # A planted column at a place that was not measured cannot be found.
        nearest = cKDTree(place).query(np.array(centers))[1]
        measured = int((sites["column"].values[nearest] != "").sum())
        apart, _ = cKDTree(place[here]).query(np.array(centers))
        right = int((apart < reach).sum())
        say(
            f"WSe(Te) {column}",
            in_mask=n_planted,
            measured=measured,
            found=int(here.sum()),
            right=right,
        )


def named(
    path: Path, host: str, *, metals: tuple[str, ...] = (), chalcogens: tuple[str, ...] = ()
) -> object:
    """Give the places of an image with what stands there, as the recipe does."""
    from adatom.defects import assign_column_species
    from adatom.io import read_image
    from adatom.localization import find_atoms, find_lattice_regions, find_lattice_sites

    image = read_image(path)
    regions = find_lattice_regions(image)
    lattice = find_lattice_sites(image, find_atoms(image, regions), regions, n_columns=2)
    return assign_column_species(
        lattice, host=host, metals=list(metals), chalcogens=list(chalcogens)
    )


def listed(names: np.ndarray) -> dict[str, int]:
    """Count names, the most frequent first."""
    name, count = np.unique(names, return_counts=True)
    order = np.argsort(-count, kind="stable")
    return {str(name[k]): int(count[k]) for k in order}


def simulated() -> None:
    """Print recall and precision of planted defects, seeds taken together."""
    from layer_truth import named_places, scores, sulfide

    for metal in ("Mo", "W"):
        for electrons in DOSES:
            total: dict[str, np.ndarray] = {}
            for seed in SEEDS:
                made = sulfide(electrons=electrons, seed=seed, metal=metal)
                for name, score in scores(made, named_places(made, metal=metal)).items():
                    total[name] = total.get(name, np.zeros(3, dtype=int)) + np.array(score)
            for name, (planted, right, found) in sorted(total.items()):
                say(
                    f"simulated {metal}S2 {electrons:.0f} electrons {name}",
                    planted=int(planted),
                    found=int(found),
                    right=int(right),
                    recall=round(right / planted, 3) if planted else None,
                    precision=round(right / found, 3) if found else None,
                )


if __name__ == "__main__":
    which = sys.argv[1:] or ["real", "simulated"]
    if "real" in which:
        real()
    if "simulated" in which:
        simulated()
