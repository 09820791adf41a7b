"""Every place of a crystal, whether or not an atom is seen there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from adatom.errors import NoLatticeError, SettingError, TooFewSitesError
from adatom.numerics.average_cell import (
    CellColumns,
    average_cell,
    fit_columns,
    places_in_cells,
    whole_cells,
)
from adatom.numerics.fixed_gaussians import Heights, fit_heights
from adatom.numerics.lattice_walk import Walk, lattice_vectors, walk_lattice
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import (
    IMAGE,
    MASK,
    SITES,
    Image,
    Mask,
    Sites,
    add_note,
    extent,
    pixel_size,
    positions,
    sites_from_positions,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A third of the mean distance of columns: nearer peaks of the average cell are one column.
_APART: Final = 0.3
# Sites of the brightest sublattice that say how bright it is here.
_N_AROUND: Final = 12
# Squared residuals spread by half; ten such spreads above the median is dirt, not noise.
_DIRTY: Final = 10.0
_FEWEST_CELLS: Final = 12
# In standard deviations: farther away a column does not shine.
_REACH: Final = 3.5
# In standard errors of the mean height: the best of a thousand places in noise reaches four.
_LEAST_BRIGHTNESS: Final = 6.0


class _Placed(NamedTuple):
    """Places in pixels, the column of the cell that each is, and its cell."""

    place: NDArray[np.float64]
    column: NDArray[np.int64]
    cell: NDArray[np.int64]

    def those(self, keep: NDArray[np.bool_]) -> _Placed:
        """Keep some of the places."""
        return _Placed(self.place[keep], self.column[keep], self.cell[keep])


def find_lattice_sites(
    image: Image, atoms: Sites, regions: Mask | None = None, /, *, n_columns: int
) -> Sites:
    """Find every place of a crystal and measure how bright it is, atom or no atom.

    A finder sees only what is bright enough; which weak columns it misses
    depends on their neighbors, the noise and the dirt, and what is missed has
    no intensity. Here the lattice is found first, and then measured at all its
    places: a vacancy has an intensity about zero, a lighter atom a lower
    one, and a dark metal atom is not taken for a bright sulfur column, as
    sublattices are told by position, not by brightness.

    The vectors of the lattice come from the autocorrelation of the image; the
    atoms are numbered along them from neighbor to neighbor, so that drift and
    scan distortion are followed; the image averaged over all cells shows the
    columns of a cell far above the noise; each cell's columns are placed
    between the atoms at its corners; and the heights of all columns are
    fitted at once, over a background that varies slowly.

    Parameters
    ----------
    image : Image
        Atoms bright. Loaded into memory if it is lazy.
    atoms : Sites
        Of `find_atoms`; weak columns need not be among them.
    regions : Mask, optional
        Where to look; by default everywhere.
    n_columns : int
        Columns of atoms in the primitive cell, as seen along the beam: 1
        for a simple metal, 2 for graphene, MoS2 or a perovskite along [100]
        without its oxygen.

    Returns
    -------
    Sites
        In the unit of the atoms, with ``sublattice`` (0 has the brightest
        column in the mean); ``cell_i`` and ``cell_j``, the number of the cell;
        ``amplitude`` with ``amplitude_error`` for independent noise of pixels,
        and ``background``; ``relative_intensity``, the amplitude over the
        median amplitude of the 12 nearest sites of sublattice 0, so that
        neither thickness nor focus matters, with
        ``relative_intensity_error``; ``sublattice_deviation``, by how much it
        differs from the median of the 12 nearest sites of the site's own
        sublattice, which shows single defects; ``fit_quality``, the mean squared residual
        relative to its median; ``measured``, False where no atom was found and
        the place follows from its neighbors. ``fit_ok`` is False where the
        image is unlike a crystal (dirt on it), or the column is cut by the
        edge: there ``relative_intensity`` is NaN. ``attrs`` hold ``spacing``,
        ``extent`` and ``cell_vectors`` (the mean vectors, y, x).

    Raises
    ------
    SettingError
        If `n_columns` is not positive.
    NoLatticeError
        If the image does not repeat itself along two directions, or the
        average cell shows fewer columns.
    TooFewSitesError
        If fewer than twelve cells are seen whole.

    Examples
    --------
    >>> from adatom.localization import find_atoms
    >>> from adatom.simulation import Crystal, simulate_lattice
    >>> simulated = simulate_lattice(crystal=Crystal("rectangular", spacing="16 px"))
    >>> atoms = find_atoms(simulated.image)
    >>> sites = find_lattice_sites(simulated.image, atoms, n_columns=2)
    >>> sites["relative_intensity"].groupby(sites["sublattice"]).median().values.round(1)
    array([1. , 0.4])
    """
    IMAGE.check(image)
    SITES.check(atoms, name="atoms")
    if n_columns < 1:
        msg = f"{n_columns=} must be 1 or more"
        raise SettingError(msg)
    pixels = np.asarray(image.values, dtype=np.float64)
    usable = np.isfinite(pixels)
    if regions is not None:
        MASK.check(regions, name="regions")
        usable &= np.asarray(regions.values)
    step = np.array(pixel_size(image))
    origin = np.array(extent(image)[::2])
    filled = np.where(np.isfinite(pixels), pixels, np.nanmedian(pixels))
    points = (positions(atoms) - origin) / step
    walk, vectors = _walked(filled, usable, points, atoms, float(np.sqrt(step.prod())))
    columns = _columns(filled, walk, vectors, n_columns)
    placed = _placed(walk, columns, vectors)
    # Columns beyond the edges shine into the image: they are fitted, and then left out.
    outside = _distance_outside(placed.place, usable)
    placed = placed.those(outside <= _REACH * np.sqrt(np.diag(columns.covariance).max()))
    heights = fit_heights(
        filled,
        usable,
        placed.place,
        columns.covariance,
        knots=2 * float(np.linalg.norm(vectors, axis=1).max()),
    )
    within = _distance_outside(placed.place, usable) == 0
    placed, heights = placed.those(within), Heights(*(one[within] for one in heights))
    _check_heights(heights, placed.column)
    return _described(image, walk, vectors, columns, placed, heights)


def _walked(
    image: NDArray[np.float64],
    usable: NDArray[np.bool_],
    points: NDArray[np.float64],
    atoms: Sites,
    unit: float,
) -> tuple[Walk, NDArray[np.float64]]:
    spacing = float(atoms.attrs["spacing"]) / unit
    vectors = lattice_vectors(image, usable, spacing=spacing)
    if vectors is None:
        msg = (
            "the image does not repeat itself along two directions: restrict regions to one "
            "crystal, or look with plotting whether the atoms were found well"
        )
        raise NoLatticeError(msg)
    height = atoms["amplitude"].values if "amplitude" in atoms else np.ones(len(points))
    shape = (image.shape[0], image.shape[1])
    walk = walk_lattice(points, height, vectors, shape=shape, capture=0.4 * spacing)
    n_cells = len(whole_cells(walk).first)
    if n_cells < _FEWEST_CELLS:
        msg = (
            f"{n_cells} whole cells of the lattice were seen, {_FEWEST_CELLS} are needed: "
            "give a larger image or larger regions"
        )
        raise TooFewSitesError(msg)
    return walk, vectors


def _columns(
    image: NDArray[np.float64], walk: Walk, vectors: NDArray[np.float64], n_columns: int
) -> CellColumns:
    cell = average_cell(image, walk, vectors)
    apart = _APART * float(np.sqrt(abs(np.linalg.det(vectors)) / n_columns))
    columns = fit_columns(cell, vectors, n_columns, apart=apart)
    if len(columns.height) < n_columns:
        msg = (
            f"the average cell shows {len(columns.height)} columns, {n_columns=} were asked for: "
            "give fewer"
        )
        raise NoLatticeError(msg)
    return columns


def _placed(walk: Walk, columns: CellColumns, vectors: NDArray[np.float64]) -> _Placed:
    """Place every column in every cell; the column at the corners stands where it was found."""
    cells = whole_cells(walk)
    fraction = columns.fraction - np.floor(columns.fraction + 1e-9)
    corner = int(_from_corner(columns.fraction, vectors).argmin())
    places, column, cell = [], [], []
    for k in range(len(fraction)):
        if k == corner:
            index = np.argwhere(np.isfinite(walk.place[..., 0]))
            here = walk.place[tuple(index.T)]
        else:
            index = cells.first
            here = places_in_cells(cells.corners, fraction[k : k + 1])[:, 0]
        places.append(here)
        column.append(np.full(len(here), k))
        cell.append(index)
    return _Placed(np.concatenate(places), np.concatenate(column), np.concatenate(cell))


def _distance_outside(place: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure how many pixels away from what is usable places are; 0 inside."""
    inside = np.clip(np.rint(place), 0, np.array(usable.shape) - 1).astype(np.int64)
    away = ndimage.distance_transform_edt(~usable)[tuple(inside.T)]
    beyond = np.linalg.norm(place - np.clip(place, 0, np.array(usable.shape) - 1), axis=1)
    return np.asarray(away + beyond)


