"""Ferroic perovskite films with domains on a substrate that is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.schema import Sites, add_note, sites_from_positions
from adatom.simulation.columns import set_columns
from adatom.simulation.domain_layouts import DomainLayout, Pattern, draw_layout
from adatom.simulation.domain_strain import relaxed_displacement, stretched_along
from adatom.units import LENGTH, length_from_setting
from adatom.units import Length as Length  # noqa: PLC0414 -- read by recipes at run time

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Between those of BiFeO3 (0.34) and of SrTiO3 (0.23): how much a film that is clamped
# in its plane gets longer across it.
_POISSON: Final = 0.3
_N_VARIANTS: Final = 4
# The sublattices in the order of their numbers.
A, B, OXYGEN = range(3)


@dataclass(frozen=True)
class Film:
    """A film ABO3 seen along [100], coherent with a substrate A'B'O3 below it.

    The defaults are like BiFeO3 on SrTiO3.

    Attributes
    ----------
    elements, substrate_elements : tuple of two str
        A and B; the column of B holds an oxygen as well.
    lattice_parameter : length
        Of the substrate, and in its plane of the film.
    misfit : float
        By how much the film would be larger by itself, relative. Clamped in the
        plane it is longer across it by 1.86 times that (Poisson's ratio 0.3).
    displacement : length
        Of B against the center of its cage of A in the midst of a domain. 0 nm
        is a film without polarization.
    directions : {"diagonals", "edges"}
        Along which it lies in projection: variant k points to 45 + 90 k deg or to
        90 k deg from the film's +x towards +y.
    variants : tuple of int
        Those that occur, in this order in stripes.
    pattern : {"stripes", "patches"}
        Domains between parallel walls, or between walls in all directions.
    domain_size : length
        Width of stripes, pitch of patches.
    wall_angle : float
        Of the walls of stripes, in deg from the film's +x towards +y. 45 is that of
        71 and 180 deg walls as they are seen most.
    wall_width : length
        Across a wall the displacement goes as tanh(distance / width): one unit cell.
    shear : float
        Angle in deg of the strain that stretches the cells of a domain along its
        displacement, and shrinks them across: along a diagonal the cell's angle changes by
        this, in rhombohedral BiFeO3 by 0.5. Domains relax elastically, held by the substrate.
    substrate : float
        Share of the field that the substrate takes, at its lower end.
    steps : int
        Steps of one unit cell in the surface of the substrate, at random places.
    rotation : float
        Of all, in deg from +x towards +y.
    disorder : length
        Standard deviation of random displacements of all columns, per axis.
    """

    elements: tuple[str, str] = ("Bi", "Fe")
    substrate_elements: tuple[str, str] = ("Sr", "Ti")
    lattice_parameter: Length = "0.3905 nm"
    misfit: float = 0.015
    displacement: Length = "0.04 nm"
    directions: Literal["diagonals", "edges"] = "diagonals"
    variants: tuple[int, ...] = (0, 1, 2, 3)
    pattern: Pattern = "stripes"
    domain_size: Length = "4 nm"
    wall_angle: float = 45.0
    wall_width: Length = "0.4 nm"
    shear: float = 0.0
    substrate: float = 0.25
    steps: int = 1
    rotation: float = 3.0
    disorder: Length = "0 nm"

    def __post_init__(self) -> None:
        for name in ("lattice_parameter", "displacement", "domain_size", "wall_width", "disorder"):
            given = getattr(self, name)
            value, unit = LENGTH.check(given, name=name)
            may_be_zero = name in {"displacement", "disorder"}
            if unit != "nm" or value < 0 or (value == 0 and not may_be_zero):
                msg = f"{name}={given!r} must be a positive length in nm"
                raise SettingError(msg)
        wrong = [variant for variant in self.variants if not 0 <= variant < _N_VARIANTS]
        if wrong or not self.variants:
            msg = f"variants={self.variants} must be one or more of 0, 1, 2, 3"
            raise SettingError(msg)
        if not 0 <= self.substrate < 1:
            msg = f"substrate={self.substrate} is a share of the field: 0 to less than 1"
            raise SettingError(msg)
        if not abs(self.misfit) < 0.1 or not abs(self.shear) < 5:
            msg = f"misfit={self.misfit} or shear={self.shear} deg is that of no perovskite"
            raise SettingError(msg)
        if self.steps < 0:
            msg = f"steps={self.steps} must be 0 or more"
            raise SettingError(msg)

    @property
    def unit_vectors(self) -> NDArray[np.float64]:
        """Directions (variant, axis) of the variants in the frame of the film, axis y, x."""
        first = 45.0 if self.directions == "diagonals" else 0.0
        turn = np.deg2rad(first + 90.0 * np.arange(_N_VARIANTS))
        return np.stack([np.sin(turn), np.cos(turn)], axis=1)

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Displacements (variant, axis) of B in the frame of the film, axis y, x, in nm."""
        length = length_from_setting(self.displacement, unit="nm", name="displacement")
        return length * self.unit_vectors


def build_film(
    *,
    film: Film = Film(),
    field: tuple[float, float] = (10.0, 10.0),
    margin: float = 1.0,
    seed: int = 0,
) -> Sites:
    """Lay out the columns of a ferroic film on its substrate, all that is true of them known.

    Parameters
    ----------
    film : Film
        The film, its domains and its substrate.
    field : tuple of two floats
        Height and width of the field in nm; its first corner is the origin.
    margin : float
        Columns are laid out as far as this beyond the field, in nm.
    seed : int
        Of domains, steps, disorder, and the origin of the lattice.

    Returns
    -------
    Sites
        In nm, with ``species``, ``class``, ``composition`` and ``occupancy`` as of
        `build_lattice`; ``sublattice``: 0 A, 1 B, 2 oxygen; ``lattice_index`` (site,
        direction) of the cell; ``phase``: 0 the film, 1 the substrate; ``domain``:
        0 in the substrate, 1 to 4 in the film, its variant plus one;
        ``wall_distance`` to the nearest wall or to the interface; and
        ``polar_displacement`` (site, axis) of B from the center of its cage, NaN for
        the others; and, if domains are strained, ``displacement`` (site, axis) by
        which they moved a column. ``attrs["spacing"]`` is the distance between A and B.

    Raises
    ------
    SettingError
        If the field has no room for a cell, or `margin` is negative.

    Examples
    --------
    >>> sites = build_film(field=(4.0, 4.0))
    >>> sorted(set(sites["class"].values.tolist()))
    ['Bi', 'FeO', 'O', 'Sr', 'TiO']
    """
    if not 0 <= margin < math.inf:
        msg = f"{margin=} must be 0 nm or more"
        raise SettingError(msg)
    return film_of_layout(draw_film(film, field, seed), margin).sites


class FilmLayout(NamedTuple):
    """All that is drawn of a film, apart from its columns.

    Attributes
    ----------
    film : Film
    field : ndarray, shape (axis,)
        In nm.
    domains : DomainLayout
        In the frame of the film: y, x from the middle of the field, before rotation.
    interface : float
        Where, in that frame, the substrate begins at the left.
    steps : ndarray, shape (step,)
        Where, along x of that frame, its surface goes up by a cell.
    seed : SeedSequence
        Of what is still to be drawn.
    """

    film: Film
    field: NDArray[np.float64]
    domains: DomainLayout
    interface: float
    steps: NDArray[np.float64]
    seed: np.random.SeedSequence

    def cell_shape(self) -> tuple[float, float, float]:
        """In-plane lattice parameter, and heights of the cells of substrate and film."""
        a = length_from_setting(self.film.lattice_parameter, unit="nm", name="lattice_parameter")
        free = a * (1 + self.film.misfit)
        c = free * (1 + 2 * _POISSON / (1 - _POISSON) * self.film.misfit)
        return a, a, c

    def in_frame(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places (place, axis) of the field in the frame of the film."""
        found: NDArray[np.float64] = (places - self.field / 2) @ _rotation(self.film.rotation)
        return found

    def in_field(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places (place, axis) of the frame of the film in the field."""
        found: NDArray[np.float64] = places @ _rotation(self.film.rotation).T + self.field / 2
        return found

    def interface_at(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where along y, in the frame of the film, the substrate begins."""
        cell = self.cell_shape()[1]
        up = np.searchsorted(np.sort(self.steps), x)
        found: NDArray[np.float64] = self.interface - cell * up.astype(np.float64)
        return found

    def domain_at(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Domain (place) in the frame of the film: 0 the substrate, then variant plus one."""
        below = places[:, 0] > self.interface_at(places[:, 1])
        return np.where(below, 0, self.domains.variant_at(places) + 1)


def draw_film(film: Film, field: tuple[float, float], seed: int) -> FilmLayout:
    """Draw domains, steps and origin of a film."""
    height, width = field
    cell = length_from_setting(film.lattice_parameter, unit="nm", name="lattice_parameter")
    if not all(side >= 2 * cell for side in field) or math.isinf(max(field)):
        msg = f"{field=} has no room for two cells of {film.lattice_parameter}"
        raise SettingError(msg)
    domains, steps, rest = np.random.SeedSequence(seed).spawn(3)
    size = length_from_setting(film.domain_size, unit="nm", name="domain_size")
    reach = math.hypot(height, width)
    layout = draw_layout(
        film.pattern,
        film.variants,
        size=size,
        angle=film.wall_angle,
        wall_width=length_from_setting(film.wall_width, unit="nm", name="wall_width"),
        reach=reach,
        rng=np.random.default_rng(domains),
    )
    rng = np.random.default_rng(steps)
    at = rng.uniform(-0.45, 0.45, film.steps) * width
    # Without a substrate the film goes on below everything that is seen.
    interface = height * (0.5 - film.substrate) if film.substrate else 2 * reach
    return FilmLayout(film, np.array(field), layout, interface + film.steps / 2 * cell, at, rest)


class BuiltFilm(NamedTuple):
    """Columns of a film, and what they were drawn from."""

    sites: Sites
    layout: FilmLayout


def film_of_layout(layout: FilmLayout, margin: float) -> BuiltFilm:
    """Lay out the columns."""
    rng = np.random.default_rng(layout.seed)
    columns = _columns(layout, margin, rng)
    film = layout.film
    disorder = length_from_setting(film.disorder, unit="nm", name="disorder")
    strained = _strained(layout, columns.place)
    moved = layout.in_field(columns.place + strained)
    moved += disorder * rng.standard_normal(columns.place.shape)
    low, high = np.full(2, -margin), layout.field + margin
    inside = np.asarray(((moved >= low) & (moved <= high)).all(axis=1), dtype=bool)
    columns, strained = columns.taken(inside), strained[inside]
    a = layout.cell_shape()[0]
    sites = sites_from_positions(*moved[inside].T, unit="nm", spacing=a / math.sqrt(2))
    sites.attrs["cell_vectors"] = (a * _rotation(film.rotation).T).tolist()
    _describe(sites, columns, layout)
    if film.shear:
        turned = strained @ _rotation(film.rotation).T
        sites["displacement"] = (("site", "axis"), turned, {"units": "nm"})
    add_note(
        sites,
        f"built: {''.join(film.elements)}O3 on {''.join(film.substrate_elements)}O3, "
        f"{film.displacement} along {film.directions}, {film.pattern} of {film.domain_size}",
    )
    return BuiltFilm(sites, layout)


def _strained(layout: FilmLayout, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much strained domains move columns, in the frame of the film."""
    film = layout.film
    if not film.shear:
        return np.zeros_like(places)
    strains = stretched_along(film.unit_vectors, film.shear)

    def strain_at(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
        in_film = nodes[:, 0] <= layout.interface_at(nodes[:, 1])
        return np.where(in_film[:, None], layout.domains.mixed(strains, nodes), 0.0)

    reach = float(np.abs(places).max())
    return relaxed_displacement(places, strain_at, reach=reach, poisson=_POISSON)


class _Columns(NamedTuple):
    """Columns in the frame of the film, everything along column."""

    place: NDArray[np.float64]
    center: NDArray[np.float64]
    """Where a column would stand without its displacement."""
    sublattice: NDArray[np.int64]
    cell: NDArray[np.int64]
    in_film: NDArray[np.bool_]

    def taken(self, keep: NDArray[np.bool_]) -> _Columns:
        """Columns that are kept."""
        return _Columns(
            self.place[keep],
            self.center[keep],
            self.sublattice[keep],
            self.cell[keep],
            self.in_film[keep],
        )


def _columns(layout: FilmLayout, margin: float, rng: np.random.Generator) -> _Columns:
    """Lay out all columns of a square that holds the field however it is turned."""
    a, c_substrate, c_film = layout.cell_shape()
    reach = math.hypot(*layout.field) / 2 + margin + 2 * max(a, c_film)
    n = math.ceil(reach / a) + 1
    j = np.arange(-n, n + 1)
    x = (j.astype(np.float64) + rng.uniform(-0.5, 0.5)) * a
    surface = layout.interface_at(x)
    # Rows of A from the surface of the substrate on, each side's rows its own distance apart;
    # where the surface steps up by a cell, so do the numbers of the rows.
    up = np.rint((layout.interface - surface) / c_substrate).astype(np.int64)
    if layout.film.substrate:
        i = np.arange(
            -math.ceil((reach - layout.interface) / a) - up.max(initial=0) - 2,
            math.ceil((reach + layout.interface) / min(a, c_film)) + 2,
        )
    else:
        i = np.arange(0, math.ceil(2 * reach / c_film) + 2)
        surface, up = np.full_like(surface, reach), np.zeros_like(up)
    above = i[:, None] - up
    y = surface - np.where(above >= 0, c_film, c_substrate) * above
    corner = np.stack([y, np.broadcast_to(x, y.shape)], axis=-1)
    film = above >= 0
    index = np.stack(np.broadcast_arrays(i[:, None], j), axis=-1)
    low, right = corner[:-1, :-1], corner[:-1, 1:]
    high, high_right = corner[1:, :-1], corner[1:, 1:]
    middle = (low + right + high + high_right) / 4
    parts = [
        (corner, A, index, film),
        (middle, B, index[:-1, :-1], film[:-1, :-1]),
        ((low + right) / 2, OXYGEN, index[:-1, :-1], film[:-1, :-1]),
        ((low + high) / 2, OXYGEN, index[:-1, :-1], film[:-1, :-1]),
    ]
    center = np.concatenate([place.reshape(-1, 2) for place, *_ in parts])
    sublattice = np.concatenate([np.full(place[..., 0].size, s) for place, s, *_ in parts])
    cell = np.concatenate([number.reshape(-1, 2) for *_, number, _ in parts])
    in_film = np.concatenate([own.ravel() for *_, own in parts])
    polar = layout.domains.mixed(layout.film.vectors, center)
    place = center + np.where((in_film & (sublattice == B))[:, None], polar, 0.0)
    return _Columns(place, center, sublattice, cell, in_film)


def _describe(sites: Sites, columns: _Columns, layout: FilmLayout) -> None:
    """Write what is true of every column."""
    film = layout.film
    elements = (*film.elements, *film.substrate_elements, "O")
    counts = np.zeros((len(columns.place), 5))
    number = np.where(columns.in_film, 0, 2) + np.minimum(columns.sublattice, 1)
    of_metal = columns.sublattice != OXYGEN
    counts[of_metal, number[of_metal]] = 1.0
    counts[columns.sublattice != A, 4] += 1.0
    names = np.array([elements[0], f"{elements[1]}O", elements[2], f"{elements[3]}O", "O"])
    sites["class"] = ("site", names[np.where(of_metal, number, 4)])
    sites["sublattice"] = ("site", columns.sublattice)
    # Two elements of one name, as of film and substrate with the same A, are one.
    unique = tuple(dict.fromkeys(elements))
    together = np.array([[first == second for second in unique] for first in elements], dtype=float)
    set_columns(sites, unique, counts @ together)
    sites.coords["direction"] = ("direction", np.array(["i", "j"]))
    sites["lattice_index"] = (("site", "direction"), columns.cell)
    sites["phase"] = ("site", np.where(columns.in_film, 0, 1))
    variant = layout.domains.variant_at(columns.center)
    sites["domain"] = ("site", np.where(columns.in_film, variant + 1, 0))
    to_interface = np.abs(columns.center[:, 0] - layout.interface_at(columns.center[:, 1]))
    to_wall = np.where(columns.in_film, layout.domains.wall_distance(columns.center), np.inf)
    sites["wall_distance"] = ("site", np.minimum(to_interface, to_wall), {"units": "nm"})
    sites.coords["axis"] = ("axis", np.array(["y", "x"]))
    polar = (columns.place - columns.center) @ _rotation(film.rotation).T
    polar[columns.sublattice != B] = np.nan
    sites["polar_displacement"] = (("site", "axis"), polar, {"units": "nm"})


def _rotation(degrees: float) -> NDArray[np.float64]:
    """Give the matrix that turns vectors y, x from +x towards +y."""
    turn = math.radians(degrees)
    return np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
