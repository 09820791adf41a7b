"""Classes added to sites, and those in none left out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.descriptors import add_classes
from adatom.errors import KindError
from adatom.schema import Sites, notes, sites_from_positions


def _sites() -> Sites:
    sites = sites_from_positions(np.arange(4.0), np.zeros(4), unit="nm", frame=[0, 0, 1, 1])
    sites["score"] = ("site", [0.1, 0.2, 0.3, 0.4])
    return sites


def _classes() -> xr.Dataset:
    probability = np.array([[0.9, 0.1], [0.2, 0.2], [0.0, 1.0], [0.6, 0.4]])
    return xr.Dataset(
        {"label": ("site", [0, -1, 1, 0]), "probability": (("site", "class"), probability)},
        attrs={"class_names": ["left", "right"]},
    )


def test_sites_in_no_class_are_left_out_and_counted() -> None:
    added = add_classes(_sites(), _classes())
    assert added["class"].values.tolist() == [0, 1, 0]
    assert added["class"].attrs["names"] == ["left", "right"]
    assert added["score"].values.tolist() == [0.1, 0.3, 0.4]
    assert added["class_probability"].values[1].tolist() == [0.0, 1.0]
    assert notes(added)[-1] == "1 of 4 sites are in no class and left out"
    kept = add_classes(_sites(), _classes(), keep_unclassified=True)
    assert kept["class"].values.tolist() == [0, -1, 1, 0]


def test_orientations_come_along() -> None:
    turned = xr.Dataset(
        {
            "label": ("site", [2, 0, -1, 1]),
            "angle": ("site", [240.0, 0.0, np.nan, 120.0], {"units": "deg"}),
        }
    )
    added = add_classes(_sites(), _classes(), turned)
    assert added["orientation"].values.tolist() == [2, -1, 1]
    assert added["angle"].attrs["units"] == "deg"
    assert added["angle"].values[[0, 2]].tolist() == [240.0, 120.0]


def test_classes_of_other_sites_are_refused() -> None:
    with pytest.raises(KindError, match="4 sites, but classes of shape"):
        add_classes(_sites(), _classes().isel(site=slice(3)))
    with pytest.raises(KindError, match="orientations"):
        add_classes(_sites(), _classes(), _classes().isel(site=slice(3)))
