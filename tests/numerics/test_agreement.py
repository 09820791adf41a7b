"""Sites of several finders are joined, each once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adatom.numerics.agreement import agreed_sites

_GRID = np.argwhere(np.ones((6, 6))).astype(np.float64) * 5.0


def _noisy(seed: int, sigma: float = 0.2) -> np.ndarray:
    return _GRID + np.random.default_rng(seed).normal(0, sigma, _GRID.shape)


def test_sites_that_all_find_agree_and_spread_as_they_scatter() -> None:
    members = [_noisy(seed) for seed in range(12)]
    found = agreed_sites(members, [np.full(36, 0.8)] * 12, max_distance=1.5)
    assert (found.agreement == 1).all()
    mean = np.mean(members, axis=0)
    np.testing.assert_allclose(found.position, mean[np.lexsort(mean.T[::-1])], atol=1e-12)
    # 72 standard deviations of 12 values each: known to 3 %.
    assert abs(np.sqrt((found.spread**2).mean()) / 0.2 - 1) < 0.1
    np.testing.assert_allclose(found.score, 0.8)


def test_a_site_of_one_finder_alone_is_kept_with_its_share() -> None:
    alone = np.concatenate([_GRID, [[2.5, 2.5]]])
    found = agreed_sites(
        [_GRID, alone, _GRID], [np.ones(36), np.ones(37), np.ones(36)], max_distance=1
    )
    assert len(found.position) == 37
    odd = found.agreement < 1
    assert odd.sum() == 1
    np.testing.assert_allclose(found.position[odd], [[2.5, 2.5]])
    np.testing.assert_allclose(found.score[odd], 1 / 3)
    assert np.isnan(found.spread[odd]).all()


def test_two_sites_of_one_finder_are_never_joined() -> None:
    double = np.array([[0.0, 0.0], [0.0, 0.6]])
    single = np.array([[0.0, 0.1]])
    found = agreed_sites([double, single], [np.ones(2), np.ones(1)], max_distance=1.0)
    assert sorted(found.agreement.tolist()) == [0.5, 1.0]


def test_nothing_found_by_anybody_is_nothing() -> None:
    nothing = np.empty((0, 2))
    found = agreed_sites([nothing, nothing], [np.empty(0), np.empty(0)], max_distance=1.0)
    assert found.position.shape == (0, 2)
    assert found.member.shape == (0, 2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_no_site_is_lost_and_the_order_of_finders_does_not_matter(
    seed: int, order: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    members = [rng.uniform(0, 12, (int(rng.integers(0, 25)), 2)) for _ in range(4)]
    scores = [rng.random(len(member)) for member in members]
    found = agreed_sites(members, scores, max_distance=1.2)
    for finder, member in enumerate(members):
        named = found.member[:, finder]
        assert sorted(named[named >= 0].tolist()) == list(range(len(member)))
    again = agreed_sites([members[k] for k in order], [scores[k] for k in order], max_distance=1.2)
    np.testing.assert_allclose(again.position, found.position, atol=1e-9)
    np.testing.assert_allclose(again.agreement, found.agreement)
