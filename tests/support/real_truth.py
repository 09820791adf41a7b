"""Published coordinates of shared real images, and figures that tests and benchmarks share."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import scipy.ndimage
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

from adatom.io import read_image
from adatom.numerics.matching import match_points
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import Image, Sites, extent, pixel_size, positions, sites_from_positions
from adatom.schema import space_unit as unit_of

DATA = Path(os.environ.get("ADATOM_DATA", ""))
IMAGING = DATA / "imaging"
GRAPHENE = IMAGING / "graphene_si_aicr"
SUPERLATTICE = IMAGING / "temul/publication_examples/PTO_supercrystal_hadjimichael/data"
SELENIDE = IMAGING / "stem_wsete_sim_stemlearning/simulated/0"
MOLECULES = IMAGING / "stm_molecules_stemlearning"
GOLD = IMAGING / "temul/temul/example_data/experimental/Au_NP_Atom_Lattice.hdf5"
DRAWN = Path(__file__).parents[2] / "benchmarks/drawn_regions.json"
STO_CELL = (41.96, 29.51)
"""Cell of SrTiO3 along [110] from the peaks of the image's Fourier transform, in px."""


def sites_of_pixels(rows_columns: NDArray[np.float64], image: Image) -> Sites:
    """Place pixel coordinates on the axes of the image."""
    step = np.array(pixel_size(image))
    frame = extent(image)
    place = rows_columns * step + np.array([frame[0], frame[2]])
    return sites_from_positions(
        place[:, 0],
        place[:, 1],
        unit=unit_of(image),
        spacing=pooled_spacing(place),
        extent=frame,
    )


def published_graphene(name: str, image: Image) -> Sites:
    """Read ``NAME-coord.npy``: a pickled dict of (row, column, class) of frame 0."""
    stored = np.load(GRAPHENE / f"{name}-coord.npy", allow_pickle=True).item()
    return sites_of_pixels(np.asarray(stored[0][:, :2], dtype=float), image)


def published_a_sites(image: Image) -> Sites:
    """Read the A sites of the PbTiO3/SrRuO3 superlattice: (x, y) in px."""
    stored = np.load(SUPERLATTICE / "atom_positions1.npy")
    return sites_of_pixels(np.asarray(stored[:, ::-1], dtype=float), image)


class LatticeFit:
    """Two columns per cell on a rectangular lattice: vectors and origin fitted to found sites.

    Only the approximate lengths of the cell are told; orientation, lengths
    and phase come from the sites.
    """

    def __init__(self, sites: Sites, cell: tuple[float, float]) -> None:
        found = positions(sites)
        self.extent = sites.attrs["extent"]
        best = (-np.inf, 0.0)
        for angle in np.deg2rad(np.arange(0.0, 180.0, 0.25)):
            long, short = _vectors(angle, cell)
            phase = found @ np.linalg.inv(np.stack([long / 2, short]))
            # Near the middle only: far from it the angle is not known well enough yet.
            middle = np.abs(found - found.mean(axis=0)).max(axis=1) < 4 * max(cell)
            waves = np.exp(2j * np.pi * phase[middle]).mean(axis=0)
            best = max(best, (float(np.abs(waves).prod()), float(angle)))
        self.vectors = np.stack(_vectors(best[1], cell))
        self.vectors[0] /= 2
        center = found[np.argmin(np.hypot(*(found - found.mean(axis=0)).T))]
        self.origin = center.copy()
        for reach in (3, 6, 12, 24, 1000):
            index = np.rint((found - self.origin) @ np.linalg.inv(self.vectors))
            close = np.abs(index).max(axis=1) <= reach
            miss = found - self.origin - index @ self.vectors
            close &= np.hypot(*miss.T) < 0.3 * np.hypot(*self.vectors.T).min()
            design = np.column_stack([index[close], np.ones(int(close.sum()))])
            solved = np.linalg.lstsq(design, found[close])[0]
            self.vectors, self.origin = solved[:2], solved[2]

    @property
    def cell(self) -> tuple[float, float]:
        """Lengths of the full cell."""
        return 2 * float(np.hypot(*self.vectors[0])), float(np.hypot(*self.vectors[1]))

    def sites(self) -> NDArray[np.float64]:
        """Give all columns of the lattice within the frame."""
        reach = int(2 * max(self.extent) / min(np.hypot(*self.vectors.T))) + 2
        index = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2), -1).reshape(-1, 2)
        place = self.origin + index @ self.vectors
        low, high = np.array(self.extent).reshape(2, 2).T
        return np.asarray(place[((place >= low) & (place <= high)).all(axis=1)])

    def recall_and_precision(
        self, sites: Sites, *, max_distance: float, edge: float
    ) -> NDArray[np.float64]:
        """Match found sites with those of the lattice, ignoring the margin."""
        found, true = positions(sites), self.sites()
        match = match_points(found, true, max_distance=max_distance)
        low, high = np.array(self.extent).reshape(2, 2).T
        inner_found, inner_true = (
            ((place >= low + edge) & (place <= high - edge)).all(axis=1) for place in (found, true)
        )
        matched_found = np.isin(np.arange(len(found)), match.left)
        matched_true = np.isin(np.arange(len(true)), match.right)
        return np.array([matched_true[inner_true].mean(), matched_found[inner_found].mean()])


