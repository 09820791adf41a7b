"""Maps of local D with errors."""

from __future__ import annotations

import numpy as np
import pytest
from brownian_tracks import free_walks, tracks_of

from adatom.dynamics import estimate_mobility
from adatom.errors import SettingError
from adatom.schema import IMAGE


def test_fast_and_slow_halves_of_the_field_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    slow, fast = (free_walks(300, 40, rng, diffusion=d, error=0.5) for d in (0.2, 1.0))
    slow += rng.uniform([10, 10], [90, 40], (300, 2))[:, None]
    fast += rng.uniform([10, 60], [90, 90], (300, 2))[:, None]
    sites = tracks_of(np.concatenate([slow, fast]))
    sites.attrs["extent"] = [0.0, 100.0, 0.0, 100.0]
    found = estimate_mobility(sites, bin_size="20 nm", frame_time="0.5 s")
    IMAGE.check(found.diffusion)
    assert found.diffusion.x.values.tolist() == [10.0, 30.0, 50.0, 70.0, 90.0]
    assert found.diffusion.attrs["units"] == "nm^2/s"
    np.testing.assert_allclose(found.diffusion[1:4, 1], 0.4, rtol=0.2)
    np.testing.assert_allclose(found.diffusion[1:4, 3], 2.0, rtol=0.2)


def test_errors_are_as_large_as_they_say() -> None:
    rng = np.random.default_rng(1)
    off = []
    for _ in range(20):
        walks = free_walks(200, 40, rng, error=0.7) + rng.uniform(0, 100, (200, 1, 2))
        sites = tracks_of(walks)
        sites.attrs["extent"] = [0.0, 100.0, 0.0, 100.0]
        found = estimate_mobility(sites, bin_size="20 nm")
        off.append(((found.diffusion - 1) / found.error).values)
    assert np.std(off) == pytest.approx(1.0, abs=0.12)
    assert np.mean(off) == pytest.approx(0.0, abs=0.15)


def test_bins_of_few_increments_are_not_measured() -> None:
    walks = free_walks(1, 8, np.random.default_rng(2))
    found = estimate_mobility(tracks_of(walks), bin_size="1 nm")
    assert np.isnan(found.diffusion.values).all()
    assert found.n_increments.values.sum() == 7


def test_bins_larger_than_the_field_are_refused() -> None:
    tracks = tracks_of(free_walks(3, 9, np.random.default_rng(3)))
    with pytest.raises(SettingError, match="bin_size='500 nm' must be smaller than the field"):
        estimate_mobility(tracks, bin_size="500 nm")
