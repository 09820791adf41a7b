"""What is said of links against the truth of simulated walkers."""

from __future__ import annotations

import numpy as np
import pytest
from walking import scores, walkers

from adatom.errors import KindError, SettingError
from adatom.schema import Table, sites_from_positions
from adatom.tracking import assess_links, link_sites


def value(summary: Table, quantity: str) -> float:
    return float(summary["value"].values[summary["quantity"].values == quantity].item())


@pytest.mark.parametrize("side", [110.0, 250.0])
def test_as_many_links_are_wrong_as_is_expected(side: float) -> None:
    sites, walker = walkers(300, 60, side=side, error=0.2, missed=0.03)
    linked = link_sites(sites)
    expected = value(assess_links(linked).summary, "expected share wrong")
    wrong = 1 - scores(linked, walker)[1]
    assert expected == pytest.approx(wrong, rel=0.25, abs=0.002)


def test_wrong_links_are_ambiguous() -> None:
    sites, walker = walkers(300, 40, side=120.0)
    linked = link_sites(sites)
    margin = assess_links(linked).sites["link_margin"].values
    frame, track = linked["frame"].values, linked["track"].values
    order = np.lexsort((frame, track))
    one, two = order[:-1], order[1:]
    link = track[one] == track[two]
    right = walker[one] == walker[two]
    found = margin[two][link]
    assert np.isfinite(found).all()
    # The margin is the logarithm of odds: a link of margin 1 is right in about e of 1 + e cases.
    unsure = link & (margin[two] > 0.5) & (margin[two] < 1.5)
    assert right[unsure].mean() == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.08)
    assert right[link & (margin[two] > 5)].mean() > 0.99


def test_a_range_that_cuts_steps_off_is_seen() -> None:
    sites, _ = walkers(200, 20, side=600.0)
    cut, free = (
        value(assess_links(link_sites(sites, max_distance=told)).summary, "share near the limit")
        for told in ("1.5 px", None)
    )
    assert cut > 0.1
    assert free < 0.001


def test_lengths_count_the_tracks() -> None:
    sites = sites_from_positions(
        [0.0, 0.1, 0.0, 50.0, 50.1], np.zeros(5), unit="nm", frame=[0, 1, 2, 0, 1]
    )
    quality = assess_links(link_sites(sites))
    assert quality.lengths["length"].values.tolist() == [2, 3]
    assert quality.lengths["n_tracks"].values.tolist() == [1, 1]
    assert value(quality.summary, "links") == 3


def test_the_seed_decides() -> None:
    sites, _ = walkers(100, 20, side=80.0)
    linked = link_sites(sites)
    one, same, other = (assess_links(linked, seed=seed).summary for seed in (1, 1, 2))
    assert one.identical(same)
    assert not one.identical(other)


def test_sites_that_were_not_linked_are_refused() -> None:
    sites, _ = walkers(10, 3, side=80.0)
    with pytest.raises(KindError, match=r"run tracking\.link_sites"):
        assess_links(sites)
    with pytest.raises(SettingError, match="n_simulations=0"):
        assess_links(link_sites(sites), n_simulations=0)
