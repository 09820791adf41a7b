"""Atoms found in every frame of a movie."""

from __future__ import annotations

import dataclasses
from functools import cache

import dask.array
import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter
from tiny_networks import blob_network

from adatom.errors import AdatomWarning, KindError, NoLatticeError
from adatom.localization import compare_sites, find_atoms, find_atoms_in_movie
from adatom.numerics.exported_network import ExportedNetwork
from adatom.schema import SITES, Movie, notes
from adatom.simulation import Crystal, Simulation, simulate_lattice


@pytest.fixture(scope="module")
def network() -> ExportedNetwork:
    return blob_network()


@cache
def _frame(seed: int) -> Simulation:
    crystal = Crystal("square", spacing="14 px", displacement=0.03)
    return simulate_lattice(crystal=crystal, size=112, width="3.4 px", snr=10, seed=seed)


def _movie(*seeds: int) -> Movie:
    """Join frames; a negative number stands for one that shows nothing."""
    frames = [_frame(abs(seed)).image * float(seed >= 0) for seed in seeds]
    return xr.concat(frames, dim="frame")


@pytest.mark.parametrize("method", ["classical", "network"])
def test_every_frame_gets_its_own_sites(method: str, network: ExportedNetwork) -> None:
    trained = network if method == "network" else None
    found = find_atoms_in_movie(_movie(1, 2, 3), None, trained, method=method)  # type: ignore[arg-type]
    SITES.check(found)
    for frame, seed in enumerate((1, 2, 3)):
        here = found.isel(site=found.frame.values == frame).drop_vars("frame")
        truth = _frame(seed).truth
        assert float(compare_sites(here, truth).scores["f1"][0]) > 0.98
    assert found.attrs["spacing"] == pytest.approx(14, rel=0.04)
    assert found.attrs["extent"] == [0.0, 111.0, 0.0, 111.0]


def test_a_frame_is_found_as_an_image_is(network: ExportedNetwork) -> None:
    settings = {"method": "network", "spacing": "14 px", "contrast": "bright"}
    found = find_atoms_in_movie(_movie(1, 2), None, network, **settings)  # type: ignore[arg-type]
    alone = find_atoms(_frame(2).image, None, network, **settings)  # type: ignore[arg-type]
    here = found.isel(site=found.frame.values == 1)
    np.testing.assert_array_equal(here.y, alone.y)
    np.testing.assert_array_equal(here["score"], alone["score"])


def test_frames_without_a_lattice_are_told(network: ExportedNetwork) -> None:
    found = find_atoms_in_movie(_movie(1, -1, 2, -2), None, network, method="network")
    assert set(found.frame.values) == {0, 2}
    assert "2 frames without a lattice have no sites: 1, 3." in notes(found)


@pytest.mark.parametrize("sigma", [0.0, 1.5])
def test_noise_has_no_sites_at_the_scale_of_other_frames(
    network: ExportedNetwork, sigma: float
) -> None:
    # This network takes any blob for an atom, and all of the noise for a lattice.
    noise = gaussian_filter(np.random.default_rng(5).normal(size=(112, 112)), sigma)
    empty = _frame(1).image.copy(data=noise.astype(np.float32))
    movie = xr.concat([_frame(1).image, empty, _frame(2).image], dim="frame")
    found = find_atoms_in_movie(movie, None, network, method="network")
    assert set(found.frame.values) == {0, 2}
    assert "1 frames without a lattice have no sites: 1." in notes(found)


def test_a_network_that_is_hardly_sure_of_most_frames_warns_once(
    network: ExportedNetwork,
) -> None:
    card = dataclasses.replace(network.card, calibration=((0.5, 0.08), (1.0, 0.12)))
    unsure = ExportedNetwork(network.graph, card)
    with pytest.warns(AdatomWarning, match="hardly sure of the scale of most frames") as caught:
        find_atoms_in_movie(_movie(1, 2), None, unsure, method="network")
    assert len(caught) == 1


def test_a_movie_of_nothing_is_no_lattice(network: ExportedNetwork) -> None:
    with pytest.raises(
        NoLatticeError, match=r"none of 2 frames shows|no pixels within regions that differ"
    ):
        find_atoms_in_movie(_movie(-1, -2), None, network, method="network")


def test_frames_keep_the_numbers_that_they_have(network: ExportedNetwork) -> None:
    movie = _movie(1, 2).assign_coords(frame=[7, 12])
    found = find_atoms_in_movie(movie, None, network, method="network")
    assert set(found.frame.values) == {7, 12}


def test_contrast_is_that_of_most_frames(network: ExportedNetwork) -> None:
    found = find_atoms_in_movie(-_movie(1, -2, 3), None, network, method="network")
    assert any("taken for dark" in note for note in notes(found))


def test_regions_may_hold_for_all_frames_or_each(network: ExportedNetwork) -> None:
    movie = _movie(1, 2)
    right = xr.ones_like(movie.isel(frame=0), dtype=bool)
    right[:, :50] = False
    found = find_atoms_in_movie(movie, right, network, method="network")
    assert found.x.min() > 46
    each = xr.concat([right, xr.ones_like(right)], dim="frame")
    found = find_atoms_in_movie(movie, each, network, method="network")
    assert found.x.values[found.frame.values == 0].min() > 46
    assert found.x.values[found.frame.values == 1].min() < 10


def test_regions_of_another_shape_are_refused() -> None:
    movie = _movie(1, 2)
    with pytest.raises(KindError, match="do not cover a movie"):
        find_atoms_in_movie(movie, xr.ones_like(movie.isel(frame=0), dtype=bool)[:50])


def test_a_lazy_movie_is_read_frame_by_frame(network: ExportedNetwork) -> None:
    movie = _movie(1, 2, 3, 1, 2)
    held: list[int] = []

    def block(numbers: np.ndarray, block_info: object = None) -> np.ndarray:
        held.append(numbers.shape[0])
        return np.asarray(movie.values[numbers[:, 0, 0].astype(int)])

    index = dask.array.arange(5, chunks=1)[:, None, None]
    empty, chunks = np.empty((0, 0, 0)), ((1,) * 5, (112,), (112,))
    lazy = movie.copy(
        data=dask.array.map_blocks(  # type: ignore[no-untyped-call]
            block, index, dtype=movie.dtype, chunks=chunks, meta=empty
        )
    )
    xr.testing.assert_identical(
        find_atoms_in_movie(lazy, None, network, method="network"),
        find_atoms_in_movie(movie, None, network, method="network"),
    )
    assert max(held) == 1
