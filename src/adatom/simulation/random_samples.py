"""Random samples of a crystal: grains, edges, defects, disorder and brightness of columns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial import KDTree

from adatom.simulation.crystals import tiled
from adatom.simulation.drawn_cells import FAINTEST, DrawnCell, draw_cell
from adatom.simulation.smooth_fields import draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Atoms closer than this share of the spacing lie over one another, as one column.
_ONE_COLUMN: Final = 0.3


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


def draw_crystal(
    rng: np.random.Generator, drawn: dict[str, Any], *, family: str, field: Field
) -> Sample:
    """Draw a crystal of a family with everything that may be wrong with it; note it in `drawn`."""
    cell = draw_cell(rng, drawn, family)
    sample = _grains(rng, drawn, cell, field)
    sample = _second_layer(rng, drawn, cell, sample, field)
    sample = _second_phase(rng, drawn, sample, field)
    sample = _with_defects(rng, drawn, sample, field)
    sample = _bent(rng, drawn, sample, field)
    sample = _cut(rng, drawn, sample, field)
    return merged(sample, _ONE_COLUMN * field.spacing)


def _lattice(
    rng: np.random.Generator, cell: DrawnCell, matrix: NDArray[np.float64], field: Field
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Places (site, axis) of all columns over the image and its margin, and which of the cell."""
    vectors, basis = cell.vectors @ matrix.T, cell.basis @ matrix.T
    origin = rng.uniform(0.0, 1.0, 2) @ vectors
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


def _grains(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    cell: DrawnCell,
    field: Field,
) -> Sample:
    """Tile the image with one grain, or with some that meet along ragged lines."""
    stretch = np.eye(2) + rng.normal(0.0, rng.choice([0.005, 0.02, 0.05]), (2, 2))
    angle = rng.uniform(0.0, 2 * math.pi)
    n_grains = int(rng.choice([1, 2, 3, 4], p=[0.72, 0.17, 0.07, 0.04]))
    drawn["rotation_deg"] = round(math.degrees(angle), 2)
    drawn["stretch"] = np.round(stretch, 4).tolist()
    drawn["grains"] = n_grains
    base = field.spacing * stretch @ _turn(angle)
    if n_grains == 1:
        places, number = _lattice(rng, cell, base, field)
        return _crystal(cell, places, number, field)
    seeds = rng.uniform(0.0, 1.0, (n_grains, 2)) * field.shape
    rag = draw_smooth_field(rng, field.shape, detail=4.0, steepness=3.0)
    twin = n_grains == 2 and rng.random() < 0.4
    drawn["twin"] = bool(twin)
    found = []
    for k in range(n_grains):
        if k == 0:
            matrix = base
        elif twin:
            matrix = base @ np.diag([1.0, -1.0])
        else:
            turn = rng.uniform(0.0, math.pi) if rng.random() < 0.7 else rng.normal(0.0, 0.1)
            matrix = field.spacing * stretch @ _turn(angle + turn)
        places, number = _lattice(rng, cell, matrix, field)
        far = np.hypot(*(places[:, None, :] - seeds).transpose(2, 0, 1))
        far[:, 1:] += (0.0 if twin else 0.5 * field.spacing) * rag.at(places)[:, None]
        own = far.argmin(axis=1) == k
        found.append((places[own], number[own], np.full(own.sum(), k)))
    places, number, grain = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = _apart_across(places, grain, 0.75 * field.spacing)
    return _crystal(cell, places[kept], number[kept], field)


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


def _second_layer(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    cell: DrawnCell,
    sample: Sample,
    field: Field,
) -> Sample:
    """Lay a second sheet, shifted and perhaps turned, over a part of the image, now and then."""
    if rng.random() > 0.06:
        return sample
    turn = float(rng.uniform(0.0, 60.0)) if rng.random() < 0.3 else 0.0
    stretch = np.asarray(drawn["stretch"])
    matrix = field.spacing * stretch @ _turn(math.radians(drawn["rotation_deg"] + turn))
    faint = float(rng.uniform(0.4, 1.0))
    drawn["second_layer"] = {"brightness": round(faint, 3), "turn_deg": round(turn, 1)}
    places, number = _lattice(rng, cell, matrix, field)
    covered = draw_smooth_field(rng, field.shape, detail=1.0, steepness=3.0).at(places) > 0
    upper = _crystal(cell, places[covered], number[covered], field)
    return joined(sample, replace(upper, peaks=faint * upper.peaks))


