"""``adatom show``: what a file or a run folder holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adatom.recipes.opened import ItemResults, Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("path", metavar="FILE|RUN", help="a data file, or a run folder")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    path = Path(arguments.path)
    if (path / "recipe.toml").is_file() and (path / "store").is_dir():
        from adatom.recipes.opened import open_run

        _show_run(open_run(path))
        return 0
    from adatom.cli._tables import print_table
    from adatom.io import read_contents

    contents = read_contents(path)
    print(f"{path}: {contents.attrs['format']}")
    print_table(contents)
    return 0


def _show_run(run: Run) -> None:
    state = "finished" if run.record["status"] == "done" else "not finished"
    print(f"{run.record['title']} ({state}, started {run.record['started']})")
    for item in run.items.values():
        _show_item(item)
    if run.collected is not None:
        _show_item(run.collected)


def _show_item(item: ItemResults) -> None:
    from adatom.recipes.opened import NOT_FINISHED

    if item.error:
        failed = "" if item.error == NOT_FINISHED else "failed: "
        print(f"\n{item.name}: {failed}{item.error}")
        return
    print(f"\n{item.name}")
    results = item.provenance()["results"]
    width = max(map(len, results), default=0)
    for name, origin in results.items():
        print(f"  {name:<{width}}  {_what(item[name])}  ({origin['step']}, {_took(origin)})")
    if item.report.is_file():
        print(f"  report: {item.report}")


def _took(origin: dict[str, Any]) -> str:
    memory = origin["peak_memory"]
    return f"{origin['seconds']:.1f} s" + (f", {memory / 1e6:.0f} MB" if memory else "")


def _what(value: Any) -> str:  # noqa: ANN401 -- any result
    """Say in a few words what a result is."""
    from adatom.schema import kind_of_data

    if hasattr(value, "_asdict"):
        return f"{type(value).__name__} of {', '.join(value._fields)}"
    kind = kind_of_data(value)
    if kind is None:
        return type(value).__name__
    counted = {"Sites": "site", "Table": "row"}.get(kind.name)
    if counted:
        return f"{kind.name} of {value.sizes[counted]}"
    sizes = getattr(value, "sizes", {})
    return f"{kind.name} {', '.join(f'{dim} {size}' for dim, size in sizes.items())}".strip()
