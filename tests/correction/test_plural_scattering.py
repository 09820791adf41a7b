"""Plural scattering that was put in by its exact law is taken out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from electron_spectra import poisson_plural, rows

from adatom.correction import correct_plural_scattering, estimate_thickness
from adatom.errors import KindError, SettingError
from adatom.schema import notes

Array = np.ndarray[Any, Any]
STEP, N_BEFORE = 0.5, 40
LONG = STEP * (np.arange(1 << 14) - N_BEFORE)
ENERGY = LONG[:2040]
ELECTRONS = 1e5


def _zero_loss() -> Array:
    peak = np.exp(-0.5 * (LONG / 0.6) ** 2)
    return np.asarray(peak / peak.sum())


def _plasmon() -> Array:
    width, place = 4.0, 22.0
    drude = LONG * place * width / ((LONG**2 - place**2) ** 2 + (width * LONG) ** 2)
    loss = np.where(LONG > 3.5, drude, 0.0)
    return np.asarray(loss / loss.sum())


def _edge() -> Array:
    above = np.maximum(LONG, 1.0)
    white_line = 0.5 * np.exp(-0.5 * ((LONG - 540) / 4) ** 2)
    return np.asarray(np.where(LONG >= 530, 1e-5 * ((above / 530) ** -3.2 + white_line), 0.0))


@pytest.mark.parametrize("thickness", [0.2, 0.8, 2.0])
def test_single_losses_come_back_from_exact_plural_scattering(thickness: float) -> None:
    plural, once = poisson_plural(
        thickness * (_plasmon() + _edge()), _zero_loss(), N_BEFORE, ELECTRONS
    )
    spectra = rows(plural[None, : ENERGY.size], ENERGY)
    found = correct_plural_scattering(spectra).values[0]
    once, plural = once[: ENERGY.size], plural[: ENERGY.size]
    plasmon, edge = (ENERGY > 5) & (ENERGY < 100), (ENERGY > 525) & (ENERGY < 900)
    for window in (plasmon, edge):
        scale = once[window].max()
        assert np.abs(found - once)[window].max() < 0.005 * scale
        # The plural scattering that was there is far more than what is left of it.
        assert np.abs(plural - once)[window].max() > 5 * np.abs(found - once)[window].max()


@pytest.mark.parametrize("thickness", [0.1, 1.0, 2.5])
def test_the_thickness_is_what_was_put_in(thickness: float) -> None:
    plural, _ = poisson_plural(thickness * _plasmon(), _zero_loss(), N_BEFORE, ELECTRONS)
    found = estimate_thickness(rows(plural[None, : ENERGY.size], ENERGY))
    # What was scattered beyond the axis, and the foot of the zero loss, is a few per mille.
    assert found.item() == pytest.approx(thickness, rel=0.01)
    assert found.attrs["units"] == "1"


@pytest.mark.parametrize("thickness", [0.3, 1.5])
def test_an_edge_is_freed_of_plasmons_by_its_low_loss(thickness: float) -> None:
    plasmon, zero = thickness * _plasmon(), _zero_loss()
    low, _ = poisson_plural(plasmon, zero, N_BEFORE, ELECTRONS)
    with_edge, _ = poisson_plural(plasmon + 1e-3 * _edge(), zero, N_BEFORE, ELECTRONS)
    core = (with_edge - low) * 1e3
    _, once = poisson_plural(_edge(), zero, N_BEFORE, ELECTRONS)
    part = slice(1080, 1900)
    found = correct_plural_scattering(
        rows(core[None, part], LONG[part]), rows(low[None, :500], LONG[:500])
    )
    scale = once[part].max()
    assert np.abs(found.values[0] - once[part]).max() < 0.01 * scale
    assert np.abs(core[part] - once[part]).max() > 0.2 * scale
    assert "Fourier-ratio" in notes(found)[0]


def test_noise_is_not_raised_above_that_of_the_counts() -> None:
    plural, once = poisson_plural(0.8 * _plasmon(), _zero_loss(), N_BEFORE, ELECTRONS)
    mean = np.maximum(plural[: ENERGY.size], 0)
    counts = np.random.default_rng(0).poisson(mean, (200, ENERGY.size)).astype(float)
    found = correct_plural_scattering(rows(counts, ENERGY)).values
    window = (ENERGY > 15) & (ENERGY < 60)
    noise = found.std(axis=0)[window]
    assert (noise < 2 * np.sqrt(mean[window])).all()
    bias = found.mean(axis=0)[window] - once[: ENERGY.size][window]
    assert (np.abs(bias) < 5 * noise / np.sqrt(200) + 0.005 * once.max()).all()


def test_rows_that_cannot_be_deconvolved_are_nan() -> None:
    thick, _ = poisson_plural(3.5 * _plasmon(), _zero_loss(), N_BEFORE, ELECTRONS)
    thin, _ = poisson_plural(0.5 * _plasmon(), _zero_loss(), N_BEFORE, ELECTRONS)
    values = np.stack([thin, thin, thick, 0 * thin, np.nan * thin])[:, : ENERGY.size]
    found = correct_plural_scattering(rows(values, ENERGY))
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2:]).all()
    assert np.isnan(estimate_thickness(rows(values, ENERGY))[3:]).all()


def test_what_is_no_low_loss_is_refused() -> None:
    falling = rows(np.exp(-np.arange(50.0))[None], np.arange(50.0))
    with pytest.raises(SettingError, match="no valley between the zero loss"):
        estimate_thickness(falling)
    with pytest.raises(SettingError, match="without zero"):
        estimate_thickness(rows(np.ones((1, 50)), np.arange(500.0, 550.0)))
    with pytest.raises(SettingError, match="must lie between 0 and 49"):
        estimate_thickness(falling, zero_loss_end="80 eV")
    low = rows(np.exp(-np.arange(50.0))[None], np.arange(50.0))
    with pytest.raises(KindError, match="give both of the same rows"):
        correct_plural_scattering(rows(np.ones((2, 50)), np.arange(50.0)), low)
    with pytest.raises(SettingError, match="bring one to the other by correct_sampling"):
        correct_plural_scattering(rows(np.ones((1, 50)), np.arange(50.0) / 2), low)


def test_lazy_rows_stay_lazy_and_give_the_same() -> None:
    plural, _ = poisson_plural(0.5 * _plasmon(), _zero_loss(), N_BEFORE, ELECTRONS)
    spectra = rows(np.tile(plural[:600], (5, 1)) * np.arange(1.0, 6)[:, None], LONG[:600])
    lazy = correct_plural_scattering(spectra.chunk(site=2, energy=100))
    assert hasattr(lazy.data, "dask")
    xr.testing.assert_identical(lazy.compute(), correct_plural_scattering(spectra))


def test_a_gap_of_the_low_losses_leaves_no_core_losses() -> None:
    energy = np.arange(-10.0, 50.0)
    low = np.exp(-0.5 * energy**2) + 0.1 * np.exp(-0.5 * ((energy - 20) / 3) ** 2)
    both = np.stack([low, low])
    # Beyond the zero loss, as after its correction with ends="keep".
    both[1, -3:] = np.nan
    core = rows(np.ones((2, 60)), energy + 500)
    found = correct_plural_scattering(core, rows(both, energy), zero_loss_end="5 eV")
    assert (found[0] > 0).all()
    assert np.isnan(found[1]).all()
