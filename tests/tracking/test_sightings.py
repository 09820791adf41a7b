"""How often tracks were seen."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.errors import KindError
from adatom.schema import Sites, image_from_array, notes, sites_from_positions
from adatom.tracking import count_sightings


def tracks() -> Sites:
    sites = sites_from_positions(
        [1.0, 1.2, 1.1, 4.0], [2.0, 2.0, 2.3, 4.0], unit="px", frame=[0, 1, 3, 2]
    )
    sites["track"] = ("site", [7, 7, 7, 2])
    return sites


def test_tracks_are_counted_with_their_scatter() -> None:
    table = count_sightings(tracks())
    assert table["track"].values.tolist() == [7, 2]
    assert table["n_seen"].values.tolist() == [3, 1]
    assert float(table["scatter_y"][0]) == pytest.approx(0.1)
    assert np.isnan(table["scatter_x"].values[1])
    assert "Track 7 is seen in 3 of 4 frames" in notes(table)[0]


def test_frames_that_do_not_show_a_place_do_not_count_against_it() -> None:
    frame = image_from_array(np.zeros((6, 6)))
    movie = xr.concat([frame] * 5, dim="frame")
    movie[4, :3] = np.nan
    table = count_sightings(tracks(), movie)
    assert table["n_shown"].values.tolist() == [4, 5]


def test_sites_need_tracks() -> None:
    with pytest.raises(KindError, match=r"run tracking\.link_sites first"):
        count_sightings(tracks().drop_vars("track"))
