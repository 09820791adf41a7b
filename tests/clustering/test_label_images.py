"""Classes of pixels serve as the label image that other classes are compared with."""

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import compare_classes, labels_from_classes
from adatom.errors import KindError
from adatom.schema import image_from_array


def _halves() -> xr.Dataset:
    place = image_from_array(np.zeros((4, 6))).coords
    label = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)
    label[0, 0] = -1
    return xr.Dataset({"label": (("y", "x"), label)}, coords=place)


def test_sites_are_laid_over_the_classes_of_pixels() -> None:
    sites = xr.Dataset(
        {"label": ("site", [5, 5, 2, 2])},
        coords={
            "y": ("site", [0.0, 1.0, 2.0, 3.0], {"units": "px"}),
            "x": ("site", [0.0, 2.0, 3.0, 5.0], {"units": "px"}),
        },
    )
    found = compare_classes(sites, labels_from_classes(_halves()))
    # The first lies on the pixel without a class, the others agree after matching.
    assert found.agreement["label"].values.tolist() == [-1, 1, 1, 1]


def test_classes_of_sites_are_refused_with_the_way_to_pixels() -> None:
    with pytest.raises(KindError, match="classes_from_windows"):
        labels_from_classes(xr.Dataset({"label": ("site", [0, 1])}))
