"""Real decays: cathodoluminescence over time, of maps and of streak images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from adatom.correction import correct_decay_background
from adatom.curves import (
    decays_from_fit,
    decays_from_streak,
    estimate_response,
    fit_decay_tails,
    fit_decays,
    phasors_from_decays,
)
from adatom.errors import SettingError
from adatom.io import read_spectra, read_spectral_map

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@pytest.fixture(scope="module")
def ingan() -> xr.DataArray:
    return read_spectral_map(SPECTRAL / "trcl_ingan/InGaN_transient_map.hspy").compute()


def _along(image: np.ndarray) -> float:
    """Correlate a map with itself one pixel on: noise has none, structure has."""
    here, there = image[:, :-1].ravel(), image[:, 1:].ravel()
    return float(np.corrcoef(here, there)[0, 1])


def test_the_lifetime_map_of_ingan_shows_structure_and_no_failed_pixel(ingan: xr.DataArray) -> None:
    fit = fit_decay_tails(ingan)
    lifetimes = fit.lifetimes.values[..., 0]
    assert np.isfinite(lifetimes).all()
    # By eye the sum falls to 1/e within 0.1 to 0.15 ns.
    assert 0.08 < np.median(lifetimes) < 0.16
    errors = fit.errors.sel(parameter="lifetime_1").values
    assert lifetimes.std() > 3 * np.median(errors)
    assert _along(lifetimes) > 0.5


def test_two_shared_lifetimes_describe_ingan_better_than_one(ingan: xr.DataArray) -> None:
    response = estimate_response(ingan)
    assert 0.02 < response.attrs["width"] < 0.06
    total = ingan.sum(["y", "x"]).expand_dims("site").astype(float)
    fits = [fit_decays(total, response, n_lifetimes=k) for k in (1, 2)]
    quality = [float(fit.parameters.sel(parameter="reduced_deviance")[0]) for fit in fits]
    assert quality[1] < quality[0] / 3
    left = decays_from_fit(total, fits[1].parameters) - total
    assert float(abs(left).max()) < 0.05 * float(total.max())


def test_phasors_of_ingan_cluster_by_lifetime_not_by_brightness(ingan: xr.DataArray) -> None:
    clean = correct_decay_background(ingan).decays
    phasors = phasors_from_decays(clean, estimate_response(ingan))
    assert np.isfinite(phasors.values).all()
    by_fit = fit_decay_tails(ingan).lifetimes.values[..., 0]
    # Longer decays lie further round the half circle.
    angle = np.arctan2(phasors.values[..., 1], phasors.values[..., 0])
    assert np.corrcoef(angle.ravel(), by_fit.ravel())[0, 1] > 0.5


def test_a_streak_image_gives_a_lifetime_at_every_bright_wavelength() -> None:
    streak = read_spectra(SPECTRAL / "trcl_ingan/GaAsSb_streak_image.hspy")
    decays = decays_from_streak(streak).compute()
    fit = fit_decay_tails(decays)
    bright = decays.sum("time").values > 0.5 * float(decays.sum("time").max())
    lifetimes = fit.lifetimes.values[bright, 0]
    # Some 60 ps, and counts that a Poisson likelihood describes.
    assert 0.04 < np.median(lifetimes) < 0.09
    quality = fit.parameters.sel(parameter="reduced_deviance").values[bright]
    assert 0.8 < np.median(quality) < 1.5


def test_a_correlator_that_counted_noise_only_has_no_pulse() -> None:
    noise = read_spectral_map(SPECTRAL / "readers/sparc-time-correlator.h5").compute()
    with pytest.raises(SettingError, match="no pulse shows"):
        fit_decay_tails(noise)
