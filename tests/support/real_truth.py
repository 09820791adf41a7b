"""Published coordinates of shared real images, and figures that tests and benchmarks share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.numerics.matching import match_points
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import Image, Sites, extent, pixel_size, positions, sites_from_positions
from adatom.schema import space_unit as unit_of

DATA = Path(os.environ.get("ADATOM_DATA", ""))
IMAGING = DATA / "imaging"
GRAPHENE = IMAGING / "graphene_si_aicr"
SUPERLATTICE = IMAGING / "temul/publication_examples/PTO_supercrystal_hadjimichael/data"
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
