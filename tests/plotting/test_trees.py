"""Pictures of trees."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom import plotting
from adatom.clustering import cluster_hierarchical
from adatom.errors import KindError
from adatom.schema import table_from_columns


def test_the_cut_lies_between_the_merges_that_it_parts() -> None:
    rng = np.random.default_rng(0)
    centers = np.repeat([[0.0, 0.0], [9.0, 0.0], [0.0, 30.0]], 20, axis=0)
    rows = xr.DataArray(centers + rng.normal(0, 0.5, (60, 2)), dims=("site", "feature"))
    found = cluster_hierarchical(rows, n_classes=3)
    figure = plotting.plot_tree(found.tree, n_classes=3)
    cut = float(np.asarray(figure.axes[0].lines[-1].get_ydata())[0])
    heights = np.sort(found.tree["height"].values)[::-1]
    assert heights[2] < cut < heights[1]
    assert plotting.plot(found.tree).axes


def test_a_table_without_merges_is_no_tree() -> None:
    with pytest.raises(KindError, match="need first, second, height"):
        plotting.plot_tree(table_from_columns({"height": [1.0]}))
