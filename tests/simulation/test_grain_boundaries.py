"""Claims about grain boundaries of graphene."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import SITES, positions
from adatom.simulation import build_grain_boundary

BOND = 0.246 / np.sqrt(3)
FIELD = (4.0, 4.0)


def orientation(places: NDArray[np.float64]) -> float:
    """Orientation in deg, modulo 60, of the lattice vectors of a honeycomb."""
    pairs = KDTree(places).query_pairs(1.1 * 0.246, output_type="ndarray")
    step = places[pairs[:, 1]] - places[pairs[:, 0]]
    step = step[np.hypot(*step.T) > 0.2]
    phase = np.exp(6j * np.arctan2(step[:, 0], step[:, 1])).mean()
    # A perfect lattice has a phase of modulus one.
    assert abs(phase) > 0.99
    return float(np.degrees(np.angle(phase)) / 6)


@pytest.mark.parametrize("misorientation", [6.0, -14.0, 21.8, 30.0])
def test_every_atom_of_a_boundary_has_three_neighbors(misorientation: float) -> None:
    sites = build_grain_boundary(misorientation=misorientation, field=FIELD, margin=0.5)
    SITES.check(sites)
    places = positions(sites)
    inner = ((places > 0) & (places < 4)).all(axis=1)
    distance = KDTree(places).query(places[inner], k=5)[0][:, 1:]
    # Bonds of pentagons and heptagons differ from those of graphene by a few percent.
    assert distance[:, 0].min() > 0.95 * BOND
    assert distance[:, 2].max() < 1.10 * BOND
    assert distance[:, 3].min() > 1.45 * BOND
    odd = positions(sites.where(sites["class"] == "C at boundary", drop=True))
    assert len(odd) > 8
    assert np.abs(odd[:, 1] - 2.0).max() < 0.8


def test_the_grains_are_perfect_and_turned_against_each_other() -> None:
    sites = build_grain_boundary(misorientation=18.0, rotation=4.0, field=FIELD)
    places = positions(sites)
    left, right = places[places[:, 1] < 0.7], places[places[:, 1] > 3.3]
    assert orientation(left) == pytest.approx(4.0 - 9.0, abs=0.01)
    assert orientation(right) == pytest.approx(4.0 + 9.0, abs=0.01)


def test_no_atom_is_lost_at_the_boundary() -> None:
    n_sites = build_grain_boundary(field=FIELD, margin=0.0).sizes["site"]
    # Two atoms a cell; a boundary takes or gives a few, the edge of the field some more.
    assert n_sites == pytest.approx(16 * 4 / (np.sqrt(3) * 0.246**2), rel=0.03)


def test_one_seed_makes_one_boundary() -> None:
    one, same, other = (
        build_grain_boundary(field=(2.0, 2.0), margin=0.0, seed=s) for s in (1, 1, 2)
    )
    xr.testing.assert_identical(one, same)
    assert not one.equals(other)


def test_boundaries_refuse_what_is_no_boundary() -> None:
    with pytest.raises(SettingError, match=r"misorientation=40\.0 must lie between"):
        build_grain_boundary(misorientation=40.0)
    with pytest.raises(SettingError, match=r"field=\(0, 4\)"):
        build_grain_boundary(field=(0, 4))
