"""Mass spectra of imaging: one axis exactly where there is one, else bins as the user says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from written_sites import MASSES, PEAKS, write_continuous, write_imzml

from adatom.errors import ReadError, SettingError, UnitError
from adatom.io import read_contents, read_spectral_map, read_table
from adatom.io.companions import companion_files
from adatom.schema import notes


def test_spectra_on_one_axis_are_a_map_as_it_is(tmp_path: Path) -> None:
    found = read_spectral_map(write_continuous(tmp_path))
    assert found.dims == ("y", "x", "mass_to_charge")
    assert found.sizes == {"y": 2, "x": 3, "mass_to_charge": 3}
    assert found.mass_to_charge.values.tolist() == MASSES.tolist()
    assert found.mass_to_charge.units == "Da"
    assert (found.y.values[1], found.x.values[1], found.x.units) == (30000.0, 20000.0, "nm")
    assert found[0, 0].values.tolist() == [1, 2, 3]
    assert found[1, 0].values.tolist() == [11, 12, 13]
    assert found[0, 2].values.tolist() == [21, 22, 23]
    assert np.isnan(found[:, 1].values).all()
    assert "2 pixels were not measured: NaN" in notes(found)


def test_any_block_of_a_lazy_map_is_that_of_the_whole(tmp_path: Path) -> None:
    found = read_spectral_map(write_continuous(tmp_path))
    assert found.chunks is not None
    whole = found.values
    for index in (
        (0,),
        (1, 2),
        (slice(None), 0, 1),
        (slice(0, 1), slice(1, 3)),
        (..., slice(0, 2)),
    ):
        assert np.array_equal(found[index].values, whole[index], equal_nan=True)


def test_lists_of_peaks_need_a_tolerance(tmp_path: Path) -> None:
    path = write_imzml(tmp_path)
    with pytest.raises(ReadError, match=r'mass_tolerance="0\.1 Da"'):
        read_spectral_map(path)
    assert read_contents(path)["shape"].item() == "2 x 1 x 2 to 3 peaks"


def test_peaks_are_summed_in_bins_of_constant_width(tmp_path: Path) -> None:
    found = read_spectral_map(write_imzml(tmp_path), mass_tolerance="0.1 Da")
    # From 100.0 to 300.0 in steps of 0.1.
    assert found.sizes == {"y": 2, "x": 1, "mass_to_charge": 2001}
    first, second = found.values[:, 0]
    assert found.mass_to_charge.values[np.flatnonzero(first)] == pytest.approx([100.0, 200.0])
    assert first[first > 0].tolist() == [1.0, 2.0]
    assert found.mass_to_charge.values[np.flatnonzero(second)] == pytest.approx([100.0, 300.0])
    assert second[second > 0].tolist() == [3.0, 9.0]
    assert any("summed in bins of 0.1 Da" in note for note in notes(found))


def test_bins_may_be_relative_to_the_mass(tmp_path: Path) -> None:
    found = read_spectral_map(write_imzml(tmp_path), mass_tolerance="50 ppm")
    axis = found.mass_to_charge.values
    assert np.diff(axis) / axis[:-1] == pytest.approx(5e-5, rel=1e-6)
    # 100.00 and 100.01 are 100 ppm apart, 300.00 and 300.04 are 133 ppm apart.
    assert (found.values > 0).sum() == 5
    assert found.values.sum() == 15.0


@pytest.mark.parametrize("text", ["0.1", "0 Da", "5 nm", "-1 ppm", "ten ppm"])
def test_a_tolerance_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnitError, match=r'write "0\.1 Da" or "10 ppm"'):
        read_spectral_map(write_imzml(tmp_path), mass_tolerance=text)


def test_spectra_on_one_axis_of_mass_keep_it_and_say_so(tmp_path: Path) -> None:
    found = read_spectral_map(write_continuous(tmp_path), mass_tolerance="0.1 Da")
    kept = read_spectral_map(write_continuous(tmp_path))
    assert np.array_equal(found.mass_to_charge, kept.mass_to_charge)
    assert any("mass_tolerance was not needed" in note for note in found.attrs["notes"])


def test_a_tolerance_is_refused_where_it_has_no_meaning(tmp_path: Path) -> None:
    np.save(tmp_path / "map.npy", np.zeros((3, 4, 50)))
    with pytest.raises(SettingError, match="no axis of mass"):
        read_spectral_map(tmp_path / "map.npy", mass_tolerance="0.1 Da")


def test_every_peak_is_a_row_of_the_table(tmp_path: Path) -> None:
    table = read_table(write_imzml(tmp_path))
    assert table["mass_to_charge"].values.tolist() == [m for masses, _ in PEAKS for m in masses]
    assert table["intensity"].values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert table["pixel_row"].values.tolist() == [0, 0, 1, 1, 1]
    assert table["pixel_column"].values.tolist() == [0] * 5


def test_either_file_of_the_pair_opens_both(tmp_path: Path) -> None:
    path = write_continuous(tmp_path)
    one, other = read_spectral_map(path), read_spectral_map(path.with_suffix(".ibd"))
    assert np.array_equal(one.values, other.values, equal_nan=True)
    pair = [path.with_suffix(".ibd"), path]
    assert companion_files(path) == companion_files(path.with_suffix(".ibd")) == sorted(pair)


def test_a_missing_half_is_named(tmp_path: Path) -> None:
    path = write_continuous(tmp_path)
    path.with_suffix(".ibd").unlink()
    with pytest.raises(ReadError, match=r"the \.ibd file that belongs to it is not beside it"):
        read_spectral_map(path)


def test_numbers_of_another_measurement_are_refused(tmp_path: Path) -> None:
    path = write_continuous(tmp_path)
    numbers = path.with_suffix(".ibd")
    numbers.write_bytes(b"\1" * 16 + numbers.read_bytes()[16:])
    with pytest.raises(ReadError, match="of another measurement"):
        read_spectral_map(path)


def test_arrays_beyond_the_end_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = write_continuous(tmp_path)
    numbers = path.with_suffix(".ibd")
    numbers.write_bytes(numbers.read_bytes()[:-4])
    with pytest.raises(ReadError, match="beyond the"):
        read_spectral_map(path)


def test_a_pixel_measured_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="of the same pixel"):
        read_spectral_map(write_imzml(tmp_path, [(1, 1), (1, 1)]), mass_tolerance="1 Da")
