"""A commented recipe to begin with, made for a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from adatom.errors import ReadError
from adatom.io import read_contents
from adatom.recipes.recipe import toml_from_value
from adatom.recipes.shipped import find_recipe

_ATOMS: Final = """\
# Vacuum, contamination and amorphous parts are left out.
[regions]
do = "localization.find_lattice_regions(image)"
contrast = "auto"        # found from the image; "bright" or "dark" if you know better

# Positions of atoms, refined by a fit. Lengths may be written "0.14 nm",
# "12 px", or "1.5 d": d is the distance between nearest neighbors, which is
# found here.
[atoms]
do = "localization.find_atoms(image, regions)"
contrast = "auto"        # as for the regions

# What each atom and its surroundings look like: the image around it.
[patches]
do = "descriptors.site_patches(image, atoms)"
size = "2 d"             # edge of the square around each atom

# How many kinds of surroundings are there? It may be one.
[choice]
do = "clustering.choose_n_classes(patches)"

[found]
do = "clustering.cluster_gaussian_mixture(patches, choice)"
# n_classes = 3          # if you know better than [choice]

[means]
do = "clustering.class_means(patches, found.classes)"
"""

_SPECTRA: Final = """\
# adatom comes with recipes for EELS, EDS, Raman, luminescence, tunneling and others
# that do more than this one: adatom recipes
#
# Single channels struck by cosmic rays would make classes of one pixel.
[despiked]
do = "correction.correct_spikes({name})"

# Thickness and illumination scale a whole spectrum: what is left is its shape. Take
# this out where intensity itself tells the classes apart.
[shapes]
do = "correction.correct_intensity(despiked.spectra)"

# What rises above the noise, and how much of it is in every spectrum.
[components]
do = "decomposition.decompose_pca(shapes)"

# How many kinds of spectra are there? It may be one. Every number of them is laid
# side by side, with what one class more separates.
[sweep]
do = "clustering.compare_n_classes(components.scores, despiked.spectra)"

[found]
do = "clustering.cluster_kmeans(components.scores, sweep.table)"
# n_classes = 3          # if you know better than [sweep]

# The mean spectrum of every class.
[means]
do = "clustering.class_means(despiked.spectra, found.classes)"
"""


# Kinds without a starter that a shipped recipe takes.
_RECIPE_OF: Final = {"spectra": "point_spectra"}


def starter_recipe(file: str | Path, /) -> str:
    """Write a commented recipe that suits a file.

    Parameters
    ----------
    file : str or Path
        An image, a movie (its first frame is taken), a spectral map, several
        spectra, or force curves.

    Returns
    -------
    str
        Text of the recipe; `check_recipe` finds no problem in it.

    Raises
    ------
    ReadError
        If the file cannot be read, or holds nothing that a recipe could
        begin with.
    """
    contents = read_contents(file)
    rows = [
        {str(name): str(contents[name].values[k]) for name in contents.variables}
        for k in range(contents.sizes["row"])
    ]
    usable = [row for row in rows if _reader(row["kind"], row["shape"])]
    if not usable and any(row["kind"] == "force curves" for row in rows):
        # What is done to force curves has an order: the shipped recipe is where to begin.
        return find_recipe("force_map").text
    if not usable:
        held = ", ".join(sorted({row["kind"] for row in rows}))
        suited = sorted({_RECIPE_OF[row["kind"]] for row in rows if row["kind"] in _RECIPE_OF})
        advice = "".join(f"; try adatom run {recipe} {file}" for recipe in suited)
        msg = f"{file} holds no image, movie, spectral map or several spectra, but: {held}{advice}"
        raise ReadError(msg)
    return _recipe_text(Path(file), usable[0], usable)


def _reader(kind: str, shape: str) -> tuple[str, str, dict[str, Any]] | None:
    """Give the input's name, its reader, and settings, of a kind as `read_contents` tells it."""
    if kind == "image":
        return "image", "io.read_image", {}
    # What may be either is mostly a movie.
    if kind.startswith("movie"):
        return "image", "io.read_image", {"frame": 0}
    if kind == "spectral map":
        return "map", "io.read_spectral_map", {}
    # One spectrum alone makes no classes.
    if kind == "spectra" and " x " in shape:
        return "spectra", "io.read_spectra", {}
    return None


def _recipe_text(file: Path, row: dict[str, str], usable: list[dict[str, str]]) -> str:
    name, reader, settings = _reader(row["kind"], row["shape"]) or ("", "", {})
    lines = [
        f"# A recipe to begin with, for {file.name}: {row['kind']}, {row['shape']}.",
        "#   adatom check RECIPE          does it fit together?",
        "#   adatom run RECIPE FILES...   run it over this file and others like it",
        "",
        f"title = {toml_from_value(_title(name, file))}",
        "",
        f"[inputs.{name}]",
        f"do = {toml_from_value(reader)}",
    ]
    if len(usable) > 1:
        settings = {"dataset": row["name"], **settings}
        lines.append(f"# The file holds: {', '.join(other['name'] for other in usable)}")
    lines += [f"{key} = {toml_from_value(value)}" for key, value in settings.items()]
    if row["pixel_size"] == "px":
        lines.append('# pixel_size = "0.02 nm"  # the file has no scale: give it if you know it')
    elif row["pixel_size"]:
        lines.append(f"# The file gives the scale: {row['pixel_size']} per pixel.")
    body = _ATOMS if name == "image" else _SPECTRA.format(name=name)
    return "\n".join([*lines, "", body])


def _title(name: str, file: Path) -> str:
    what = "Atoms and building blocks of" if name == "image" else "Kinds of spectra in"
    return f"{what} {file.stem}"
