"""Who reads a file that several formats claim, and formats of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import h5py
import numpy as np
import pytest

from adatom.errors import AdatomWarning, ReadError
from adatom.io import extensions, formats, list_formats, opening, read_contents, read_image
from adatom.io.claims import starts_with
from adatom.io.formats import Format
from adatom.io.signals import RawAxis, RawFile, RawSignal
from adatom.schema import notes


def read_dots(path: Path) -> RawFile:
    """Read the format of this test: a mark, then one digit a pixel."""
    rows = [[int(digit) for digit in line] for line in path.read_text().split()[1:]]
    axes = (RawAxis("y", "um", 0.5), RawAxis("x", "um", 0.5))
    return RawFile(path, "dots", [RawSignal(np.array(rows, np.uint8), axes, "dots")])


DOTS = Format("Dots", ".dots", "image", "a test", read_dots, starts_with(b"DOTS"))
NO_FORMAT = "not a format"


@pytest.fixture
def fresh_extensions(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    extensions.installed_formats.cache_clear()
    yield monkeypatch
    extensions.installed_formats.cache_clear()


def _install(monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
    points = [EntryPoint(f"dots{k}", target, extensions.GROUP) for k, target in enumerate(targets)]
    found = {extensions.GROUP: points}
    monkeypatch.setattr(extensions, "entry_points", lambda group: found[group])


def test_a_format_of_another_package_is_read_and_listed(
    tmp_path: Path, fresh_extensions: pytest.MonkeyPatch
) -> None:
    fresh_extensions.setitem(__import__("sys").modules, "dots_package", _Package)
    _install(fresh_extensions, "dots_package:DOTS")
    (tmp_path / "a.xyz").write_text("DOTS 012 345")
    image = read_image(tmp_path / "a.xyz")
    assert image.values.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert image.x.units == "nm"
    assert image.x.values[1] == 500.0
    assert read_contents(tmp_path / "a.xyz").attrs["format"] == "Dots"
    assert "Dots" in list_formats()["name"].values


class _Package:
    DOTS = DOTS
    NO_FORMAT = NO_FORMAT


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("dots_package:NO_FORMAT", "it is str, not adatom.io.Format"),
        ("dots_package:MISSING", "AttributeError"),
        ("no_such_package_anywhere:DOTS", "ModuleNotFoundError"),
    ],
)
def test_a_broken_package_is_told_and_other_files_are_read(
    tmp_path: Path, fresh_extensions: pytest.MonkeyPatch, target: str, problem: str
) -> None:
    fresh_extensions.setitem(__import__("sys").modules, "dots_package", _Package)
    _install(fresh_extensions, target)
    np.save(tmp_path / "a.npy", np.eye(4))
    with pytest.warns(AdatomWarning, match=f"{target} is not used: .*{problem}"):
        assert read_image(tmp_path / "a.npy").shape == (4, 4)


def _failing(path: Path) -> RawFile:
    msg = "the first block is torn"
    raise ValueError(msg)


def _finding_nothing(path: Path) -> RawFile:
    return RawFile(path, "dots", [])


@pytest.mark.parametrize(
    ("first", "reason"),
    [(_failing, "the first block is torn"), (_finding_nothing, "it holds no numbers")],
)
def test_a_format_that_fails_or_finds_nothing_yields_to_the_next_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: object, reason: str
) -> None:
    np.save(tmp_path / "a.npy", np.eye(4))
    eager = Format("Eager", ".npy", "image", "a test", first, starts_with(b"\x93NUMPY"))  # type: ignore[arg-type]
    both = {"eager": eager, **formats.FORMATS}
    for module in (formats, opening):
        monkeypatch.setattr(module, "all_formats", lambda: both)
    (note,) = [line for line in notes(read_image(tmp_path / "a.npy")) if "Eager" in line]
    assert note.startswith("it was read as NumPy array; as Eager it could not be: ")
    assert reason in note


def test_where_all_fail_the_error_is_of_the_surest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00 torn")
    eager = Format("Eager", ".npy", "image", "a test", _failing, starts_with(b"\x93NUMPY"))
    both = {"eager": eager, **formats.FORMATS}
    for module in (formats, opening):
        monkeypatch.setattr(module, "all_formats", lambda: both)
    with pytest.raises(ReadError, match="the first block is torn"):
        read_image(tmp_path / "a.npy")


def test_content_counts_before_the_ending(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(4))
    (tmp_path / "a.npy").rename(tmp_path / "a.tif")
    assert read_contents(tmp_path / "a.tif").attrs["format"] == "NumPy array"


def test_an_hdf5_file_of_hyperspy_that_is_damaged_is_no_hyperspy_signal(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hspy", "w") as file:
        file.attrs["file_format"] = "HyperSpy"
        file.create_group("Experiments")
        file["image"] = np.eye(4)
    image = read_image(tmp_path / "a.hspy")
    assert any("as HyperSpy HDF5 it could not be" in note for note in notes(image))
