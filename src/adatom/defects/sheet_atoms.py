"""Atoms of a sheet with their bonds, and what stands at places where none was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from adatom.defects.bond_graph import bond_of_host, bonds_of_atoms, degrees
from adatom.defects.joint_fits import SHELL, fit_neighborhoods
from adatom.defects.records import MISSING
from adatom.defects.sheets import Sheet, atomic_number, expected_bond
from adatom.defects.species import UNKNOWN, heights_at, spacing_of, width_of_sites
from adatom.defects.vacant import pointed_places, vacant_places
from adatom.errors import KindError
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import Image, Mask, Sites, extent, pixel_size, positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# Of an atom's usual height: what is dimmer is no atom, as where a finder took noise for one.
_NO_ATOM: Final = 0.4
# Atoms nearer to the border than the longest bond may have neighbors beyond it.
_BORDER: Final = 1.3
_FILLED: Final = 0.6
# A stretched bond to an atom that an undercoordinated one points at.
_STRETCHED: Final = 1.5
_BONDS: Final = 3
_N_AROUND: Final = 24
# How likely a finder's gap is a vacancy, before the pixels are asked: finders miss one atom in a
# hundred, and one place in a hundred is vacant.
_GAP: Final = 0.5
_USUAL_SPREAD: Final = 0.2
# Times the host in brightness or atomic number: what is brighter hides atoms beside it.
_BRIGHT: Final = 2.0
# Without an image a place that no site fills is vacant, unless the finder missed its atom.
_UNSEEN: Final = 0.9


class SheetAtoms(NamedTuple):
    """Atoms, then what is inferred: atoms that no site fills, and missing ones.

    Lengths are in bonds of the host; `atom` is the number along the sites, -1
    for what is inferred. `chance` is the probability of the species, `inside`
    whether all neighbors would be seen, `weight` how well the finder knows it.
    """

    place: Floats
    species: NDArray[np.str_]
    chance: Floats
    weight: Floats
    error: Floats
    atom: Ints
    inside: Bools
    pairs: Ints
    sureness: Floats
    doubt_pairs: Ints
    doubt: Floats
    bond: float
    n_no_atom: int

    @property
    def missing(self) -> Bools:
        """Which are places without an atom."""
        return np.asarray(self.species == MISSING)


def sheet_atoms(
    sites: Sites, image: Image | None, regions: Mask | None, sheet: Sheet, /
) -> SheetAtoms:
    """Join atoms by bonds, and settle what stands where they point to and nothing was found.

    Around impurities atoms and pixels are fitted together, if there is an image.
    """
    found = _found(sites, sheet)
    if image is not None:
        found = _fitted_together(found, image, regions, sheet, width_of_sites(sites))
    place, species, atom = found.place, found.species, found.atom
    inside = _inside(sites, image, regions, place * found.bond, _BORDER * found.bond)
    bonds = bonds_of_atoms(place, species, sheet, np.nan_to_num(found.error, nan=0.1))
    names, number = np.unique(species, return_inverse=True)
    reach = np.array([_reach(sheet, str(name)) for name in names])[number]
    pairs, sureness = _with_stretched(place, bonds.pairs, bonds.probability, reach, inside)
    draft = SheetAtoms(
        place,
        species,
        found.chance,
        found.weight,
        found.error,
        atom,
        inside,
        pairs,
        sureness,
        bonds.doubt_pairs,
        bonds.doubt,
        found.bond,
        sites.sizes["site"] - int((atom >= 0).sum()),
    )
    ratio = found.ratio[atom >= 0]
    spread = SIGMA_OF_MAD * float(np.nanmedian(np.abs(ratio - np.nanmedian(ratio))))
    return _with_inferred(draft, image, sheet, spread, reach, found.settled)


class _Found(NamedTuple):
    """Atoms as `SheetAtoms` has them, with what else the finder knows of each.

    `is_real` is False for those that are too dim for an atom; `settled`
    (impurity, 2) are the impurities around which pixels were fitted.
    """

    place: Floats
    species: NDArray[np.str_]
    chance: Floats
    weight: Floats
    error: Floats
    atom: Ints
    ratio: Floats
    is_real: Bools
    bond: float
    settled: Floats

    def taken(self, kept: Ints) -> _Found:
        """Give some of the atoms."""
        return self._replace(
            place=self.place[kept],
            species=self.species[kept],
            chance=self.chance[kept],
            weight=self.weight[kept],
            error=self.error[kept],
            atom=self.atom[kept],
            ratio=self.ratio[kept],
            is_real=self.is_real[kept],
        )

    def joined_by(self, place: Floats, element: str) -> _Found:
        """Add atoms that the pixels showed."""
        n = len(place)
        return self._replace(
            place=np.concatenate([self.place, place]),
            species=np.append(self.species, np.full(n, element)),
            chance=np.append(self.chance, np.full(n, _UNSEEN)),
            weight=np.append(self.weight, np.full(n, _UNSEEN)),
            error=np.append(self.error, np.full(n, np.nan)),
            atom=np.append(self.atom, np.full(n, -1)),
            ratio=np.append(self.ratio, np.ones(n)),
            is_real=np.append(self.is_real, np.ones(n, dtype=bool)),
        )

    def real(self) -> _Found:
        """Give those that are bright enough."""
        return self.taken(np.flatnonzero(self.is_real))


def _found(sites: Sites, sheet: Sheet) -> _Found:
    """Take over what was found, in bonds of the host; dim atoms as well."""
    species = sites["species"].values.astype(str)
    ratio = _variable(sites, "brightness_ratio", 1.0)
    real = (species != "") & ~((species == UNKNOWN) & (ratio < _NO_ATOM))
    place = positions(sites)
    kept = np.flatnonzero(np.isfinite(place).all(axis=1))
    sure = kept[real[kept]]
    bond = bond_of_host(place[sure], species[sure] == sheet.element, spacing_of(sites))
    return _Found(
        place[kept] / bond,
        species[kept],
        np.nan_to_num(_variable(sites, "species_probability", 1.0)[kept]),
        np.nan_to_num(_variable(sites, "score", 1.0)[kept]),
        _errors(sites)[kept] / bond,
        kept,
        ratio[kept],
        real[kept],
        bond,
        np.zeros((0, 2)),
    )


def _fitted_together(
    found: _Found, image: Image, regions: Mask | None, sheet: Sheet, width: float
) -> _Found:
    """Fit what is around bright impurities to the pixels: add, move and take out atoms there."""
    host = atomic_number(sheet.element)
    names = [name for name in np.unique(found.species) if name not in {"", UNKNOWN}]
    bright = [name for name in names if atomic_number(str(name)) >= _BRIGHT * host]
    if not bright:
        return found.real()
    usual = max(bright, key=lambda name: int((found.species == name).sum()))
    heavy = np.isin(found.species, bright)
    heavy |= (found.species == UNKNOWN) & (found.ratio > _BRIGHT)
    seen = image if regions is None else image.where(regions)
    fit = fit_neighborhoods(
        found.place, heavy, seen, sheet, str(usual), bond=found.bond, width=width
    )
    near = np.zeros(len(heavy), dtype=bool)
    if len(fit.settled):
        near = cKDTree(fit.settled).query(fit.place)[0] < SHELL
    # There the fit knows better than brightness alone whether it is an atom.
    unknown = near & ~heavy & np.isin(found.species, ("", UNKNOWN))
    species = np.where(unknown, sheet.element, found.species)
    moved = found._replace(place=fit.place, species=species, settled=fit.settled)
    kept = moved.taken(np.flatnonzero((found.is_real | unknown) & ~fit.is_none))
    return kept.joined_by(fit.added, sheet.element)


def _variable(sites: Sites, name: str, usual: float) -> Floats:
    if name in sites and sites[name].dims == ("site",):
        return np.asarray(sites[name].values, dtype=float)
    return np.full(sites.sizes["site"], usual)


def _errors(sites: Sites) -> Floats:
    """Give the standard deviation of positions along an axis; NaN where it is not known."""
    if "covariance" in sites:
        trace = np.trace(sites["covariance"].values.astype(float), axis1=1, axis2=2)
        return np.asarray(np.sqrt(trace / 2))
    if "y_error" in sites and "x_error" in sites:
        squares = sites["y_error"].values.astype(float) ** 2 + sites["x_error"].values ** 2
        return np.asarray(np.sqrt(squares / 2))
    return np.full(sites.sizes["site"], np.nan)


def _reach(sheet: Sheet, name: str) -> float:
    return 1.0 if name == UNKNOWN else expected_bond(sheet, sheet.element, name)


def _inside(
    sites: Sites, image: Image | None, regions: Mask | None, place: Floats, border: float
) -> Bools:
    """Tell which places are farther than `border` from where nothing is known."""
    frame = sites.attrs.get("extent")
    if frame is None:
        frame = extent(image) if image is not None else None
    if frame is None:
        low, high = positions(sites).min(axis=0), positions(sites).max(axis=0)
    else:
        low, high = np.array(frame[::2], dtype=float), np.array(frame[1::2], dtype=float)
    inside = ((place > low + border) & (place < high - border)).all(axis=1)
    if regions is not None:
        step = np.array(pixel_size(regions))
        away = ndimage.distance_transform_edt(np.asarray(regions.values), sampling=tuple(step))
        pixel = np.rint((place - np.array(extent(regions)[::2])) / step).astype(int)
        pixel = np.clip(pixel, 0, np.array(regions.shape) - 1)
        inside &= away[tuple(pixel.T)] > border
    return np.asarray(inside)


def _with_stretched(
    place: Floats,
    pairs: Ints,
    sureness: Floats,
    reach: Floats,
    inside: Bools,
) -> tuple[Ints, Floats]:
    """Add bonds to atoms just beyond the limit at which an atom with two bonds points."""
    target, who = pointed_places(place, pairs, reach, inside)
    if not len(who):
        return pairs, sureness
    distance, at = cKDTree(place).query(target)
    length = np.linalg.norm(place[at] - place[who], axis=1)
    # Only where the other one lacks a bond as well.
    lacking = degrees(pairs, len(place))[at] < _BONDS
    fair = (
        lacking
        & (distance < _FILLED)
        & (at != who)
        & (length < _STRETCHED * np.maximum(reach[at], 1.0))
    )
    new = np.sort(np.stack([who[fair], at[fair]], axis=1), axis=1)
    new = np.unique(new, axis=0)
    key, old = new @ [len(place), 1], pairs @ [len(place), 1]
    new = new[~np.isin(key, old)].astype(np.int64)
    return np.concatenate([pairs, new]), np.concatenate([sureness, np.full(len(new), 0.5)])


def _with_inferred(
    atoms: SheetAtoms,
    image: Image | None,
    sheet: Sheet,
    spread: float,
    reach: Floats,
    settled: Floats,
) -> SheetAtoms:
    found = vacant_places(atoms.place, atoms.pairs, reach, atoms.inside)
    n, m = len(atoms.place), len(found.place)
    vacant = np.full(m, _UNSEEN)
    if image is not None and m:
        vacant = _chance_of_vacancy(atoms, found.place, image, spread)
    if len(settled) and m:
        # The fit found no atom there.
        vacant[cKDTree(settled).query(found.place)[0] < SHELL] = _UNSEEN
    empty = vacant >= 0.5
    pairs = np.concatenate(
        [
            atoms.pairs,
            np.stack([found.to_atoms[:, 1], found.to_atoms[:, 0] + n], axis=1),
            found.to_places + n,
        ]
    )
    chance = np.where(empty, vacant, 1 - vacant)
    return atoms._replace(
        place=np.concatenate([atoms.place, found.place]),
        species=np.concatenate([atoms.species, np.where(empty, MISSING, sheet.element)]),
        chance=np.concatenate([atoms.chance, chance]),
        weight=np.concatenate([atoms.weight, chance]),
        error=np.concatenate([atoms.error, np.full(m, np.nan)]),
        atom=np.concatenate([atoms.atom, np.full(m, -1)]),
        inside=np.concatenate([atoms.inside, np.ones(m, dtype=bool)]),
        pairs=pairs,
        sureness=np.concatenate([atoms.sureness, np.ones(len(pairs) - len(atoms.pairs))]),
    )


def _chance_of_vacancy(atoms: SheetAtoms, place: Floats, image: Image, spread: float) -> Floats:
    """Ask the pixels whether an atom stands at places, by its height against those around."""
    n = len(atoms.place)
    height, error = heights_at(
        image, np.concatenate([atoms.place, place]) * atoms.bond, spacing=atoms.bond
    )
    number = min(_N_AROUND, n)
    _, near = cKDTree(atoms.place).query(place, k=number)
    overall = float(np.nanmedian(height[:n]))
    usual = np.nanmedian(height[near.reshape(len(place), -1)], axis=1)
    usual = np.clip(usual, 0.5 * overall, 2.0 * overall)
    ratio, its_error = height[n:] / usual, error[n:] / usual
    filled = np.hypot(spread if spread > 0 else _USUAL_SPREAD, its_error)
    hollow = np.hypot(0.5 * filled, its_error)
    odds_filled = (1 - _GAP) * np.exp(-0.5 * (np.minimum(ratio - 1, 0) / filled) ** 2) / filled
    odds_hollow = _GAP * np.exp(-0.5 * (np.maximum(ratio, 0) / hollow) ** 2) / hollow
    return np.asarray(odds_hollow / (odds_hollow + odds_filled + 1e-300))


def check_units(sites: Sites, image: Image | None, regions: Mask | None, /) -> None:
    """Raise an error if the image or the regions are not in the unit of the sites."""
    for name, data in (("image", image), ("regions", regions)):
        if data is not None and space_unit(data) != space_unit(sites):
            msg = f"the {name} is in {space_unit(data)}, the sites in {space_unit(sites)}"
            raise KindError(msg)
