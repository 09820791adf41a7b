"""Kinetic Monte Carlo: what happens happens at the stated rates, and never to two in one place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist
from scipy.stats import binom, chi2, poisson

from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import positions
from adatom.simulation import Crystal, Kinetics, KineticSimulation, simulate_kinetics

LATTICE = Crystal("hexagonal", spacing="0.3 nm")
# On a hexagonal lattice a^2 k / 4 with a = 0.3 nm, k = 0.5/s.
D_OF_HALF = 0.3**2 * 0.5 / 4
ALONE = Kinetics(("a",), n_defects=60, hops=(0.5,), turns=(), changes=(), closest="0.1 d")
BUSY = Kinetics(
    ("a", "b", "c"),
    n_defects=150,
    hops=(0.3, 0.1, 0.0),
    turns=(0.2, 0.0, 0.1),
    changes=((0.0, 0.05, 0.02), (0.1, 0.0, 0.0), (0.0, 0.03, 0.0)),
    births=(0.5, 0.0, 0.2),
    deaths=(0.0, 0.01, 0.02),
)


def _busy(seed: int = 0, n_frames: int = 100) -> KineticSimulation:
    return simulate_kinetics(
        kinetics=BUSY, crystal=LATTICE, field="16 nm", n_frames=n_frames, seed=seed
    )


def _covered(count: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Whether exact Poisson intervals of 95 % of the expectation, from the counts, hold it."""
    low = np.where(count > 0, chi2.ppf(0.025, 2 * count) / 2, 0.0)
    return np.asarray((low <= expected) & (expected <= chi2.ppf(0.975, 2 * count + 2) / 2))


def test_every_process_happens_at_its_rate() -> None:
    covered = []
    for seed in range(12):
        rates = _busy(seed).rates
        expected = rates["rate"].values * rates["time_at_risk"].values
        some = expected > 0
        covered.append(_covered(rates["events"].values[some], expected[some]))
        assert (rates["events"].values[~some] == 0).all()
    hits = int(np.sum(covered))
    # Exact intervals hold 95 % or a little more: a shortfall beyond one in 1,000 is a wrong rate.
    assert hits > binom.ppf(0.001, np.size(covered), 0.95)
    assert np.size(covered) >= 12 * 12


def test_counts_of_events_are_those_of_the_table_of_events() -> None:
    simulation = _busy()
    event, rates = simulation.events["event"].values, simulation.rates
    for name in ("turn", "birth", "death", "change"):
        told = rates["events"].values[rates["event"].values == name].sum()
        assert told == (event == name).sum()
    tried = rates["events"].values[rates["event"].values == "hop"].sum()
    assert tried == np.isin(event, ["hop", "refused"]).sum()


def test_the_sites_are_what_the_events_lead_to() -> None:
    simulation = _busy(n_frames=30)
    events, sites = simulation.events, simulation.sites
    state: dict[int, tuple[int, ...]] = {}
    number = 0
    for frame in range(30):
        while number < events.sizes["row"] and events["time"].values[number] <= frame:
            row = events.isel(row=number)
            track = int(row["track"])
            if row["event"] == "death":
                del state[track]
            else:
                state[track] = tuple(int(row[n]) for n in ("place", "class", "orientation"))
            number += 1
        here = sites.isel(site=sites["frame"].values == frame)
        columns = [here[n].values.tolist() for n in ("track", "place", "class", "orientation")]
        assert {track: rest for track, *rest in zip(*columns, strict=True)} == {
            track: list(rest) for track, rest in state.items()
        }


def test_two_defects_are_never_in_one_place_nor_nearer_than_allowed() -> None:
    crowded = Kinetics(("a",), n_defects=60, hops=(2.0,), turns=(), changes=(), births=(1.0,))
    for closest, least in (("0.5 d", 0.3), ("1.1 d", 0.3 * np.sqrt(3))):
        sites = simulate_kinetics(
            kinetics=replace(crowded, closest=closest),
            crystal=LATTICE,
            field="6 nm",
            n_frames=20,
            seed=3,
        ).sites
        for frame in range(20):
            place = positions(sites.isel(site=sites["frame"].values == frame))
            assert pdist(place).min() > least - 1e-9


