"""What docs/formats.md shows is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from adatom.io import Format
from adatom.io.sniffing import beginning_of_file

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


def test_the_format_of_the_page_reads_a_file(tmp_path: Path) -> None:
    pattern = r"^```python\n(.*?)^```$"
    blocks = re.findall(pattern, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "DOTS = Format(" in block)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 -- our own page
    one: Format = names["DOTS"]
    (tmp_path / "a.dots").write_text("DOTS 1\n1 2 3\n4 5 6\n")
    assert callable(one.read)
    (part,) = one.read(tmp_path / "a.dots").parts
    assert part.shape == (2, 3)  # type: ignore[union-attr]
    claims: Any = one.claims
    assert claims(beginning_of_file(tmp_path / "a.dots"))
