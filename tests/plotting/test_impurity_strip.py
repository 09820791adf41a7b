"""The strip of frames with impurities and what was left out."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.plotting import plot_impurities
from adatom.schema import Movie, Sites, image_from_array, sites_from_positions


@pytest.fixture
def movie() -> Movie:
    frames = np.random.default_rng(0).normal(size=(40, 16, 16))
    return image_from_array(frames[0]).expand_dims(frame=40).copy(data=frames)


@pytest.fixture
def seen() -> Sites:
    return sites_from_positions([5.0] * 40, [7.0] * 40, unit="px", frame=range(40))


def test_frames_are_spread_over_the_movie(movie: Movie, seen: Sites) -> None:
    figure = plot_impurities(seen, movie)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert len(titles) == 12
    assert "frame 0" in titles[0]
    assert "frame 39" in titles[-1]


def test_frames_in_which_spots_were_left_out_are_among_them(movie: Movie, seen: Sites) -> None:
    left_out = sites_from_positions([1.0, 2.0], [3.0, 3.0], unit="px", frame=[9, 10])
    left_out["why"] = ("site", ["border", "contamination"])
    figure = plot_impurities(seen, movie, left_out)
    titles = " ".join(axes.get_title(loc="left") or axes.get_title() for axes in figure.axes)
    assert "frame 9" in titles
    assert "frame 10" in titles
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["impurity", "left out: border", "left out: contamination"]
