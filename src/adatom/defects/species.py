"""Elements of the atoms of a sheet, by how bright they are among the atoms around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from adatom.defects.sheets import EXPONENT, Sheet, atomic_number, sheet_of_name
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.fixed_gaussians import fit_heights
from adatom.numerics.medians import SIGMA_OF_MAD, medians_of_rows
from adatom.schema import (
    IMAGE,
    SITES,
    Image,
    Sites,
    add_note,
    extent,
    pixel_size,
    positions,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UNKNOWN: Final = "?"
"""Species of an atom whose brightness fits none of the elements that were told."""

# Atoms around, whose median is the usual brightness there: three shells and more of a honeycomb,
# so that a cluster of four impurities among them moves it by less than a third of their spread.
_N_AROUND: Final = 24
_FEWEST: Final = 6
# Sigma of an atom in distances between neighbors, where no fit tells it: of 60 to 80 kV probes.
_USUAL_WIDTH: Final = 0.28
_WIDTHS: Final = (0.18, 0.42)
# Over what length the background bends, in distances between neighbors.
_KNOTS: Final = 3.0
# Tails of the probe make a floor in a lattice, which takes away from the brightness of its atoms,
# not from that of one that stands out: so ratios are larger than by atomic numbers, by this
# factor. What is known of it beforehand: the simulator's probes give 1.0 to 1.7.
_FACTOR: Final = (np.log(1.3), 0.3)
_FACTORS: Final = np.linspace(np.log(0.7), np.log(2.6), 96)
# Like atoms are alike within a tenth, of static displacements and contamination; how far the
# exponent differs from 1.64 with the angles of the detector (1.5 to 1.8 for 50 to 200 mrad).
_ALIKE: Final = 0.1
_EXPONENT_ERROR: Final = 0.12
_LEAST_SPREAD: Final = 0.02
# Shares beforehand: of each impurity, and of what is neither (adatoms, contamination).
_IMPURITY: Final = 0.01
_NEITHER: Final = 0.005
# What is neither may have any brightness, evenly in its logarithm.
_NEITHER_RANGE: Final = (0.05, 50.0)


def assign_species(
    sites: Sites,
    image: Image | None = None,
    /,
    *,
    host: str = "graphene",
    impurities: list[str] | None = None,
    exponent: float = EXPONENT,
) -> Sites:
    """Assign elements to the atoms of a sheet by their brightness in a dark-field image.

    An atom scatters about as its atomic number to the power 1.64 [1]_. Each
    atom's height is divided by the median of those around it, so that
    thickness, tilt and contamination, which change slowly, do not count. Most
    atoms are the host's: they tell how far like atoms differ. By how much more
    than the numbers say an impurity stands out, since a lattice of atoms hides
    part of its own brightness, is one factor for all, fitted to the image.

    Parameters
    ----------
    sites : Sites
        Atoms of one image, or of the frames of a movie, with ``attrs["spacing"]``. Those around
        an atom are of its own frame; what like atoms differ by is one number for all frames.
    image : Image, optional
        Heights are fitted to it at the sites, all at once and of one width;
        without it, as of a movie, the sites' own ``amplitude`` is taken.
    host : str
        The sheet: "graphene".
    impurities : list of str, optional
        Elements that may be there; ["Si"] if left out. Silicon is what graphene grown or
        transferred by usual means holds.
    exponent : float
        Of the atomic number. It depends on the detector, but little on it
        depends: 1.5 to 2 give the same elements where they are far apart.

    Returns
    -------
    Sites
        With ``species``: an element, "?" where the brightness fits none of
        those told, and "" where it was not measured; ``species_probability``
        of that; ``brightness_ratio`` to the atoms around, and its ``_error``.

    Raises
    ------
    SettingError
        If an element or the host is not known.
    KindError
        If there is neither an image nor an ``amplitude``, or an image with sites of several frames.
    TooFewSitesError
        If there are fewer than seven sites.

    References
    ----------
    .. [1] O. L. Krivanek et al., Nature 464, 571 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:6.0, :6.0])
    >>> sites = sites_from_positions(0.142 * y, 0.142 * x, unit="nm", spacing=0.142)
    >>> height = 1 + 0.05 * np.sin(np.arange(36.0))
    >>> height[14] = 4.5
    >>> sites["amplitude"] = ("site", height)
    >>> assign_species(sites)["species"].values[13:16].tolist()
    ['C', 'Si', 'C']
    """
    SITES.check(sites, name="sites")
    sheet = sheet_of_name(host)
    elements = _elements(sheet, impurities)
    if not 1.0 <= exponent <= 2.0:
        msg = f"{exponent=} must be between 1 and 2, where scattering at wide angles ends"
        raise SettingError(msg)
    if sites.sizes["site"] <= _FEWEST:
        msg = f"{sites.sizes['site']} sites, at least {_FEWEST + 1} are needed to tell the usual"
        raise TooFewSitesError(msg)
    height, error, how = _heights(sites, image)
    ratio, ratio_error = _ratios_in_frames(sites, height, error)
    numbers = np.array([atomic_number(element) for element in elements], dtype=float)
    logs = exponent * np.log(numbers / numbers[0])
    told = _posterior(ratio, ratio_error, logs, np.log(numbers / numbers[0]))
    return _described(sites, elements, ratio, ratio_error, told, how)


def _elements(sheet: Sheet, impurities: list[str] | None) -> list[str]:
    others = ["Si"] if impurities is None else [str(element) for element in impurities]
    if sheet.element in others or len(set(others)) < len(others):
        msg = f"{impurities=} must name each element once, and not the host's {sheet.element}"
        raise SettingError(msg)
    return [sheet.element, *others]


def _heights(sites: Sites, image: Image | None) -> tuple[Floats, Floats, str]:
    """Give heights, their errors, and how they were measured."""
    if image is None:
        if "amplitude" not in sites:
            msg = "the sites have no amplitude: give the image as well"
            raise KindError(msg)
        height = sites["amplitude"].values.astype(float)
        relative = (
            sites["volume_error"].values if "volume_error" in sites else np.zeros(len(height))
        )
        return height, np.abs(height) * relative.astype(float), "amplitudes as fitted"
    IMAGE.check(image, name="image")
    if "frame" in sites.coords and len(np.unique(sites["frame"].values)) > 1:
        msg = (
            "the sites are of several frames, the image is one: leave the image out, then their "
            "own amplitudes are taken"
        )
        raise KindError(msg)
    if space_unit(image) != space_unit(sites):
        msg = f"the image is in {space_unit(image)}, the sites in {space_unit(sites)}"
        raise KindError(msg)
    heights = heights_at(
        image, positions(sites), spacing=spacing_of(sites), width=width_of_sites(sites)
    )
    return (*heights, "heights fitted to the image at one width")


def spacing_of(sites: Sites, /) -> float:
    """Give the distance between neighbors, in the unit of the sites."""
    spacing = sites.attrs.get("spacing")
    if not spacing:
        msg = "the sites have no attrs['spacing'], by which neighbors are known"
        raise KindError(msg)
    return float(spacing)


def width_of_sites(sites: Sites, /) -> float:
    """Give the common width of atoms in distances between neighbors."""
    own = sites["width"].values if "width" in sites else np.zeros(0)
    own = own[np.isfinite(own)]
    if not len(own):
        return _USUAL_WIDTH
    return float(np.clip(np.median(own) / spacing_of(sites), *_WIDTHS))


def heights_at(
    image: Image, places: Floats, /, *, spacing: float, width: float = _USUAL_WIDTH
) -> tuple[Floats, Floats]:
    """Fit heights of atoms at places (site, 2), all at once; `width` in spacings."""
    step = np.array(pixel_size(image))
    origin = np.array(extent(image)[::2])
    values = np.asarray(image.values, dtype=float)
    unit = float(np.sqrt(step.prod()))
    covariance = np.diag((width * spacing / step) ** 2)
    usable = np.isfinite(values)
    fitted = fit_heights(
        np.where(usable, values, 0.0),
        usable,
        (places - origin) / step,
        covariance,
        knots=_KNOTS * spacing / unit,
    )
    return fitted.height, fitted.error


def _ratios_in_frames(sites: Sites, height: Floats, error: Floats) -> tuple[Floats, Floats]:
    if "frame" not in sites.coords:
        return _ratios(positions(sites), height, error)
    ratio, ratio_error = np.full(len(height), np.nan), np.full(len(height), np.nan)
    frame = sites["frame"].values
    order = np.argsort(frame, kind="stable")
    for here in np.split(order, np.flatnonzero(np.diff(frame[order])) + 1):
        ratio[here], ratio_error[here] = _ratios(positions(sites)[here], height[here], error[here])
    return ratio, ratio_error


def _ratios(place: Floats, height: Floats, error: Floats) -> tuple[Floats, Floats]:
    known = np.flatnonzero(np.isfinite(height))
    ratio, ratio_error = np.full(len(height), np.nan), np.full(len(height), np.nan)
    if len(known) <= _FEWEST:
        return ratio, ratio_error
    number = min(_N_AROUND + 1, len(known))
    _, near = cKDTree(place[known]).query(place[known], k=number)
    usual = medians_of_rows(height[known][near[:, 1:]])
    overall = float(np.median(height[known]))
    # Where most around are holes or noise the usual of the whole image is the better guess.
    usual = np.clip(usual, 0.5 * overall, 2.0 * overall) if overall > 0 else usual
    good = usual > 0
    ratio[known[good]] = height[known[good]] / usual[good]
    ratio_error[known[good]] = error[known[good]] / usual[good]
    return ratio, ratio_error


class _Posterior(NamedTuple):
    """Probabilities (site, element and neither), the factor, and the spread of the host's atoms."""

    share: Floats
    factor: float
    spread: float


