"""Recipes: TOML files of steps, checked, run, stored and repeated.

===================  ========================================================
``run_recipe``       a recipe over files -> a run folder
``open_run``         a run folder -> its results by name
``repeat_run``       a run folder -> whether its results come out identical
``run_demo``         the main job on a simulated image -> its report
``read_recipe``      a TOML file -> a recipe; ``parse_recipe`` from text
``find_recipe``      a file or the name of a shipped recipe -> a recipe
``list_recipes``     shipped recipes and their titles
``check_recipe``     wires a recipe before any pixel is read
``starter_recipe``   a file -> a commented recipe to begin with
``ClusterExecutor``  a client of dask.distributed -> what works on its cluster
``local_cluster``    worker processes on this machine; ``cluster_at`` an address
===================  ========================================================

Modules in the order of a run: ``recipe`` parses, ``steps`` finds functions,
``kinds`` and ``values`` compare annotations with results and settings,
``wiring`` checks; ``sources`` hashes files, ``code`` hashes sources, ``cache``
keeps results by key, ``items`` runs one pass, ``folders`` writes it, ``pool``
runs many, ``cluster`` shares blocks among machines, ``runs`` joins all of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.recipes.cluster import ClusterExecutor, cluster_at, local_cluster
    from adatom.recipes.demo import run_demo
    from adatom.recipes.opened import ItemResults, Run, open_run
    from adatom.recipes.recipe import Recipe, parse_recipe, read_recipe
    from adatom.recipes.repeating import Repetition, repeat_run
    from adatom.recipes.runs import RunSummary, run_recipe
    from adatom.recipes.shipped import find_recipe, list_recipes
    from adatom.recipes.starter import starter_recipe
    from adatom.recipes.wiring import check_recipe, find_problems

__all__ = [
    "ClusterExecutor",
    "ItemResults",
    "Recipe",
    "Repetition",
    "Run",
    "RunSummary",
    "check_recipe",
    "cluster_at",
    "find_problems",
    "find_recipe",
    "list_recipes",
    "local_cluster",
    "open_run",
    "parse_recipe",
    "read_recipe",
    "repeat_run",
    "run_demo",
    "run_recipe",
    "starter_recipe",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ClusterExecutor": "cluster",
        "ItemResults": "opened",
        "Recipe": "recipe",
        "Repetition": "repeating",
        "Run": "opened",
        "RunSummary": "runs",
        "check_recipe": "wiring",
        "cluster_at": "cluster",
        "find_problems": "wiring",
        "find_recipe": "shipped",
        "list_recipes": "shipped",
        "local_cluster": "cluster",
        "open_run": "opened",
        "parse_recipe": "recipe",
        "read_recipe": "recipe",
        "repeat_run": "repeating",
        "run_demo": "demo",
        "run_recipe": "runs",
        "starter_recipe": "starter",
    },
)
