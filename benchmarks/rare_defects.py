"""Rare defects named by a network that learned from few labels; focal loss and cross-entropy.

    ADATOM_DATA=... python benchmarks/rare_defects.py [--seeds 3] [--steps 400 500 600]
        [--weights equal rare] [--only wsete|simulated] [--picture FILE]

Two tasks. *WSe(Te)*: a multislice image made by others, of which masks mark the
altered columns of chalcogen; the network learns from one half and is judged on the
other, where 0.3 % of the columns are vacancies. *Simulated*: layers of WSe2 of our own, of which
1 % of the columns lack an atom; it learns from one image and is judged on another one.

In both, `find_lattice_sites` gives every place, atom or no atom; `assign_labels` gives
the places the names of the labels, and all that were not marked are the usual
class. Both losses see the same patches, batches and first weights. "equal": nothing
else is done about rarity; "rare": classes are weighed by the root of their counts,
which is the default of `train_patch_classifier`. One line a training; then means
over seeds, without any choice among them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from rare_layers import simulated_layer

from adatom.clustering import predict_classes
from adatom.descriptors import site_patches, sites_from_sublattice
from adatom.io import read_image, read_label_image
from adatom.localization import (
    assign_labels,
    compare_sites,
    find_atoms,
    find_lattice_sites,
    sites_from_labels,
)
from adatom.networks import PatchTraining, train_patch_classifier
from adatom.schema import Classes, Features, Image, Sites

ALTERED = ("Se", "TeSe", "2Te", "vacancy")
LOSSES = ("focal", "cross entropy")
# The disc holds the site, its three metal neighbors and the six nearest of its own sort.
SIZE = "3 d"


class Part(NamedTuple):
    """Patches, and the sites around which they were cut, with the true names."""

    patches: Features
    sites: Sites


class Task(NamedTuple):
    """What is learned from, and what judges."""

    name: str
    learned: Part
    judged: Part


def places(image: Image, labels: Sites) -> Sites:
    """Give all places of the chalcogen with the names of the labels."""
    lattice = find_lattice_sites(image, find_atoms(image), n_columns=2)
    chalcogen = sites_from_sublattice(lattice, sublattice=1)
    return assign_labels(chalcogen, labels, others="usual")


def part(image: Image, sites: Sites) -> Part:
    """Cut the patches."""
    return Part(site_patches(image, sites, size=SIZE), sites)


def wsete_image() -> tuple[Image, Sites]:
    """Read the image and what its masks mark."""
    root = Path(os.environ["ADATOM_DATA"]) / "imaging/stem_wsete_sim_stemlearning/simulated/0"
    drawn = [read_label_image(root / f"label_{name}.tiff") for name in ALTERED]
    return read_image(root / "input.tiff"), sites_from_labels(drawn, classes=list(ALTERED))


def wsete(axis: str = "x") -> Task:
    """Part the shared image into two halves along an axis."""
    image, labels = wsete_image()
    sites = places(image, labels)
    middle = float(image.coords[axis].mean())
    # A patch at the cut would show the other half: its disc stays within its own.
    away = sites[axis].values - middle
    margin = 1.5 * float(sites.attrs["spacing"])
    first, second = (sites.isel(site=np.flatnonzero(sign * away > margin)) for sign in (-1, 1))
    return Task(f"WSe(Te) {axis}", part(image, first), part(image, second))


def simulated(seed: int) -> Task:
    """Make two images, of different places and noise."""
    parts = []
    for number in (2 * seed, 2 * seed + 1):
        made = simulated_layer(seed=number, turn=0.2 + 0.3 * number)
        parts.append(part(made.image, places(made.image, made.labels)))
    return Task("simulated", parts[0], parts[1])


def named(classes: Classes) -> np.ndarray:
    """Give the names of the classes, "" where there is none."""
    return np.array([*classes.attrs["class_names"], ""])[classes["label"].values]


def scores(said: np.ndarray, true: np.ndarray, name: str = "vacancy") -> tuple[float, float]:
    """Give recall and precision of a class among places that have one; 0 if never said."""
    known = said != ""
    right = ((said == name) & (true == name))[known].sum()
    n_true, n_said = ((names == name)[known].sum() for names in (true, said))
    return float(right / n_true), float(right / max(n_said, 1))


def average_precision(classes: Classes, true: np.ndarray, name: str = "vacancy") -> float:
    """Average the precision at each true member, places ranked by their probability of a class.

    No threshold is in it: 1 if all that are true stand before all others.
    """
    known = classes["label"].values >= 0
    share = classes["probability"].values[known, classes.attrs["class_names"].index(name)]
    right = (true[known] == name)[np.argsort(-share, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].mean())


def found_share(image: Image, labels: Sites) -> tuple[int, int]:
    """Count the marked sites that hold an atom, and those that the finder finds."""
    held = labels.isel(site=np.flatnonzero(labels["class"].values != "vacancy"))
    atoms = find_atoms(image)
    held.attrs |= {"spacing": atoms.attrs["spacing"]}
    table = compare_sites(atoms, held, edge="0 px").scores
    return int(table["n_true"][0]), int(table["n_matched"][0])


def compare(task: Task, weights: str, n_steps: int, seed: int) -> dict[str, list[float]]:
    """Train with both losses; print a line each; give F1 and average precision of vacancies."""
    reached = {}
    for loss in LOSSES:
        began = time.process_time()
        trained = train_patch_classifier(
            *task.learned,
            loss=loss,
            class_weights=weights,
            training=PatchTraining(n_steps=n_steps, held_back=0.0),
            seed=seed,
        )
        seconds = time.process_time() - began
        classes = predict_classes(task.judged.patches, trained.classifier)
        said, true = named(classes), task.judged.sites["class"].values
        recall, precision = scores(said, true)
        ranked = average_precision(classes, true)
        reached[loss] = [2 * recall * precision / max(recall + precision, 1e-9), ranked]
        right = float((said == true)[said != ""].mean())
        print(
            f"{task.name:12s} {weights:6s} {n_steps:4d} steps  seed {seed}  {loss:13s}  "
            f"vacancies: {(true == 'vacancy').sum():2d}, recall {recall:.3f} "
            f"precision {precision:.3f} ranked {ranked:.3f}  "
            f"all classes right {right:.4f}  {seconds:.0f} CPU s",
            flush=True,
        )
    return reached


def draw(task: Task, image: Image, path: str, n_steps: int) -> None:
    """Draw what is said of the half that was not learned from."""
    from adatom.plotting import plot_classes

    trained = train_patch_classifier(*task.learned, training=PatchTraining(n_steps=n_steps))
    classes = predict_classes(task.judged.patches, trained.classifier)
    plot_classes(classes, image).savefig(path, dpi=150)


def main() -> None:
    """Print all trainings, then their means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="+", default=[400, 500, 600])
    parser.add_argument("--weights", nargs="+", default=["equal", "rare"])
    parser.add_argument("--only", choices=("wsete", "simulated"))
    parser.add_argument("--picture")
    asked = parser.parse_args()
    tasks = []
    if asked.only != "simulated":
        image, labels = wsete_image()
        n_held, n_found = found_share(image, labels)
        print(
            f"WSe(Te): {n_found} of {n_held} marked sites that hold an atom are found "
            f"({n_found / n_held:.4f})",
            flush=True,
        )
        halves = wsete()
        tasks += [(halves, seed) for seed in range(asked.seeds)]
        if asked.picture:
            draw(halves, image, asked.picture, asked.steps[-1])
    if asked.only != "wsete":
        tasks += [(simulated(seed), seed) for seed in range(asked.seeds)]
    reached: dict[tuple[str, str, int], list[dict[str, list[float]]]] = {}
    for n_steps in asked.steps:
        for weights in asked.weights:
            for task, seed in tasks:
                one = compare(task, weights, n_steps, seed)
                reached.setdefault((task.name, weights, n_steps), []).append(one)
    print("\nmeans over seeds, of the vacancies: F1, average precision of their ranking")
    for (name, weights, n_steps), runs in reached.items():
        means = [np.mean([run[loss] for run in runs], axis=0) for loss in LOSSES]
        told = "  ".join(f"{loss} {f1:.3f}, {ap:.3f}" for loss, (f1, ap) in zip(LOSSES, means))
        print(f"{name:12s} {weights:6s} {n_steps:4d} steps  {told}")


if __name__ == "__main__":
    main()
