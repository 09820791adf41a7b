"""Folds on a real cluster of three worker processes: the same bits, whoever dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import distributed
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from numpy.typing import NDArray

from adatom.cli import main
from adatom.clustering import class_means, cluster_kmeans, fit_kmeans
from adatom.decomposition import decompose_pca, fit_pca
from adatom.errors import ClusterError, MissingExtraError, SettingError
from adatom.numerics.blocks import Block, blocks_from_array
from adatom.numerics.executors import SerialExecutor, use_executor
from adatom.numerics.folds import fold, map_to
from adatom.recipes import ClusterExecutor, cluster_at, local_cluster, open_run, run_recipe
from adatom.recipes import cluster as cluster_module


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    with (
        distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as made,
        distributed.Client(made, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


@pytest.fixture
def executor(client: distributed.Client) -> ClusterExecutor:
    client.wait_for_workers(3)
    return ClusterExecutor(client, smallest=0)


@pytest.fixture(scope="module")
def spectra() -> xr.DataArray:
    """Give a map of three materials, in six blocks."""
    rng = np.random.default_rng(0)
    pure = rng.random((3, 24)) * 20
    shares = rng.integers(3, size=(120, 400))
    values = rng.poisson(pure[shares]).astype(np.float32)
    values[7, 11] = np.nan
    return xr.DataArray(values, dims=("y", "x", "energy"))


def killed_once(flag: Path) -> None:
    """End this worker without a word, the first time that it is called."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let workers, which do not know this module, get a function with its code."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
    return function


@dataclass
class Sources:
    """One map in many forms."""

    spectra: xr.DataArray
    folder: Path

    def zarr(self) -> xr.DataArray:
        place = self.folder / "map.zarr"
        zarr.create_array(place, data=self.spectra.values, chunks=(50, 150, 24))
        return self.spectra.copy(data=da.from_zarr(place))  # type: ignore[no-untyped-call]

    def mapped(self) -> xr.DataArray:
        place = self.folder / "map.npy"
        np.save(place, self.spectra.values)
        return self.spectra.copy(data=np.load(place, mmap_mode="r"))

    def hdf5(self) -> xr.DataArray:
        place = self.folder / "map.h5"
        with h5py.File(place, "w") as file:
            file["map"] = self.spectra.values
        made = da.map_blocks(  # type: ignore[no-untyped-call]
            partial(_hdf5_rows, place),
            da.arange(120, chunks=50),
            new_axis=[1, 2],
            chunks=((50, 50, 20), (400,), (24,)),
            dtype=np.float32,
            meta=np.empty((0, 0, 0), np.float32),
        )
        return self.spectra.copy(data=made)

    def chunked(self) -> xr.DataArray:
        return self.spectra.chunk(y=35, energy=7)

    def turned(self) -> xr.DataArray:
        return self.spectra.copy(data=np.asfortranarray(self.spectra.values))


def _hdf5_rows(place: Path, rows: NDArray[np.int64]) -> NDArray[Any]:
    with h5py.File(place, "r") as file:
        return np.asarray(file["map"][rows[0] : rows[-1] + 1])


by_value(_hdf5_rows)


@pytest.mark.parametrize("form", ["zarr", "mapped", "hdf5", "chunked", "turned"])
def test_results_on_a_cluster_are_the_same_bits(
    form: str, spectra: xr.DataArray, executor: ClusterExecutor, tmp_path: Path
) -> None:
    with use_executor(SerialExecutor()):
        truth = decompose_pca(spectra, n_components=3)
        means = fit_kmeans(spectra, n_classes=3, n_starts=2)
        found = cluster_kmeans(spectra, n_classes=3, n_starts=2)
        average = class_means(spectra, found.classes)
    source = getattr(Sources(spectra, tmp_path), form)()
    with use_executor(executor):
        there = decompose_pca(source, n_components=3)
        assert np.array_equal(there.model.basis, truth.model.basis)
        assert np.array_equal(there.scores.values, truth.scores.values, equal_nan=True)
        assert np.array_equal(fit_kmeans(source, n_classes=3, n_starts=2).means, means.means)
        assert np.array_equal(class_means(source, found.classes).values, average.values)