def test_hops_lead_to_neighbors_in_all_directions_alike() -> None:
    simulation = simulate_kinetics(
        kinetics=ALONE, crystal=LATTICE, field="40 nm", n_frames=200, seed=4
    )
    events = simulation.events.isel(row=simulation.events["event"].values != "refused")
    order = np.lexsort((events["time"].values, events["track"].values))
    place = np.column_stack([events["y"].values, events["x"].values])[order]
    same = np.diff(events["track"].values[order]) == 0
    step = np.diff(place, axis=0)[same]
    assert np.linalg.norm(step, axis=1) == pytest.approx(0.3)
    angle = np.degrees(np.arctan2(step[:, 0], step[:, 1]))
    sector = np.rint((angle - angle[0]) / 60).astype(int) % 6
    counts = np.bincount(sector, minlength=6)
    # Chi squared of 5 degrees of freedom: 20.5 is passed once in 1,000.
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 20.5


def _diffusion_by_axis(simulation: KineticSimulation) -> np.ndarray:
    """From all steps between frames, which are independent where little stops a defect."""
    sites = simulation.sites
    order = np.lexsort((sites["frame"].values, sites["track"].values))
    place = positions(sites)[order]
    same = np.diff(sites["track"].values[order]) == 0
    return np.asarray((np.diff(place, axis=0)[same] ** 2).mean(axis=0) / 2)


def test_diffusion_is_a_squared_times_the_rate_over_four() -> None:
    simulation = simulate_kinetics(
        kinetics=ALONE, crystal=LATTICE, field="60 nm", n_frames=400, seed=5
    )
    assert simulation.sites.attrs["diffusion"] == pytest.approx([D_OF_HALF])
    hops = simulation.rates.isel(row=simulation.rates["event"].values == "hop")
    assert hops["diffusion"].values == pytest.approx(D_OF_HALF)
    # 12,000 hops; three standard errors of their number.
    found = _diffusion_by_axis(simulation)
    assert found.mean() == pytest.approx(D_OF_HALF, rel=3 / np.sqrt(60 * 400 * 0.5))
    assert float(hops["diffusion_done"][0]) == pytest.approx(found.mean(), rel=0.02)


@pytest.mark.parametrize(
    ("lattice", "ratio", "angle"), [("hexagonal", 2.5, 0.0), ("square", 9.0, 90.0)]
)
def test_diffusion_may_be_faster_along_one_axis(lattice: str, ratio: float, angle: float) -> None:
    crystal = Crystal(lattice, spacing="0.3 nm", rotation=0.0)  # type: ignore[arg-type]
    kinetics = replace(ALONE, anisotropy=ratio, fast_axis=angle)
    simulation = simulate_kinetics(
        kinetics=kinetics, crystal=crystal, field="60 nm", n_frames=400, seed=6
    )
    along, across = _diffusion_by_axis(simulation)[[1, 0] if angle == 0 else [0, 1]]
    assert along / across == pytest.approx(ratio, rel=0.08)
    hops = simulation.rates.isel(row=0)
    told = (float(hops["diffusion_xx"]), float(hops["diffusion_yy"]))
    assert told[0] / told[1] == pytest.approx(ratio if angle == 0 else 1 / ratio)
    assert float(hops["diffusion_yx"]) == pytest.approx(0.0, abs=1e-12)


def test_classes_change_from_frame_to_frame_as_the_matrix_says() -> None:
    sites = simulate_kinetics(
        kinetics=replace(BUSY, births=()), crystal=LATTICE, field="16 nm", n_frames=200, seed=7
    ).sites
    order = np.lexsort((sites["frame"].values, sites["track"].values))
    label = sites["class"].values[order]
    same = np.diff(sites["track"].values[order]) == 0
    counts = np.zeros((3, 3))
    np.add.at(counts, (label[:-1][same], label[1:][same]), 1)
    true = np.array(sites.attrs["transition_matrix"])
    error = np.sqrt(true * (1 - true) / counts.sum(axis=1, keepdims=True))
    # Nine entries of a normal error: 3.6 is passed by one matrix in 300.
    assert (abs(counts / counts.sum(axis=1, keepdims=True) - true) < 3.6 * error + 1e-12).all()


