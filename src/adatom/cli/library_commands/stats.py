"""``adatom library stats``: how many of each class, how dense, which together."""

from __future__ import annotations

import argparse
from typing import Final

from adatom.cli.library_commands._query import add_query_options, query_of_arguments

_CLASSES: Final = (
    "name", "host", "count", "count_low", "count_high", "share", "share_low", "share_high",
    "n_images", "density", "density_low", "density_high",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_query_options(parser)
    parser.add_argument(
        "--by", choices=("name", "class_key", "kind"), default="name", help="what makes a class"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli.library_commands._lines import print_columns
    from adatom.defects.library import count_defects, open_library
    from adatom.schema import notes

    with open_library(arguments.library) as library:
        counts = count_defects(library, query_of_arguments(arguments), by=arguments.by)
    print_columns(counts.classes, _CLASSES)
    for note in notes(counts.classes):
        print(note)
    if counts.pairs.sizes["row"]:
        print("\nclasses in the same image, against what chance would give:")
        print_columns(
            counts.pairs, ("first", "second", "n_images", "expected", "ratio", "probability")
        )
    return 0
