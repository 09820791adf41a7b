"""The tilt boundary of graphene: two grains, and rings of five and seven between them."""

from __future__ import annotations

import os
import warnings
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from real_truth import GRAPHENE, published_graphene
from scipy.spatial import cKDTree

from adatom.crystallography import assign_lattice_indices, find_grains, find_rings
from adatom.descriptors import neighbor_vectors
from adatom.errors import AdatomWarning
from adatom.io import read_image
from adatom.localization import find_atoms, find_lattice_regions
from adatom.schema import Image, Sites, positions

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

# Of graphene, in nm: the lattice, and the distance of the centers of two hexagons.
_CELL = 0.246


@cache
def _image() -> Image:
    return read_image(GRAPHENE / "G-GrainBoundary-4nm.hdf5")


@cache
def _atoms(source: str) -> Sites:
    if source == "published":
        return published_graphene("G-GrainBoundary-4nm", _image())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdatomWarning)
        return find_atoms(_image(), find_lattice_regions(_image()))


def _boundary(indexed: Sites) -> NDArray[np.float64]:
    """Give the middles between near atoms of two grains."""
    place, grain = positions(indexed), indexed["grain"].values
    pairs = cKDTree(place).query_pairs(_CELL, output_type="ndarray")
    of = grain[pairs]
    across = (of >= 0).all(axis=1) & (of[:, 0] != of[:, 1])
    middle: NDArray[np.float64] = place[pairs[across]].mean(axis=1)
    return middle


@pytest.mark.parametrize("source", ["published", "found"])
def test_the_tilt_boundary_runs_where_fives_and_sevens_sit(source: str) -> None:
    atoms = _atoms(source)
    indexed = assign_lattice_indices(neighbor_vectors(atoms))
    rings = find_rings(atoms)
    # Rings at the frame are cut, and atoms there less sure.
    center = positions(rings)
    inner = ((center > 0.4) & (center < 3.55)).all(axis=1)
    away, _ = cKDTree(_boundary(indexed)).query(center)
    size = rings["n_members"].values
    odd = inner & np.isin(size, (5, 7))
    assert 12 <= odd.sum() <= 25
    assert np.median(away[odd]) < 0.5 * _CELL
    assert (away[odd] < _CELL).mean() >= 0.9
    # By chance a fifth of them would lie there.
    assert (away[inner & (size == 6)] < _CELL).mean() < 0.2
    # Fives and sevens come in pairs, so that the sheet stays flat.
    assert abs(int((size[odd] == 5).sum()) - int((size[odd] == 7).sum())) <= 2


@pytest.mark.parametrize("source", ["published", "found"])
def test_both_grains_are_graphene_turned_by_the_angle_of_their_fourier_spots(source: str) -> None:
    grains, boundaries = find_grains(assign_lattice_indices(neighbor_vectors(_atoms(source))))
    assert grains["n_fold"].values[:2].tolist() == [6, 6]
    for name in ("length_i", "length_j"):
        assert grains[name].values[:2] == pytest.approx([_CELL, _CELL], rel=0.03)
    spots = _spot_angles()
    turn = abs((spots[0] - spots[1] + 30) % 60 - 30)
    # The scan is sheared by 2 deg, and spots are as wide as a grain is small.
    assert boundaries["misorientation"].values[0] == pytest.approx(turn, abs=2.5)
    assert boundaries["misorientation_error"].values[0] < 0.2


def _spot_angles() -> list[float]:
    """Give the orientation, modulo 60 deg, of the spots of either half of the image."""
    angles = []
    for half in (_image().values[:230], _image().values[290:]):
        rows, columns = half.shape
        window = np.hanning(rows)[:, None] * np.hanning(columns)
        power = np.abs(np.fft.fft2((half - half.mean()) * window, (512, 512))) ** 2
        frequency = np.fft.fftfreq(512, d=4 / 512)
        fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
        ring = np.abs(np.hypot(fy, fx) - 2 / (3**0.5 * _CELL)) < 0.35
        wave = (power[ring] ** 2 * np.exp(6j * np.arctan2(fy[ring], fx[ring]))).sum()
        angles.append(float(np.degrees(np.angle(wave)) / 6))
    return angles
