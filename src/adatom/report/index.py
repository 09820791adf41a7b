"""One page over the reports of many files."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import adatom
from adatom.report.files import write_whole
from adatom.report.lineage import Lineage
from adatom.report.page import page_template, read_summary, section_of
from adatom.report.records import RunOutcome, RunRecord, StepRecord


@dataclass(frozen=True)
class _Card:
    source: str
    report: str
    thumbnail: str
    summary: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    n_warnings: int
    seconds: float | None


def write_index(
    title: str,
    outcomes: Sequence[RunOutcome],
    folder: Path,
    /,
    *,
    collected: Sequence[StepRecord] = (),
    recipe: str = "",
    repeat: str = "",
) -> Path:
    """Write the page that leads to the reports of all files of a run.

    Failures stand first, each with its reason; then what was computed over
    all files; then every file with its main picture and key figures.

    Parameters
    ----------
    title : str
        Of the run.
    outcomes : sequence of RunOutcome
        One of each file, in the order of the files.
    folder : Path
        Of the run: gets ``index.html``, and pictures and tables of the
        steps over all files.
    collected : sequence of StepRecord
        Steps that ran once over all files.
    recipe : str
        Text of the recipe.
    repeat : str
        The command that repeats the run.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    WriteError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from adatom.report import RunOutcome
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     write_index("Two files", [RunOutcome("a.tif", folder / "a", "damaged")], folder).name
    'index.html'
    """
    folder = Path(folder)
    lineage = Lineage(RunRecord(title, recipe, tuple(collected)))
    sections = [section_of(lineage, step) for step in collected]
    cards = [_card(outcome, folder) for outcome in outcomes if not outcome.error]
    page = page_template("index.html.j2").render(
        title=title,
        cards=cards,
        names=_figure_names(cards),
        failures=[outcome for outcome in outcomes if outcome.error],
        sections=sections,
        recipe=recipe,
        repeat=repeat,
        version=adatom.__version__,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    for section in sections:
        for name, content in section.files():
            write_whole(folder / name, content)
    write_whole(folder / "index.html", page.encode())
    return folder / "index.html"


def _card(outcome: RunOutcome, folder: Path) -> _Card:
    summary: dict[str, Any] = read_summary(outcome.folder)
    picture = outcome.folder / str(summary.get("thumbnail") or "")
    report = outcome.folder / "report.html"
    return _Card(
        source=outcome.source,
        report=Path(os.path.relpath(report, folder)).as_posix() if report.is_file() else "",
        thumbnail=_uri(picture) if picture.is_file() else "",
        summary=tuple(map(str, summary.get("summary", []))),
        figures=tuple((str(k), str(v)) for k, v in summary.get("figures", {}).items()),
        n_warnings=int(summary.get("warnings", 0)),
        seconds=outcome.seconds,
    )


def _uri(picture: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"


def _figure_names(cards: Sequence[_Card]) -> list[str]:
    """List the key figures that any of the files has, in their order."""
    return list(dict.fromkeys(name for card in cards for name, _ in card.figures))
