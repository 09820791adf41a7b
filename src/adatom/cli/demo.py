"""``adatom demo``: the main job on a simulated image."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "--out", default="runs/demo", metavar="RUN", help="the run folder (default: runs/demo)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli._progress import TerminalProgress
    from adatom.recipes.demo import run_demo

    report = run_demo(arguments.out, progress=TerminalProgress())
    print(f"report: {report}")
    return 0
