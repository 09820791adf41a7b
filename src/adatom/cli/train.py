"""``adatom train``: a recipe that trains a network, and the files that it gives."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adatom.cli._options import add_recipe_options
from adatom.cli.run import changes_of_arguments, inputs_of_arguments, print_summary
from adatom.errors import RecipeError

if TYPE_CHECKING:
    from adatom.recipes.recipe import Recipe
    from adatom.recipes.runs import RunSummary

_START: Final = "start"
"""Name of the input that a recipe gets for the network that it starts from."""

_READING: Final = ("networks.read_network",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "recipe", help="a TOML file, or the name of a shipped recipe such as train_finder"
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="labeled images, where the recipe has such inputs"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="NETWORK",
        help='weights to start from: a .safetensors file, or "universal" for those of the '
        "finder that comes with adatom",
    )
    add_recipe_options(parser)
    parser.add_argument("--no-report", action="store_true", help="results only")


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from adatom.cli._progress import TerminalProgress
    from adatom.numerics.long_work import lend_long_work
    from adatom.recipes.runs import run_recipe
    from adatom.recipes.shipped import find_recipe
    from adatom.recipes.sources import files_of_pattern

    recipe = find_recipe(arguments.recipe)
    _check_trains(recipe)
    inputs = inputs_of_arguments(arguments.inputs)
    if arguments.start is not None:
        recipe, name = recipe_from_network(recipe)
        _check_given_once(name, inputs)
        inputs[name] = [_weights(arguments.start)]
    progress = TerminalProgress()
    try:
        with lend_long_work(listener=progress.work):
            summary = run_recipe(
                recipe,
                [path for pattern in arguments.files for path in files_of_pattern(pattern)],
                out=arguments.out or Path("runs") / recipe.name,
                inputs=inputs,
                changes=changes_of_arguments(arguments.changes),
                seed=arguments.seed,
                n_processes=1,
                reports=not arguments.no_report,
                progress=progress,
            )
    except KeyboardInterrupt:
        print("the same command again goes on where the training was", file=sys.stderr)
        raise
    for path in write_networks(summary):
        print(f"network: {path}")
    print_summary(summary)
    return 0 if summary.is_good else 1


def _check_trains(recipe: Recipe) -> None:
    if not any(_is_training(call.step) for call in recipe.steps):
        msg = (
            f"recipe {recipe.name} trains nothing: adatom run {recipe.name} runs it; one that "
            'trains has a step such as do = "pipelines.train_finder()"'
        )
        raise RecipeError(msg)


def _is_training(step: str) -> bool:
    return step.startswith(("pipelines.train", "pipelines.fine_tune", "networks.train"))


def _weights(name: str) -> Path:
    from adatom.networks.shipped import find_weights

    return find_weights(name)


def _check_given_once(name: str, inputs: Mapping[str, object]) -> None:
    if name in inputs:
        msg = f"weights are given twice, by --from and by --input {name}: leave one out"
        raise RecipeError(msg)


def recipe_from_network(recipe: Recipe, /) -> tuple[Recipe, str]:
    """Let the trainings of a recipe that begin with fresh weights begin with given ones.

    A recipe that reads weights already is left as it is.

    Returns
    -------
    recipe : Recipe
    name : str
        The input that takes the weights.

    Raises
    ------
    RecipeError
        If there is no such training, or more than one input takes weights.
    """
    from adatom.recipes.recipe import parse_recipe

    named = [call.name for call in recipe.inputs if call.step == "networks.read_network"]
    if len(named) > 1:
        msg = f"recipe {recipe.name} reads several networks ({', '.join(named)}): use --input"
        raise RecipeError(msg)
    if named:
        return recipe, named[0]
    fresh = 'do = "pipelines.train_finder()"'
    if fresh not in recipe.text:
        msg = f"recipe {recipe.name} has no training that begins with fresh weights: {fresh}"
        raise RecipeError(msg)
    text = recipe.text.replace(fresh, f'do = "pipelines.train_finder({_START})"')
    line = f'{_START} = "networks.read_network"\n'
    if "\n[inputs]\n" in text:
        text = text.replace("\n[inputs]\n", f"\n[inputs]\n{line}")
    else:
        # Before the first table, behind title and seed.
        place = text.index("\n[") + 1
        text = f"{text[:place]}[inputs]\n{line}\n{text[place:]}"
    return parse_recipe(text, name=recipe.name), _START


def write_networks(summary: RunSummary, /) -> list[Path]:
    """Write every network of a run beside its report, as weights and as exported graph."""
    written = []
    for place, value in _results(summary):
        for name, network in _members(place.name, value):
            ending = _ending(network)
            if ending:
                path = place.with_name(f"{name}{ending}")
                network.save(path)
                written.append(path)
    return written


def _members(name: str, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 -- any result
    """Give what a result consists of, such as "network-0" or "trained.classifier"."""
    if isinstance(value, list):
        yield from ((f"{name}-{number}", member) for number, member in enumerate(value))
    elif hasattr(value, "_fields"):
        yield from ((f"{name}.{field}", getattr(value, field)) for field in value._fields)
    else:
        yield name, value


def _ending(value: object) -> str:
    """Give the ending of the file of a network; none of anything else."""
    if hasattr(value, "tensors") and hasattr(value, "card"):
        return ".safetensors"
    return ".onnx" if hasattr(value, "graph") and hasattr(value, "card") else ""


def _results(summary: RunSummary) -> Iterator[tuple[Path, Any]]:
    """Give the results of networks and where their files go."""
    from adatom.recipes.cache import ResultStore

    with ResultStore(summary.folder / "store") as store:
        for outcome in summary.outcomes:
            for name, key in outcome.keys.items():
                stored = store.find(key)
                step = stored.origin["step"] if stored is not None else ""
                # Weights that were read, to start from, are there already.
                made = step.startswith(("pipelines.", "networks.")) and step not in _READING
                if stored is not None and made:
                    yield summary.folder / outcome.name / name, stored.load()
