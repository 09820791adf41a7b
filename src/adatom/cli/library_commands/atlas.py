"""``adatom library atlas``: a page with a card for every class of defects."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--out",
        metavar="HTML",
        type=Path,
        default=Path("atlas.html"),
        help="the page (default: atlas.html)",
    )
    parser.add_argument("--title", default="Atlas of defects", help="of the page")


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from adatom.defects.library import open_library
    from adatom.defects.library.cards import cards_of_library
    from adatom.report import write_atlas

    with open_library(arguments.library) as library:
        cards = cards_of_library(library)
    place = write_atlas(cards, arguments.out, title=arguments.title)
    print(f"{len(cards)} classes: {place}")
    return 0
