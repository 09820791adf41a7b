"""``adatom check``: all problems of a recipe, before any pixel is read."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("recipe", help="a TOML file, or the name of a shipped recipe")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.recipes.shipped import find_recipe
    from adatom.recipes.wiring import find_problems

    recipe = find_recipe(arguments.recipe)
    problems = find_problems(recipe)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    inputs = ", ".join(call.name for call in recipe.inputs) or "none"
    fit = "1 step fits" if len(recipe.steps) == 1 else f"{len(recipe.steps)} steps fit"
    print(f"{recipe.title}: {fit} together; open inputs: {inputs}")
    return 0
