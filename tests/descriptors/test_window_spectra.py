"""Windows cover the whole image, and their magnitudes show its waves."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adatom.descriptors import window_grid, window_spectra
from adatom.descriptors import windows as module
from adatom.errors import SettingError
from adatom.schema import FEATURES, Features, image_from_array


def wave(
    shape: tuple[int, int], frequency: tuple[float, float], phase: float = 0.0
) -> NDArray[np.float64]:
    y, x = np.indices(shape)
    return np.asarray(np.cos(2 * np.pi * (frequency[0] * y + frequency[1] * x) + phase))


def strongest(spectra: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    top = spectra.values.argmax(axis=-1)
    return spectra["frequency_y"].values[top], spectra["frequency_x"].values[top]


def test_the_strongest_frequency_is_that_of_the_wave_in_cycles_per_unit() -> None:
    image = image_from_array(5 * wave((64, 80), (3 / 32, -5 / 32)) + 100, pixel_size="0.2 nm")
    spectra = window_spectra(image, size="6.4 nm")
    FEATURES.check(spectra)
    y, x = strongest(spectra)
    # The half plane with x >= 0 is kept.
    assert np.allclose(y, -3 / 6.4)
    assert np.allclose(x, 5 / 6.4)
    assert spectra["frequency_x"].attrs["units"] == "1/nm"
    assert spectra.values.max() == pytest.approx(5.0)


def test_magnitudes_do_not_depend_on_where_the_lattice_lies() -> None:
    spectra = [
        window_spectra(image_from_array(wave((32, 32), (1 / 8, 1 / 4), phase)), size="32 px")
        for phase in (0.0, 1.3)
    ]
    # What the Hann window leaks from the negative frequency is all that differs.
    assert np.abs(spectra[0] - spectra[1]).max() < 1e-6


def test_the_mean_leaves_no_trace_in_the_lowest_frequencies() -> None:
    flat = window_spectra(image_from_array(np.full((20, 20), 1e4)), size="10 px")
    assert np.abs(flat).max() < 1e-8


@pytest.mark.parametrize("shape", [(4, 4), (5, 7), (6, 5), (8, 8)])
def test_only_independent_frequencies_are_kept(shape: tuple[int, int]) -> None:
    half = module._half_plane(shape, (1.0, 1.0))
    kept = set(zip(half.frequency_y, half.frequency_x, strict=True))
    assert len(kept) == len(half.row)
    assert (0.0, 0.0) not in kept

    def mirror(y: float, x: float) -> tuple[float, float]:
        # -1/2 and 1/2 are one frequency.
        return (y if abs(y) == 0.5 else -y, x if abs(x) == 0.5 else -x)

    everything = {
        (float(y), float(x)) for y in np.fft.fftfreq(shape[0]) for x in np.fft.fftfreq(shape[1])
    }
    folded = {(y, abs(x) if abs(x) == 0.5 else x) for y, x in everything} - {(0.0, 0.0)}
    for y, x in folded:
        other = mirror(y, x)
        if other == (y, x):
            assert other in kept
        else:
            assert ((y, x) in kept) != (other in kept)
    # A real image of n pixels has n - 1 numbers beside its mean.
    own = sum(mirror(y, x) == (y, x) for y, x in kept)
    assert 2 * len(kept) - own == shape[0] * shape[1] - 1


@settings(max_examples=50, deadline=None)
@given(n=st.integers(8, 200), length=st.integers(4, 60), stride=st.integers(1, 60))
def test_windows_cover_every_pixel_and_end_at_the_edges(n: int, length: int, stride: int) -> None:
    length = min(length, n)
    stride = min(stride, length)
    grid = window_grid._grid(n, 1.0, (f"{length} px", f"{stride} px"), "px", "y", None)
    assert grid.starts[0] == 0
    assert grid.starts[-1] == n - length
    gaps = np.diff(grid.starts)
    assert (gaps >= 1).all()
    assert (gaps <= stride).all()
    assert gaps.size == 0 or np.ptp(gaps) <= 1


def test_coordinates_are_the_centers_of_windows() -> None:
    spectra = window_spectra(
        image_from_array(np.zeros((20, 11)), pixel_size="2 nm"), size="10 px", step="5 px"
    )
    assert spectra["y"].values.tolist() == [9.0, 19.0, 29.0]
    assert spectra["x"].values.tolist() == [9.0, 11.0]
    assert spectra["y"].attrs["units"] == "nm"


def test_pixels_that_are_not_square_give_their_own_frequencies() -> None:
    image = image_from_array(wave((60, 60), (1 / 10, 0)))
    image = image.assign_coords(y=("y", np.arange(60) * 0.5, {"units": "px"}))
    spectra = window_spectra(image, size="20 px")
    assert spectra.attrs["window_shape"] == [40, 20]
    y, x = strongest(spectra)
    assert np.allclose(y, 0.2)
    assert np.allclose(x, 0)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_grid, "_BLOCK_VALUES", 16 * 16 * 6)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("chunks", [(90, 70), (13, 70), (17, 9)])
def test_chunks_do_not_change_the_result(chunks: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=(90, 70)).astype(np.float32)
    image = image_from_array(values)
    lazy = image.chunk(dict(zip(("y", "x"), chunks, strict=True)))
    expected = window_spectra(image, size="16 px", step="5 px")
    found = window_spectra(lazy, size="16 px", step="5 px")
    assert isinstance(found.data, da.Array)
    assert found.data.npartitions > 10
    xr.testing.assert_identical(found.compute(), expected)


@pytest.mark.usefixtures("small_blocks")
def test_a_block_reads_only_what_lies_under_its_windows() -> None:
    read: list[tuple[int, int]] = []

    def pixels(block_info: dict[int, dict[str, list[tuple[int, int]]]]) -> NDArray[np.float32]:
        where = block_info[0]["array-location"]
        read.append((where[0][0], where[1][0]))
        return np.ones([stop - start for start, stop in where], dtype=np.float32)

    chunked = da.map_blocks(  # type: ignore[no-untyped-call]
        lambda block, block_info: pixels(block_info) * block,
        da.ones((128, 128), chunks=16, dtype=np.float32),
        dtype=np.float32,
    )
    spectra = window_spectra(image_from_array(chunked), size="16 px", step="16 px")
    read.clear()
    with dask.config.set(scheduler="synchronous"):
        spectra.isel(y=0, x=0).compute()
    # Six windows a block: of 64 chunks at most the 6 under the first block.
    assert set(read) == {(0, 16 * k) for k in range(6)}


def test_log1p_is_of_the_magnitude() -> None:
    image = image_from_array(100 * wave((32, 32), (1 / 8, 0)))
    plain, logged = (window_spectra(image, size="16 px", log1p=flag) for flag in (False, True))
    assert np.allclose(np.log1p(plain.values), logged.values)


def test_float32_stays_float32() -> None:
    image = image_from_array(np.zeros((20, 20), dtype=np.float32))
    assert window_spectra(image, size="10 px").dtype == np.float32


def test_windows_that_touch_what_was_not_measured_are_nan() -> None:
    values = wave((40, 40), (1 / 8, 0))
    values[3, 3] = np.nan
    spectra = window_spectra(image_from_array(values), size="10 px", step="10 px")
    missing = np.isnan(spectra.values).all(axis=2)
    assert np.isnan(spectra.values).any(axis=2).sum() == missing.sum() == 1
    assert missing[0, 0]


def test_sizes_that_do_not_fit_are_named() -> None:
    image = image_from_array(np.zeros((20, 30)), pixel_size="0.5 nm")
    with pytest.raises(
        SettingError, match="is 3 pixels along y: windows need 4 to 20, that is 2 to 10 nm"
    ):
        window_spectra(image, size="3 px")
    with pytest.raises(SettingError, match="is 24 pixels along y"):
        window_spectra(image, size="12 nm")
    with pytest.raises(SettingError, match="pixels between windows are lost"):
        window_spectra(image, size="8 px", step="9 px")
