"""Tracks over their image."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from adatom.errors import KindError, SettingError
from adatom.plotting import plot, plot_tracks
from adatom.schema import Sites, sites_from_positions


def tracks() -> Sites:
    """Make one track of four sites, one of them after two missed frames, and one of two."""
    sites = sites_from_positions(
        [1.0, 2, 3, 4, 9, 9, 5],
        [1.0, 1, 2, 2, 8, 9, 5],
        unit="px",
        frame=[0, 1, 2, 5, 2, 3, 4],
        extent=[0, 11, 0, 11],
    )
    sites["track"] = ("site", [0, 0, 0, 0, 1, 1, -1])
    return sites


def movie() -> xr.DataArray:
    pixels = np.arange(12.0)
    return xr.DataArray(
        np.random.default_rng(0).random((6, 12, 12)),
        dims=("frame", "y", "x"),
        coords={"y": ("y", pixels, {"units": "px"}), "x": ("x", pixels, {"units": "px"})},
    )


def lines(figure: Figure, label: str) -> LineCollection:
    drawn = next(one for one in figure.axes[0].collections if one.get_label() == label)
    assert isinstance(drawn, LineCollection)
    return drawn


def test_links_are_lines_colored_by_the_frame_and_those_over_gaps_are_dotted() -> None:
    figure = plot_tracks(tracks(), movie())
    ways = [segment.tolist() for segment in lines(figure, "links").get_segments()]
    assert ways == [[[1, 1], [1, 2]], [[1, 2], [2, 3]], [[8, 9], [9, 9]]]
    assert lines(figure, "links").get_array().tolist() == [1, 2, 3]  # type: ignore[union-attr]
    dotted = lines(figure, "links over missed frames")
    assert [segment.tolist() for segment in dotted.get_segments()] == [[[2, 3], [2, 4]]]


def test_ends_are_marked_and_short_tracks_left_out_and_told() -> None:
    figure = plot_tracks(tracks(), min_length=3)
    assert len(lines(figure, "links").get_segments()) == 2
    ends = next(one for one in figure.axes[0].collections if one.get_label() == "last")
    assert np.asarray(ends.get_offsets()).tolist() == [[2, 4]]
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == [
        "last seen; tracks: 1",
        "dotted: over missed frames",
        "not drawn, shorter: 1",
    ]


def test_linked_sites_are_plotted_as_tracks_by_themselves() -> None:
    assert lines(plot(tracks()), "links").get_segments()
    with pytest.raises(StopIteration):
        lines(plot(tracks().drop_vars("track")), "links")


def test_no_tracks_are_an_empty_map() -> None:
    none = tracks().isel(site=slice(0))
    assert not lines(plot_tracks(none), "links").get_segments()


def test_sites_that_are_not_linked_are_refused() -> None:
    with pytest.raises(KindError, match=r"run tracking\.link_sites first"):
        plot_tracks(tracks().drop_vars("track"))
    with pytest.raises(SettingError, match="min_length=0"):
        plot_tracks(tracks(), min_length=0)
