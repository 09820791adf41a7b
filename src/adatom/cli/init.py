"""``adatom init``: a starter recipe for a file."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from adatom.errors import WriteError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("file", metavar="FILE", help="the data file")
    parser.add_argument(
        "--out", metavar="RECIPE", help="the recipe to write (default: <name of the file>.toml)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.recipes.starter import starter_recipe

    text = starter_recipe(arguments.file)
    place = Path(arguments.out or f"{Path(arguments.file).stem}.toml")
    try:
        with place.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError as error:
        msg = f"{place} exists already: choose another name with --out"
        raise WriteError(msg) from error
    except OSError as error:
        msg = f"cannot write {place}: {error.strerror}"
        raise WriteError(msg) from error
    command = shlex.join(["adatom", "run", str(place), arguments.file])
    print(f"{place} is written. Read it, then:\n  {command}")
    return 0
