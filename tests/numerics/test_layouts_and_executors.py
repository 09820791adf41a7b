"""Results are the same bits for every layout of the data, source and executor."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import dask.array as da
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adatom.clustering import assign_classes, class_means, fit_gaussian_mixture, fit_kmeans
from adatom.decomposition import apply_pca, decompose_nmf, estimate_abundances, fit_pca
from adatom.io.lazy import LazyArray
from adatom.numerics import blocks as blocks_module
from adatom.numerics import readers
from adatom.numerics.blocks import blocks_from_array
from adatom.numerics.executors import Executor, SerialExecutor, ThreadExecutor, use_executor
from adatom.numerics.moments import moments_of

SHAPE: Final = (14, 15, 6)
DTYPES: Final = ("uint8", "int16", "uint16", "int32", "float16", "float32", "float64")


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> Any:
    """Cut blocks of 30 rows and hold little, so that small maps behave as large ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks_module, "_ROWS_PER_BLOCK", 30)
        patch.setattr(readers, "_HELD_BYTES", 1500)
        yield


def counts(dtype: str) -> NDArray[Any]:
    """Give counts of three materials, as any type of number can hold them."""
    rng = np.random.default_rng(0)
    pure = np.array([[90, 9, 9, 30, 5, 1], [4, 60, 8, 8, 30, 2], [20, 20, 70, 2, 2, 50]])
    return rng.poisson(pure[rng.integers(3, size=SHAPE[:2])]).clip(0, 127).astype(dtype)


def in_fortran_order(values: NDArray[Any], _folder: Path, _chunks: Any) -> Any:
    return np.asfortranarray(values)


def as_view(values: NDArray[Any], _folder: Path, _chunks: Any) -> Any:
    wide = np.zeros((2 * SHAPE[0], SHAPE[1], SHAPE[2] + 3), values.dtype)
    wide[::2, ::-1, 2:-1] = values
    return wide[::2, ::-1, 2:-1]


def mapped(values: NDArray[Any], folder: Path, _chunks: Any) -> Any:
    np.save(folder / "map.npy", values)
    return np.load(folder / "map.npy", mmap_mode="r")


def in_dask(values: NDArray[Any], _folder: Path, chunks: Any) -> Any:
    return da.from_array(values, chunks=chunks)  # type: ignore[no-untyped-call]


def worked_on_in_dask(values: NDArray[Any], folder: Path, chunks: Any) -> Any:
    return in_dask(values, folder, chunks).map_blocks(np.array, dtype=values.dtype)


def in_zarr(values: NDArray[Any], folder: Path, chunks: Any) -> Any:
    zarr.create_array(folder / "map.zarr", data=values, chunks=chunks, overwrite=True)
    return da.from_zarr(folder / "map.zarr")  # type: ignore[no-untyped-call]


def in_hdf5(values: NDArray[Any], folder: Path, chunks: Any) -> Any:
    with h5py.File(folder / "map.h5", "w") as file:
        file.create_dataset("map", data=values, chunks=chunks)

    def read(index: Any) -> Any:
        with h5py.File(folder / "map.h5", "r") as file:
            return file["map"][index]

    return da.from_array(LazyArray(SHAPE, values.dtype, read), chunks=chunks, name=False)  # type: ignore[no-untyped-call]


SOURCES: Final = (
    in_fortran_order, as_view, mapped, in_dask, worked_on_in_dask, in_zarr, in_hdf5,
)  # fmt: skip
EXECUTORS: Final = (SerialExecutor(), *(ThreadExecutor(n) for n in (1, 2, 3, 4)))


def as_features(values: Any) -> xr.DataArray:
    axis = ("energy", np.arange(SHAPE[2]) * 1.0, {"units": "eV"})
    return xr.DataArray(values, dims=("y", "x", "energy"), coords={"energy": axis})


