"""``adatom library show``: what a library, or one of its defects, holds."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adatom.defects.library import Library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("id", nargs="?", type=int, help="number of a defect")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.defects.library import open_library

    with open_library(arguments.library) as library:
        if arguments.id is None:
            _show_library(library)
        else:
            _show_defect(library, arguments.id)
    return 0


def _show_library(library: Library) -> None:
    from adatom.cli.library_commands._lines import print_columns
    from adatom.defects.library import count_defects

    asked = {
        "defects": "SELECT COUNT(*) FROM adatom_defects WHERE is_current = 1",
        "images": "SELECT COUNT(*) FROM adatom_images WHERE is_current = 1",
        "older analyses": "SELECT COUNT(*) FROM adatom_images WHERE is_current = 0",
        "calculations": "SELECT COUNT(*) FROM adatom_calculations",
    }
    print(library)
    for name, question in asked.items():
        print(f"  {name}: {library.session.rows(question)[0][0]}")
    print(f"  pictures: {library.store or 'none kept'}")
    print_columns(count_defects(library).classes, ("name", "host", "count", "n_images"))


def _show_defect(library: Library, number: int) -> None:
    from adatom.cli.library_commands._lines import print_columns
    from adatom.defects.library import read_calculations, read_defect

    one = read_defect(library, number)
    row, image = one.row, one.image
    print(f"defect {number}: {row.name or 'without a name'} ({row.kind}) in {image['host']}")
    sure = _told("confidence", row.confidence)
    print(f"  class {row.class_key}, {sure}, extent {row.extent:.4g} nm")
    print(f"  at y = {row.y:.4g} nm, x = {row.x:.4g} nm of {image['source'] or 'its image'}")
    print(f"  image {image['image_hash'][:16]}, {image['height']} x {image['width']} px")
    made = f"recipe {image['recipe'] or 'none'} {image['recipe_sha256'][:8]}".rstrip()
    current = "" if image["is_current"] else " (an older analysis)"
    print(f"  added {image['added']} by adatom {image['version']}, {made}{current}")
    members = one.found.members
    print_columns(
        members.reset_coords().rename_dims(site="row"),
        ("species", "role", "y", "x", "species_probability"),
    )
    for measure in library.session.rows(
        "SELECT what, number, smallest, mean, largest FROM adatom_geometry WHERE defect_id = ?",
        (number,),
    ):
        what, count, low, mean, high = measure
        unit = "deg" if what.count("-") == 2 else "nm"
        print(f"  {what}: {count}, {low:.4g} to {high:.4g} {unit}, mean {mean:.4g} {unit}")
    for made_by in read_calculations(library, defect_id=number):
        told = (
            _told("energy", made_by.energy, "eV", digits=6),
            _told("formation energy", made_by.formation_energy, "eV"),
            _told("distance from the observed", made_by.rmsd, "nm"),
        )
        print(f"  {made_by.calculator} {made_by.version}: {', '.join(told)}")


def _told(name: str, value: float, unit: str = "", *, digits: int = 4) -> str:
    known = f"{value:.{digits}g} {unit}".rstrip() if math.isfinite(value) else "not known"
    return f"{name} {known}"
