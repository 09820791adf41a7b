"""Write the table of formats into formats.md: ``python docs/list_formats.py``."""

from __future__ import annotations

from pathlib import Path

from adatom.io.formats import FORMATS

PAGE = Path(__file__).with_name("formats.md")
_BEGIN = "| format | endings | gives | read by | tested on |\n|---|---|---|---|---|\n"
_END = "\n<!-- The table above is written by `python docs/list_formats.py`. -->\n"


def formats_page(page: str) -> str:
    """Put the table of the formats as they are now into the text of the page."""
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    rows = [
        f"| {one.name} | `{one.endings}` | {one.holds} | {one.reader} | {one.proof} |\n"
        for one in FORMATS.values()
    ]
    return before + _BEGIN + "".join(rows) + _END + after


if __name__ == "__main__":
    PAGE.write_text(formats_page(PAGE.read_text("utf-8")), "utf-8")
