"""Sublattices told apart by place and by brightness."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from scipy.special import expit

from adatom.crystallography.walk import neighbors_of_sites
from adatom.errors import AdatomWarning, KindError, SettingError
from adatom.numerics.alternation import ALTERNATING, Alternation, alternate, logarithms
from adatom.numerics.groups import sums_by_group
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import SITES, Sites, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

Basis = Literal["auto", "lattice", "brightness"]

# One column in fifty is not what it seems: an impurity, a bad fit. None says more than that.
_MOST_EVIDENCE: Final = float(np.log(0.98 / 0.02))
# Half way to the diagonal of a square, beyond which slots do not lead to the nearest.
_NEAREST: Final = 1.2
_SURE: Final = 0.95


def assign_sublattices(sites: Sites, /, *, of: str = "amplitude", basis: Basis = "auto") -> Sites:
    """Tell the brighter from the dimmer of two sublattices that alternate.

    A column is compared with its own neighbors, never with the whole image:
    a film may be several times as bright as its substrate. Where the sites
    have been indexed, their place on the lattice decides and brightness
    only names the two: a sublattice then goes on through an interface at which
    its columns change from the brighter to the dimmer ones, as those of A
    do between PbTiO3 and SrRuO3.

    Parameters
    ----------
    sites : Sites
        With neighbors of `neighbor_vectors` among themselves, and if they were
        indexed ``lattice_index``, ``sublattice`` and ``grain`` of
        `assign_lattice_indices`.
    of : str
        Variable that tells the brightness, such as the height of the fitted
        Gaussian; where it is NaN or not positive only neighbors tell.
    basis : {"auto", "lattice", "brightness"}
        By default the lattice where neighbors alternate on it, and else
        brightness. Take brightness if several crystals meet without a common
        lattice.

    Returns
    -------
    Sites
        With ``sublattice``: 0 the brighter, 1 the dimmer, -1 not told, as for a
        site without neighbors; and ``sublattice_score``: the probability of it,
        0.5 to 1, by the brightness of a column and of its neighbors. By the lattice it may be
        less than 0.5 where a whole region shows the opposite contrast. Where there
        is one sort of columns only all are 0, with a warning.

    Raises
    ------
    KindError
        If the sites lack neighbors, indices that were asked for, or the brightness,
        or if they were selected or moved after their neighbors were found.
    SettingError
        If `basis` is not known.

    Warns
    -----
    AdatomWarning
        If the columns are all of one sort, as far as it can be told.

    Examples
    --------
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.simulation import simulate_lattice, Crystal
    >>> crystal = Crystal("perovskite_100", species=("Bi", "Fe", "O"), spacing="10 px")
    >>> truth = simulate_lattice(crystal=crystal).truth
    >>> metals = truth.isel(site=np.flatnonzero(truth["species"].values != "O"))
    >>> found = assign_sublattices(neighbor_vectors(metals))
    >>> bool((found["sublattice"] == metals["sublattice"]).all())
    True
    """
    SITES.check(sites)
    if basis not in {"auto", "lattice", "brightness"}:
        msg = f"{basis=} is not known: use 'auto', 'lattice' or 'brightness'"
        raise SettingError(msg)
    near, known = _neighbors(sites)
    logs, measured = _brightness(sites, of)
    known_logs = known & measured[near]
    alone = alternate(logs, near, known_logs)
    contrast = np.where(measured, alone.contrast, 0.0)
    parity = None if basis == "brightness" else _parity(sites, near, known)
    if parity is None and basis == "lattice":
        msg = (
            "neighbors do not alternate on the lattice of the sites, or these have no "
            "lattice_index: call crystallography.assign_lattice_indices before, or take "
            "basis='brightness'"
        )
        raise KindError(msg)
    if not alone.is_clear:
        return _alike(sites, of, known, alone)
    if parity is None:
        dim = np.where(alone.bright, 0, 1)
    else:
        dim = _by_majority(_named(parity, contrast, sites["grain"].values), near, known)
    dim = np.where(known.any(axis=1), dim, -1)
    how = "brightness beside that of neighbors" if parity is None else "place on the lattice"
    return _described(sites, dim, _score(dim, contrast, measured, near, known), how)


def _neighbors(sites: Sites) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the nearest neighbors (site, slot), and which there are."""
    star, index, _ = neighbors_of_sites(sites)
    length = np.linalg.norm(np.asarray(sites.attrs["stars"], dtype=float), axis=2)
    # Of a rectangular lattice only the nearer pairs of neighbors alternate.
    nearest = length < _NEAREST * length.min(axis=1, keepdims=True)
    known = (index >= 0) & nearest[np.maximum(star, 0)]
    return np.where(known, index, 0).astype(np.intp), known


