"""``adatom rerun``: whether a run gives the same again."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("run", metavar="RUN", help="the run folder")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="files worked on at once (default: one a processor)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli._progress import TerminalProgress
    from adatom.recipes.repeating import repeat_run

    found = repeat_run(arguments.run, n_processes=arguments.jobs, progress=TerminalProgress())
    for line in found.changed_inputs:
        print(f"changed input: {line}")
    if found.changed_code:
        print(f"code or libraries have changed since, of: {', '.join(found.changed_code)}")
    for line in found.differences:
        print(f"different: {line}")
    if found.is_identical:
        print(f"identical: all {found.n_results} results")
        return 0
    print(f"not identical: {arguments.run}")
    return 1
