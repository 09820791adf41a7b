"""Descriptors that no rotation changes put the grains of one phase into one class."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.clustering import cluster_kmeans
from adatom.descriptors import window_moments, window_projections, window_spectra
from adatom.errors import SettingError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import image_from_array


def lattice(angles: list[float], turn: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    y, x = np.indices(shape) * (2 * np.pi / 7.3)
    turned = np.deg2rad(np.array(angles) + turn)
    each = [np.cos(y * np.sin(a) + x * np.cos(a)) for a in turned]
    return np.asarray(np.sum(each, axis=0) * np.sqrt(2 / len(each)))


SQUARE, HEXAGONAL = [0.0, 90.0], [0.0, 60.0, 120.0]


def grains() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give three grains of a square lattice beside three of a hexagonal one, 64 pixels each."""
    shape = (64, 64)
    tops = [lattice(SQUARE, turn, shape) for turn in (0.0, 17.0, 38.0)]
    bottoms = [lattice(HEXAGONAL, turn, shape) for turn in (0.0, 11.0, 23.0)]
    image = np.vstack([np.hstack(tops), np.hstack(bottoms)])
    image += np.random.default_rng(0).normal(0, 0.5, image.shape)
    return image, np.array([0, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("descriptor", [window_spectra, window_moments])
def test_grains_of_one_phase_are_one_class(descriptor: object) -> None:
    image, truth = grains()
    picture = image_from_array(image)
    if descriptor is window_spectra:
        windows = window_spectra(picture, size="64 px", step="64 px", oriented=False)
    else:
        windows = window_moments(picture, size="64 px", step="64 px")
    label = cluster_kmeans(windows, n_classes=2).classes["label"].values.ravel()
    assert adjusted_rand_index(label, truth) == 1.0


def test_oriented_spectra_take_grains_for_phases() -> None:
    image, truth = grains()
    windows = window_spectra(image_from_array(image), size="64 px", step="64 px")
    label = cluster_kmeans(windows, n_classes=2).classes["label"].values.ravel()
    assert adjusted_rand_index(label, truth) < 0.5


def test_the_symmetry_of_a_lattice_shows_in_its_order() -> None:
    for angles, order in ((SQUARE, 4), (HEXAGONAL, 6)):
        image = image_from_array(lattice(angles, 20.0, (128, 128)))
        found = window_spectra(image, oriented=False)[0, 0]
        strength = {n: float(found[(found["symmetry"] == n).values].max()) for n in (0, 2, 4, 6)}
        # On its ring the order of the lattice is as strong as the mean, others are weak.
        assert strength[order] > 0.9 * strength[0]
        assert max(strength[n] for n in (2, 4, 6) if n != order) < 0.3 * strength[0]


def test_projections_point_along_the_rows() -> None:
    for turn in (0.0, 30.0, 135.0):
        stripes = image_from_array(lattice([turn + 90.0], 0.0, (96, 96)), pixel_size="0.1 nm")
        found = window_projections(stripes, size="4.8 nm", n_angles=36)
        assert (found["angle"].values[found.argmax("feature").values] == turn).all()


def test_projections_do_not_depend_on_where_rows_lie_nor_on_the_size_of_the_window() -> None:
    image = image_from_array(lattice([60.0], 0.0, (192, 192)))
    small, large = (window_projections(image, size=f"{n} px").values for n in (64, 128))
    peak = small.max(axis=-1)
    assert peak.std() < 0.02 * peak.mean()
    assert large.max(axis=-1).mean() == pytest.approx(peak.mean(), rel=0.05)
    # The line mean of a wave of amplitude sqrt(2) along its crests has a deviation of about 1.
    assert peak.mean() == pytest.approx(1.0, abs=0.3)


def test_unoriented_projections_do_not_change_with_a_turn() -> None:
    found = [
        window_projections(
            image_from_array(lattice([turn], 0.0, (65, 65))), n_angles=36, oriented=False
        ).values.ravel()
        for turn in (10.0, 60.0)
    ]
    # What a square grid of pixels does to lines across it.
    assert np.abs(found[0] - found[1]).max() < 0.05 * found[0].max()


def test_moments_of_an_image_do_not_change_with_a_quarter_turn() -> None:
    image = np.random.default_rng(1).normal(size=(33, 33))
    one, other = (
        window_moments(image_from_array(part.copy()), of="image").values.ravel()
        for part in (image, np.rot90(image))
    )
    np.testing.assert_allclose(one, other, atol=1e-10)


def test_impossible_settings_are_refused() -> None:
    image = image_from_array(np.zeros((32, 32)))
    with pytest.raises(SettingError, match="n_angles=2"):
        window_projections(image, n_angles=2)
    with pytest.raises(SettingError, match="highest_order=30"):
        window_moments(image, highest_order=30)
