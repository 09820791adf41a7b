"""What is written comes back the same, is read by other programs, or is refused with a way out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adatom.errors import KindError, MissingExtraError, WriteError
from adatom.io import read_data, read_image, read_movie, read_sites, read_structure, write_file
from adatom.schema import image_from_array, kind_of_data, sites_from_positions, table_from_columns

ARRAYS = ("Image", "Movie", "SpectralMap", "Spectra", "DiffractionMap")
NO_SCALE = "the file has no scale"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)
NAMES = st.text("abcdefgh_ µÅ", min_size=1, max_size=6).map(str.strip).filter(bool)
# The same note twice is told once.
NOTES = st.lists(TEXT, max_size=3, unique=True)
QUICK = settings(max_examples=5, deadline=None)


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a new folder for every example of hypothesis."""
    place = Path(tempfile.mkdtemp())
    try:
        yield place
    finally:
        shutil.rmtree(place)


def _values(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    finite = {"allow_nan": True, "allow_infinity": True} if dtype.startswith("f") else {}
    width = {"f4": 32, "f8": 64}.get(dtype)
    elements = (
        st.floats(width=width, **finite) if width else hnp.from_dtype(np.dtype(dtype))  # type: ignore[arg-type]
    )
    return hnp.arrays(dtype, shape, elements=elements)


def _axis(name: str, size: int, step: float, start: float, unit: str) -> tuple[str, Any, Any]:
    return (name, start + np.arange(size) * step, {"units": unit})


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, Any]:
    """Draw attributes as readers give them."""
    attrs: dict[str, Any] = {"units": draw(st.sampled_from(["1", "nA", "nm"])), "source": "x.dm3"}
    attrs |= draw(
        st.fixed_dictionaries({}, optional={"title": TEXT, "beam_energy": st.floats(1, 1e6)})
    )
    told = draw(NOTES)
    return attrs | ({"notes": told} if told else {}) | {"stars": [[[0.5, 1.0]]], "known": True}


@st.composite
def arrays(draw: st.DrawFn, kind: str, *, from_zero: bool = False, dtypes: Any = None) -> Any:
    """Draw data of a kind that is an array."""
    dtype = draw(st.sampled_from(dtypes or ["u1", "u2", "i4", "i8", "f4", "f8"]))
    rows, columns, more, last = (draw(st.integers(2, 4)) for _ in range(4))
    start = 0.0 if from_zero else draw(st.sampled_from([0.0, 0.7, -3.25]))
    unit = draw(st.sampled_from(["nm", "mm", "px"]))
    step = 1.0 if unit == "px" else draw(st.sampled_from([0.02, 1.0, 0.1]))
    space = {
        "y": _axis("y", rows, step, start, unit),
        "x": _axis("x", columns, step, start, unit),
    }
    energy = ("energy", np.cumsum(np.arange(1.0, last + 1)), {"units": "eV"})
    times = ("frame", np.arange(more) * 0.5, {"units": "s"})
    forms: dict[str, tuple[tuple[str, ...], tuple[int, ...], dict[str, Any]]] = {
        "Image": (("y", "x"), (rows, columns), space),
        "Movie": (
            ("frame", "y", "x"),
            (more, rows, columns),
            space | {"frame": np.arange(more), "time": times},
        ),
        "SpectralMap": (
            ("y", "x", "energy"), (rows, columns, last), space | {"energy": energy},
        ),
        "Spectra": (("site", "energy"), (rows, last), {"energy": energy}),
        "DiffractionMap": (
            ("y", "x", "k_y", "k_x"),
            (rows, columns, more, last),
            space
            | {
                "k_y": _axis("k_y", more, 0.5, -1.0, "1/nm"),
                "k_x": _axis("k_x", last, 0.5, -1.0, "1/nm"),
            },
        ),
    }  # fmt: skip
    dims, shape, coords = forms[kind]
    values = draw(_values(dtype, shape))
    attrs = draw(attributes())
    return xr.DataArray(values, dims=dims, coords=coords, name="intensity", attrs=attrs)


