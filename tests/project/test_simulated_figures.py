"""Counting of found sites, by which the benchmarks judge finders."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_figures import counts_of_image, pooled

from adatom.schema import Sites, positions, sites_from_positions


def _grid(n: int) -> Sites:
    place = np.indices((n, n)).reshape(2, -1).T * 10.0 + 10.0
    end = 10.0 * (n + 1)
    sites = sites_from_positions(
        place[:, 0], place[:, 1], unit="px", spacing=10.0, extent=[0.0, end, 0.0, end]
    )
    n_sites = n * n
    return sites.assign(
        width=("site", np.full(n_sites, 2.0), {"units": "px"}),
        snr=("site", np.full(n_sites, 10.0)),
        clarity=("site", np.where(np.arange(n_sites) % 2 == 0, 10.0, 1.0)),
        visible=("site", np.ones(n_sites, dtype=bool)),
    )


def test_errors_are_told_along_an_axis_in_widths_of_the_clear_sites_alone() -> None:
    truth = _grid(4)
    place = positions(truth) + np.where(
        truth["clarity"].values[:, None] > 2, [0.2, 0.0], [3.0, 0.0]
    )
    counts = counts_of_image(sites_from_positions(*place.T, unit="px"), truth)
    assert counts[:3] == (16, 0, 0)
    assert len(counts.errors) == 8
    # 0.2 px of 2 px along y, none along x.
    assert counts.relative_rmse == pytest.approx(0.1 / np.sqrt(2))


def test_faint_sites_are_neither_missed_nor_false_where_only_clear_ones_are_asked() -> None:
    truth = _grid(4)
    found = sites_from_positions(*positions(truth)[:6].T, unit="px")
    assert counts_of_image(found, truth)[:3] == (6, 10, 0)
    assert counts_of_image(found, truth, clear=2.0)[:3] == (3, 5, 0)


def test_a_finder_that_refuses_misses_all() -> None:
    counts = counts_of_image(None, _grid(3))
    assert counts[:3] == (0, 9, 0)
    assert counts.f1 == 0.0


def test_sites_in_an_image_without_atoms_are_false() -> None:
    found = sites_from_positions([1.0, 2.0], [1.0, 5.0], unit="px")
    counts = counts_of_image(found, _grid(3).isel(site=slice(0)))
    assert counts[:3] == (0, 0, 2)


def test_counts_of_images_add_up_before_shares_are_taken() -> None:
    truth = _grid(4)
    some = counts_of_image(sites_from_positions(*positions(truth)[:4].T, unit="px"), truth)
    every = counts_of_image(sites_from_positions(*positions(truth).T, unit="px"), truth)
    both = pooled([some, every])
    assert both[:3] == (20, 12, 0)
    assert both.recall == 20 / 32
    assert both.f1 == pytest.approx(40 / 52)
    assert np.isnan(pooled([]).f1)
