"""Readers take a matrix that corrects positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.io import read_diffraction_map, read_image, read_movie, read_spectral_map

STRETCH = (1.1, 0.0, 0.0, 0.9)


def test_a_stretch_changes_the_pixels_of_every_kind_of_map(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 6)))
    np.save(tmp_path / "b.npy", np.zeros((3, 4, 6)))
    np.save(tmp_path / "c.npy", np.zeros((4, 6, 9)))
    for file, read in (("a", read_image), ("b", read_movie), ("c", read_spectral_map)):
        found = read(tmp_path / f"{file}.npy", pixel_size="0.5 nm", affine=STRETCH)
        assert found.y.values[1] == pytest.approx(0.55)
        assert found.x.values[1] == pytest.approx(0.45)
        assert found.attrs["affine"] == list(STRETCH)
        plain = read(tmp_path / f"{file}.npy", pixel_size="0.5 nm")
        assert "affine" not in plain.attrs
        assert plain.y.values[1] == 0.5


def test_a_wrong_matrix_is_a_wrong_setting_not_a_wrong_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 6)))
    with pytest.raises(SettingError, match="not four numbers"):
        read_image(tmp_path / "a.npy", affine=(1.0, 2.0))  # type: ignore[arg-type]


def test_diffraction_maps_are_corrected_where_they_were_scanned(tmp_path: Path) -> None:
    from written_files import WRITERS

    plain = read_diffraction_map(WRITERS["blo"](tmp_path))
    found = read_diffraction_map(WRITERS["blo"](tmp_path), affine=STRETCH)
    np.testing.assert_allclose(found.y.values, plain.y.values * 1.1)
    np.testing.assert_array_equal(found.k_y.values, plain.k_y.values)
