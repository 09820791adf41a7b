"""Random samples of a crystal for streams of images: grains, edges, defects, brightness."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.spatial import KDTree

from adatom.simulation.chances import Chance
from adatom.simulation.crystals import tiled
from adatom.simulation.drawn_cells import FAINTEST, DrawnCell, draw_cell
from adatom.simulation.smooth_fields import draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

# `grains`, `edges`, `disorder` and `strain` do as much to sites that one has, and
# name each defect; here only speed and variety count.

# Atoms closer than this share of the spacing lie over one another, as one column.
_ONE_COLUMN: Final = 0.3
# Atoms of two grains that are closer have no room beside one another.
_ACROSS: Final = 0.75


@dataclass(frozen=True)
class Field:
    """Where atoms are laid out.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the image.
    spacing : float
        Distance of nearest columns in px.
    margin : float
        Atoms reach as far beyond the image, in px.
    """

    shape: tuple[int, int]
    spacing: float
    margin: float


@dataclass(frozen=True)
class Sample:
    """Atoms, or columns of them, on the sample, in px of the image.

    Attributes
    ----------
    places : ndarray, shape (site, axis)
        Axis y, x.
    peaks : ndarray, shape (site,)
        Height of each Gaussian; the brightest regular column is 1.
    widths : ndarray, shape (site,)
        Relative to the width of the probe.
    species, roles : ndarray of str, shape (site,)
        Roles are "regular", "faint", "substitution", "adatom", "interstitial", "amorphous".
    occupancy : ndarray, shape (site,)
        Share of the column that is there.
    crystalline : ndarray of bool, shape (y, x)
        True where the lattice is.
    """

    places: NDArray[np.float64]
    peaks: NDArray[np.float64]
    widths: NDArray[np.float64]
    species: NDArray[np.str_]
    roles: NDArray[np.str_]
    occupancy: NDArray[np.float64]
    crystalline: NDArray[np.bool_]

    def where(self, kept: NDArray[np.bool_]) -> Sample:
        """Keep some of the atoms."""
        return Sample(
            self.places[kept],
            self.peaks[kept],
            self.widths[kept],
            self.species[kept],
            self.roles[kept],
            self.occupancy[kept],
            self.crystalline,
        )


def draw_crystal(chance: Chance, *, family: str, field: Field) -> Sample:
    """Draw a crystal of a family with everything that may be wrong with it."""
    cell = draw_cell(chance, family)
    base = _orientation(chance, field)
    sample = _grains(chance, cell, base, field)
    if chance.happens(0.06):
        sample = _with_second_layer(chance, cell, base, sample, field)
    if chance.happens(0.1):
        sample = _with_second_phase(chance, sample, field)
    sample = _with_defects(chance, sample, field)
    sample = _bent(chance, sample, field)
    if chance.happens(0.2):
        sample = _cut(chance, sample, field)
    return merged(sample, _ONE_COLUMN * field.spacing)


def _lattice(
    chance: Chance, cell: DrawnCell, matrix: NDArray[np.float64], field: Field
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Places (site, axis) of all columns over the image and its margin, and which of the cell."""
    vectors, basis = cell.vectors @ matrix.T, cell.basis @ matrix.T
    origin = chance.rng.uniform(0.0, 1.0, 2) @ vectors
    last = (field.shape[0] - 1.0, field.shape[1] - 1.0)
    return tiled(vectors, basis, origin, field=last, margin=field.margin)


