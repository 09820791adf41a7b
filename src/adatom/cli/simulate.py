"""``adatom simulate``: image files with their truth beside them."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adatom.errors import SettingError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from matplotlib.figure import Figure

    from adatom.schema import Classes, Image, Movie, Structure
    from adatom.simulation import FilmSimulation, KineticMovie, OxideSimulation, Simulation

    AnySimulation: TypeAlias = Simulation | FilmSimulation | OxideSimulation | KineticMovie

# What is neither a lattice nor a file has a step of its own.
_STEPS = {
    "graphene": "simulation.simulate_graphene",
    "film": "simulation.simulate_film",
    "oxide": "simulation.simulate_oxide",
    "movie": "simulation.simulate_kinetic_movie",
}
_SAMPLE = "simulation.simulate_sample"
# Parts of a simulation that are written beside the image, and what they hold.
_TABLES = {"truth": "sites", "cells": "cells", "vacancies": "vacancies"} | {
    name: name for name in ("events", "rates", "frames")
}
_OWN = ("what", "dataset", "n_images")
_FLAGS = {
    "size": "size",
    "field": "field",
    "frames": "n_frames",
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
        "defects, 'film' (ferroic, with domains), 'oxide' (disordered, of two phases), 'movie' "
        "(defects of WS2 that hop and change), a structure file (CIF, POSCAR, extxyz ...), or a "
        "TOML file of settings",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="the image, .tif, .nc, .zarr or .hspy (default: WHAT.tif); its truth goes to "
        "..._truth.csv, missing atoms to ..._vacancies.csv, cells of a film to ..._cells.csv, its "
        "domains as drawn by hand to ..._drawn, phases of an oxide to ..._regions, what happens in "
        "a movie to ..._events, _rates and _frames, pictures to .png",
    )
    parser.add_argument("--n", type=int, metavar="N", help="so many images, each of a new seed")
    parser.add_argument("--size", metavar="PX", help="rows and columns (default: 512; oxide: 1024)")
    parser.add_argument(
        "--field",
        metavar="LENGTH",
        help='width, such as "6 nm" (the default; film: 10 nm, oxide: 20 nm, movie: 14 nm)',
    )
    parser.add_argument("--frames", metavar="N", help="of a movie (default: 100)")
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
        help="any setting of simulation.simulate_sample (_graphene, _film, _oxide, "
        "_kinetic_movie), such as sample.strain.waviness=0.02, film.pattern=patches, "
        "sheet.kinetics.n_defects=40, or microscope.probe_width='0.06 nm'; may be given again",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument("--no-pictures", action="store_true", help="files of data only")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.simulation.cells import LATTICES

    if arguments.what == "list":
        print("\n".join((*_STEPS, *LATTICES)))
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
) -> Iterator[AnySimulation]:
    """Simulate one image after the other, the next of the next seed."""
    from adatom.recipes.steps import find_step
    from adatom.recipes.values import settings_of

    step = find_step(_STEPS.get(what, _SAMPLE))
    structure = _structure_or_lattice(what, dataset, given)
    odd = [key for key in given if key not in step.settings]
    if odd:
        from adatom.recipes.steps import suggestion

        known = (*step.settings, *_OWN)
        flags = [f"--{key}" for key, target in _FLAGS.items() if target.split(".")[0] == odd[0]]
        by = f", which {' and '.join(flags)} would change" if flags else ""
        msg = f"{step.name} has no setting `{odd[0]}`{by}: {suggestion(odd[0], known)}"
        raise SettingError(msg)
    settings = settings_of(step, given, None)
    first = settings.pop("seed")
    data = () if structure is None else (structure,)
    for number in range(n_images):
        yield step.function(*data, **settings, seed=first + number)


def _structure_or_lattice(what: str, dataset: object, given: dict[str, Any]) -> Structure | None:
    """Read the structure if it is a file, else write the lattice into the settings."""
    from adatom.recipes.steps import suggestion
    from adatom.simulation.cells import LATTICES

    if what in _STEPS:
        return None
    if Path(what).exists():
        from adatom.io import read_structure

        return read_structure(what, dataset=None if dataset is None else str(dataset))
    if what and what not in LATTICES:
        hint = suggestion(what, (*LATTICES, *_STEPS))
        msg = f"{what!r} is no lattice, and there is no such file: {hint}"
        raise SettingError(msg)
    crystal = given.setdefault("sample", {}).setdefault("crystal", {})
    if what:
        crystal["lattice"] = what
    # A material has a spacing of its own.
    crystal.setdefault("spacing", "1 d")
    return None


def _write(simulation: AnySimulation, place: Path, overwrite: bool) -> None:
    from adatom.io import write_file

    write_file(_pixels(simulation), place, overwrite=overwrite)
    told = []
    for part, what in _TABLES.items():
        rows = getattr(simulation, part, None)
        if rows is not None and (part != "vacancies" or rows.sizes["site"]):
            table = place.with_name(f"{place.stem}_{part}.csv")
            write_file(rows, table, overwrite=overwrite)
            told.append(f"{next(iter(rows.sizes.values()))} {what} in {table.name}")
    for part, classes in _classes(simulation).items():
        map_ = place.with_name(f"{place.stem}_{part}{place.suffix}")
        # A byte a pixel, which all formats of images hold.
        write_file(classes["label"].astype("uint8"), map_, overwrite=overwrite)
        told.append(f"classes of pixels in {map_.name}")
    print(f"{place}: {', '.join(told)}")


def _pixels(simulation: AnySimulation) -> Image | Movie:
    """Give the image, or the movie."""
    pixels: Image | Movie = simulation._asdict().get("image", simulation[0])
    return pixels


def _classes(simulation: AnySimulation) -> dict[str, Classes]:
    """Give the maps of classes that belong to the truth."""
    parts = simulation._asdict()
    found = {}
    if "drawn" in parts:
        names = ["substrate", *(f"domain {number}" for number in range(1, 5))]
        drawn = parts["drawn"].to_dataset(name="label")
        found["drawn"] = drawn.assign_attrs(n_classes=len(names), class_names=names)
    if "regions" in parts:
        found["regions"] = parts["regions"]
    return found


def _draw(simulation: AnySimulation, place: Path) -> None:
    from adatom.plotting import plot_classes, plot_image, plot_sites

    image, seen = _pixels(simulation), simulation.truth["visible"].values
    if "frame" in image.dims:
        image, seen = image[0].compute(), seen & (simulation.truth["frame"].values == 0)
    truth = simulation.truth.isel(site=seen)
    figures = {"": plot_image(image), "_truth": plot_sites(truth, image)}
    for part, classes in _classes(simulation).items():
        figures[f"_{part}"] = plot_classes(classes, image)
    for part, figure in figures.items():
        _save(figure, place.with_name(f"{place.stem}{part}.png"))


def _save(figure: Figure, place: Path) -> None:
    try:
        figure.savefig(place, dpi=120)
    except OSError as error:
        msg = f"cannot write {place.name}: {error}"
        raise WriteError(msg) from error
