"""The report of a run: one page that holds everything and says what the results say."""

from __future__ import annotations

import base64
import dataclasses
import errno
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import xarray as xr

from adatom.errors import WriteError
from adatom.report import RunRecord, SourceRecord, StepRecord, write_report
from adatom.report.encoding import fewer_colors
from adatom.report.lineage import Lineage
from adatom.report.pictures import pictures_of
from adatom.schema import (
    Features,
    Sites,
    image_from_array,
    sites_from_positions,
    table_from_columns,
)

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Tags, addresses, ids and text of a page; complains about tags that do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "action", "data", "srcset", "poster"}:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def _page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_refers_to_nothing_outside(written: Path) -> None:
    page = _page(written)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert all(one.startswith(("data:", "#")) for one in page.addresses)
    html = written.read_text(encoding="utf-8")
    assert "url(" not in html
    assert "@import" not in html
    assert html.startswith("<!DOCTYPE html>")


def test_every_link_inside_the_page_has_its_anchor(written: Path) -> None:
    page = _page(written)
    assert len(set(page.ids)) == len(page.ids)
    assert {one[1:] for one in page.addresses if one.startswith("#")} <= set(page.ids)


def test_every_picture_of_the_page_decodes(written: Path) -> None:
    pictures = [one for one in _page(written).addresses if one.startswith("data:image/png;base64,")]
    assert len(pictures) >= 8
    for address in pictures:
        content = base64.b64decode(address.partition(",")[2], validate=True)
        assert min(PIL.Image.open(io.BytesIO(content)).convert("RGB").size) > 100


def test_pictures_and_tables_lie_beside_the_page(written: Path) -> None:
    pictures = {path.stem for path in (written.parent / "pictures").glob("*.png")}
    assert pictures == {
        "image", "regions", "atoms", "atoms-statistics", "neighbors-neighbors", "patches", "choice",
        "found-classes", "found-classes-means", "found-classes-members", "found-classes-neighbors",
            "found-classes-cells", "found-classes-displacements",
        "score-comparison",
    }  # fmt: skip
    tables = {path.stem for path in (written.parent / "tables").glob("*.csv")}
    assert {"atoms", "choice", "found-classes", "found-classes-2", "score-scores"} <= tables


def test_the_summary_gives_the_numbers_of_the_results(written: Path) -> None:
    text = " ".join(_page(written).text.split())
    for sentence in (
        "81 atoms found in 3.6 x 3.6 nm, most neighbors 0.4 nm apart.",
        "between most neighbors",
        "noise makes look smaller than 0.4 nm, the most frequent distance among all neighbors.",
        "The fits of 2 of them failed: the position is the finder's.",
        "25.0 % of the area was left out of the analysis.",
        "2 classes chosen: the BIC is least for 2 classes.",
        "2 classes: 77 and 1 members; 3 not classified.",
        "76 of 81 true sites were found and 0 false ones (precision 1.000, recall 0.938, F1 0.968)",
    ):
        assert sentence in text


def test_the_map_of_classes_stands_first(written: Path) -> None:
    html = written.read_text(encoding="utf-8")
    assert html.index("<code>pictures/found-classes.png</code>") < html.index("<nav")
    assert html.count("<code>pictures/found-classes.png</code>") == 1


def test_warnings_notes_settings_recipe_and_origin_are_told(written: Path) -> None:
    text = " ".join(_page(written).text.split())
    for words in (
        "1 warning", "2 fits failed", "no scale in the file", 'contrast = "bright"',
        "Settings left unset: spacing", 'do = "localization.find_atoms(image)"',
        "adatom rerun runs/one", "one.tif (2.5 MB)", "ab" * 32, "stored before",
        "descriptors.site_patches(image, neighbors)",
    ):  # fmt: skip
        assert words in text


def test_a_csv_holds_every_site_with_units_and_all_digits(written: Path, record: RunRecord) -> None:
    atoms: Sites = record.steps[2].results[""]
    table = pd.read_csv(written.parent / "tables" / "atoms.csv")
    np.testing.assert_array_equal(table["y [nm]"].to_numpy(), atoms.y.values)
    np.testing.assert_array_equal(table["x [nm]"].to_numpy(), atoms.x.values)


def test_a_csv_can_be_saved_from_the_page_alone(written: Path) -> None:
    tables = [one for one in _page(written).addresses if one.startswith("data:text/csv")]
    first = base64.b64decode(tables[0].partition(",")[2]).decode()
    assert first == (written.parent / "tables" / "atoms.csv").read_text(encoding="utf-8")


