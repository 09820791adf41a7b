"""Files of scanning probes, against their own bytes and what the catalogue says of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from adatom.io import read_contents, read_image, read_movie, read_spectra, read_spectral_map
from adatom.schema import notes

DATA = Path(os.environ.get("ADATOM_DATA", ""))
ASD = DATA / "imaging/hsafm_playnano/asd_sample_0.asd"
SXM = DATA / "imaging/stm_sxm_pynxtools/STM_nanonis_generic_4_5.sxm"
UPWARDS = DATA / "imaging/stm_afm_spmimages/demo/Image_445.sxm"
WIDE = DATA / "imaging/stm_afm_spmimages/test/01581.sxm"
MOLECULE = DATA / "spectral/readers/Au_mica_2023_Y_A_diPAMY_195.sxm"
GRID = DATA / "spectral/sts_grid_nanonis/NanonisReader_STS_grid_lockin.3ds"
POINT = DATA / "spectral/readers/NanonisReader_BiasSpectroscopy.dat"
ARCHIVE = DATA / "spectral/omicron_stm/OmicronPerseiReader.zip"
TOP = DATA / "imaging/afm_afmreader/sample_1_um_scale.top"
PTO = DATA / "imaging/formats/ibw/PTO_LAST0003.ibw"
STACK = DATA / "spectral/readers/IgorIBWReader_ImageStack_BTFO_DSO.ibw"
PFM = DATA / "imaging/formats/pycroscopy/data/SingFreqPFM_0003.gwy"
CHIP = DATA / "spectral/readers/GwiddionReader_chip.gwy"
AXZ = DATA / "spectral/nanoir_anasys/PEA_BDA_film.axz"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _last(path: Path, dtype: str, count: int, before_end: int = 0) -> np.ndarray[Any, Any]:
    """Read numbers that end so many bytes before the end of a file."""
    size = count * np.dtype(dtype).itemsize
    return np.fromfile(path, dtype, count, offset=path.stat().st_size - before_end - size)


def _pixel(data: Any) -> float:
    assert float(data.y[1]) == pytest.approx(float(data.x[1]))
    return float(data.x[1])


def _told(text: str, data: Any) -> bool:
    return any(text in note for note in notes(data))


def test_a_movie_of_high_speed_afm_has_the_catalogue_s_layout() -> None:
    found = read_movie(ASD)
    assert found.shape == (32, 200, 200)
    assert _pixel(found) == 0.5
    np.testing.assert_array_equal(found.time.values, np.arange(32.0))
    # Catalogue: 174 bytes, then 32 bytes before each frame of int16.
    counts = np.fromfile(ASD, np.uint8)[174:].reshape(32, 32 + 80_000)[:, 32:].copy().view("<i2")
    counts = counts.reshape(32, 200, 200)
    # 12.48 nm/V, gain 2, 9.99 V in 12 bits.
    np.testing.assert_allclose(found.values, -counts * 9.99 / 4096 * 12.48 * 2, rtol=1e-6)
    assert (counts[28] == 4095).all()


def test_a_topograph_of_stm_is_as_in_its_file() -> None:
    found = read_image(SXM)
    # Four blocks: Z and Current, each there and back.
    stored = _last(SXM, ">f4", 4 * 65536).reshape(4, 256, 256)
    np.testing.assert_allclose(found.values, stored[0] * 1e9, rtol=1e-5)
    assert _pixel(found) == pytest.approx(4 / 256)
    assert found.attrs["bias"] == 0.05
    assert _told("Z forward was read, as the topography", found)


@pytest.mark.parametrize(
    ("path", "shape", "size", "channel"),
    [
        (UPWARDS, (192, 96), (4, 2), "Frequency_Shift forward"),
        (WIDE, (80, 160), (2.3, 4.6), "Frequency_Shift forward"),
        (MOLECULE, (256, 256), (4, 4), "Current forward"),
    ],
)
def test_at_constant_height_what_shows_the_sample_is_read(
    path: Path, shape: tuple[int, int], size: tuple[float, float], channel: str
) -> None:
    found = read_image(path)
    assert found.shape == shape
    steps = [float(found[name][1]) for name in ("y", "x")]
    np.testing.assert_allclose(np.multiply(steps, shape), size)
    assert found.attrs["channel"] == channel
    assert _told("as Z is constant", found)
    flat = read_image(path, dataset="Z forward")
    assert np.ptp(flat.values) == 0


@pytest.mark.parametrize("path", [SXM, UPWARDS, WIDE, MOLECULE])
def test_ways_there_and_back_show_the_same(path: Path) -> None:
    there = read_image(path)
    name = there.attrs["channel"].replace("forward", "backward")
    back = read_image(path, dataset=name).values.astype(float)

    def likeness(one: Any) -> float:
        return float(np.corrcoef(there.values.ravel().astype(float), one.ravel())[0, 1])

    # Mirrored they are less alike by 0.16 to 0.52.
    assert likeness(back) > likeness(back[:, ::-1]) + 0.1


def test_a_scan_upwards_is_turned_over() -> None:
    stored = _last(UPWARDS, ">f4", 18 * 192 * 96).reshape(18, 192, 96)
    found = read_image(UPWARDS)
    # Frequency_Shift is the eighth of nine channels.
    np.testing.assert_array_equal(found.values, stored[14, ::-1])
    assert found.attrs["scan_angle"] == 59


def test_a_grid_of_spectra_has_its_sweep_and_its_saturated_samples() -> None:
    found = read_spectral_map(GRID, dataset="LockinX")
    assert found.shape == (30, 30, 200)
    assert (float(found.bias[0]), float(found.bias[-1])) == pytest.approx((-0.22, 0.22))
    assert _pixel(found) == pytest.approx(5 / 30)
    assert int((found.values >= 10).sum()) == 49
    assert _told("49 samples of LockinX are at 10 V", found)
    assert _told("the channel Bias_m is not it", found)
    stored = _last(GRID, ">f4", 900 * 810).reshape(30, 30, 810)[::-1, :, 10 + 200 : 10 + 400]
    np.testing.assert_array_equal(found.values, stored)


def test_places_in_a_grid_are_those_of_its_parameters() -> None:
    x, y = (read_image(GRID, dataset=name).values.astype(float) for name in "XY")
    # Turned clockwise by 45 deg, Y up: to the right both fall or rise alike.
    right = np.array([x[0, -1] - x[0, 0], y[0, -1] - y[0, 0]])
    down = np.array([x[-1, 0] - x[0, 0], y[-1, 0] - y[0, 0]])
    step = 29 / 30 * 5 / np.sqrt(2)
    np.testing.assert_allclose(right, [step, -step], rtol=1e-3)
    np.testing.assert_allclose(down, [-step, -step], rtol=1e-3)


def test_a_bias_spectrum_has_its_columns_and_its_place() -> None:
    found = read_spectra(POINT)
    table = [line.split() for line in POINT.read_text().partition("[DATA]")[2].splitlines()[2:]]
    column = [float(row[1]) for row in table]
    assert found.shape == (1, 256)
    np.testing.assert_allclose(found.values[0], np.multiply(column, 1e9))
    assert (float(found.x[0]), float(found.y[0])) == pytest.approx((1101.23, -1897.24))
    # The bias and 24 columns.
    assert read_contents(POINT).sizes["row"] == 24


def test_an_archive_of_spectra_is_parted_by_sweeps() -> None:
    found = read_spectra(ARCHIVE)
    assert found.shape == (6, 500)
    assert found.dims == ("site", "distance")
    assert (float(found.distance[0]), float(found.distance[-1])) == pytest.approx((-0.6, 5))
    assert _told("11 measurements without a value were left out", found)
    assert _told("of 6 of 53 measurements was read", found)
    np.testing.assert_allclose(sorted(set(found.x.values.round(2))), [-1154.27, -1132.05, -851.97])


def test_heights_of_wsxm_span_the_amplitude() -> None:
    found = read_image(TOP)
    assert _pixel(found) == pytest.approx(2000 / 512)
    assert np.ptp(found.values) == pytest.approx(4.53125)
    counts = _last(TOP, "<i2", 512 * 512).reshape(512, 512)
    # The header says -2848 to -2616.
    assert (counts.min(), counts.max()) == (-2848, -2616)
    np.testing.assert_allclose(found.values, counts[::-1, ::-1] * (4.53125 / 232))


@pytest.mark.parametrize(
    ("path", "layers"),
    [
        (PTO, ("Height", "Amplitude", "Deflection", "Phase", "UserIn2")),
        (STACK, ("Height", "Amplitude", "Deflection", "Phase")),
    ],
)
def test_layers_of_asylum_are_images(path: Path, layers: tuple[str, ...]) -> None:
    count = len(layers)
    stored = np.fromfile(path, "<f4", count * 65536, offset=384).reshape(count, 256, 256)
    assert read_contents(path).name.values.tolist() == [f"{name}Retrace" for name in layers]
    phase = read_image(path, dataset="PhaseRetrace")
    np.testing.assert_array_equal(phase.values, stored[3, ::-1])
    assert phase.attrs["units"] == "deg"
    height = read_image(path)
    np.testing.assert_allclose(height.values, stored[0, ::-1] * 1e9, rtol=1e-5)
    # 2 micron from the first to the last pixel, as Asylum counts.
    assert float(height.x[-1]) == pytest.approx(2000)


def test_fields_of_gwyddion_have_titles_and_units() -> None:
    names = ["HeightRetrace", "AmplitudeRetrace", "DeflectionRetrace", "PhaseRetrace"]
    assert read_contents(PFM).name.values.tolist() == names
    found = read_image(PFM)
    assert found.shape == (128, 128)
    assert _pixel(found) == pytest.approx(5039.370 / 128)
    # The only array of so many numbers behind the first "data".
    content = PFM.read_bytes()
    at = content.index(b"data\0D\x00\x40\x00\x00") + 10
    stored = np.frombuffer(content, "<f8", 128 * 128, at).reshape(128, 128)
    np.testing.assert_allclose(found.values, stored * 1e9)


def test_a_file_of_the_old_gwyddion_is_in_base_units() -> None:
    found = read_image(CHIP)
    assert found.shape == (300, 300)
    # 80 micron wide; heights of some micron, not picometers.
    assert float(found.x[1]) * 300 == pytest.approx(80_000, rel=1e-3)
    assert 1000 < np.ptp(found.values) < 10_000
    assert _told("the file says 'nm' of values that Gwyddion keeps in 'm'", found)


def test_infrared_spectra_lie_on_one_axis() -> None:
    found = read_spectra(AXZ, dataset="IR-Amplitude")
    assert found.shape == (5, 646)
    np.testing.assert_allclose(found.wavenumber.values, np.arange(1000, 3581, 4))
    # Spectra 3 and 4 end at 2000 1/cm, 1 and 2 begin at 2200.
    assert np.isfinite(found.values[2:4, :251]).all()
    assert np.isnan(found.values[2:4, 251:]).all()
    assert np.isnan(found.values[:2, :300]).all()
    np.testing.assert_allclose(found.x.values, [6382, 6424, 6424, 6424, 8195])
    np.testing.assert_allclose(found.y.values, [7822, 7780, 7780, 7780, 10678])


def test_a_closer_look_lies_where_its_position_says() -> None:
    wide, close = read_image(AXZ), read_image(AXZ, dataset="Height 2")
    assert (wide.attrs["units"], close.attrs["units"]) == ("nm", "nm")
    assert (_pixel(wide), _pixel(close)) == pytest.approx((20_000 / 128, 5000 / 128))
    # Both are turned by -90 deg, so that x runs to where the instrument's Y is lower.
    down = wide.attrs["center_y"] - close.attrs["center_y"]
    part = ndimage.zoom(ndimage.gaussian_filter(close.values.astype(float), 2), 0.25, order=1)
    part -= part.mean()
    clean = ndimage.median_filter(wide.values.astype(float), 3)
    likeness = ndimage.correlate(clean, part) / np.sqrt(
        ndimage.uniform_filter((clean - ndimage.uniform_filter(clean, 32)) ** 2, 32)
    )
    _, column = np.unravel_index(likeness.argmax(), likeness.shape)
    # 7.3 micron to the right of the middle, within a micron of drift.
    assert (column - 63.5) * 0.15625 == pytest.approx(down, abs=1)
