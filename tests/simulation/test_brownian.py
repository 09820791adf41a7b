"""Free particles: displacements, errors, blur, misses and false ones as stated."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.errors import SettingError
from adatom.schema import Sites, positions
from adatom.simulation import Brownian, simulate_brownian


def _steps(sites: Sites) -> tuple[np.ndarray, np.ndarray]:
    """Displacements of particles over one frame, and those that follow them."""
    order = np.lexsort((sites["frame"].values, sites["track"].values))
    place, track = positions(sites)[order], sites["track"].values[order]
    next_ = (np.diff(track) == 0) & (np.diff(sites["frame"].values[order]) == 1) & (track[1:] >= 0)
    step = np.diff(place, axis=0)
    both = next_[:-1] & next_[1:]
    return step[next_], (step[:-1][both] * step[1:][both]).mean(axis=0)


def test_noise_and_blur_enter_displacements_as_theory_says() -> None:
    particles = Brownian(
        n_particles=400, diffusion=(2.0,), localization_error="1.5 px", exposure=0.6
    )
    sites = simulate_brownian(
        particles=particles, field="4000 px", n_frames=200, frame_time="0.5 s", seed=2
    )
    step, product = _steps(sites)
    # 2 D t (1 - 2 R) + 2 s^2 and 2 D t R - s^2, with R = 0.6 / 6 of an even exposure.
    moved = 2 * 2.0 * 0.5
    assert (step**2).mean(axis=0) == pytest.approx(moved * 0.8 + 2 * 1.5**2, rel=0.02)
    assert product == pytest.approx(moved * 0.1 - 1.5**2, rel=0.05)
    assert sites.attrs["exposure"] == pytest.approx(0.3)


def test_several_diffusion_coefficients_share_the_particles() -> None:
    sites = simulate_brownian(
        particles=Brownian(n_particles=200, diffusion=(0.5, 5.0)), field="2000 px", seed=3
    )
    for label, diffusion in enumerate((0.5, 5.0)):
        step, _ = _steps(sites.isel(site=sites["class"].values == label))
        assert (step**2).mean() / 2 == pytest.approx(diffusion, rel=0.03)


def test_particles_are_missed_and_false_ones_found_at_their_rates() -> None:
    particles = Brownian(n_particles=500, diffusion=(0.0,), missed=0.1, false=20.0)
    sites = simulate_brownian(particles=particles, field="500 px", n_frames=100, seed=4)
    track = sites["track"].values
    # Binomial and Poisson: four standard errors.
    assert (track >= 0).sum() == pytest.approx(45_000, abs=4 * np.sqrt(4500))
    assert (track < 0).sum() == pytest.approx(2000, abs=4 * np.sqrt(2000))
    assert (sites["class"].values[track < 0] == -1).all()
    assert np.isnan(sites["true_y"].values[track < 0]).all()
    assert np.isfinite(sites["true_x"].values[track >= 0]).all()


def test_errors_are_those_about_the_true_places() -> None:
    particles = Brownian(n_particles=300, localization_error="0.7 px", exposure=1.0)
    sites = simulate_brownian(particles=particles, field="900 px", seed=5)
    error = sites["y"].values - sites["true_y"].values
    assert error.std() == pytest.approx(0.7, rel=0.02)


def test_sites_are_sorted_by_frame_but_not_by_identity() -> None:
    sites = simulate_brownian(seed=6, n_frames=20)
    assert (np.diff(sites["frame"].values) >= 0).all()
    first = sites["track"].values[sites["frame"].values == 3]
    assert (np.diff(first) < 0).any()


def test_the_same_seed_gives_the_same_bits() -> None:
    one, again = (simulate_brownian(seed=7, n_frames=10) for _ in range(2))
    xr.testing.assert_identical(one, again)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"missed": 2.0}, r"missed=2.0 is a share or a probability: 0 to 1"),
        ({"false": -1.0}, r"false=-1.0 must be 0 or more"),
        ({"diffusion": ()}, r"one number or more, none under 0"),
    ],
)
def test_impossible_particles_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Brownian(**settings)  # type: ignore[arg-type]


def test_a_movie_without_frames_is_refused() -> None:
    with pytest.raises(SettingError, match=r"n_frames=0 must be 1 or more"):
        simulate_brownian(n_frames=0)
