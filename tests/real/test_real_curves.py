"""Force curves of instruments, against the catalogue and against physics."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adatom.io import read_contents, read_force_curves, read_image
from adatom.plotting import plot
from adatom.schema import notes, pixel_size

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"
MAPS = SPECTRAL / "fd_jpk_maps"
READERS = SPECTRAL / "readers"
ASYLUM = READERS / "fmt-igor-fd_U3_3_p10004.ibw"
SAPPHIRE = READERS / "BrukerReader_ForceCurve_Sapphire_TAP525.001"
WORKSHOP = MAPS / "fmt-afm-workshop-fd_mapping_16_2018-08-01_13.07.zip"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

Array = np.ndarray[Any, Any]

# Number of curves, and fewest and most samples of both segments, as the catalogue says.
JPK = [
    (MAPS / "fmt-jpk-fd_map1d_2016-11-07.jpk-force-map", 8, 10006, 10714),
    (MAPS / "fmt-jpk-fd_map2x2_extracted.jpk-force-map", 4, 3226, 24060),
    (MAPS / "fmt-jpk-fd_map-data-reference-points.jpk-force-map", 3, 14000, 14000),
    (MAPS / "fmt-jpk-fd_map_bad_2013-05-27_1.jpk-force-map", 1, 24060, 24060),
    (MAPS / "fmt-jpk-fd_map_bad_2013-05-27_2.jpk-force-map", 1, 24060, 24060),
    (MAPS / "fmt-jpk-fd_2020.02.07-16.29.05.036.jpk-qi-data", 4, 597, 600),
    (MAPS / "fmt-jpk-fd_qi-data-2021.04.13.jpk-qi-series", 1, 2000, 2000),
    (READERS / "force-save-example.jpk-force", 1, 8400, 8400),
]


@pytest.mark.parametrize("known", JPK, ids=lambda known: known[0].name)
def test_jpk_has_the_curves_of_the_catalogue(known: tuple[Path, int, int, int]) -> None:
    path, n_curves, fewest, most = known
    curves = read_force_curves(path)
    assert curves.sizes["site"] == n_curves
    assert curves.segment.values.tolist() == ["approach", "retract"]
    totals = curves.n_samples.sum("segment").values
    assert (totals.min(), totals.max()) == (fewest, most)
    measured = np.isfinite(curves.force.values).sum(axis=2)
    np.testing.assert_array_equal(measured, curves.n_samples.values)
    assert 0.0109 < curves.attrs["spring_constant"] < 35.1
    assert plot(curves).axes


# The curves that their file name calls bad only slide along the noise.
GOOD = [known for known in JPK if "bad" not in known[0].name]


@pytest.mark.parametrize("known", GOOD, ids=lambda known: known[0].name)
def test_force_rises_towards_the_sample(known: tuple[Path, int, int, int]) -> None:
    curves = read_force_curves(known[0])
    approach = curves.isel(segment=0)
    _require_contact(approach.force.values, approach.height.values, approach.n_samples.values)


def _require_contact(force: Array, height: Array, lengths: Array) -> None:
    """Require that the tip goes down, and that the force at the end is beyond the noise."""
    for one, z, length in zip(force, height, lengths, strict=True):
        n = int(length)
        assert z[0] - z[n - 1] > 0.9 * np.ptp(z[:n])
        away = one[: n // 3]
        assert one[n - 5 : n].mean() - away.mean() > 4 * away.std()


def test_positions_of_jpk_lie_on_the_grid_of_the_header() -> None:
    """Curves 109, 129 and 416 of a snake of 25 x 25 over 0.5 mm."""
    curves = read_force_curves(MAPS / "fmt-jpk-fd_map-data-reference-points.jpk-force-map")
    center_x, center_y, width = -1.1597656250e3, -1.6140625e3, 500.0
    for number, at in enumerate((109, 129, 416)):
        row, column = divmod(at, 25)
        column = column if row % 2 == 0 else 24 - column
        x = center_x - width / 2 + (column + 0.5) * width / 25
        y = center_y - width / 2 + (row + 0.5) * width / 25
        assert curves.x.values[number] / 1e3 == pytest.approx(x)
        assert curves.y.values[number] / 1e3 == pytest.approx(-y)
    assert "the file holds 3 curves of a grid of 25 x 25" in notes(curves)


def test_numbers_of_jpk_are_those_of_the_archive() -> None:
    """Decode one segment by hand: the factors stand in the shared header."""
    path = READERS / "force-save-example.jpk-force"
    with zipfile.ZipFile(path) as archive:
        stored = archive.read("segments/1/channels/vDeflection.dat")
    counts = np.array(struct.unpack(f">{len(stored) // 4}i", stored), float)
    volts = counts * 5.547880093333494e-9 - 5.308620175410492e-4
    newtons = volts * 9.120708714532604e-8 * 0.02230065831827453
    curves = read_force_curves(path)
    np.testing.assert_allclose(curves.force.values[0, 1, :2400], newtons * 1e9, rtol=1e-12)


def test_asylum_turns_where_its_note_says() -> None:
    curves = read_force_curves(ASYLUM)
    assert curves.n_samples.values.sum() == 10097
    assert curves.n_samples.values.tolist() == [[5058, 5039]]
    assert curves.attrs["spring_constant"] == pytest.approx(0.31451)
    approach, retract = curves.isel(segment=0), curves.isel(segment=1)
    _require_contact(approach.force.values, approach.height.values, approach.n_samples.values)
    # The trigger was set to 180 nN; adhesion pulls back on the way out.
    assert np.nanmax(retract.force.values) == pytest.approx(180, abs=5)
    assert np.nanmin(retract.force.values) < -20


def test_sapphire_meets_the_tip_at_the_trigger() -> None:
    curves = read_force_curves(SAPPHIRE)
    assert curves.n_samples.values.tolist() == [[512, 512]]
    approach = curves.isel(segment=0)
    _require_contact(approach.force.values, approach.height.values, approach.n_samples.values)
    # The relative trigger stood at 0.2061 V of 72.77 nm/V; the ramp at 16.72 V of 35.88 nm/V.
    rise = approach.deflection.values[0, -1] - np.median(approach.deflection.values[0, :300])
    assert rise == pytest.approx(0.2061311 * 72.76923, rel=0.05)
    assert np.ptp(approach.height.values[0]) == pytest.approx(16.72241 * 35.88, rel=0.02)
    assert curves.attrs["spring_constant"] == 90


def test_the_workshop_map_is_complete_and_has_no_force() -> None:
    curves = read_force_curves(WORKSHOP)
    assert curves.n_samples.sum("segment").values.tolist() == [782] * 16
    assert "force" not in curves
    assert curves.deflection.attrs["units"] == "V"
    grid = {(round(y), round(x)) for y, x in zip(curves.y.values, curves.x.values, strict=True)}
    assert len({y for y, _ in grid}) == len({x for _, x in grid}) == 4
    assert len(grid) == 16
    bend = curves.deflection.values[:, 0]
    assert (bend[:, -1] - bend[:, 0] > 0.3).all()


def test_the_image_in_a_map_shows_the_heights_of_its_curves(tmp_path: Path) -> None:
    """The first eight of 25 x 25 curves were recorded, from the lowest row on."""
    path = MAPS / "fmt-jpk-fd_map1d_2016-11-07.jpk-force-map"
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "map.jpk").write_bytes(archive.read("data-image.force"))
    assert read_contents(tmp_path / "map.jpk").attrs["format"] == "JPK image"
    image = read_image(tmp_path / "map.jpk")
    assert pixel_size(image) == pytest.approx((12000, 12000))
    measured = np.argwhere(np.isfinite(image.values)).tolist()
    assert measured == [[24, column] for column in range(8)]
    curves = read_force_curves(path)
    lowest = curves.height.min(["segment", "sample"]).values
    # Within what the tip is pressed in, less than half a micrometer.
    np.testing.assert_allclose(image.values[24, :8], lowest, atol=400)
