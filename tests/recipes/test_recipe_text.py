"""Recipes as text: parsing, line numbers, changed settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adatom.errors import RecipeError, SettingError
from adatom.recipes.recipe import (
    change_settings,
    parse_recipe,
    read_recipe,
    set_seed,
    toml_from_value,
)

TEXT = """\
title = "Trial"  # of recipes

[inputs]
image = "io.read_image"

[bright]
do = "trial.brighten(image, _)"
factor = 3.0   # times
mode = "linear"

[atoms]
do = "trial.bright_pixels( bright )"
"""


def test_a_recipe_names_steps_data_and_settings() -> None:
    recipe = parse_recipe(TEXT, name="trial")
    assert recipe.title == "Trial"
    assert [call.name for call in recipe.calls] == ["image", "bright", "atoms"]
    bright = recipe.steps[0]
    assert (bright.step, bright.data) == ("trial.brighten", ("image", "_"))
    assert dict(bright.settings) == {"factor": 3.0, "mode": "linear"}


def test_tables_and_keys_know_their_lines() -> None:
    recipe = parse_recipe(TEXT)
    assert recipe.line("image") == 4
    assert recipe.line("bright") == 6
    assert recipe.line("bright", "factor") == 8
    assert recipe.line("bright", "not there") == 6


def test_an_input_may_be_a_table_with_settings() -> None:
    written = '[inputs.image]\ndo = "io.read_image"\npixel_size = "0.1 nm"\n'
    inline = '[inputs]\nimage = { do = "io.read_image", pixel_size = "0.1 nm" }\n'
    for text in (written, inline):
        (call,) = parse_recipe(text).inputs
        assert (call.step, dict(call.settings)) == ("io.read_image", {"pixel_size": "0.1 nm"})


@pytest.mark.parametrize(
    "do",
    [
        "trial.brighten",
        "trial.brighten(image",
        "trial.brighten(image))",
        "trial.brighten(image image)",
        "trial.brighten(image, ,)",
        "trial.brighten(image())",
        "trial.brighten(2)",
        "trial.brighten('image')",
        "trial.deep.brighten(image)",
        "brighten(image)",
        "__import__('os').system(image)",
        "trial.brighten(image) + trial.brighten(image)",
        "trial.brighten(image, factor=2)",
        "trial.brighten(image[0])",
    ],
)
def test_anything_but_a_call_with_names_is_refused(do: str) -> None:
    with pytest.raises(RecipeError, match=r"cannot understand do = .*write do = "):
        parse_recipe(f'[bright]\ndo = "{do}"\n')


def test_all_problems_of_a_text_are_told_at_once_with_their_lines() -> None:
    text = 'titel = "x"\n[inputs]\nimage = "io.read_image()"\n[a]\nfactor = 2\n[b]\ndo = "b(c)"\n'
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, name="trial")
    lines = str(caught.value).splitlines()
    assert lines[0] == "recipe trial: 4 problems"
    assert "line 3, [inputs]: write image" in lines[1]
    assert "line 1: titel stands outside of any table" in lines[2]
    assert "line 4, [a]: it has no do" in lines[3]
    assert "line 7, [b]: cannot understand" in lines[4]


def test_broken_toml_is_told_with_its_place() -> None:
    with pytest.raises(RecipeError, match=r"recipe trial is not TOML: .*line 1"):
        parse_recipe("title = \n", name="trial")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read the recipe .*nothing\.toml"):
        read_recipe(tmp_path / "nothing.toml")


def test_a_file_that_is_no_text_is_told_to_be_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "image.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(RecipeError, match="Name the recipe first, then the files"):
        read_recipe(tmp_path / "image.npy")


def test_a_mark_of_the_encoding_and_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_bytes(
        b"\xef\xbb\xbf" + b'title = "Windows"\r\n[inputs]\r\nimage = "io.read_image"\r\n'
    )
    assert read_recipe(file).title == "Windows"


def test_an_empty_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match="neither inputs nor steps"):
        parse_recipe("title = 'x'\n")


def test_a_name_is_not_used_twice() -> None:
    text = '[inputs]\na = "io.read_image"\n[a]\ndo = "trial.draw()"\n'
    with pytest.raises(RecipeError, match=r"\[a\]: this name is taken by an input"):
        parse_recipe(text)


def test_a_changed_setting_stands_where_the_old_one_stood() -> None:
    changed = change_settings(parse_recipe(TEXT), {"bright.factor": "4"})
    assert changed.text == TEXT.replace("factor = 3.0   # times", "factor = 4   # times")
    assert changed.steps[0].settings["factor"] == 4


def test_a_new_setting_goes_into_its_table() -> None:
    changed = change_settings(parse_recipe(TEXT), {"atoms.size": "2 px", "bright.pause": "0.5"})
    assert changed.steps[1].settings == {"size": "2 px"}
    assert changed.steps[0].settings["pause"] == 0.5
    assert "# times" in changed.text


def test_an_input_gets_a_setting() -> None:
    changed = change_settings(parse_recipe(TEXT), {"image.pixel_size": "0.1 nm"})
    (call,) = changed.inputs
    assert (call.step, dict(call.settings)) == ("io.read_image", {"pixel_size": "0.1 nm"})
    again = change_settings(changed, {"image.pixel_size": "0.2 nm"})
    assert again.inputs[0].settings == {"pixel_size": "0.2 nm"}


def test_a_nested_setting_is_set() -> None:
    changed = change_settings(parse_recipe(TEXT), {"bright.tuning.power": "2.0"})
    assert changed.steps[0].settings["tuning"] == {"power": 2.0}


def test_a_value_over_several_lines_is_replaced() -> None:
    text = '[a]\ndo = "trial.draw()"\nsizes = [\n  1,\n  2,\n]\n'
    changed = change_settings(parse_recipe(text), {"a.sizes": "[3]"})
    assert changed.steps[0].settings == {"sizes": [3]}


def test_the_seed_is_set_at_the_top() -> None:
    recipe = set_seed(parse_recipe(TEXT), 7)
    assert recipe.seed == 7
    assert set_seed(recipe, 8).seed == 8
    assert parse_recipe(set_seed(recipe, 8).text).seed == 8


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("brigth.factor", r"the recipe has no \[brigth\], it has image, bright, atoms"),
        ("factor", "write step.setting=value"),
        ("bright.do", "write step.setting=value"),
        ("bright.", "write step.setting=value"),
    ],
)
def test_a_change_that_fits_nothing_is_refused(target: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        change_settings(parse_recipe(TEXT), {target: "2"})


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_written_values_read_back(value: object) -> None:
    assert tomllib.loads(f"value = {toml_from_value(value)}") == {"value": value}


@given(VALUES)
def test_any_value_can_be_set(value: object) -> None:
    changed = change_settings(parse_recipe(TEXT), {"bright.factor": toml_from_value(value)})
    assert changed.steps[0].settings["factor"] == value


def test_the_top_says_of_which_tables_the_report_shows_pictures() -> None:
    assert parse_recipe(TEXT).pictures is None
    assert parse_recipe(f'pictures = ["atoms"]\n{TEXT}').pictures == ("atoms",)
    with pytest.raises(RecipeError, match=r"pictures names dots: there are atoms, bright, image"):
        parse_recipe(f'pictures = ["dots"]\n{TEXT}')
    with pytest.raises(RecipeError, match=r"pictures='atoms' must be a list of tables"):
        parse_recipe(f'pictures = "atoms"\n{TEXT}')
