"""Integrated intensities of columns: exact sums, errors that hold, edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError, UnitError
from adatom.localization import estimate_column_intensity, refine_sites
from adatom.schema import Image, Sites, image_from_array, sites_from_positions

SPACING, WIDTH = 10.0, 2.0


def _columns(n: int, *, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give places of columns at random parts of a pixel, and their heights."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*[np.arange(n)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    places = SPACING * (places + 1) + rng.uniform(-0.5, 0.5, size=places.shape)
    return places, rng.choice([60.0, 100.0], size=len(places))


def _image(
    places: NDArray[np.float64], heights: NDArray[np.float64], n: int, width: float = WIDTH
) -> Image:
    size = int(SPACING * (n + 1))
    values = np.full((size, size), 20.0)
    for (y, x), height in zip(places, heights):
        low = np.maximum(np.array([y, x]).astype(int) - 12, 0)
        rows, columns = (np.arange(a, min(a + 26, size)) for a in low)
        bell = np.exp(-((rows - y)[:, None] ** 2 + (columns - x) ** 2) / (2 * width**2))
        values[np.ix_(rows, columns)] += height * bell
    return image_from_array(values)


def _sites(places: NDArray[np.float64]) -> Sites:
    return sites_from_positions(*places.T, unit="px", spacing=SPACING)


def test_cells_share_the_pixels_between_them_and_lose_none() -> None:
    places, heights = _columns(12)
    found = estimate_column_intensity(_image(places, heights, 12), _sites(places))
    inner = np.isfinite(found["column_intensity"].values)
    # The rim is NaN: its cells would go on beyond the frame.
    assert inner.sum() == 100
    assert float(found["cell_area"].mean()) == pytest.approx(100.0, rel=0.01)


def test_a_cell_holds_what_stands_in_it() -> None:
    places, _ = _columns(12)
    heights = np.zeros(144)
    middle = int(np.argmin(((places - 60) ** 2).sum(axis=1)))
    heights[middle] = 100.0
    found = estimate_column_intensity(_image(places, heights, 12), _sites(places))
    above = found["column_intensity"] - 20.0 * found["cell_area"]
    # The square of 10 x 10 holds erf(5 / (2 sqrt 2))^2 = 97.5 % of the column.
    volume = 2 * np.pi * 100 * WIDTH**2
    assert above.values[middle] == pytest.approx(0.975 * volume, rel=0.01)


@pytest.mark.parametrize("poisson", [False, True])
def test_intervals_of_sums_hold_under_white_and_counting_noise(poisson: bool) -> None:
    n = 102
    places, heights = _columns(n)
    exact = _image(places, heights, n)
    rng = np.random.default_rng(1)
    noisy = rng.poisson(exact) if poisson else exact + 5.0 * rng.normal(size=exact.shape)
    truth = estimate_column_intensity(exact, _sites(places))["column_intensity"].values
    found = estimate_column_intensity(exact.copy(data=np.asarray(noisy, float)), _sites(places))
    known = np.isfinite(truth)
    off = found["column_intensity"].values[known] - truth[known]
    held = np.abs(off) < 1.96 * found["column_intensity_error"].values[known]
    assert known.sum() >= 10_000
    assert held.mean() == pytest.approx(0.95, abs=0.02)


def test_intervals_of_fitted_volumes_hold() -> None:
    # Columns 6.7 widths apart; nearer ones overlap, and errors come out a tenth too small.
    n, width = 60, 1.5
    places, heights = _columns(n)
    exact = _image(places, heights, n, width)
    noise = 4.0 * np.random.default_rng(2).normal(size=exact.shape)
    fitted = refine_sites(exact + noise, _sites(places))
    found = estimate_column_intensity(exact, fitted, method="fit")
    truth = 2 * np.pi * heights * width**2
    off = found["column_intensity"].values - truth
    held = np.abs(off) < 1.96 * found["column_intensity_error"].values
    assert abs(np.median(off / truth)) < 0.01
    assert held.mean() == pytest.approx(0.95, abs=0.02)


def test_a_hole_does_not_make_the_cells_beside_it_larger_than_asked() -> None:
    places, heights = _columns(12)
    image = _image(places, heights, 12)
    beside = np.abs(places - 60).max(axis=1) < 16
    found = estimate_column_intensity(image, _sites(places[~beside]), max_radius="0.6 d")
    assert float(found["cell_area"].max()) < 1.02 * np.pi * 6.0**2


def test_a_pixel_that_was_not_measured_leaves_its_column_open() -> None:
    places, heights = _columns(12)
    image = _image(places, heights, 12).copy()
    image[60, 60] = np.nan
    found = estimate_column_intensity(image, _sites(places))
    nearest = int(np.argmin(((places - 60) ** 2).sum(axis=1)))
    assert np.isnan(found["column_intensity"].values[nearest])
    assert np.isfinite(found["column_intensity"].values).sum() >= 96


def test_bad_calls_say_what_is_needed() -> None:
    places, heights = _columns(4)
    image, sites = _image(places, heights, 4), _sites(places)
    with pytest.raises(KindError, match=r"run localization\.refine_sites first"):
        estimate_column_intensity(image, sites, method="fit")
    with pytest.raises(SettingError, match="must be greater than zero"):
        estimate_column_intensity(image, sites, max_radius="0 px")
    with pytest.raises(UnitError, match="bring them to one unit"):
        estimate_column_intensity(image, sites_from_positions(*places.T, unit="nm"))
    several = sites.assign_coords(frame=("site", np.arange(16)))
    with pytest.raises(KindError, match="of several frames"):
        estimate_column_intensity(image, several)
