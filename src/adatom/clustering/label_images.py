"""Classes of pixels as an image of their numbers."""

from __future__ import annotations

import numpy as np

from adatom.errors import KindError
from adatom.schema import CLASSES, IMAGE, Classes, Image


def labels_from_classes(classes: Classes, /) -> Image:
    """Give the number of every pixel's class as an image, as an expert would draw it.

    Two ways to the same phases, as by atoms and by windows, have different
    places. `compare_classes` lays either over the label image of the other.

    Parameters
    ----------
    classes : Classes
        On (y, x), as of `classes_from_windows`.

    Returns
    -------
    Image
        float32, NaN where there is no class.

    Raises
    ------
    KindError
        If the classes are not on (y, x).

    Examples
    --------
    >>> import xarray as xr
    >>> place = {"y": ("y", [0.0], {"units": "px"}), "x": ("x", [0.0, 1.0, 2.0], {"units": "px"})}
    >>> map_ = xr.Dataset({"label": (("y", "x"), [[1, 0, -1]])}, coords=place)
    >>> labels_from_classes(map_).values
    array([[ 1.,  0., nan]], dtype=float32)
    """
    CLASSES.check(classes)
    label = classes["label"]
    if label.dims != ("y", "x"):
        msg = (
            f"classes are on {label.dims}, a label image needs (y, x): bring classes of windows to "
            "pixels by classes_from_windows"
        )
        raise KindError(msg)
    image = label.where(label >= 0).astype(np.float32)
    image.name, image.attrs = "class", {"units": "1"}
    IMAGE.check(image)
    return image
