"""Quantiles of local shapes tell what a window is made of, wherever it lies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from simulated_patches import KINDS, simulated_patches

from adatom.clustering import cluster_kmeans
from adatom.descriptors import (
    features_from_files,
    features_from_parts,
    window_quantiles,
    window_spectra,
)
from adatom.errors import SettingError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import Features, Image, image_from_array


def crystal(phase: float = 0.0) -> NDArray[np.float64]:
    y, x = np.mgrid[:64, :64] * (2 * np.pi / 8) + phase
    return np.asarray(np.cos(y) + np.cos(x), dtype=np.float64)


def with_hole(row: int, column: int) -> NDArray[np.float64]:
    y, x = np.mgrid[:64, :64]
    return np.asarray(crystal() - 3 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 18))


def of_whole(values: NDArray[np.float64], *, oriented: bool = True) -> NDArray[np.float64]:
    found = window_quantiles(image_from_array(values), oriented=oriented)
    return np.asarray(found.values.ravel(), dtype=np.float64)


def test_a_hole_counts_wherever_it_is_and_more_than_the_place_of_the_lattice() -> None:
    perfect, shifted = of_whole(crystal()), of_whole(crystal(0.7))
    one, other = of_whole(with_hole(24, 24)), of_whole(with_hole(40, 32))
    between = np.linalg.norm(one - perfect)
    assert np.linalg.norm(one - other) < 0.02 * between
    # What is left comes from the rim, where the lattice is cut elsewhere and mirrored.
    assert np.linalg.norm(perfect - shifted) < 0.25 * between


def test_brightness_and_contrast_do_not_count() -> None:
    np.testing.assert_allclose(
        of_whole(3 * with_hole(20, 30) + 100), of_whole(with_hole(20, 30)), atol=1e-9
    )


def test_a_turn_counts_only_where_shapes_are_oriented() -> None:
    # With an odd number of pixels, places taken at every scale lie evenly about the middle.
    stripes = np.cos(np.mgrid[:65, :65][0] * (2 * np.pi / 8))
    stripes[:64, :64] += with_hole(30, 24)
    turned = np.rot90(stripes).copy()
    assert np.abs(of_whole(stripes) - of_whole(turned)).max() > 0.5
    np.testing.assert_allclose(
        of_whole(stripes, oriented=False), of_whole(turned, oriented=False), atol=1e-9
    )


def test_quantiles_of_a_gaussian_are_those_of_its_distribution() -> None:
    noise = np.random.default_rng(0).normal(size=(512, 512))
    found = window_quantiles(image_from_array(noise), coarsest="1 px", size="256 px")
    value = found[0, 0, (found["shape"] == "value").values]
    # Noise under a Gaussian of one pixel keeps 1 / (2 sqrt(pi)) of its standard deviation.
    median = float(value[len(value) // 2])
    one = float(np.interp(0.841345, value["quantile"], value))
    assert median == pytest.approx(0.0, abs=0.01)
    assert one == pytest.approx(1 / (2 * np.sqrt(np.pi)), rel=0.03)


def test_windows_are_those_of_the_spectra() -> None:
    image = image_from_array(np.random.default_rng(1).normal(size=(80, 96)), pixel_size="0.1 nm")
    quantiles, spectra = (f(image, size="3.2 nm") for f in (window_quantiles, window_spectra))
    np.testing.assert_array_equal(quantiles["y"], spectra["y"])
    np.testing.assert_array_equal(quantiles["x"], spectra["x"])


def test_flat_windows_and_windows_with_gaps_are_not_measured() -> None:
    values = np.random.default_rng(1).normal(size=(32, 64))
    values[:, :32] = 5.0
    values[3, 40] = np.nan
    found = window_quantiles(image_from_array(values), size="32 px", step="32 px")
    assert np.isnan(found.values).all()


def test_windows_too_small_for_quantiles_are_refused() -> None:
    with pytest.raises(SettingError, match="windows are 12 x 12 pixels"):
        window_quantiles(image_from_array(crystal()), size="12 px")


def test_a_step_without_size_is_refused() -> None:
    with pytest.raises(SettingError, match="needs size="):
        window_quantiles(image_from_array(crystal()), step="4 px")


def _ari(features: Features, truth: NDArray[np.int64]) -> float:
    found = cluster_kmeans(features, n_classes=len(KINDS)).classes["label"]
    return adjusted_rand_index(found.values, truth)


def _rows(images: list[Image]) -> tuple[Features, Features, Features]:
    made_of = features_from_files([window_quantiles(image) for image in images])
    arranged = features_from_files([window_spectra(image, standardize=True) for image in images])
    pixels = features_from_files(
        [image.stack(feature=("y", "x")).reset_index("feature", drop=True).expand_dims("site")
         for image in images]
    )  # fmt: skip
    return made_of, arranged, pixels


def test_both_descriptions_of_simulated_patches_tell_more_than_either() -> None:
    images, truth = simulated_patches(20, electrons=20.0, seed=0)
    made_of, arranged, pixels = _rows(images)
    both = _ari(features_from_parts(made_of, arranged), truth)
    # 0.33 to 0.57 over noises and seeds: crystal and interstitial stay together, the others
    # come apart. Magnitudes alone 0.27 to 0.36, quantiles alone 0.19 to 0.37, pixels 0.
    assert both > 0.4
    assert both > max(_ari(made_of, truth), _ari(arranged, truth)) + 0.1
    assert _ari(pixels, truth) < 0.1
