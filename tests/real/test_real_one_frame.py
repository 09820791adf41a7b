"""Real images, and simulated ones made by others, label their own defects."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from numpy.typing import NDArray

from adatom.io import read_image
from adatom.networks import labels_from_periodicity
from adatom.numerics.matching import match_points
from adatom.schema import positions

DATA = Path(os.environ.get("ADATOM_DATA", "")) / "imaging"
WSETE = DATA / "stem_wsete_sim_stemlearning/simulated/0"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _truth(name: str) -> NDArray[np.float64]:
    """Give the centers of the blobs that mark sites, but for those at the border."""
    mask = read_image(str(WSETE / f"label_{name}.tiff")).values > 127
    numbered, count = scipy.ndimage.label(mask)
    centers = np.array(scipy.ndimage.center_of_mass(mask, numbered, range(1, count + 1)))
    return centers[((centers > 8) & (centers < 1015)).all(axis=1)]


def test_every_vacancy_of_the_simulated_alloy_is_labeled_and_nothing_that_is_no_defect() -> None:
    found = labels_from_periodicity(read_image(str(WSETE / "input.tiff"))).sites
    vacancies = _truth("vacancy")
    missing = found.isel(site=found["class"].values == "missing")
    # A quarter of the distance between columns, 9.5 px, is 2.4 px: sites are never confused.
    caught = match_points(positions(missing), vacancies, max_distance=2.4)
    assert len(caught.left) == len(vacancies)
    altered = np.concatenate([_truth(name) for name in ("Se", "TeSe", "2Te", "vacancy")])
    right = match_points(positions(found), altered, max_distance=2.4)
    assert len(right.left) >= 0.98 * found.sizes["site"]


@pytest.mark.parametrize(
    ("file", "n_silicon"),
    [
        ("graphene_si_aicr/G-dimtrimSi/G-dimSi.hdf5", 2),
        ("graphene_si_aicr/G-Si-4fold.hdf5", 1),
    ],
)
def test_silicon_in_graphene_is_what_violates_its_periodicity(file: str, n_silicon: int) -> None:
    found = labels_from_periodicity(read_image(str(DATA / file))).sites
    strong = found["significance"].values > 10
    assert int(strong.sum()) == n_silicon
    assert (found["class"].values[strong] == "extra").all()
