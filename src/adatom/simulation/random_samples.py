"""Random samples of a crystal: grains, edges, defects, disorder and brightness of columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.spatial import KDTree

from adatom.simulation.cell_families import FAMILIES, Cell
from adatom.simulation.smooth_fields import SmoothField, draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fainter columns than this beside the brightest are not drawn on purpose.
_FAINTEST: Final = 0.15


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
        Roles are "regular", "substitution", "adatom", "interstitial", "boundary", "amorphous".
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
    rng: np.random.Generator,
    drawn: dict[str, Any],
    *,
    family: str,
    spacing: float,
    shape: tuple[int, int],
    margin: float,
) -> Sample:
    """Draw a crystal of a family with everything that may be wrong with it; note it in `drawn`."""
    cell = FAMILIES[family](rng)
    brightness = _brightness(rng, drawn, cell)
    sample = _grains(rng, drawn, cell, brightness, spacing, shape, margin)
    sample = _second_layer(rng, drawn, cell, brightness, sample, spacing, shape, margin)
    sample = _with_defects(rng, drawn, sample, spacing)
    sample = _strained(rng, drawn, sample, spacing, shape)
    sample = _cut(rng, drawn, sample, spacing, shape)
    return merged(sample, 0.3 * spacing)


def _brightness(rng: np.random.Generator, drawn: dict[str, Any], cell: Cell) -> dict[str, float]:
    """Relative intensity of each species: by its atomic number, or at random."""
    names = sorted(set(cell.species))
    exponent = float(rng.uniform(1.3, 2.0))
    by_number = all(cell.numbers) and rng.random() < 0.7
    numbers = dict(zip(cell.species, cell.numbers, strict=True))
    if by_number:
        # A negative number stands for a pair of atoms over one another.
        found = {n: abs(z) ** exponent * (2 if z < 0 else 1) for n, z in numbers.items()}
    else:
        found = {n: float(np.exp(rng.uniform(math.log(_FAINTEST), 0))) for n in names}
    brightest = max(found.values())
    found = {n: max(value / brightest, _FAINTEST) for n, value in found.items()}
    drawn["brightness"] = {n: round(value, 4) for n, value in found.items()}
    drawn["columns_in_cell"] = len(cell.basis)
    return found


def _lattice(
    rng: np.random.Generator,
    cell: Cell,
    matrix: NDArray[np.float64],
    shape: tuple[int, int],
    margin: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Places (site, axis) of all columns over the image and its margin, and which of the cell."""
    vectors, basis = cell.vectors @ matrix.T, cell.basis @ matrix.T
    low, high = np.full(2, -margin), np.asarray(shape) - 1 + margin
    corners = np.array([[y, x] for y in (low[0], high[0]) for x in (low[1], high[1])])
    origin = rng.uniform(0.0, 1.0, 2) @ vectors
    counts = (corners - origin) @ np.linalg.inv(vectors)
    ranges = [np.arange(math.floor(c.min()) - 1, math.ceil(c.max()) + 2) for c in counts.T]
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    places = (steps @ vectors + basis + origin).reshape(-1, 2)
    number = np.tile(np.arange(len(basis)), len(steps))
    inside = ((places >= low) & (places <= high)).all(axis=1)
    return places[inside], number[inside]


