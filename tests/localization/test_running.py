"""A network runs on pictures of any size, in tiles that do not show in the result."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper, load_from_string
from tiny_networks import blob_network, model

from adatom.errors import KindError, ReadError, SettingError
from adatom.localization import running, shipped
from adatom.localization.running import Maps, Runner, _cut, _tiling, runner_of_network
from adatom.localization.shipped import chosen_runner
from adatom.numerics.exported_network import Card, ExportedNetwork


@pytest.fixture(scope="module")
def runner() -> Runner:
    return runner_of_network(blob_network())


def _picture(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def _assert_same(one: Maps, other: Maps) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("shape", [(701, 533), (640, 640), (97, 1501), (1333, 64)])
def test_tiles_give_the_same_maps_as_one_piece(runner: Runner, shape: tuple[int, int]) -> None:
    picture = _picture(*shape)
    whole = runner.maps(picture)
    assert whole.center.shape == tuple(-(-size // 2) for size in shape)
    _assert_same(runner.maps(picture, largest_tile=220 * 220), whole)


def test_a_tile_without_overlap_would_show(runner: Runner) -> None:
    blind = dataclasses.replace(runner, card=dataclasses.replace(runner.card, reach=0))
    picture = _picture(640, 640)
    parts = blind.maps(picture, largest_tile=220 * 220).center
    assert (parts != runner.maps(picture).center).any()


@pytest.mark.parametrize("size", [1, 15, 16, 17, 100, 4097])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_pixel_is_kept_in_one_tile(size: int, count: int) -> None:
    kept = np.zeros(size, dtype=int)
    for stretch in _cut(size, count, Card(reach=40)):
        kept[stretch.start : stretch.stop] += 1
        # Halvings of a tile must fall where those of the whole would.
        assert stretch.start % 16 == 0
        assert stretch.taken.start % 16 == 0
        assert stretch.taken.start <= max(0, stretch.start - 40)
        assert stretch.taken.stop >= min(size, stretch.stop + 40)
    assert (kept == 1).all()


@pytest.mark.parametrize("shape", [(2048, 2048), (300, 9000), (16384, 16384)])
def test_no_tile_is_larger_than_allowed_and_few_pixels_are_computed_twice(
    shape: tuple[int, int],
) -> None:
    tiling = _tiling(shape, 2**20, Card(reach=96))
    assert tiling.largest <= 2**20
    assert tiling.computed < 1.6 * shape[0] * shape[1]


def test_a_network_of_another_output_than_it_says_is_refused() -> None:
    nodes = [
        helper.make_node("Conv", ["picture", "k"], ["maps"], strides=[4, 4]),
    ]
    made = model(nodes, {"k": np.ones((4, 1, 4, 4), dtype=np.float32)})
    runner = runner_of_network(ExportedNetwork.from_graph(made.SerializeToString(), Card()))
    with pytest.raises(SettingError, match=r"\(1, 4, 16, 16\).*need float32.*\(1, 4, 32, 32\)"):
        runner.maps(_picture(64, 64))


def test_a_graph_that_onnx_runtime_does_not_accept_is_told() -> None:
    changed = load_from_string(blob_network().graph)
    changed.graph.node[0].input[1] = "nowhere"
    network = ExportedNetwork.from_graph(changed.SerializeToString(), Card())
    with pytest.raises(SettingError, match="cannot run the network"):
        runner_of_network(network)


def test_classes_and_orientation_are_given_where_the_network_has_them() -> None:
    names = ("center", "offset_y", "offset_x", "lattice", "class:W", "class:Se", "cos", "sin")
    kernel = np.random.default_rng(1).normal(size=(8, 1, 2, 2)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["picture", "k"], ["maps"], strides=[2, 2])]
    made = model(nodes, {"k": kernel}, n_channels=8)
    network = ExportedNetwork.from_graph(made.SerializeToString(), Card(channels=names, symmetry=3))
    maps = runner_of_network(network).maps(_picture(32, 48))
    assert maps.orientation.shape == (2, 16, 24)
    np.testing.assert_allclose(maps.classes.sum(axis=0), 1, rtol=1e-6)
    assert ((maps.center > 0) & (maps.center < 1)).all()


def test_the_number_of_threads_does_not_change_a_bit(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = _picture(300, 300)
    expected = runner.maps(picture)
    monkeypatch.setitem(os.environ, "DASK_NUM_WORKERS", "1")
    running._session.cache_clear()
    _assert_same(runner_of_network(blob_network()).maps(picture), expected)
    running._session.cache_clear()


@pytest.mark.parametrize("told", ["auto", "0", "-2", "2.5"])
def test_a_number_of_threads_that_is_none_is_named(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_NUM_WORKERS", told)
    running._session.cache_clear()
    with pytest.raises(SettingError, match=rf"DASK_NUM_WORKERS is '{told}', need a whole number"):
        runner_of_network(blob_network())


def test_without_a_shipped_network_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shipped, "SHIPPED_SHA256", "")
    shipped._shipped.cache_clear()
    with pytest.raises(ReadError, match=r'give a file as network=, or use method="classical"'):
        chosen_runner(None, None)


@pytest.mark.skipif(not shipped.has_shipped_network(), reason="no network is shipped")
def test_a_shipped_network_that_was_changed_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "SHIPPED_SHA256", "0" * 64)
    shipped._shipped.cache_clear()
    with pytest.raises(ReadError, match="install adatom again"):
        chosen_runner(None, None)
    shipped._shipped.cache_clear()


def test_the_name_of_a_file_is_no_network_and_the_error_says_how_to_read_one() -> None:
    with pytest.raises(KindError, match=r"network is str, .* io\.read_network reads one"):
        runner_of_network("mine.onnx")  # type: ignore[arg-type]
