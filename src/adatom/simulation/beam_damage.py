"""A sheet of metal and chalcogen under the beam: a movie of its defects, with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from adatom.errors import SettingError
from adatom.schema import Mask, Movie, Sites, add_note, positions, sites_from_positions
from adatom.simulation.images import Simulation, simulate_image
from adatom.simulation.lattices import Crystal, build_lattice
from adatom.simulation.microscope import Microscope
from adatom.units import LENGTH, Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Bools = NDArray[np.bool_]

# A metal atom that has lost so many of its six chalcogen atoms leaves within a few frames.
_LOOSE: Final = 4
_LEAVES: Final = 0.3
# Around a hole the sheet is disturbed over this distance, in distances between columns.
_RIM: Final = 3.0
# Share of the movie after which holes open.
_HOLES_FROM: Final = 0.5


@dataclass(frozen=True)
class BeamDamage:
    """What the beam finds in a sheet, and what it does to it.

    Attributes
    ----------
    species : pair of str
        Metal and chalcogen of a sheet of the 2H kind.
    dopant : str
        The metal that replaces some of the atoms.
    dopants, vacancies, adatoms : float
        At the start: share of the metal sites with a dopant, share of
        chalcogen columns that lack one of two atoms, and share of the metal
        sites with a second metal atom on top.
    rate : float
        Probability that an atom of a chalcogen column is knocked out in a frame.
    growth : float
        By how much every atom that is missing next to it raises this
        probability, relative to `rate`: so vacancies grow into clusters.
    hop : float
        Probability that a vacancy or an adatom moves to a neighbor in a frame.
    holes : int
        Holes that open in the second half of the movie, where most is missing.
    hole_radius : length
        Of a hole in the last frame, in nm.
    disorder : float
        Standard deviation of displacements in the last frame, in distances of
        columns, growing with the square of time; about holes three times as large.
    drift : length
        Typical motion of the sample from frame to frame, in nm.
    """

    species: tuple[str, str] = ("Mo", "S")
    dopant: str = "V"
    dopants: float = 0.01
    vacancies: float = 0.012
    adatoms: float = 0.004
    rate: float = 0.002
    growth: float = 3.0
    hop: float = 0.15
    holes: int = 2
    hole_radius: Length = "0.8 nm"
    disorder: float = 0.06
    drift: Length = "0.05 nm"

    def __post_init__(self) -> None:
        for name in ("dopants", "vacancies", "adatoms", "rate", "hop"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                msg = f"{name}={value} is a share or a probability: 0 to 1"
                raise SettingError(msg)
        for name in ("growth", "disorder", "holes"):
            value = getattr(self, name)
            if not value >= 0:
                msg = f"{name}={value} must be 0 or more"
                raise SettingError(msg)
        for name in ("hole_radius", "drift"):
            text = getattr(self, name)
            if LENGTH.check(text, name=name).value < 0:
                msg = f"{name}={text!r} must be 0 or more"
                raise SettingError(msg)


class DefectMovie(NamedTuple):
    """A simulated movie of defects and the truth about it.

    Attributes
    ----------
    movie : Movie
        In counts.
    truth : Sites
        Of every frame the point defects on intact lattice, where they are in
        the image: ``class`` (such as "one S missing", "two S missing", "Mo missing",
        "V for Mo", "Mo on Mo"), ``sign`` ("missing" or "extra" brightness),
        ``column``, which names the column through all frames, and ``frame``.
    atoms : Sites
        All columns that hold atoms, with ``occupancy``, ``column`` and ``frame``.
    intact : Mask
        (frame, y, x); False in holes.
    """

    movie: Movie
    truth: Sites
    atoms: Sites
    intact: Mask


class _Sheet(NamedTuple):
    """Columns of a perfect sheet, in nm, and which are neighbors of their own and the other kind.

    Both matrices are (column, column), 1 for neighbors.
    """

    place: Floats
    is_metal: Bools
    like: csr_array
    other: csr_array
    spacing: float


@dataclass
class _State:
    """How many chalcogen or metal atoms every column holds, and which metal is a dopant."""

    atoms: Counts
    dopant: Bools


def simulate_defect_movie(
    *,
    damage: BeamDamage = BeamDamage(),
    n_frames: int = 12,
    size: int = 256,
    field: Length = "7 nm",
    microscope: Microscope = Microscope(electrons=60.0),  # noqa: B008 -- frozen
    seed: int = 0,
) -> DefectMovie:
    """Simulate a movie of a metal dichalcogenide that the beam damages, with all defects known.

    The sheet starts with dopants, adatoms and vacancies of the chalcogen.
    From frame to frame atoms are knocked out, the sooner the more are missing
    around them; vacancies and adatoms hop. Toward the end atoms stray from
    their places and holes open: the periodicity of the first frames is lost.

    Parameters
    ----------
    damage : BeamDamage
        The sheet and its fate.
    n_frames : int
        At least 2.
    size : int
        Rows and columns of a frame.
    field : length
        Height and width of a frame: 7 nm hold some 570 columns of each kind.
    microscope : Microscope
        Probe, scan and detector; a movie has a low dose, 60 electrons from an atom of
        carbon, so that one missing S is some five standard deviations of the noise.
    seed : int
        Of everything random.

    Returns
    -------
    DefectMovie
        ``movie``, ``truth``, ``atoms`` and ``intact``.

    Raises
    ------
    SettingError
        If there are fewer than two frames, or the field has no extent.

    Examples
    --------
    >>> simulation = simulate_defect_movie(n_frames=3, size=96, field="2.6 nm")
    >>> simulation.movie.sizes["frame"], bool(simulation.intact[0].all())
    (3, True)
    """
    length = length_from_setting(field, unit="nm", name="field")
    if n_frames < 2 or size < 16 or not length > 0:
        msg = f"{n_frames=}, {size=}, {field=}: need 2 frames, 16 pixels and a positive length"
        raise SettingError(msg)
    rng, motion_rng, image_rng = np.random.default_rng(seed).spawn(3)
    drift = _drift(n_frames, length_from_setting(damage.drift, unit="nm", name="drift"), motion_rng)
    sheet = _sheet(damage, length, margin=1.2 + float(np.abs(drift).max()), seed=seed)
    state = _start(sheet, damage, rng)
    stray = motion_rng.normal(size=sheet.place.shape)
    centers = sheet.place[:0]
    frames = []
    for number in range(n_frames):
        time = number / (n_frames - 1)
        if number:
            _hop(sheet, state, damage, rng)
            _knock_out(sheet, state, damage, rng)
        if not len(centers) and time > _HOLES_FROM:
            centers = _hole_centers(sheet, state, damage.holes, length)
        depth = _depth_in_holes(sheet, centers, damage, time)
        moved = sheet.place + drift[number] + stray * _spread(depth, damage, time, sheet.spacing)
        frames.append(
            simulate_image(
                _columns(moved, sheet, state, damage, in_hole=depth > 0),
                shape=(size, size),
                pixel_size=f"{length / size!r} nm",
                microscope=microscope,
                seed=int(image_rng.integers(2**31)),
            )
        )
    return _joined(frames, f"simulated: {'-'.join(damage.species)} under the beam, {seed=}")


def _drift(n_frames: int, step: float, rng: np.random.Generator) -> Floats:
    """Wander with a steady part, (frame, axis); the first frame stays."""
    steady = rng.normal(size=2)
    steps = 0.7 * steady / np.linalg.norm(steady) + rng.normal(size=(n_frames, 2)) * 0.5
    steps[0] = 0
    return np.asarray(np.cumsum(step * steps, axis=0))


def _sheet(damage: BeamDamage, length: float, *, margin: float, seed: int) -> _Sheet:
    sites = build_lattice(
        crystal=Crystal("tmd", spacing="1 d", species=damage.species, rotation=11.0),
        field=(length, length),
        unit="nm",
        margin=margin,
        seed=seed,
    )
    place, spacing = positions(sites), float(sites.attrs["spacing"])
    is_metal = sites["species"].values == damage.species[0]
    # Of the own kind at sqrt(3) of the distance to the other kind.
    pairs = cKDTree(place).query_pairs(1.9 * spacing, output_type="ndarray")
    like = is_metal[pairs[:, 0]] == is_metal[pairs[:, 1]]
    near, far = (_neighbors(pairs[kind], len(place)) for kind in (~like, like))
    return _Sheet(place, is_metal, far, near, spacing)


def _neighbors(pairs: Counts, count: int) -> csr_array:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return csr_array((np.ones(len(both)), tuple(both.T)), shape=(count, count))


def _start(sheet: _Sheet, damage: BeamDamage, rng: np.random.Generator) -> _State:
    draw = rng.uniform(size=len(sheet.place))
    atoms = np.where(sheet.is_metal, 1, 2)
    atoms[~sheet.is_metal & (draw < damage.vacancies)] -= 1
    atoms[sheet.is_metal & (draw < damage.adatoms)] += 1
    dopant = sheet.is_metal & (draw > 1 - damage.dopants) & (atoms == 1)
    return _State(atoms, dopant)


def _missing(sheet: _Sheet, state: _State) -> Counts:
    return np.maximum(np.where(sheet.is_metal, 1, 2) - state.atoms, 0)


def _hop(sheet: _Sheet, state: _State, damage: BeamDamage, rng: np.random.Generator) -> None:
    """Move vacancies of the chalcogen and adatoms on to full, bare neighbors of the same kind."""
    full = np.where(sheet.is_metal, 1, 2)
    odd = (state.atoms != full) & (~sheet.is_metal | (state.atoms > 1))
    for column in np.flatnonzero(odd & (rng.uniform(size=odd.size) < damage.hop)).tolist():
        around = sheet.like.indices[sheet.like.indptr[column] : sheet.like.indptr[column + 1]]
        around = around[(state.atoms[around] == full[around]) & ~state.dopant[around]]
        if around.size:
            other = int(rng.choice(around))
            step = int(np.sign(state.atoms[column] - full[column]))
            state.atoms[column] -= step
            state.atoms[other] += step


def _knock_out(sheet: _Sheet, state: _State, damage: BeamDamage, rng: np.random.Generator) -> None:
    missing = _missing(sheet, state)
    around = sheet.like @ np.where(sheet.is_metal, 0, missing) + sheet.other @ missing
    chance = np.minimum(damage.rate * (1 + damage.growth * around), 1.0)
    lost = rng.binomial(state.atoms, chance)
    loose = (sheet.other @ missing >= _LOOSE) & (rng.uniform(size=missing.size) < _LEAVES)
    state.atoms -= np.where(sheet.is_metal, np.where(loose, state.atoms, 0), lost)
    state.dopant &= state.atoms > 0


def _hole_centers(sheet: _Sheet, state: _State, holes: int, length: float) -> Floats:
    """Choose places in the field where most is missing, a third of the field apart."""
    missing = _missing(sheet, state)
    around = missing + sheet.like @ missing + sheet.other @ missing
    inside = ((sheet.place > 0.15 * length) & (sheet.place < 0.85 * length)).all(axis=1)
    order = np.flatnonzero(inside)[np.argsort(-around[inside], kind="stable")]
    chosen: list[int] = []
    for column in order.tolist():
        apart = np.linalg.norm(sheet.place[chosen] - sheet.place[column], axis=1)
        if len(chosen) < holes and (apart > length / 3).all():
            chosen.append(column)
    return sheet.place[chosen]


def _depth_in_holes(sheet: _Sheet, centers: Floats, damage: BeamDamage, time: float) -> Floats:
    """Give how far inside the rim of the nearest hole a column stands; negative outside."""
    if not len(centers):
        return np.full(len(sheet.place), -np.inf)
    final = length_from_setting(damage.hole_radius, unit="nm", name="hole_radius")
    radius = final * (time - _HOLES_FROM) / (1 - _HOLES_FROM)
    distance, _ = cKDTree(centers).query(sheet.place)
    return np.asarray(radius - distance)


def _spread(depth: Floats, damage: BeamDamage, time: float, spacing: float) -> Floats:
    """Give the standard deviation of displacements, (column, 1), in nm."""
    rim = np.exp(np.minimum(depth, 0) / (_RIM * spacing))
    return np.asarray(damage.disorder * spacing * time**2 * (1 + 2 * rim))[:, None]


def _columns(
    place: Floats, sheet: _Sheet, state: _State, damage: BeamDamage, *, in_hole: Bools
) -> Sites:
    """Give all columns as sites, empty ones with an occupancy of 0."""
    metal, chalcogen = damage.species
    sites = sites_from_positions(*place.T, unit="nm", spacing=sheet.spacing)
    kinds = np.where(sheet.is_metal, metal, chalcogen)
    atoms = np.where(in_hole, 0, state.atoms)
    names = np.where(sheet.is_metal, metal, f"{chalcogen}2").astype("<U24")
    for chosen, name in (
        (state.dopant, f"{damage.dopant} for {metal}"),
        (sheet.is_metal & (atoms > 1), f"{metal} on {metal}"),
        (sheet.is_metal & (atoms == 0), f"{metal} missing"),
        (~sheet.is_metal & (atoms == 1), f"one {chalcogen} missing"),
        (~sheet.is_metal & (atoms == 0), f"two {chalcogen} missing"),
    ):
        names[chosen] = name
    sites["species"] = ("site", np.where(state.dopant, damage.dopant, kinds))
    sites["occupancy"] = ("site", atoms.astype(float))
    sites["class"] = ("site", names)
    sites["column"] = ("site", np.arange(len(place)))
    sites["in_hole"] = ("site", in_hole)
    return sites


def _joined(frames: list[Simulation], note: str) -> DefectMovie:
    movie = xr.concat([frame.image for frame in frames], dim="frame", combine_attrs="override")
    add_note(movie, note)
    columns = [frame.truth for frame in frames]
    # The names of perfect columns say what they hold; all others are defects.
    defects, atoms = [], []
    for number, truth in enumerate(columns):
        whole = truth.assign_coords(frame=("site", np.full(truth.sizes["site"], number)))
        odd = np.char.find(truth["class"].values.astype(str), " ") > 0
        defects.append(_point_defects(whole.isel(site=odd & ~truth["in_hole"].values)))
        atoms.append(whole.isel(site=truth["occupancy"].values > 0).drop_vars("in_hole"))
    intact = xr.DataArray(
        np.stack([_intact(frame) for frame in frames]),
        dims=("frame", "y", "x"),
        coords={dim: movie.coords[dim] for dim in ("y", "x")},
        name="intact",
    )
    return DefectMovie(movie, _along_sites(defects), _along_sites(atoms), intact)


def _point_defects(sites: Sites) -> Sites:
    bright = np.char.find(sites["class"].values.astype(str), " on ") > 0
    kept = sites[["class", "column", "visible"]]
    kept["sign"] = ("site", np.where(bright, "extra", "missing"))
    return kept


def _along_sites(parts: list[Sites]) -> Sites:
    return xr.concat(parts, dim="site", combine_attrs="override")


def _intact(frame: Simulation) -> Bools:
    """Tell for every pixel whether the nearest column is outside of holes."""
    y, x = (frame.image.coords[dim].values for dim in ("y", "x"))
    pixels = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    _, nearest = cKDTree(positions(frame.truth)).query(pixels)
    return np.asarray(~frame.truth["in_hole"].values[nearest])
