"""``adatom library search``: defects that fulfil conditions, or are like a given one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adatom.cli.library_commands._query import add_query_options, query_of_arguments

if TYPE_CHECKING:
    from adatom.defects.library import Library
    from adatom.schema import Table

_SHOWN: Final = (
    "id", "name", "kind", "formula", "host", "confidence", "extent", "rmsd", "source",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_query_options(parser)
    parser.add_argument(
        "--like",
        metavar="ID|FILE",
        help="best first: a defect of the library, or a structure (POSCAR, extxyz, cif)",
    )
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="length of the list")
    parser.add_argument("--sheet", metavar="PNG", help="draw the defects side by side")
    parser.add_argument("--csv", metavar="FILE", help="write the list with all its columns")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli.library_commands._lines import print_columns
    from adatom.defects.library import open_library
    from adatom.schema import notes

    with open_library(arguments.library) as library:
        found = _found(library, arguments)
        if not found.sizes["row"]:
            print(
                f"no defect fulfils this: `adatom library show {arguments.library}` lists classes"
            )
            return 1
        print_columns(found, _SHOWN)
        for note in notes(found):
            print(note)
        if arguments.csv:
            from adatom.io import write_file

            write_file(found, Path(arguments.csv))
        if arguments.sheet:
            _draw(library, found, arguments.sheet)
    return 0


def _found(library: Library, arguments: argparse.Namespace) -> Table:
    from adatom.defects.library import read_defect, search_library, search_like
    from adatom.io import read_data
    from adatom.schema import STRUCTURE

    query = query_of_arguments(arguments)
    if arguments.like is None:
        return search_library(library, query, limit=arguments.limit)
    wanted: Any
    if arguments.like.isdecimal():
        wanted = read_defect(library, int(arguments.like))
    else:
        wanted = read_data(Path(arguments.like))
        STRUCTURE.check(wanted, name=arguments.like)
    return search_like(library, wanted, query, n_results=arguments.limit)


def _draw(library: Library, found: Table, picture: str) -> None:
    from adatom.defects.library.reading import read_defects
    from adatom.errors import WriteError
    from adatom.plotting import plot_contact_sheet

    defects = list(read_defects(library, found["id"].values.tolist()))
    figure = plot_contact_sheet(
        [one.patch() for one in defects],
        [f"{one.id}  {one.row.name or one.row.class_key[:8]}" for one in defects],
        members=[one.found.members for one in defects],
    )
    try:
        figure.savefig(picture)
    except (OSError, ValueError) as error:
        msg = f"cannot write {picture}: {error}"
        raise WriteError(msg) from error
    print(f"picture: {picture}")
