"""Recipes that come with adatom."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adatom.errors import RecipeError
from adatom.recipes.recipe import Recipe, read_recipe
from adatom.recipes.steps import suggestion

_FOLDER: Final = Path(__file__).parent / "library"


def list_recipes() -> dict[str, str]:
    """List the shipped recipes by name, with their titles.

    Examples
    --------
    >>> "find_atoms" in list_recipes()
    True
    """
    return {path.stem: read_recipe(path).title for path in sorted(_FOLDER.glob("*.toml"))}


def find_recipe(name: str | Path, /) -> Recipe:
    """Read a recipe from a file, or a shipped one by its name.

    Parameters
    ----------
    name : str or Path
        A file, or a name such as "graphene_si".

    Raises
    ------
    RecipeError
        If it is neither.
    """
    path = Path(name)
    if path.is_file():
        return read_recipe(path)
    if isinstance(name, str) and (_FOLDER / f"{name}.toml").is_file():
        return read_recipe(_FOLDER / f"{name}.toml")
    known = [file.stem for file in _FOLDER.glob("*.toml")]
    msg = f"{name} is neither a file nor a shipped recipe: {suggestion(str(name), known)}"
    raise RecipeError(msg)
