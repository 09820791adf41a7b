"""Atoms found in shared real images, with nothing told, against published positions."""

from __future__ import annotations

import os

import numpy as np
import pytest
from real_truth import (
    GRAPHENE,
    IMAGING,
    STO_CELL,
    SUPERLATTICE,
    LatticeFit,
    brighter_half,
    inner,
    published_a_sites,
    published_graphene,
    share_found,
)

from adatom.io import read_image
from adatom.localization import compare_sites, find_atoms
from adatom.schema import pixel_size

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@pytest.mark.parametrize("name", ["G-GrainBoundary-4nm", "G-Si-2nm"])
def test_graphene_atoms_are_found_without_a_scale(name: str) -> None:
    # A difference of Gaussians that is told its width reaches 0.961 and 0.947.
    image = read_image(GRAPHENE / f"{name}.hdf5")
    found = find_atoms(image)
    scores = compare_sites(found, published_graphene(name, image)).scores
    assert float(scores["f1"][0]) >= 0.95
    assert found.attrs["spacing"] == pytest.approx(0.142, rel=0.05)


def test_strontium_titanate_has_two_columns_per_cell() -> None:
    found = find_atoms(read_image(IMAGING / "atomap/history/STO_ADF.hdf5"))
    fit = LatticeFit(found, STO_CELL)
    shorter = STO_CELL[0] / 2
    shares = fit.recall_and_precision(found, max_distance=0.15 * shorter, edge=0.5 * shorter)
    assert (shares >= 0.99).all()
    np.testing.assert_allclose(fit.cell, STO_CELL, rtol=0.003)
    assert np.bincount(found["sublattice"]).min() > 0.45 * found.sizes["site"]


def test_the_a_sites_of_a_superlattice_are_found_and_are_the_brighter_ones() -> None:
    image = read_image(SUPERLATTICE / "Cropped_PTO-SRO_Aligned.hspy")
    found, truth = find_atoms(image), published_a_sites(image)
    reach = 4 * pixel_size(image)[0]
    assert share_found(found, truth, max_distance=reach) >= 0.97
    bright = brighter_half(found)
    # Nearer to the frame's edge than half a spacing nothing was published.
    assert share_found(truth, inner(bright, 0.5 * truth.attrs["spacing"]), max_distance=reach) >= (
        0.97
    )
