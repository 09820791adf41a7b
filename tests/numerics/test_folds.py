from __future__ import annotations

import gc
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adatom.errors import StoreError
from adatom.numerics import readers
from adatom.numerics.blocks import Block, Blocks, blocks, blocks_from_array
from adatom.numerics.executors import (
    Executor,
    SerialExecutor,
    ThreadExecutor,
    current_executor,
    single_threaded_blas,
    use_executor,
)
from adatom.numerics.folds import fold, fold_map, map_to
from adatom.numerics.moments import moments_of, sample_of


def spectra(shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(5.0, 1.0, shape).astype(np.float32)


def gathered(cut: Blocks) -> np.ndarray[Any, Any]:
    return np.concatenate([cut[number].values for number in range(len(cut))])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_blocks_hold_every_row_once_and_in_order(lead: list[int], n_columns: int) -> None:
    array = np.arange(math.prod(lead) * n_columns, dtype=np.float64).reshape(*lead, n_columns)
    cut = blocks_from_array(array)
    assert np.array_equal(gathered(cut), array.reshape(-1, n_columns))
    rows = [cut[number].rows for number in range(len(cut))]
    assert [r.start for r in rows] == [0, *(r.stop for r in rows[:-1])]


@pytest.mark.parametrize("shape", [(3, 9000, 2), (20_000, 2), (200, 300, 4), (2, 3, 9001, 1)])
def test_blocks_stay_within_their_size(shape: tuple[int, ...]) -> None:
    cut = blocks_from_array(np.zeros(shape, dtype=np.float32))
    sizes = [len(cut[number].values) for number in range(len(cut))]
    assert max(sizes) <= 8192
    assert sum(sizes) == math.prod(shape[:-1])


def test_wide_rows_give_blocks_of_few_rows() -> None:
    cut = blocks_from_array(np.zeros((64, 1 << 20), dtype=np.float32))
    assert len(cut) == 16


def test_float32_stays_float32_and_float64_stays_float64() -> None:
    assert blocks_from_array(np.zeros((3, 2), np.float32)).dtype == np.float32
    assert blocks_from_array(np.zeros((3, 2), np.uint16)).dtype == np.float32
    assert blocks_from_array(np.zeros((3, 2), ">f4"))[0].values.dtype == np.dtype(np.float32)
    assert blocks_from_array(np.zeros((3, 2), np.float64)).dtype == np.float64
    assert blocks_from_array(np.zeros((3, 2), np.int64)).dtype == np.float64


def test_rows_with_gaps_are_left_out_and_marked() -> None:
    array = spectra((10, 3))
    array[2, 1], array[7, 0] = np.nan, np.inf
    block = blocks_from_array(array)[0]
    assert np.flatnonzero(~block.measured).tolist() == [2, 7]
    assert np.array_equal(block.values, np.delete(array, [2, 7], axis=0))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_moments_are_bit_identical_over_chunkings_and_executors(data: st.DataObject) -> None:
    shape = (61, 170, 5)
    array = spectra(shape)
    chunks = tuple(data.draw(st.integers(-(-size // 6), size)) for size in shape)
    cut = da.from_array(array, chunks=chunks)  # type: ignore[no-untyped-call]
    lazy = xr.DataArray(cut, dims=("y", "x", "energy"))
    # Fortran order in memory is one more "chunking".
    turned = xr.DataArray(np.asfortranarray(array), dims=("y", "x", "energy"))
    with use_executor(SerialExecutor()):
        truth = moments_of(blocks(xr.DataArray(array, dims=("y", "x", "energy"))), scatter=True)
    with use_executor(ThreadExecutor(4)):
        found = [moments_of(blocks(source), scatter=True) for source in (lazy, turned)]
    for one in found:
        assert np.array_equal(one.mean, truth.mean)
        assert one.scatter is not None
        assert truth.scatter is not None
        assert np.array_equal(one.scatter, truth.scatter)
        assert one.sum_of_squares == truth.sum_of_squares


def test_moments_are_those_of_numpy_even_with_a_large_offset() -> None:
    array = spectra((30_000, 4)) + np.float32(4096)
    found = moments_of(blocks_from_array(array), scatter=True)
    exact = array.astype(np.float64)
    assert found.mean == pytest.approx(exact.mean(axis=0), rel=1e-7)
    # Products are summed in float32 within a block: six digits.
    assert found.scatter == pytest.approx(
        (exact - exact.mean(axis=0)).T @ (exact - exact.mean(axis=0)), rel=1e-5, abs=0.5
    )


@given(st.integers(1, 40))
def test_states_are_merged_in_the_same_tree_for_any_executor(n: int) -> None:
    # Brackets written down show the tree itself.
    cut = blocks_from_array(np.zeros((n, 1 << 22), dtype=np.bool_))
    assert len(cut) == n

    def merge(a: str, b: str) -> str:
        return f"({a}{b})"

    def tree(low: int, high: int) -> str:
        if high - low == 1:
            return f"[{low}]"
        half = 1 << ((high - low - 1).bit_length() - 1)
        return merge(tree(low, low + half), tree(low + half, high))

    class Named:
        n_rows = 0

        def __len__(self) -> int:
            return n

        def rows_of(self, _number: int) -> slice:
            return slice(0, 0)

        def __getitem__(self, number: int) -> Block:
            none = np.zeros((0, 1))
            return Block(number, slice(0, 0), np.zeros(0, bool), none, none)

    for executor in (SerialExecutor(), ThreadExecutor(3)):
        found = fold(Named(), lambda b: f"[{b.number}]", merge, executor=executor)  # type: ignore[arg-type]
        assert found == tree(0, n)


def test_results_come_in_order_when_late_blocks_are_ready_first() -> None:
    def work(index: int) -> int:
        time.sleep(0.01 * (5 - index))
        return index

    assert list(ThreadExecutor(4).map(work, range(5))) == [0, 1, 2, 3, 4]


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    def work(index: int) -> int:
        if index == 3:
            msg = "block three is bad"
            raise RuntimeError(msg)
        return index

    with pytest.raises(RuntimeError, match="block three is bad"):
        list(ThreadExecutor(2).map(work, range(10)))


def test_the_chosen_executor_ends_with_its_with_block() -> None:
    before = current_executor()
    with use_executor(ThreadExecutor(2)):
        assert current_executor() == ThreadExecutor(2)
    assert current_executor() is before


def test_blas_has_one_thread_inside_and_its_own_again_outside() -> None:
    import threadpoolctl

    def threads() -> list[int]:
        return [
            p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"
        ]

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        with single_threaded_blas():
            assert set(threads()) == {1}
        assert threads() == before


def test_blas_keeps_one_thread_until_the_last_who_computes_leaves() -> None:
    import threadpoolctl

    first, second = single_threaded_blas(), single_threaded_blas()
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        found = threadpoolctl.threadpool_info()
        second.__exit__(None, None, None)
    assert {part["num_threads"] for part in found if part["user_api"] == "blas"} == {1}


def test_rows_that_were_not_measured_keep_what_they_hold() -> None:
    array = spectra((20_000, 2))
    array[5] = np.nan
    out = np.full(20_000, -7.0)
    cut = blocks_from_array(array)
    map_to(cut, lambda rows: [rows.sum(axis=1)], [out])
    assert out[5] == -7.0
    assert np.array_equal(np.delete(out, 5), np.delete(array, 5, axis=0).sum(axis=1))
    map_to(
        cut,
        lambda rows: [rows.sum(axis=1)],
        [out],
        incomplete=lambda rows: [np.isnan(rows).sum(axis=1)],
    )
    assert out[5] == array.shape[1]


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3)])
def test_a_pass_that_folds_and_maps_sees_and_writes_measured_rows(executor: Executor) -> None:
    array = spectra((20_000, 2))
    array[5] = np.nan
    scores = np.arange(20_000.0)
    truth = np.where(np.arange(20_000) == 5, 5.0, np.arange(20_000) + array[:, 0])

    def step(block: Block, old: NDArray[Any]) -> tuple[float, list[NDArray[Any]]]:
        return float(old.sum()), [old + block.values[:, 0]]

    total = fold_map(
        blocks_from_array(array),
        step,
        lambda a, b: a + b,
        [scores],
        beside=[scores],
        executor=executor,
    )
    assert total == np.arange(20_000.0).sum() - 5
    assert np.array_equal(scores, truth)


def test_what_stands_beside_must_have_a_row_for_every_row() -> None:
    cut = blocks_from_array(np.zeros((30, 2)))
    with pytest.raises(ValueError, match="29 rows stand beside 30 rows of blocks"):
        fold(cut, lambda _, rows: len(rows), lambda a, b: a + b, beside=[np.zeros(29)])


def test_no_rows_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="the features have no rows"):
        fold(blocks_from_array(np.zeros((0, 3))), lambda b: b.number, lambda a, b: a + b)


def test_a_sample_has_one_row_of_every_stratum() -> None:
    array = np.arange(50_000, dtype=np.float64)[:, None]
    cut = blocks_from_array(array)
    sample = sample_of(cut, moments_of(cut).counts, n_rows=100, seed=3)
    assert np.array_equal(sample[:, 0] // 500, np.arange(100))


def test_a_sample_of_few_rows_is_all_of_them() -> None:
    array = spectra((30, 2))
    array[4] = np.nan
    cut = blocks_from_array(array)
    sample = sample_of(cut, moments_of(cut).counts, n_rows=100, seed=3)
    assert np.array_equal(sample, np.delete(array, 4, axis=0))


def test_chunks_are_computed_once_and_not_for_every_block() -> None:
    calls: list[int] = []
    cut = blocks_from_array(counted(spectra((40_000, 3)), (20_000, 3), calls))
    assert len(cut) == 5
    with use_executor(SerialExecutor()):
        moments_of(cut)
    assert len(calls) == 2


def counted(array: np.ndarray[Any, Any], chunks: Any, calls: list[int]) -> Any:
    """Give a dask array that writes down the size of every chunk that is computed."""

    def load(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        calls.append(values.size)
        return values

    whole = da.from_array(array, chunks=chunks)  # type: ignore[no-untyped-call]
    return whole.map_blocks(load, dtype=array.dtype, meta=np.zeros((0,) * array.ndim, array.dtype))


@pytest.mark.parametrize("chunks", [(300, 100, 4), (300, 10, 8), (50, 100, 2), (-1, -1, -1)])
@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(3)])
def test_chunks_across_all_rows_are_computed_once_and_not_for_every_block(
    chunks: tuple[int, ...], executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if memory could hold a tenth of the map; images of single energies are cut across it.
    array = spectra((300, 100, 20))
    monkeypatch.setattr(readers, "_HELD_BYTES", array.nbytes // 10)
    calls: list[int] = []
    cut = blocks_from_array(counted(array, chunks, calls))
    assert len(cut) > 3
    with use_executor(executor):
        first = moments_of(cut).mean
        assert np.array_equal(moments_of(cut).mean, first)
    assert np.array_equal(moments_of(blocks_from_array(array)).mean, first)
    assert sum(calls) == array.size


def test_temporary_files_go_with_what_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_HELD_BYTES", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    array = spectra((300, 100, 20))
    cut = blocks_from_array(counted(array, (300, 100, 1), []))
    assert np.array_equal(gathered(cut), array.reshape(-1, 20))
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.iterdir())) == 20
    del cut
    gc.collect()
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="space is not reserved here")
def test_no_room_for_temporary_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(readers, "_HELD_BYTES", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full)
    cut = blocks_from_array(counted(spectra((300, 100, 20)), (300, 100, 1), []))
    with pytest.raises(StoreError, match=r"no room for 120000 bytes .* by TMPDIR, or save"):
        cut[0]


def test_a_file_is_read_by_blocks_whatever_the_chunks_of_its_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "_HELD_BYTES", 1000)
    asked: list[int] = []

    class Source:
        shape, dtype, ndim = (300, 100, 20), np.dtype(np.float32), 3

        def __getitem__(self, index: Any) -> Any:
            asked.append(array[index].size)
            return array[index]

    array = spectra(Source.shape)
    lazy = da.from_array(Source(), chunks=-1, name=False)  # type: ignore[no-untyped-call]
    cut = blocks_from_array(lazy)
    assert np.array_equal(gathered(cut), array.reshape(-1, 20))
    assert max(asked) <= 8192 * 20
    assert sum(asked) == array.size
