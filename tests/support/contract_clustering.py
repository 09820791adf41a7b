"""Small calls of the steps for ways of clustering and decomposing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom import clustering, decomposition


def features() -> xr.DataArray:
    """Give two materials on a map, the second in a square."""
    rng = np.random.default_rng(4)
    inside = np.zeros((12, 11, 1))
    inside[3:9, 2:8] = 1.0
    lines = np.array([[1.0, 2.0, 4.0, 2.0, 1.0], [4.0, 2.0, 1.0, 1.0, 3.0]])
    values = (1 - inside) * lines[0] + inside * lines[1] + 0.2 * rng.normal(size=(12, 11, 5))
    place = {
        name: (name, 0.5 * np.arange(float(n)), {"units": "nm"})
        for name, n in (("y", 12), ("x", 11))
    }
    energy = ("energy", np.arange(5.0), {"units": "eV"})
    return xr.DataArray(
        values, dims=("y", "x", "energy"), coords={**place, "energy": energy}, attrs={"units": "1"}
    )


def classes() -> xr.Dataset:
    """Give soft classes of the same places."""
    return clustering.cluster_gaussian_mixture(features(), n_classes=2, outliers=False).classes


def hard() -> xr.Dataset:
    """Give hard classes of the same places, with other numbers."""
    found = clustering.cluster_kmeans(features(), n_classes=3).classes
    return found.assign(label=((found["label"] + 1) % 3).astype(np.int32))


def means() -> xr.DataArray:
    """Give the means of the hard classes."""
    return clustering.class_means(features(), hard())


def pure() -> xr.DataArray:
    """Give the purest spectra."""
    return decomposition.find_endmembers(features(), n_endmembers=2).spectra


def patches() -> xr.DataArray:
    """Give patches of two things in four orientations, a fifth of them without a pixel."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[-4:5, -4:5].astype(float)
    things = [np.exp(-(y**2 + (x - 2) ** 2) / 3), 2 * np.exp(-(y**2 + x**2) / 6)]
    shown = [np.rot90(things[k % 2], k // 2) for k in range(40)]
    values = np.array([one.ravel() for one in shown]) + 0.05 * rng.normal(size=(40, 81))
    values[::5, 40] = np.nan
    offset = {
        f"patch_{name}": ("feature", 0.1 * axis.ravel(), {"units": "nm"})
        for name, axis in (("y", y), ("x", x))
    }
    place = {name: ("site", rng.uniform(0, 5, 40), {"units": "nm"}) for name in ("y", "x")}
    return xr.DataArray(
        values,
        dims=("site", "feature"),
        coords=offset | place,
        attrs={"patch_shape": [9, 9], "units": "1"},
    )


def turned() -> clustering.TurnedMixtureModel:
    """Give a model of these patches."""
    return clustering.cluster_turned_patches(patches(), symmetry="C4", n_classes=2).model


EXAMPLES: dict[str, Callable[[], Example]] = {
    "clustering.fit_kmeans_sweep": lambda: Example((features(),), {"max_classes": 4}),
    "decomposition.choose_n_components": lambda: Example((features(),)),
    "clustering.cluster_hierarchical": lambda: Example((features(),), {"n_classes": 2}),
    "clustering.cluster_density": lambda: Example((features(),)),
    "clustering.cluster_consensus": lambda: Example(
        (features(),), {"n_classes": 2, "n_resamples": 5}
    ),
    "clustering.refine_classes": lambda: Example((classes(),)),
    "clustering.link_classes": lambda: Example((classes(), hard())),
    "clustering.link_classes_by_means": lambda: Example((hard(), means(), means()[::-1])),
    "clustering.image_from_classes": lambda: Example((classes(),)),
    "clustering.cluster_turned_patches": lambda: Example(
        (patches(),), {"symmetry": "C4", "max_classes": 3}
    ),
    "clustering.assign_turned_patches": lambda: Example((patches(), turned())),
    "decomposition.decompose_ica": lambda: Example((features(),), {"n_components": 2}),
    "decomposition.decompose_robust_pca": lambda: Example((features(),), {"n_components": 2}),
    "decomposition.estimate_abundance_intervals": lambda: Example((features(), pure())),
}
