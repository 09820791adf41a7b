"""k-means of every number of classes, in the passes of one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from adatom.clustering.models import KMeansModel
from adatom.clustering.partitions import best_partitions
from adatom.errors import SettingError
from adatom.schema import FEATURES, Features, Table, table_from_columns


class KMeansSweep(NamedTuple):
    """The best partition of every number of classes."""

    models: tuple[KMeansModel, ...]
    """By rising number of classes."""
    summary: Table
    """One row a model: ``n_classes``, ``inertia``, ``n_passes``, ``converged``."""


def fit_kmeans_sweep(
    features: Features,
    /,
    *,
    min_classes: int = 2,
    max_classes: int = 10,
    n_starts: int = 10,
    seed: int = 0,
) -> KMeansSweep:
    """Find the means of classes by k-means for every number of classes at once.

    Each model is found as by `fit_kmeans`, to which it agrees but for the
    luck of the starts. The features are read as often as for one number,
    since all share every pass: once for the principal components, once for
    the scores in which starts compete, and then, of spectra, some three
    times for the last passes in all channels.

    Parameters
    ----------
    features : Features
        See `fit_kmeans`.
    min_classes, max_classes : int
        The numbers of classes, both ends included. Ten colors are about
        what a map can show.
    n_starts : int
        Starts for each number; see `fit_kmeans`.
    seed : int
        See `fit_kmeans`.

    Returns
    -------
    KMeansSweep
        ``models`` by rising number of classes, and a ``summary``. For the
        map of one of them give it to `assign_classes`.

    Raises
    ------
    TooFewSitesError
        If there are fewer measured rows than classes.
    SettingError
        If a setting is out of range, or there are fewer distinct rows than
        classes.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[0.0], [0.1], [5.0], [9.0]], dims=("site", "feature"))
    >>> sweep = fit_kmeans_sweep(rows, max_classes=3)
    >>> sweep.summary["inertia"].values.round(3).tolist()
    [8.005, 0.005]
    >>> sweep.models[1].means.ravel()
    array([0.05, 5.  , 9.  ])
    """
    FEATURES.check(features)
    if not 1 <= min_classes <= max_classes:
        msg = f"{min_classes=} must be 1 or more and no more than {max_classes=}"
        raise SettingError(msg)
    if n_starts < 1:
        msg = f"{n_starts=} must be 1 or more"
        raise SettingError(msg)
    numbers = range(min_classes, max_classes + 1)
    models = best_partitions(features, numbers, n_starts=n_starts, seed=seed)
    summary = table_from_columns(
        {
            "n_classes": np.array(numbers),
            "inertia": np.array([model.inertia for model in models]),
            "n_passes": np.array([model.n_passes for model in models]),
            "converged": np.array([model.converged for model in models]),
        }
    )
    return KMeansSweep(tuple(models), summary)
