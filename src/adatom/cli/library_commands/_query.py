"""Options that say which defects are meant."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from adatom.errors import SettingError

if TYPE_CHECKING:
    from adatom.defects.library.queries import DefectQuery


def add_query_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a query."""
    parser.add_argument("--formula", help='such as Si1C3, or conditions: "Si>=2, X=0"')
    parser.add_argument("--name", help='composition label, with * for any text: "Si1C*"')
    parser.add_argument("--class", dest="class_key", help="hash of the class, or its beginning")
    parser.add_argument("--kind", help="such as vacancy or substitution")
    parser.add_argument("--host", help="the crystal, such as graphene")
    parser.add_argument("--source", help="name of the image's file (with *), or hash of the image")
    parser.add_argument(
        "--confidence", type=float, default=0.0, metavar="P", help="least probability of the name"
    )
    parser.add_argument(
        "--bond",
        action="append",
        default=[],
        metavar="A-B=LOW..HIGH",
        help="all bonds of two elements lie between, in nm: Si-C=0.16..0.19",
    )
    parser.add_argument(
        "--angle",
        action="append",
        default=[],
        metavar="A-B-C=LOW..HIGH",
        help="all angles of three elements lie between, in deg: C-Si-C=110..130",
    )
    parser.add_argument(
        "--calculated", action="store_true", default=None, help="only those with a calculation"
    )
    parser.add_argument(
        "--computed",
        action="append",
        default=[],
        metavar="WHAT=LOW..HIGH",
        help="a calculation gave between: formation_energy, energy, gap (eV), distance, buckling "
        "(nm), magnetic_moment, or relaxed bonds: Si-C=0.17..0.18",
    )
    parser.add_argument(
        "--all-analyses", action="store_true", help="older analyses of the images as well"
    )


def query_of_arguments(arguments: argparse.Namespace) -> DefectQuery:
    """Make the query that the options ask."""
    from adatom.defects.library.queries import DefectQuery

    return DefectQuery(
        formula=arguments.formula,
        name=arguments.name,
        class_key=arguments.class_key,
        kind=arguments.kind,
        host=arguments.host,
        source=arguments.source,
        min_confidence=arguments.confidence,
        lengths=_ranges(arguments.bond, "--bond"),
        angles=_ranges(arguments.angle, "--angle"),
        calculated=arguments.calculated,
        computed=_ranges(arguments.computed, "--computed"),
        all_analyses=arguments.all_analyses,
    )


def _ranges(given: list[str], option: str) -> dict[str, tuple[float, float]]:
    found = {}
    for text in given:
        what, _, limits = text.partition("=")
        low, _, high = limits.partition("..")
        try:
            found[what.strip()] = (float(low), float(high))
        except ValueError as error:
            example = {"--bond": "Si-C=0.16..0.19", "--angle": "C-Si-C=110..130"}.get(
                option, "formation_energy=0..5"
            )
            msg = f"{option} {text}: write what is asked and two limits, such as {example}"
            raise SettingError(msg) from error
    return found
