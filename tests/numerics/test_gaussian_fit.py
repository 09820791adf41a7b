"""The joint fit of Gaussians that the border of the image cuts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics import gaussian_steps
from adatom.numerics.gaussian_fit import GaussianFit, fit_gaussians

Floats = NDArray[np.float64]

SPACING, SIGMA, SIZE = 16.0, 4.5, 220


def cut_lattice() -> tuple[Floats, Floats]:
    """Give an image whose outermost rows of bright and dim columns are half outside, and places."""
    rng = np.random.default_rng(5)
    along = np.arange(-2 * SPACING, SIZE + 2 * SPACING, SPACING) + 5.0
    places = np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)
    places = places + rng.normal(0, 0.4, places.shape)
    height = np.where(np.arange(len(places)) % 2, 1.0, 2.2)
    pixel = np.arange(SIZE)
    along_y, along_x = (
        np.exp(-((pixel - p[:, None]) ** 2) / (2 * SIGMA**2)) for p in (places[:, 0], places[:, 1])
    )
    image = np.einsum("n,ny,nx->yx", height, along_y, along_x)
    image += 0.3 + rng.normal(0, 0.05, image.shape)
    inside = ((places > 0) & (places < SIZE - 1)).all(axis=1)
    return image, places[inside]


def fit(image: Floats, places: Floats) -> GaussianFit:
    start = places + np.random.default_rng(6).uniform(-1, 1, places.shape)
    start = np.clip(start, 0, SIZE - 1)
    usable = np.isfinite(image)
    return fit_gaussians(
        image, usable, start, step=(1.0, 1.0), spacing=SPACING, max_shift=SPACING / 2
    )


def test_sites_cut_by_the_border_do_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Overlaps with whole Gaussians where half of one is outside make the joint equations
    # indefinite; steps are then short, wild or taken back, and come by the dozen.
    evaluations = []
    evaluate = gaussian_steps._evaluate

    def counted(*args: object) -> object:
        evaluations.append(1)
        return evaluate(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(gaussian_steps, "_evaluate", counted)
    image, places = cut_lattice()
    found = fit(image, places)
    assert len(evaluations) <= 24
    inner = ((places > SPACING) & (places < SIZE - SPACING)).all(axis=1)
    assert found.ok[inner].all()
    off = found.position[inner] - places[inner]
    square = np.einsum("na,nab,nb->n", off, np.linalg.inv(found.covariance[inner]), off)
    assert 0.85 < np.mean(square < -2 * np.log(0.05)) <= 1


def test_the_same_fit_twice_is_the_same_to_the_bit() -> None:
    image, places = cut_lattice()
    one, other = fit(image, places), fit(image, places)
    np.testing.assert_array_equal(one.position, other.position)
    np.testing.assert_array_equal(one.covariance, other.covariance)
