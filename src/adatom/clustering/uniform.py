"""Pixels that are like those around them: domains without the mixed pixels of their borders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import scipy.ndimage
import scipy.stats
import xarray as xr

from adatom.clustering.subspace import moments_for_subspace, scores_in, subspace_of
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.blocks import blocks
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.moments import measured_rows
from adatom.schema import FEATURES, MASK, Features, Mask, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The noise is that of the fifth of all pixels which change least: so few may lie inside domains.
_CALM_SHARE: Final = 0.2
# A covariance of fewer pixels for each component would be too small by chance.
_CALM_FOR_EACH: Final = 10
_C_STEPS: Final = 20
_SAMPLE_PIXELS: Final = 1 << 14
# Slopes below this share of the spread of all are rounding, not noise.
_ROUNDING: Final = 1e-6
_FEWEST: Final = 25
_COMPANY: Final = 6
# With less of a map inside of domains, its pixels are too coarse for what is seen.
_LEAST_SHARE: Final = 0.05


def find_uniform_pixels(features: Features, /, *, false_exclusion: float = 0.01) -> Mask:
    """Find the pixels of a map that differ from their neighbors by noise alone.

    At borders between materials the beam sees both: such pixels are mixtures,
    which lie between the classes, blur them, and may even pass for a class of
    their own. How many classes there are, and what each looks like, is better
    told by the pixels inside of domains; every pixel gets its class afterwards.

    The slope of the features at every pixel (Sobel's, over three pixels [1]_)
    is compared with that of noise. What the noise is, is learnt from the fifth
    of all pixels with the smallest slopes, by their covariance corrected for
    this selection [2]_: nothing need be known of it, and it may be correlated
    among features. Lone pixels amid a border, whose slope is small by chance,
    are left out as well. A map without borders keeps all of its pixels but
    about `false_exclusion`.

    Parameters
    ----------
    features : Features
        On (y, x): a spectral map, or better the scores of its principal
        components. Of many features the principal components above the noise
        are looked at; those of all pixels stand in memory.
    false_exclusion : float
        Share of pixels inside of domains that are left out by chance. With
        more borders lose their last mixed pixels, and small domains theirs.

    Returns
    -------
    Mask
        True inside of domains; False at borders and where a pixel or one of
        its neighbors is not measured. ``attrs["share"]`` of all pixels. Where
        hardly a pixel is like those around it (less than a twentieth, or fewer
        than 25), as on atoms two pixels wide or in small maps, there are no
        domains, and a note says that all measured pixels are kept.

    Raises
    ------
    KindError
        If the features do not lie on (y, x).
    SettingError
        If `false_exclusion` is no share.
    TooFewSitesError
        If no pixel is measured.

    References
    ----------
    .. [1] R. C. Gonzalez and R. E. Woods, Digital Image Processing, 4th ed., Pearson (2018),
       sec. 10.2.
    .. [2] P. J. Rousseeuw and K. Van Driessen, Technometrics 41, 212 (1999); the correction is
       that of C. Croux and G. Haesbroeck, J. Multivar. Anal. 71, 161 (1999).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(0, 1, (20, 20, 1)) + np.repeat([0.0, 20.0], 10)[:, None]
    >>> place = {name: (name, np.arange(20.0), {"units": "nm"}) for name in ("y", "x")}
    >>> map_of_two = xr.DataArray(values, dims=("y", "x", "feature"), coords=place)
    >>> find_uniform_pixels(map_of_two).values[5, [2, 8, 9, 10, 11, 17]].tolist()
    [True, True, False, False, True, True]
    """
    FEATURES.check(features)
    if features.dims[:-1] != ("y", "x"):
        msg = (
            f"features lie on {tuple(features.dims[:-1])}, neighbors are known on ('y', 'x') "
            "alone: give a map"
        )
        raise KindError(msg)
    if not 0 < false_exclusion < 1:
        msg = f"{false_exclusion=} is a share: give more than 0, less than 1"
        raise SettingError(msg)
    scores = _map_of_scores(features)
    steepness, freedom = _steepness(scores)
    limit = float(scipy.stats.chi2.isf(false_exclusion, freedom)) if freedom else 0.0
    # Not a number is not below the limit.
    uniform = _in_company(steepness <= limit)
    n_judged = int(np.isfinite(steepness).sum())
    has_domains = uniform.sum() >= max(_FEWEST, _LEAST_SHARE * n_judged)
    if not has_domains:
        uniform = np.asarray(np.isfinite(scores).all(axis=-1))
    place = {name: c for name, c in features.coords.items() if set(c.dims) <= {"y", "x"}}
    mask = xr.DataArray(uniform, dims=("y", "x"), coords=place, name="uniform")
    share = float(uniform.mean())
    mask.attrs["share"] = share
    told = (
        f"{share:.1%} of the pixels differ from their neighbors by noise alone; "
        "the others differ by more, as at borders"
        if has_domains
        else f"hardly a pixel of {n_judged} with measured neighbors is like those around it: "
        "there are no domains, and all measured pixels are kept"
    )
    add_note(mask, told)
    return mask


def _in_company(uniform: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Leave out what has a slope of noise by chance amid a border: domains are more than a pixel.

    Of the nine pixels about one at the straight edge of a domain six are inside.
    """
    about = scipy.ndimage.convolve(
        uniform.astype(np.uint8), np.ones((3, 3), np.uint8), mode="nearest"
    )
    return np.asarray(uniform & (about >= _COMPANY))


def inside_of(features: xr.DataArray, uniform: xr.DataArray | None, /) -> xr.DataArray:
    """Take the rows outside of domains for not measured; without a mask give all rows.

    Raises
    ------
    KindError
        If the mask lies on other places than the features.
    """
    if uniform is None:
        return features
    MASK.check(uniform)
    places = features.dims[:-1]
    if uniform.dims != places or uniform.shape != features.shape[:-1]:
        msg = (
            f"the mask lies on {dict(uniform.sizes)}, the features on "
            f"{ {dim: features.sizes[dim] for dim in places} }: they must be of the same places"
        )
        raise KindError(msg)
    # By position: coordinates may differ by rounding, and xarray would drop what does.
    inside = xr.DataArray(uniform.data, dims=places)
    narrow = features.dtype.itemsize <= 2
    kept = features if features.dtype.kind == "f" else features.astype("f4" if narrow else "f8")
    return kept.where(inside)


def _map_of_scores(features: xr.DataArray) -> NDArray[np.float32]:
    """Project on the components above the noise, on a map with NaN where nothing was measured."""
    cut = blocks(features)
    with single_threaded_blas():
        moments = moments_for_subspace(cut)
        if not moments.counts.sum():
            msg = f"none of {cut.n_rows} pixels is measured throughout: leave out channels of NaN"
            raise TooFewSitesError(msg)
        subspace, counts = subspace_of(cut, n_classes=3, moments=moments)
        scores = scores_in(subspace, cut, counts)
    measured = measured_rows(cut, counts=counts)
    whole = np.full((cut.n_rows, scores.shape[1]), np.nan, dtype=np.float32)
    # On a common scale float32 holds slopes of any unit.
    whole[measured] = scores / np.sqrt(max(float(subspace.variances[0]), np.finfo(float).tiny))
    return whole.reshape(*cut.shape, -1)


def _steepness(scores: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
    """Give the squared slope at every pixel in units of the noise; its degrees of freedom.

    Slopes along y and x have a noise each: lines of a scan may differ by more than pixels do.
    With too few pixels to learn the noise from, nothing is known.
    """
    slopes = _slopes(scores)
    n_components = scores.shape[-1]
    freedom = n_components * len(slopes)
    flat = [slope.reshape(-1, n_components) for slope in slopes]
    # A slope does not look at its own pixel.
    measured = np.isfinite(scores.reshape(-1, n_components)).all(axis=1)
    for slope in flat:
        measured &= np.isfinite(slope).all(axis=1)
    known = np.flatnonzero(measured)
    if len(known) < _FEWEST:
        return np.where(measured, np.inf, np.nan).reshape(scores.shape[:2]), freedom
    # Evenly spread pixels of a large map say the same of the noise.
    some = known[:: -(-len(known) // _SAMPLE_PIXELS)]
    factors = _noise_factors([slope[some].astype(np.float64) for slope in flat], freedom)
    squares = np.full(len(flat[0]), np.nan)
    squares[known] = 0.0
    for slope, factor in zip(flat, factors, strict=True):
        squares[known] += ((slope[known] @ factor) ** 2).sum(axis=1)
    return squares.reshape(scores.shape[:2]), freedom


def _slopes(scores: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Give Sobel's slopes along each axis that has neighbors; beyond the edge the map is level."""
    padded = np.pad(scores, ((1, 1), (1, 1), (0, 0)), mode="edge")
    along_y = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    along_x = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    slopes = []
    if scores.shape[0] > 1:
        slopes.append(along_y[2:] - along_y[:-2])
    if scores.shape[1] > 1:
        slopes.append(along_x[:, 2:] - along_x[:, :-2])
    return slopes or [np.full_like(scores, np.nan)]


def _noise_factors(slopes: list[NDArray[np.float64]], freedom: int) -> list[NDArray[np.float64]]:
    """Find the factors that make the noise of the slopes white and of unit variance.

    The pixels with the smallest slopes give a covariance, in which the smallest are sought anew
    until they stay the same: the concentration steps of Rousseeuw and Van Driessen (1999).
    """
    n = len(slopes[0])
    n_calm = max(int(_CALM_SHARE * n), min(n, _CALM_FOR_EACH * slopes[0].shape[1]))
    share = n_calm / n
    correction = 1.0
    if share < 1:
        within = scipy.stats.chi2.ppf(share, freedom)
        correction = share / float(scipy.stats.chi2.cdf(within, freedom + 2))
    # To begin with the noise is taken for independent in every component.
    factors = [
        np.diag(1 / np.maximum(np.quantile(abs(slope), _CALM_SHARE, axis=0), _ROUNDING))
        for slope in slopes
    ]
    calm = np.zeros(0, dtype=np.int64)
    for _ in range(_C_STEPS):
        squares = sum(((s @ f) ** 2).sum(axis=1) for s, f in zip(slopes, factors, strict=True))
        before, calm = calm, np.sort(np.argsort(squares, kind="stable")[:n_calm])
        if np.array_equal(before, calm):
            break
        factors = [_whitening(slope[calm], correction) for slope in slopes]
    return factors


def _whitening(rows: NDArray[np.float64], correction: float) -> NDArray[Any]:
    """Give the factor by which rows become white, of their covariance about zero."""
    covariance = correction * rows.T @ rows / len(rows)
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(np.maximum(values, _ROUNDING**2)))
