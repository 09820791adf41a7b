from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import notes
from adatom.simulation import EELSSimulation, simulate_eels_map


@pytest.fixture(scope="module")
def simulation() -> EELSSimulation:
    return simulate_eels_map(size=64, seed=0)


def _edge_energy(simulation: EELSSimulation, material: str, low: float, high: float) -> float:
    """Give the energy at which the spectrum rises most between two energies."""
    spectrum = simulation.endmembers.sel(component=material)
    energy = spectrum["energy"].values
    window = (energy >= low) & (energy <= high)
    rise = np.clip(np.diff(spectrum.values[window]), 0, None)
    middles = energy[window][:-1] + 0.5
    return float((middles * rise).sum() / rise.sum())


def test_counts_are_poisson_about_the_mixture_of_the_endmembers(
    simulation: EELSSimulation,
) -> None:
    expected = simulation.thickness.values[..., None] * (
        simulation.abundances.values @ simulation.endmembers.values
    )
    counts = simulation.spectra.values.astype(float)
    assert np.array_equal(counts, np.round(counts))
    # Of 4 million values the mean and the variance over the mean are one to a thousandth or two.
    assert counts.sum() / expected.sum() == pytest.approx(1, abs=2e-3)
    assert ((counts - expected) ** 2 / expected).mean() == pytest.approx(1, abs=5e-3)


def test_every_material_has_nine_counts_a_channel(simulation: EELSSimulation) -> None:
    np.testing.assert_allclose(simulation.endmembers.mean("energy"), 9.0)


@pytest.mark.parametrize(
    ("material", "low", "high"),
    [
        ("C", 275, 290),
        ("TiN", 392, 405),
        ("TiO2", 525, 536),
        ("Mn oxide", 630, 645),
        ("Fe oxide", 700, 712),
    ],
)
def test_edges_rise_at_their_onsets(
    simulation: EELSSimulation, material: str, low: float, high: float
) -> None:
    onsets = {"C": 284, "TiN": 401, "TiO2": 532, "Mn oxide": 640, "Fe oxide": 708}
    # The line at the onset is what rises: within the width of a channel or two.
    assert abs(_edge_energy(simulation, material, low, high) - onsets[material]) < 1.5


def test_the_two_oxides_of_titanium_differ_by_their_chemical_shift(
    simulation: EELSSimulation,
) -> None:
    shift = _edge_energy(simulation, "TiO2", 445, 460) - _edge_energy(
        simulation, "reduced Ti oxide", 445, 458
    )
    assert shift == pytest.approx(1.8, abs=0.25)


def test_borders_are_mixed_and_the_label_is_the_largest_share(
    simulation: EELSSimulation,
) -> None:
    shares = simulation.abundances.values
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0)
    assert np.array_equal(shares.argmax(axis=-1), simulation.truth["label"].values)
    assert 0.3 < (shares.max(axis=-1) < 0.999).mean() < 0.9
    assert simulation.truth["count"].values.min() > 0


def test_thickness_runs_from_six_tenths_to_one_and_four_tenths(
    simulation: EELSSimulation,
) -> None:
    assert simulation.thickness.values.min() == pytest.approx(0.6)
    assert simulation.thickness.values.max() == pytest.approx(1.4)


def test_known_endmembers_nearly_tell_the_materials(simulation: EELSSimulation) -> None:
    shapes = simulation.endmembers.values / simulation.endmembers.values.sum(axis=1, keepdims=True)
    likeliest = (simulation.spectra.values @ np.log(shapes).T).argmax(axis=-1)
    # Six seeds gave 0.87 to 0.91: it is mixed pixels that are missed.
    found = adjusted_rand_index(likeliest, simulation.truth["label"].values)
    assert 0.86 < found < 0.93


def test_the_map_does_not_depend_on_threads_and_says_what_it_is() -> None:
    with use_executor(SerialExecutor()):
        one = simulate_eels_map(size=8, n_channels=32, seed=5)
    with use_executor(ThreadExecutor(3)):
        other = simulate_eels_map(size=8, n_channels=32, seed=5)
    assert one.spectra.identical(other.spectra)
    assert notes(one.spectra) == ["simulated: core losses of six materials, seed=5"]


def test_other_counts_leave_the_sample_as_it_is() -> None:
    few, many = (simulate_eels_map(size=16, n_channels=8, counts=c) for c in (1.0, 50.0))
    assert few.truth.identical(many.truth)
    assert few.thickness.identical(many.thickness)


def test_impossible_settings_are_named() -> None:
    with pytest.raises(SettingError, match=r"size=1 and n_channels=1024 must be 2 or more"):
        simulate_eels_map(size=1)
    with pytest.raises(SettingError, match=r"counts=0\.0 must be positive"):
        simulate_eels_map(size=4, counts=0.0)
