"""A classifier that learned from marks in half of a shared image, judged on the other half."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from real_truth import IMAGING

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
from adatom.schema import Image, Sites

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

FOLDER = IMAGING / "stem_wsete_sim_stemlearning/simulated/0"
ALTERED = ["Se", "TeSe", "2Te", "vacancy"]


class Marked(NamedTuple):
    """WSe(Te) as others simulated it by multislice, and the columns that their masks mark."""

    image: Image
    labels: Sites
    atoms: Sites


@cache
def marked() -> Marked:
    image = read_image(FOLDER / "input.tiff")
    drawn = [read_label_image(FOLDER / f"label_{name}.tiff") for name in ALTERED]
    return Marked(image, sites_from_labels(drawn, classes=ALTERED), find_atoms(image))


def test_every_blob_of_the_masks_is_one_site() -> None:
    # As counted by those who drew them.
    names, counts = np.unique(marked().labels["class"].values, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "2Te": 343, "Se": 152, "TeSe": 287, "vacancy": 19,
    }  # fmt: skip


def test_marked_columns_that_hold_an_atom_are_found() -> None:
    _, labels, atoms = marked()
    held = labels.isel(site=np.flatnonzero(labels["class"].values != "vacancy"))
    held.attrs["spacing"] = atoms.attrs["spacing"]
    scores = compare_sites(atoms, held, edge="0 px").scores
    assert int(scores["n_true"][0]) == 782
    assert float(scores["recall"][0]) >= 0.97


@pytest.mark.network
def test_vacancies_are_named_in_the_half_that_was_not_learned_from() -> None:
    pytest.importorskip("torch")
    image, labels, atoms = marked()
    lattice = find_lattice_sites(image, atoms, n_columns=2)
    chalcogen = sites_from_sublattice(lattice, sublattice=1)
    # What is not marked was not altered.
    named = assign_labels(chalcogen, labels, others="Se2")
    # Patches reach one and a half distances: none shows both halves.
    away, margin = named.x.values - 511.5, 1.5 * named.attrs["spacing"]
    learned, judged = (named.isel(site=np.flatnonzero(k * away > margin)) for k in (-1, 1))
    trained = train_patch_classifier(
        site_patches(image, learned, size="3 d"),
        learned,
        training=PatchTraining(n_steps=400, held_back=0.0),
    )
    classes = predict_classes(site_patches(image, judged, size="3 d"), trained.classifier)
    said = np.array([*classes.attrs["class_names"], ""])[classes["label"].values]
    true = judged["class"].values
    for name, least in (("vacancy", 0.8), ("Se", 0.95), ("TeSe", 0.9), ("2Te", 0.9)):
        right = ((said == name) & (true == name)).sum()
        assert right / (true == name)[said != ""].sum() >= least, name
        assert right / (said == name).sum() >= least, name
