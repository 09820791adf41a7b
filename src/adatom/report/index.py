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
from adatom.report.files import write_in_folder
from adatom.report.page import page_template, read_summary
from adatom.report.records import RunOutcome


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
    outcomes: Sequence[RunOutcome],
    folder: Path,
    /,
    *,
    title: str = "",
    collected: str = "collected",
) -> Path:
    """Write the page that leads to the reports of all files of a run.

    Failures stand first, each with its reason; then the tables of what was
    made over all files; then every file with its main picture and key
    figures.

    Parameters
    ----------
    outcomes : sequence of RunOutcome
        One of each file, in the order of the files.
    folder : Path
        Of the run: gets ``index.html``.
    title : str
        Of the run; by default that of the first report.
    collected : str
        Folder below `folder` with the report of what was made over all
        files, if there is one.

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
    ...     write_index([RunOutcome("a.tif", folder / "a", "damaged")], folder).name
    'index.html'
    """
    folder = Path(folder)
    good = [outcome for outcome in outcomes if not outcome.error]
    cards = [_card(outcome, folder) for outcome in good]
    titles = [str(read_summary(outcome.folder).get("title", "")) for outcome in good]
    page = page_template("index.html.j2").render(
        title=title or next(filter(None, titles), "Run over several files"),
        cards=cards,
        names=_figure_names(cards),
        failures=[outcome for outcome in outcomes if outcome.error],
        collected=_report_in(folder / collected, folder),
        tables=read_summary(folder / collected).get("tables", []),
        sources=[outcome.source for outcome in outcomes],
        version=adatom.__version__,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_in_folder(folder / "index.html", page.encode())
    return folder / "index.html"


def _card(outcome: RunOutcome, folder: Path) -> _Card:
    summary: dict[str, Any] = read_summary(outcome.folder)
    picture = outcome.folder / str(summary.get("thumbnail") or "")
    return _Card(
        source=outcome.source,
        report=_report_in(outcome.folder, folder),
        thumbnail=_uri(picture) if picture.is_file() else "",
        summary=tuple(map(str, summary.get("summary", []))),
        figures=tuple((str(k), str(v)) for k, v in summary.get("figures", {}).items()),
        n_warnings=int(summary.get("warnings", 0)),
        seconds=outcome.seconds,
    )


def _report_in(place: Path, folder: Path) -> str:
    """Give the address of a report, seen from the index; nothing if there is none."""
    report = place / "report.html"
    return Path(os.path.relpath(report, folder)).as_posix() if report.is_file() else ""


def _uri(picture: Path) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"


def _figure_names(cards: Sequence[_Card]) -> list[str]:
    """List the key figures that any of the files has, in their order."""
    return list(dict.fromkeys(name for card in cards for name, _ in card.figures))