@pytest.mark.parametrize("form", ["zarr", "turned"])
def test_a_killed_worker_changes_nothing(
    form: str, spectra: xr.DataArray, executor: ClusterExecutor, tmp_path: Path
) -> None:
    # Values in memory die with the worker that they were handed to; files are read again.
    source = getattr(Sources(spectra, tmp_path), form)()
    cut = blocks_from_array(source.data)
    middle, flag = len(cut) // 2, tmp_path / "killed"

    def step(block: Block) -> Any:
        return block.values.sum(axis=0, dtype=np.float64)

    def deadly_step(block: Block) -> Any:
        if block.number == middle:
            killed_once(flag)
        return step(block)

    truth = fold(cut, step, np.add, executor=SerialExecutor())
    assert np.array_equal(fold(cut, step, np.add, executor=executor), truth)
    # In the second pass every worker holds something.
    assert np.array_equal(fold(cut, deadly_step, np.add, executor=executor), truth)
    assert flag.exists()


def test_fits_go_on_when_a_worker_is_killed_half_way(
    spectra: xr.DataArray,
    client: distributed.Client,
    executor: ClusterExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with use_executor(SerialExecutor()):
        truth = fit_pca(spectra), fit_kmeans(spectra, n_classes=3, n_starts=2)
    killed = kill_at_task(8, monkeypatch)
    with use_executor(executor):
        found = fit_pca(spectra), fit_kmeans(spectra, n_classes=3, n_starts=2)
    assert len(killed) == 1
    assert np.array_equal(found[0].basis, truth[0].basis)
    assert np.array_equal(found[0].center, truth[0].center)
    assert np.array_equal(found[1].means, truth[1].means)


def kill_at_task(number: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Kill one of the worker processes when so many tasks were sent."""
    sent: list[int] = []
    killed: list[int] = []
    submit = ClusterExecutor.submit

    def counted(self: ClusterExecutor, *given: Any) -> Any:
        future = submit(self, *given)
        sent.append(1)
        if len(sent) == number:
            killed.append(next(iter(self._client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)
        return future

    monkeypatch.setattr(ClusterExecutor, "submit", counted)
    return killed


def test_errors_come_from_a_worker_as_themselves(executor: ClusterExecutor) -> None:
    def step(block: Block) -> int:
        if block.number == 2:
            msg = "block two is bad: try another"
            raise SettingError(msg)
        return 0

    with pytest.raises(SettingError, match="block two is bad: try another"):
        fold(blocks_from_array(np.zeros((40_000, 2))), step, max, executor=executor)


def test_rows_are_written_here_and_not_by_workers(executor: ClusterExecutor) -> None:
    array = np.arange(80_000, dtype=np.float64).reshape(40_000, 2)
    array[3] = np.nan
    out = np.full(40_000, -1.0)
    work: Any = lambda rows, old: [rows.sum(axis=1) + old]  # noqa: E731
    map_to(blocks_from_array(array), work, [out], beside=[out], executor=executor)
    truth = array.sum(axis=1) - 1
    truth[3] = -1
    assert np.array_equal(out, truth)


def test_no_more_travels_than_a_piece_needs(
    spectra: xr.DataArray, executor: ClusterExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send = ClusterExecutor.send

    def counted(self: ClusterExecutor, value: Any, n_bytes: int) -> Any:
        sent.append(n_bytes)
        return send(self, value, n_bytes)

    monkeypatch.setattr(ClusterExecutor, "send", counted)
    with use_executor(executor):
        fit_pca(spectra)
        n_passes_of_pca = sum(sent)
        fit_kmeans(spectra, n_classes=3, n_starts=1)
    # Each call hands the map out once, however many passes it takes, and little else.
    assert n_passes_of_pca < 1.5 * spectra.nbytes
    assert sum(sent) < 3 * spectra.nbytes


def test_small_data_are_worked_on_here(client: distributed.Client) -> None:
    executor = ClusterExecutor(client)
    cut = blocks_from_array(np.zeros((40_000, 2)))
    pids = fold(cut, lambda _: {os.getpid()}, lambda a, b: a | b, executor=executor)
    assert pids == {os.getpid()}
    executor = ClusterExecutor(client, smallest=0)
    pids = fold(cut, lambda _: {os.getpid()}, lambda a, b: a | b, executor=executor)
    assert os.getpid() not in pids


def test_workers_with_other_code_are_refused(
    client: distributed.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**cluster_module.code_here(), "numpy": "0.9"}
    monkeypatch.setattr(cluster_module, "code_here", lambda: here)
    with pytest.raises(ClusterError, match=r"runs numpy .* instead of 0\.9, .* install the same"):
        ClusterExecutor(client)


def test_a_worker_that_does_not_see_a_file_says_which(
    executor: ClusterExecutor, tmp_path: Path
) -> None:
    place = tmp_path / "here.npy"
    np.save(place, np.zeros((40_000, 2)))

    def step(_block: Block) -> int:
        raise FileNotFoundError(2, "No such file", str(place))

    with pytest.raises(ClusterError, match=r"here\.npy is not found by a worker .* same path"):
        fold(blocks_from_array(np.zeros((40_000, 2))), step, max, executor=executor)


def test_a_cluster_without_workers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "_SECONDS_WITHOUT_WORKERS", 0.3)
    with (
        distributed.LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=1, processes=False, dashboard_address=":0", silence_logs=50
        ) as made,
        distributed.Client(made, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        executor = ClusterExecutor(client, smallest=0)
        client.retire_workers()
        cut = blocks_from_array(np.zeros((40_000, 2)))
        with pytest.raises(ClusterError, match=r"has had no workers .* start workers"):
            fold(cut, lambda block: block.number, max, executor=executor)
        with pytest.raises(ClusterError, match="has no workers: start some"):
            ClusterExecutor(client)


def test_an_address_that_does_not_answer_is_named() -> None:
    place = cluster_at("tcp://127.0.0.1:9", timeout=0.5)
    with pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9 within"):
        place.__enter__()


def test_an_address_of_another_form_is_refused() -> None:
    with pytest.raises(SettingError, match="write tcp://HOST:PORT"):
        cluster_at("ftp://nowhere").__enter__()


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adatom\[cluster\]'"):
        local_cluster(2).__enter__()


RECIPE = """
title = "Classes of a map"
[inputs]
spectra = "io.read_spectral_map"
[parts]
do = "decomposition.decompose_pca(spectra)"
n_components = 3
[found]
do = "clustering.cluster_kmeans(spectra)"
n_classes = 3
n_starts = 2
"""


def test_a_run_with_workers_gives_the_results_of_one_without(
    spectra: xr.DataArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "classes.toml").write_text(RECIPE)
    np.save(tmp_path / "map.npy", spectra.fillna(0).values)
    files = [str(tmp_path / "classes.toml"), str(tmp_path / "map.npy"), "--no-report"]
    assert main(["run", *files, "--out", str(tmp_path / "alone")]) == 0
    killed = kill_at_task(8, monkeypatch)
    monkeypatch.setattr(ClusterExecutor.__init__, "__kwdefaults__", {"smallest": 0})
    assert main(["run", *files, "--out", str(tmp_path / "shared"), "--workers", "3"]) == 0
    assert len(killed) == 1
    alone, shared = open_run(tmp_path / "alone"), open_run(tmp_path / "shared")
    assert shared.record["executor"].startswith("ClusterExecutor('tcp://")
    assert np.array_equal(shared["parts"].scores.values, alone["parts"].scores.values)
    assert shared["found"].classes.identical(alone["found"].classes)
    assert np.array_equal(shared["found"].model.means, alone["found"].model.means)


def test_a_run_takes_one_sort_of_parallel_work(
    capsys: pytest.CaptureFixture[str], images: list[Path], tmp_path: Path
) -> None:
    command = ["run", "find_atoms", str(images[0]), "--out", str(tmp_path / "run")]
    assert main([*command, "--jobs", "2", "--workers", "2"]) == 2
    assert "--jobs works on several files at once, a cluster on one" in capsys.readouterr().err
    with pytest.raises(SettingError, match="files go one after the other"):
        run_recipe("find_atoms", images, out=tmp_path, n_processes=2, executor=SerialExecutor())