def _turn(angle: float) -> NDArray[np.float64]:
    """Rotation of vectors (y, x) by an angle in rad from +x towards +y."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _crystal(
    cell: DrawnCell, places: NDArray[np.float64], number: NDArray[np.int64], field: Field
) -> Sample:
    # Light columns vibrate more, which makes them some percent broader.
    widths = 1.0 + 0.1 * (1 - cell.peaks[number])
    roles = np.where(cell.peaks < FAINTEST, "faint", "regular").astype("<U12")[number]
    ones = np.ones(len(places))
    crystalline = np.ones(field.shape, dtype=bool)
    return Sample(places, cell.peaks[number], widths, cell.names[number], roles, ones, crystalline)


def _orientation(chance: Chance, field: Field) -> NDArray[np.float64]:
    """Draw the matrix from cells to px: a rotation, and what the scan stretches and shears."""
    angle = chance.between(0.0, 2 * math.pi)
    distortion = chance.amount(0.8, 0.1)
    stretch = np.eye(2) + distortion * chance.rng.uniform(-1.0, 1.0, (2, 2))
    chance.note(rotation_deg=math.degrees(angle), stretch=stretch.tolist())
    return field.spacing * stretch @ _turn(angle)


def _grains(chance: Chance, cell: DrawnCell, base: NDArray[np.float64], field: Field) -> Sample:
    """Tile the image with one grain, or with some that meet along ragged lines."""
    n_grains = int(chance.rng.integers(2, 5)) if chance.happens(0.3) else 1
    twin = n_grains == 2 and bool(chance.rng.random() < 0.4)
    chance.note(grains=n_grains, twin=twin)
    if n_grains == 1:
        return _crystal(cell, *_lattice(chance, cell, base, field), field)
    seeds = chance.rng.uniform(0.0, 1.0, (n_grains, 2)) * field.shape
    rag = draw_smooth_field(chance.rng, field.shape, detail=4.0, steepness=3.0)
    found = []
    for k in range(n_grains):
        matrix = _matrix_of_grain(chance, base, k, twin)
        places, number = _lattice(chance, cell, matrix, field)
        far = np.hypot(*(places[:, None, :] - seeds).transpose(2, 0, 1))
        # The boundary of a twin is straight.
        far[:, 1:] += (0.0 if twin else 0.5 * field.spacing) * rag.at(places)[:, None]
        own = far.argmin(axis=1) == k
        found.append((places[own], number[own], np.full(np.count_nonzero(own), k)))
    places, number, grain = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = _apart_across(places, grain, _ACROSS * field.spacing)
    return _crystal(cell, places[kept], number[kept], field)


def _matrix_of_grain(
    chance: Chance, base: NDArray[np.float64], number: int, twin: bool
) -> NDArray[np.float64]:
    if number == 0:
        return base
    if twin:
        return base @ np.diag([1.0, -1.0])
    any_angle = chance.rng.random() < 0.7
    return base @ _turn(chance.between(0.0, math.pi) if any_angle else chance.rng.normal(0.0, 0.1))


def _apart_across(
    places: NDArray[np.float64], grain: NDArray[np.int64], distance: float
) -> NDArray[np.bool_]:
    """Drop the later one of two atoms of different grains that are too close."""
    pairs = KDTree(places).query_pairs(distance, output_type="ndarray")
    across = pairs[grain[pairs[:, 0]] != grain[pairs[:, 1]]]
    kept = np.ones(len(places), dtype=bool)
    for one, two in np.sort(across, axis=1):
        if kept[one]:
            kept[two] = False
    return kept


def _with_second_layer(
    chance: Chance, cell: DrawnCell, base: NDArray[np.float64], sample: Sample, field: Field
) -> Sample:
    """Lay a second sheet, shifted and perhaps turned, over a part of the image."""
    turn = chance.between(0.0, 60.0) if chance.rng.random() < 0.3 else 0.0
    brightness = chance.between(0.4, 1.0)
    chance.note(second_layer={"brightness": brightness, "turn_deg": turn})
    places, number = _lattice(chance, cell, base @ _turn(math.radians(turn)), field)
    area = draw_smooth_field(chance.rng, field.shape, detail=1.0, steepness=3.0)
    covered = area.at(places) > 0
    upper = _crystal(cell, places[covered], number[covered], field)
    return joined(sample, replace(upper, peaks=brightness * upper.peaks))


def _with_second_phase(chance: Chance, sample: Sample, field: Field) -> Sample:
    """Change the brightness of each species beyond an interface, or in domains."""
    detail = 0.5 if chance.rng.random() < 0.5 else 3.0
    height = draw_smooth_field(chance.rng, field.shape, detail=detail, steepness=3.5)
    sharpness = chance.log_between(1.0, 30.0)
    share = 0.5 * (1 + np.tanh(sharpness * height.at(sample.places)))
    names = sorted(set(sample.species.tolist()))
    factors = {name: chance.log_between(0.4, 1.5) for name in names}
    chance.note(second_phase=factors)
    factor = np.array([factors[name] for name in sample.species.tolist()])
    return replace(sample, peaks=sample.peaks * (1 - share + share * factor))


def joined(one: Sample, two: Sample) -> Sample:
    """Put the atoms of both into one sample; the crystalline part is that of the first."""
    return Sample(
        np.concatenate([one.places, two.places]),
        np.concatenate([one.peaks, two.peaks]),
        np.concatenate([one.widths, two.widths]),
        np.concatenate([one.species, two.species]),
        np.concatenate([one.roles, two.roles]),
        np.concatenate([one.occupancy, two.occupancy]),
        one.crystalline,
    )


def merged(sample: Sample, distance: float) -> Sample:
    """Take atoms that lie over one another as one column, at their centroid."""
    if len(sample.places) < 2:
        return sample
    pairs = KDTree(sample.places).query_pairs(distance, output_type="ndarray")
    if not len(pairs):
        return sample
    peaks, places = sample.peaks.copy(), sample.places.copy()
    kept = np.ones(len(places), dtype=bool)
    for one, two in pairs[np.lexsort(pairs.T[::-1])]:
        if kept[one] and kept[two]:
            total = peaks[one] + peaks[two]
            places[one] = (peaks[one] * places[one] + peaks[two] * places[two]) / total
            peaks[one] = total
            kept[two] = False
    return replace(sample, places=places, peaks=peaks).where(kept)


def _with_defects(chance: Chance, sample: Sample, field: Field) -> Sample:
    """Take atoms away, exchange and add some, move all at random, vary how full columns are."""
    rng, n = chance.rng, len(sample.places)
    spread, displacement = chance.amount(0.6, 0.3), chance.between(0.0, 0.04)
    vacancies, adatoms = chance.amount(0.6, 0.1), chance.amount(0.4, 0.03)
    interstitials = chance.amount(0.4, 0.015)
    chance.note(
        occupancy_spread=spread, displacement=displacement, vacancies=vacancies,
        adatoms=adatoms, interstitials=interstitials,
    )  # fmt: skip
    occupancy = (1 + spread * rng.standard_normal(n)).clip(0.3, 1.8)
    whole = replace(
        sample,
        places=sample.places + displacement * field.spacing * rng.standard_normal((n, 2)),
        peaks=sample.peaks * occupancy,
        occupancy=occupancy,
    )
    whole = _with_substitutions(chance, whole).where(rng.random(n) >= vacancies)
    for share, role in ((adatoms, "adatom"), (interstitials, "interstitial")):
        whole = _with_extra(chance, whole, round(share * n), role, field.spacing)
    return whole


def _with_substitutions(chance: Chance, sample: Sample) -> Sample:
    """Exchange some atoms for brighter or darker ones, singly or in company."""
    share = chance.log_between(0.001, 0.08) if chance.happens(0.7) else 0.0
    chance.note(substitutions=share)
    rng, n = chance.rng, len(sample.places)
    swapped = rng.random(n) < share
    if swapped.any() and rng.random() < 0.3:
        near = KDTree(sample.places).query(sample.places[swapped], k=min(4, n))[1]
        swapped[near[rng.random(near.shape) < 0.5]] = True
    swapped &= sample.roles != "faint"
    # Of one element or of several.
    several = rng.random() < 0.5
    contrast = rng.uniform(0.25, 1.6, n) if several else np.full(n, rng.uniform(0.3, 1.6))
    # Heavy impurities are common in light crystals: Si in graphene is four times as bright.
    factor = np.exp(rng.choice([-1, 1], n, p=[0.35, 0.65]) * contrast)
    peaks, roles, species = sample.peaks.copy(), sample.roles.copy(), sample.species.copy()
    peaks[swapped] = (peaks * factor)[swapped].clip(FAINTEST, None)
    roles[swapped], species[swapped] = "substitution", "X"
    return replace(sample, peaks=peaks, roles=roles, species=species)


def _with_extra(chance: Chance, sample: Sample, n_extra: int, role: str, spacing: float) -> Sample:
    """Add atoms near others: on hollow, bridge or any sites, never so close that two are one."""
    if not n_extra or not len(sample.places):
        return sample
    rng = chance.rng
    beside = sample.places[rng.integers(0, len(sample.places), n_extra)]
    angle = rng.uniform(0.0, 2 * math.pi, n_extra)
    step = spacing * rng.uniform(0.5, 1.1, n_extra)[:, None]
    places = beside + step * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    places = places[KDTree(sample.places).query(places)[0] > 0.6 * spacing]
    n = len(places)
    peaks = float(np.median(sample.peaks)) * np.exp(rng.uniform(-1.0, 1.0, n))
    extra = Sample(
        places,
        peaks.clip(FAINTEST, None),
        np.ones(n),
        np.full(n, "X"),
        np.full(n, role, dtype="<U12"),
        np.ones(n),
        sample.crystalline,
    )
    return joined(sample, extra)


def _bent(chance: Chance, sample: Sample, field: Field) -> Sample:
    """Bend the lattice smoothly, or squeeze the start of the lines as a lagging scan does."""
    bending, lag = chance.amount(0.6, 0.8), chance.amount(0.15, 1.0)
    chance.note(bending=bending, lag=lag)
    places = sample.places.copy()
    if bending:
        bends = [
            draw_smooth_field(chance.rng, field.shape, detail=1.0, steepness=4.0) for _ in "yx"
        ]
        moved = np.stack([bend.at(sample.places) for bend in bends], axis=1)
        places += bending * field.spacing * moved
    if lag:
        reach = field.shape[1] * chance.between(0.03, 0.12)
        x = sample.places[:, 1].clip(-0.5 * reach, None)
        # Never so much that atoms would change places.
        places[:, 1] -= min(lag * field.spacing, 0.3 * reach) * np.exp(-x / reach)
    return replace(sample, places=places)


def _cut(chance: Chance, sample: Sample, field: Field) -> Sample:
    """Leave a part of the image empty or amorphous."""
    kind = str(chance.rng.choice(["holes", "edge", "amorphous"], p=[0.4, 0.35, 0.25]))
    share = chance.between(0.05, 0.6)
    chance.note(cut=kind, cut_share=share)
    detail = 0.7 if kind == "edge" else 3.0
    height = draw_smooth_field(chance.rng, field.shape, detail=detail, steepness=3.0)
    level = float(np.quantile(height.pixels(), share))
    beyond = height.at(sample.places) < level
    crystalline = height.pixels() >= level
    if kind != "amorphous":
        return replace(sample.where(~beyond), crystalline=crystalline)
    places, roles = sample.places.copy(), sample.roles.copy()
    places[beyond] = _pushed_apart(chance, places[beyond], field.spacing)
    roles[beyond] = "amorphous"
    return replace(sample, places=places, roles=roles, crystalline=crystalline)


def _pushed_apart(
    chance: Chance, places: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Scatter places at random, then push apart those that came too close."""
    if len(places) < 8:
        return places
    moved = places + 0.7 * spacing * chance.rng.standard_normal(places.shape)
    for _ in range(6):
        distance, near = KDTree(moved).query(moved, k=5)
        apart = moved[:, None, :] - moved[near[:, 1:]]
        push = (spacing - distance[:, 1:]).clip(0, None) / distance[:, 1:].clip(1e-6, None)
        moved = moved + 0.4 * (push[..., None] * apart).sum(axis=1)
    return moved


def draw_amorphous(
    chance: Chance,
    *,
    field: Field,
) -> Sample:
    """Draw a random dense packing, as dense and as broad as a lattice would be."""
    size = np.asarray(field.shape) + 2 * field.margin
    density = chance.between(0.6, 1.1) / field.spacing**2
    places = chance.rng.uniform(0.0, 1.0, (round(density * size.prod()), 2)) * size - field.margin
    places = _pushed_apart(chance, places, field.spacing)
    n = len(places)
    spread = chance.between(0.0, 0.6)
    chance.note(packing=density * field.spacing**2, peak_spread=spread)
    return Sample(
        places,
        np.exp(spread * chance.rng.standard_normal(n)).clip(0.1, 4.0),
        np.ones(n),
        np.full(n, "C"),
        np.full(n, "amorphous", dtype="<U12"),
        np.ones(n),
        np.zeros(field.shape, dtype=bool),
    )
