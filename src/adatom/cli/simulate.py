"""``adatom simulate``: image files with their truth beside them."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adatom.errors import SettingError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adatom.schema import Structure
    from adatom.simulation import Simulation

_OWN = ("what", "dataset", "n_images")
_FLAGS = {
    "size": "size",
    "field": "field",
    "contamination": "contamination",
    "seed": "seed",
    "dose": "microscope.electrons",
    "spacing": "sample.crystal.spacing",
    "vacancies": "sample.disorder.vacancies",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a lattice (tmd, perovskite_110 ...; 'list' names all), 'graphene' with its own "
        "defects, a structure file (CIF, POSCAR, extxyz ...), or a TOML file of settings",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the image, .tif, .nc, .zarr or .hspy (default: WHAT.tif); its truth goes to "
        "..._truth.csv, missing atoms to ..._vacancies.csv, pictures to .png",
    )
    parser.add_argument("--n", type=int, metavar="N", help="so many images, each of a new seed")
    parser.add_argument("--size", metavar="PX", help="rows and columns (default: 512)")
    parser.add_argument("--field", metavar="LENGTH", help='width, such as "6 nm" (the default)')
    parser.add_argument("--dose", metavar="N", help="electrons from each carbon atom")
    parser.add_argument("--spacing", metavar="LENGTH", help="of the nearest columns of a lattice")
    parser.add_argument("--vacancies", metavar="SHARE", help="of the columns (default: 0)")
    parser.add_argument("--contamination", metavar="SHARE", help="of the image under dirt")
    parser.add_argument("--seed", metavar="N", help="of all that is random (default: 0)")
    parser.add_argument("--dataset", help="this structure of a file with several: number or name")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="any setting of simulation.simulate_sample, such as sample.strain.waviness=0.02 "
        "or microscope.probe_width='0.06 nm'; may be given again",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--no-pictures", action="store_true", help="files of data only")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.simulation.cells import LATTICES

    if arguments.what == "list":
        print("\n".join(("graphene", *LATTICES)))
        return 0
    given = _given(arguments)
    what = str(given.pop("what"))
    n_images, dataset = given.pop("n_images", 1), given.pop("dataset", None)
    if not isinstance(n_images, int) or n_images < 1:
        msg = f"n_images={n_images!r} must be a whole number, 1 or more"
        raise SettingError(msg)
    image = Path(arguments.out or f"{Path(what).stem}.tif")
    simulations = _simulations(what, dataset, given, n_images)
    for number, simulation in enumerate(simulations):
        last = f"-{number:0{max(3, len(str(n_images - 1)))}d}" if n_images > 1 else ""
        place = image.with_name(f"{image.stem}{last}{image.suffix}")
        _write(simulation, place, arguments.overwrite)
        if not arguments.no_pictures:
            _draw(simulation, place)
    return 0


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect settings: of the file of settings, then of the command."""
    what = Path(arguments.what)
    given: dict[str, Any] = {"what": arguments.what}
    if what.suffix == ".toml":
        given = _tables(what)
        given.setdefault("what", "")
        if (what.parent / given["what"]).is_file():
            # Paths in a file are relative to it.
            given["what"] = str(what.parent / given["what"])
    for key, target in _FLAGS.items():
        if getattr(arguments, key) is not None:
            _put(given, target, getattr(arguments, key), f"--{key}")
    if arguments.n is not None:
        given["n_images"] = arguments.n
    if arguments.dataset is not None:
        given["dataset"] = arguments.dataset
    for change in arguments.changes:
        target, equals, value = change.partition("=")
        if not equals:
            msg = f"--set {change}: write key=value, such as --set sample.disorder.adatoms=0.02"
            raise SettingError(msg)
        _put(given, target.strip(), value.strip(), "--set")
    return given


def _tables(path: Path) -> dict[str, Any]:
    import tomllib

    from adatom.errors import ReadError

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise ReadError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is no TOML: {error}"
        raise ReadError(msg) from error


def _put(given: dict[str, Any], target: str, text: str, flag: str) -> None:
    """Set a value, as TOML reads it, in nested tables."""
    from adatom.recipes.recipe import value_of_text

    *tables, key = target.split(".")
    inner = given
    for table in tables:
        inner = inner.setdefault(table, {})
        if not isinstance(inner, dict):
            msg = f"{flag} {target}: {table!r} is a value, not a table of settings"
            raise SettingError(msg)
    value = value_of_text(text)
    if isinstance(value, str):
        # Numbers that TOML does not know as such, as .5 is.
        with contextlib.suppress(ValueError):
            value = float(text)
    inner[key] = value


def _simulations(
    what: str, dataset: object, given: dict[str, Any], n_images: int
) -> Iterator[Simulation]:
    """Simulate one image after the other, the next of the next seed."""
    from adatom.recipes.steps import find_step
    from adatom.recipes.values import settings_of

    step = find_step("simulation.simulate_graphene" if what == "graphene" else _SAMPLE)
    structure = _structure_or_lattice(what, dataset, given)
    odd = [key for key in given if key not in step.settings]
    if odd:
        from adatom.recipes.steps import suggestion

        known = (*step.settings, *_OWN)
        msg = f"{step.name} has no setting `{odd[0]}`: {suggestion(odd[0], known)}"
        raise SettingError(msg)
    settings = settings_of(step, given, None)
    first = settings.pop("seed")
    data = () if structure is None else (structure,)
    for number in range(n_images):
        yield step.function(*data, **settings, seed=first + number)


_SAMPLE = "simulation.simulate_sample"


def _structure_or_lattice(what: str, dataset: object, given: dict[str, Any]) -> Structure | None:
    """Read the structure if it is a file, else write the lattice into the settings."""
    from adatom.recipes.steps import suggestion
    from adatom.simulation.cells import LATTICES

    if what == "graphene":
        return None
    if Path(what).exists():
        from adatom.io import read_structure

        return read_structure(what, dataset=None if dataset is None else str(dataset))
    if what and what not in LATTICES:
        hint = suggestion(what, (*LATTICES, "graphene"))
        msg = f"{what!r} is no lattice, and there is no such file: {hint}"
        raise SettingError(msg)
    crystal = given.setdefault("sample", {}).setdefault("crystal", {})
    if what:
        crystal["lattice"] = what
    # A material has a spacing of its own.
    crystal.setdefault("spacing", "1 d")
    return None


def _write(simulation: Simulation, place: Path, overwrite: bool) -> None:
    from adatom.io import write_file

    write_file(simulation.image, place, overwrite=overwrite)
    truth = place.with_name(f"{place.stem}_truth.csv")
    write_file(simulation.truth, truth, overwrite=overwrite)
    told = [f"{simulation.truth.sizes['site']} sites in {truth.name}"]
    n_missing = simulation.vacancies.sizes["site"]
    if n_missing:
        missing = place.with_name(f"{place.stem}_vacancies.csv")
        write_file(simulation.vacancies, missing, overwrite=overwrite)
        told.append(f"{n_missing} vacancies in {missing.name}")
    print(f"{place}: {', '.join(told)}")


def _draw(simulation: Simulation, place: Path) -> None:
    from adatom.plotting import plot_image, plot_sites

    seen = simulation.truth.isel(site=simulation.truth["visible"].values)
    for figure, name in (
        (plot_image(simulation.image), f"{place.stem}.png"),
        (plot_sites(seen, simulation.image), f"{place.stem}_truth.png"),
    ):
        try:
            figure.savefig(place.with_name(name), dpi=120)
        except OSError as error:
            msg = f"cannot write {name}: {error}"
            raise WriteError(msg) from error
