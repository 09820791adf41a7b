"""``adatom library compute``: relaxed geometries, energies and densities of states of defects."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from adatom.cli.library_commands._query import add_query_options, query_of_arguments
from adatom.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adatom.defects.library.computing import Computation, Workers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_query_options(parser)
    parser.add_argument(
        "--calculator",
        default="gfn1-xtb",
        metavar="NAME",
        help="gfn1-xtb (tight binding, the default), gfn2-xtb, gpaw, tersoff, or any of ASE",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="a setting of the calculator, such as kpts=[3,3,1]; may be given again",
    )
    parser.add_argument("--charge", type=int, default=0, help="of the cell")
    parser.add_argument(
        "--unpaired", type=int, metavar="N", help="unpaired electrons: spins are told apart"
    )
    parser.add_argument(
        "--cell", type=int, metavar="N", help="N x N cells of the host (default: what fits)"
    )
    parser.add_argument("--strain", type=float, default=0.0, help="of the host: 0.05 is 5 %%")
    parser.add_argument(
        "--max-force", type=float, default=0.5, metavar="F", help="relaxed below, in eV/nm"
    )
    parser.add_argument("--max-steps", type=int, default=300, metavar="N", help="then it is left")
    parser.add_argument(
        "--every", action="store_true", help="every defect, not only the surest of each class"
    )
    parser.add_argument("--retry", action="store_true", help="also what failed before")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, metavar="N", help="processes of this machine")
    where.add_argument("--cluster", metavar="ADDRESS", help="of a dask scheduler: tcp://...")
    where.add_argument(
        "--export", metavar="FOLDER", help="write input files for a cluster, compute nothing"
    )
    where.add_argument("--read", metavar="FOLDER", help="read results of exported inputs back")
    parser.add_argument(
        "--code", choices=("vasp", "espresso"), default="vasp", help="of the exported inputs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.defects.library import open_library

    computation = _computation(arguments)
    if arguments.read is not None:
        return _read(arguments)
    if arguments.export is not None:
        return _export(arguments, computation)
    from adatom.defects.library.computing import compute_library

    clock = time.monotonic()

    def tell(done: int, total: int, name: str) -> None:
        seconds = time.monotonic() - clock
        left = seconds / max(done, 1) * max(total - done, 0)
        print(f"[{done}/{total}] {name}, {left:.0f} s left", file=sys.stderr, flush=True)

    with open_library(arguments.library) as library, _workers(arguments) as workers:
        summary = compute_library(
            library,
            computation=computation,
            query=query_of_arguments(arguments),
            one_per_class=not arguments.every,
            retry=arguments.retry,
            workers=workers,
            listener=tell,
        )
    for number, error in summary.failed:
        print(f"defect {number}: {error}", file=sys.stderr)
    seconds = time.monotonic() - clock
    print(f"{summary.n_computed} of {summary.n_wanted} defects computed in {seconds:.0f} s")
    if summary.n_elsewhere:
        print(f"{summary.n_elsewhere} are with other processes")
    if summary.failed:
        print(f"{len(summary.failed)} failed; --retry does them again")
    return 1 if summary.failed else 0


def _computation(arguments: argparse.Namespace) -> Computation:
    from adatom.defects.calculators import Calculator
    from adatom.defects.library.computing import Computation

    settings: dict[str, Any] = {}
    for text in arguments.settings:
        name, equals, value = text.partition("=")
        if not equals or not name:
            msg = f"--set {text}: write KEY=VALUE, such as xc=PBE or kpts=[3,3,1]"
            raise SettingError(msg)
        try:
            settings[name] = json.loads(value)
        except ValueError:
            # Text needs no quotes here.
            settings[name] = value
    calculator = Calculator(arguments.calculator, arguments.charge, arguments.unpaired, settings)
    return Computation(
        calculator, arguments.cell, arguments.max_force, arguments.max_steps, arguments.strain
    )


@contextmanager
def _workers(arguments: argparse.Namespace) -> Iterator[Workers | None]:
    if arguments.workers is None and arguments.cluster is None:
        yield None
        return
    from adatom.cli.library_commands._dask import dask_workers

    with dask_workers(n_workers=arguments.workers, address=arguments.cluster) as workers:
        yield workers


def _export(arguments: argparse.Namespace, computation: Computation) -> int:
    from adatom.defects.library import open_library
    from adatom.defects.library.inputs import export_inputs

    with open_library(arguments.library) as library:
        written = export_inputs(
            library,
            arguments.export,
            code=arguments.code,
            computation=computation,
            query=query_of_arguments(arguments),
            one_per_class=not arguments.every,
        )
    print(f"{len(written)} inputs of {arguments.code} in {arguments.export}; see README.txt there")
    return 0


def _read(arguments: argparse.Namespace) -> int:
    from adatom.defects.library import open_library
    from adatom.defects.library.inputs import read_outputs

    with open_library(arguments.library) as library:
        stored, missing = read_outputs(library, arguments.read)
    for folder, reason in missing:
        print(f"{folder}: {reason}", file=sys.stderr)
    print(f"{len(stored)} results read, {len(missing)} not there or not readable")
    return 1 if missing else 0
