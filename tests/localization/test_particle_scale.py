"""The scale of particles that lie anywhere, by a network that answers to blobs of one width."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_networks import blob_network

from adatom.errors import NoLatticeError, SettingError
from adatom.localization import find_particles
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.matching import match_points
from adatom.schema import Image, Sites, image_from_array, notes, positions

# Blobs nearer to one another than this, in sigmas, are one hill without a dip.
APART = 5.0


@pytest.fixture(scope="module")
def network() -> ExportedNetwork:
    return blob_network()


def scattered_blobs(
    sigma: float, count: int, *, side: int = 200, snr: float = 20.0, seed: int = 1
) -> tuple[Image, NDArray[np.float64]]:
    """Put blobs anywhere but on one another, as particles lie on a surface."""
    rng = np.random.default_rng(seed)
    place = np.empty((0, 2))
    while len(place) < count:
        where = rng.uniform(3 * sigma, side - 3 * sigma, 2)
        if not len(place) or np.hypot(*(place - where).T).min() > APART * sigma:
            place = np.vstack([place, where])
    y, x = np.mgrid[:side, :side]
    values = rng.standard_normal((side, side)) / snr
    for row, column in place:
        away = (y - row) ** 2 + (x - column) ** 2
        values += rng.normal(1, 0.1) * np.exp(-away / (2 * sigma**2))
    return image_from_array(values, pixel_size="1 px"), place


def f1_of(found: Sites, place: NDArray[np.float64], reach: float) -> float:
    pairs = match_points(positions(found), place, max_distance=reach)
    return 2 * len(pairs.left) / (found.sizes["site"] + len(place))


# From three blobs on an empty ground to as many as find room, over a factor of four in size.
@pytest.mark.parametrize(
    ("sigma", "count"), [(3.0, 40), (3.0, 100), (8.0, 12), (8.0, 4), (12.0, 3)]
)
def test_particles_without_order_are_found_whole(
    sigma: float, count: int, network: ExportedNetwork
) -> None:
    image, place = scattered_blobs(sigma, count)
    found = find_particles(image, network)
    assert f1_of(found, place, sigma) > 0.95
    assert found.attrs["scale_confidence"] > 0.6
    assert "that is little" not in " ".join(notes(found))


def test_a_part_of_a_large_image_tells_the_scale(network: ExportedNetwork) -> None:
    # The finest pictures would have 960 pixels a side, of which 768 are looked at.
    image, place = scattered_blobs(3.0, 300, side=420)
    found = find_particles(image, network)
    assert f1_of(found, place, 3.0) > 0.95


def test_a_single_particle_has_no_spacing(network: ExportedNetwork) -> None:
    y, x = np.mgrid[:96, :96]
    values = np.exp(-((y - 40) ** 2 + (x - 50) ** 2) / (2 * 6.0**2))
    found = find_particles(image_from_array(values, pixel_size="1 px"), network)
    assert np.allclose(positions(found), [[40, 50]], atol=0.5)
    assert "spacing" not in found.attrs


def test_where_scales_do_not_agree_the_user_is_told_what_to_do(network: ExportedNetwork) -> None:
    noise = np.random.default_rng(3).standard_normal((128, 128))
    found = find_particles(image_from_array(noise, pixel_size="1 px"), network)
    assert "that is little" in " ".join(notes(found))
    assert "tell spacing=" in " ".join(notes(found))


def test_a_told_spacing_is_taken(network: ExportedNetwork) -> None:
    image, place = scattered_blobs(3.0, 40)
    found = find_particles(image, network, spacing="18 px")
    assert f1_of(found, place, 3.0) > 0.95
    assert "as spacing= tells" in " ".join(notes(found))
    assert np.isnan(found.attrs["scale_confidence"])
    with pytest.raises(SettingError, match="no two atoms are told apart"):
        find_particles(image, network, spacing="1 px")


def test_nothing_to_be_seen_is_refused(network: ExportedNetwork) -> None:
    # At this scale all of the image is one pixel.
    values = np.outer(np.linspace(0, 1, 64), np.ones(64))
    with pytest.raises(NoLatticeError, match="sees no particle that it knows at the scale that"):
        find_particles(image_from_array(values, pixel_size="1 px"), network, spacing="600 px")
