"""Sites that were found against those that are known to be there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.matching import match_points
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import SITES, Sites, Table, positions, space_unit, table_from_columns
from adatom.units import Length, length_from_setting

# 95 % of a two-dimensional Gaussian lies within this squared distance, in
# units of its covariance: -2 log(0.05).
_SQUARED_RADIUS_OF_95 = 5.991464547107979


class SiteComparison(NamedTuple):
    """What was found against what is there.

    Attributes
    ----------
    scores : Table
        One row: counts, ``precision``, ``recall``, ``f1``, ``rmse`` (of the
        distance) and ``rmse_y``, ``rmse_x``, ``bias_y``, ``bias_x`` of the
        matched sites, and ``coverage_95``, the share of them whose true
        position lies in the 95 % region of the stated covariance.
    matched : Sites
        Found sites with a true one, which stands in ``true_position (site,
        axis)``; ``distance (site)`` apart.
    missed : Sites
        True sites that were not found.
    false : Sites
        Found sites where there is none.
    """

    scores: Table
    matched: Sites
    missed: Sites
    false: Sites


def compare_sites(
    found: Sites,
    truth: Sites,
    /,
    *,
    max_distance: Length = "0.5 d",
    edge: Length = "0.5 d",
) -> SiteComparison:
    """Compare found sites with true ones.

    All sites are matched first, exclusively and with the least sum of squared
    distances; then those nearer than `edge` to the frame's edge are ignored
    on both sides, so that an atom on the margin is neither missed nor false
    because its partner lies just beyond it. Likewise true sites that are
    known to be hidden (``visible`` is False, as under the contamination of a
    simulated image) and what was matched to them are ignored.

    Parameters
    ----------
    found, truth : Sites
        In the same unit; with ``frame``, sites are matched within each frame.
        ``visible (site)`` of the truth is taken for True if it is left out.
    max_distance : length
        Pairs farther apart are not matched. d is the spacing of the true
        sites; half of it, since beyond that the next atom is nearer.
    edge : length
        Margin in which sites are ignored; "0 px" to count all.

    Returns
    -------
    SiteComparison

    Raises
    ------
    KindError
        If the units differ, or neither side says where the frame ends.
    TooFewSitesError
        If there are no true sites to compare with.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> truth = sites_from_positions([2.0, 2.0], [2.0, 6.0], unit="px", extent=[0, 9, 0, 9])
    >>> found = sites_from_positions([2.5, 7.0], [2.0, 7.0], unit="px")
    >>> compare = compare_sites(found, truth, edge="1 px")
    >>> float(compare.scores["recall"][0]), compare.missed.x.values
    (0.5, array([6.]))
    """
    SITES.check(found, name="found")
    SITES.check(truth, name="truth")
    unit = space_unit(truth)
    if space_unit(found) != unit:
        msg = (
            f"found sites are in {space_unit(found)}, true ones in {unit}: give the image the "
            "pixel_size in which the truth is known"
        )
        raise KindError(msg)
    if not truth.sizes["site"]:
        msg = "truth holds no sites: there is nothing to compare with"
        raise TooFewSitesError(msg)
    spacing = float(truth.attrs.get("spacing", pooled_spacing(positions(truth))))
    reach = _length(max_distance, "max_distance", unit, spacing)
    margin = _length(edge, "edge", unit, spacing)
    match = match_points(
        _by_frame(found, reach), _by_frame(truth, reach), max_distance=max(reach, 0.0)
    )
    counted_found, counted_truth = _away_from_edge(found, truth, margin)
    if "visible" in truth:
        counted_truth &= truth["visible"].values.astype(bool)
    paired = counted_found[match.left] & counted_truth[match.right]
    left, right = match.left[paired], match.right[paired]
    matched = found.isel(site=left).assign(
        true_position=(("site", "axis"), positions(truth)[right], {"units": unit}),
        distance=("site", match.distance[paired], {"units": unit}),
    )
    alone_found, alone_truth = counted_found.copy(), counted_truth.copy()
    # A pair of which one half is in the margin or hidden is ignored as a whole.
    alone_found[match.left], alone_truth[match.right] = False, False
    missed = truth.isel(site=np.flatnonzero(alone_truth))
    false = found.isel(site=np.flatnonzero(alone_found))
    return SiteComparison(_scores(matched, missed, false, unit), matched, missed, false)


def _length(setting: Length, name: str, unit: str, spacing: float) -> float:
    length = length_from_setting(
        setting, unit=unit, spacing=None if np.isnan(spacing) else spacing, name=name
    )
    if length < 0:
        msg = f"{name}={setting!r} must not be negative"
        raise SettingError(msg)
    return length


def _by_frame(sites: Sites, reach: float) -> NDArray[np.float64]:
    """Give positions with frames set apart farther than any pair may reach."""
    frame = (
        sites.coords["frame"].values if "frame" in sites.coords else np.zeros(sites.sizes["site"])
    )
    return np.column_stack([positions(sites), frame * (2 * reach + 1.0)])


def _away_from_edge(
    found: Sites, truth: Sites, margin: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if margin == 0:
        return np.ones(found.sizes["site"], bool), np.ones(truth.sizes["site"], bool)
    frame = truth.attrs.get("extent", found.attrs.get("extent"))
    if frame is None:
        msg = (
            "neither found nor true sites carry attrs['extent'], so that the margin of the frame "
            'is not known: set it to [y_min, y_max, x_min, x_max], or count all with edge="0 px"'
        )
        raise KindError(msg)
    low = np.array([frame[0], frame[2]]) + margin
    high = np.array([frame[1], frame[3]]) - margin

    def inside(sites: Sites) -> NDArray[np.bool_]:
        place = positions(sites)
        return np.asarray(((place >= low) & (place <= high)).all(axis=1), dtype=np.bool_)

    return inside(found), inside(truth)


def _scores(matched: Sites, missed: Sites, false: Sites, unit: str) -> Table:
    hits, misses, wrong = (sites.sizes["site"] for sites in (matched, missed, false))
    error = positions(matched) - matched["true_position"].values
    nothing = np.full(2, np.nan)
    bias = error.mean(axis=0) if hits else nothing
    rmse = np.sqrt((error**2).mean(axis=0)) if hits else nothing
    columns = {
        "n_true": hits + misses,
        "n_found": hits + wrong,
        "n_matched": hits,
        "precision": _share(hits, hits + wrong),
        "recall": _share(hits, hits + misses),
        "f1": _share(2 * hits, 2 * hits + misses + wrong),
        "rmse": float(np.sqrt((rmse**2).sum())),
        "rmse_y": rmse[0],
        "rmse_x": rmse[1],
        "bias_y": bias[0],
        "bias_x": bias[1],
        "coverage_95": _coverage(matched, error),
    }
    lengths = dict.fromkeys(("rmse", "rmse_y", "rmse_x", "bias_y", "bias_x"), unit)
    return table_from_columns({name: [value] for name, value in columns.items()}, units=lengths)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _coverage(matched: xr.Dataset, error: NDArray[np.float64]) -> float:
    """Give the share of errors within the stated 95 % region, of those that state one."""
    if "covariance" not in matched:
        return float("nan")
    covariance = matched["covariance"].values
    stated = np.isfinite(covariance).all(axis=(1, 2))
    stated[stated] = np.linalg.det(covariance[stated]) > 0
    if not stated.any():
        return float("nan")
    scaled = np.linalg.solve(covariance[stated], error[stated][:, :, None])[:, :, 0]
    squared = (error[stated] * scaled).sum(axis=1)
    return float((squared <= _SQUARED_RADIUS_OF_95).mean())
