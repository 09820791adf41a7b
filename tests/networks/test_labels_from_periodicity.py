"""One frame labels itself: what violates its periodicity is found, what does not is not."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.networks import choose_periodic_frame, labels_from_periodicity
from adatom.numerics.matching import match_points
from adatom.schema import Image, Sites, image_from_array, positions
from adatom.simulation import (
    Crystal,
    DefectMovie,
    Microscope,
    build_lattice,
    simulate_defect_movie,
    simulate_image,
)

MOS2 = Crystal("tmd", spacing="1 d", species=("Mo", "S"))
PIXEL = 0.025


def _perfect(seed: int, microscope: Microscope) -> Image:
    columns = build_lattice(crystal=MOS2, field=(6.4, 6.4), unit="nm", margin=1.2, seed=seed)
    shape = (256, 256)
    image: Image = simulate_image(
        columns, shape=shape, pixel_size=f"{PIXEL} nm", microscope=microscope, seed=seed
    ).image
    return image


@pytest.fixture(scope="module")
def damaged() -> DefectMovie:
    return simulate_defect_movie(seed=5, n_frames=3)


@pytest.fixture(scope="module")
def truth(damaged: DefectMovie) -> Sites:
    """Those of the first frame that are not at its border, where nothing is judged."""
    y, x = positions(damaged.truth).T
    last = float(damaged.movie.x[-1])
    inside = (np.minimum(y, x) > 0.2) & (np.maximum(y, x) < last - 0.2)
    return damaged.truth.isel(site=inside & (damaged.truth.frame.values == 0))


def test_a_perfect_frame_has_less_than_one_false_label_whatever_disturbs_its_scan() -> None:
    microscopes = [
        Microscope(electrons=60),
        Microscope(electrons=1000, drift="0.2 nm", distortion=0.02),
        Microscope(electrons=300, jitter="0.012 nm"),
    ]
    counts = [
        labels_from_periodicity(_perfect(seed, microscope)).sites.sizes["site"]
        for microscope in microscopes
        for seed in range(3)
    ]
    # 0.5 a frame are allowed: 4.5 in nine, of which a Poisson number passes 9 once in a hundred.
    assert sum(counts) <= 9


def test_the_stricter_the_fewer_false_labels() -> None:
    noisy = _perfect(1, Microscope(electrons=60))
    loose = labels_from_periodicity(noisy, false_labels=30.0)
    strict = labels_from_periodicity(noisy, false_labels=1e-4)
    assert loose.sites.attrs["threshold"] < strict.sites.attrs["threshold"]
    # Thirty are expected of a normal field of the same roughness: a factor of three for tails.
    assert 10 <= loose.sites.sizes["site"] <= 90
    assert strict.sites.sizes["site"] == 0


def test_vacancies_dopants_and_adatoms_are_labeled_with_their_sign(
    damaged: DefectMovie, truth: Sites
) -> None:
    found = labels_from_periodicity(damaged.movie.isel(frame=0)).sites
    match = match_points(positions(found), positions(truth), max_distance=0.1)
    assert len(match.left) >= 0.9 * truth.sizes["site"]
    assert len(match.left) >= 0.9 * found.sizes["site"]
    assert (found["class"].values[match.left] == truth["sign"].values[match.right]).all()
    # The probe is 0.05 nm wide: a center is found to half of that.
    assert np.sqrt((match.distance**2).mean()) < 0.025


def test_labels_cover_the_sites_and_little_else(damaged: DefectMovie) -> None:
    found = labels_from_periodicity(damaged.movie.isel(frame=0))
    pixel = float(damaged.movie.x[1])
    row, column = np.rint(positions(found.sites).T / pixel).astype(int)
    assert found.labels.values[row, column].all()
    assert found.labels.mean() < 0.02


def test_the_residual_is_in_units_of_its_noise(damaged: DefectMovie) -> None:
    found = labels_from_periodicity(damaged.movie.isel(frame=0))
    away = np.abs(found.residual.values)
    # As of a normal distribution; violations take less than two in a hundred pixels.
    assert np.median(away) == pytest.approx(0.674, rel=0.1)
    assert np.quantile(away, 0.9) == pytest.approx(1.645, rel=0.1)
    assert (np.abs(found.sites["significance"]) > found.sites.attrs["threshold"]).all()


def test_the_periodic_part_is_the_image_without_its_defects(damaged: DefectMovie) -> None:
    frame = damaged.movie.isel(frame=0)
    found = labels_from_periodicity(frame)
    bright = found.sites.isel(site=found.sites["class"].values == "extra")
    pixel = float(frame.x[1])
    row, column = np.rint(positions(bright).T / pixel).astype(int)
    # A second Mo atom on a Mo site doubles its brightness above what lies between atoms.
    assert (frame.values[row, column] > 1.5 * found.periodic.values[row, column]).all()
    assert found.periodic.attrs["units"] == frame.attrs["units"]


def test_masks_widen_where_the_lattice_drifts_and_bends() -> None:
    y, x = np.mgrid[:256, :256].astype(float)
    bend = 4.0 * np.sin(2 * np.pi * y / 170)

    def reach(shift: NDArray[np.float64] | float) -> float:
        waves = np.cos(2 * np.pi * (x + shift) / 12) + np.cos(2 * np.pi * y / 12)
        noise = 0.3 * np.random.default_rng(0).normal(size=x.shape)
        found = labels_from_periodicity(image_from_array(waves + noise))
        return float(found.sites.attrs["mask_reach"])

    # The radius of a mask is the inverse of its reach.
    assert reach(bend) < 0.5 * reach(0.0)


def test_pixels_that_were_not_measured_and_not_asked_for_are_not_labeled(
    damaged: DefectMovie,
) -> None:
    frame = damaged.movie.isel(frame=0).copy(deep=True)
    frame[60:90, 100:140] = np.nan
    regions = xr.ones_like(frame, dtype=bool)
    regions[:, 200:] = False
    found = labels_from_periodicity(frame, regions)
    out = ~regions.values | np.isnan(frame.values)
    pixel = float(frame.x[1])
    row, column = np.rint(positions(found.sites).T / pixel).astype(int)
    assert not out[row, column].any()
    assert np.isnan(found.residual.values[out]).all()
    assert not np.isnan(found.residual.values[~out]).any()


def test_a_large_hole_is_one_extended_violation(damaged: DefectMovie) -> None:
    frame = damaged.movie.isel(frame=0).copy(deep=True)
    y, x = np.ogrid[:256, :256]
    hole = np.hypot(y - 120, x - 130) < 24
    frame.values[hole] = np.quantile(frame.values, 0.02)
    found = labels_from_periodicity(frame)
    inside = hole[tuple(np.rint(positions(found.sites).T / float(frame.x[1])).astype(int))]
    assert found.sites["extended"].values[inside].any()
    assert (found.sites["class"].values[inside] == "missing").all()


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_the_unit_of_brightness_does_not_matter(damaged: DefectMovie, scale: float) -> None:
    frame = damaged.movie.isel(frame=0)
    usual = labels_from_periodicity(frame.astype(float)).labels
    other = labels_from_periodicity(frame.astype(float) * scale - 3 * scale).labels
    assert (usual == other).mean() > 0.9999


def test_noise_has_no_periodicity_to_violate() -> None:
    noise = np.random.default_rng(0).normal(size=(128, 128))
    with pytest.raises(NoLatticeError, match=r"no two reflections that span a lattice"):
        labels_from_periodicity(image_from_array(noise))


def test_a_number_of_false_labels_that_is_none_is_refused() -> None:
    image = image_from_array(np.zeros((32, 32)))
    with pytest.raises(SettingError, match=r"false_labels=0.0 must be positive"):
        labels_from_periodicity(image, false_labels=0.0)


def test_regions_of_another_shape_are_refused(damaged: DefectMovie) -> None:
    frame = damaged.movie.isel(frame=0)
    with pytest.raises(KindError, match=r"regions of shape \(10, 256\)"):
        labels_from_periodicity(frame, xr.ones_like(frame, dtype=bool)[:10])


def test_the_teacher_is_an_early_frame_of_which_the_least_is_noise() -> None:
    y, x = np.mgrid[:96, :96] * (2 * np.pi / 8)
    rng = np.random.default_rng(3)
    noise = np.array([2.0, 0.5, 1.0, *[0.1] * 9])[:, None, None] * rng.normal(size=(12, 96, 96))
    still = image_from_array(np.cos(y) + np.cos(x), pixel_size="0.02 nm")
    movie = (xr.DataArray(noise, dims=("frame", "y", "x")) + still).assign_coords(still.coords)
    chosen = choose_periodic_frame(movie)
    np.testing.assert_array_equal(chosen.values, movie.values[1])
    assert chosen.attrs["notes"][-1].startswith("Frame 1 repeats itself best of 3 early ones")
