"""Components of loops among which outliers were planted."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from adatom.decomposition import apply_pca, decompose_pca, decompose_robust_pca
from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import CLASSES

Array = np.ndarray[Any, Any]

N, POINTS = 2500, 64
PHASE = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
SHAPES = np.stack([np.cos(PHASE - 0.5), np.tanh(3 * np.sin(PHASE)), np.sin(2 * PHASE)])


def loops(share: float, kind: str, seed: int = 1) -> tuple[xr.DataArray, Array, Array]:
    """Give hysteresis loops with outliers, which rows these are, and the loops without."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(N, 3)) * [1.0, 0.6, 0.3] + [2.0, 1.0, 0.0]
    clean = scores @ SHAPES + 0.05 * rng.normal(size=(N, POINTS))
    rows = clean.copy()
    bad = np.zeros(N, dtype=bool)
    bad[rng.permutation(N)[: int(share * N)]] = True
    n = int(bad.sum())
    if kind == "large":
        rows[bad] = rng.normal(size=(n, POINTS)) * rng.lognormal(3, 1.5, (n, 1))
    elif kind == "another sort":
        rows[bad] += 4 * np.sin(5 * PHASE)
    else:
        rows[np.flatnonzero(bad), rng.integers(0, POINTS, n)] += 100.0
    return xr.DataArray(rows, dims=("site", "bias"), attrs={"units": "nm"}), bad, clean


def angle(found: Array, truth: Array) -> float:
    """Give the largest angle between two spaces in degrees."""
    one, two = (np.linalg.qr(space.T)[0] for space in (found, truth))
    smallest = np.linalg.svd(one.T @ two)[1].min()
    return float(np.degrees(np.arccos(np.clip(smallest, -1, 1))))


@pytest.mark.parametrize("kind", ["large", "another sort", "spikes"])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_outliers_are_isolated_and_do_not_turn_the_components(share: float, kind: str) -> None:
    rows, bad, _ = loops(share, kind)
    found = decompose_robust_pca(rows)
    label = found.outliers["label"].values
    assert (label[bad] > 0).all()
    # Both cutoffs let 2.5 % of the regular rows pass beyond them.
    assert (label[~bad] > 0).mean() < 0.08
    assert found.components.shape == (3, POINTS)
    assert angle(found.components.values, SHAPES) < 0.6
    assert angle(decompose_pca(rows, n_components=3).components.values, SHAPES) > 60


def test_without_outliers_the_components_are_the_ordinary_ones() -> None:
    rows, _, _ = loops(0.0, "large")
    found, usual = decompose_robust_pca(rows), decompose_pca(rows)
    assert angle(found.components.values, usual.components.values) < 0.2
    np.testing.assert_allclose(found.summary["share"], usual.summary["share"], atol=0.05)
    count = found.outliers["count"].values
    assert count[0] > 0.92 * N


def test_distances_of_regular_rows_follow_their_laws() -> None:
    rows, bad, _ = loops(0.3, "large")
    outliers = decompose_robust_pca(rows).outliers
    squares = outliers["score_distance"].values[~bad] ** 2
    # Chi squared of three degrees has the median 2.366; of all rows the median is that of the
    # regular ones and of 30 % beyond them, which makes distances shorter by some 6 %.
    assert np.median(squares) == pytest.approx(2.366, rel=0.15)
    off = outliers["orthogonal_distance"].values[~bad]
    # Noise of 0.05 in the 61 channels that three components leave free.
    assert np.median(off) == pytest.approx(0.05 * np.sqrt(61), rel=0.02)
    assert outliers["orthogonal_distance"].units == "nm"


def test_single_wrong_values_are_told_from_wrong_rows() -> None:
    rows, bad, clean = loops(0.3, "spikes")
    found = decompose_robust_pca(rows)
    label, n_wrong = found.outliers["label"].values, found.outliers["n_wrong"].values
    assert (label[bad] == 4).mean() > 0.95
    assert (n_wrong[label == 4] == 1).mean() > 0.95
    # Their scores are those of the loops without the spike.
    whole = bad & (label == 4)
    expected = (clean[whole] - found.model.center) @ found.model.basis.T
    np.testing.assert_allclose(found.scores.values[whole], expected, atol=0.1)
    other, wrong, _ = loops(0.3, "another sort")
    assert (decompose_robust_pca(other).outliers["label"].values[wrong] == 4).mean() < 0.01


def test_the_model_gives_scores_of_other_rows() -> None:
    rows, bad, _ = loops(0.2, "large")
    found = decompose_robust_pca(rows, n_components=3)
    again = apply_pca(rows, found.model).values
    np.testing.assert_allclose(again[~bad], found.scores.values[~bad], atol=0.2)


def test_maps_in_blocks_give_the_same_bits_and_keep_gaps() -> None:
    rows, _, _ = loops(0.3, "large")
    cube = rows.values.reshape(50, 50, POINTS).astype(np.float32)
    cube[3, 4, 5] = np.nan
    eager = xr.DataArray(cube, dims=("y", "x", "bias"))
    lazy = eager.copy(data=da.from_array(cube, chunks=(17, 23, 9)))  # type: ignore[no-untyped-call]
    one, two = decompose_robust_pca(eager), decompose_robust_pca(lazy)
    xr.testing.assert_identical(one.outliers, two.outliers)
    xr.testing.assert_identical(one.scores, two.scores)
    CLASSES.check(one.outliers)
    assert one.outliers["label"].values[3, 4] == -1
    assert one.scores.dtype == np.float32


def test_what_has_no_majority_says_why() -> None:
    same = np.zeros((30, 4))
    same[:5] = np.random.default_rng(0).normal(size=(5, 4))
    with pytest.raises(SettingError, match="half of the rows or more are all the same"):
        decompose_robust_pca(xr.DataArray(same, dims=("site", "bias")))
    with pytest.raises(TooFewSitesError, match="9 measured rows, 10 or more"):
        decompose_robust_pca(xr.DataArray(np.eye(9), dims=("site", "bias")))
    with pytest.raises(SettingError, match=r"confidence=0\.3 must lie between"):
        decompose_robust_pca(xr.DataArray(np.eye(12), dims=("site", "bias")), confidence=0.3)