@st.composite
def sites(draw: st.DrawFn) -> xr.Dataset:
    """Draw sites with variables of all sorts, also of several numbers a site."""
    number = draw(st.integers(0, 4))
    places = st.lists(st.floats(-1e3, 1e3), min_size=number, max_size=number)
    frame = list(range(number)) if draw(st.booleans()) else None
    unit = draw(st.sampled_from(["nm", "px"]))
    found = sites_from_positions(draw(places), draw(places), unit=unit, frame=frame, spacing=0.2)
    found["score"] = ("site", draw(_values("f4", (number,))), {"units": "1"})
    found["sublattice"] = ("site", draw(_values("i8", (number,))))
    found["visible"] = ("site", draw(hnp.arrays(bool, number)))
    names = draw(st.lists(TEXT, min_size=number, max_size=number))
    found["species"] = ("site", np.array(names, dtype=np.str_))
    vectors = draw(_values("f8", (number, 2, 2)))
    found["neighbor_vector"] = (("site", "neighbor", "axis"), vectors, {"units": unit})
    if draw(st.booleans()):
        found = found.assign_coords(axis=["y", "x"])
    found.attrs["notes"] = draw(NOTES)
    return found


@st.composite
def tables(draw: st.DrawFn) -> xr.Dataset:
    """Draw tables with columns of any name and sort."""
    rows = draw(st.integers(0, 4))
    columns: dict[str, Any] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        dtype = draw(st.sampled_from(["u1", "i8", "u8", "f4", "f8", "?", "U"]))
        columns[name] = (
            np.array(draw(st.lists(TEXT, min_size=rows, max_size=rows)), dtype=np.str_)
            if dtype == "U"
            else draw(_values(dtype, (rows,)) if dtype != "?" else hnp.arrays(bool, rows))
        )
    units = {name: "nm" for name, values in columns.items() if values.dtype.kind == "f"}
    table = table_from_columns(columns, units=units)
    table.attrs.update(notes=draw(NOTES), source="x.csv")
    return table


def _same(data: xr.DataArray | xr.Dataset, back: xr.DataArray | xr.Dataset) -> None:
    """Compare everything, types and the order of coordinates' attributes included."""
    xr.testing.assert_identical(data, back.compute())
    for name in data.coords:
        assert data.coords[name].dtype == back.coords[name].dtype
    if isinstance(data, xr.DataArray) and isinstance(back, xr.DataArray):
        assert data.dtype == back.dtype
    elif isinstance(data, xr.Dataset):
        assert {n: v.dtype for n, v in data.items()} == {n: back[n].dtype for n in data}


def _read(path: Path) -> Any:
    return read_data(path)


def _attrs_but_for_scale(back: xr.DataArray) -> dict[str, Any]:
    """Give attributes without what a reader of any file says of positions in px."""
    kept = [note for note in back.attrs.get("notes", []) if not note.startswith(NO_SCALE)]
    attrs = {name: value for name, value in back.attrs.items() if name != "notes"}
    return attrs | ({"notes": kept} if kept else {})


@pytest.mark.parametrize("ending", [".nc", ".h5", ".zarr"])
@pytest.mark.parametrize("kind", ARRAYS)
@QUICK
@given(data=st.data())
def test_arrays_come_back_exactly(ending: str, kind: str, data: st.DataObject) -> None:
    array = data.draw(arrays(kind))
    with _folder() as folder:
        back = _read(write_file(array, folder / f"data{ending}"))
        _same(array, back)
        assert kind_of_data(back) is kind_of_data(array)


def test_a_title_of_one_dot_is_no_group_of_its_own(tmp_path: Path) -> None:
    energy = ("energy", [1.0, 3.0], {"units": "eV"})
    spectra = xr.DataArray(
        np.zeros((2, 2)), {"energy": energy}, ("site", "energy"), attrs={"units": "1", "title": "."}
    )
    back = _read(write_file(spectra, tmp_path / "dot.hspy"))
    assert back.attrs["title"] == "."
    assert back["energy"].values.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("kind", ARRAYS)
