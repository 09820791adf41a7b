"""How good found sites are against the truth of simulated images, pooled over many of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.localization import compare_sites
from adatom.schema import Sites, positions, sites_from_positions

# Errors are told of sites whose ``snr`` and ``clarity`` are at least this.
PRECISE = 8.0


class Counts(NamedTuple):
    """What was found of one image or several.

    Attributes
    ----------
    matched, missed, false : int
        Sites in the margin and hidden ones count neither way.
    errors : ndarray, shape (matched site as clear as `PRECISE`, 2)
        Errors along y and x over the standard deviation of the site's Gaussian.
    """

    matched: int
    missed: int
    false: int
    errors: NDArray[np.float64]

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return _share(2 * self.matched, 2 * self.matched + self.missed + self.false)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return _share(self.matched, self.matched + self.false)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return _share(self.matched, self.matched + self.missed)

    @property
    def relative_rmse(self) -> float:
        """Root mean square of the error along an axis, over the sites' standard deviation."""
        return float(np.sqrt((self.errors**2).mean())) if len(self.errors) else float("nan")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def counts_of_image(found: Sites | None, truth: Sites, /, *, clear: float = 0.0) -> Counts:
    """Compare found sites with the truth of a simulated image.

    Parameters
    ----------
    found : Sites, optional
        None where the finder said that there is no lattice: all is missed.
    truth : Sites
        With ``width``, ``snr``, ``clarity`` and ``visible``.
    clear : float
        True sites whose ``snr`` or ``clarity`` is lower, and what is matched
        to them, count neither way.
    """
    clarity = np.minimum(truth["snr"].values, truth["clarity"].values)
    asked = truth.assign(visible=truth["visible"] & (clarity >= clear))
    if found is None:
        found = sites_from_positions(
            np.zeros(0), np.zeros(0), unit="px", spacing=truth.attrs["spacing"]
        )
    if not truth.sizes["site"]:
        return Counts(0, 0, found.sizes["site"], np.zeros((0, 2)))
    compared = compare_sites(found, asked)
    matched, reference = compared.matched, compared.matched["true_position"].values
    index = cKDTree(positions(truth)).query(reference)[1]
    error = (positions(matched) - reference) / truth["width"].values[index][:, None]
    return Counts(
        matched.sizes["site"],
        compared.missed.sizes["site"],
        compared.false.sizes["site"],
        error[clarity[index] >= PRECISE],
    )


def pooled(counts: Iterable[Counts], /) -> Counts:
    """Add up the counts of several images."""
    several = list(counts)
    return Counts(
        sum(one.matched for one in several),
        sum(one.missed for one in several),
        sum(one.false for one in several),
        np.concatenate([np.zeros((0, 2)), *(one.errors for one in several)]),
    )
