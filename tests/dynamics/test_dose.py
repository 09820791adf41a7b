"""Rates against dose rates: slopes and intercepts that were put in."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from simulated_chains import simulated_tracks

from adatom.dynamics import compare_rates_with_dose, count_transitions, estimate_transitions
from adatom.errors import KindError, SettingError
from adatom.schema import notes

DOSES = [1.0, 2.0, 4.0]


def _movie(dose: float, seed: int, frame_time: str | None = None) -> xr.Dataset:
    """Driven by the beam one way (0.02 a dose), thermal the other (0.1)."""
    on, back = 0.02 * dose, 0.1
    matrix = np.array([[1 - on, on], [back, 1 - back]])
    counts = count_transitions(simulated_tracks(matrix, n_tracks=30, seed=seed))
    return estimate_transitions(counts, n_samples=400, seed=seed, frame_time=frame_time)


def test_slopes_and_intercepts_are_found_with_their_intervals() -> None:
    held, thermal = 0, 0
    for turn in range(12):
        movies = [_movie(dose, 10 * turn + k, frame_time="1 s") for k, dose in enumerate(DOSES)]
        table = compare_rates_with_dose(movies, dose_rates=DOSES)
        held += bool(table["slope_low"][0] < 0.02 < table["slope_high"][0])
        thermal += bool(table["slope_low"][1] < 0.0 < table["slope_high"][1])
    # Fewer than 9 of 12 happens to intervals of 95 % once in four hundred times.
    assert held >= 9
    assert thermal >= 9
    assert table["slope"].units == "1/s per e/(nm^2 s)"
    assert table["exponent_low"][0] < 1 < table["exponent_high"][0]
    assert float(table["p_value"][0]) < 0.01


def test_rates_per_frame_are_told_to_hold_only_for_equal_frames() -> None:
    table = compare_rates_with_dose([_movie(1.0, 0), _movie(2.0, 1)], dose_rates=[1.0, 2.0])
    assert any("only if all frames took as long" in text for text in notes(table))


def test_movies_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(KindError, match="give frame_time= to estimate_transitions for all"):
        compare_rates_with_dose(
            [_movie(1.0, 0), _movie(2.0, 1, frame_time="1 s")], dose_rates=[1.0, 2.0]
        )
    with pytest.raises(SettingError, match="two different ones"):
        compare_rates_with_dose([_movie(1.0, 0)] * 2, dose_rates=[1.0, 1.0])
