"""The shared library of silicon defects in graphene: images, and the defects labeled in them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.defects import Defects, assign_species, find_defects
from adatom.errors import AdatomWarning
from adatom.io import read_image
from adatom.localization import find_sheet_atoms
from adatom.schema import pixel_size, positions

HALF_BOND = 0.071
"""In nm: a found atom nearer than this to a labeled one is it."""


class Matched(NamedTuple):
    """One labeled defect: its label, the names found at its impurities, and atoms matched."""

    file: str
    label: str
    names: tuple[str, ...]
    n_silicon: int
    n_silicon_found: int
    n_carbon: int
    n_carbon_found: int


def library_files() -> list[Path]:
    """List the images; those of even number were used in development, the others were not."""
    root = Path(os.environ["ADATOM_DATA"]) / "imaging/graphene_defect_library/library_refined"
    return sorted(root.glob("*/*.hdf5"))


def defects_of_file(path: Path) -> Defects:
    """Find the defects of an image, with nothing told but the host."""
    image = read_image(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdatomWarning)
        atoms = find_sheet_atoms(image)
    return find_defects(assign_species(atoms, image), image)


def labeled_sets(path: Path) -> list[tuple[NDArray[np.float64], NDArray[np.str_]]]:
    """Give places (y, x) in pixels and elements of each labeled defect; the file says x, y."""
    with h5py.File(path) as file:
        sets = [file[name][...] for name in sorted(file) if name.startswith("defect")]
    return [(one[:, 1::-1].astype(float), one[:, 2].astype("U2")) for one in sets]


def match_labels(path: Path, found: Defects) -> list[Matched]:
    """Match the atoms of labeled defects to members of the defects that were found."""
    step = np.array(pixel_size(read_image(path)))
    place, species = positions(found.members), found.members["species"].values
    matched = []
    for pixels, element in labeled_sets(path):
        hits = {}
        for name in ("Si", "C"):
            own = np.flatnonzero(species == name)
            wanted = pixels[element == name] * step
            if len(own):
                distance, nearest = cKDTree(place[own]).query(wanted)
                hits[name] = own[nearest[distance < HALF_BOND]]
            else:
                hits[name] = own
        at = found.members["defect"].values[hits["Si"]]
        names = tuple(sorted(set(found.defects["name"].values[at].tolist())))
        matched.append(
            Matched(
                f"{path.parent.name}/{path.stem}",
                path.parent.name,
                names,
                int((element == "Si").sum()),
                len(hits["Si"]),
                int((element == "C").sum()),
                len(hits["C"]),
            )
        )
    return matched
