"""How good a network is at what it is for: finding sites, and none where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.networks.pictures import LabeledPicture, padded
from adatom.numerics.heatmaps import STRIDE, positions_from_maps
from adatom.numerics.matching import match_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.networks.training import Predict

# Sites of a lower score are not looked at: nobody would ask for them.
_LEAST: Final = 0.05
_THRESHOLDS: Final = np.round(np.arange(0.1, 0.91, 0.05), 2)
# A site is found within half of the distance to its neighbor, as `compare_sites` counts.
_REACH: Final = 0.5
_MARGIN: Final = 0.5
# Where nothing tells how far atoms are apart, in pixels of the picture.
_USUAL_SPACING: Final = 9.0
SNR_EDGES: Final = (0.0, 1.0, 2.0, 4.0, 8.0, np.inf)
"""Classes of noise in which scores are told apart: amplitude over the noise of a pixel."""


class Found(NamedTuple):
    """What was found in one picture, each site judged.

    Attributes
    ----------
    score : ndarray, shape (site,)
    is_right : ndarray of bool, shape (site,)
        Whether a true site is there, of which each counts once.
    error : ndarray, shape (site,)
        Distance to it in spacings; NaN where there is none.
    truth_score : ndarray, shape (true site,)
        Score of what was found there; 0 where nothing was.
    snr : float
        Of the picture.
    has_lattice : bool
        False: everything that is found is false.
    """

    score: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    error: NDArray[np.float64]
    truth_score: NDArray[np.float64]
    snr: float
    has_lattice: bool


@dataclass(frozen=True)
class DetectionScore:
    """Scores a network on labeled pictures by the sites that it finds.

    ``score`` is F1 minus the root-mean-square error of the matched sites in
    units of their spacing. Sites in pictures without a lattice are false and
    so lower F1.

    Attributes
    ----------
    pictures : tuple of LabeledPicture
        Not learned from.
    """

    pictures: tuple[LabeledPicture, ...] = field(repr=False)

    def __call__(self, predict: Predict, /) -> dict[str, float]:
        """Give the scores at the threshold that is best for F1."""
        found = self.look(predict)
        return scores_of_found(found, best_threshold(found))

    def look(self, predict: Predict, /) -> list[Found]:
        """Find sites in every picture and judge each."""
        return [_judged(predict, labeled) for labeled in self.pictures]


def _judged(predict: Predict, labeled: LabeledPicture) -> Found:
    whole = padded(labeled, (0, 0))
    maps = predict(whole.picture[None, None].astype(np.float32))[0]
    place, score = sites_of_maps(maps, least=_LEAST)
    has_lattice = bool(labeled.lattice.any())
    spacing = labeled.spacing if np.isfinite(labeled.spacing) else _USUAL_SPACING
    return _matched(labeled, place, score, spacing, has_lattice)


def sites_of_maps(
    maps: NDArray[np.float32], /, *, least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read sites from the maps of one picture, but for those that lie in no lattice.

    Parameters
    ----------
    maps : ndarray, shape (channel, y, x)
        As the network gives them.
    least : float
        Sites of a lower score are not given.

    Returns
    -------
    position : ndarray, shape (site, 2)
        In pixels of the picture.
    score : ndarray, shape (site,)
    """
    center, lattice = _logistic(maps[0]), _logistic(maps[3])
    sites = positions_from_maps(center, maps[1:3], least=least)
    cell = np.rint((sites.position - 0.5) / STRIDE).astype(int)
    cell = np.clip(cell, 0, np.array(lattice.shape) - 1)
    # Sites in parts that the network itself takes for junk are not given to anybody.
    kept = lattice[cell[:, 0], cell[:, 1]] > 0.5
    return sites.position[kept], sites.score[kept]


def _matched(
    labeled: LabeledPicture,
    place: NDArray[np.float64],
    score: NDArray[np.float64],
    spacing: float,
    has_lattice: bool,
) -> Found:
    """Match all sites, then leave out pairs of which one half lies at the edge or is unsure."""
    match = match_points(place, labeled.position, max_distance=_REACH * spacing)
    counts_found = _is_inside(place, labeled.picture.shape, _MARGIN * spacing)
    counts_true = _is_inside(labeled.position, labeled.picture.shape, _MARGIN * spacing)
    counts_true &= labeled.is_sure
    both = counts_found[match.left] & counts_true[match.right]
    counts_found[match.left], counts_true[match.right] = both, both
    error = np.full(len(place), np.nan)
    error[match.left] = match.distance / spacing
    truth_score = np.zeros(len(labeled.position))
    truth_score[match.right] = score[match.left]
    return Found(
        score=score[counts_found],
        is_right=np.isfinite(error[counts_found]),
        error=error[counts_found],
        truth_score=truth_score[counts_true],
        snr=labeled.snr,
        has_lattice=has_lattice,
    )


def _is_inside(
    place: NDArray[np.float64], shape: tuple[int, ...], margin: float
) -> NDArray[np.bool_]:
    last = np.array(shape) - 1
    return np.asarray(((place >= margin) & (place <= last - margin)).all(axis=1))


def _logistic(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float32)


def best_threshold(found: Sequence[Found], /) -> float:
    """Give the score above which F1 over all pictures is largest; of several the middle one."""
    values = np.array([_f1(found, threshold) for threshold in _THRESHOLDS])
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return float(_THRESHOLDS[best[len(best) // 2]])


def _counts(found: Sequence[Found], threshold: float) -> tuple[int, int, int]:
    """Count true sites that were found, those missed, and false ones."""
    hits = sum(int((one.truth_score >= threshold).sum()) for one in found)
    misses = sum(int((one.truth_score < threshold).sum()) for one in found)
    false = sum(int((~one.is_right & (one.score >= threshold)).sum()) for one in found)
    return hits, misses, false


def _f1(found: Sequence[Found], threshold: float) -> float:
    hits, misses, false = _counts(found, threshold)
    return _share(2 * hits, 2 * hits + misses + false)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def scores_of_found(found: Sequence[Found], threshold: float, /) -> dict[str, float]:
    """Sum up what was found above a threshold.

    Returns
    -------
    dict
        ``score``; ``f1``, ``precision``, ``recall``; ``rmse`` in spacings;
        ``false_per_empty``, sites found in a picture without a lattice, on
        average, if there is such a picture; ``threshold``.
    """
    hits, misses, false = _counts(found, threshold)
    errors = np.concatenate(
        [one.error[one.is_right & (one.score >= threshold)] for one in found] or [np.zeros(0)]
    )
    f1 = _share(2 * hits, 2 * hits + misses + false)
    rmse = float(np.sqrt((errors**2).mean())) if errors.size else _REACH
    empty = [int((one.score >= threshold).sum()) for one in found if not one.has_lattice]
    scores = {
        "score": f1 - rmse,
        "f1": f1,
        "precision": _share(hits, hits + false),
        "recall": _share(hits, hits + misses),
        "rmse": rmse,
        "threshold": threshold,
    }
    return {**scores, "false_per_empty": float(np.mean(empty))} if empty else scores


def strata_of_found(found: Sequence[Found], threshold: float, /) -> tuple[dict[str, Any], ...]:
    """Sum up what was found for each class of noise, those of `SNR_EDGES`."""
    strata = []
    for low, high in pairwise(SNR_EDGES):
        here = [one for one in found if one.has_lattice and low <= one.snr < high]
        if here:
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more"
            scores = scores_of_found(here, threshold)
            kept = {key: round(scores[key], 6) for key in ("f1", "precision", "recall", "rmse")}
            strata.append({"snr": name, "pictures": len(here), **kept})
    return tuple(strata)
