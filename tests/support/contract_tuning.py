"""Small calls of the steps for labels, patches and their classifiers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example
from small_classifiers import center_classifier

from adatom.descriptors import site_patches
from adatom.networks import PatchTraining
from adatom.schema import image_from_array, sites_from_positions


def _image() -> xr.DataArray:
    """Give rows of spots, every other one of which is dark."""
    y, x = np.mgrid[:48, :48]
    spots = np.cos(np.pi * (y - 8) / 8) * np.cos(np.pi * (x - 8) / 8)
    noise = np.random.default_rng(2).normal(size=spots.shape)
    return image_from_array(spots + 0.05 * noise, pixel_size="0.02 nm")


def _sites() -> xr.Dataset:
    row, column = (k.ravel() for k in np.meshgrid(*[np.arange(8, 48, 8)] * 2, indexing="ij"))
    sites = sites_from_positions(
        0.02 * row, 0.02 * column, unit="nm", spacing=0.16, extent=[0, 0.94, 0, 0.94]
    )
    return sites.assign({"class": ("site", np.where((row + column) % 16 == 0, "light", "deep"))})


def _drawn() -> xr.DataArray:
    values = np.zeros((12, 12), np.uint8)
    values[2:4, 2:5], values[7:9, 8:10], values[0, 11] = 1, 2, 1
    return image_from_array(values, pixel_size="0.1 nm")


def _classes() -> xr.Dataset:
    place = {name: (name, 0.04 + 0.16 * np.arange(6), {"units": "nm"}) for name in ("y", "x")}
    labels = np.indices((6, 6)).sum(axis=0) // 6
    return xr.Dataset({"label": (("y", "x"), labels)}, coords=place)


EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.sites_from_labels": lambda: Example((_drawn(),), {"classes": ["Se", "vacancy"]}),
    "localization.assign_labels": lambda: Example(
        (_sites().drop_vars("class"), _sites().isel(site=slice(4))), {"others": "usual"}
    ),
    "descriptors.window_patches": lambda: Example(
        (_image(), _sites()), {"size": "1.5 d", "step": "0.5 d"}
    ),
    "correction.mask_from_classes": lambda: Example((_classes(), _image()), {"keep": ["0"]}),
    "clustering.predict_classes": lambda: Example(
        (site_patches(_image(), _sites(), size="2 d"), center_classifier())
    ),
    "networks.train_patch_classifier": lambda: Example(
        (site_patches(_image(), _sites(), size="2 d"), _sites()),
        {"training": PatchTraining(n_steps=2, batch_size=8, width=2)},
    ),
}