def _vectors(angle: float, cell: tuple[float, float]) -> tuple[NDArray[np.float64], ...]:
    along = np.array([np.sin(angle), np.cos(angle)])
    return cell[0] * along, cell[1] * np.array([along[1], -along[0]])


def share_found(found: Sites, truth: Sites, *, max_distance: float) -> float:
    """Give the share of true positions with a found one of their own within reach."""
    match = match_points(positions(found), positions(truth), max_distance=max_distance)
    return len(match.right) / truth.sizes["site"]


def brighter_half(sites: xr.Dataset) -> xr.Dataset:
    """Give the brighter sublattice."""
    return sites.isel(site=np.flatnonzero(sites["sublattice"].values == 0))


def inner(sites: Sites, margin: float) -> Sites:
    """Give the sites farther than `margin` from the edge of the frame."""
    y_min, y_max, x_min, x_max = sites.attrs["extent"]
    low, high = np.array([y_min, x_min]) + margin, np.array([y_max, x_max]) - margin
    place = positions(sites)
    return sites.isel(site=np.flatnonzero(((place >= low) & (place <= high)).all(axis=1)))


def marked_centers(path: Path) -> NDArray[np.float64]:
    """Read the centers (row, column) of the blobs of a label image, in px.

    Label images of dots have gray rims; what exceeds half the maximum is a dot.
    """
    label = np.asarray(read_image(path).values, dtype=float)
    blobs, count = scipy.ndimage.label(label >= label.max() / 2, np.ones((3, 3)))
    centers = scipy.ndimage.center_of_mass(np.ones_like(label), blobs, range(1, count + 1))
    return np.asarray(centers, dtype=float).reshape(-1, 2)


def selenide_sites(*names: str) -> NDArray[np.float64]:
    """Give the marked sites of the simulated WSe(Te): ``Se``, ``TeSe``, ``2Te``, ``vacancy``."""
    return np.concatenate([marked_centers(SELENIDE / f"label_{name}.tiff") for name in names])


def published_defects(path: Path) -> NDArray[np.float64]:
    """Read the atoms of the published defects of a library image: (row, column) in px.

    Stored are strings x, y, element; they were seen by a network, not measured exactly.
    """
    with h5py.File(path) as file:
        names = [name for name in file if name.startswith("defect_coord")]
        stored = np.concatenate([np.asarray(file[name]) for name in names])
    return np.asarray(stored[:, 1::-1].astype(float))


def published_gold() -> NDArray[np.float64]:
    """Read the columns of the gold particle by its authors: (row, column) in px."""
    with h5py.File(GOLD) as file:
        return np.asarray(file["_sublattice/atom_positions"])[:, ::-1].astype(float)


class DotScores(NamedTuple):
    """Sites against the dots that mark molecules.

    Attributes
    ----------
    found : float
        Share of the dots with a site within a quarter of their period.
    unmatched, sure_unmatched : int
        Sites among the dots without one within that reach, and those of them
        whose score is 0.9 or more.
    """

    found: float
    unmatched: int
    sure_unmatched: int


def dot_scores(
    place: NDArray[np.float64], score: NDArray[np.float64], dots: NDArray[np.float64]
) -> DotScores:
    """Compare sites with dots; the period is that of the lattice around each dot.

    Parts of the images carry no dots although molecules go on there: sites
    are judged only where dots surround them.
    """
    tree = cKDTree(dots)
    period = np.median(tree.query(dots, 4)[0][:, 1:], axis=1)
    if len(place) == 0:
        return DotScores(0.0, 0, 0)
    found = cKDTree(place).query(dots)[0] <= period / 4
    distance, nearest = tree.query(place)
    net = Delaunay(dots)
    corner = dots[net.simplices]
    longest = np.linalg.norm(corner - np.roll(corner, 1, axis=1), axis=2).max(axis=1)
    simplex = net.find_simplex(place)
    among = (simplex >= 0) & (longest[simplex] < 2.5 * np.median(period))
    alone = among & (distance > period[nearest] / 4)
    return DotScores(float(found.mean()), int(alone.sum()), int((alone & (score >= 0.9)).sum()))


def drawn_regions(name: str) -> dict[str, list[NDArray[np.float64]]]:
    """Read the polygons (row, column; px) drawn by eye into an image, by what they hold."""
    told = json.loads(DRAWN.read_text())["images"].get(name, {})
    return {kind: [np.array(polygon, float) for polygon in told[kind]] for kind in told}


def inside(place: NDArray[np.float64], polygons: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Tell which points lie inside any of the polygons."""
    within = np.zeros(len(place), dtype=bool)
    for polygon in polygons:
        within |= _crossings(place, polygon) % 2 == 1
    return within


def _crossings(place: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the edges that a ray from each point along +x crosses."""
    start, end = polygon[None], np.roll(polygon, -1, axis=0)[None]
    y, x = place[:, :1], place[:, 1:]
    spans = (start[..., 0] > y) != (end[..., 0] > y)
    rise = np.where(end[..., 0] == start[..., 0], 1.0, end[..., 0] - start[..., 0])
    reached = start[..., 1] + (y - start[..., 0]) / rise * (end[..., 1] - start[..., 1])
    return np.asarray((spans & (reached > x)).sum(axis=1))
