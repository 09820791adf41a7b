"""Impurities of a simulated movie: found, on the lattice, apart from contamination."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

import numpy as np
import pytest
from hopping_graphene import HoppingMovie, hopping_movie

from adatom.dynamics import count_hops
from adatom.errors import NoLatticeError, SettingError
from adatom.localization import MovieImpurities, find_impurities_in_movie
from adatom.schema import image_from_array, positions
from adatom.simulation import Crystal, simulate_lattice
from adatom.tracking import link_sites

DIRTY = (5, 14)
N_FRAMES = 20


@cache
def _made() -> HoppingMovie:
    # Two counts a pixel at the top of a carbon atom: one frame hardly shows single ones.
    return hopping_movie(
        n_frames=N_FRAMES, size=160, rate=0.2, counts=2.0, contaminated=DIRTY, seed=3
    )


@cache
def _found() -> MovieImpurities:
    return find_impurities_in_movie(_made().movie)


def test_every_impurity_is_found_or_told_to_lie_beside_contamination_and_nothing_else() -> None:
    made, found = _made(), _found()
    n_found = 0
    for k in range(N_FRAMES):
        here = positions(found.seen)[found.seen.frame.values == k]
        apart = np.linalg.norm(here[:, None] - made.place[k], axis=-1)
        # A fifth of the 9 px of a bond; the stated error is 0.3 px.
        assert apart.min(axis=1).max(initial=0.0) < 1.8
        n_found += len(here)
        for place in made.place[k][apart.min(axis=0, initial=np.inf) > 1.8]:
            beside = positions(found.left_out)[found.left_out.frame.values == k]
            assert k in DIRTY
            assert np.linalg.norm(beside - place, axis=1).min() < 1.8
    assert n_found >= 2 * N_FRAMES - len(DIRTY)
    error = float(np.median(found.sites["position_error"])) / _pixel(found)
    assert 0.15 < error < 0.6


def _pixel(found: MovieImpurities) -> float:
    return float(np.nanmedian(found.frames["pixel_size"]))


def test_contamination_is_told_apart_where_it_is() -> None:
    left_out = _found().left_out
    assert set(left_out["why"].values.astype(str)) == {"contamination"}
    assert set(left_out.frame.values) == set(DIRTY)
    assert "in frames 5, 14" in _found().verdict


def test_the_lattice_gives_the_scale_and_the_drift() -> None:
    made, found = _made(), _found()
    assert _pixel(found) == pytest.approx(0.142 / 9, rel=2e-3)
    drift = np.stack([found.frames["drift_y"], found.frames["drift_x"]], axis=1) / _pixel(found)
    assert np.abs(drift - made.drift).max() < 0.3
    assert found.sites["off_column"].max() < 0.142 / 3


def test_hops_are_those_between_frames_and_the_rate_lies_in_its_interval() -> None:
    made, found = _made(), _found()
    tracks = link_sites(found.sites, memory=3, diffusion=0.01, position_error="0.02 nm")
    assert len(np.unique(tracks["track"])) == 2
    counted = count_hops(tracks, found.lattice)
    moved = int((np.diff(made.node, axis=0) != 0).sum())
    assert int(counted.classes["n_hops"][0]) == moved > 0
    row = counted.classes.isel(row=0)
    assert row["rate_low"] < made.n_hops / (2 * (N_FRAMES - 1)) < row["rate_high"]


def test_a_movie_that_is_lazy_gives_the_same() -> None:
    movie = _made().movie.isel(frame=slice(3))
    lazy = find_impurities_in_movie(movie.chunk({"frame": 1}))
    np.testing.assert_array_equal(
        positions(lazy.seen), positions(find_impurities_in_movie(movie).seen)
    )


def test_a_stated_scale_is_kept_and_compared() -> None:
    made = _made().movie.isel(frame=slice(2))
    step = 0.142 / 9 * 1.02
    nm = {dim: (dim, made[dim].values * step, {"units": "nm"}) for dim in ("y", "x")}
    found = find_impurities_in_movie(made.assign_coords(nm))
    # The lattice of two noisy frames is good to some 0.3 %.
    read = re.search(r"The stated scale, which is kept, reads \+([\d.]+) %", found.verdict)
    assert read is not None
    assert float(read[1]) == pytest.approx(2.0, abs=0.4)
    assert found.lattice.attrs["spacing"] == pytest.approx(1.02 * 0.142, rel=6e-3)


def test_noise_without_a_lattice_is_an_error_that_says_what_to_try() -> None:
    noise = np.random.default_rng(0).normal(size=(2, 96, 96))
    movie = image_from_array(noise[0]).expand_dims(frame=2).copy(data=noise)
    with pytest.raises(NoLatticeError, match="none of 2 frames shows the lattice of graphene"):
        find_impurities_in_movie(movie)


def test_a_limit_that_is_not_positive_is_refused() -> None:
    with pytest.raises(SettingError, match=r"min_score=0\.0 must be above 0"):
        find_impurities_in_movie(_made().movie, min_score=0.0)


def test_a_frame_without_the_lattice_is_a_gap_and_told() -> None:
    movie = _made().movie.isel(frame=slice(4)).copy(deep=True)
    noise = np.random.default_rng(1).poisson(3.0, movie.shape[1:])
    noise[70:75, 70:75] += 60
    movie[2] = noise
    found = find_impurities_in_movie(movie)
    assert sorted(set(found.sites.frame.values)) == [0, 1, 3]
    assert found.left_out["why"].values.tolist() == ["no lattice"]
    assert np.isnan(found.frames["drift_y"].values[2])
    assert "Frame 2: no lattice is seen." in found.verdict
    assert "None is seen in frames 2." in found.verdict


@pytest.mark.parametrize("level", [0.0, np.nan])
def test_a_blank_frame_or_one_that_was_not_measured_has_nothing(level: float) -> None:
    movie = _made().movie.isel(frame=slice(3)).copy(deep=True)
    movie[1] = level
    found = find_impurities_in_movie(movie)
    assert sorted(set(found.sites.frame.values)) == [0, 2]
    assert found.left_out.sizes["site"] == 0
    assert "None is seen in frames 1." in found.verdict


@pytest.mark.parametrize("shape", ["square", "hexagonal"])
def test_columns_of_other_lattices_are_those_of_their_cell(shape: Literal["square"]) -> None:
    crystal = Crystal(shape, spacing="14 px", rotation=12.0)
    made = simulate_lattice(crystal=crystal, size=160, snr=1e3, seed=0)
    still = made.image.values
    truth = positions(made.truth)
    at = truth[np.argmin(np.hypot(*(truth - 80).T))]
    y, x = np.mgrid[:160, :160]
    bright = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * 4.0**2))
    noise = np.random.default_rng(0).normal(0, 0.25 * np.ptp(still), (3, 160, 160))
    frames = still + 3 * np.ptp(still) * bright + noise
    movie = image_from_array(frames[0]).expand_dims(frame=3).copy(data=frames)
    found = find_impurities_in_movie(movie, lattice=f"{shape} 0.28 nm")
    assert found.lattice.attrs["spacing"] == pytest.approx(0.28, rel=0.01)
    assert _pixel(found) == pytest.approx(0.02, rel=0.01)
    assert found.sites.frame.values.tolist() == [0, 1, 2]
    # A tenth of the distance.
    assert found.sites["off_column"].max() < 0.028
