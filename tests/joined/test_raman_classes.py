"""Classes of a simulated Raman map under fluorescence."""

from __future__ import annotations

import numpy as np
import xarray as xr

from adatom.clustering import cluster_kmeans
from adatom.correction import correct_baseline, correct_intensity
from adatom.numerics.scores import adjusted_rand_index


def test_classes_under_fluorescence_are_found_once_the_baseline_is_off() -> None:
    rng = np.random.default_rng(0)
    shift = np.linspace(400.0, 1800.0, 512)
    label = np.repeat([0, 1, 2], 300)
    centers = np.array([[620, 1004, 1450], [620, 1090, 1450], [785, 1004, 1660]])
    lines = (60 * np.exp(-(((shift[:, None] - centers[:, None]) / 8) ** 2))).sum(axis=2)
    height, place = rng.uniform(200, 2000, (900, 1)), rng.uniform(600, 1600, (900, 1))
    fluorescence = height * np.exp(-(((shift - place) / 900) ** 2))
    counts = rng.poisson(lines[label] + fluorescence).astype(np.float32)
    coords = {"wavenumber": ("wavenumber", shift, {"units": "1/cm"})}
    dims = ("site", "wavenumber")
    spectra = xr.DataArray(counts, dims=dims, coords=coords, attrs={"units": "1"})

    def agreement(features: xr.DataArray) -> float:
        found = cluster_kmeans(correct_intensity(features), n_classes=3).classes
        return adjusted_rand_index(found["label"].values, label)

    # Fluorescence is up to thirty times as high as the lines, and varies more.
    assert agreement(spectra) < 0.1
    assert agreement(correct_baseline(spectra).spectra) > 0.85
