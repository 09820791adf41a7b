"""Options that commands which run a recipe have in common."""

from __future__ import annotations

import argparse


def add_recipe_options(parser: argparse.ArgumentParser, /) -> None:
    """Add the run folder, changed settings, files for inputs, and the seed."""
    parser.add_argument(
        "--out", metavar="RUN", help="the run folder (default: runs/<name of the recipe>)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="STEP.KEY=VALUE",
        help="change a setting for this run; may be given again",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        dest="inputs",
        metavar="NAME=FILE",
        help="a file, or a quoted pattern, for an input of the recipe; may be given again",
    )
    parser.add_argument("--seed", type=int, help="for all steps that have a seed")
