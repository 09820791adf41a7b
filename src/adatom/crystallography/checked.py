"""What is asked of sites before they are analyzed: positions, frames, position errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adatom.errors import KindError
from adatom.schema import Sites, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray


def finite_positions(sites: Sites, /) -> NDArray[np.float64]:
    """Give the positions (site, 2), axis y, x.

    Raises
    ------
    KindError
        If some are not finite.
    """
    place = positions(sites)
    if n_bad := int((~np.isfinite(place).all(axis=1)).sum()):
        msg = f"{n_bad} of {len(place)} sites have no finite position: leave them out"
        raise KindError(msg)
    return place


def numbers_of_frames(sites: Sites, /) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the frame of every site, 0 where there are none, and the frames that there are."""
    if "frame" not in sites.coords:
        return np.zeros(sites.sizes["site"], dtype=np.int64), np.zeros(1, dtype=np.int64)
    frame = sites.coords["frame"].values.astype(np.int64)
    return frame, np.unique(frame)


def position_errors(sites: Sites, /) -> NDArray[np.float64] | None:
    """Give the standard deviations (site, 2) of positions, axis y, x; nothing where not known."""
    if {"y_error", "x_error"} <= set(sites.variables):
        return np.stack([sites["y_error"].values, sites["x_error"].values], axis=1).astype(float)
    if "covariance" in sites and sites["covariance"].dims == ("site", "axis", "axis_other"):
        variance = np.diagonal(sites["covariance"].values.astype(float), axis1=1, axis2=2)
        return np.sqrt(np.where(variance >= 0, variance, np.nan))
    return None
