"""Sites of several frames, and how a network learned."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.errors import KindError
from adatom.plotting import plot, plot_movie, plot_movie_sites, plot_training
from adatom.schema import Sites, sites_from_positions, table_from_columns


def defects() -> Sites:
    """Make one defect in the first frame, two of another class in each of frames 3 and 4."""
    sites = sites_from_positions([3.0, 5, 6, 7, 8], [2.0, 4, 6, 8, 9], unit="px", spacing=2.0)
    sites = sites.assign_coords(frame=("site", [0, 3, 3, 4, 4]))
    sites["class"] = ("site", ["S vacancy", "hole", "hole", "hole", "hole"])
    return sites


def movie(n_frames: int) -> xr.DataArray:
    pixels = np.arange(12.0)
    return xr.DataArray(
        np.random.default_rng(0).random((n_frames, 12, 12)),
        dims=("frame", "y", "x"),
        coords={"y": ("y", pixels, {"units": "px"}), "x": ("x", pixels, {"units": "px"})},
    )


def test_every_frame_counts_and_some_are_shown() -> None:
    figure = plot_movie_sites(defects(), movie(9), n_frames=4)
    titles = [axes.get_title(loc="left") for axes in figure.axes[:-1]]
    assert titles == ["frame 0: 1", "frame 3: 2", "frame 5: 0", "frame 8: 0"]
    counts = {line.get_label(): line.get_ydata().tolist() for line in figure.axes[-1].lines}  # type: ignore[union-attr]
    assert counts == {
        "hole": [0, 0, 0, 2, 2, 0, 0, 0, 0],
        "S vacancy": [1, 0, 0, 0, 0, 0, 0, 0, 0],
    }


def test_frames_that_are_averaged_to_be_shown_lie_where_they_are() -> None:
    # Blocks of 2 pixels: the last one holds one, and is drawn at full size beyond the edge.
    pixels = np.arange(401.0)
    place = {"y": ("y", pixels, {"units": "px"}), "x": ("x", pixels, {"units": "px"})}
    frames = xr.DataArray(np.zeros((1, 401, 401)), dims=("frame", "y", "x"), coords=place)
    for figure in (plot_movie(frames), plot_movie_sites(defects().isel(site=slice(1)), frames)):
        axes = figure.axes[0]
        assert tuple(axes.images[0].get_extent()) == (-0.5, 401.5, 401.5, -0.5)
        assert axes.get_xlim() == (-0.5, 400.5)
        assert axes.get_ylim() == (400.5, -0.5)


def test_without_a_movie_the_frames_with_sites_are_spanned() -> None:
    figure = plot_movie_sites(defects())
    titles = [axes.get_title(loc="left") for axes in figure.axes[:-1]]
    assert titles == ["frame 0: 1", "frame 1: 0", "frame 2: 0", "frame 3: 2", "frame 4: 2"]


def test_sites_of_several_frames_are_plotted_as_a_strip_by_themselves() -> None:
    assert len(plot(defects()).axes) == 6
    assert len(plot(defects().isel(site=slice(1))).axes) < 4


def test_sites_without_frames_are_refused() -> None:
    with pytest.raises(KindError, match="use plot_sites"):
        plot_movie_sites(sites_from_positions([0.0], [0.0], unit="px"))


def test_the_network_that_was_kept_is_marked() -> None:
    table = table_from_columns(
        {"step": [10, 20, 30], "loss": [3.0, 2.0, 1.0], "score": [0.5, 0.9, np.nan]}
    )
    figure = plot_training(table)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["score", "loss"]
    for axes in figure.axes:
        assert list(axes.lines[1].get_xdata()) == [20, 20]  # type: ignore[arg-type]
    assert len(plot(table).axes) == 2


def test_a_table_without_losses_is_no_training() -> None:
    with pytest.raises(KindError, match="need step and loss"):
        plot_training(table_from_columns({"step": [1]}))
