"""The unstrained lattice that strain is quoted against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.groups import counts_by_group, sums_by_group
from adatom.schema import CLASSES, MASK, Classes, Mask, Sites, pixel_size, positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.neighborhoods import Neighborhood

# A slot must lie nearer to its whole number of lattice vectors than to any half of one.
_WHOLE: Final = 0.25
# The mean of five sites is known to half of the noise of one.
_FEW: Final = 5


def reference_stars(
    sites: Sites,
    around: Neighborhood,
    classes: Classes | None,
    regions: Mask | None,
    /,
    *,
    label: int,
    lattice: list[list[float]] | None,
) -> tuple[NDArray[np.float64], str]:
    """Give the slots (star, neighbor, 2) of the unstrained lattice, and what they are.

    Raises
    ------
    SettingError
        If no site is of the reference, or slots do not fit the lattice.
    """
    if lattice is not None:
        if classes is not None or regions is not None:
            msg = "both a lattice and sites are told as the reference: leave out one of them"
            raise SettingError(msg)
        return _slots_of_lattice(around.stars, _two_vectors(lattice), space_unit(sites))
    chosen = np.ones(sites.sizes["site"], dtype=bool)
    parts = []
    if classes is not None:
        chosen &= _of_class(sites, classes, label)
        parts.append(f"class {label}")
    if regions is not None:
        chosen &= _within(sites, regions)
        parts.append("the region told")
    where = f"the mean lattice of {' within '.join(parts)}" if parts else "the mean lattice"
    stars, missing = _means(around, chosen)
    if len(missing) == len(stars):
        msg = (
            f"{int(chosen.sum())} sites are of the reference, fewer than {_FEW} of any star have "
            "neighbors: is it the right label or region?"
        )
        raise SettingError(msg)
    text = f"{where} ({int(chosen.sum())} sites, {_described(stars, space_unit(sites))})"
    if len(missing):
        numbers = ", ".join(map(str, missing))
        text += f"; no strain for stars {numbers}, which have no site there"
    return stars, text


def _of_class(sites: Sites, classes: Classes, label: int) -> NDArray[np.bool_]:
    CLASSES.check(classes, name="classes")
    labels = classes["label"].values
    if labels.shape != (sites.sizes["site"],):
        msg = (
            f"{sites.sizes['site']} sites, but labels of shape {labels.shape}: "
            "give the classes of these sites"
        )
        raise KindError(msg)
    chosen: NDArray[np.bool_] = labels == label
    if not chosen.any():
        msg = f"{label=}: no site is of that class, found {np.unique(labels).tolist()}"
        raise SettingError(msg)
    return chosen


def _within(sites: Sites, regions: Mask) -> NDArray[np.bool_]:
    MASK.check(regions, name="regions")
    if space_unit(regions) != space_unit(sites):
        msg = (
            f"sites are in {space_unit(sites)}, regions in {space_unit(regions)}: "
            "bring them to one unit"
        )
        raise UnitError(msg)
    if "frame" in regions.dims:
        msg = "regions has frames, the reference needs one (y, x): take one frame"
        raise KindError(msg)
    origin = np.array([float(regions.coords[name].values[0]) for name in ("y", "x")])
    pixel = np.rint((positions(sites) - origin) / pixel_size(regions)).astype(np.int64)
    inside = ((pixel >= 0) & (pixel < regions.shape)).all(axis=1)
    pixel = np.clip(pixel, 0, np.array(regions.shape) - 1)
    within: NDArray[np.bool_] = inside & np.asarray(regions.values)[pixel[:, 0], pixel[:, 1]]
    return within


def _means(
    around: Neighborhood, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average the vectors of every slot over the chosen sites; NaN for stars without."""
    n_stars, n = around.stars.shape[:2]
    group = np.where(around.filled & chosen[:, None], around.star[:, None] * n + np.arange(n), -1)
    count = counts_by_group(group, n_groups=n_stars * n)
    total = sums_by_group(around.vector.reshape(-1, 2), group, n_groups=n_stars * n)
    few = (count < _FEW).reshape(n_stars, n).any(axis=1)
    stars = (total / np.maximum(count, 1)[:, None]).reshape(n_stars, n, 2)
    # Stars that few sites have at all keep what neighbor_vectors found.
    if chosen.all():
        stars[few] = around.stars[few]
        return stars, np.zeros(0, dtype=np.int64)
    stars[few] = np.nan
    return stars, np.flatnonzero(few)


def _two_vectors(lattice: list[list[float]]) -> NDArray[np.float64]:
    try:
        vectors = np.asarray(lattice, dtype=float)
    except (TypeError, ValueError):
        vectors = np.zeros(0)
    if vectors.shape != (2, 2) or not abs(np.linalg.det(vectors)) > 0:
        msg = f"{lattice=} must be two vectors [y, x] that span a cell"
        raise SettingError(msg)
    return vectors


def _slots_of_lattice(
    stars: NDArray[np.float64], lattice: NDArray[np.float64], unit: str
) -> tuple[NDArray[np.float64], str]:
    number = stars @ np.linalg.inv(lattice)
    whole = np.rint(number)
    off = np.abs(number - whole).max(axis=(1, 2))
    if (off > _WHOLE).any():
        told = np.round(stars[int(off.argmax())], 4).tolist()
        msg = (
            f"lattice={lattice.tolist()}: the slots {told} {unit} are no whole numbers of these "
            "vectors; give vectors [y, x] in the directions of the image, and the sites of one "
            "sublattice only"
        )
        raise SettingError(msg)
    slots: NDArray[np.float64] = whole @ lattice
    return slots, "the lattice told"


def _described(stars: NDArray[np.float64], unit: str) -> str:
    first = stars[np.isfinite(stars).all(axis=(1, 2))][0]
    # Opposite slots say the same twice.
    half = [e for e in first if e[0] > 1e-9 or (abs(e[0]) <= 1e-9 and e[1] > 0)] or list(first)
    shown = [f"{np.hypot(*e):.4g} {unit} at {np.degrees(np.arctan2(*e)):.1f} deg" for e in half[:4]]
    return "slots of " + ", ".join(shown)