HOSTILE = "<script>alert(1)</script>\"'&{{ 7654321*7654321 }}$\\frac{"


def test_hostile_names_notes_and_values_do_no_harm(record: RunRecord, tmp_path: Path) -> None:
    image = image_from_array(np.eye(9), name=HOSTILE, units=HOSTILE, attrs={"notes": [HOSTILE]})
    hostile = StepRecord(HOSTILE, HOSTILE, (HOSTILE,), {HOSTILE: HOSTILE}, HOSTILE, {"": image},
                         HOSTILE, warnings=(HOSTILE,))  # fmt: skip
    path = Path("..") / "<img src=x onerror=alert(1)>.tif"
    dangerous = dataclasses.replace(
        record,
        title=HOSTILE,
        recipe=HOSTILE,
        repeat=HOSTILE,
        steps=(hostile,),
        sources=(SourceRecord(HOSTILE, path, HOSTILE, 1),),
        provenance={HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]},
    )
    page = _page(write_report(dangerous, tmp_path / "run"))
    assert "script" not in page.tags
    assert page.tags.count("img") == 1
    assert HOSTILE in page.text
    # A number that neither a clock nor a size shows by chance.
    assert str(7654321**2) not in page.text
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def _without_clock(html: str) -> str:
    return re.sub(r"<time>[^<]*</time>", "", html)


def _lazy(value: object) -> object:
    return value.chunk() if isinstance(value, xr.Dataset | xr.DataArray) else value


def test_the_same_run_gives_the_same_page_but_for_the_clock_lazy_or_not(
    record: RunRecord, written: Path, tmp_path: Path
) -> None:
    steps = tuple(
        dataclasses.replace(one, results={name: _lazy(v) for name, v in one.results.items()})
        for one in record.steps
    )
    again = write_report(dataclasses.replace(record, steps=steps), tmp_path)
    first, second = (_without_clock(one.read_text(encoding="utf-8")) for one in (written, again))
    assert first == second
    for one in (written.parent / "pictures").iterdir():
        assert one.read_bytes() == (again.parent / "pictures" / one.name).read_bytes()


def test_results_are_not_changed_by_the_report(record: RunRecord, tmp_path: Path) -> None:
    (found,) = (step for step in record.steps if step.name == "found")
    before = found.results["classes"].copy(deep=True)
    write_report(dataclasses.replace(record, steps=(found,)), tmp_path)
    xr.testing.assert_identical(found.results["classes"], before)


def test_files_that_an_earlier_report_left_are_removed(record: RunRecord, tmp_path: Path) -> None:
    image, choice = record.steps[0], record.steps[5]
    write_report(dataclasses.replace(record, steps=(image, choice)), tmp_path)
    kept = tmp_path / "pictures" / "my-own.png"
    kept.write_bytes(b"mine")
    write_report(dataclasses.replace(record, steps=(image,)), tmp_path)
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"image.png", "my-own.png"}
    assert not list((tmp_path / "tables").iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WriteError, match=r"file.* cannot be written: .*; choose another folder"):
        write_report(RunRecord("Nothing", "", ()), tmp_path / "file")


def test_a_full_disk_leaves_the_report_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_report(RunRecord("Before", "", ()), tmp_path).read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match=r"No space left on device; .* make room on the disk"):
        write_report(RunRecord("After", "", ()), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "summary.json"}


def test_a_picture_that_cannot_be_drawn_says_why(record: RunRecord, tmp_path: Path) -> None:
    classes = xr.Dataset({"label": (("frame", "site"), np.zeros((3, 2), dtype=np.int64))})
    alone = StepRecord("found", "clustering.cluster_kmeans", (), {}, "Cluster.", {"": classes}, "k")
    text = _page(write_report(dataclasses.replace(record, steps=(alone,)), tmp_path)).text
    assert "No picture found: classes of shape (3, 2) do not say where their members are" in text


def test_long_tables_show_thirty_rows_and_say_where_the_others_are(
    record: RunRecord, tmp_path: Path
) -> None:
    table = table_from_columns({"area": np.arange(100.0) + 0.5}, units={"area": "nm^2"})
    long = StepRecord("areas", "clustering.measure", (), {}, "Measure.", {"": table}, "k")
    text = " ".join(
        _page(write_report(dataclasses.replace(record, steps=(long,)), tmp_path)).text.split()
    )
    assert "The first 30 of 100 rows; all of them in tables/areas.csv" in text
    assert "area [nm^2]" in text
    assert "29.5" in text
    assert "30.5" not in text