def _posterior(ratio: Floats, error: Floats, logs: Floats, sizes: Floats) -> _Posterior:
    known = np.isfinite(ratio)
    seen, its_error = ratio[known], error[known]
    middle = float(np.median(seen)) if known.any() else 1.0
    spread = SIGMA_OF_MAD * float(np.median(np.abs(seen - middle))) if known.any() else 1.0
    # Atoms whose heights are told without noise are not alike to more than this.
    spread = max(spread, _LEAST_SPREAD)
    prior = np.full(len(logs) + 1, _IMPURITY)
    prior[-1] = _NEITHER
    prior[0] = 1.0 - prior[1:].sum()

    def joint(factor: float) -> Floats:
        """Give prior times likelihood (site, element and neither)."""
        expected = np.where(np.arange(len(logs)) > 0, np.exp(logs + factor), 1.0)
        own = np.hypot(_ALIKE, _EXPONENT_ERROR * sizes) * expected
        own[0] = 0.0
        wide = np.sqrt(spread**2 + own**2 + np.where(own > 0, its_error[:, None] ** 2, 0.0))
        away = (seen[:, None] - expected) / wide
        normal = np.exp(-0.5 * away**2) / (wide * np.sqrt(2 * np.pi))
        # Atoms of the host have a few farther out than a normal distribution.
        normal[:, 0] = 0.98 * normal[:, 0] + 0.02 * np.exp(-0.5 * (away[:, 0] / 2) ** 2) / (
            2 * wide[:, 0] * np.sqrt(2 * np.pi)
        )
        span = np.log(_NEITHER_RANGE[1] / _NEITHER_RANGE[0])
        neither = 1 / (np.clip(seen, *_NEITHER_RANGE) * span)
        return np.asarray(np.concatenate([normal, neither[:, None]], axis=1) * prior)

    evidence = [
        float(np.log(joint(factor).sum(axis=1) + 1e-300).sum())
        - 0.5 * ((factor - _FACTOR[0]) / _FACTOR[1]) ** 2
        for factor in _FACTORS
    ]
    factor = float(_FACTORS[int(np.argmax(evidence))])
    share = np.full((len(ratio), len(prior)), np.nan)
    weights = joint(factor)
    share[known] = weights / weights.sum(axis=1, keepdims=True)
    return _Posterior(share, factor, spread)


def _described(
    sites: Sites, elements: list[str], ratio: Floats, error: Floats, told: _Posterior, how: str
) -> Sites:
    known = np.isfinite(ratio)
    names = np.array([*elements, UNKNOWN])
    best = np.where(known, np.nan_to_num(told.share).argmax(axis=1), 0)
    species = np.where(known, names[best], "")
    out = sites.copy()
    out["species"] = ("site", species)
    probability = np.take_along_axis(told.share, best[:, None], axis=1)[:, 0]
    out["species_probability"] = ("site", probability)
    out["brightness_ratio"] = ("site", ratio, {"units": "1"})
    out["brightness_ratio_error"] = ("site", error, {"units": "1"})
    counts = ", ".join(f"{int((species == name).sum())} {name}" for name in names)
    missing = f"; {int((~known).sum())} not measured" if not known.all() else ""
    add_note(
        out,
        f"species by {how}: {counts}{missing}; atoms of the host alike within {told.spread:.2f} "
        f"of their height, impurities {np.exp(told.factor):.2f} times as bright as their atomic "
        "numbers say.",
    )
    return out
