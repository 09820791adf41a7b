"""``adatom library new``: an empty library."""

from __future__ import annotations

import argparse

from adatom.errors import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--store",
        metavar="FOLDER",
        help="where pictures are kept, of a library in PostgreSQL; those of a file stand beside it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.defects.library import open_library
    from adatom.defects.library.opening import has_library

    if has_library(arguments.library):
        # Says what else is there, if it is none.
        open_library(arguments.library).close()
        msg = f"{arguments.library} is a library already"
        raise StoreError(msg)
    with open_library(arguments.library, create=True, store=arguments.store) as library:
        print(f"{library} is made")
        if library.store is None:
            print("it keeps no pictures: --store FOLDER names a place for them")
    return 0
