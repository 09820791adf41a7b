"""Count what `compare.py` found, by data set and ending: ``python table.py rows.jsonl``."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

Row = dict[str, Any]


def group_of_file(name: str) -> tuple[str, str]:
    """Give data set and ending; the folder of sundry formats is told by source."""
    place = PurePosixPath(name)
    parts = place.parts[: 3 if place.parts[1] == "formats" else 2]
    return "/".join(parts), place.suffix.lower() or place.name


def line_of_group(group: tuple[str, str], rows: list[Row]) -> str:
    peer = [row for row in rows if row["hyperspy"]]
    named = sorted({row["reader"] for row in peer if row["reader"]})
    asked = f" (`reader=` {', '.join(named)})" if named else ""
    own = sum(bool(row["adatom"]) for row in rows)
    both = [row for row in peer if row["adatom"]]
    equal = sum(not row["differ"] for row in both)
    told = "" if not both else str(equal) if equal == len(both) else f"**{equal}**"
    return f"| {group[0]} | `{group[1]}` | {len(rows)} | {len(peer)}{asked} | {own} | {told} |"


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[group_of_file(row["file"])].append(row)
    print("| data set | ending | files | HyperSpy reads | adatom reads | equal |")
    print("|---|---|---|---|---|---|")
    for group in sorted(groups):
        print(line_of_group(group, groups[group]))
    both = [row for row in rows if row["hyperspy"] and row["adatom"]]
    print(f"\n{len(rows)} files, {len(both)} read by both", file=sys.stderr)
    for row in both:
        if row["differ"]:
            print(row["file"], *row["differ"], sep="\n    ", file=sys.stderr)


if __name__ == "__main__":
    main()
