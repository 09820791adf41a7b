"""Formats that RosettaSciIO reads, beside those with tests of their own: numbers, axes, bounds."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import dask.array
import h5py
import numpy as np
import pytest
import xarray as xr
from written_rosetta import EMPAD, MAP, PATTERNS, ROSETTA_WRITERS, SPECTRUM, STACK

from adatom.errors import ReadError
from adatom.io import (
    read_contents,
    read_data,
    read_diffraction_map,
    read_image,
    read_movie,
    read_spectra,
    read_spectral_map,
    read_table,
)
from adatom.io.companions import companion_files
from adatom.io.formats import FORMATS
from adatom.io.metadata import raw_metadata
from adatom.io.signals import RawSignal
from adatom.schema import notes

Array = np.ndarray[Any, Any]
Ends = dict[str, tuple[float, float, str]]


class Holds(NamedTuple):
    """What a written file holds."""

    key: str
    values: Array
    axes: Ends
    facts: Mapping[str, object] = MappingProxyType({})


_PICTURE: Ends = {"y": (0, 1.0, "nm"), "x": (0, 0.75, "nm")}
_SPACE: Ends = {"y": (0, 1, "px"), "x": (0, 2, "px")}
_PATTERN: Ends = {"k_y": (0, 3, "px"), "k_x": (0, 3, "px")}
_TITLED = {"title": "written", "date": "2020-02-03T10:11:12"}

WRITTEN = [
    Holds("hspy", STACK[0], _PICTURE, _TITLED),
    Holds("zspy", STACK[0], _PICTURE, {"title": "written"}),
    Holds("emd", STACK[0], _PICTURE, {"title": "written"}),
    Holds("mrc", STACK, {"y": (0, 0.4, "nm"), "x": (0, 0.6, "nm")}),
    Holds("mrcz", STACK, {"frame": (0, 1, ""), **_PICTURE}, _TITLED),
    Holds("nexus", STACK, {"frame": (0, 1, ""), **_PICTURE}, {"title": "written"}),
    Holds("semper", STACK[0], _PICTURE, {"title": "written"}),
    Holds("sur", STACK[0], _PICTURE),
    Holds("prz", STACK[0], _PICTURE, {"title": "written"}),
    Holds("tvips", STACK, {"y": (0, 14, "nm"), "x": (0, 21, "nm")}, {"beam_energy": 200e3}),
    Holds("blo", PATTERNS, {"y": (0, 2.5, "nm"), "x": (0, 5, "nm"), **_PATTERN},
          {"beam_energy": 200e3, "date": "2015-12-01T12:00:00"}),
    Holds("mib", PATTERNS.reshape(6, 4, 4), {"frame": (0, 5, "")}),
    Holds("empad", EMPAD[:, :, :128], {**_SPACE, "k_y": (-1.28, 1.26, "1/nm"),
          "k_x": (-1.28, 1.26, "1/nm")}, {"date": "2019-06-07T08:09:10"}),
    Holds("arina", PATTERNS.reshape(6, 4, 4)[:4].reshape(2, 2, 4, 4),
          {"y": (0, 0.5, "nm"), "x": (0, 0.5, "nm"), **_PATTERN}),
    Holds("topspin", PATTERNS, {"y": (0, 3, "nm"), "x": (0, 6, "nm")},
          {"sample": "gold", "date": "2020-02-03T10:11:12"}),
    Holds("edax", MAP, {**_SPACE, "energy": (1, 5, "1")}),
    Holds("ripple", MAP, {**_SPACE, "energy": (0, 40, "eV")}),
    Holds("delmic", MAP, {"y": (0, 300, "nm"), "x": (0, 400, "nm"),
          "wavelength": (400, 450, "nm")}, {"title": "Spectrum"}),
    Holds("netcdf", MAP, {"y": (0, 3, "nm"), "x": (0, 4, "nm"), "energy": (100, 102, "eV")}),
    Holds("jobinyvon", MAP, {"y": (0, 3000, "nm"), "x": (0, 4000, "nm"),
          "wavenumber": (100, 500, "1/cm")},
          {"title": "Written", "sample": "quartz", "laser_wavelength": 632.817}),
    Holds("hamamatsu", np.arange(12).reshape(3, 4), {"time": (0, 1.5, "ns"),
          "wavelength": (400, 406, "nm")}, {"date": "2023-01-20T11:28:55"}),
    Holds("msa", SPECTRUM[None], {"energy": (500, 502.5, "eV")},
          {"title": "Written", "beam_energy": 100e3}),
    Holds("quadstar", np.stack([SPECTRUM, SPECTRUM + 1]), {"time": (0, 3, "s"),
          "mass_to_charge": (10, 15, "Da")}, {"date": "2020-01-02T03:04:05"}),
]  # fmt: skip


@pytest.mark.parametrize("holds", WRITTEN, ids=lambda holds: holds.key)
def test_a_file_gives_its_numbers_on_its_axes_with_its_facts(tmp_path: Path, holds: Holds) -> None:
    path = ROSETTA_WRITERS[holds.key](tmp_path)
    assert read_contents(path).attrs["format"] == FORMATS[holds.key].name
    found = read_data(path)
    assert isinstance(found, xr.DataArray)
    np.testing.assert_array_equal(found.values, holds.values)
    for dim, (first, last, unit) in holds.axes.items():
        axis = found.coords[dim]
        assert axis.values[[0, -1]] == pytest.approx([first, last]), dim
        assert axis.attrs.get("units", "") == unit, dim
    assert {key: found.attrs[key] for key in holds.facts} == holds.facts
    assert all(isinstance(text, str) for text in found.attrs.get("raw", {}).values())
    json.dumps(found.attrs)


LAZY = ("hspy", "emd", "mrc", "nexus", "blo", "mib", "empad", "edax", "ripple")


@pytest.mark.parametrize("key", LAZY)
def test_numbers_stay_in_the_file_until_they_are_needed(tmp_path: Path, key: str) -> None:
    from adatom.io.opening import open_file

    (part,) = open_file(ROSETTA_WRITERS[key](tmp_path)).parts
    assert isinstance(part, RawSignal)
    assert isinstance(part.values, dask.array.Array)


LOGS: dict[str, dict[str, list[float]]] = {
    # Seconds of the day.
    "dens": {"time": [54790, 54792, 54794, 54796], "Temperature": [20, 21, 22, 23]},
    "impulse": {
        "time": [0, 2, 4, 6, 8],
        "Temperature Measured": [20.5, 21.5, 22.5, 23.5, 24.5],
        "Power": [0, 1, 2, 3, 4],
    },
    "protochips": {
        "time": [0, 0.501, 1.004, 1.509, 2.016],
        # Milliamperes, in nA.
        "Channel A Current": [0.5e6, 1.5e6, 2.5e6, 3.5e6, 4.5e6],
        "Channel A Voltage": [0.25, 2.25, 4.25, 6.25, 8.25],
    },
}


@pytest.mark.parametrize("key", LOGS)
def test_logs_of_holders_are_tables_over_time(tmp_path: Path, key: str) -> None:
    found = read_table(ROSETTA_WRITERS[key](tmp_path))
    assert set(found) == set(LOGS[key])
    for name, values in LOGS[key].items():
        assert found[name].values.tolist() == pytest.approx(values)
    assert found["time"].attrs["units"] == "s"
    if key != "protochips":
        assert any("evenly spaced" in note for note in notes(found))


CUT = ("mrc", "blo", "edax", "tvips", "hamamatsu", "msa", "netcdf", "nexus", "delmic", "semper")


@pytest.mark.parametrize("key", CUT)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused_not_filled_up(
    tmp_path: Path, key: str, part: float
) -> None:
    path = ROSETTA_WRITERS[key](tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ReadError, match="cannot read"):
        np.asarray(read_data(path))


@pytest.mark.parametrize(("key", "numbers"), [("empad", "scan_x3_y2.raw"), ("ripple", "small.raw")])
def test_numbers_in_a_file_beside_are_checked_too(tmp_path: Path, key: str, numbers: str) -> None:
    path = ROSETTA_WRITERS[key](tmp_path)
    raw = tmp_path / numbers
    assert raw in companion_files(path)
    raw.write_bytes(raw.read_bytes()[:-1])
    with pytest.raises(ReadError, match="promises an array of shape"):
        read_contents(path)
    raw.unlink()
    with pytest.raises(ReadError, match=f"{numbers}', which is not beside it.*into one folder"):
        read_contents(path)


def test_a_header_may_not_point_out_of_its_folder(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["empad"](tmp_path)
    inner = tmp_path / "inner"
    inner.mkdir()
    text = path.read_text("utf-8").replace("scan_x3_y2.raw", "../scan_x3_y2.raw")
    (inner / "small.xml").write_text(text, "utf-8")
    with pytest.raises(ReadError, match="not beside it"):
        read_contents(inner / "small.xml")


@pytest.mark.parametrize(
    ("key", "offset", "layout", "promised"),
    [
        ("mrc", 0, "<3i", (2**30, 2**30, 2**30)),
        ("blo", 24, "<2H", (65535, 65535)),
        ("edax", 24, "<3I", (2**31, 2**31, 2**31)),
    ],
)
def test_what_a_header_promises_is_compared_with_the_file_first(
    tmp_path: Path, key: str, offset: int, layout: str, promised: tuple[int, ...]
) -> None:
    path = ROSETTA_WRITERS[key](tmp_path)
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, *promised)
    path.write_bytes(content)
    with pytest.raises(ReadError, match="promises an array of shape"):
        read_contents(path)


@pytest.mark.parametrize("key", ["jobinyvon", "empad"])
def test_entities_of_xml_cannot_grow(tmp_path: Path, key: str) -> None:
    path = ROSETTA_WRITERS[key](tmp_path)
    declaration, _, rest = path.read_text("utf-8").partition("?>")
    path.write_text(f'{declaration}?><!DOCTYPE a [<!ENTITY b "ha">]>{rest}', "utf-8")
    with pytest.raises(ReadError, match="declares a document type"):
        read_contents(path)


def test_an_empty_array_of_hdf5_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["delmic"](tmp_path)
    with h5py.File(path, "a") as file:
        place = file["Acquisition0/ImageData"]
        del place["Image"]
        place.create_dataset("Image", (1, 1, 1, 10**5, 10**5), "u2", chunks=(1, 1, 1, 100, 100))
    with pytest.raises(ReadError, match="cannot be packed into"):
        read_contents(path)


def test_text_of_netcdf_is_never_run(tmp_path: Path) -> None:
    from scipy.io import netcdf_file

    path = ROSETTA_WRITERS["netcdf"](tmp_path)
    with netcdf_file(path, "a") as file:
        file.history = f"open({str(tmp_path / 'run')!r}, 'w')"
    found = read_spectral_map(path)
    assert not (tmp_path / "run").exists()
    assert found.attrs["raw"]["history"].startswith("open(")


def test_netcdf_of_others_has_the_axes_that_it_names(tmp_path: Path) -> None:
    from scipy.io import netcdf_file

    path = tmp_path / "image.nc"
    with netcdf_file(path, "w") as file:
        for name, size, step in (("y", 3, 2.0), ("x", 4, 1.0)):
            file.createDimension(name, size)
            along = file.createVariable(name, "f8", (name,))
            along[:], along.units = np.arange(size) * step, "nm"
        height = file.createVariable("height", "f4", ("y", "x"))
        height[:], height.units = STACK[0], "pm"
    found = read_image(path)
    np.testing.assert_allclose(found.values, STACK[0] / 1000, rtol=1e-6)
    assert (found.attrs["units"], found.y.values.tolist()) == ("nm", [0, 2, 4])


def test_frames_of_arina_that_make_no_square_are_a_movie(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["arina"](tmp_path)
    assert len(companion_files(path)) == 4
    with h5py.File(path, "a") as file:
        del file["entry/data/data_000002"]
    movie = read_movie(path)
    np.testing.assert_array_equal(movie.values, PATTERNS.reshape(6, 4, 4)[:2])
    assert movie.dtype == np.uint32
    assert "make no square" in notes(movie)[0]


def test_arina_never_follows_a_link_to_another_folder(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["arina"](tmp_path)
    with h5py.File(path, "a") as file:
        file["entry/data/data_000003"] = h5py.ExternalLink("/etc/secret.h5", "/data")
    with pytest.raises(ReadError, match=r"it points to '/etc/secret\.h5'"):
        read_contents(path)


def test_a_stream_of_tvips_goes_on_in_its_other_parts(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["tvips"](tmp_path)
    content = path.read_bytes()
    record = 60 + STACK[0].size * 2
    (tmp_path / "small_001.tvips").write_bytes(content[256:] + content[-record:])
    movie = read_movie(path)
    assert isinstance(movie.data, dask.array.Array)
    np.testing.assert_array_equal(movie.values, STACK[[0, 1, 0, 1, 1]])
    assert movie.attrs["date"] == "2020-09-13T12:26:40"
    assert companion_files(path)[1].name == "small_001.tvips"
    with pytest.raises(ReadError, match=r"Give the first part, small_000\.tvips"):
        read_movie(tmp_path / "small_001.tvips")


def test_a_last_frame_that_is_no_whole_one_is_told(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["mib"](tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    movie = read_movie(path)
    assert movie.sizes["frame"] == 5
    assert "397 bytes at the end are no whole frame and were not read" in notes(movie)


def test_the_scan_of_merlin_is_in_the_text_beside_it(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["mib"](tmp_path)
    head = "HDR,\t\nFrames in Acquisition (Number):\t6\nFrames per Trigger (Number):\t3\nEnd\t"
    path.with_suffix(".hdr").write_text(head, "utf-8")
    found = read_diffraction_map(path)
    np.testing.assert_array_equal(found.values, PATTERNS)
    assert path.with_suffix(".hdr") in companion_files(path)
    with pytest.raises(ReadError, match=r"Give the \.mib file beside it"):
        read_contents(path.with_suffix(".hdr"))


def test_an_archive_is_read_as_the_files_in_it(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["zip"](tmp_path)
    (tmp_path / "small.mib").unlink()
    table = read_contents(path)
    assert table["name"].values.tolist() == ["small.mib", "small.msa: Written"]
    spectrum = read_spectra(path)
    np.testing.assert_array_equal(spectrum.values, SPECTRUM[None])
    assert spectrum.attrs["source"] == "small.zip"
    np.testing.assert_array_equal(read_movie(path).values, PATTERNS.reshape(6, 4, 4))


def test_an_archive_writes_nowhere_else_and_holds_no_archive(tmp_path: Path) -> None:
    inner = ROSETTA_WRITERS["zip"](tmp_path)
    path = tmp_path / "outer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "inner.zspy")
        for name in ("../../out.msa", "/out.msa"):
            archive.writestr(name, (tmp_path / "small.msa").read_bytes())
    with pytest.raises(ReadError, match="zip archive of"):
        read_contents(path)
    assert not (tmp_path.parent.parent / "out.msa").exists()


def test_an_archive_that_fills_the_disk_is_refused(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["zip"](tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2000):
            archive.writestr(f"z{number}.txt", "")
    with pytest.raises(ReadError, match="archive of 2001 files or more"):
        read_contents(path)


def test_a_file_of_an_archive_that_fails_is_told_beside_the_others(tmp_path: Path) -> None:
    path = ROSETTA_WRITERS["zip"](tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("broken.blo", "IMGBLO and nothing more")
    told = notes(read_spectra(path))
    assert any("of its file 'broken.blo': it ends within its header" in note for note in told)


def test_headers_are_kept_as_bounded_text() -> None:
    raw = raw_metadata(
        {
            "Scan": {"Range": [1.5, 2], "Frames": [{"time": 3}, {"time": b"4\0"}]},
            "table": np.zeros((100, 2)),
            "long": "x" * 1000,
        }
    )
    assert raw == {
        "Scan.Range": "[1.5, 2]",
        "Scan.Frames.0.time": "3",
        "Scan.Frames.1.time": "4",
        "table": "array of shape (100, 2), float64",
        "long": "x" * 296 + " ...",
    }
    many = raw_metadata({str(number): number for number in range(700)})
    assert len(many) == 501
    assert many["..."] == "200 more entries were left out"
    assert list(raw_metadata({"a": {"b": {}}})) == []