def _second_phase(
    rng: np.random.Generator, drawn: dict[str, Any], sample: Sample, field: Field
) -> Sample:
    """Change the brightness of each species beyond an interface or in domains, now and then."""
    if rng.random() > 0.1:
        return sample
    detail = 0.5 if rng.random() < 0.5 else 3.0
    height = draw_smooth_field(rng, field.shape, detail=detail, steepness=3.5).at(sample.places)
    sharpness = float(np.exp(rng.uniform(math.log(1.0), math.log(30.0))))
    share = 0.5 * (1 + np.tanh(sharpness * height))
    names = sorted(set(sample.species.tolist()))
    factors = {name: float(np.exp(rng.uniform(-1.0, 0.4))) for name in names}
    drawn["second_phase"] = {name: round(factor, 3) for name, factor in factors.items()}
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


def _with_defects(
    rng: np.random.Generator, drawn: dict[str, Any], sample: Sample, field: Field
) -> Sample:
    """Take atoms away, exchange and add some, move all at random, vary how full columns are."""
    shares = {
        name: float(rng.choice([0.0, rng.uniform(0.0, most)], p=[0.45, 0.55]))
        for name, most in (
            ("vacancies", 0.06), ("substitutions", 0.06), ("adatoms", 0.02), ("interstitials", 0.01)
        )
    }  # fmt: skip
    spread = float(rng.choice([0.0, rng.uniform(0.0, 0.25)], p=[0.4, 0.6]))
    displacement = float(rng.uniform(0.0, 0.04))
    drawn |= {name: round(share, 4) for name, share in shares.items()}
    drawn |= {"occupancy_spread": round(spread, 3), "displacement": round(displacement, 4)}
    n = len(sample.places)
    occupancy = (1 + spread * rng.standard_normal(n)).clip(0.3, 1.8)
    peaks, roles, species = sample.peaks * occupancy, sample.roles.copy(), sample.species.copy()
    swapped = (rng.random(n) < shares["substitutions"]) & (roles != "faint")
    if swapped.any() and rng.random() < 0.3:
        # Impurities like company: their nearest neighbors are of them as well.
        near = KDTree(sample.places).query(sample.places[swapped], k=min(4, n))[1]
        swapped[near[rng.random(near.shape) < 0.5]] = True
        swapped &= roles != "faint"
    # Of one kind or of all kinds.
    spans = rng.uniform(0.25, 1.6, n) if rng.random() < 0.5 else float(rng.uniform(0.3, 1.6))
    factor = np.exp(rng.choice([-1, 1], n, p=[0.35, 0.65]) * spans)
    peaks[swapped] = (peaks * factor)[swapped].clip(FAINTEST, None)
    roles[swapped], species[swapped] = "substitution", "X"
    places = sample.places + displacement * field.spacing * rng.standard_normal((n, 2))
    whole = Sample(
        places, peaks, sample.widths, species, roles, occupancy, sample.crystalline
    ).where(rng.random(n) >= shares["vacancies"])
    for role in ("adatoms", "interstitials"):
        whole = _with_extra(rng, whole, round(shares[role] * n), role[:-1], field.spacing)
    return whole


def _with_extra(
    rng: np.random.Generator, sample: Sample, n_extra: int, role: str, spacing: float
) -> Sample:
    """Add atoms near others: on hollow, bridge or any sites, never so close that two are one."""
    if not n_extra or not len(sample.places):
        return sample
    beside = sample.places[rng.integers(0, len(sample.places), n_extra)]
    angle = rng.uniform(0.0, 2 * math.pi, n_extra)
    step = spacing * rng.uniform(0.5, 1.1, n_extra)[:, None]
    places = beside + step * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    far = KDTree(sample.places).query(places)[0] > 0.6 * spacing
    places = places[far]
    level = float(np.median(sample.peaks)) * np.exp(rng.uniform(-1.0, 1.0, len(places)))
    extra = Sample(
        places,
        level.clip(FAINTEST, None),
        np.ones(len(places)),
        np.full(len(places), "X"),
        np.full(len(places), role, dtype="<U12"),
        np.ones(len(places)),
        sample.crystalline,
    )
    return joined(sample, extra)


