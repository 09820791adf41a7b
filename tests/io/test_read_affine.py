"""Positions are corrected by a matrix while reading: truth is what lies at true positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from adatom.errors import SettingError
from adatom.io import read_image
from adatom.io.affine import corrected
from adatom.localization import compare_sites, find_atoms, find_lattice_regions
from adatom.schema import IMAGE, extent, image_from_array, notes, positions, sites_from_positions
from adatom.simulation import Crystal, build_lattice, simulate_image

SHEAR = (0.96, 0.05, 0.02, 1.06)
STEP = 0.02


def scene(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a smooth pattern at true positions in nm; its shortest wave is 20 pixels long."""
    return np.asarray(np.cos(15 * x + 4 * y) + 0.5 * np.sin(11 * y) + 0.2 * x)


def scanned(affine: tuple[float, ...], shape: tuple[int, int] = (90, 120)) -> xr.DataArray:
    """Give the scene as a distorted scan shows it, pixel by pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]] * STEP
    yy, yx, xy, xx = affine
    return image_from_array(scene(yy * y + yx * x, xy * y + xx * x), pixel_size=f"{STEP} nm")


def at_true_positions(image: xr.DataArray) -> NDArray[np.float64]:
    """Give the scene at the pixels of a corrected image."""
    y0, x0 = image.attrs["affine_origin"]
    y, x = np.meshgrid(image.y.values - y0, image.x.values - x0, indexing="ij")
    return scene(y, x)


def test_a_diagonal_changes_pixel_sizes_and_no_value() -> None:
    image = image_from_array(np.arange(12, dtype=np.int16).reshape(3, 4), pixel_size="0.5 nm")
    result = corrected(image, (1.1, 0.0, 0.0, 0.9))
    assert result.dtype == np.int16
    np.testing.assert_array_equal(result.values, image.values)
    np.testing.assert_allclose(result.y, [0.0, 0.55, 1.1])
    np.testing.assert_allclose(result.x, [0.0, 0.45, 0.9, 1.35])
    assert result.attrs["affine"] == [1.1, 0.0, 0.0, 0.9]
    assert "changed the pixel size to 0.55 x 0.45 nm (y x x); no value" in notes(result)[-1]


def test_a_diagonal_works_where_an_axis_has_one_pixel() -> None:
    result = corrected(image_from_array([[1.0, 2.0]]), (2.0, 0.0, 0.0, 3.0))
    np.testing.assert_array_equal(result.x, [0.0, 3.0])


@pytest.mark.parametrize(
    "affine",
    [SHEAR, (1.0, 0.0, 0.15, 1.0), (0.9, -0.3, 0.3, 0.9)],
    ids=["stretch", "shear", "turn"],
)
def test_pixels_show_what_lies_at_their_true_positions(affine: tuple[float, ...]) -> None:
    result = corrected(scanned(affine), affine)  # type: ignore[arg-type]
    IMAGE.check(result)
    seen = np.isfinite(result.values)
    error = np.abs(result.values - at_true_positions(result))[seen]
    # Cubic splines on waves of 20 pixels; at the very edge they know one side only.
    assert np.median(error) < 5e-5
    assert error.max() < 0.01
    # All that was scanned is there: as large an area, in steps as large as the mean true ones.
    step = STEP * np.sqrt(affine[0] * affine[3] - affine[1] * affine[2])
    np.testing.assert_allclose(np.diff(result.x.values), step)
    np.testing.assert_allclose(np.diff(result.y.values), step)
    assert seen.sum() == pytest.approx(89 * 119, rel=0.02)


def test_the_frame_holds_every_corner_and_is_empty_beyond_the_image() -> None:
    result = corrected(scanned(SHEAR), SHEAR)
    y0, x0 = result.attrs["affine_origin"]
    y, x = np.meshgrid(result.y.values - y0, result.x.values - x0, indexing="ij")
    stated = np.linalg.solve(np.reshape(SHEAR, (2, 2)), np.stack([y.ravel(), x.ravel()]))
    last = np.array([89, 119]) * STEP
    within = ((stated >= -1e-9) & (stated <= last[:, None] + 1e-9)).all(axis=0)
    np.testing.assert_array_equal(np.isfinite(result.values).ravel(), within)
    ends = np.array([[0, 0], [0, last[1]], [last[0], 0], last]) @ np.reshape(SHEAR, (2, 2)).T
    ends += [y0, x0]
    assert ends.min() >= -1e-12
    # The frame ends less than a pixel beyond the outermost corner.
    over = np.array([result.y.values[-1], result.x.values[-1]]) - ends.max(axis=0)
    assert (over > -1e-9).all()
    assert (over < np.diff(result.x.values)[0]).all()


def test_a_quarter_turn_moves_pixels_exactly() -> None:
    values = np.random.default_rng(0).normal(size=(5, 8))
    # What was at (y, x) truly is at (-x, y): turned counterclockwise as seen with y down.
    result = corrected(image_from_array(values), (0.0, -1.0, 1.0, 0.0))
    np.testing.assert_allclose(result.values, np.rot90(values), atol=1e-10)


def test_integers_become_single_floats_and_a_note_says_so() -> None:
    image = image_from_array(np.full((20, 20), 7, np.uint16))
    result = corrected(image, SHEAR)
    assert result.dtype == np.float32
    assert np.nanmax(np.abs(result.values - 7)) < 1e-4
    assert "uint16 became float32" in notes(result)[-1]
    assert "beyond the image is NaN" in notes(result)[-1]
    assert corrected(image.astype(np.float32), SHEAR).dtype == np.float32
    assert corrected(image.astype(np.float64), SHEAR).dtype == np.float64


def test_what_was_not_measured_stays_unmeasured_and_harms_no_neighbor() -> None:
    image = scanned(SHEAR)
    image[40, 50] = np.nan
    result = corrected(image, SHEAR)
    whole = corrected(scanned(SHEAR), SHEAR)
    lost = np.isfinite(whole.values) & ~np.isfinite(result.values)
    assert 1 <= lost.sum() <= 6
    seen = np.isfinite(result.values)
    # The spline was given the mean in place of the hole; its ringing falls by 0.27 a pixel.
    assert np.abs(result.values - whole.values)[seen].max() < 0.5
    assert np.median(np.abs(result.values - whole.values)[seen]) < 1e-6


@pytest.mark.parametrize("frames_in_chunk", [1, 3, 5])
def test_movies_stay_lazy_and_chunks_change_nothing(frames_in_chunk: int) -> None:
    frames = np.random.default_rng(1).integers(0, 200, size=(5, 30, 40)).astype(np.uint8)
    place = {"units": "nm"}
    movie = xr.DataArray(
        da.from_array(frames, chunks=(frames_in_chunk, 17, 40)),  # type: ignore[no-untyped-call]
        dims=("frame", "y", "x"),
        coords={
            "frame": np.arange(5),
            "time": ("frame", np.arange(5) * 0.5, {"units": "s"}),
            "y": ("y", np.arange(30) * STEP, place),
            "x": ("x", np.arange(40) * STEP, place),
        },
        attrs={"units": "1"},
    )
    result = corrected(movie, SHEAR)
    assert isinstance(result.data, da.Array)
    np.testing.assert_array_equal(result["time"], movie["time"])
    for number in (0, 4):
        alone = corrected(image_from_array(frames[number], pixel_size=f"{STEP} nm"), SHEAR)
        np.testing.assert_array_equal(result[number].values, alone.values)
    np.testing.assert_array_equal(result.isel(frame=4).x, result.x)


def test_every_channel_of_a_map_is_corrected_alike() -> None:
    cube = np.random.default_rng(2).normal(size=(12, 15, 4)).astype(np.float32)
    spectra = xr.DataArray(
        da.from_array(cube, chunks=(5, 5, -1)),  # type: ignore[no-untyped-call]
        dims=("y", "x", "energy"),
        coords={
            "y": ("y", np.arange(12.0), {"units": "px"}),
            "x": ("x", np.arange(15.0), {"units": "px"}),
            "energy": ("energy", [1.0, 2.0, 3.0, 4.0], {"units": "eV"}),
        },
        attrs={"units": "1"},
    )
    result = corrected(spectra, SHEAR)
    assert result.dims == spectra.dims
    assert isinstance(result.data, da.Array)
    assert result.data.dtype == np.float32
    computed = result.compute()
    for channel in range(4):
        alone = corrected(image_from_array(cube[..., channel]), SHEAR)
        np.testing.assert_array_equal(computed[..., channel].values, alone.values)


def test_what_is_read_is_not_changed_and_nothing_happens_without_a_matrix() -> None:
    image = scanned(SHEAR)
    before = image.copy(deep=True)
    corrected(image, SHEAR)
    corrected(image, (2.0, 0.0, 0.0, 2.0))
    xr.testing.assert_identical(image, before)
    assert corrected(image, None) is image


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        ((1.0, 0.0, 1.0), r"is not four numbers yy, yx, xy, xx .* write \(1.02, 0.0, 0.0, 0.98\)"),
        (((1.0, 0.0), (0.0, 1.0)), "is not four numbers"),
        (("a", 0, 0, 1), "is not four numbers"),
        ((1.0, 0.0, 0.0, float("nan")), "is not four numbers"),
        ((1.0, 2.0, 0.5, 1.0), "singular or mirrors"),
        ((-1.0, 0.0, 0.0, 1.0), "singular or mirrors"),
        ((1000.0, 0.0, 0.1, 1.0), "stretches one direction 1e\\+03 times another"),
    ],
)
def test_what_is_no_matrix_of_a_scan_is_refused(affine: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        corrected(scanned(SHEAR), affine)


def test_a_frame_beyond_all_measure_is_refused_before_it_is_made() -> None:
    strip = image_from_array(np.zeros((2, 100_000), np.uint8))
    with pytest.raises(SettingError, match=r"would make a frame of .* leave the rotation out"):
        corrected(strip, (0.7, -0.7, 0.7, 0.7))


def test_a_single_row_cannot_be_sheared() -> None:
    with pytest.raises(SettingError, match=r"needs two rows and two columns .* found 1 x 2"):
        corrected(image_from_array([[1.0, 2.0]]), SHEAR)


def test_atoms_of_a_corrected_file_lie_where_they_truly_are(tmp_path: Path) -> None:
    pixel = 0.01
    crystal = Crystal("honeycomb", spacing="0.142 nm", displacement=0.02)
    atoms = build_lattice(crystal=crystal, field=(3.0, 3.2), unit="nm", margin=0.6)
    matrix = np.reshape(SHEAR, (2, 2))
    stated = np.linalg.solve(matrix, positions(atoms).T)
    moved = atoms.assign_coords(
        y=("site", stated[0], {"units": "nm"}), x=("site", stated[1], {"units": "nm"})
    )
    scan = simulate_image(moved, shape=(290, 290), pixel_size=f"{pixel} nm", seed=4)
    np.save(tmp_path / "scan.npy", scan.image.values)
    image = corrected(read_image(tmp_path / "scan.npy", pixel_size=f"{pixel} nm"), SHEAR)
    found = find_atoms(image)

    # Of the scan's own truth, which drift and jitter moved: where it lies by the matrix.
    place = positions(scan.truth) @ matrix.T + image.attrs["affine_origin"]
    truth = sites_from_positions(*place.T, unit="nm", spacing=0.142, extent=extent(image))
    # Atoms at least a spacing within what was scanned.
    rim = int(0.142 / pixel)
    usable = np.pad(binary_erosion(np.isfinite(image.values), iterations=rim), 60)
    row, column = np.rint(place / np.diff(image.x.values)[0]).astype(int).T + 60
    sure = truth.isel(site=np.flatnonzero(usable[row, column]))
    scores = compare_sites(found, sure, edge="0 nm").scores
    assert sure.sizes["site"] > 200
    assert float(find_lattice_regions(image).mean()) > 0.85
    assert float(scores["recall"][0]) > 0.99
    # New pixels cost little: the scan's own atoms are found this well.
    before = compare_sites(find_atoms(scan.image), scan.truth).scores
    assert float(scores["rmse"][0]) < 1.2 * float(before["rmse"][0])
    assert abs(float(scores["bias_y"][0])) < 0.1 * pixel
    assert abs(float(scores["bias_x"][0])) < 0.1 * pixel
