"""Matrices of spectra become maps only as the user says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from adatom.errors import ReadError, SettingError
from adatom.io import read_spectral_map


@pytest.mark.parametrize("order", ["column", "row"])
@pytest.mark.parametrize("bands_first", [True, False])
def test_pixels_come_to_lie_where_the_order_puts_them(
    tmp_path: Path, order: str, bands_first: bool
) -> None:
    cube = np.arange(4 * 5 * 7.0).reshape(4, 5, 7)
    pixels = cube.transpose(1, 0, 2) if order == "column" else cube
    matrix = pixels.reshape(20, 7)
    scipy.io.savemat(tmp_path / "a.mat", {"Y": matrix.T if bands_first else matrix})
    found = read_spectral_map(tmp_path / "a.mat", grid=f"4 x 5 {order}-major")
    np.testing.assert_array_equal(found.values, cube)
    assert found.dims == ("y", "x", "channel")


def test_a_grid_that_does_not_fit_says_what_would(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((20, 7)))
    with pytest.raises(ReadError, match=r"no axis of 'a', of shape \(20, 7\), has 30 entries"):
        read_spectral_map(tmp_path / "a.npy", grid="5 x 6 row-major")
    with pytest.raises(SettingError, match='such as "95 x 80 column-major"'):
        read_spectral_map(tmp_path / "a.npy", grid="4 x 5")
    np.save(tmp_path / "b.npy", np.zeros((20, 20)))
    with pytest.raises(ReadError, match=r"both axes .* have 20 entries: which counts the pixels"):
        read_spectral_map(tmp_path / "b.npy", grid="4 x 5 row-major")
