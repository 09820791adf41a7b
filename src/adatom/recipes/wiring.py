"""Wire a recipe before any pixel is read: every problem, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adatom.errors import AdatomError, RecipeError
from adatom.recipes.kinds import alternatives, describe, element, fields, fits, is_path
from adatom.recipes.recipe import LEFT_OUT, Call, Problem, Recipe, problems_error
from adatom.recipes.steps import Parameter, Step, find_step, suggestion
from adatom.recipes.values import value_from_toml


def check_recipe(recipe: Recipe, /) -> None:
    """Wire a recipe from the signatures of its steps.

    Parameters
    ----------
    recipe : Recipe
        From `read_recipe`.

    Raises
    ------
    RecipeError
        With every problem on a line of its own: unknown steps and settings,
        wrong kinds, units and types, names that are used before their table.
    """
    problems = find_problems(recipe)
    if problems:
        raise problems_error(problems, recipe.name)


def find_problems(recipe: Recipe, /) -> list[Problem]:
    """Find everything that keeps a recipe from running, in the order of its tables."""
    problems: list[Problem] = []
    steps: dict[str, Step] = {}
    for call in recipe.calls:
        try:
            step = find_step(call.step)
        except RecipeError as error:
            problems.append(recipe.problem(str(error), table=call.name, key="do"))
            continue
        wiring = _Wiring(recipe, call, step, steps)
        problems += wiring.setting_problems()
        problems += wiring.reader_problems() if call.is_input else wiring.data_problems()
        steps[call.name] = step
    return problems


class _Wiring:
    """One table of a recipe and the tables before it."""

    def __init__(self, recipe: Recipe, call: Call, step: Step, before: Mapping[str, Step]) -> None:
        self.recipe, self.call, self.step, self.before = recipe, call, step, dict(before)
        self.calls = {other.name: other for other in recipe.calls}

    def _problem(self, text: str, key: str = "do") -> Problem:
        return self.recipe.problem(text, table=self.call.name, key=key)

    def setting_problems(self) -> list[Problem]:
        problems, known = [], self.step.settings
        for key, value in self.call.settings.items():
            if key not in known:
                text = f"{self.step.name} has no setting `{key}`: {suggestion(key, known)}"
                problems.append(self._problem(text, key))
                continue
            try:
                value_from_toml(value, known[key].annotation, name=key)
            except AdatomError as error:
                problems.append(self._problem(str(error), key))
        has_seed = self.recipe.seed is not None
        problems += [
            self._problem(f"{self.step.name} needs the setting `{key}`", "")
            for key, parameter in known.items()
            if parameter.is_required
            and key not in self.call.settings
            and not (key == "seed" and has_seed)
        ]
        return problems

    def reader_problems(self) -> list[Problem]:
        needed = [parameter for parameter in self.step.data if parameter.is_required]
        if len(needed) == 1 and is_path(needed[0].annotation):
            return []
        return [self._problem(f"{self.step.name} reads no file: an input needs a reader", "")]

    def data_problems(self) -> list[Problem]:
        names, parameters = self.call.data, self.step.data
        if len(names) > len(parameters):
            text = (
                f"{self.step.name} takes {len(parameters)} data "
                f"({', '.join(p.name for p in parameters)}), found {len(names)}"
            )
            return [self._problem(text)]
        problems = []
        for place, parameter in enumerate(parameters):
            name = names[place] if place < len(names) else LEFT_OUT
            if name != LEFT_OUT:
                problems += self._one_problem(name, parameter)
            elif parameter.is_required:
                text = f"{self.step.name} needs {describe(parameter.annotation)} as its data "
                problems.append(self._problem(f"{text}`{parameter.name}`, found none"))
        return problems

    def _one_problem(self, name: str, parameter: Parameter) -> list[Problem]:
        root, *path = name.split(".")
        if root not in self.before:
            return self._unknown_name(root)
        given = self.before[root].gives
        for field_name in path:
            known = fields(given)
            if field_name not in known:
                hint = suggestion(field_name, known) if known else "it is one result"
                text = f"{root} ({self.before[root].name}) has no `.{field_name}`: {hint}"
                return [self._problem(text)]
            given = known[field_name]
        return self._kind_problem(name, given, parameter)

    def _unknown_name(self, root: str) -> list[Problem]:
        if root not in self.calls:
            hint = suggestion(root, self.before) if self.before else "nothing stands before it"
            return [self._problem(f"`{root}` is no result: {hint}")]
        if root == self.call.name:
            return [self._problem(f"`{root}` takes its own result")]
        earlier = [call.name for call in self.recipe.calls]
        if earlier.index(root) < earlier.index(self.call.name):
            return []  # Its step is unknown, which is told at its own table.
        if self.call.name in self._reached_from(root):
            return [self._problem(f"`{root}` and `{self.call.name}` take one another's results")]
        text = f"`{root}` is used before its table: put [{self.call.name}] below [{root}]"
        return [self._problem(text)]

    def _reached_from(self, root: str) -> set[str]:
        """Find all that `root` needs, directly or not."""
        reached: set[str] = set()
        waiting = [root]
        while waiting:
            call = self.calls.get(waiting.pop())
            needs = {name.split(".")[0] for name in call.data} if call else set()
            waiting += needs - reached
            reached |= needs
        return reached

    def _kind_problem(self, name: str, given: Any, parameter: Parameter) -> list[Problem]:  # noqa: ANN401
        source = self.calls[name.partition(".")[0]]
        wanted: Any = parameter.annotation
        if self.call.collect and not source.collect:
            wanted = element(parameter.annotation)
            if wanted is None:
                text = (
                    f"collect = true gives a list of `{name}` over all files, but "
                    f"`{parameter.name}` of {self.step.name} takes one "
                    f"{describe(parameter.annotation)}"
                )
                return [self._problem(text)]
        elif source.collect and not self.call.collect:
            text = f"`{name}` is made once after all files: add collect = true here too"
            return [self._problem(text)]
        if fits(given, wanted):
            return []
        text = (
            f"`{parameter.name}` of {self.step.name} is {describe(wanted)}, "
            f"but `{name}` is {describe(given)}{self._field_hint(name, given, wanted)}"
        )
        return [self._problem(text)]

    @staticmethod
    def _field_hint(name: str, given: Any, wanted: Any) -> str:  # noqa: ANN401
        fitting = [
            f"`{name}.{key}`"
            for key, part in fields(given).items()
            if alternatives(part) and fits(part, wanted)
        ]
        return f": did you mean {' or '.join(fitting)}?" if fitting else ""
