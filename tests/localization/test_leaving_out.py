"""Which parts of an image a network's sites leave out, and the reasons given."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.localization.leaving_out import (
    ANALYZED,
    DISORDERED,
    EMPTY,
    NOT_MEASURED,
    UNKNOWN,
    reasons_of_view,
    shares_in_words,
    wide,
)
from adatom.localization.running import Maps
from adatom.localization.seeing import View

SIZE, SPACING = 240, 10.0
Points = NDArray[np.float64]


def _square() -> Points:
    line = np.arange(SPACING / 2, SIZE, SPACING)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


def _in_disc(place: Points) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(*(place - SIZE / 2).T) < 60)


def _disc() -> NDArray[np.bool_]:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.asarray(np.hypot(y - SIZE / 2, x - SIZE / 2) < 60)


def _chaos() -> Points:
    """Give a lattice whose sites in a disc are shifted by up to half a spacing."""
    place = _square()
    shift = np.random.default_rng(1).uniform(-0.5, 0.5, size=place.shape) * SPACING
    return np.clip(place + shift * _in_disc(place)[:, None], 0, SIZE - 1)


def _picture(place: Points) -> NDArray[np.float32]:
    y, x = np.mgrid[:SIZE, :SIZE]
    picture = np.zeros((SIZE, SIZE))
    for row, column in place:
        picture += np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 2.4**2))
    return picture.astype(np.float32)


def _reasons(
    place: Points,
    picture: NDArray[np.float32],
    *,
    score: NDArray[np.float64] | float = 0.9,
    lattice: NDArray[np.float32] | float = 0.9,
    usable: NDArray[np.bool_] | None = None,
) -> NDArray[np.int8]:
    cells = (SIZE // 2, SIZE // 2)
    of_cells = np.broadcast_to(np.asarray(lattice, np.float32), cells)
    none = np.zeros((0, *cells), np.float32)
    maps = Maps(
        np.zeros(cells, np.float32), np.zeros((2, *cells), np.float32), of_cells, none, none
    )
    scores = np.broadcast_to(np.asarray(score, float), len(place))
    view = View(place, scores, maps, (1.0, 1.0), SPACING)
    known = np.ones(picture.shape, dtype=bool) if usable is None else usable
    return reasons_of_view(view, picture, known, stride=2)


def _share_in_disc(reasons: NDArray[np.int8], number: int) -> float:
    return float((reasons[_disc()] == number).mean())


def test_a_whole_lattice_is_analyzed_to_its_edges() -> None:
    reasons = _reasons(_square(), _picture(_square()))
    assert (reasons == ANALYZED).all()
    assert shares_in_words(reasons) == ""


def test_disorder_of_which_the_network_is_unsure_is_left_out() -> None:
    place = _chaos()
    score = np.where(_in_disc(place), 0.55, 0.9)
    reasons = _reasons(place, _picture(place), score=score)
    assert _share_in_disc(reasons, DISORDERED) > 0.5
    assert (reasons[~_disc()] == ANALYZED).mean() > 0.97


def test_disorder_of_which_the_network_is_sure_stays_in() -> None:
    place = _chaos()
    assert (_reasons(place, _picture(place)) == ANALYZED).all()


def test_disorder_with_filled_gaps_is_dirt_however_sure_the_network_is() -> None:
    place = _chaos()
    reasons = _reasons(place, _picture(place) + 2 * _disc().astype(np.float32))
    assert _share_in_disc(reasons, DISORDERED) > 0.5
    assert (reasons[~_disc()] == ANALYZED).mean() > 0.97


def test_sites_that_repeat_are_analyzed_whatever_the_network_thinks() -> None:
    reasons = _reasons(_square(), _picture(_square()), lattice=0.1)
    assert (reasons == ANALYZED).mean() > 0.97


def test_vacuum_is_empty_even_where_the_network_sees_a_lattice() -> None:
    place = _square()[~_in_disc(_square())]
    reasons = _reasons(place, _picture(place))
    # Contrast is measured over an atom and its surroundings: the rim, two and
    # a half spacings wide, stays.
    middle = slice(SIZE // 2 - 20, SIZE // 2 + 20)
    assert (reasons[middle, middle] == EMPTY).all()
    assert (reasons[~_disc()] == ANALYZED).mean() > 0.97


def test_a_lattice_without_sites_is_an_unknown_one() -> None:
    place = _square()[~_in_disc(_square())]
    lattice = np.where(_disc()[::2, ::2], 0.1, 0.9).astype(np.float32)
    reasons = _reasons(place, _picture(_square()), lattice=lattice)
    assert _share_in_disc(reasons, UNKNOWN) > 0.5


def test_amorphous_parts_are_disordered() -> None:
    place = _square()[~_in_disc(_square())]
    lattice = np.where(_disc()[::2, ::2], 0.1, 0.9).astype(np.float32)
    reasons = _reasons(place, _picture(_chaos()), lattice=lattice)
    assert _share_in_disc(reasons, DISORDERED) > 0.5


def test_a_vacancy_is_no_hole() -> None:
    place = np.delete(_square(), 300, axis=0)
    assert (_reasons(place, _picture(place)) == ANALYZED).all()


def test_what_is_not_measured_is_said_so() -> None:
    reasons = _reasons(_square(), _picture(_square()), usable=~_disc())
    assert (reasons[_disc()] == NOT_MEASURED).all()


@pytest.mark.parametrize(("radius", "kept"), [(4, False), (9, True)])
def test_only_what_a_disc_fits_into_is_wide(radius: int, kept: bool) -> None:
    y, x = np.mgrid[:60, :60]
    disc = np.hypot(y - 30, x - 30) <= radius
    assert bool(wide(disc, 6.0).any()) is kept
