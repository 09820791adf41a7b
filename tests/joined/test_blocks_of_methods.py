"""On maps of several blocks, the same bits whatever the chunks and whoever computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from adatom.clustering import (
    cluster_consensus,
    cluster_density,
    cluster_gaussian_mixture,
    cluster_hierarchical,
    refine_classes,
)
from adatom.decomposition import (
    decompose_ica,
    decompose_robust_pca,
    estimate_abundance_intervals,
    find_endmembers,
)
from adatom.numerics.executors import SerialExecutor, ThreadExecutor, use_executor

Way = Callable[[xr.DataArray], Any]

WAYS: dict[str, Way] = {
    "hierarchical": lambda f: cluster_hierarchical(f, n_classes=3),
    "connected": lambda f: cluster_hierarchical(f, n_classes=5, connected=True),
    "density": cluster_density,
    "consensus": lambda f: cluster_consensus(f, n_classes=3, n_resamples=3),
    "refined": lambda f: refine_classes(
        cluster_gaussian_mixture(f, n_classes=3, n_starts=2).classes
    ),
    "ica": lambda f: decompose_ica(f, n_components=3),
    "robust": decompose_robust_pca,
    "intervals": lambda f: estimate_abundance_intervals(
        f, find_endmembers(f, n_endmembers=3).spectra
    ),
}


def scene() -> xr.DataArray:
    """Give 10,300 pixels, more than a block, of three materials; some are not measured."""
    rng = np.random.default_rng(0)
    shape = (103, 100)
    fields = [scipy.ndimage.gaussian_filter(rng.normal(size=shape), 5) for _ in range(3)]
    label = np.argmax(fields, axis=0)
    lines = rng.gamma(2.0, 1.0, (3, 9))
    values = (lines[label] + 0.4 * rng.normal(size=(*shape, 9))).astype(np.float32)
    values[5, 7, 3] = values[80, 20, 0] = np.nan
    axes = {
        dim: (dim, np.arange(float(n)), {"units": "nm"})
        for dim, n in zip(("y", "x"), shape, strict=True)
    }
    energy = ("energy", np.arange(9.0), {"units": "eV"})
    return xr.DataArray(values, dims=("y", "x", "energy"), coords={**axes, "energy": energy})


@pytest.mark.parametrize("name", sorted(WAYS))
def test_chunks_and_executors_change_no_bit(name: str) -> None:
    eager = scene()
    lazy = eager.copy(data=da.from_array(eager.values, chunks=(29, 41, 4)))  # type: ignore[no-untyped-call]
    with use_executor(SerialExecutor()):
        one = WAYS[name](eager)
    with use_executor(ThreadExecutor(3)):
        other = WAYS[name](lazy)
    pairs = [(one, other)] if isinstance(one, xr.Dataset) else list(zip(one, other, strict=True))
    assert pairs
    for first, second in pairs:
        if isinstance(first, xr.DataArray | xr.Dataset):
            xr.testing.assert_identical(first, second)
