"""Patches and what is known of them -> examples to learn from and to be judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, TooFewSitesError
from adatom.numerics.patch_grid import gridded_patches
from adatom.schema import CLASSES, SITES, Classes, Features, Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.patch_grid import PatchScale

FEWEST: Final = 4
"""Examples that a class needs."""

MOST_MISSING: Final = 0.5
"""Share of a patch that may be missing."""


class Examples(NamedTuple):
    """Patches on the grid, with the numbers of their classes."""

    patches: NDArray[np.float32]
    number: NDArray[np.int64]

    def those(self, rows: NDArray[Any]) -> Examples:
        """Keep some of them."""
        return Examples(self.patches[rows], self.number[rows])


def examples_of_patches(
    patches: Features, labels: Sites | Classes, scale: PatchScale, /
) -> tuple[tuple[str, ...], Examples]:
    """Give the names of the classes, and the patches of which the class is known.

    Raises
    ------
    KindError
        If labels and patches do not belong together, or name no classes.
    TooFewSitesError
        If a class has fewer than four examples, or there is but one class.
    """
    names, number = _numbers(labels, patches)
    rows = np.asarray(patches.values).reshape(-1, patches.shape[-1])
    known = (number >= 0) & (np.isnan(rows).mean(axis=1) <= MOST_MISSING)
    counts = np.bincount(number[known], minlength=len(names))
    if len(names) < 2 or counts.min() < FEWEST:
        told = ", ".join(f"{count} {name}" for name, count in zip(names, counts)) or "none"
        msg = (
            f"there are patches of known classes: {told}; two classes or more are needed, of "
            f"{FEWEST} examples or more each: mark more, or leave a class out"
        )
        raise TooFewSitesError(msg)
    shape = (int(patches.attrs["patch_shape"][0]), int(patches.attrs["patch_shape"][1]))
    grid = gridded_patches(rows[known], shape, scale.step, scale.diameter)
    return names, Examples(grid, number[known])


def _numbers(
    labels: Sites | Classes, patches: Features
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Give the names of the classes, and the number of each patch's class, -1 for not known."""
    if CLASSES.fits(labels):
        _require_same_rows(labels["label"].shape, patches)
        return _numbers_of_classes(labels)
    SITES.check(labels, name="labels")
    if "class" not in labels:
        msg = (
            "labels have no 'class' with the names of their classes: "
            "localization.assign_labels gives sites the names of what was marked"
        )
        raise KindError(msg)
    _require_same_rows(labels["class"].shape, patches)
    return _numbers_of_names(labels["class"].values.astype(np.str_))


def _numbers_of_classes(classes: Classes) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    number = classes["label"].values.ravel().astype(np.int64)
    known = np.unique(number[number >= 0])
    told = classes.attrs.get("class_names")
    names = tuple(str(k) if told is None else str(told[k]) for k in known.tolist())
    place = np.full(int(number.max(initial=0)) + 1, -1)
    place[known] = np.arange(len(known))
    return names, np.where(number >= 0, place[number], -1)


def _numbers_of_names(text: NDArray[np.str_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    distinct, counts = np.unique(text[text != ""], return_counts=True)
    # As everywhere, class 0 is the largest.
    names = tuple(distinct[np.argsort(-counts, kind="stable")].tolist())
    number = np.full(text.shape, -1, dtype=np.int64)
    for k, name in enumerate(names):
        number[text == name] = k
    return names, number


def _require_same_rows(shape: tuple[int, ...], patches: Features) -> None:
    if shape != patches.shape[:-1]:
        msg = (
            f"labels are of {shape} places, patches of {patches.shape[:-1]}: cut the patches "
            "around the very sites that carry the labels"
        )
        raise KindError(msg)


def parted_examples(
    examples: Examples, held_back: float, seed: int, /
) -> tuple[Examples, Examples]:
    """Part examples, class by class, into those to learn from and those held back."""
    rng = np.random.default_rng([seed, 0])
    judges = np.zeros(len(examples.number), dtype=bool)
    for number in range(int(examples.number.max()) + 1):
        rows = rng.permutation(np.flatnonzero(examples.number == number))
        judges[rows[: int(np.ceil(held_back * len(rows)))]] = True
    return examples.those(~judges), examples.those(judges)
