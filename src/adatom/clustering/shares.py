"""How large the share of every class is, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.intervals import wilson_interval
from adatom.schema import CLASSES, FEATURES, Classes, Features, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST: Final = 1e-12


def estimate_shares(
    classes: Classes, features: Features | None = None, /, *, confidence: float = 0.95
) -> Table:
    """Estimate the share of every class, with an interval that knows of overlap.

    Where classes overlap, to count labels is wrong: more members of a large
    class fall on the side of a small one than the other way. With soft classes
    the share is the mean probability instead, and its interval is wider
    than that of as many sites of known class, by what overlap hides [1]_.

    Parameters
    ----------
    classes : Classes
        With ``probability`` as of `cluster_gaussian_mixture`; labels are taken
        as certain where there is none.
    features : Features, optional
        Of the same places, in one column: adds the mean and the standard
        deviation of every class.
    confidence : float
        Of the intervals: 0.95 is custom.

    Returns
    -------
    Table
        A row a class: ``class``, ``count`` of labels, ``share``,
        ``share_low``, ``share_high``; with `features` also ``mean`` and
        ``spread``, each place weighted by its probability. The interval
        is that of chance, for places that are independent and a mixture whose
        classes are right; neighbors that influence one another
        make it too narrow.

    Raises
    ------
    KindError
        If `features` are of other places or have several columns.
    SettingError
        If `confidence` is not between 0 and 1.

    References
    ----------
    .. [1] T. A. Louis, J. R. Stat. Soc. B 44, 226 (1982).

    Examples
    --------
    >>> import xarray as xr
    >>> table = estimate_shares(xr.Dataset({"label": ("site", [0] * 75 + [1] * 25)}))
    >>> table["share"].values, table["share_low"].values.round(2)
    (array([0.75, 0.25]), array([0.66, 0.18]))
    """
    CLASSES.check(classes)
    if not 0 < confidence < 1:
        msg = f"{confidence=} must lie between 0 and 1"
        raise SettingError(msg)
    labels = np.asarray(classes["label"].values).ravel()
    probability = _probabilities(classes, labels)
    known = np.isfinite(probability).all(axis=1) & (labels >= 0)
    probability = probability[known]
    n_classes = probability.shape[1]
    shares = probability.mean(axis=0) if known.any() else np.full(n_classes, np.nan)
    low, high = _interval(shares, _errors(probability, shares), len(probability), confidence)
    counts = np.bincount(labels[known], minlength=n_classes)
    columns: dict[str, Any] = {"class": np.arange(n_classes), "count": counts, "share": shares}
    columns |= {"share_low": low, "share_high": high}
    units = dict.fromkeys(("share", "share_low", "share_high"), "1")
    if features is not None:
        values = _single_column(features, classes).ravel()[known]
        columns |= _moments(values, probability)
        units |= dict.fromkeys(("mean", "spread"), str(features.attrs.get("units", "1")))
    table = table_from_columns(columns, units=units)
    n_left = int((~known).sum())
    left = f"; {n_left} places without a class are left out" if n_left else ""
    add_note(table, f"{known.sum()} places, intervals of {confidence:.0%}{left}.")
    return table


def _probabilities(classes: Classes, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    if "probability" in classes:
        given = np.asarray(classes["probability"].values, dtype=np.float64)
        return given.reshape(-1, given.shape[-1])
    n_classes = max(int(labels.max(initial=-1)) + 1, int(classes.attrs.get("n_classes", 0)))
    members: NDArray[np.float64] = (labels[:, None] == np.arange(n_classes)).astype(np.float64)
    return members


def _errors(probability: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give standard errors from the observed information of the shares, which sum to one."""
    some = np.flatnonzero(shares > _LEAST)
    errors = np.zeros(len(shares))
    if len(some) < 2:
        return errors
    ratio = probability[:, some] / shares[some]
    scores = ratio[:, :-1] - ratio[:, -1:]
    covariance = np.linalg.pinv(scores.T @ scores)
    errors[some[:-1]] = np.sqrt(np.maximum(np.diag(covariance), 0))
    errors[some[-1]] = np.sqrt(max(float(covariance.sum()), 0.0))
    return errors


def _interval(
    shares: NDArray[np.float64], errors: NDArray[np.float64], n: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give Wilson's interval, for as many places of known class as would have these errors."""
    from scipy.special import ndtri

    z = float(ndtri(0.5 + confidence / 2))
    certain = shares * (1 - shares) / np.where(errors > 0, errors, 1) ** 2
    number = np.where(errors > 0, np.minimum(certain, n), max(n, 1))
    return wilson_interval(shares, number, deviations=z)


def _single_column(features: Features, classes: Classes) -> NDArray[np.float64]:
    FEATURES.check(features)
    if features.shape != (*classes["label"].shape, 1):
        msg = (
            f"features have shape {features.shape}, need {(*classes['label'].shape, 1)}: one "
            "column on the places of the classes"
        )
        raise KindError(msg)
    return np.asarray(features.values, dtype=np.float64)


def _moments(
    values: NDArray[np.float64], probability: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    weight = np.where(np.isfinite(values)[:, None], probability, 0.0)
    total = weight.sum(axis=0)
    filled = np.nan_to_num(values)
    divisor = np.where(total > _LEAST, total, np.nan)
    mean = filled @ weight / divisor
    variance = ((filled[:, None] - mean) ** 2 * weight).sum(axis=0) / divisor
    return {"mean": mean, "spread": np.sqrt(variance)}