@QUICK
@given(data=st.data())
def test_hyperspy_files_keep_axes_units_values_and_notes(kind: str, data: st.DataObject) -> None:
    array = data.draw(arrays(kind, from_zero=True))
    with _folder() as folder:
        back = _read(write_file(array, folder / "data.hspy"))
        # Steps of uniform axes are stored as one number each.
        xr.testing.assert_allclose(array, back.compute(), rtol=1e-12)
        assert np.array_equal(array.values, back.values, equal_nan=array.dtype.kind == "f")
        assert _attrs_but_for_scale(back) == array.attrs
        assert back.dtype == array.dtype
        assert {n: c.attrs for n, c in back.coords.items()} == {
            n: c.attrs for n, c in array.coords.items()
        }


@pytest.mark.parametrize("kind", ["Image", "Movie"])
@QUICK
@given(data=st.data())
def test_tif_files_keep_axes_units_values_and_notes(kind: str, data: st.DataObject) -> None:
    array = data.draw(arrays(kind, from_zero=True, dtypes=["u1", "u2", "f4"]))
    with _folder() as folder:
        back = _read(write_file(array, folder / "data.tif"))
        assert np.array_equal(array.values, back.values, equal_nan=array.dtype.kind == "f")
        # The steps of a tif are ratios of integers of 32 bits.
        xr.testing.assert_allclose(array, back.compute(), rtol=1e-6)
        assert _attrs_but_for_scale(back) == array.attrs
        assert back.dtype == array.dtype


@pytest.mark.parametrize("ending", [".nc", ".zarr", ".csv", ".tsv"])
@QUICK
@given(found=sites())
def test_sites_come_back_exactly(ending: str, found: xr.Dataset) -> None:
    with _folder() as folder:
        _same(found, read_sites(write_file(found, folder / f"sites{ending}")))


@pytest.mark.parametrize("ending", [".nc", ".zarr", ".csv", ".tsv"])
@QUICK
@given(table=tables())
def test_tables_come_back_exactly(ending: str, table: xr.Dataset) -> None:
    with _folder() as folder:
        back = _read(write_file(table, folder / f"table{ending}"))
        _same(table, back)


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is an extra")
@QUICK
@given(found=sites(), table=tables())
def test_parquet_comes_back_exactly(found: xr.Dataset, table: xr.Dataset) -> None:
    with _folder() as folder:
        _same(found, read_sites(write_file(found, folder / "sites.parquet")))
        _same(table, _read(write_file(table, folder / "table.parquet")))


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_names_the_extra(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"adatom\[parquet\]"):
        write_file(table_from_columns({"a": [1]}), tmp_path / "table.parquet")
    (tmp_path / "other.parquet").write_bytes(b"PAR1" + b"\0" * 64)
    with pytest.raises(MissingExtraError, match=r"adatom\[parquet\]"):
        read_data(tmp_path / "other.parquet")


def test_force_curves_come_back_exactly(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(3, 2, 5))
    values[1, 0, 3:] = np.nan
    lengths = np.where(np.isfinite(values), 1, 0).sum(axis=-1)
    curves = xr.Dataset(
        {
            "force": (("site", "segment", "sample"), values, {"units": "nN"}),
            "height": (("site", "segment", "sample"), values * 3, {"units": "nm"}),
        },
        coords={
            "segment": ["approach", "retract"],
            "n_samples": (("site", "segment"), lengths),
            "y": ("site", [0.0, 1.0, 2.0], {"units": "nm"}),
        },
        attrs={"notes": ["three curves"]},
    )
    for ending in (".nc", ".zarr"):
        _same(curves, _read(write_file(curves, tmp_path / f"curves{ending}")))


