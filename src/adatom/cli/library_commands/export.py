"""``adatom library export``: defects for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from adatom.cli.library_commands._query import add_query_options, query_of_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("path", metavar="PATH", help="a new file, or a new folder for many files")
    parser.add_argument(
        "--format",
        dest="file_format",
        choices=("csv", "extxyz", "cif", "poscar", "hdf5"),
        required=True,
        help="csv and extxyz are one file; hdf5 is the layout of AICrystallographer",
    )
    add_query_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.defects.library import open_library
    from adatom.defects.library.exporting import export_defects

    with open_library(arguments.library) as library:
        written = export_defects(
            library,
            Path(arguments.path),
            query_of_arguments(arguments),
            file_format=arguments.file_format,
        )
    print(f"{arguments.path} is written" + (f": {len(written)} files" if len(written) > 1 else ""))
    return 0
