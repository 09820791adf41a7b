"""Phase fractions, with intervals that know how few domains there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from adatom.crystallography._placed import PlacedClasses, placed_classes
from adatom.crystallography.regions import cell_areas
from adatom.errors import SettingError
from adatom.numerics.intervals import wilson_interval
from adatom.schema import CLASSES, Classes, Sites, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pairs farther apart than those that make half of all tell nothing that the mean has not
# taken away: their products sum to minus those of the near ones.
_MOST_PAIRS: Final = 0.5
# Below this many independent domains no interval is worth much.
_FEW: Final = 5.0
_LEAST: Final = 1e-12


@dataclass(frozen=True)
class _Mean:
    """Mean share of a class, its variance, and the degrees of freedom of that variance."""

    share: float
    variance: float
    freedom: float


def estimate_fractions(
    classes: Classes,
    sites: Sites | None = None,
    /,
    *,
    by: Literal["area", "sites"] = "area",
    confidence: float = 0.95,
) -> Table:
    """Estimate the fraction of every class in the material, of which a field was seen.

    Domains are few, and all sites of one say the same: an interval that takes sites
    as independent is far too narrow. Here the variance of the mean is the sum of
    the covariances of all pairs of sites [1]_, measured as a function of
    their distance up to where it first falls to zero, and freed of what the
    subtracted mean takes from it. Independent labels get the interval
    of independent labels.

    Parameters
    ----------
    classes : Classes
        Of the sites of one frame, or of the pixels or windows of a map; with
        ``probability`` the mean probability is the fraction.
    sites : Sites, optional
        Where the classes are, if they do not say so themselves.
    by : {"area", "sites"}
        Whether a site counts by the area of its cell, or all alike.
        Phases of different density differ in both.
    confidence : float
        Of the intervals: 0.95 is custom.

    Returns
    -------
    Table
        A row a class: ``class``, ``count`` of sites, ``fraction``,
        ``fraction_error``, ``fraction_low`` and ``fraction_high``, and
        ``n_effective``, the number of independent places that would tell as
        much. In 600 random patterns of domains, of 30 to 200 independent ones, and
        of independent labels, 94 to 97 in 100 intervals of 95 % held the true
        fraction; those of regular stripes are too wide, since that their
        order evens out the fraction is not made use of. A class that
        covers everything has no error: nothing tells how large its domains are.

    Raises
    ------
    KindError
        If the classes do not say where they are, or are of several frames.
    TooFewSitesError
        If fewer than three sites have a class, or all lie on a line.
    SettingError
        If `confidence` is not between 0 and 1, or `by` is not known.

    References
    ----------
    .. [1] G. Matheron, The Theory of Regionalized Variables and Its Applications (1971), ch. 2.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> labels = np.random.default_rng(0).integers(0, 2, (40, 40))
    >>> axis = {"units": "nm"}
    >>> places = {dim: (dim, np.arange(40.0), axis) for dim in ("y", "x")}
    >>> table = estimate_fractions(xr.Dataset({"label": (("y", "x"), labels)}, coords=places))
    >>> table["fraction"].values.round(2), table["fraction_error"].values.round(3)
    (array([0.48, 0.52]), array([0.012, 0.012]))
    """
    CLASSES.check(classes)
    if not 0 < confidence < 1:
        msg = f"{confidence=} must lie between 0 and 1"
        raise SettingError(msg)
    if by not in {"area", "sites"}:
        msg = f"{by=} is not known: use 'area' or 'sites'"
        raise SettingError(msg)
    placed = placed_classes(classes, sites)
    weights = cell_areas(placed) if by == "area" else np.ones(len(placed.labels))
    means = _means(placed, weights)
    table = _table(placed, means, confidence)
    _tell(placed, table, classes["label"].size, by)
    return table


def _means(placed: PlacedClasses, weights: NDArray[np.float64]) -> list[_Mean]:
    weights = weights / weights.mean()
    grid = _Grid.of(placed, weights)
    means = []
    for k in range(placed.n_classes):
        share = placed.share[:, k]
        mean = float(weights @ share / weights.sum())
        spatial, freedom = grid.variance(weights * (share - mean))
        # Of labels that are not certain, by what each is uncertain.
        doubt = float((weights**2) @ (share * (1 - share))) / float(weights.sum()) ** 2
        least = mean * (1 - mean) * float((weights**2).sum()) / float(weights.sum()) ** 2
        means.append(_Mean(mean, max(spatial + doubt, least), freedom))
    return means


@dataclass(frozen=True)
class _Grid:
    """Places in bins of one spacing, whose pairs are counted by Fourier transforms."""

    cell: NDArray[np.int64]
    shape: tuple[int, int]
    lag: NDArray[np.int64]
    pairs: NDArray[np.float64]

    @classmethod
    def of(cls, placed: PlacedClasses, weights: NDArray[np.float64]) -> _Grid:
        points = placed.mesh.points
        place = np.floor((points - points.min(axis=0)) / placed.mesh.spacing + 1e-6).astype(int)
        rows, columns = (place.max(axis=0) + 1).tolist()
        lags = [np.fft.fftfreq(2 * n, 1 / (2 * n)) for n in (rows, columns)]
        lag = np.rint(np.hypot(lags[0][:, None], lags[1][None])).astype(np.int64).ravel()
        grid = cls(place[:, 0] * columns + place[:, 1], (rows, columns), lag, np.zeros(0))
        return cls(grid.cell, grid.shape, lag, grid.sums(weights))

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum products of values over all pairs of each distance, in spacings."""
        rows, columns = self.shape
        binned = np.bincount(self.cell, values, rows * columns).reshape(rows, columns)
        spectrum = np.abs(np.fft.rfft2(binned, s=(2 * rows, 2 * columns))) ** 2
        products = np.fft.irfft2(spectrum, s=(2 * rows, 2 * columns))
        return np.asarray(np.bincount(self.lag, products.ravel()))

    def variance(self, deviations: NDArray[np.float64]) -> tuple[float, float]:
        """Give the variance of a mean of weights of 1, and its degrees of freedom.

        With covariances C(h) and n(h) pairs the products about the mean have
        the expectation n(h) (C(h) - V), V the variance of the mean: summed
        up to where C(h) is zero that is V (N^2 - sum of n).
        """
        products = self.sums(deviations)
        total = float(self.pairs.sum())
        below = np.cumsum(self.pairs) / total
        variance = np.cumsum(products) / total / np.maximum(1 - below, _LEAST)
        covariance = products / np.maximum(self.pairs, _LEAST * total)
        last = max(1, int(np.searchsorted(below, _MOST_PAIRS)))
        # What as many products of independent values would scatter by is zero too.
        noise = np.sqrt(2 / np.maximum(self.pairs, 1.0)) * float(deviations @ deviations)
        noise /= len(deviations)
        gone = covariance[1:last] + variance[: last - 1] <= noise[1:last]
        reach = int(gone.argmax()) if gone.any() else last - 1
        return max(float(variance[reach]), 0.0), 2 / float(below[reach])


