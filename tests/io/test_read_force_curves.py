"""Force curves of JPK, AFMWorkshop, Asylum and NanoScope, on files of known truth."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from written_curves import (
    DEFLECTION_V,
    FORCE_NN,
    HEIGHT_NM,
    SENSITIVITY_NM,
    jpk_shared_settings,
    workshop_text,
    write_igor_force,
    write_jpk,
    write_jpk_image,
    write_nanoscope_force,
    write_workshop,
)

from adatom.errors import ReadError
from adatom.io import read_contents, read_data, read_force_curves, read_image
from adatom.schema import FORCE_CURVES, notes, pixel_size


def _require_truth(curves: xr.Dataset, channel: str, truth: tuple[np.ndarray, ...]) -> None:
    """Compare the first curve with what was written, NaN beyond its end included."""
    for segment, expected in enumerate(truth):
        samples = curves[channel].values[0, segment]
        np.testing.assert_allclose(samples[: len(expected)], expected, atol=1e-6)
        assert np.isnan(samples[len(expected) :]).all()


def test_jpk_numbers_pass_through_all_calibrations(tmp_path: Path) -> None:
    curves = read_force_curves(write_jpk(tmp_path))
    FORCE_CURVES.check(curves)
    assert dict(curves.sizes) == {"site": 3, "segment": 2, "sample": 6}
    assert curves.segment.values.tolist() == ["approach", "retract"]
    assert curves.n_samples.values.tolist() == [[6, 4]] * 3
    assert {name: curves[name].attrs["units"] for name in curves} == {
        "force": "nN", "deflection": "nm", "height": "nm", "time": "s",
    }  # fmt: skip
    _require_truth(curves, "force", FORCE_NN)
    _require_truth(curves, "deflection", tuple(v * SENSITIVITY_NM for v in DEFLECTION_V))
    _require_truth(curves, "height", HEIGHT_NM)
    _require_truth(curves, "time", (np.arange(6) * 0.1, 0.6 + np.arange(4) * 0.15))
    np.testing.assert_allclose(curves.force.values[2, 0, :6], 3 * FORCE_NN[0], atol=1e-6)
    assert curves.attrs["spring_constant"] == pytest.approx(0.2)
    assert curves.attrs["deflection_sensitivity"] == pytest.approx(50.0)
    assert curves.attrs["date"] == "2020-01-02T03:04:05+01:00"
    assert curves.attrs["grid_shape"] == [2, 2]
    assert "the file holds 3 curves of a grid of 2 x 2" in notes(curves)
    json.dumps(curves.attrs)


def test_positions_of_jpk_point_down(tmp_path: Path) -> None:
    curves = read_force_curves(write_jpk(tmp_path))
    np.testing.assert_allclose(curves.x.values, [0, 1000, 0])
    np.testing.assert_allclose(curves.y.values, [0, 0, -2000])
    assert curves.y.attrs["units"] == curves.x.attrs["units"] == "nm"
    assert any("points down" in note for note in notes(curves))


def test_a_curve_that_was_broken_off_keeps_its_own_length(tmp_path: Path) -> None:
    curves = read_force_curves(write_jpk(tmp_path, broken_off=3))
    assert curves.n_samples.values.tolist() == [[6, 4], [6, 4], [6, 1]]
    assert np.isfinite(curves.force.values[2, 1]).tolist() == [True] + [False] * 5


def test_force_curves_stay_in_the_file_and_can_be_sent_elsewhere(tmp_path: Path) -> None:
    path = write_jpk(tmp_path)
    curves = read_force_curves(path)
    assert curves.force.chunks is not None
    sent = pickle.loads(pickle.dumps(curves))
    np.testing.assert_array_equal(sent.force.values, curves.force.values)
    path.unlink()
    with pytest.raises(ReadError, match=r"FileNotFoundError"):
        curves.force.values  # noqa: B018 -- reads


def test_without_a_spring_constant_there_is_no_force(tmp_path: Path) -> None:
    shared = jpk_shared_settings().replace("=distance force", "=distance")
    curves = read_force_curves(write_jpk(tmp_path, shared=shared))
    assert "force" not in curves
    assert any("no spring constant" in note for note in notes(curves))
    _require_truth(curves, "deflection", tuple(v * SENSITIVITY_NM for v in DEFLECTION_V))


def test_without_any_calibration_the_deflection_is_in_volts(tmp_path: Path) -> None:
    shared = jpk_shared_settings().replace("conversions.list=distance force", "conversions.list=")
    curves = read_force_curves(write_jpk(tmp_path, shared=shared))
    assert curves.deflection.attrs["units"] == "V"
    _require_truth(curves, "deflection", DEFLECTION_V)


def test_an_unknown_way_to_store_numbers_is_refused(tmp_path: Path) -> None:
    shared = jpk_shared_settings().replace("encoder.type=signedshort", "encoder.type=logarithm")
    with pytest.raises(ReadError, match=r"'vDeflection' is stored as 'logarithm'"):
        read_force_curves(write_jpk(tmp_path, shared=shared))


def test_samples_that_end_within_a_number_are_refused(tmp_path: Path) -> None:
    path = write_jpk(tmp_path, n_curves=1)
    other = tmp_path / "cut.jpk-force-map"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as cut:
        for name in archive.namelist():
            stored = archive.read(name)
            cut.writestr(name, stored[:-1] if name.endswith("0/channels/height.dat") else stored)
    with pytest.raises(ReadError, match=r"height\.dat ends within a number"):
        read_force_curves(other).compute()


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = write_jpk(tmp_path, n_curves=1)
    stored = path.read_bytes()
    # The declared size of the first member of samples, in the table of contents.
    at = stored.rindex(b"index/0/segments/0/channels/vDeflection.dat") - 46 + 24
    path.write_bytes(stored[:at] + (2**31).to_bytes(4, "little") + stored[at + 4 :])
    with pytest.raises(ReadError, match=r"vDeflection\.dat' cannot be 2147483648 bytes long"):
        read_force_curves(path)


def test_what_is_in_a_map_is_told_without_reading_it(tmp_path: Path) -> None:
    table = read_contents(write_jpk(tmp_path))
    assert table["kind"].item() == "force curves"
    assert table["shape"].item() == "3 x 2 segments of 4 to 6"
    assert table["axes"].item() == "force, deflection, height, time"


def test_afmworkshop_gives_deflection_only_where_nothing_is_calibrated(tmp_path: Path) -> None:
    curves = read_force_curves(write_workshop(tmp_path))
    assert dict(curves.sizes) == {"site": 11, "segment": 2, "sample": 6}
    assert set(curves) == {"height", "deflection"}
    assert curves.deflection.attrs["units"] == "V"
    np.testing.assert_allclose(curves.deflection.values[3, 0], DEFLECTION_V[0])
    np.testing.assert_allclose(curves.height.values[3], [HEIGHT_NM[0], 500 - HEIGHT_NM[0]])
    np.testing.assert_allclose(curves.x.values, 1e3 * (np.arange(11) + 0.5))
    np.testing.assert_allclose(curves.y.values, 1e3 * (2 * np.arange(11) + 0.5))
    assert curves.attrs["date"] == "2018-08-01T13:07:05"
    assert "no spring constant or sensitivity in the file: deflection in V, no force" in notes(
        curves
    )


def test_afmworkshop_gives_force_where_gain_and_constant_are_set(tmp_path: Path) -> None:
    gain = "Light Lever Gain, mV/nm:\t20\r\nForce Constant, nN/nm:\t0.2"
    (tmp_path / "one.csv").write_text(workshop_text(1, calibration=gain), newline="")
    curves = read_force_curves(tmp_path / "one.csv")
    # 20 mV/nm are 50 nm/V.
    np.testing.assert_allclose(curves.force.values[0, 0], FORCE_NN[0])
    assert curves.attrs["spring_constant"] == pytest.approx(0.2)


def test_a_gain_of_one_is_no_calibration(tmp_path: Path) -> None:
    gain = "Light Lever Gain, mV/nm:\t1\r\nForce Constant, nN/nm:\t1"
    (tmp_path / "one.csv").write_text(workshop_text(1, calibration=gain), newline="")
    assert "force" not in read_force_curves(tmp_path / "one.csv")


def test_asylum_is_cut_where_its_note_says(tmp_path: Path) -> None:
    curves = read_force_curves(write_igor_force(tmp_path))
    assert curves.n_samples.values.tolist() == [[6, 4]]
    assert curves.segment.values.tolist() == ["approach", "retract"]
    _require_truth(curves, "force", FORCE_NN)
    _require_truth(curves, "height_piezo", HEIGHT_NM)
    _require_truth(curves, "height", tuple(z / 2 for z in HEIGHT_NM))
    _require_truth(curves, "time", (np.arange(6) * 0.01, 0.06 + np.arange(4) * 0.01))
    assert curves.attrs["date"] == "2018-05-01T18:18:49"


def test_asylum_without_indexes_is_one_segment(tmp_path: Path) -> None:
    curves = read_force_curves(write_igor_force(tmp_path, note="Version:15\rInvOLS: 5e-08\r"))
    assert curves.segment.values.tolist() == ["segment"]
    assert curves.n_samples.values.tolist() == [[10]]
    assert "force" not in curves


def test_a_wave_that_promises_more_than_the_file_holds_is_refused(tmp_path: Path) -> None:
    path = write_igor_force(tmp_path)
    stored = bytearray(path.read_bytes())
    stored[132:136] = (10**9).to_bytes(4, "little")
    path.write_bytes(stored)
    with pytest.raises(ReadError, match=r"promises an array of shape \(1000000000, 3\)"):
        read_force_curves(path)


def test_nanoscope_turns_the_approach_around_and_negates_the_sensor(tmp_path: Path) -> None:
    curves = read_force_curves(write_nanoscope_force(tmp_path))
    _require_truth(curves, "deflection", tuple(v * SENSITIVITY_NM for v in DEFLECTION_V))
    _require_truth(curves, "force", FORCE_NN)
    _require_truth(curves, "height", HEIGHT_NM)
    assert curves.attrs["spring_constant"] == pytest.approx(0.2)
    assert curves.attrs["date"] == "2018-05-17T15:04:58"
    assert curves.attrs["instrument"] == "Dimension Icon"


def test_nanoscope_without_a_sensor_gives_the_ramp(tmp_path: Path) -> None:
    curves = read_force_curves(write_nanoscope_force(tmp_path, with_height=False))
    # A ramp of 5 V at 100 nm/V in 6 steps.
    np.testing.assert_allclose(curves.height.values[0, 0], np.arange(6)[::-1] * 500 / 6)
    assert any("made of the size of the ramp" in note for note in notes(curves))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"offset": 10**6}, "promises an array"),
        ({"counts": "3 3"}, "holds more than two segments"),
        ({"counts": "3 2"}, "its curves have '3 2' samples"),
        ({"counts": "none"}, "its curves have 'none' samples"),
    ],
)
def test_a_nanoscope_header_that_does_not_fit_is_refused(
    tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(ReadError, match=reason):
        read_force_curves(write_nanoscope_force(tmp_path, **settings))  # type: ignore[arg-type]


def test_read_data_takes_force_curves_for_what_they_are(tmp_path: Path) -> None:
    assert FORCE_CURVES.fits(read_data(write_igor_force(tmp_path)))


def test_images_of_jpk_have_their_lowest_row_first_in_the_file(tmp_path: Path) -> None:
    image = read_image(write_jpk_image(tmp_path))
    truth = 2.0 * np.arange(15).reshape(3, 5) + 10
    truth[0, 0] = np.nan
    np.testing.assert_allclose(image.values, truth[::-1])
    assert image.attrs["units"] == "nm"
    assert pixel_size(image) == pytest.approx((2000, 1000))
    assert image.attrs["date"] == "2020-01-02T03:04:05"
    assert "Height trace was read" in notes(image)[0]


def test_other_channels_of_a_jpk_image_have_their_own_scale(tmp_path: Path) -> None:
    image = read_image(write_jpk_image(tmp_path), dataset="Vertical Deflection trace")
    np.testing.assert_allclose(image.values[0], np.arange(10, 15) + 10.0)
    assert image.attrs["units"] == "nN"


def test_an_image_of_jpk_is_no_plain_tif(tmp_path: Path) -> None:
    table = read_contents(write_jpk_image(tmp_path))
    assert table.attrs["format"] == "JPK image"
    assert table["name"].values.tolist() == ["Vertical Deflection trace", "Height trace"]