def test_lifetimes_and_numbers_are_those_of_births_and_deaths() -> None:
    kinetics = Kinetics(
        ("a",), n_defects=40, hops=(), turns=(), changes=(), births=(2.0,), deaths=(0.05,)
    )
    sites = simulate_kinetics(
        kinetics=kinetics, crystal=LATTICE, field="20 nm", n_frames=4000, frame_time="5 s", seed=8
    ).sites
    # Births over deaths, a Poisson number in the steady state; frames 5 s apart are correlated.
    number = np.bincount(sites["frame"].values)[50:]
    assert number.mean() == pytest.approx(40, rel=0.02)
    assert number.var() == pytest.approx(40, rel=0.15)


def test_orientations_are_visited_alike() -> None:
    simulation = _busy(n_frames=300)
    turning = simulation.sites["class"].values != 1
    share = np.bincount(simulation.sites["orientation"].values[turning]) / turning.sum()
    assert share == pytest.approx([1 / 3] * 3, abs=0.05)
    assert simulation.sites.attrs["point_group"] == "C3"


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    one, same, other = _busy(1), _busy(1), _busy(2)
    for part, again in zip(one, same, strict=True):
        xr.testing.assert_identical(part, again)
    assert not one.events["time"].equals(other.events["time"])


def test_frames_lie_at_multiples_of_the_frame_time() -> None:
    sites = simulate_kinetics(
        kinetics=ALONE, crystal=LATTICE, field="16 nm", n_frames=5, frame_time="0.5 s"
    ).sites
    assert np.unique(sites["time"].values).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert sites["time"].attrs["units"] == "s"
    assert sites.attrs["frame_time"] == 0.5


def test_a_slow_walk_and_a_fast_movie_are_the_same_per_frame() -> None:
    slow = simulate_kinetics(
        kinetics=replace(ALONE, hops=(5.0,)), crystal=LATTICE, field="60 nm", frame_time="0.1 s"
    )
    told = slow.rates.isel(row=0)
    assert poisson.ppf(0.0005, 3000) < int(told["events"]) < poisson.ppf(0.9995, 3000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hops": (1.0,)}, r"hops has 1 values, 5 classes need 5"),
        ({"changes": ((0.0,) * 5,)}, r"changes has 1 rows, 5 classes need 5"),
        ({"deaths": (-1.0,) * 5}, r"deaths=.*all must be 0 or more"),
        ({"classes": ("a", "a")}, r"give one name or more, each of its own"),
        ({"anisotropy": 0.0}, r"anisotropy=0.0 is a ratio"),
    ],
)
def test_impossible_rates_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Kinetics(**settings)  # type: ignore[arg-type]


def test_too_many_defects_are_refused_with_the_number_that_fits() -> None:
    with pytest.raises(SettingError, match=r"n_defects=500: only \d+ found room on \d+ places"):
        simulate_kinetics(kinetics=Kinetics(n_defects=500), field="3 nm")


def test_an_anisotropy_that_the_lattice_cannot_have_is_refused() -> None:
    with pytest.raises(SettingError, match=r"a hexagonal lattice allows 1/3 to 3"):
        simulate_kinetics(
            kinetics=replace(ALONE, anisotropy=5.0, fast_axis=30.0),
            crystal=replace(LATTICE, rotation=0.0),
            field="9 nm",
        )


def test_a_lattice_with_several_columns_in_a_cell_is_refused() -> None:
    with pytest.raises(SettingError, match=r"honeycomb has several columns in a cell"):
        simulate_kinetics(crystal=Crystal("honeycomb", spacing="0.2 nm"))


def test_a_field_without_places_is_refused() -> None:
    with pytest.raises(TooFewSitesError, match=r"hops need 2 or more: take a larger field"):
        simulate_kinetics(kinetics=ALONE, crystal=LATTICE, field="0.1 nm")
