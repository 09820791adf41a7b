"""Maps of elements have the counts that were put in, and errors as large as they scatter."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from electron_spectra import rows, spectral_map

from adatom.correction import find_edges, find_lines, maps_from_edges, maps_from_lines
from adatom.errors import SettingError, UnitError
from adatom.numerics.transitions import find_transition, transitions
from adatom.schema import notes
from adatom.simulation import simulate_eels_map

Array = np.ndarray[Any, Any]
LOSS = np.arange(400.0, 800.0)
XRAY = np.arange(200.0, 10_000.0, 10.0)


def _edge(name: str, height: float) -> Array:
    onset = find_transition(name, "edge").energy
    return np.where(onset <= LOSS, height * np.exp(-(LOSS - onset) / 60), 0.0)


def _line(name: str, counts: float) -> Array:
    energy = find_transition(name, "line").energy
    sigma = np.sqrt(2.5 * (energy - 5898.75) + 130**2) / 2.3548
    shape = np.exp(-0.5 * ((XRAY - energy) / sigma) ** 2)
    return np.asarray(counts * shape / shape.sum())


def test_net_counts_of_edges_are_exact_without_noise() -> None:
    spectra = 1e4 * (LOSS / 500) ** -3.1 + _edge("O K", 500)
    found = maps_from_edges(rows(spectra[None], LOSS), edges=["O K"], width="50 eV")
    inside = (LOSS >= 532) & (LOSS <= 582)
    assert found.maps.item() == pytest.approx(_edge("O K", 500)[inside].sum(), rel=1e-6)
    assert found.maps.element.values.tolist() == ["O K"]


def test_errors_of_edges_are_as_large_as_maps_scatter() -> None:
    mean = 5 * (LOSS / 500) ** -3.1 + _edge("O K", 1.0) + _edge("Ti L3", 1.5)
    counts = np.random.default_rng(1).poisson(mean, (3000, LOSS.size)).astype(float)
    found = maps_from_edges(rows(counts, LOSS), edges=["O K", "Ti L"])
    assert found.maps.element.values.tolist() == ["Ti L3", "O K"]
    # 3000 rows tell a standard deviation to 1.3 %.
    ratio = found.maps.std("site") / found.errors.mean("site")
    np.testing.assert_allclose(ratio, 1, atol=0.06)


@pytest.mark.parametrize(("level", "tolerance"), [(5.0, 0.06), (20.0, 0.02)])
def test_a_short_extrapolation_at_few_counts_is_not_biased(level: float, tolerance: float) -> None:
    # The mean of the plain exponential is 17 % too high at five counts, 4 % at twenty.
    mean = level * (LOSS / 700) ** -3.0
    counts = np.random.default_rng(9).poisson(mean, (20_000, LOSS.size)).astype(float)
    found = maps_from_edges(rows(counts, LOSS), edges=["Fe L"], fit_width="28 eV", gain=1.0)
    below = mean[(LOSS >= 708) & (LOSS <= 764)].sum()
    assert abs(float(found.maps.mean())) < tolerance * below


def test_the_gain_is_found_from_the_scatter_of_channels() -> None:
    mean = 50 * (LOSS / 500) ** -3.1 + _edge("O K", 10)
    electrons = np.random.default_rng(2).poisson(mean, (500, LOSS.size))
    found = maps_from_edges(rows(8.0 * electrons, LOSS), edges=["O K"])
    assert "as 8" in notes(found.maps)[-1] or "as 7.9" in notes(found.maps)[-1]
    assert float(found.maps.std() / found.errors.mean()) == pytest.approx(1, abs=0.15)
    given = maps_from_edges(rows(8.0 * electrons, LOSS), edges=["O K"], gain=8.0)
    np.testing.assert_allclose(given.errors, found.errors, rtol=0.05)


def test_windows_keep_clear_of_other_edges_and_say_so() -> None:
    spectra = rows(1e4 * (LOSS[None] / 500) ** -3.0, LOSS)
    found = maps_from_edges(spectra, edges=["Cr L3", "O K"])
    windows = found.windows
    assert windows["sum_to"].values[0] <= 575 - 3
    assert "sum ends before Cr L3" in windows["overlaps"].values[0]
    assert windows["fit_from"].values[1] >= (532 + 575) / 2
    assert windows["fit_from"].attrs["units"] == "eV"


def test_edges_too_near_for_windows_are_refused() -> None:
    # The L2 edge of vanadium lies 11 eV before the K edge of oxygen.
    spectra = rows(1e4 * (LOSS[None] / 500) ** -3.0, LOSS)
    with pytest.raises(SettingError, match="O K at 532 eV: 2 channels for its background"):
        maps_from_edges(spectra, edges=["V L3", "O K"])


def test_edges_that_cannot_be_mapped_are_refused() -> None:
    spectra = rows(np.ones((1, LOSS.size)), LOSS)
    with pytest.raises(SettingError, match=r"C K at 284 eV: 0 channels for its background"):
        maps_from_edges(spectra, edges=["C K"])
    with pytest.raises(SettingError, match="known of O are O K"):
        maps_from_edges(spectra, edges=["O L3"])
    with pytest.raises(SettingError, match="names O K twice"):
        maps_from_edges(spectra, edges=["O K", "O K"])
    with pytest.raises(SettingError, match="name the edges, as edges="):
        maps_from_edges(spectra)
    with pytest.raises(UnitError, match="tabled in eV, the measured axis is in 1/cm"):
        maps_from_edges(rows(np.ones((1, LOSS.size)), LOSS, unit="1/cm"), edges=["O K"])


def test_negative_empty_and_missing_spectra_give_what_they_have() -> None:
    values = np.zeros((3, LOSS.size))
    values[1] = np.nan
    values[2] = -1.0
    found = maps_from_edges(rows(values, LOSS), edges=["O K"], gain=1.0)
    assert found.maps.values[0, 0] == 0
    assert np.isnan(found.maps.values[1, 0])
    assert np.isfinite(found.maps.values[2, 0])


def test_edges_are_found_and_a_bare_background_has_none() -> None:
    background = 1e6 * (LOSS / 500) ** -3.1
    mean = background + _edge("O K", 2e5) + _edge("Fe L3", 2e5)
    counts = np.random.default_rng(3).poisson(mean, (4, 4, LOSS.size))
    found = find_edges(spectral_map(counts, LOSS))
    assert found["edge"].values.tolist() == ["O K", "Fe L3"]
    assert found["used"].values.all()
    np.testing.assert_allclose(found["energy"], found["onset"], atol=4)
    bare = np.random.default_rng(4).poisson(background, (4, 4, LOSS.size))
    assert find_edges(spectral_map(bare, LOSS)).sizes["row"] == 0


def test_all_edges_of_six_materials_are_found_and_mapped_where_they_are() -> None:
    simulated = simulate_eels_map(size=64, seed=2)
    found = find_edges(simulated.spectra)
    names = ["C K", "N K", "Ti L3", "O K", "Mn L3", "Fe L3"]
    assert found["edge"].values.tolist() == names
    mapped = maps_from_edges(simulated.spectra, found)
    # Counts of electrons: each is one.
    (told,) = [text for text in notes(mapped.maps) if "for an electron" in text]
    assert float(told.split(" as ")[1].split()[0]) == pytest.approx(1, abs=0.02)
    amount = simulated.abundances * simulated.thickness
    for element, material in (("C K", 0), ("Mn L3", 4), ("Fe L3", 5)):
        # Within its domains counts go with the thickness, and scatter by their errors.
        truth = amount.isel(component=material)
        truth = truth.where(simulated.abundances.isel(component=material) > 0.99)
        values = mapped.maps.sel(element=element)
        slope = float((values * truth).sum() / (truth**2).sum())
        usual = np.sqrt((mapped.errors.sel(element=element) ** 2).where(truth > 0).mean())
        # Extrapolated from 24 channels of some nine counts, iron scatters lopsidedly.
        assert float((values - slope * truth).std() / usual) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("counts", [3.0, 30.0, 3000.0])
def test_net_counts_of_lines_are_unbiased_from_few_counts_to_many(counts: float) -> None:
    mean = 0.02 * counts * np.exp(-XRAY / 5000) + _line("Fe Ka", counts)
    given_rows = np.random.default_rng(5).poisson(mean, (3000, XRAY.size)).astype(float)
    found = maps_from_lines(rows(given_rows, XRAY), lines=["Fe K"], width=2.0)
    scatter, error = float(found.maps.std()), float(found.errors.mean())
    # Two full widths hold 98.1 % of a Gaussian line.
    expected = 0.981 * counts
    assert float(found.maps.mean()) == pytest.approx(
        expected, abs=4 * scatter / np.sqrt(3000) + 0.01 * counts
    )
    assert scatter == pytest.approx(error, rel=0.1)


def test_a_background_keeps_clear_of_the_other_lines_of_mapped_elements() -> None:
    # Mn Kb lies at 6490 eV, one width above Fe Ka.
    mean = 2.0 + _line("Fe Ka", 4000) + _line("Mn Ka", 6000) + _line("Mn Kb", 800)
    found = maps_from_lines(rows(mean[None], XRAY), lines=["Fe Ka", "Mn Ka"])
    manganese = found.maps.sel(element="Mn Ka").item()
    assert manganese == pytest.approx(0.761 * 6000, rel=0.03)
    (iron,) = [text for text in notes(found.maps) if text.startswith("Fe Ka")]
    assert "Mn Kb lies within" in iron


def test_lines_that_cannot_be_mapped_are_refused() -> None:
    spectra = rows(np.ones((1, XRAY.size)), XRAY)
    with pytest.raises(SettingError, match=r"Mo Ka at 17479\.3 eV does not lie on the axis"):
        maps_from_lines(spectra, lines=["Mo K"])
    with pytest.raises(SettingError, match="must be above zero"):
        maps_from_lines(spectra, lines=["Fe K"], width=0.0)


def test_a_steel_is_named_by_its_lines_and_noise_has_no_name() -> None:
    ratio = {"Fe Ka": 40_000, "Fe Kb": 5500, "Fe La": 3000, "Cr Ka": 12_000, "Cr Kb": 1600}
    ratio |= {"Ni Ka": 5000, "Ni Kb": 650, "O Ka": 2000, "Si Ka": 1500}
    background = 300 * np.exp(-XRAY / 4000)
    mean = background + sum(_line(name, counts) for name, counts in ratio.items())
    counts = np.random.default_rng(6).poisson(mean / 64, (8, 8, XRAY.size))
    found = find_lines(spectral_map(counts, XRAY).assign_attrs(beam_energy=20_000.0))
    used = found["line"].values[found["used"].values]
    assert sorted(used) == ["Cr Ka", "Fe Ka", "Ni Ka", "O Ka", "Si Ka"]
    assert {"Fe Kb", "Fe La"} <= set(found["line"].values)
    bare = np.random.default_rng(7).poisson(background / 64, (8, 8, XRAY.size))
    assert find_lines(spectral_map(bare, XRAY)).sizes["row"] == 0


def test_where_nothing_was_found_there_are_no_maps_and_a_note() -> None:
    sparse = spectral_map(np.zeros((4, 4, XRAY.size)), XRAY)
    found = maps_from_lines(sparse, find_lines(sparse))
    assert found.maps.shape == (4, 4, 0)
    assert notes(found.maps)[0].startswith("There are no maps")
    loss = spectral_map(np.zeros((4, 4, LOSS.size)), LOSS)
    assert maps_from_edges(loss, find_edges(loss)).maps.shape == (4, 4, 0)


def test_lazy_maps_stay_lazy_and_give_the_same() -> None:
    counts = np.random.default_rng(8).poisson(2.0 + _line("Fe Ka", 400), (5, 4, XRAY.size))
    spectra = spectral_map(counts.astype(np.float32), XRAY)
    lazy = maps_from_lines(spectra.chunk(y=2, x=3, energy=100), lines=["Fe Ka", "O K"])
    assert hasattr(lazy.maps.data, "dask")
    whole = maps_from_lines(spectra, lines=["Fe Ka", "O K"])
    xr.testing.assert_identical(lazy.maps.compute(), whole.maps)
    xr.testing.assert_identical(lazy.errors.compute(), whole.errors)


def test_the_tables_are_in_order_and_names_are_read_as_people_write_them() -> None:
    for technique in ("edge", "line"):
        table = transitions(technique)
        assert len({one.name for one in table}) == len(table)
    # Within an element a shell deeper down has the higher energy, and L2 lies above L3.
    edges = {one.name: one.energy for one in transitions("edge")}
    for name, energy in edges.items():
        element, shell = name.split()
        for other in {"K": ("L3",), "L2": ("L3",), "L3": ("M5", "M3"), "M4": ("M5",)}.get(
            shell, ()
        ):
            assert energy > edges.get(f"{element} {other}", 0.0)
    assert find_transition("Ti L2,3", "edge").name == "Ti L3"
    assert find_transition("Zr M", "edge").name == "Zr M5"
    assert find_transition("Fe K\u03b11", "line").name == "Fe Ka"
    assert find_transition("Au M", "line").energy == 2122.9


def test_lines_follow_the_law_of_moseley() -> None:
    from ase.data import atomic_numbers

    for shell, bound in (("Ka", 0.08), ("Kb", 0.08), ("La", 0.08)):
        lines = {
            atomic_numbers[one.element]: np.sqrt(one.energy)
            for one in transitions("line")
            if one.shell == shell
        }
        # The root of the energy is nearly linear in the atomic number: a slip would stand out.
        triples = [
            (lines[z - 1], lines[z], lines[z + 1]) for z in lines if {z - 1, z + 1} <= set(lines)
        ]
        assert len(triples) > 15
        assert max(abs(a - 2 * b + c) for a, b, c in triples) < bound


@pytest.mark.parametrize("counts", [5.0, 0.0])
def test_an_axis_that_begins_at_zero_has_no_edges_where_no_power_law_is(counts: float) -> None:
    energy = np.arange(200.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_edges(rows(np.full((1, 200), counts), energy))
    assert found["edge"].size == 0
