"""``adatom formats``: the files that can be read."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes: nothing."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli._tables import print_table
    from adatom.io import list_formats

    del arguments
    print_table(list_formats())
    return 0
