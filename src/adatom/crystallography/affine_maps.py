"""The affine maps of all sites, with the covariance that shared neighbors give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.crystallography.neighborhoods import maps_of_neighbors, sites_around, steps_between

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.neighborhoods import AffineFits, Neighborhood

# Means over two shells of so many sites know of some 40 places each: 100 MB at a time.
_BLOCK: Final = 100_000


class AffineMaps(NamedTuple):
    """The map (site, 2, 2) from the slots of a star to the neighbors of each site, y before x.

    `covariance` (site, 4, 4) is that of the map's elements yy, yx, xy, xx.
    """

    matrix: NDArray[np.float64]
    covariance: NDArray[np.float64]


def affine_maps(
    places: NDArray[np.float64],
    around: Neighborhood,
    fits: AffineFits,
    noise: NDArray[np.float64],
    /,
    *,
    n_shells: int = 0,
) -> AffineMaps:
    """Fit the maps of all sites; means of them know of the positions that they share."""
    parts = maps_of_neighbors(around, fits)
    steps = steps_between(around) if n_shells else None
    # Weights sum to zero: large common coordinates would only cost digits.
    centered = places - places.mean(axis=0)
    matrix = np.empty((len(places), 2, 2))
    covariance = np.empty((len(places), 2, 2, 2, 2))
    for start in range(0, len(places), _BLOCK):
        here = slice(start, start + _BLOCK)
        if steps is None:
            mine = [part[here] for part in parts]
        else:
            mean = sites_around(steps, fits.known, n_shells, here)
            mine = [mean @ part for part in parts]
        for b in (0, 1):
            matrix[here, :, b] = mine[b] @ centered
            for d in range(b, 2):
                shared = mine[b].multiply(mine[d]).tocsr()
                found = (shared @ noise.reshape(-1, 4)).reshape(-1, 2, 2)
                covariance[here, :, b, :, d] = covariance[here, :, d, :, b] = found
    matrix[~fits.known] = np.nan
    covariance[~fits.known] = np.nan
    return AffineMaps(matrix, covariance.reshape(-1, 4, 4))


def errors_of(maps: AffineMaps, slope: NDArray[np.float64], /) -> NDArray[np.float64]:
    """Give the standard deviations (site, quantity) of what changes by `slope` with the maps.

    Parameters
    ----------
    slope : ndarray, shape (site, quantity, 4)
        Derivatives by the elements yy, yx, xy, xx of the map.
    """
    variance = ((slope @ maps.covariance) * slope).sum(axis=2)
    errors: NDArray[np.float64] = np.sqrt(np.maximum(variance, 0.0))
    return errors
