"""Several inputs of a recipe from one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from adatom.errors import RecipeError
from adatom.recipes.sources import items_of_files


def test_another_dataset_of_the_same_file_needs_no_second_file() -> None:
    items = items_of_files(["current", "height"], ["a.3ds", "b.3ds"], {}, shared=["height"])
    assert [item["height"] for item in items] == [Path("a.3ds"), Path("b.3ds")]


def test_a_file_that_is_named_for_it_goes_before() -> None:
    named = {"height": ["c.sxm"]}
    items = items_of_files(["current", "height"], ["a.3ds", "b.3ds"], named, shared=["height"])
    assert [item["height"] for item in items] == [Path("c.sxm"), Path("c.sxm")]


def test_an_input_that_is_no_dataset_of_its_own_still_needs_a_file() -> None:
    with pytest.raises(RecipeError, match="no file for the input `expert`"):
        items_of_files(["image", "expert"], ["a.tif"], {}, shared=[])
