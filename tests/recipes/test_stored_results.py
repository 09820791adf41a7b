"""Results written to folders come back exactly."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp
from tiny_networks import blob_network

from adatom.clustering import KMeansModel
from adatom.errors import StoreError
from adatom.io import store
from adatom.io.store import read_result, write_result
from adatom.recipes.identity import find_differences
from adatom.schema import image_from_array, sites_from_positions, table_from_columns


def round_trip(result: object, folder: Path) -> Any:
    write_result(result, folder / "result")
    return read_result(folder / "result")


def assert_same(result: object, folder: Path) -> None:
    back = round_trip(result, folder)
    assert type(back) is type(result)
    assert find_differences(result, back, name="result") == []


IMAGE = image_from_array(
    np.array([[0.0, -0.0, np.nan], [np.inf, 1e-30, 3.0]], np.float32),
    pixel_size="0.02 nm",
    attrs={"notes": ["read"], "deep": {"a": [1, 2.5, True, None]}, "nan": math.nan},
)


def test_an_image_comes_back_with_scale_and_attributes(tmp_path: Path) -> None:
    back = round_trip(IMAGE, tmp_path)
    assert back.identical(IMAGE)
    assert back.x.attrs == {"units": "nm"}
    assert back.attrs["deep"] == {"a": [1, 2.5, True, None]}
    assert back.dtype == np.float32
    assert np.signbit(back.values[0, 1])


def test_chunks_full_of_negative_zeros_keep_their_sign(tmp_path: Path) -> None:
    assert np.signbit(round_trip(xr.DataArray(-np.zeros(3)), tmp_path).values).all()


def test_a_time_in_seconds_stays_a_number(tmp_path: Path) -> None:
    movie = xr.DataArray(
        np.zeros((2, 3)),
        dims=("frame", "x"),
        coords={"time": ("frame", [0.0, 0.5], {"units": "s"})},
        name="movie",
    )
    back = round_trip(movie, tmp_path)
    assert back.time.dtype == np.float64
    assert back.identical(movie)


def test_sites_without_a_site_come_back(tmp_path: Path) -> None:
    sites = sites_from_positions([], [], unit="nm", spacing=0.142, extent=[0, 1, 0, 1])
    empty = sites.assign(neighbor_vector=(("site", "neighbor", "axis"), np.zeros((0, 3, 2))))
    assert round_trip(empty, tmp_path).identical(empty)


def test_coordinates_stay_coordinates(tmp_path: Path) -> None:
    sites = sites_from_positions([0.0, 1.0], [2.0, 3.0], unit="px", frame=[0, 0])
    sites["class"] = ("site", np.array(["C", "Si"]))
    sites["fit_ok"] = ("site", np.array([True, False]))
    back = round_trip(sites, tmp_path)
    assert set(back.coords) == {"y", "x", "frame"}
    assert back["class"].dtype == sites["class"].dtype
    assert back.identical(sites)


@pytest.mark.parametrize(
    "values",
    [
        np.array(["", "Sr", "Ti\u2013O", "\U0001f52c"]),
        np.array(["a", "long text"], dtype=object),
        np.array([], dtype="<U3"),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[ns]"),
        np.array([1, 2], dtype="timedelta64[ns]"),
        np.array([1 + 2j], dtype=np.complex64),
        np.array([True, False]),
        np.array([-1, 1], dtype=np.int8),
        np.array([2**63], dtype=np.uint64),
        np.array([0.1], dtype=np.float16),
        np.array(3.5),
    ],
    ids=lambda values: f"{values.dtype}{values.shape}",
)
def test_every_dtype_comes_back(values: np.ndarray[Any, Any], tmp_path: Path) -> None:
    array = xr.DataArray(values, name="values", dims=["row"][: values.ndim])
    back = round_trip(array, tmp_path)
    assert back.dtype == values.dtype
    assert back.identical(array)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.arrays(
        hnp.floating_dtypes(sizes=(32, 64), endianness="=") | hnp.integer_dtypes(endianness="="),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    )
)
def test_any_array_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray[Any, Any]
) -> None:
    back = round_trip(xr.DataArray(values), tmp_path_factory.mktemp("any"))
    assert back.dtype == values.dtype
    assert back.shape == values.shape
    assert back.values.tobytes() == values.tobytes()


def test_lazy_arrays_are_streamed_and_large_ones_come_back_lazy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_CHUNK_BYTES", 4096)
    monkeypatch.setattr(store, "_LAZY_BYTES", 8192)
    values = np.random.default_rng(0).random((40, 16, 16))
    plain = xr.DataArray(values, dims=("frame", "y", "x"))
    large = plain.chunk({"frame": 7, "y": 5})
    back = round_trip(large, tmp_path / "large")
    assert back.chunks is not None
    assert np.array_equal(back.values, values)
    small = large.isel(frame=slice(2))
    assert round_trip(small, tmp_path / "small").chunks is None
    assert round_trip(xr.DataArray(values), tmp_path / "plain").chunks is None


class Pair(NamedTuple):
    """Two results of a step."""

    first: int
    second: str


def test_models_and_named_tuples_come_back_field_by_field(tmp_path: Path) -> None:
    found = find_model()
    back = round_trip(found, tmp_path)
    assert type(back) is KMeansModel
    assert find_differences(found, back, name="model") == []


def find_model() -> KMeansModel:
    from adatom.clustering import fit_kmeans

    features = xr.DataArray(np.random.default_rng(0).random((30, 2)), dims=("site", "feature"))
    return fit_kmeans(features, n_classes=2)


@pytest.mark.parametrize(
    "result",
    [None, True, 3, 2.5, math.inf, "text", np.float32(0.1), np.int64(3), [1, (2.0, "x")],
     {"a": 1, 2: None}, (), np.arange(3)],
    ids=repr,
)  # fmt: skip
def test_numbers_texts_and_lists_come_back(result: object, tmp_path: Path) -> None:
    assert_same(result, tmp_path)


def test_nan_comes_back(tmp_path: Path) -> None:
    assert math.isnan(round_trip(math.nan, tmp_path))


def test_tables_come_back(tmp_path: Path) -> None:
    table = table_from_columns({"area": [1.0, math.nan]}, units={"area": "nm^2"})
    assert round_trip(table, tmp_path).identical(table)


def test_structures_come_back_to_the_last_digit(tmp_path: Path) -> None:
    from ase import Atoms
    from ase.constraints import FixAtoms

    atoms = Atoms(
        "Si2", positions=[[0, 0, 0], [1 / 3, 0.1, 2]], cell=[3, 3, 9], pbc=[True, True, False]
    )
    atoms.arrays["score"] = np.array([0.5, 0.25])
    atoms.info["source"] = "image"
    atoms.set_constraint(FixAtoms([0]))  # type: ignore[no-untyped-call]
    back = round_trip(atoms, tmp_path)
    assert back.positions.tobytes() == atoms.positions.tobytes()
    assert (back.cell == atoms.cell).all()
    assert (back.pbc == atoms.pbc).all()
    assert back.info == {"source": "image"}
    assert back.get_array("score").tolist() == [0.5, 0.25]
    assert back.constraints[0].todict() == atoms.constraints[0].todict()
    assert (tmp_path / "result" / "result.extxyz").is_file()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (object(), r"result is builtins\.object, which cannot be stored"),
        ([1, {2}], r"result\.1 is builtins\.set"),
        (np.array([None, 1], dtype=object), "result is an array of Python objects"),
        (xr.DataArray(np.array([None, 1], dtype=object)), r"result\.values holds Python objects"),
        (xr.Dataset(attrs={"a": np.float32(1)}), r"attrs\['a'\] of result is float32"),
        (xr.Dataset(attrs={"a": {1: 2}}), r"attrs\['a'\] of result is dict"),
        (xr.Dataset({"a/b": 1}), "result has a variable 'a/b'"),
    ],
    ids=["object", "set", "objects", "objects in xarray", "attrs", "keys", "name"],
)  # fmt: skip
def test_what_cannot_be_stored_is_named(result: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=message):
        write_result(result, tmp_path / "result")


def test_classes_of_functions_are_refused(tmp_path: Path) -> None:
    class Hidden(NamedTuple):
        value: int

    with pytest.raises(StoreError, match="Hidden, made inside a function: move it to a module"):
        write_result(Hidden(1), tmp_path / "result")


def test_only_classes_of_steps_are_built(tmp_path: Path) -> None:
    write_result(Pair(1, "x"), tmp_path / "result")
    with pytest.raises(StoreError, match="belongs neither to adatom nor to an installed package"):
        read_result(tmp_path / "result")


def test_a_function_named_in_a_result_is_not_called(tmp_path: Path) -> None:
    folder = tmp_path / "result"
    folder.mkdir()
    node = {"is": "record", "class": "adatom.io.store:write_result", "fields": {}}
    (folder / "result.json").write_text(json.dumps({"format": 1, "result": node}))
    with pytest.raises(StoreError, match="is neither a dataclass nor a NamedTuple"):
        read_result(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no readable result"),
        ('{"format": 99, "result": {}}', "is written in layout 99, this version reads layout 1"),
        ('{"format": 1, "result": {"is": "spell"}}', "of unknown sort 'spell'"),
        ('{"format": 1, "result": {"is": "numpy", "file": "no.npy"}}', "holds no readable result"),
    ],
)
def test_a_folder_without_a_result_is_told(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(StoreError, match=message):
        read_result(tmp_path)


def test_bytes_come_back_as_bytes(tmp_path: Path) -> None:
    write_result({"graph": b"\x00\xff\x08"}, tmp_path / "result")
    assert read_result(tmp_path / "result") == {"graph": b"\x00\xff\x08"}


def test_an_exported_network_comes_back(tmp_path: Path) -> None:
    network = blob_network()
    write_result(network, tmp_path / "result")
    assert read_result(tmp_path / "result") == network
