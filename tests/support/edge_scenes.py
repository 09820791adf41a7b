"""Sheets with edges, and what was seen on them, for tests."""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr

from adatom.crystallography import find_edge_impurities, find_edges
from adatom.schema import Sites, positions, sites_from_positions
from adatom.simulation import Crystal, EdgeMovie, build_lattice, simulate_edge_movie

BOND = 0.142


@cache
def edge_movie(n_frames: int = 40, seed: int = 0) -> EdgeMovie:
    """Simulate a movie once."""
    return simulate_edge_movie(n_frames=n_frames, size=128, field="6 nm", seed=seed)


def found_atoms(made: EdgeMovie, *, error: float = 0.008, missed: float = 0.0) -> Sites:
    """Give all atoms as a finder would, with errors of positions in nm, some of them missed."""
    rng = np.random.default_rng(1)
    atoms = made.atoms
    place = positions(atoms) + rng.normal(0, error, (atoms.sizes["site"], 2))
    unit = {"units": "nm"}
    atoms = atoms.assign_coords(y=("site", place[:, 0], unit), x=("site", place[:, 1], unit))
    seen = (rng.uniform(size=len(place)) >= missed) | (atoms["species"].values == "Si")
    return atoms.isel(site=np.flatnonzero(seen))


def impurities_of(made: EdgeMovie) -> tuple[Sites, Sites]:
    """Give the impurities on the edge of a simulated movie, and all atoms."""
    atoms = found_atoms(made)
    return find_edge_impurities(atoms, find_edges(atoms).lines), atoms


def graphene(field: float = 5.0, rotation: float = 0.0) -> Sites:
    """Lay out a perfect sheet that fills a field in nm."""
    crystal = Crystal("honeycomb", spacing=f"{BOND} nm", rotation=rotation)
    sheet = build_lattice(crystal=crystal, field=(field, field), unit="nm")
    sheet.attrs["extent"] = [0.0, field, 0.0, field]
    return sheet


def where(sites: Sites, keep: xr.DataArray) -> Sites:
    """Keep some sites."""
    return sites.isel(site=np.flatnonzero(keep.values))


def movie_sites(y: list[float], x: list[float], frame: list[int]) -> Sites:
    """Make sites of a movie, a nm apart."""
    return sites_from_positions(y, x, unit="nm", frame=frame, spacing=1.0)