def test_structures_come_back_to_the_eighth_digit(tmp_path: Path) -> None:
    from ase import Atoms

    positions = np.random.default_rng(3).normal(size=(4, 3)) * 7
    atoms = Atoms("CSiHO", positions=positions, cell=[9.5, 8.25, 7.125], pbc=[True, True, False])
    atoms.set_array("score", np.array([0.5, 0.25, 1.0, 0.0]))  # type: ignore[no-untyped-call]
    atoms.info["title"] = "four atoms"
    back = read_structure(write_file(atoms, tmp_path / "four.extxyz"))
    assert list(back.symbols) == ["C", "Si", "H", "O"]
    assert back.positions == pytest.approx(positions, abs=1e-8)
    assert np.array_equal(back.cell, atoms.cell)
    assert back.pbc.tolist() == [True, True, False]
    assert back.arrays["score"].tolist() == [0.5, 0.25, 1.0, 0.0]
    assert back.info["title"] == "four atoms"


def test_sites_with_species_are_flat_structures(tmp_path: Path) -> None:
    found = sites_from_positions([0.1, 0.2], [0.3, 0.5], unit="nm")
    found["species"] = ("site", ["C", "Si"])
    flat = read_structure(write_file(found, tmp_path / "flat.extxyz"))
    # y points down in the picture, up in the structure.
    assert flat.positions == pytest.approx(np.array([[3, -1, 0], [5, -2, 0]]), abs=1e-7)
    for lost, match in (
        (found.drop_vars("species"), "no species"),
        (found.assign(species=("site", ["C", "Xx1"])), "no elements"),
    ):
        with pytest.raises(WriteError, match=match):
            write_file(lost, tmp_path / "other.extxyz")


def test_xarray_opens_what_is_written(tmp_path: Path) -> None:
    image = image_from_array(np.eye(3), pixel_size="0.5 nm", units="nA")
    for opened in (
        xr.open_dataset(write_file(image, tmp_path / "image.nc"), engine="h5netcdf"),
        xr.open_zarr(write_file(image, tmp_path / "image.zarr"), consolidated=False),
    ):
        with opened as data:
            assert np.array_equal(data["values"], np.eye(3))
            assert data["x"].values.tolist() == [0.0, 0.5, 1.0]
            assert data["values"].attrs["units"] == "nA"
            assert data["x"].attrs["units"] == "nm"


def test_plain_hdf5_shows_values_and_axes(tmp_path: Path) -> None:
    path = write_file(image_from_array(np.eye(3), pixel_size="0.5 nm"), tmp_path / "image.h5")
    with h5py.File(path) as file:
        assert np.array_equal(file["values"][...], np.eye(3))
        assert file["values"].dims[1][0][...].tolist() == [0.0, 0.5, 1.0]


def test_imagej_finds_scale_and_frame_time(tmp_path: Path) -> None:
    frames = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    image = image_from_array(frames[0], pixel_size="0.02 nm")
    movie = xr.DataArray(
        frames,
        dims=("frame", "y", "x"),
        coords={"y": image.y, "x": image.x, "time": ("frame", [0.0, 0.5], {"units": "s"})},
        attrs={"units": "1"},
    )
    with tifffile.TiffFile(write_file(movie, tmp_path / "movie.tif")) as file:
        assert file.is_imagej
        assert file.imagej_metadata["unit"] == "nm"  # type: ignore[index]
        assert file.imagej_metadata["finterval"] == 0.5  # type: ignore[index]
        numerator, denominator = file.pages[0].tags["XResolution"].value  # type: ignore[union-attr]
        assert numerator / denominator == pytest.approx(50)
        assert np.array_equal(file.asarray(), frames)


def test_csv_opens_in_any_program(tmp_path: Path) -> None:
    found = sites_from_positions([0.5], [1.5], unit="nm", frame=[3])
    lines = write_file(found, tmp_path / "sites.csv").read_text().splitlines()
    assert lines[0].startswith("# adatom {")
    assert lines[1:] == ["y [nm],x [nm],frame", "0.5,1.5,3"]


