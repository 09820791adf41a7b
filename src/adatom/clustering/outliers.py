"""The few that differ from the many, with a stated share of false ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.groups import counts_by_group
from adatom.schema import FEATURES, Classes, Features, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES: Final = ("usual", "low", "high")
# The quantiles of a normal distribution one sigma below and above its median.
_ONE_SIGMA: Final = (0.158655, 0.841345)
_FEWEST: Final = 20


def find_outliers(features: Features, /, *, false_discovery: float = 0.05) -> Classes:
    """Find the rows whose one feature is unusually low or high.

    For rare defects: dopants darker than their sublattice, vacancies, adatoms.
    A mixture gives them no class of their own if they are few, and k-means
    splits the many instead.

    The many are taken to be normal with their median and, on either side of
    it, the spread that holds a third of all rows; few outliers hardly move
    these. Of the rows farther out than that allows, as many are called
    outliers as keep the expected share of false ones among them at
    `false_discovery` [1]_.

    Parameters
    ----------
    features : Features
        Of one column, such as ``sublattice_deviation`` of
        `find_lattice_sites`. Rows with NaN get the label -1.
    false_discovery : float
        Expected share of rows called outliers that are none. With 0.05, of
        twenty outliers one is by chance; in data without any, one image in
        twenty shows some.

    Returns
    -------
    Classes
        ``label`` 0 (usual), 1 (low), 2 (high), named so in
        ``attrs["class_names"]``; ``p_value``, the chance of a usual row to be
        as far out; ``distance`` from the median in sigmas; ``count`` (class).

    Raises
    ------
    SettingError
        If there is more than one feature, or `false_discovery` is no share.
    TooFewSitesError
        If there are fewer than twenty measured rows.

    References
    ----------
    .. [1] Y. Benjamini and Y. Hochberg, J. R. Stat. Soc. B 57, 289 (1995).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = np.append(rng.normal(1.0, 0.1, 200), [0.2, 0.3])
    >>> found = find_outliers(xr.DataArray(values[:, None], dims=("site", "feature")))
    >>> found["count"].values
    array([200,   2,   0])
    """
    FEATURES.check(features)
    if features.shape[-1] != 1:
        msg = f"features have {features.shape[-1]} columns, outliers are found in one: give one"
        raise SettingError(msg)
    if not 0 < false_discovery < 1:
        msg = f"{false_discovery=} is a share: give more than 0, less than 1"
        raise SettingError(msg)
    values = np.asarray(features.values, dtype=np.float64)[..., 0]
    known = np.isfinite(values)
    if known.sum() < _FEWEST:
        msg = f"{known.sum()} measured rows, {_FEWEST} are needed to say what is usual"
        raise TooFewSitesError(msg)
    score, sides = _scores(values[known])
    chance = _chance(score)
    out = chance <= _threshold(chance, false_discovery)
    labels = np.full(values.shape, -1, dtype=np.int32)
    labels[known] = np.where(out, np.where(score < 0, 1, 2), 0)
    return _classes(features, labels, known, np.abs(score), chance, sides)


def _scores(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
    """Give how many sigmas each value is from the median; the median and both sigmas."""
    middle = float(np.median(values))
    low, high = np.quantile(values, _ONE_SIGMA)
    least = np.finfo(np.float64).tiny
    below, above = max(middle - low, least), max(high - middle, least)
    away = values - middle
    return away / np.where(away < 0, below, above), (middle, float(below), float(above))


def _chance(score: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import erfc

    chance: NDArray[np.float64] = erfc(np.abs(score) / np.sqrt(2))
    return chance


def _threshold(chance: NDArray[np.float64], false_discovery: float) -> float:
    ordered = np.sort(chance)
    passed = ordered <= false_discovery * np.arange(1, len(ordered) + 1) / len(ordered)
    return float(ordered[passed].max()) if passed.any() else -1.0


def _classes(
    features: Features,
    labels: NDArray[np.int32],
    known: NDArray[np.bool_],
    distance: NDArray[np.float64],
    chance: NDArray[np.float64],
    sides: tuple[float, float, float],
) -> Classes:
    places = features.dims[:-1]
    filled = {}
    for name, values in (("distance", distance), ("p_value", chance)):
        full = np.full(labels.shape, np.nan)
        full[known] = values
        filled[name] = (places, full, {"units": "1"})
    classes = xr.Dataset(
        {"label": (places, labels), **filled},
        coords={
            name: coord for name, coord in features.coords.items() if set(coord.dims) <= set(places)
        },
        attrs={key: features.attrs[key] for key in ("spacing", "extent") if key in features.attrs},
    ).assign_coords({"class": np.arange(len(NAMES))})
    counts = counts_by_group(labels.ravel(), n_groups=len(NAMES))
    classes["count"] = ("class", counts)
    classes.attrs["n_classes"] = len(NAMES)
    classes.attrs["class_names"] = list(NAMES)
    middle, below, above = sides
    add_note(
        classes,
        f"Usual is {middle:.4g}, one sigma is {below:.3g} below and {above:.3g} above; "
        f"{counts[1]} rows are lower and {counts[2]} higher than that explains.",
    )
    return classes