def some_statistics(features: xr.DataArray) -> dict[str, NDArray[Any]]:
    """Give the results of every step that passes over blocks, but the slow ones."""
    moments = moments_of(blocks_from_array(features.data), scatter=True)
    pca = fit_pca(features, n_components=2)
    weighted = fit_pca(features, n_components=2, weighting="poisson")
    kmeans = fit_kmeans(features, n_classes=3, n_starts=1)
    classes = assign_classes(features, kmeans)
    assert moments.scatter is not None
    return {
        "mean": moments.mean,
        "scatter": moments.scatter,
        "basis": pca.basis,
        "weighted basis": weighted.basis,
        "scores": apply_pca(features, pca).values,
        "means": kmeans.means,
        "label": classes["label"].values,
        "distance": classes["distance"].values,
        "class means": class_means(features, classes).values,
        "abundances": estimate_abundances(
            features, class_means(features, classes).rename({"class": "component"})
        ).abundances.values,
    }


def fitted_models(features: xr.DataArray) -> dict[str, NDArray[Any]]:
    """Give the results of steps that go over blocks many times."""
    found = {}
    for loss in ("frobenius", "poisson"):
        factors = decompose_nmf(features, n_components=2, loss=loss, max_rounds=4)
        found[f"{loss} components"] = factors.components.values
        found[f"{loss} scores"] = factors.scores.values
    mixture = fit_gaussian_mixture(features, n_classes=2, n_starts=1)
    found["mixture"] = mixture.means
    found["probability"] = assign_classes(features, mixture)["probability"].values
    return found


def assert_same_bits(found: dict[str, NDArray[Any]], truth: dict[str, NDArray[Any]]) -> None:
    for name, values in truth.items():
        assert found[name].dtype == values.dtype, name
        assert found[name].tobytes() == values.tobytes(), name


def with_gaps(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "f":
        values[3, 4, 2] = values[9, :5] = np.nan
    return values


chunkings = st.tuples(*(st.integers(1, size) for size in SHAPE))
Source = Callable[[NDArray[Any], Path, Any], Any]


Work = Callable[[xr.DataArray], dict[str, NDArray[Any]]]


def values_for(work: Work, dtype: str) -> NDArray[Any]:
    return counts(dtype) if work is fitted_models else with_gaps(counts(dtype))


@cache
def truth(work: Work, dtype: str) -> dict[str, NDArray[Any]]:
    with use_executor(SerialExecutor()):
        return work(as_features(values_for(work, dtype)))


def check(
    work: Work, dtype: str, source: Source, chunks: tuple[int, ...], executor: Executor
) -> None:
    with tempfile.TemporaryDirectory() as folder, use_executor(executor):
        found = work(as_features(source(values_for(work, dtype), Path(folder), chunks)))
        # Windows removes no file that is mapped.
        gc.collect()
    assert_same_bits(found, truth(work, dtype))


@given(
    dtype=st.sampled_from(DTYPES),
    source=st.sampled_from(SOURCES),
    chunks=chunkings,
    executor=st.sampled_from(EXECUTORS),
)
@settings(max_examples=14, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_one_pass_over_any_layout_gives_the_same_bits(
    dtype: str, source: Source, chunks: tuple[int, ...], executor: Executor
) -> None:
    check(some_statistics, dtype, source, chunks, executor)


@given(
    dtype=st.sampled_from(("uint8", "float32", "float64")),
    source=st.sampled_from(SOURCES),
    chunks=chunkings,
    executor=st.sampled_from(EXECUTORS),
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_passes_over_any_layout_give_the_same_bits(
    dtype: str, source: Source, chunks: tuple[int, ...], executor: Executor
) -> None:
    check(fitted_models, dtype, source, chunks, executor)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_what_travels_reads_the_same_bits_elsewhere(source: Source, tmp_path: Path) -> None:
    import cloudpickle

    values = counts("uint16")
    cut = blocks_from_array(source(values, tmp_path, (4, 15, 3)))
    truth = blocks_from_array(values)
    for start in range(0, len(cut), 2):
        numbers = range(start, min(start + 2, len(cut)))
        reader = readers.traveling_reader(cut.reader, cut.boxes_of(numbers))
        there = cloudpickle.loads(cloudpickle.dumps(cut.only(numbers, reader)))
        for number in numbers:
            assert np.array_equal(there[number].values, truth[number].values)
            assert there[number].rows == truth[number].rows
