"""The command line: ``adatom COMMAND``, one module a command.

A command's module has ``add_arguments(parser)`` and ``run(arguments)``, which
gives the exit code: 0 all is well, 1 something failed or differs, 2 the
command itself was wrong. It is imported only when its command is given, so
that ``adatom --help`` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

COMMANDS: Final = {
    "demo": "run the main job on a simulated image, and say where its report is",
    "init": "write a commented starter recipe for a file",
    "check": "wire a recipe before any pixel is read, and list all problems",
    "run": "run a recipe over files; go on where an earlier run stopped",
    "train": "train a network by a recipe; go on where an earlier training was killed",
    "show": "tell what a file or a run folder holds",
    "rerun": "repeat a run and say whether its results are identical",
    "library": "keep the defects of many images in a database, and search it",
    "simulate": "make images of a lattice or a structure file, with their truth",
    "recipes": "list the recipes that come with adatom",
    "formats": "list the files that can be read",
}
"""Commands, each a module of this package, and what they do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``adatom``; by default that of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = given[0] if given and given[0] in COMMANDS else None
    parser = _parser(command)
    parsed = parser.parse_args(given)
    if command is None:
        parser.print_help()
        return 2
    return _run(command, parsed)


def _parser(command: str | None) -> argparse.ArgumentParser:
    """Make the parser; only the given command's module is imported."""
    from adatom import __version__

    parser = argparse.ArgumentParser(
        prog="adatom",
        description="From microscope images, movies and spectroscopic maps to the physics.",
        epilog="adatom COMMAND --help tells more about a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"adatom {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, summary in COMMANDS.items():
        made = commands.add_parser(name, help=summary, description=_sentence(summary))
        if name == command:
            import_module(f"adatom.cli.{name}").add_arguments(made)
    return parser


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _run(command: str, parsed: argparse.Namespace) -> int:
    from adatom.errors import AdatomError

    try:
        return int(import_module(f"adatom.cli.{command}").run(parsed))
    except AdatomError as error:
        print(f"adatom {command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough.
        sys.stderr.close()
        return 141
    except OSError as error:
        # Such as a full disk, wherever it is met: the error names the file.
        print(f"adatom {command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"adatom {command}: interrupted", file=sys.stderr)
        return 130
