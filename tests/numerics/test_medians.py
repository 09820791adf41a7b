"""Medians of rows with gaps are those of each row by itself."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from adatom.numerics.local_polynomials import noise_of_rows
from adatom.numerics.medians import medians_of_rows


@pytest.mark.parametrize("n_channels", [1, 2, 7, 8, 900])
def test_medians_are_those_of_what_is_finite_of_each_row(n_channels: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, n_channels))
    rows[rng.random(rows.shape) < 0.4] = np.nan
    rows[3] = np.nan
    rows[4, 0] = np.inf
    rows[5] = rng.normal(size=n_channels)
    found = medians_of_rows(rows)
    for row, median in zip(rows, found, strict=True):
        known = row[np.isfinite(row)]
        np.testing.assert_equal(median, np.median(known) if known.size else np.nan)


def test_a_row_has_the_same_median_whatever_stands_beside_it() -> None:
    rows = np.random.default_rng(1).normal(size=(9, 40))
    beside = np.vstack([rows, np.full((1, 40), np.nan)])
    np.testing.assert_array_equal(medians_of_rows(beside)[:-1], medians_of_rows(rows))


def test_rows_that_were_not_measured_have_no_noise_and_no_warning() -> None:
    rows = np.random.default_rng(2).normal(0, 2, (2, 5000))
    rows[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise = noise_of_rows(rows)
    # The median of 5000 differences is known to two per cent.
    assert noise[0] == pytest.approx(2, rel=0.1)
    assert np.isnan(noise[1])
