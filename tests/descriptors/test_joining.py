"""Features of files and of parts are joined without mistaking one for another."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.descriptors import features_from_files, features_from_parts
from adatom.errors import KindError, TooFewSitesError


def _rows(values: object) -> xr.DataArray:
    return xr.DataArray(np.asarray(values, dtype=float), dims=("site", "feature"))


def test_every_row_knows_its_file_and_its_place() -> None:
    axes = {n: (n, np.arange(k) + 0.5, {"units": "nm"}) for n, k in (("y", 2), ("x", 3))}
    one = xr.DataArray(np.arange(12.0).reshape(2, 3, 2), dims=("y", "x", "feature"), coords=axes)
    joined = features_from_files([one, one.isel(y=[1])])
    np.testing.assert_array_equal(joined["file"], [0] * 6 + [1] * 3)
    np.testing.assert_array_equal(joined["y"][6:], [1.5] * 3)
    np.testing.assert_array_equal(joined["x"][:4], [0.5, 1.5, 2.5, 0.5])
    assert joined["x"].attrs["units"] == "nm"
    np.testing.assert_array_equal(joined[6:], joined[3:6])


def test_files_with_other_columns_are_named() -> None:
    with pytest.raises(KindError, match="file 1 has 3 columns"):
        features_from_files([_rows([[1, 2]]), _rows([[1, 2, 3]])])
    with pytest.raises(TooFewSitesError, match="no features to join"):
        features_from_files([])


def test_parts_have_the_same_weight_whatever_their_scale_and_number_of_columns() -> None:
    rng = np.random.default_rng(0)
    one, other = _rows(rng.normal(size=(40, 3))), _rows(1e4 * rng.normal(size=(40, 300)) + 1e5)
    both = features_from_parts(one, other)
    for number in (0, 1):
        part = both.values[:, both["part"].values == number]
        largest = np.linalg.svd(part - part.mean(axis=0), compute_uv=False)[0]
        assert largest == pytest.approx(1.0, rel=1e-6)


def test_wide_parts_have_the_same_weight_as_narrow_ones() -> None:
    wide = _rows(np.random.default_rng(1).normal(size=(30, 2500)))
    part = features_from_parts(wide, wide[:, :1]).values[:, :2500]
    assert np.linalg.svd(part - part.mean(axis=0), compute_uv=False)[0] == pytest.approx(1.0)


def test_parts_of_other_places_and_parts_that_tell_nothing_are_refused() -> None:
    with pytest.raises(KindError, match="part 1 is on"):
        features_from_parts(_rows([[1], [2]]), _rows([[1]]))
    with pytest.raises(TooFewSitesError, match="part 1 has 2 measured rows, of which no two"):
        features_from_parts(_rows([[1], [2]]), _rows([[3], [3]]))
