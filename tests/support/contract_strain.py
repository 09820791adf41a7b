"""Small calls of the steps of local crystallography: strain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from contract_example import Example

from adatom.descriptors import neighbor_vectors
from adatom.schema import sites_from_positions


def _lattice(shift: float = 0.0, n: int = 9) -> xr.Dataset:
    y, x = (axis.ravel() + shift for axis in np.mgrid[: float(n), : float(n)])
    noise = 0.02 * np.random.default_rng([4, n]).normal(size=(2, len(y)))
    return sites_from_positions(y + noise[0], x + noise[1], unit="nm", spacing=1.0)


def _caged() -> Example:
    inside, cage = _lattice(0.5, 8), _lattice()
    settings = {"born_charge": 7.0, "cell_volume": 0.064}
    return Example((neighbor_vectors(inside, cage, n_neighbors=4), cage), settings)


def _imaged() -> Example:
    sites = _lattice()
    axis = np.arange(-10.0, 90.0) / 10
    away = [axis[:, None] - sites["y"].values, axis[:, None] - sites["x"].values]
    rows, columns = (np.exp(-(part**2) / 0.08) for part in away)
    place = {name: (name, axis, {"units": "nm"}) for name in ("y", "x")}
    image = xr.DataArray(rows @ columns.T, dims=("y", "x"), coords=place, attrs={"units": "1"})
    return Example((image, sites))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "localization.estimate_column_intensity": _imaged,
    "crystallography.estimate_strain": lambda: Example(
        (neighbor_vectors(_lattice()),), {"n_shells": 1}
    ),
    "crystallography.estimate_lattice_parameters": lambda: Example((neighbor_vectors(_lattice()),)),
    "crystallography.estimate_bonds": lambda: Example((neighbor_vectors(_lattice()),)),
    "crystallography.estimate_polarization": _caged,
    "crystallography.estimate_site_order": lambda: Example(
        (_lattice(),), {"n_fold": 4, "position_error": "0.02 d"}
    ),
}
