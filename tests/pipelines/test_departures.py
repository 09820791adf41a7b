"""Departures in the frames of a movie: all defects of a simulated sheet, at their places."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import xarray as xr
from scipy.spatial import cKDTree

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.pipelines import MovieDepartures, find_departures_in_movie
from adatom.schema import notes, positions
from adatom.simulation import DefectiveSheet, KineticMovie, Kinetics, simulate_kinetic_movie


@cache
def _made() -> KineticMovie:
    sheet = DefectiveSheet(kinetics=Kinetics(n_defects=12), lost=0.0)
    return simulate_kinetic_movie(sheet=sheet, n_frames=4, size=224, field="6.2 nm", seed=2)


@cache
def _found() -> MovieDepartures:
    return find_departures_in_movie(_made().movie, n_columns=2)


def _in_frame(sites: xr.Dataset, number: int) -> np.ndarray:
    return positions(sites.isel(site=sites["frame"].values == number))


def test_all_defects_are_found_and_hardly_anything_else() -> None:
    hits = 0
    for number in range(4):
        true, found = _in_frame(_made().truth, number), _in_frame(_found().sites, number)
        distance, _ = cKDTree(found).query(true)
        hits += int((distance < 0.1).sum())
        # The lattice tells the place: centers of atoms that moved aside do not.
        assert np.median(distance) < 0.03
    assert hits == _made().truth.sizes["site"]
    assert _found().sites.sizes["site"] <= hits + 2


def test_pictures_counts_and_times_come_along() -> None:
    found = _found()
    assert found.patches.sizes["site"] == found.sites.sizes["site"]
    assert np.array_equal(found.patches["y"].values, found.sites["y"].values)
    rows, columns = found.patches.attrs["patch_shape"]
    assert rows * columns == found.patches.sizes["feature"]
    assert found.sites["time"].attrs["units"] == "s"
    assert np.array_equal(found.sites["time"].values, found.sites["frame"].values * 1.0)
    counts = found.counts["departures"].values
    assert counts.tolist() == np.bincount(found.sites["frame"].values, minlength=4).tolist()
    assert (found.counts["places"].values > 700).all()
    # Those at the edge are not.
    judged = found.counts["judged"].values / found.counts["places"].values
    assert ((judged > 0.8) & (judged < 1)).all()


def test_frames_without_a_lattice_are_named_with_a_reason() -> None:
    movie = _made().movie.isel(frame=slice(3)).load().copy()
    movie[1] = np.random.default_rng(0).normal(size=movie.shape[1:])
    found = find_departures_in_movie(movie, n_columns=2)
    assert found.counts["departures"].values[1] == 0
    assert found.counts["reason"].values[1] != ""
    assert "1 frames show no lattice and have no sites: 1" in notes(found.sites)[-1]
    with pytest.raises(NoLatticeError, match="none of"):
        find_departures_in_movie(movie.isel(frame=[1, 1]), n_columns=2)


def test_dark_atoms_are_told_apart_from_bright_ones() -> None:
    movie = (-_made().movie.isel(frame=slice(1))).assign_attrs(_made().movie.attrs)
    found = find_departures_in_movie(movie, n_columns=2, contrast="dark")
    assert np.array_equal(
        positions(found.sites), positions(_found().sites.isel(site=_found().sites["frame"] == 0))
    )


def test_wrong_input_is_told() -> None:
    with pytest.raises(SettingError, match="n_columns=0"):
        find_departures_in_movie(_made().movie, n_columns=0)
    regions = xr.DataArray(np.ones((8, 8), dtype=bool), dims=("y", "x"))
    regions = regions.assign_coords({d: (d, np.arange(8.0), {"units": "nm"}) for d in "yx"})
    with pytest.raises(KindError, match="do not cover"):
        find_departures_in_movie(_made().movie, regions, n_columns=2)
