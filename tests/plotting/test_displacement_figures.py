"""Pictures of displacements show curves, bands, fits and counts."""

from __future__ import annotations

import numpy as np
import pytest
from brownian_tracks import free_walks, lattice_walks, tracks_of
from matplotlib.container import BarContainer

from adatom.dynamics import count_hops, estimate_diffusion, estimate_msd
from adatom.errors import KindError
from adatom.plotting import plot, plot_jump_lengths, plot_msd, plot_waiting_times
from adatom.schema import Sites


def _tracks() -> Sites:
    walks = free_walks(40, 60, np.random.default_rng(0), error=0.5)
    sites = tracks_of(walks)
    return sites.assign(kind=("site", sites["track"].values % 2))


def test_a_msd_is_drawn_with_its_band_and_the_line_of_the_fit() -> None:
    tracks = _tracks()
    msd = estimate_msd(tracks, max_lag=10, frame_time="2 s")
    found = estimate_diffusion(tracks, frame_time="2 s").classes
    axes = plot_msd(msd, found).axes[0]
    points, line = axes.lines
    np.testing.assert_allclose(np.asarray(points.get_ydata(), dtype=float), msd["msd"].values)
    time = np.asarray(line.get_xdata(), dtype=float)
    expected = 4 * float(found["diffusion"][0]) * time + float(found["offset"][0])
    np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), expected)
    assert len(axes.collections) == 1
    assert "s]" in axes.get_xlabel()
    assert "nm^2/s" in axes.get_legend().get_texts()[1].get_text()  # type: ignore[union-attr]


def test_each_class_has_a_curve() -> None:
    msd = estimate_msd(_tracks(), max_lag=10, by="kind")
    assert len(plot_msd(msd).axes[0].lines) == 2


def test_hops_are_drawn_with_lengths_and_waits() -> None:
    hops = count_hops(
        tracks_of(lattice_walks(20, 100, np.random.default_rng(1), rate=0.05, error=0.1))
    )
    axes = plot_jump_lengths(hops.lengths).axes[0]
    bars = next(one for one in axes.containers if isinstance(one, BarContainer))
    heights = sum(bar.get_height() for bar in bars)
    assert heights == hops.classes["n_hops"].item()
    assert len(plot_waiting_times(hops.waits).axes[0].lines) == 2


def test_tables_find_their_pictures_by_themselves() -> None:
    tracks = _tracks()
    hops = count_hops(tracks)
    for table in (estimate_msd(tracks), hops.lengths, hops.waits):
        assert plot(table).axes


def test_a_table_without_displacements_is_refused() -> None:
    found = estimate_diffusion(_tracks()).classes
    with pytest.raises(KindError, match="no mean squared displacements"):
        plot_msd(found)
    with pytest.raises(KindError, match="no lengths of hops"):
        plot_jump_lengths(found)
    with pytest.raises(KindError, match="no waiting times"):
        plot_waiting_times(found)