def _brightness(sites: Sites, of: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Give the logarithm of the brightness, and where it was measured."""
    if of not in sites or sites[of].dims != ("site",):
        msg = f"{of=}: sites have no such variable along 'site' that tells their brightness"
        raise KindError(msg)
    values = sites[of].values.astype(float)
    # Dark columns on a bright ground have negative amplitudes.
    values = values * (np.sign(np.nanmedian(values)) if np.isfinite(values).any() else 1.0)
    measured = np.isfinite(values) & (values > 0)
    if not measured.any():
        msg = f"{of=}: no site has a brightness, all are NaN or not positive"
        raise KindError(msg)
    return logarithms(np.where(measured, values, np.median(values[measured]))), measured


def _parity(
    sites: Sites, near: NDArray[np.intp], known: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    """Give 0 or 1 by the place on the lattice, -1 off it; nothing if neighbors are not unlike."""
    if not {"lattice_index", "grain"} <= set(sites):
        return None
    i, j = sites["lattice_index"].transpose("direction", "site").values
    indexed = sites["grain"].values >= 0
    rules = [i + j, i, j]
    if "sublattice" in sites and np.unique(sites["sublattice"].values[indexed]).size == 2:
        rules.insert(0, sites["sublattice"].values)
    both = known & indexed[near] & indexed[:, None]
    if not both.any():
        return None
    for rule in rules:
        parity = np.where(indexed, rule % 2, -1).astype(np.int64)
        if (parity[near] != parity[:, None])[both].mean() >= ALTERNATING:
            return parity
    return None


def _named(
    parity: NDArray[np.int64], contrast: NDArray[np.float64], grain: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Call the parity that is brighter in most of a grain 0."""
    sign = np.where(parity == 0, 1.0, -1.0) * (parity >= 0)
    groups = np.maximum(grain, 0)
    votes = sums_by_group(sign * np.clip(contrast, -1, 1), groups, n_groups=int(groups.max()) + 1)
    dim = np.where(votes[groups] >= 0, parity, 1 - parity)
    return np.where(parity >= 0, dim, -1)


def _by_majority(
    dim: NDArray[np.int64], near: NDArray[np.intp], known: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Give sites off the lattice what most of their neighbors are not."""
    told = known & (dim[near] >= 0)
    votes = (np.where(dim[near] == 0, 1, -1) * told).sum(axis=1)
    return np.where((dim < 0) & (votes != 0), np.where(votes > 0, 1, 0), dim)


def _score(
    dim: NDArray[np.int64],
    contrast: NDArray[np.float64],
    measured: NDArray[np.bool_],
    near: NDArray[np.intp],
    known: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Probability of the sublattice by the contrasts of a site and its neighbors."""
    middle, spread = [], []
    for kind in (0, 1):
        group = contrast[measured & (dim == kind)]
        group = group if group.size else np.zeros(1)
        middle.append(float(np.median(group)))
        spread.append(SIGMA_OF_MAD * float(np.median(np.abs(group - middle[-1]))))
    # A common spread, by which the evidence grows with the contrast throughout.
    variance = max(float(np.mean(np.square(spread))), 1e-6 * (middle[0] - middle[1]) ** 2, 1e-12)
    evidence = (middle[0] - middle[1]) * (contrast - np.mean(middle)) / variance
    evidence = np.where(measured, np.clip(evidence, -_MOST_EVIDENCE, _MOST_EVIDENCE), 0.0)
    for_bright = evidence - (evidence[near] * known).sum(axis=1)
    score = expit(np.where(dim == 0, for_bright, -for_bright))
    return np.where(dim >= 0, score, np.nan)


def _alike(sites: Sites, of: str, known: NDArray[np.bool_], found: Alternation) -> Sites:
    msg = (
        f"columns do not alternate in {of}: {found.alternating:.0%} of neighbors differ (90 % are "
        f"needed), Ashman's D of the two is {found.apart:.2f} (2.2 is needed). All are taken for "
        "one sublattice; if two can be seen, check the neighbors and how columns were fitted"
    )
    warnings.warn(msg, AdatomWarning, stacklevel=3)
    return _described(
        sites,
        np.where(known.any(axis=1), 0, -1),
        np.full(sites.sizes["site"], np.nan),
        "one sort of columns",
    )


def _described(sites: Sites, dim: NDArray[np.int64], score: NDArray[np.float64], how: str) -> Sites:
    found = sites.copy()
    found["sublattice"] = ("site", dim.astype(np.int64))
    found["sublattice_score"] = ("site", score, {"units": "1"})
    counts = [int((dim == number).sum()) for number in (0, 1, -1)]
    doubtful = int((score < _SURE).sum())
    add_note(
        found,
        f"sublattices by {how}: {counts[0]} brighter, {counts[1]} dimmer, {counts[2]} not told; "
        f"{doubtful} with a score below {_SURE}",
    )
    return found
