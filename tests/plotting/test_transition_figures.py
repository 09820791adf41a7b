"""Transition matrices show every entry, and arrows only where something happens."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.patches import Circle, FancyArrowPatch
from simulated_chains import ONE_WAY, simulated_tracks

from adatom.dynamics import count_transitions, estimate_transitions
from adatom.errors import KindError
from adatom.plotting import plot, plot_transitions


def _estimate() -> xr.Dataset:
    tracks = simulated_tracks(ONE_WAY, n_tracks=20)
    tracks["label"].attrs["names"] = ["first", "second", "third", "other"]
    return estimate_transitions(count_transitions(tracks))


def test_every_entry_is_written_and_unknown_rows_are_marked() -> None:
    estimate = _estimate()
    words = [text.get_text() for text in plot(estimate).axes[0].texts]
    for value in estimate["probability"].values[:3].ravel():
        assert f"{value:.2f}" in words
    assert words.count("?") == 4


def test_a_ring_has_three_arrows_and_a_circle_a_state() -> None:
    patches = plot_transitions(_estimate()).axes[1].patches
    assert sum(isinstance(patch, FancyArrowPatch) for patch in patches) == 3
    sizes = [patch.radius for patch in patches if isinstance(patch, Circle)]
    assert len(sizes) == 4
    # The second state is left soonest, the fourth was never seen.
    assert sizes[3] < sizes[1] < sizes[0]


def test_a_dataset_without_a_matrix_is_refused() -> None:
    bare = xr.Dataset(coords={"state": ["a"], "state_to": ["a"]})
    with pytest.raises(KindError, match="there is no 'probability'"):
        plot_transitions(bare.assign(count=("state", np.zeros(1))))