def _check_heights(heights: Heights, column: NDArray[np.int64]) -> None:
    """Refuse what is no brighter at the places of columns than noise makes the best of many."""
    for k in np.unique(column):
        height = heights.height[column == k]
        error = height.std() / np.sqrt(len(height))
        if not height.mean() > _LEAST_BRIGHTNESS * error:
            msg = (
                f"at the places of {len(height)} columns the image is hardly brighter than its "
                "noise: there is no such column. Give a smaller n_columns, or restrict regions"
            )
            raise NoLatticeError(msg)


def _from_corner(
    fraction: NDArray[np.float64], vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    away: NDArray[np.float64] = np.linalg.norm((fraction - np.rint(fraction)) @ vectors, axis=1)
    return away


def _described(
    image: Image,
    walk: Walk,
    vectors: NDArray[np.float64],
    columns: CellColumns,
    placed: _Placed,
    heights: Heights,
) -> Sites:
    step, frame, unit = np.array(pixel_size(image)), extent(image), space_unit(image)
    place = placed.place * step + np.array(frame[::2])
    spacing = _nearest_column(columns, vectors * step)
    sites = sites_from_positions(place[:, 0], place[:, 1], unit=unit, spacing=spacing, extent=frame)
    rank = _brightness_rank(heights.height, placed.column, len(columns.height))
    sublattice = rank[placed.column]
    intensity = {"units": str(image.attrs.get("units", "1"))}
    number = {"units": "1"}
    sites["sublattice"] = ("site", sublattice)
    sites["cell_i"] = ("site", placed.cell[:, 0])
    sites["cell_j"] = ("site", placed.cell[:, 1])
    sites["amplitude"] = ("site", heights.height, intensity)
    sites["amplitude_error"] = ("site", heights.error, intensity)
    sites["background"] = ("site", heights.background, intensity)
    sites["fit_quality"] = ("site", heights.quality, number)
    sites["measured"] = ("site", _measured(walk, placed, columns, vectors))
    whole = _is_whole(placed.place, columns.covariance, (image.shape[0], image.shape[1]))
    clean = _is_clean(heights.quality)
    at_fault = {"false_means": "sites at the edge or under dirt"}
    sites["fit_ok"] = ("site", whole & clean, at_fault)
    reference = _median_around(place, heights.height, (sublattice == 0) & whole & clean)
    for name, values in (
        ("relative_intensity", heights.height),
        ("relative_intensity_error", heights.error),
    ):
        relative = np.where(whole & clean & (reference > 0), values / reference, np.nan)
        sites[name] = ("site", relative, number)
    deviation = _deviation(place, sites["relative_intensity"].values, sublattice)
    sites["sublattice_deviation"] = ("site", deviation, number)
    sites.attrs["cell_vectors"] = (_mean_vectors(walk) * step).tolist()
    _tell(sites, whole, clean, unit)
    return sites


def _nearest_column(columns: CellColumns, vectors: NDArray[np.float64]) -> float:
    """Measure the shortest distance between two columns of the crystal."""
    shifts = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    steps = columns.fraction[:, None, None] - columns.fraction[None, :, None] + shifts
    length = np.linalg.norm(steps @ vectors, axis=-1).ravel()
    return float(length[length > 1e-6 * length.max()].min())


def _brightness_rank(
    height: NDArray[np.float64], column: NDArray[np.int64], n_columns: int
) -> NDArray[np.int64]:
    medians = [np.median(height[column == k]) if (column == k).any() else -np.inf
               for k in range(n_columns)]  # fmt: skip
    rank = np.empty(n_columns, dtype=np.int64)
    rank[np.argsort(-np.array(medians), kind="stable")] = np.arange(n_columns)
    return rank


def _measured(
    walk: Walk, placed: _Placed, columns: CellColumns, vectors: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which places are of an atom found, or between corners that all were found."""
    i, j = placed.cell.T
    found: NDArray[np.bool_] = walk.measured[i, j].copy()
    between = placed.column != _from_corner(columns.fraction, vectors).argmin()
    four = np.asarray(ndimage.minimum_filter(walk.measured.astype(np.int8), size=2, origin=-1) > 0)
    found[between] = four[i[between], j[between]]
    return found


def _is_whole(
    place: NDArray[np.float64], covariance: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell which columns are at least one and a half widths away from the edges of the image."""
    margin = 1.5 * np.sqrt(np.diag(covariance))
    inside = (place >= margin) & (place <= np.array(shape) - 1 - margin)
    return np.asarray(inside.all(axis=1))


def _is_clean(quality: NDArray[np.float64]) -> NDArray[np.bool_]:
    middle = np.nanmedian(quality)
    spread = SIGMA_OF_MAD * np.nanmedian(np.abs(quality - middle))
    clean: NDArray[np.bool_] = np.isfinite(quality) & (quality <= middle + _DIRTY * spread)
    return clean


def _median_around(
    place: NDArray[np.float64], values: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Give the median value of the chosen sites around each site, without itself."""
    rows = np.flatnonzero(chosen)
    if len(rows) <= _N_AROUND:
        return np.full(len(place), np.nan)
    _, near = cKDTree(place[rows]).query(place, k=_N_AROUND + 1)
    itself = rows[near] == np.arange(len(place))[:, None]
    # The farthest gives way where a site is not its own neighbor.
    itself[~itself.any(axis=1), -1] = True
    around = rows[near[~itself].reshape(len(place), _N_AROUND)]
    median: NDArray[np.float64] = np.median(values[around], axis=1)
    return median


def _deviation(
    place: NDArray[np.float64], relative: NDArray[np.float64], sublattice: NDArray[np.int64]
) -> NDArray[np.float64]:
    deviation = np.full(len(place), np.nan)
    for k in np.unique(sublattice):
        here = sublattice == k
        around = _median_around(place, relative, here & np.isfinite(relative))
        deviation[here] = (relative - around)[here]
    return deviation


def _mean_vectors(walk: Walk) -> NDArray[np.float64]:
    """Average the steps between neighboring corners where atoms were found."""
    place = np.where(walk.measured[..., None], walk.place, np.nan)
    return np.stack([np.nanmean(np.diff(place, axis=k).reshape(-1, 2), axis=0) for k in (0, 1)])


def _tell(sites: Sites, whole: NDArray[np.bool_], clean: NDArray[np.bool_], unit: str) -> None:
    first, second = np.array(sites.attrs["cell_vectors"])
    lengths = np.linalg.norm([first, second], axis=1)
    cosine = float(first @ second / lengths.prod())
    add_note(
        sites,
        f"The lattice repeats itself after {lengths[0]:.4g} and {lengths[1]:.4g} {unit}, "
        f"at {np.degrees(np.arccos(cosine)):.1f} deg.",
    )
    counts = np.bincount(sites["sublattice"].values)
    listed = ", ".join(f"{count} of sublattice {k}" for k, count in enumerate(counts))
    n_inferred = int((~sites["measured"].values).sum())
    add_note(
        sites,
        f"Sites: {listed}. The places of {n_inferred} follow from cells around them, as an atom "
        "at a corner of their own cell was not found.",
    )
    if not clean.all():
        add_note(
            sites,
            f"{int((~clean).sum())} sites lie where the image is unlike the crystal (dirt, "
            "adatoms): they have no relative intensity.",
        )
    if not whole.all():
        add_note(
            sites,
            f"{int((~whole).sum())} sites are cut by the edge of the image: they have no "
            "relative intensity.",
        )
