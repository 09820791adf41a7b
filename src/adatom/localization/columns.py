"""The columns of a unit cell: sites of an image folded into one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.errors import KindError, NoLatticeError, SettingError, TooFewSitesError
from adatom.schema import (
    CLASSES,
    SITES,
    TABLE,
    Classes,
    Sites,
    Table,
    add_note,
    positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# In distances between nearest sites: grid and width of the density of the folded sites,
# and how far from its column a site may lie.
GRID = 0.04
WIDTH = 0.12
REACH = 0.4
# Where sites are in fewer of the cells than this, by chance or contamination, is no column.
RAREST = 0.1
ROUNDS = 3


class _Fold(NamedTuple):
    """Sites of an image in terms of a cell."""

    vectors: Floats
    """Of the cell, row by row."""
    columns: Floats
    """Positions of the columns in the first cell."""
    column: NDArray[np.intp]
    """Of every site; -1 if it belongs to none."""
    cell: NDArray[np.intp]
    """Of every site, (site, vector)."""


def estimate_columns(sites: Sites, cells: Table, classes: Classes | None = None, /) -> Table:
    """Fold the sites of a crystal into one unit cell, and list the columns there.

    Parameters
    ----------
    sites : Sites
        Of one image, with ``attrs["spacing"]``.
    cells : Table
        From `find_unit_cell` of the image. Its vectors are only the start: they
        are fitted to the sites.
    classes : Classes, optional
        Of these sites, to tell the class of every column.

    Returns
    -------
    Table
        A row for each column, the brightest first, which is the origin:
        ``along_a``, ``along_b`` (fractions of the cell), ``y``, ``x`` (from the
        origin), ``found`` (in which share of the cells, of those most of whose
        columns were found), ``n_sites``, ``spread`` (rms distance of the sites
        from their column along one axis), ``amplitude`` (median) where it is
        known, and ``class`` with ``class_share``, the most frequent class of its
        sites. ``attrs``: the fitted vectors ``a`` and ``b`` as [y, x].

    Raises
    ------
    NoLatticeError
        If there is no cell, or sites do not repeat with it.

    Examples
    --------
    >>> from adatom.localization import find_atoms, find_unit_cell
    >>> from adatom.simulation import simulate_lattice
    >>> image = simulate_lattice(size=96).image
    >>> estimate_columns(find_atoms(image), find_unit_cell(image)).sizes["row"]
    1
    """
    SITES.check(sites)
    vectors = _vectors(cells)
    spacing = sites.attrs.get("spacing")
    if not spacing:
        msg = "the sites have no attrs['spacing']: take them from find_atoms"
        raise KindError(msg)
    if classes is not None:
        CLASSES.check(classes, name="classes")
        if classes["label"].shape != (sites.sizes["site"],):
            msg = f"{classes['label'].shape=} != ({sites.sizes['site']},): classes of these sites?"
            raise SettingError(msg)
    place = positions(sites)
    fold = _folded(place, vectors, float(spacing))
    rows = _rows(place, fold, _field(sites), sites, classes)
    table = table_from_columns(rows, units=_units(sites))
    return _told(table, fold, sites)


def _field(sites: Sites) -> list[float]:
    stored = sites.attrs.get("extent")
    if stored is not None:
        return [float(value) for value in stored]
    low, high = positions(sites).min(axis=0), positions(sites).max(axis=0)
    return [float(low[0]), float(high[0]), float(low[1]), float(high[1])]


def _vectors(cells: Table) -> Floats:
    TABLE.check(cells, name="cells")
    names = ("a_y", "a_x", "b_y", "b_x")
    if not set(names) <= set(cells) or cells.sizes["row"] != 1:
        msg = "cells must come from find_unit_cell of one image: one row with a_y, a_x, b_y, b_x"
        raise KindError(msg)
    vectors = np.array([float(cells[name].values[0]) for name in names]).reshape(2, 2)
    if not np.isfinite(vectors).all():
        msg = "the image has no unit cell into which sites could be folded"
        raise NoLatticeError(msg)
    return vectors


def _folded(place: Floats, vectors: Floats, spacing: float) -> _Fold:
    """Find the columns, and fit the vectors and the columns to all sites in turn."""
    if len(place) < 4:
        msg = f"found {len(place)} sites, need four or more to fold them into a cell"
        raise TooFewSitesError(msg)
    columns = _density_peaks(place, vectors, spacing)
    fold = _assigned(place, vectors, columns, spacing)
    for _ in range(ROUNDS):
        counts = np.bincount(fold.column[fold.column >= 0], minlength=len(columns))
        often = np.flatnonzero(counts >= max(2, RAREST * counts.max(initial=0)))
        if not often.size:
            msg = "the sites do not repeat with the cell: is it the cell of this image?"
            raise NoLatticeError(msg)
        columns = fold.columns[often]
        fold = _assigned(place, fold.vectors, columns, spacing)
        fold = _fitted(place, fold)
        fold = _assigned(place, fold.vectors, fold.columns, spacing)
        columns = fold.columns
    return fold


def _density_peaks(place: Floats, vectors: Floats, spacing: float) -> Floats:
    """Give the places of the cell where folded sites gather."""
    lengths = np.hypot(*vectors.T)
    bins = np.maximum(4, np.ceil(lengths / (GRID * spacing))).astype(int)
    share = (place @ np.linalg.inv(vectors)) % 1.0
    index = np.minimum((share * bins).astype(int), bins - 1)
    density = np.zeros(bins)
    np.add.at(density, tuple(index.T), 1.0)
    smooth = scipy.ndimage.gaussian_filter(density, WIDTH * spacing / (lengths / bins), mode="wrap")
    peak = (smooth == scipy.ndimage.maximum_filter(smooth, 3, mode="wrap")) & (
        smooth > RAREST * smooth.max()
    )
    return np.asarray((np.argwhere(peak) + 0.5) / bins @ vectors)


def _assigned(place: Floats, vectors: Floats, columns: Floats, spacing: float) -> _Fold:
    """Give every site its nearest column and cell."""
    around = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 2)
    inverse = np.linalg.inv(vectors)
    copies = (columns[:, None] + around @ vectors).reshape(-1, 2)
    first = np.floor(place @ inverse)
    distance, nearest = cKDTree(copies).query(place - first @ vectors)
    column = np.where(distance < REACH * spacing, nearest // len(around), -1)
    cell = first + around[nearest % len(around)]
    return _Fold(vectors, columns, column.astype(np.intp), cell.astype(np.intp))


def _fitted(place: Floats, fold: _Fold) -> _Fold:
    """Fit vectors and columns to the sites, by least squares of both at once."""
    known = fold.column >= 0
    design = np.zeros((int(known.sum()), 2 + len(fold.columns)))
    design[:, :2] = fold.cell[known]
    design[np.arange(len(design)), 2 + fold.column[known]] = 1.0
    solution = np.linalg.lstsq(design, place[known], rcond=None)[0]
    vectors, columns = solution[:2].astype(float), solution[2:].astype(float)
    return _Fold(vectors, columns, fold.column, fold.cell)


def _rows(
    place: Floats, fold: _Fold, field: list[float], sites: Sites, classes: Classes | None
) -> dict[str, NDArray[np.generic]]:
    n_columns = len(fold.columns)
    members = [np.flatnonzero(fold.column == k) for k in range(n_columns)]
    height = sites["amplitude"].values if "amplitude" in sites else np.ones(len(place))
    amplitude = np.array([float(np.nanmedian(height[one])) for one in members])
    order = np.argsort(-amplitude, kind="stable")
    from_origin = fold.columns - fold.columns[order[0]]
    share = (from_origin @ np.linalg.inv(fold.vectors)) % 1.0
    # Rounding must not put the origin at the far end of the cell.
    share = np.where(share > 1 - 1e-9, 0.0, share)
    offset = place - fold.cell @ fold.vectors - fold.columns[fold.column]
    spread = np.array([np.sqrt((offset[one] ** 2).mean()) for one in members])
    rows: dict[str, NDArray[np.generic]] = {
        "along_a": share[:, 0],
        "along_b": share[:, 1],
        "y": (share @ fold.vectors)[:, 0],
        "x": (share @ fold.vectors)[:, 1],
        "found": _found_shares(fold, field),
        "n_sites": np.array([len(one) for one in members]),
        "spread": spread,
    }
    if "amplitude" in sites:
        rows["amplitude"] = amplitude
    if classes is not None:
        rows |= _classes_of_columns(classes["label"].values, members)
    return {name: values[order] for name, values in rows.items()}


def _found_shares(fold: _Fold, field: list[float]) -> Floats:
    """Give in which share of the cells each column was found, where most of a cell was found."""
    known = fold.column >= 0
    low = fold.cell[known].min(axis=0)
    shape = fold.cell[known].max(axis=0) - low + 1
    filled = np.zeros((*shape, len(fold.columns)), dtype=bool)
    filled[(*(fold.cell[known] - low).T, fold.column[known])] = True
    cell = np.moveaxis(np.indices(tuple(shape)), 0, -1) + low
    place = cell[:, :, None] @ fold.vectors + fold.columns
    y, x = np.moveaxis(place, -1, 0)
    within = (y > field[0]) & (y < field[1]) & (x > field[2]) & (x < field[3])
    # Cells cut by the edge or by a part left out would count for too little.
    clear = within.all(axis=2) & (filled.mean(axis=2) >= 0.5)
    counted = filled[clear]
    return counted.mean(axis=0) if len(counted) else np.full(len(fold.columns), np.nan)


def _classes_of_columns(
    label: NDArray[np.integer], members: list[NDArray[np.intp]]
) -> dict[str, NDArray[np.generic]]:
    most, share = [], []
    for one in members:
        labels, counts = np.unique(label[one][label[one] >= 0], return_counts=True)
        most.append(int(labels[counts.argmax()]) if labels.size else -1)
        share.append(float(counts.max() / counts.sum()) if labels.size else np.nan)
    return {"class": np.array(most), "class_share": np.array(share)}


def _units(sites: Sites) -> dict[str, str]:
    unit = space_unit(sites)
    units = dict.fromkeys(("y", "x", "spread"), unit)
    if "amplitude" in sites:
        units["amplitude"] = str(sites["amplitude"].attrs.get("units", "1"))
    return units


def _told(table: Table, fold: _Fold, sites: Sites) -> Table:
    unit = space_unit(sites)
    lengths = np.hypot(*fold.vectors.T)
    cosine = fold.vectors[0] @ fold.vectors[1] / lengths.prod()
    table.attrs |= {"a": fold.vectors[0].tolist(), "b": fold.vectors[1].tolist()}
    add_note(
        table,
        f"{len(fold.columns)} columns a cell; fitted to the sites, the cell has "
        f"a = {lengths[0]:.5g} {unit}, b = {lengths[1]:.5g} {unit}, "
        f"angle {np.degrees(np.arccos(cosine)):.2f} deg.",
    )
    nowhere = int((fold.column < 0).sum())
    if nowhere:
        add_note(table, f"{nowhere} sites belong to no column.")
    return table
