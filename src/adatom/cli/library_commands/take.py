"""``adatom library import``: defects that others have labeled."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "path", metavar="PATH", help="an .hdf5 file of AICrystallographer, or a folder of them"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.defects.library import add_defects, open_library
    from adatom.defects.library.aicrystallographer import (
        files_of_library,
        read_aicrystallographer,
    )
    from adatom.errors import ReadError

    n_defects, states, failures = 0, [], []
    files = files_of_library(Path(arguments.path))
    with open_library(arguments.library, create=True) as library:
        for path in files:
            try:
                one = read_aicrystallographer(path)
            except ReadError as error:
                failures.append(str(error))
                continue
            added = add_defects(library, one.found, one.image)
            n_defects += added.n_defects
            states.append(added.state)
    print(
        f"{n_defects} defects in {len(states)} images: {states.count('new')} images are new, "
        f"{states.count('known')} were there, {states.count('replaced')} had other defects"
    )
    for failure in failures:
        print(f"skipped: {failure}", file=sys.stderr)
    return 1 if failures else 0
