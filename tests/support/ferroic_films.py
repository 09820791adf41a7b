"""The recipe for ferroic domains, step by step, and how many cells of a film it gets right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from adatom.clustering import compare_classes
from adatom.crystallography import (
    assign_lattice_indices,
    assign_sublattices,
    estimate_polarization,
    find_boundaries,
    find_regions,
    find_variants,
)
from adatom.descriptors import neighbor_vectors, sites_from_sublattice
from adatom.localization import find_atoms, find_lattice_regions
from adatom.numerics.scores import best_matching, confusion_counts
from adatom.schema import positions
from adatom.simulation import FilmSimulation

# Two wall widths: beyond, the displacement is 96 % of that of the domain.
AWAY_FROM_WALLS = 0.8


def steps_of_recipe(image: xr.DataArray) -> Iterator[tuple[str, Any]]:
    """Yield the results of `ferroic_domains.toml` under the names that they have there."""
    regions = find_lattice_regions(image, method="classical")
    yield "regions", regions
    atoms = find_atoms(image, regions, method="classical")
    yield "atoms", atoms
    neighbors = neighbor_vectors(atoms, None, regions)
    yield "neighbors", neighbors
    sublattices = assign_sublattices(neighbors)
    yield "sublattices", sublattices
    lattice = assign_lattice_indices(sublattices)
    yield "lattice", lattice
    cages = sites_from_sublattice(lattice, sublattice=0)
    centers = sites_from_sublattice(lattice, sublattice=1)
    cells = neighbor_vectors(centers, cages, regions, n_neighbors=4)
    yield "cells", cells
    domains = find_variants(cells)
    yield "domains", domains
    yield "polarization", estimate_polarization(cells, cages)
    yield "domain_regions", find_regions(domains.variants, cells, min_sites=2)
    yield "walls", find_boundaries(domains.variants, cells)


def judged(simulation: FilmSimulation, variants: xr.Dataset) -> dict[str, float]:
    """Score the domain map: of all cells whose B was found, and of the film's true cells.

    Classes are matched one to one with the true domains. A cell without a
    label, or whose column was not found, counts as wrong in ``of true cells``.
    """
    cells = simulation.cells
    distance, nearest = cKDTree(positions(cells)).query(
        np.column_stack([variants["y"].values, variants["x"].values])
    )
    # A third of the distance to the next column: another would be nearer.
    found = distance < 0.1
    label, truth = variants["label"].values, cells["domain"].values[nearest]
    used = found & (label >= 0)
    counts, labels, domains = confusion_counts(label[used], truth[used])
    partner = best_matching(counts)
    named = {int(k): int(domains[p]) for k, p in zip(labels, partner, strict=True) if p >= 0}
    right = found & (np.array([named.get(int(k), -1) for k in label]) == truth)
    away = cells["wall_distance"].values[nearest] > AWAY_FROM_WALLS
    drawn = compare_classes(variants, simulation.drawn).scores
    return {
        "right": float(right[found].mean()),
        "right away from walls": float(right[found & away].mean()),
        "of true cells": float(np.unique(nearest[right]).size / cells.sizes["site"]),
        "as drawn": float(drawn["accuracy"].item()),
    }
