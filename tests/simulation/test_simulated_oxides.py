"""Disordered oxides of two phases: the nets are those told, and so is what is in a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation import Microscope, Oxide, build_oxide, simulate_oxide

PERFECT = Oxide(m1_share=1.0, displacement="0 nm", rotation=0.0)


def test_the_first_phase_has_the_columns_of_a_cell_of_m1() -> None:
    field = (8 * 2.66, 8 * 2.11)
    sites = build_oxide(oxide=Oxide(m1_share=1.0, rotation=0.0), field=field, seed=3)
    kinds, counts = np.unique(sites["class"].values, return_counts=True)
    per_cell = dict(zip(kinds.tolist(), counts / 64, strict=True))
    # {Nb(Mo5)} four times, sixteen linking columns, four half empty channels.
    expected = {"M1 center": 4, "M1 ring": 20, "M1 link": 16, "M1 channel": 4}
    assert per_cell == pytest.approx(expected, rel=0.06)


def test_pentagonal_units_are_five_columns_round_one() -> None:
    sites = build_oxide(oxide=PERFECT, field=(12.0, 12.0), margin=1.0)
    places, kind = positions(sites), sites["sublattice"].values
    distance, neighbor = KDTree(places).query(places[kind == 0], k=7)
    inner = np.flatnonzero(((places[kind == 0] > 0) & (places[kind == 0] < 12)).all(axis=1))
    assert (kind[neighbor[inner, 1:6]] == 1).all()
    np.testing.assert_allclose(distance[inner, 1:6], 0.33, atol=1e-9)
    # The next column is a bond farther away.
    assert distance[inner, 6].min() > 0.5


def test_no_two_columns_touch_not_even_at_the_boundary() -> None:
    sites = build_oxide(oxide=Oxide(displacement="0 nm"), field=(20.0, 20.0), seed=1)
    places = positions(sites)
    assert KDTree(places).query(places, k=2)[0][:, 1].min() > 0.24


def test_columns_of_a_type_are_filled_by_chance_with_what_belongs_there() -> None:
    oxide = Oxide(m1_share=1.0, n_layers=20)
    sites = build_oxide(oxide=oxide, field=(20.0, 20.0))
    ring = sites.isel(site=sites["class"].values == "M1 ring")
    vanadium = ring["composition"].sel(element="V").values
    # Binomial: a mean of 0.2, and a variance of 0.2 * 0.8 / 20.
    assert vanadium.mean() == pytest.approx(0.2, abs=0.01)
    assert vanadium.std() == pytest.approx(np.sqrt(0.2 * 0.8 / 20), rel=0.08)


def test_every_pixel_is_of_the_phase_whose_columns_are_there() -> None:
    simulation = simulate_oxide(size=256, field="8 nm", seed=2)
    label = simulation.regions["label"]
    assert label.dims == ("y", "x")
    truth = simulation.truth
    here = label.sel(y=truth["y"], x=truth["x"], method="nearest").values
    # Half a pixel of 0.03 nm in columns 0.3 nm apart.
    assert (here == truth["phase"].values).mean() > 0.99
    assert 0.35 < (label.values == 0).mean() < 0.65


def test_the_dose_leaves_the_sample_as_it_is() -> None:
    one, other = (
        simulate_oxide(size=64, field="4 nm", microscope=Microscope(electrons=n))
        for n in (1.0, 9.0)
    )
    np.testing.assert_array_equal(one.truth["composition"], other.truth["composition"])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"m1_share": 1.5}, "m1_share=1.5 is a share of the field"),
        ({"n_layers": 0}, "n_layers=0 must be 1 or more"),
        ({"displacement": "1 d"}, "displacement='1 d' must be a length in nm"),
    ],
)
def test_settings_that_make_no_oxide_are_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        Oxide(**settings)  # type: ignore[arg-type]


def test_a_field_without_size_is_refused() -> None:
    with pytest.raises(SettingError, match="hold no atoms"):
        build_oxide(field=(0.0, 1.0))


@pytest.mark.parametrize("settings", [{"margin": -1.0}, {"field": (4.0, np.nan)}])
def test_an_oxide_without_extent_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="hold no atoms"):
        build_oxide(**({"field": (4.0, 4.0)} | settings))
