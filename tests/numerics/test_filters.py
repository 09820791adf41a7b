"""Filters in threads give what scipy gives, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.filters import (
    gaussian_filter,
    maximum_filter,
    minimum_filter,
    wide_gaussian_filter,
)

# The larger one is cut into strips, of unlike widths.
IMAGES = [
    np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for shape in ((40, 31), (701, 613))
]


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3)])
@pytest.mark.parametrize("image", IMAGES)
def test_filters_are_those_of_scipy(image: np.ndarray, executor: ThreadExecutor) -> None:
    with use_executor(executor):
        for mode in ("reflect", "nearest"):
            smooth = scipy.ndimage.gaussian_filter(image, 2.5, mode=mode)
            assert (gaussian_filter(image, 2.5, mode=mode) == smooth).all()
            highest = scipy.ndimage.maximum_filter(image, 3, mode=mode)
            assert (maximum_filter(image, 3, mode=mode) == highest).all()
            lowest = scipy.ndimage.minimum_filter(image, 8, mode=mode)
            assert (minimum_filter(image, 8, mode=mode) == lowest).all()
        bent = scipy.ndimage.gaussian_filter(image, 2.5, order=(2, 0))
        assert (gaussian_filter(image, 2.5, order=(2, 0)) == bent).all()


def test_an_image_of_float32_stays_one() -> None:
    assert gaussian_filter(IMAGES[1], 3.0).dtype == np.float32


@pytest.mark.parametrize("sigma", [0.8, 5.0, 60.0])
def test_the_wide_filter_is_that_of_scipy_reflected_at_the_border(sigma: float) -> None:
    image = IMAGES[1].astype(np.float64)
    smooth = scipy.ndimage.gaussian_filter(image, sigma, mode="reflect", truncate=6.0)
    # A Gaussian narrower than a pixel is not the same when sampled as when cut in frequency.
    atol = 0.05 if sigma < 1 else 1e-6
    assert wide_gaussian_filter(image, sigma) == pytest.approx(smooth, abs=atol)
