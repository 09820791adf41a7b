"""Rings of honeycombs and other lattices, and of their defects."""

from __future__ import annotations

import numpy as np
import pytest
from planted_crystals import Planted, edge_dislocation, planted

from adatom.crystallography import find_rings
from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import Sites, notes, sites_from_positions


def _sites(truth: Planted) -> Sites:
    return sites_from_positions(*truth.place.T, unit="nm")


def _counts(rings: Sites) -> dict[int, int]:
    kinds, counts = np.unique(rings["n_members"].values, return_counts=True)
    return dict(zip(kinds.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize(("name", "n"), [("honeycomb", 6), ("square", 4), ("rectangular", 4)])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_crystal_has_rings_of_one_size(name: str, n: int, noise: float) -> None:
    rings = find_rings(_sites(planted(name, half_width=12.0).noisy(noise, 1)))
    assert set(_counts(rings)) == {n}
    cell = {"honeycomb": 1.5 * 3**0.5, "square": 1.0, "rectangular": 1.8}[name]
    assert rings["area"].values.mean() == pytest.approx(cell, rel=0.02)


def test_a_close_packed_crystal_has_triangles() -> None:
    assert set(_counts(find_rings(_sites(planted("hexagonal"))))) == {3}


def test_a_missing_atom_of_graphene_is_a_ring_of_twelve() -> None:
    truth = planted("honeycomb", half_width=12.0)
    middle = np.linalg.norm(truth.place, axis=1).argmin()
    whole = _counts(find_rings(_sites(truth)))
    gone = np.ones(len(truth.place), dtype=bool)
    gone[middle] = False
    assert _counts(find_rings(_sites(truth.those(gone)))) == {6: whole[6] - 3, 12: 1}


def test_a_larger_hole_is_told_and_is_no_ring() -> None:
    truth = planted("honeycomb", half_width=12.0)
    truth = truth.those(np.linalg.norm(truth.place, axis=1) > 4.0)
    rings = find_rings(_sites(truth))
    assert set(_counts(rings)) == {6}
    assert "1 larger holes" in notes(rings)[-1]


def test_a_stone_wales_bond_makes_two_fives_and_two_sevens() -> None:
    truth = planted("honeycomb", half_width=12.0)
    near = np.argsort(np.linalg.norm(truth.place, axis=1))
    one = near[0]
    other = near[1:][np.linalg.norm(truth.place[near[1:]] - truth.place[one], axis=1).argmin()]
    middle = (truth.place[one] + truth.place[other]) / 2
    half = (truth.place[other] - truth.place[one]) / 2
    # Turned by 90 deg and shortened, and the four next to it drawn in half of the way.
    turned = 0.9 * np.array([-half[1], half[0]])
    place = truth.place.copy()
    place[one], place[other] = middle - turned, middle + turned
    rings = find_rings(_sites(truth._replace(place=place)))
    counts = _counts(rings)
    assert (counts[5], counts[7]) == (2, 2)


def test_a_dislocation_of_graphene_is_a_five_beside_a_seven() -> None:
    truth = planted("honeycomb", half_width=14.0)
    at = (0.31, 0.43)
    place = truth.place + edge_dislocation(truth.place, at, 3**0.5)
    rings = find_rings(_sites(truth._replace(place=place)))
    odd = rings["n_members"].values != 6
    assert 2 <= odd.sum() <= 3
    away = np.hypot(rings["y"].values[odd] - at[0], rings["x"].values[odd] - at[1])
    assert away.max() < 3.0


def test_members_go_around_the_ring() -> None:
    truth = planted("honeycomb", half_width=8.0)
    rings = find_rings(_sites(truth))
    around = truth.place[rings["member_index"].values]
    sides = np.linalg.norm(around - np.roll(around, 1, axis=1), axis=2)
    assert sides == pytest.approx(np.ones_like(sides))
    assert rings["y"].values == pytest.approx(around[..., 0].mean(axis=1))


def test_the_error_of_an_area_is_its_spread() -> None:
    truth = planted("honeycomb", half_width=60.0)
    sites = _sites(truth.noisy(0.03, 2))
    for axis in "yx":
        sites[f"{axis}_error"] = ("site", np.full(sites.sizes["site"], 0.03))
    rings = find_rings(sites)
    assert rings.sizes["site"] > 4_000
    pull = (rings["area"].values - 1.5 * 3**0.5) / rings["area_error"].values
    inside = (np.abs(pull) < 1.96).mean()
    # Rings share members, so that the share of 5,000 scatters by about 0.5 %.
    assert 0.93 < inside < 0.97


def test_frames_have_rings_of_their_own() -> None:
    truth = planted("square", half_width=5.0)
    y, x = np.tile(truth.place, (2, 1)).T
    frame = np.repeat([2, 5], len(truth.place))
    rings = find_rings(sites_from_positions(y, x, unit="nm", frame=frame))
    assert (np.bincount(rings["frame"].values)[[2, 5]] == 64).all()
    members = rings["member_index"].values
    assert (frame[members] == rings["frame"].values[:, None]).all()


def test_sites_without_area_are_refused() -> None:
    with pytest.raises(TooFewSitesError, match="not on a line"):
        find_rings(sites_from_positions([0.0, 0, 0, 0], [0.0, 1, 2, 3], unit="nm"))
    with pytest.raises(SettingError, match="max_members=2 must be 3"):
        find_rings(_sites(planted("square")), max_members=2)