def _bent(rng: np.random.Generator, drawn: dict[str, Any], sample: Sample, field: Field) -> Sample:
    """Bend the lattice smoothly, or squeeze the start of the lines as a lagging scan does."""
    bending = float(rng.choice([0.0, rng.uniform(0.0, 0.6)], p=[0.5, 0.5]))
    lag = float(rng.choice([0.0, rng.uniform(0.0, 1.0)], p=[0.85, 0.15]))
    drawn |= {"bending": round(bending, 3), "lag": round(lag, 3)}
    places = sample.places.copy()
    if bending:
        bends = [draw_smooth_field(rng, field.shape, detail=1.0, steepness=4.0) for _ in range(2)]
        moved = np.stack([bend.at(sample.places) for bend in bends], axis=1)
        places += bending * field.spacing * moved
    if lag:
        reach = field.shape[1] * float(rng.uniform(0.03, 0.12))
        x = sample.places[:, 1].clip(-0.5 * reach, None)
        # Never so much that atoms would change places.
        places[:, 1] -= min(lag * field.spacing, 0.3 * reach) * np.exp(-x / reach)
    return replace(sample, places=places)


def _cut(rng: np.random.Generator, drawn: dict[str, Any], sample: Sample, field: Field) -> Sample:
    """Leave a part of the image empty or amorphous, now and then."""
    drawn["cut"] = "none"
    if rng.random() > 0.2:
        return sample
    kind = str(rng.choice(["holes", "edge", "amorphous"], p=[0.4, 0.35, 0.25]))
    share = float(rng.uniform(0.05, 0.6))
    drawn |= {"cut": kind, "cut_share": round(share, 3)}
    detail = 0.7 if kind == "edge" else 3.0
    height = draw_smooth_field(rng, field.shape, detail=detail, steepness=3.0)
    level = float(np.quantile(height.pixels(), share))
    beyond = height.at(sample.places) < level
    crystalline = height.pixels() >= level
    if kind != "amorphous":
        return replace(sample.where(~beyond), crystalline=crystalline)
    places, roles = sample.places.copy(), sample.roles.copy()
    places[beyond] = _pushed_apart(rng, places[beyond], field.spacing)
    roles[beyond] = "amorphous"
    return replace(sample, places=places, roles=roles, crystalline=crystalline)


def _pushed_apart(
    rng: np.random.Generator, places: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Scatter places at random, then push apart those that came too close."""
    if len(places) < 8:
        return places
    moved = places + 0.7 * spacing * rng.standard_normal(places.shape)
    for _ in range(6):
        distance, near = KDTree(moved).query(moved, k=5)
        apart = moved[:, None, :] - moved[near[:, 1:]]
        push = (spacing - distance[:, 1:]).clip(0, None) / distance[:, 1:].clip(1e-6, None)
        moved = moved + 0.4 * (push[..., None] * apart).sum(axis=1)
    return moved


def draw_amorphous(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    *,
    field: Field,
) -> Sample:
    """Draw a random dense packing, as dense and as broad as a lattice would be."""
    size = np.asarray(field.shape) + 2 * field.margin
    density = rng.uniform(0.6, 1.1) / field.spacing**2
    places = rng.uniform(0.0, 1.0, (round(density * size.prod()), 2)) * size - field.margin
    places = _pushed_apart(rng, places, field.spacing)
    n = len(places)
    spread = float(rng.uniform(0.0, 0.6))
    drawn |= {
        "packing": round(float(density * field.spacing**2), 3),
        "peak_spread": round(spread, 3),
    }
    return Sample(
        places,
        np.exp(spread * rng.standard_normal(n)).clip(0.1, 4.0),
        np.ones(n),
        np.full(n, "C"),
        np.full(n, "amorphous", dtype="<U12"),
        np.ones(n),
        np.zeros(field.shape, dtype=bool),
    )