def _turn(angle: float) -> NDArray[np.float64]:
    """Rotation of vectors (y, x) by an angle in rad from +x towards +y."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _crystal(
    cell: Cell,
    brightness: dict[str, float],
    places: NDArray[np.float64],
    number: NDArray[np.int64],
    shape: tuple[int, int],
) -> Sample:
    species = np.asarray(cell.species)[number]
    peaks = np.array([brightness[name] for name in cell.species])[number]
    ones = np.ones(len(places))
    # Light columns vibrate more, which makes them some percent broader.
    widths = np.array([1.0 + 0.1 * (1 - brightness[n]) for n in cell.species])[number]
    role = np.full(len(places), "regular", dtype="<U12")
    return Sample(places, peaks, widths, species, role, ones, np.ones(shape, dtype=bool))


def _grains(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    cell: Cell,
    brightness: dict[str, float],
    spacing: float,
    shape: tuple[int, int],
    margin: float,
) -> Sample:
    """Tile the image with one grain, or with some that meet along ragged lines."""
    stretch = np.eye(2) + rng.normal(0.0, rng.choice([0.005, 0.02, 0.05]), (2, 2))
    angle = rng.uniform(0.0, 2 * math.pi)
    n_grains = int(rng.choice([1, 2, 3, 4], p=[0.72, 0.17, 0.07, 0.04]))
    drawn["rotation_deg"] = round(math.degrees(angle), 2)
    drawn["stretch"] = np.round(stretch, 4).tolist()
    drawn["grains"] = n_grains
    base = spacing * stretch @ _turn(angle)
    if n_grains == 1:
        places, number = _lattice(rng, cell, base, shape, margin)
        return _crystal(cell, brightness, places, number, shape)
    seeds = rng.uniform(0.0, 1.0, (n_grains, 2)) * shape
    rag = draw_smooth_field(rng, shape, detail=4.0, steepness=3.0)
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
            matrix = spacing * stretch @ _turn(angle + turn)
        places, number = _lattice(rng, cell, matrix, shape, margin)
        far = np.hypot(*(places[:, None, :] - seeds).transpose(2, 0, 1))
        far[:, 1:] += (0.0 if twin else 0.5 * spacing) * rag.at(places)[:, None]
        own = far.argmin(axis=1) == k
        found.append((places[own], number[own], np.full(own.sum(), k)))
    places, number, grain = (np.concatenate(part) for part in zip(*found, strict=True))
    kept = _apart_across(places, grain, 0.75 * spacing)
    return _crystal(cell, brightness, places[kept], number[kept], shape)


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
    cell: Cell,
    brightness: dict[str, float],
    sample: Sample,
    spacing: float,
    shape: tuple[int, int],
    margin: float,
) -> Sample:
    """Lay a second sheet, shifted but not turned, over a part of the image, now and then."""
    if rng.random() > 0.06:
        return sample
    stretch = np.asarray(drawn["stretch"])
    matrix = spacing * stretch @ _turn(math.radians(drawn["rotation_deg"]))
    faint = float(rng.uniform(0.4, 1.0))
    drawn["second_layer"] = round(faint, 3)
    places, number = _lattice(rng, cell, matrix, shape, margin)
    area = draw_smooth_field(rng, shape, detail=1.0, steepness=3.0)
    places, number = (part[area.at(places) > 0] for part in (places, number))
    upper = _crystal(cell, {n: v * faint for n, v in brightness.items()}, places, number, shape)
    return joined(sample, upper)


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
    whole = Sample(
        places, peaks, sample.widths, sample.species, sample.roles, sample.occupancy,
        sample.crystalline,
    )  # fmt: skip
    return whole.where(kept)


def _with_defects(
    rng: np.random.Generator, drawn: dict[str, Any], sample: Sample, spacing: float
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
    swapped = rng.random(n) < shares["substitutions"]
    factor = np.exp(rng.choice([-1, 1], n) * rng.uniform(0.25, 1.6, n))
    peaks[swapped] = (peaks * factor)[swapped].clip(_FAINTEST, None)
    roles[swapped], species[swapped] = "substitution", "X"
    places = sample.places + displacement * spacing * rng.standard_normal((n, 2))
    whole = Sample(
        places, peaks, sample.widths, species, roles, occupancy, sample.crystalline
    ).where(rng.random(n) >= shares["vacancies"])
    for role in ("adatoms", "interstitials"):
        whole = _with_extra(rng, whole, round(shares[role] * n), role[:-1], spacing)
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
        level.clip(_FAINTEST, None),
        np.ones(len(places)),
        np.full(len(places), "X"),
        np.full(len(places), role, dtype="<U12"),
        np.ones(len(places)),
        sample.crystalline,
    )
    return joined(sample, extra)


def _strained(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    sample: Sample,
    spacing: float,
    shape: tuple[int, int],
) -> Sample:
    """Bend the lattice smoothly, now and then."""
    amount = float(rng.choice([0.0, rng.uniform(0.0, 0.6)], p=[0.5, 0.5]))
    drawn["bending"] = round(amount, 3)
    if not amount:
        return sample
    bends = [draw_smooth_field(rng, shape, detail=1.0, steepness=4.0) for _ in range(2)]
    moved = np.stack([bend.at(sample.places) for bend in bends], axis=1) * amount * spacing
    return Sample(
        sample.places + moved, sample.peaks, sample.widths, sample.species, sample.roles,
        sample.occupancy, sample.crystalline,
    )  # fmt: skip


def _cut(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    sample: Sample,
    spacing: float,
    shape: tuple[int, int],
) -> Sample:
    """Leave a part of the image empty or amorphous, now and then."""
    drawn["cut"] = "none"
    if rng.random() > 0.2:
        return sample
    kind = str(rng.choice(["holes", "edge", "amorphous"], p=[0.4, 0.35, 0.25]))
    share = float(rng.uniform(0.05, 0.6))
    drawn |= {"cut": kind, "cut_share": round(share, 3)}
    field = draw_smooth_field(rng, shape, detail=0.7 if kind == "edge" else 3.0, steepness=3.0)
    level = float(np.quantile(field.pixels(), share))
    beyond = field.at(sample.places) < level
    crystalline = field.pixels() >= level
    if kind != "amorphous":
        found = sample.where(~beyond)
    else:
        places, roles = sample.places.copy(), sample.roles.copy()
        places[beyond] = _pushed_apart(rng, places[beyond], spacing)
        roles[beyond] = "amorphous"
        found = Sample(
            places, sample.peaks, sample.widths, sample.species, roles, sample.occupancy,
            crystalline,
        )  # fmt: skip
    return Sample(
        found.places, found.peaks, found.widths, found.species, found.roles, found.occupancy,
        crystalline,
    )  # fmt: skip


def _pushed_apart(
    rng: np.random.Generator, places: NDArray[np.float64], spacing: float
) -> NDArray[np.float64]:
    """Scatter places at random, then push those apart that came too close: a random dense packing."""
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
    spacing: float,
    shape: tuple[int, int],
    margin: float,
) -> Sample:
    """Draw a random dense packing, as dense and as broad as a lattice would be."""
    size = np.asarray(shape) + 2 * margin
    density = rng.uniform(0.6, 1.1) / spacing**2
    places = rng.uniform(0.0, 1.0, (round(density * size.prod()), 2)) * size - margin
    places = _pushed_apart(rng, places, spacing)
    n = len(places)
    spread = float(rng.uniform(0.0, 0.6))
    drawn |= {"packing": round(float(density * spacing**2), 3), "peak_spread": round(spread, 3)}
    return Sample(
        places,
        np.exp(spread * rng.standard_normal(n)).clip(0.1, 4.0),
        np.ones(n),
        np.full(n, "C"),
        np.full(n, "amorphous", dtype="<U12"),
        np.ones(n),
        np.zeros(shape, dtype=bool),
    )
