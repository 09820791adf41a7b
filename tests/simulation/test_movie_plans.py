"""Plans of movies: what theory promises is what simulated movies give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.schema import Sites, positions
from adatom.simulation import (
    Brownian,
    Crystal,
    Kinetics,
    PlannedMovie,
    plan_movie,
    simulate_brownian,
    simulate_kinetics,
)

FREE = PlannedMovie(
    n_frames=40,
    n_defects=25,
    exposure=0.6,
    diffusion=0.5,
    hop_length="0 nm",
    localization_error="0.8 nm",
)


def _estimated(sites: Sites) -> float:
    """Diffusion by the covariance estimator, both axes and all tracks pooled, frames of 1 s."""
    order = np.lexsort((sites["frame"].values, sites["track"].values))
    place, track = positions(sites)[order], sites["track"].values[order]
    step = np.diff(place, axis=0)
    one = np.diff(track) == 0
    two = one[:-1] & one[1:]
    return float((step[one] ** 2).mean() / 2 + (step[:-1][two] * step[1:][two]).mean())


def test_the_planned_error_of_free_diffusion_is_that_of_simulated_movies() -> None:
    particles = Brownian(
        n_particles=25, diffusion=(0.5,), localization_error="0.8 nm", exposure=0.6
    )
    # A wide field, so that all tracks have all frames.
    found = [
        _estimated(simulate_brownian(particles=particles, field="9999 nm", n_frames=40, seed=seed))
        for seed in range(300)
    ]
    planned = float(plan_movie(movie=FREE)["error"][0])
    assert np.mean(found) == pytest.approx(0.5, rel=0.02)
    # The standard deviation of 300 values is known to 4 %: three of these.
    assert 1.96 * np.std(found) / 0.5 == pytest.approx(planned, rel=0.12)


def test_the_planned_error_of_hops_on_a_lattice_is_that_of_simulated_movies() -> None:
    rate, length = 0.3, 0.3
    kinetics = Kinetics(
        ("a",), n_defects=25, hops=(rate,), turns=(), changes=(), closest="0.1 d", orientations=1
    )
    simulations = [
        simulate_kinetics(
            kinetics=kinetics,
            crystal=Crystal("hexagonal", spacing="0.3 nm"),
            field="18 nm",
            n_frames=40,
            seed=seed,
        )
        for seed in range(200)
    ]
    true = length**2 * rate / 4
    plan = plan_movie(
        movie=PlannedMovie(
            n_frames=40,
            n_defects=25,
            exposure=0.0,
            diffusion=true,
            hop_length=f"{length} nm",
            localization_error="0 nm",
        )
    )
    found = [_estimated(simulation.sites) for simulation in simulations]
    assert 1.96 * np.std(found) / true == pytest.approx(float(plan["error"][0]), rel=0.15)
    # Hops of 40 s here, of 39 between the first and the last frame in the plan.
    hops = [float(simulation.rates["events"][0]) for simulation in simulations]
    assert 1.96 * np.std(hops) / np.mean(hops) == pytest.approx(float(plan["error"][1]), rel=0.15)


def test_the_planned_error_of_a_rate_is_that_of_simulated_movies() -> None:
    kinetics = Kinetics(
        ("a", "b"), n_defects=30, hops=(), turns=(), changes=((0.0, 0.05), (0.05, 0.0))
    )
    found = []
    for seed in range(300):
        rates = simulate_kinetics(kinetics=kinetics, field="6 nm", n_frames=60, seed=seed).rates
        row = rates.isel(row=int(np.flatnonzero(rates["to_class"].values == "b")[0]))
        found.append(float(row["events"]) / float(row["time_at_risk"]))
    plan = plan_movie(movie=PlannedMovie(n_frames=60, n_defects=30, rate=0.05, share=0.5))
    assert np.mean(found) == pytest.approx(0.05, rel=0.03)
    assert 1.96 * np.std(found) / 0.05 == pytest.approx(float(plan["error"][-1]), rel=0.12)


def test_what_is_needed_reaches_the_target() -> None:
    plan = plan_movie(movie=FREE, diffusion_error=0.1)
    assert float(plan["error"][0]) > 0.1
    frames, defects = int(plan["frames_needed"][0]), int(plan["defects_needed"][0])
    for enough, short in (
        (replace(FREE, n_frames=frames), replace(FREE, n_frames=frames - 1)),
        (replace(FREE, n_defects=defects), replace(FREE, n_defects=defects - 1)),
    ):
        assert float(plan_movie(movie=enough)["error"][0]) <= 0.1
        assert float(plan_movie(movie=short)["error"][0]) > 0.1


def test_the_dose_factor_brings_the_error_to_its_target() -> None:
    plan = plan_movie(movie=FREE, diffusion_error=0.25)
    factor = float(plan["dose_factor"][0])
    error = 0.8 / np.sqrt(factor)
    changed = replace(FREE, localization_error=f"{error} nm")
    assert float(plan_movie(movie=changed)["error"][0]) == pytest.approx(0.25, rel=1e-4)


def test_a_verdict_tells_what_to_do() -> None:
    rate = plan_movie(movie=PlannedMovie(rate=0.5, share=0.2))["verdict"].values[-1]
    assert rate == (
        "rate: 792 changes give it within 7 %; but 0.5 changes a frame hide one another: "
        "take frames of 0.4 s or less"
    )
    short = plan_movie(movie=PlannedMovie(n_frames=20))["verdict"].values[0]
    assert short.startswith("D from displacements: 80 defects in 20 frames give it within 22 %, 10")
    assert short.endswith("no dose makes up for them")


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(SettingError, match=r"rate=0.0 must be more than 0: what is never seen"):
        PlannedMovie(rate=0.0)
    with pytest.raises(SettingError, match=r"rate_error=20 is a relative error"):
        plan_movie(rate_error=20)
