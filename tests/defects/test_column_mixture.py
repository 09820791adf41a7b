"""The fit of many places goes by groups of like ones, and gives what all of them give."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.defects import column_mixture
from adatom.defects.column_mixture import fit_mixture

EXPECTED = np.array([0.40, 0.20, 0.0, 0.62])
PRIOR = np.array([1.0, 0.03, 0.003, 0.01])
# The last but one kind is so rare that a sample of some thousand places would hold one or two.
TRUE_SHARE = np.array([0.9695, 0.02, 0.0005, 0.01])


def brightness(
    n_places: int, *, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Draw places of four kinds 5 % brighter than expected, their errors from 0.015 to 0.03."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, n_places, p=TRUE_SHARE)
    error = rng.uniform(0.015, 0.03, n_places)
    seen = 1.05 * EXPECTED[kind] + np.hypot(0.02, error) * rng.standard_normal(n_places)
    return seen, error, kind


@pytest.mark.parametrize("factor", [None, 1.05])
def test_groups_of_like_places_give_what_every_place_gives(
    factor: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, error, _ = brightness(25_000)
    grouped = fit_mixture(seen, error, EXPECTED, PRIOR, factor=factor)

    def one_by_one(seen: NDArray[np.float64], error: NDArray[np.float64]) -> column_mixture._Groups:
        return column_mixture._Groups(seen, error, np.ones(len(seen)), float(np.median(error)))

    monkeypatch.setattr(column_mixture, "_grouped", one_by_one)
    alone = fit_mixture(seen, error, EXPECTED, PRIOR, factor=factor)
    # The width of a group adds a twelfth of its square to the variance: a part in 1500.
    np.testing.assert_allclose(grouped.mean, alone.mean, atol=2e-4)
    assert grouped.spread == pytest.approx(alone.spread, rel=5e-3)
    np.testing.assert_allclose(grouped.share, alone.share, atol=5e-3)
    assert (grouped.share.argmax(axis=1) != alone.share.argmax(axis=1)).sum() <= 1


def test_the_fit_of_many_places_is_of_few_groups_and_keeps_rare_kinds() -> None:
    seen, error, kind = brightness(300_000)
    assert len(column_mixture._grouped(seen, error).n_places) < 20_000
    found = fit_mixture(seen, error, EXPECTED, PRIOR, factor=None)
    assert found.factor == pytest.approx(1.05, rel=0.03)
    # 150 places of the rarest kind, their mean known to 0.003.
    np.testing.assert_allclose(found.mean, 1.05 * EXPECTED, atol=0.01)
    counts = np.bincount(found.share.argmax(axis=1), minlength=5)[:4]
    np.testing.assert_allclose(counts, np.bincount(kind, minlength=4), rtol=0.1)


def test_places_that_were_not_measured_have_no_probability() -> None:
    seen, error, _ = brightness(100)
    seen[3] = np.nan
    error[4] = np.nan
    found = fit_mixture(seen, error, EXPECTED, PRIOR, factor=None)
    assert np.isnan(found.share[3]).all()
    assert found.share[4].sum() == pytest.approx(1)


def test_few_places_are_no_groups() -> None:
    seen, error, _ = brightness(20_000)
    groups = column_mixture._grouped(seen, error)
    assert groups.seen is seen
    assert (groups.n_places == 1).all()