def test_means_of_deviations_are_shown_on_the_star(record: RunRecord) -> None:
    sites: Sites = record.steps[3].results[""]
    star = np.array(sites.attrs["stars"][0])
    deviations: Features = xr.DataArray(
        np.full((2, 8), 0.01),
        dims=("class", "feature"),
        coords={"neighbor": ("feature", np.repeat(np.arange(4), 2)),
                "axis": ("feature", ["y", "x"] * 4), "count": ("class", [3, 4])},
    )  # fmt: skip
    means = StepRecord(
        "means", "clustering.class_means", ("neighbors",), {}, "", {"": deviations}, ""
    )
    lineage = Lineage(dataclasses.replace(record, steps=(*record.steps, means)))
    (picture,) = pictures_of(lineage, lineage.results["means"])
    arrows = [np.array(line.get_data()) for line in picture.draw().axes[0].lines]
    heads = [arrow[::-1, -1] for arrow in arrows if arrow.shape[1] == 2]
    np.testing.assert_allclose(np.array(heads), star + 0.01)


def test_a_run_of_nothing_but_an_image_opens_with_it(tmp_path: Path) -> None:
    image = image_from_array(np.eye(40), pixel_size="0.1 nm")
    only = StepRecord("image", "io.read_image", (), {}, "Read.", {"": image}, "k")
    text = _page(write_report(RunRecord("One", "", (only,)), tmp_path)).text
    assert "Image of 4.0 x 4.0 nm." in text


def test_sites_of_a_single_atom_are_told_in_the_singular(tmp_path: Path) -> None:
    sites = sites_from_positions([1.0], [1.0], unit="nm")
    only = StepRecord("atoms", "localization.find_atoms", (), {}, "Find.", {"": sites}, "k")
    write_report(RunRecord("One", "", (only,)), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["summary"] == ["1 atom found."]


def test_pages_keep_the_colors_of_marks_exactly() -> None:
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, size=(300, 300, 1), dtype=np.uint8), 3, axis=-1)
    colors = np.array([[230, 159, 0], [86, 180, 233], [240, 228, 66]], dtype=np.uint8)
    for k, color in enumerate(colors):
        pixels[10 * k : 10 * k + 5, 50:90] = color
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    reduced = fewer_colors(buffer.getvalue())
    shown = np.asarray(PIL.Image.open(io.BytesIO(reduced)).convert("RGB")).astype(int)
    assert len(reduced) < len(buffer.getvalue())
    assert np.abs(shown - pixels).max() <= 1
    for k, color in enumerate(colors):
        assert (shown[10 * k : 10 * k + 5, 50:90] == color).all()


def test_pictures_that_256_colors_do_not_do_stay_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(200, 200, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    assert fewer_colors(buffer.getvalue()) == buffer.getvalue()


def test_pictures_are_shown_of_the_steps_that_the_recipe_wants(
    record: RunRecord, tmp_path: Path
) -> None:
    wanted = record.steps[0].name
    write_report(record, tmp_path / "all")
    write_report(dataclasses.replace(record, pictures=(wanted,)), tmp_path / "one")
    everything, some = (
        {place.name for place in (tmp_path / name / "pictures").iterdir()}
        for name in ("all", "one")
    )
    assert some
    assert some < everything
    assert all(name.startswith(wanted) for name in some)
    tables = [sorted((tmp_path / name / "tables").iterdir()) for name in ("all", "one")]
    assert len(tables[0]) == len(tables[1])


def test_atoms_that_get_a_species_later_are_drawn_once_with_it(tmp_path: Path) -> None:
    image = image_from_array(np.random.default_rng(0).normal(size=(32, 32)))
    atoms = sites_from_positions([8.0, 16.0, 24.0], [8.0, 20.0, 9.0], unit="px", spacing=12.0)
    atoms["width"] = ("site", [2.0, 2.1, 1.9])
    named = atoms.assign(species=("site", ["C", "Si", "C"]))
    steps = (
        StepRecord("image", "io.read_image", (), {}, "", {"": image}, "0"),
        StepRecord("atoms", "localization.find_atoms", ("image",), {}, "", {"": atoms}, "1"),
        StepRecord(
            "species", "defects.assign_species", ("atoms", "image"), {}, "", {"": named}, "2"
        ),
    )
    lineage = Lineage(RunRecord("", "", steps))
    drawn = [
        picture.name for one in lineage.results.values() for picture in pictures_of(lineage, one)
    ]
    assert drawn == ["image", "species", "species-statistics"]
