"""A few pixels of absurd values cost no atoms, and ordinary images are left as they are."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from tiny_networks import blob_network

from adatom.localization import (
    compare_sites,
    find_atoms,
    find_atoms_in_movie,
    find_lattice_regions,
)
from adatom.localization.absurd import absurd_pixels, without_absurd_pixels
from adatom.schema import Image, image_from_array, notes
from adatom.simulation import Crystal, Simulation, simulate_lattice


@cache
def _lattice() -> Simulation:
    crystal = Crystal("square", spacing="14 px", displacement=0.03)
    return simulate_lattice(crystal=crystal, size=112, width="3.4 px", snr=10, seed=1)


def _struck(height: float) -> Image:
    """Put hot pixels between atoms: one alone, two that touch."""
    values = _lattice().image.values.astype(float)
    values[70, 20:22] = height
    values[33, 50] = height
    return _lattice().image.copy(data=values)


@pytest.mark.parametrize("method", ["classical", "network"])
@pytest.mark.parametrize("height", [1e5, -1e20])
def test_hot_pixels_cost_no_atoms(method: str, height: float) -> None:
    trained = blob_network() if method == "network" else None
    found = find_atoms(_struck(height), None, trained, method=method)  # type: ignore[arg-type]
    assert float(compare_sites(found, _lattice().truth).scores["f1"][0]) > 0.98
    assert any(note.startswith("3 pixels stand alone, more than 100") for note in notes(found))


def test_hot_pixels_are_told_of_regions() -> None:
    mask = find_lattice_regions(_struck(1e20), blob_network(), method="network")
    assert mask.mean() > 0.9
    assert mask.attrs["left_out"]["not measured"] == pytest.approx(3 / mask.size)
    assert any(note.startswith("3 pixels stand alone") for note in notes(mask))


def test_hot_pixels_of_all_frames_are_counted() -> None:
    movie = xr.concat([_struck(1e20), _lattice().image.astype(float), _struck(1e8)], dim="frame")
    found = find_atoms_in_movie(movie, None, blob_network(), method="network")
    assert np.bincount(found.frame).min() > 60
    assert any(note.startswith("In all frames, 6 pixels stand alone") for note in notes(found))


def _atoms_in_vacuum() -> NDArray[np.float64]:
    y, x = np.mgrid[:200, :200]
    return np.asarray(np.exp(-((y - 60) ** 2 + (x - 90) ** 2) / 8.0))


def _bright_particle() -> NDArray[np.float64]:
    values = np.random.default_rng(1).normal(size=(300, 300))
    values[100:105, 200:206] += 1e6
    return values


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=(64, 64)),
        np.random.default_rng(1).poisson(0.0005, (200, 200)),
        np.random.default_rng(1).poisson(0.01, (200, 200)),
        np.random.default_rng(1).exponential(size=(64, 64)) ** 3,
        _atoms_in_vacuum(),
        _bright_particle(),
        np.full((9, 9), 3.0),
        np.full((9, 9), np.nan),
    ],
    ids=["noise", "counts", "more counts", "spikes", "atom", "particle", "constant", "nothing"],
)
def test_ordinary_images_are_left_as_they_are(values: NDArray[np.float64]) -> None:
    image = image_from_array(values)
    same, n = without_absurd_pixels(image)
    assert same is image
    assert n == 0


def test_a_lattice_is_left_as_it_is() -> None:
    assert without_absurd_pixels(_lattice().image)[0] is _lattice().image


def test_counts_with_a_hot_pixel_keep_their_values() -> None:
    values = np.random.default_rng(1).poisson(50, (64, 64)).astype(np.uint16)
    struck = values.copy()
    struck[10, 12] = 65535
    image, n = without_absurd_pixels(image_from_array(struck))
    assert n == 1
    assert image.dtype == np.float32
    assert struck[10, 12] == 65535
    assert np.argwhere(np.isnan(image.values)).tolist() == [[10, 12]]
    np.testing.assert_array_equal(np.nan_to_num(image.values, nan=values[10, 12]), values)


def test_infinite_values_are_no_absurd_ones_but_not_measured() -> None:
    values = np.random.default_rng(1).normal(size=(64, 64))
    values[3, 4] = np.inf
    assert not absurd_pixels(values).any()