def _table(placed: PlacedClasses, means: list[_Mean], confidence: float) -> Table:
    from scipy.stats import t as student

    share = np.array([mean.share for mean in means])
    variance = np.array([mean.variance for mean in means])
    freedom = np.array([mean.freedom for mean in means])
    known = variance > _LEAST
    number = np.where(known, share * (1 - share) / np.where(known, variance, 1.0), np.nan)
    deviations = student.ppf(0.5 + confidence / 2, freedom)
    low, high = wilson_interval(share, number, deviations=deviations)
    columns = {
        "class": np.arange(len(means)),
        "count": np.bincount(placed.labels, minlength=len(means)),
        "fraction": share,
        "fraction_error": np.where(known, np.sqrt(variance), np.nan),
        "fraction_low": low,
        "fraction_high": high,
        "n_effective": number,
    }
    names = ("fraction", "fraction_error", "fraction_low", "fraction_high")
    return table_from_columns(columns, units=dict.fromkeys(names, "1"))


def _tell(placed: PlacedClasses, table: Table, n_all: int, by: str) -> None:
    what = "pixels" if placed.is_map else "sites"
    number = table["n_effective"].values
    fewest = float(np.nanmin(number)) if np.isfinite(number).any() else float("nan")
    text = f"{len(placed.labels)} {what}, counted by {by}"
    if np.isfinite(fewest):
        text += f", tell as much as {fewest:.3g} independent ones"
    if fewest < _FEW:
        text += ": too few domains for the intervals to mean much"
    if n_all > len(placed.labels):
        text += f"; {n_all - len(placed.labels)} {what} without a class or a place are left out"
    add_note(table, f"{text}.")
