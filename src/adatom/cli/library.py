"""``adatom library``: a database of the defects of many images."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Final

COMMANDS: Final = {
    "new": "make an empty library, as in PostgreSQL with a folder for its pictures",
    "add": "find the defects of images and add them; go on where an earlier run stopped",
    "import": "take defects of AICrystallographer's HDF5 files over",
    "search": "list defects by formula, name, class, geometry, source, or likeness",
    "show": "tell what a library or one of its defects holds",
    "stats": "count defects by class, with intervals, densities and classes that go together",
    "atlas": "write a page with a card for every class: mean image, atoms, bonds, energies",
    "serve": "show the atlas, searches and defects as pages for a browser, read only",
    "compute": "relax defects and compute energies and densities of states; go on after a kill",
    "export": "write defects as csv, extxyz, cif, poscar or hdf5",
    "merge": "take all of another library over, and tell conflicts",
    "check": "look whether all pictures are there, and remove what killed processes left",
}
"""Commands, each a module of `adatom.cli.library_commands`, and what they do."""

_MODULES: Final = {"import": "take"}
"""Modules of commands whose name is a word of Python."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    commands = parser.add_subparsers(metavar="COMMAND", dest="library_command", required=True)
    for name, summary in COMMANDS.items():
        described = f"{summary[0].upper()}{summary[1:]}."
        made = commands.add_parser(name, help=summary, description=described, allow_abbrev=False)
        made.add_argument(
            "library", metavar="LIBRARY", help="a file that ends in .db, or postgresql://..."
        )
        _module(name).add_arguments(made)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    return int(_module(arguments.library_command).run(arguments))


def _module(name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- a module
    return import_module(f"adatom.cli.library_commands.{_MODULES.get(name, name)}")
