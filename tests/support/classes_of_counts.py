"""The way from a map of counts to its classes that the documentation recommends."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from adatom.clustering import choose_n_classes, cluster_poisson_mixture, find_uniform_pixels
from adatom.correction import correct_intensity
from adatom.decomposition import decompose_pca
from adatom.numerics.scores import adjusted_rand_index
from adatom.simulation import EELSSimulation


class Found(NamedTuple):
    """What the pipeline found, and how it compares."""

    n_classes: int
    agreement: float
    """Adjusted Rand index of the classes with the truth."""
    ceiling: float
    """The same of who knows the expected spectra."""


def classes_of_counts(spectra: xr.DataArray, *, seed: int = 0) -> xr.Dataset:
    """Sort the pixels of a map of counts; nothing but the counts is known."""
    scores = decompose_pca(spectra, weighting="poisson").scores
    shapes = correct_intensity(scores, spectra, to="sum")
    uniform = find_uniform_pixels(shapes)
    choice = choose_n_classes(shapes, uniform, max_classes=10, n_references=2, seed=seed)
    return cluster_poisson_mixture(spectra, choice, uniform, seed=seed).classes


def ceiling_of(simulation: EELSSimulation) -> float:
    """Give every pixel the likeliest of the true spectra, of any thickness."""
    shapes = simulation.endmembers.values
    shapes = shapes / shapes.sum(axis=1, keepdims=True)
    spectra = simulation.spectra.values
    likeliest = (spectra @ np.log(shapes).astype(spectra.dtype).T).argmax(axis=-1)
    return adjusted_rand_index(likeliest, simulation.truth["label"].values)


def found_in(simulation: EELSSimulation, *, seed: int = 0) -> Found:
    """Compare the classes of a simulated map with its truth."""
    classes = classes_of_counts(simulation.spectra, seed=seed)
    agreement = adjusted_rand_index(classes["label"].values, simulation.truth["label"].values)
    return Found(int(classes.attrs["n_classes"]), agreement, ceiling_of(simulation))