@pytest.mark.parametrize("ending", [".nc", ".zarr", ".hspy", ".tif"])
def test_a_lazy_movie_is_streamed(tmp_path: Path, ending: str) -> None:
    largest = 0

    def block(frame: np.ndarray[Any, Any], block_info: Any = None) -> np.ndarray[Any, Any]:
        nonlocal largest
        largest = max(largest, frame.nbytes)
        return frame + np.uint16(block_info[0]["chunk-location"][0])

    lazy = da.map_blocks(
        block,
        da.zeros((40, 16, 16), dtype=np.uint16, chunks=(1, 16, 16)),  # type: ignore[no-untyped-call]
        dtype=np.uint16,
    )
    image = image_from_array(np.zeros((16, 16)), pixel_size="1 nm")
    movie = xr.DataArray(
        lazy, dims=("frame", "y", "x"), coords={"y": image.y, "x": image.x}, attrs={"units": "1"}
    )
    back = read_movie(write_file(movie, tmp_path / f"movie{ending}"))
    assert back[:, 0, 0].values.tolist() == list(range(40))
    assert movie.chunks is not None
    assert largest <= 16 * 16 * 2


def test_settings_still_hold_for_what_adatom_wrote(tmp_path: Path) -> None:
    path = write_file(image_from_array(np.eye(4), pixel_size="0.5 nm"), tmp_path / "image.nc")
    scaled = read_image(path, pixel_size="0.25 nm")
    assert scaled.x.values.tolist() == [0.0, 0.25, 0.5, 0.75]
    movie = xr.concat([read_image(path), read_image(path) * 2], "frame")
    movie.attrs = {"units": "1"}
    written = write_file(movie, tmp_path / "movie.nc")
    assert np.array_equal(read_image(written, frame=1).values, np.eye(4) * 2)


def test_what_a_format_cannot_hold_is_refused_with_those_that_can(tmp_path: Path) -> None:
    image = image_from_array(np.eye(3), pixel_size="0.5 nm")
    table = table_from_columns({"a": [1]})
    spectra = xr.DataArray(
        np.ones((2, 3)),
        dims=("site", "energy"),
        coords={
            "energy": ("energy", [1.0, 2.0, 3.0], {"units": "eV"}),
            "y": ("site", [0.0, 1.0], {"units": "nm"}),
        },
    )
    cases: list[tuple[Any, str, str]] = [
        (
            image,
            "image.csv",
            r"no Image is written to \.csv: use \.nc, \.h5, \.zarr",
        ),
        (table, "table.tif", r"no Table is written to \.tif: use \.nc, \.h5, \.zarr, \.csv"),
        (image, "image", "files without ending: use"),
        (image, "image.tif", r'found float64.*data\.astype\("float32"\)'),
        (image.astype("float32")[1:], "image.tif", "start at 0.5"),
        (image.astype("float32")[:1], "image.tif", "two pixels along y and x"),
        (spectra, "spectra.hspy", r"no place for y along site: \.nc or \.zarr holds it"),
    ]
    for data, name, match in cases:
        with pytest.raises(WriteError, match=match):
            write_file(data, tmp_path / name)
    with pytest.raises(KindError, match="of no kind"):
        write_file(np.eye(3), tmp_path / "image.nc")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".hspy", ".tif"])
def test_positions_that_would_move_are_refused(tmp_path: Path, ending: str) -> None:
    image = image_from_array(np.eye(6, dtype=np.float32))
    frames = xr.concat([image] * 3, "frame").assign_coords(frame=[4, 5, 6])
    frames.attrs = {"units": "1"}
    for data in (image[::2, ::2], frames):
        with pytest.raises(WriteError, match=r"does not keep|other numbers"):
            write_file(data, tmp_path / f"data{ending}")
    assert list(tmp_path.iterdir()) == []


def test_hyperspy_files_tell_where_a_cut_image_began(tmp_path: Path) -> None:
    image = image_from_array(np.eye(6), pixel_size="0.5 nm")[2:, 4:]
    back = read_image(write_file(image, tmp_path / "cut.hspy"))
    assert back.attrs["instrument_origin"] == [1.0, 2.0]
    assert back.x.values.tolist() == [0.0, 0.5]


