"""Maps larger than memory go through store, corrections and fits in pieces."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any, Final

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.correction import correct_intensity
from adatom.decomposition import PCAModel, fit_pca
from adatom.io import store
from adatom.io.store import read_result, write_result
from adatom.numerics import blocks as blocks_module
from adatom.numerics import readers

SHAPE: Final = (128, 256, 256)


@pytest.fixture(autouse=True)
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide all sizes by 16, so that a map of 32 MB is as one of 512 MB."""
    monkeypatch.setattr(store, "_CHUNK_BYTES", 1 << 20)
    monkeypatch.setattr(store, "_LAZY_BYTES", 1 << 22)
    monkeypatch.setattr(blocks_module, "_VALUES_PER_BLOCK", 1 << 18)
    monkeypatch.setattr(readers, "_HELD_BYTES", 1 << 22)
    monkeypatch.setattr(readers, "_KEPT_BYTES", 1 << 22)


def simulated(block_info: Any = None) -> NDArray[np.float32]:
    """Give a chunk of a map of which every value follows from its place."""
    places = [np.arange(*span) for span in block_info[None]["array-location"]]
    y, x, energy = np.ix_(*places)
    values: NDArray[np.float32] = ((y * 7 + x * 3) % 11 + 1) * (1 + energy % 5).astype(np.float32)
    return values.astype(np.float32)


def stored_and_fitted(spectra: xr.DataArray, folder: Path) -> tuple[xr.DataArray, PCAModel]:
    write_result(spectra, folder / "spectra")
    stored = read_result(folder / "spectra")
    write_result(correct_intensity(stored), folder / "corrected")
    return stored, fit_pca(read_result(folder / "corrected"), n_components=2)


@pytest.mark.parametrize("chunks", [(8, 256, 256), (128, 256, 4), (5, 200, 256), (128, 32, 64)])
def test_a_large_map_is_stored_corrected_and_fitted_in_pieces(
    chunks: tuple[int, ...], tmp_path: Path
) -> None:
    full = da.core.normalize_chunks(chunks, SHAPE)  # type: ignore[no-untyped-call]
    made = da.map_blocks(  # type: ignore[no-untyped-call]
        simulated, chunks=full, dtype=np.float32, meta=np.empty((0, 0, 0), np.float32)
    )
    spectra = xr.DataArray(made, dims=("y", "x", "energy"))
    # Modules take memory, too, the first time.
    stored_and_fitted(spectra[:2, :2], tmp_path / "few")
    gc.collect()
    tracemalloc.start()
    with dask.config.set(num_workers=2):
        stored, model = stored_and_fitted(spectra, tmp_path / "all")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Some chunks of 1 MB for each of two threads, and twice what may be held.
    assert peak < 14 * 2**20, f"{peak / 2**20:.1f} MB"
    assert stored.chunks is not None
    assert np.array_equal(stored[5:7].values, spectra[5:7].values)
    with_all_in_memory = fit_pca(correct_intensity(spectra.compute()), n_components=2)
    assert np.array_equal(model.basis, with_all_in_memory.basis)
