"""``adatom recipes``: the recipes that come with adatom."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("recipe", nargs="?", help="print the text of this one, to begin with")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.recipes.shipped import find_recipe, list_recipes

    if arguments.recipe:
        print(find_recipe(arguments.recipe).text, end="")
        return 0
    titles = list_recipes()
    width = max(map(len, titles), default=0)
    for name, title in titles.items():
        print(f"{name:<{width}}  {title}")
    return 0