def test_a_streak_image_keeps_its_times(tmp_path: Path) -> None:
    streak = xr.DataArray(
        np.ones((3, 2)),
        dims=("time", "wavelength"),
        coords={
            "time": ("time", [0.0, 0.5, 1.0], {"units": "ns"}),
            "wavelength": ("wavelength", [400.0, 410.0], {"units": "nm"}),
        },
        attrs={"units": "1"},
    )
    for ending in (".hspy", ".nc", ".zarr"):
        back = _read(write_file(streak, tmp_path / f"streak{ending}"))
        xr.testing.assert_allclose(streak, back.compute())


def test_attributes_that_are_not_plain_are_refused(tmp_path: Path) -> None:
    image = image_from_array(np.eye(3), attrs={"when": np.float32(1)})
    with pytest.raises(WriteError, match=r"attrs\['when'\] of values is float32"):
        write_file(image, tmp_path / "image.nc")


@pytest.mark.parametrize("ending", [".nc", ".zarr"])
def test_a_file_is_replaced_only_if_that_is_said(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"image{ending}"
    write_file(image_from_array(np.eye(3)), path)
    with pytest.raises(WriteError, match="exists: give another name, or overwrite=True"):
        write_file(image_from_array(np.ones((2, 2))), path)
    write_file(image_from_array(np.ones((2, 2))), path, overwrite=True)
    assert read_image(path).shape == (2, 2)


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_file(image_from_array(np.eye(3)), tmp_path / "image.nc")

    def fail(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        message = "the detector broke"
        raise ValueError(message)

    broken = da.map_blocks(fail, da.zeros((3, 3), chunks=2), dtype=float, meta=np.empty((0, 0)))  # type: ignore[no-untyped-call]
    with pytest.raises(WriteError, match="the detector broke"):
        write_file(image_from_array(broken), path, overwrite=True)
    assert np.array_equal(read_image(path).values, np.eye(3))
    assert [file.name for file in tmp_path.iterdir()] == ["image.nc"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="there is no folder"):
        write_file(image_from_array(np.eye(3)), tmp_path / "none" / "image.nc")


@pytest.mark.parametrize("ending", [".hspy", ".tif"])
def test_an_image_that_knows_its_place_in_the_instrument_is_written_and_keeps_it(
    ending: str, tmp_path: Path
) -> None:
    image = image_from_array(np.eye(5, dtype=np.float32), pixel_size="0.5 nm")
    image.attrs |= {"instrument_origin": [-40.25, 7.5], "instrument_origin_unit": "nm"}
    back = read_image(write_file(image, tmp_path / f"placed{ending}"))
    assert back.attrs["instrument_origin"] == [-40.25, 7.5]
    assert back["y"].values.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_writing_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    image = image_from_array(np.eye(5, dtype=np.float32), pixel_size="0.5 nm").chunk()
    for ending in (".hspy", ".tif", ".nc", ".zarr"):
        write_file(image, tmp_path / f"quiet{ending}")
    assert capfd.readouterr() == ("", "")


def test_sites_whose_header_was_damaged_are_read_as_any_table_and_told(tmp_path: Path) -> None:
    sites = sites_from_positions([0.5], [1.5], unit="nm")
    path = write_file(sites, tmp_path / "sites.csv")
    content = path.read_text("utf-8")
    path.write_text(content.replace('"units"', '"unit;"'), "utf-8")
    assert any("could not be" in note for note in read_sites(path).attrs["notes"])


def test_a_name_that_was_made_longer_by_hand_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    sites = sites_from_positions([1.0, 2.0], [0.0, 5.0], unit="nm")
    write_file(sites.assign({"class": ("site", np.array(["Se", ""]))}), path)
    path.write_text(path.read_text().replace("2.0,5.0,", "2.0,5.0,vacancy"))
    assert read_sites(path)["class"].values.tolist() == ["Se", "vacancy"]
