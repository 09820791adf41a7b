"""Wiring of recipes: every problem is found before anything is read."""

from __future__ import annotations

import pytest

from adatom.errors import RecipeError
from adatom.recipes.recipe import parse_recipe
from adatom.recipes.shipped import find_recipe, list_recipes
from adatom.recipes.steps import find_step
from adatom.recipes.wiring import check_recipe, find_problems

HEAD = '[inputs]\nimage = "io.read_image"\n'


def problems(text: str) -> list[str]:
    return [str(problem) for problem in find_problems(parse_recipe(HEAD + text))]


def test_a_recipe_that_fits_has_no_problem() -> None:
    text = """
        [bright]
        do = "trial.brighten(image, _)"
        mode = "square"
        tuning = { power = 2, width = "2 px" }
        [sites]
        do = "trial.bright_pixels(bright)"
        size = "1.5 d"
        [found]
        do = "trial.measure(sites)"
        [again]
        do = "trial.measure(found.sites)"
        [number]
        do = "trial.count(found.n_bright)"
        seed = 1
        [sums]
        do = "trial.sum_up(found.table)"
        collect = true
    """
    assert problems(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[a]\ndo = "trial.brigthen(image)"',
            "line 4, [a]: trial has no step `brigthen`: did you mean `brighten`?",
        ),
        (
            '[a]\ndo = "localisation.find_atoms(image)"',
            "line 4, [a]: there is no stage `localisation`: did you mean `localization`?",
        ),
        (
            '[a]\ndo = "clustering.site_patches(image, image)"',
            (
                "line 4, [a]: clustering has no step `site_patches`: "
                "did you mean `descriptors.site_patches`?"
            ),
        ),
        (
            '[a]\ndo = "trial.brighten(image)"\nfaktor = 2',
            "line 5, [a]: trial.brighten has no setting `faktor`: did you mean `factor`?",
        ),
        (
            '[a]\ndo = "trial.brighten(image)"\nfactor = "2"',
            "line 5, [a]: factor='2' is text, need a number",
        ),
        (
            '[a]\ndo = "trial.brighten(image)"\nfactor = true',
            "line 5, [a]: factor=True is true or false, need a number",
        ),
        (
            '[a]\ndo = "trial.brighten(image)"\nmode = "liner"',
            "line 5, [a]: mode='liner' is not one of 'linear', 'square' (did you mean `linear`?)",
        ),
        (
            '[a]\ndo = "trial.bright_pixels(image)"\nsize = "3 eV"',
            (
                "line 5, [a]: size='3 eV' has no unit of length: use one of nm, mm, px, d, such as "
                '"0.8 nm"'
            ),
        ),
        (
            '[a]\ndo = "trial.bright_pixels(image)"\nsize = 3',
            'line 5, [a]: size=3 is not a length: write a number and a unit, such as "0.8 nm"',
        ),
        (
            '[a]\ndo = "trial.brighten(image)"\ntuning = { pover = 2 }',
            "line 5, [a]: tuning has no setting `pover`: did you mean `power`?",
        ),
        (
            '[a]\ndo = "trial.brighten(image)"\ntuning = { width = "2 s" }',
            (
                "line 5, [a]: tuning.width='2 s' has no unit of length: use one of nm, mm, px, d, "
                'such as "0.8 nm"'
            ),
        ),
        (
            '[a]\ndo = "trial.refuse(image)"',
            "line 3, [a]: trial.refuse needs the setting `above`",
        ),
        (
            '[a]\ndo = "trial.measure(image)"',
            "line 4, [a]: `sites` of trial.measure is Sites, but `image` is Image",
        ),
        (
            '[a]\ndo = "trial.brighten(imgae)"',
            "line 4, [a]: `imgae` is no result: did you mean `image`?",
        ),
        (
            '[a]\ndo = "trial.brighten(a)"',
            "line 4, [a]: `a` takes its own result",
        ),
        (
            '[a]\ndo = "trial.brighten()"',
            "line 4, [a]: trial.brighten needs Image as its data `image`, found none",
        ),
        (
            '[a]\ndo = "trial.brighten(_)"',
            "line 4, [a]: trial.brighten needs Image as its data `image`, found none",
        ),
        (
            '[a]\ndo = "trial.brighten(image, image, image)"',
            "line 4, [a]: trial.brighten takes 2 data (image, mask), found 3",
        ),
        (
            '[a]\ndo = "report.write_report(image)"',
            "line 4, [a]: report.write_report is no step: its annotations cannot be read at run",
        ),
        (
            '[a]\ndo = "trial.no_step(image)"',
            (
                "line 4, [a]: trial.no_step is no step: `image` stands neither before `/` "
                "nor after `*`"
            ),
        ),
        (
            '[a]\ndo = "io._hidden(image)"',
            "line 4, [a]: io has no step `_hidden`",
        ),
    ],
)
def test_a_slip_is_told_with_its_line_and_a_remedy(text: str, expected: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_result_of_several_parts_names_the_part_that_fits() -> None:
    text = """
[sites]
do = "trial.bright_pixels(image)"
[found]
do = "trial.measure(sites)"
[again]
do = "trial.measure(found)"
"""
    (problem,) = problems(text)
    assert problem.endswith(
        "`sites` of trial.measure is Sites, but `found` is Measured: did you mean `found.sites`?"
    )


def test_an_unknown_part_is_told_with_those_there_are() -> None:
    text = """
[sites]
do = "trial.bright_pixels(image)"
[found]
do = "trial.measure(sites)"
[again]
do = "trial.measure(found.site)"
[more]
do = "trial.measure(sites.score)"
"""
    first, second = problems(text)
    assert first.endswith("found (trial.measure) has no `.site`: did you mean `sites`?")
    assert second.endswith("sites (trial.bright_pixels) has no `.score`: it is one result")


def test_a_result_is_not_used_before_its_table() -> None:
    text = '[b]\ndo = "trial.brighten(a)"\n[a]\ndo = "trial.brighten(image)"\n'
    assert problems(text) == ["line 4, [b]: `a` is used before its table: put [b] below [a]"]


def test_a_circle_of_steps_is_told_as_one() -> None:
    text = '[a]\ndo = "trial.brighten(b)"\n[b]\ndo = "trial.brighten(a)"\n'
    assert problems(text) == ["line 4, [a]: `b` and `a` take one another's results"]


def test_a_broken_step_is_not_blamed_on_those_that_use_it() -> None:
    text = '[a]\ndo = "trial.nothing(image)"\n[b]\ndo = "trial.brighten(a)"\n'
    assert len(problems(text)) == 1


def test_collecting_needs_a_list_and_is_not_undone() -> None:
    text = """
[sites]
do = "trial.bright_pixels(image)"
[found]
do = "trial.measure(sites)"
[one]
do = "trial.measure(sites)"
collect = true
[sums]
do = "trial.sum_up(found.table)"
collect = true
[weighted]
do = "trial.sum_up(found.table, sums)"
collect = true
[wrong]
do = "trial.sum_up(sites)"
collect = true
[late]
do = "trial.sum_up(sums)"
"""
    one, wrong, late = problems(text)
    assert "collect = true gives a list of `sites` over all files, but" in one
    assert "`tables` of trial.sum_up is Table, but `sites` is Sites" in wrong
    assert "`sums` is made once after all files: add collect = true here too" in late


def test_an_input_needs_a_reader() -> None:
    recipe = parse_recipe('[inputs]\nimage = "trial.brighten"\n')
    (problem,) = find_problems(recipe)
    assert "trial.brighten reads no file: an input needs a reader" in str(problem)


def test_a_seed_of_the_recipe_counts_as_given() -> None:
    text = '[n]\ndo = "trial.draw()"\n[m]\ndo = "trial.count(k)"\n[k]\ndo = "trial.draw()"\n'
    without = [str(p) for p in find_problems(parse_recipe(text))]
    seeded = [str(p) for p in find_problems(parse_recipe(f"seed = 3\n{text}"))]
    assert any("needs the setting `seed`" in problem for problem in without)
    assert not any("needs the setting `seed`" in problem for problem in seeded)


def test_all_problems_come_in_one_error() -> None:
    text = '[a]\ndo = "trial.nothing(image)"\n[b]\ndo = "trial.brighten(image)"\nfaktor = 2\n'
    with pytest.raises(RecipeError, match=r"recipe trial: 2 problems\n  .*nothing.*\n  .*faktor"):
        check_recipe(parse_recipe(HEAD + text, name="trial"))


def test_classes_and_private_names_are_no_steps() -> None:
    with pytest.raises(RecipeError, match=r"clustering\.Clustering is a type, not a step"):
        find_step("clustering.Clustering")
    with pytest.raises(RecipeError, match="there is no stage `os`"):
        find_step("os.system")
    with pytest.raises(RecipeError, match="there is no stage `numerics`"):
        find_step("numerics.blocks")


@pytest.mark.parametrize("name", list_recipes())
def test_shipped_recipes_fit_together(name: str) -> None:
    check_recipe(find_recipe(name))


def test_an_unknown_recipe_is_told_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"neither a file nor a shipped recipe: did you mean"):
        find_recipe("grafene_si")
