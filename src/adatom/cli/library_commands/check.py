"""``adatom library check``: whether a library is whole."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--remove-drafts",
        action="store_true",
        help="remove pictures that killed processes left half written; no other may write now",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.defects.library import open_library
    from adatom.defects.library.checking import check_library
    from adatom.defects.library.pictures import remove_drafts

    with open_library(arguments.library) as library:
        problems = check_library(library)
        for problem in problems:
            print(problem)
        if arguments.remove_drafts and library.store is not None:
            print(f"{remove_drafts(library.store)} half-written pictures removed")
    if not problems:
        print("all is well")
    return 1 if problems else 0
