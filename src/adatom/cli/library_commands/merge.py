"""``adatom library merge``: another library taken over."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("other", metavar="OTHER", help="the library that is read")
    parser.add_argument(
        "--prefer",
        choices=("here", "there"),
        default="here",
        help="which analysis counts where an image has different defects (both are kept)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli.library_commands._lines import print_columns
    from adatom.defects.library import open_library
    from adatom.defects.library.merging import merge_libraries

    with (
        open_library(arguments.other) as other,
        open_library(arguments.library, create=True) as library,
    ):
        merged = merge_libraries(library, other, prefer=arguments.prefer)
    states = merged.images["state"].values.tolist()
    told = (("new", "are new"), ("known", "were there"), ("conflict", "have other defects here"))
    counts = ", ".join(f"{states.count(state)} {text}" for state, text in told)
    print(f"{len(states)} images: {counts}")
    if merged.conflicts.sizes["row"]:
        print(f"conflicts (what is {arguments.prefer} counts, both are kept):")
        print_columns(merged.conflicts, list(map(str, merged.conflicts.variables)))
    return 0
