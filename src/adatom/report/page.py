"""One run -> one HTML file, with its pictures and tables beside it as files."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

import adatom
from adatom.errors import AdatomError
from adatom.plotting._canvas import DPI, png_from_figure
from adatom.report import words
from adatom.report.crystal_words import crystal_sentences
from adatom.report.defect_words import defect_sentences
from adatom.report.dynamics_words import dynamics_sentences
from adatom.report.edge_words import edge_sentences
from adatom.report.encoding import fewer_colors, thumbnail
from adatom.report.files import file_stem, write_in_folder
from adatom.report.impurity_pictures import impurity_sentences
from adatom.report.lineage import Lineage
from adatom.report.picture import Picture
from adatom.report.pictures import comparison_picture, main_picture, pictures_of
from adatom.report.tables import ShownTable, tables_of
from adatom.schema import notes

if TYPE_CHECKING:
    from adatom.report.lineage import Result
    from adatom.report.records import RunRecord, StepRecord

SUMMARY: Final = "summary.json"
"""What the index page shows of a run, and which files the report consists of."""

# A table larger than this is named, not carried inside of the page.
_MAX_EMBEDDED: Final = 1_000_000
# Dots of the page for an inch of a figure: a map of 6.4 inches fills three quarters of it.
_PAGE_DOTS: Final = 106
_THUMBNAIL: Final = "thumbnail.jpg"


@dataclass(frozen=True)
class ShownPicture:
    """A picture of the page."""

    file: str
    caption: str
    scale: float
    png: bytes = field(repr=False)

    @property
    def width(self) -> int:
        """Width on the page: text in all pictures is then of one size."""
        dots = int.from_bytes(self.png[16:20], "big")
        return round(dots * self.scale * _PAGE_DOTS / DPI)

    @property
    def uri(self) -> str:
        """The picture itself, as an address; the file beside the page has all its colors."""
        return f"data:image/png;base64,{base64.b64encode(fewer_colors(self.png)).decode('ascii')}"


@dataclass(frozen=True)
class ShownCsv:
    """A table as a file to save."""

    file: str
    content: bytes = field(repr=False)

    @property
    def uri(self) -> str:
        """The file itself, as an address; nothing if it is too large for a page."""
        if len(self.content) > _MAX_EMBEDDED:
            return ""
        return f"data:text/csv;base64,{base64.b64encode(self.content).decode('ascii')}"


@dataclass
class Section:
    """What the page tells of one step."""

    anchor: str
    step: StepRecord
    settings: list[tuple[str, str]]
    results: list[tuple[str, str, str]]
    values: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pictures: list[ShownPicture] = field(default_factory=list)
    tables: list[tuple[ShownTable, ShownCsv]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def files(self) -> list[tuple[str, bytes]]:
        """Give the name and content of every picture and table."""
        return [
            *((picture.file, picture.png) for picture in self.pictures),
            *((csv.file, csv.content) for _, csv in self.tables),
        ]


def write_report(record: RunRecord, folder: Path, /) -> Path:
    """Write the report of a run.

    The page holds everything: it opens without network and can be sent
    alone. The same pictures and tables lie beside it as PNG and CSV.

    Parameters
    ----------
    record : RunRecord
        The steps of the run with their results, lazy ones included: only
        what is shown is loaded.
    folder : Path
        Gets ``report.html``, ``pictures/``, ``tables/`` and
        ``summary.json``; files of an earlier report that this one does not
        have are removed.

    Returns
    -------
    Path
        Of ``report.html``.

    Raises
    ------
    WriteError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from adatom.report import RunRecord
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(RunRecord("Nothing", "", ()), Path(folder)).name
    'report.html'
    """
    folder = Path(folder)
    lineage = Lineage(record)
    sections = [_section(lineage, step) for step in record.steps]
    lead = _lead(lineage, sections)
    page = page_template("report.html.j2").render(
        record=record,
        summary=_summary(lineage),
        figures=words.key_figures(lineage),
        lead=lead,
        sections=sections,
        warnings=_warnings(record),
        version=adatom.__version__,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    written = _write_files(folder, sections)
    if lead is not None:
        write_in_folder(folder / _THUMBNAIL, thumbnail(lead.png))
        written.append(_THUMBNAIL)
    write_in_folder(folder / "report.html", page.encode())
    _write_summary(folder, lineage, sections, written)
    return folder / "report.html"


def _summary(lineage: Lineage) -> list[str]:
    """Open with the answer to what was asked; how many atoms it rests on comes after."""
    answers = crystal_sentences(lineage) + defect_sentences(lineage)
    answers += edge_sentences(lineage) + dynamics_sentences(lineage)
    answers += impurity_sentences(lineage)
    return answers + words.summary_sentences(lineage)


def _section(lineage: Lineage, step: StepRecord) -> Section:
    results = lineage.of_step(step)
    section = Section(
        anchor=file_stem(step.name),
        step=step,
        settings=words.settings_text(step.settings),
        results=[_result_row(result) for result in results],
        values=[row for result in results for row in _plain_values(result)],
        notes=_own_notes(lineage, step, results),
    )
    wanted = lineage.record.pictures
    if wanted is None or step.name in wanted:
        pictures = [one for result in results for one in pictures_of(lineage, result)]
        for picture in [*comparison_picture(lineage, step), *pictures]:
            _add_picture(section, picture)
    for result in results:
        for number, table in enumerate(tables_of(result)):
            name = f"{file_stem(result.name)}{f'-{number + 1}' if number else ''}.csv"
            content = table.frame.to_csv(index=False, lineterminator="\n").encode()
            section.tables.append((table, ShownCsv(f"tables/{name}", content)))
    return section


def _own_notes(lineage: Lineage, step: StepRecord, results: list[Result]) -> list[str]:
    """List the notes of a step once, without those that its results have from what they are of."""
    before = {note for origin in lineage.origins(step) for note in notes(origin.value)}
    own = (note for result in results for note in notes(result.value))
    return [note for note in dict.fromkeys(own) if note not in before]


def _add_picture(section: Section, picture: Picture) -> None:
    try:
        png = png_from_figure(picture.draw())
    except AdatomError as error:
        # The reader learns why there is no picture; what is not ours to foresee is a bug and
        # stops the report.
        section.missing.append(f"No picture {picture.name}: {error}")
        return
    file = f"pictures/{picture.name}.png"
    section.pictures.append(ShownPicture(file, picture.caption, picture.scale, png))


def _result_row(result: Result) -> tuple[str, str, str]:
    kind = result.kind.name if result.kind else type(result.value).__name__
    return result.name, kind, words.shape_text(result.value)


def _plain_values(result: Result) -> list[tuple[str, str]]:
    """List results that are single numbers or words."""
    if isinstance(result.value, bool | int | float | str):
        return [(result.name.rpartition(".")[2], words.number_text(result.value))]
    return []


def _lead(lineage: Lineage, sections: list[Section]) -> ShownPicture | None:
    """Find the picture that opens the page among those drawn."""
    wanted = main_picture(lineage)
    shown = [picture for section in sections for picture in section.pictures]
    named = [one for one in shown if wanted and one.file == f"pictures/{wanted.name}.png"]
    return next(iter(named or shown), None)


def _warnings(record: RunRecord) -> list[tuple[str, str, str]]:
    """List the warnings of all steps as anchor, name and text."""
    return [
        (file_stem(step.name), step.name, text) for step in record.steps for text in step.warnings
    ]


def _write_files(folder: Path, sections: list[Section]) -> list[str]:
    files = [one for section in sections for one in section.files()]
    for name, content in files:
        write_in_folder(folder / name, content)
    return [name for name, _ in files]


def _write_summary(
    folder: Path, lineage: Lineage, sections: list[Section], written: list[str]
) -> None:
    """Leave what the index needs; remove what an earlier report left and this one has not."""
    path = folder / SUMMARY
    for name in set(read_summary(folder).get("files", [])) - set(written):
        inside = (folder / name).resolve()
        if inside.is_relative_to(folder.resolve()):
            inside.unlink(missing_ok=True)
    tables = [
        {"caption": table.caption, "columns": table.columns, "rows": table.rows, "colors": []}
        for section in sections
        for table, _ in section.tables
        if not table.folded and not table.colors
    ]
    summary: dict[str, Any] = {
        "title": lineage.record.title,
        "summary": _summary(lineage),
        "figures": {one.name: one.value for one in words.key_figures(lineage)},
        "warnings": sum(len(step.warnings) for step in lineage.record.steps),
        "thumbnail": _THUMBNAIL if _THUMBNAIL in written else "",
        "tables": tables,
        "files": written,
    }
    write_in_folder(path, json.dumps(summary, indent=1, ensure_ascii=False).encode())


def read_summary(folder: Path, /) -> dict[str, Any]:
    """Read what `write_report` left for the index; nothing if there is no report."""
    path = folder / SUMMARY
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = (Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(css)  # noqa: S704 -- our own file, nothing of a user
    environment.filters["bytes_text"] = words.bytes_text
    environment.filters["seconds_text"] = words.seconds_text
    environment.filters["tree"] = _tree
    return environment


def page_template(name: str) -> jinja2.Template:
    """Give a page to be filled in; every value is escaped."""
    return _environment().get_template(name)


def _tree(value: object) -> list[tuple[str, str, list[Any]]]:
    """Turn nested JSON into rows of name, text and rows below."""
    if isinstance(value, dict):
        items = [(str(name), one) for name, one in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(number + 1), one) for number, one in enumerate(value)]
    else:
        return []
    return [
        (name, "" if isinstance(one, dict | list | tuple) else _plain(one), _tree(one))
        for name, one in items
    ]


def _plain(value: object) -> str:
    return "" if value is None else words.number_text(value, digits=6)
