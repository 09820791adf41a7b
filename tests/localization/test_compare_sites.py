"""Found sites against true ones."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import KindError, TooFewSitesError
from adatom.localization import compare_sites
from adatom.numerics.matching import match_points
from adatom.schema import Sites, sites_from_positions

FRAME = [0.0, 40.0, 0.0, 40.0]


def grid() -> Sites:
    y, x = np.mgrid[2:40:4, 2:40:4]
    return sites_from_positions(y.ravel(), x.ravel(), unit="px", spacing=4.0, extent=FRAME)


def test_the_same_sites_are_perfect() -> None:
    scores = compare_sites(grid(), grid()).scores
    assert float(scores["f1"][0]) == 1.0
    assert float(scores["rmse"][0]) == 0.0


def test_misses_and_false_ones_are_told_apart() -> None:
    truth = grid()
    found = truth.isel(site=np.arange(3, 100))
    extra = sites_from_positions([20.1], [20.1], unit="px")
    comparison = compare_sites(
        sites_from_positions(
            np.append(found.y, extra.y), np.append(found.x, extra.x), unit="px", extent=FRAME
        ),
        truth,
        edge="0 px",
    )
    assert comparison.missed.sizes["site"] == 3
    assert comparison.false.sizes["site"] == 1
    assert float(comparison.scores["recall"][0]) == 0.97


def test_bias_and_rmse_are_those_of_the_shift() -> None:
    moved = grid()
    moved = moved.assign_coords(y=moved.y.copy(data=moved.y.values + 0.3))
    scores = compare_sites(moved, grid()).scores
    assert float(scores["bias_y"][0]) == pytest.approx(0.3)
    assert float(scores["rmse"][0]) == pytest.approx(0.3)
    assert scores["rmse"].attrs["units"] == "px"


def test_coverage_is_that_of_the_stated_covariance() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.2, (100, 2))
    found = grid()
    found = found.assign_coords(
        y=found.y.copy(data=found.y.values + noise[:, 0]),
        x=found.x.copy(data=found.x.values + noise[:, 1]),
    )
    found["covariance"] = (("site", "axis", "axis_other"), np.tile(0.04 * np.eye(2), (100, 1, 1)))
    # 100 draws of a share of 0.95 stay above 0.87 but once in a thousand times.
    assert float(compare_sites(found, grid()).scores["coverage_95"][0]) > 0.87
    found["covariance"] /= 100
    assert float(compare_sites(found, grid()).scores["coverage_95"][0]) < 0.2


def test_an_atom_on_the_margin_counts_neither_way() -> None:
    truth = sites_from_positions([20.0, 1.9], [20.0, 20.0], unit="px", spacing=4.0, extent=FRAME)
    found = sites_from_positions([20.0, 2.1], [20.0, 20.0], unit="px")
    scores = compare_sites(found, truth, edge="2 px").scores
    assert int(scores["n_true"][0]) == int(scores["n_found"][0]) == 1


def test_sites_of_different_frames_are_not_matched() -> None:
    truth = sites_from_positions([5.0], [5.0], unit="px", frame=[0], spacing=2.0, extent=FRAME)
    found = sites_from_positions([5.0], [5.0], unit="px", frame=[1])
    assert int(compare_sites(found, truth).scores["n_matched"][0]) == 0


def test_one_false_site_does_not_steal_a_partner() -> None:
    # Greedy joining would pair the two that are 0.9 apart and leave two alone.
    match = match_points([[0.0], [1.0]], [[1.9], [0.1 + 1.0]], max_distance=1.2)
    assert len(match.left) == 2


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(KindError, match="found sites are in nm, true ones in px"):
        compare_sites(sites_from_positions([0.0], [0.0], unit="nm"), grid())
    with pytest.raises(TooFewSitesError, match="truth holds no sites"):
        compare_sites(grid(), sites_from_positions([], [], unit="px"))
    bare = sites_from_positions([0.0, 4.0], [0.0, 0.0], unit="px")
    with pytest.raises(KindError, match=r'edge="0 px"'):
        compare_sites(bare, bare)


def test_hidden_true_sites_are_neither_missed_nor_make_found_ones_false() -> None:
    truth = sites_from_positions([2.0, 2.0, 6.0], [2.0, 6.0, 6.0], unit="px", extent=[0, 9, 0, 9])
    truth["visible"] = ("site", [True, False, False])
    found = sites_from_positions([2.0, 2.1], [2.0, 6.0], unit="px")
    compare = compare_sites(found, truth, edge="1 px")
    counts = {name: int(compare.scores[name][0]) for name in ("n_true", "n_found", "n_matched")}
    assert counts == {"n_true": 1, "n_found": 1, "n_matched": 1}
    assert compare.missed.sizes["site"] == compare.false.sizes["site"] == 0
