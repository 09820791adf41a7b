"""Small calls of the steps of local crystallography: windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.schema import Image, image_from_array


def _two_lattices() -> Image:
    """Give squares beside stripes, with noise, in nm."""
    y, x = np.mgrid[:96, :96] * (2 * np.pi / 8)
    image = np.where(x < x.mean(), np.cos(y) + np.cos(x), 1.5 * np.cos(y + x))
    image += np.random.default_rng(1).normal(0, 0.2, image.shape)
    return image_from_array(image, pixel_size="0.02 nm")


def _superlattice() -> Image:
    y, x = np.mgrid[:160, :160] * (2 * np.pi / 10)
    image = np.cos(y) + np.cos(x) + np.where(x > x.mean(), np.cos(y / 2) * np.cos(x / 2), 0)
    image += np.random.default_rng(2).normal(0, 0.3, image.shape)
    return image_from_array(image, pixel_size="0.02 nm")


def _scores() -> xr.DataArray:
    rows = np.random.default_rng(3).gamma(2.0, size=(6, 5, 2))
    rows[2, 3] = np.nan
    axes = {n: (n, 1.5 + 2.0 * np.arange(k), {"units": "px"}) for n, k in (("y", 6), ("x", 5))}
    return xr.DataArray(rows, dims=("y", "x", "component"), coords=axes)


def _classes_of_windows() -> Example:
    image = image_from_array(np.arange(168.0).reshape(14, 12))
    label = np.arange(30).reshape(6, 5) % 3 - 1
    classes = xr.Dataset(
        {"label": (("y", "x"), label)}, coords={n: _scores().coords[n] for n in ("y", "x")}
    )
    return Example((classes, image), {})


EXAMPLES: dict[str, Callable[[], Example]] = {
    "descriptors.window_quantiles": lambda: Example((_two_lattices(),), {"size": "0.64 nm"}),
    "descriptors.window_projections": lambda: Example(
        (_two_lattices(),), {"size": "0.48 nm", "n_angles": 12}
    ),
    "descriptors.window_moments": lambda: Example((_two_lattices(),), {"size": "0.48 nm"}),
    "descriptors.estimate_superlattice": lambda: Example((_superlattice(),), {}),
    "descriptors.features_from_files": lambda: Example(([_scores(), _scores() + 1.0],), {}),
    "descriptors.features_from_parts": lambda: Example((_scores(), 3.0 * _scores() ** 2), {}),
    "clustering.classes_from_scores": lambda: Example((_scores(),), {}),
    "clustering.classes_from_windows": _classes_of_windows,
    "clustering.labels_from_classes": lambda: Example((_classes_of_windows().data[0],), {}),
    "pipelines.choose_window_size": lambda: Example(
        (_two_lattices(),), {"smallest": "0.32 nm", "largest": "0.7 nm"}
    ),
}
