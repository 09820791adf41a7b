"""The purest spectra of a map: corners of the simplex that all spectra lie in."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.decomposition.asked import number_from_choice
from adatom.decomposition.pca import fit_pca
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import map_to
from adatom.schema import FEATURES, Features, Table, table_from_columns

Method = Literal["vca", "nfindr"]

# Exchanges of N-FINDR come to rest after some rounds; more mean a cycle of equal volumes.
_MOST_ROUNDS: Final = 50


class Endmembers(NamedTuple):
    """The purest spectra that were found, and where."""

    spectra: Features
    """(endmember, feature), without the noise outside of the subspace of the endmembers."""
    places: Table
    """The row that each was taken from: its number, and y and x where known."""


def find_endmembers(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_endmembers: int | None = None,
    method: Method = "vca",
    n_starts: int = 20,
    seed: int = 0,
) -> Endmembers:
    """Find the purest spectra of a map, the others being mixtures of them.

    Rows are projected on the space of the first ``n_endmembers - 1``
    principal components, in which mixtures fill a simplex. Vertex component
    analysis [1]_ takes, again and again, the row that lies farthest along a
    random direction orthogonal to those found; since one run depends on its
    directions, the run whose corners span the largest volume is kept.
    N-FINDR [2]_ goes on from there and exchanges corners while the volume
    grows.

    Parameters
    ----------
    features : Features
        Rows with NaN take no part. Scores of the rows are held in memory.
    choice : Table, optional
        Whose ``attrs["n_classes"]`` is the number of endmembers.
    n_endmembers : int, optional
        How many; needed without `choice`.
    method : {"vca", "nfindr"}
        "nfindr" finds larger volumes, and outliers more easily.
    n_starts : int
        Runs of vertex component analysis: with twenty, all of twenty seeds
        gave the same endmembers of a map of three materials.
    seed : int
        Of the random directions.

    Returns
    -------
    Endmembers

    Raises
    ------
    SettingError
        If there are fewer than two endmembers, or more than features.
    TooFewSitesError
        If there are fewer measured rows than endmembers.

    Examples
    --------
    >>> mixed = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.8, 0.0]]
    >>> rows = xr.DataArray(mixed, dims=("site", "feature"))
    >>> find_endmembers(rows, n_endmembers=2).places["row_number"].values
    array([0, 1])

    References
    ----------
    .. [1] J. M. P. Nascimento and J. M. B. Dias, IEEE Trans. Geosci. Remote Sens. 43, 898 (2005).
    .. [2] M. E. Winter, Proc. SPIE 3753, 266 (1999).
    """
    FEATURES.check(features)
    number = number_from_choice(
        choice, n_endmembers, name="n_endmembers", least=2, n_features=features.shape[-1]
    )
    if n_starts < 1:
        msg = f"{n_starts=} must be 1 or more"
        raise SettingError(msg)
    center, basis, scores = _simplex_scores(features, number)
    measured = np.flatnonzero(np.isfinite(scores[:, 0]))
    if len(measured) < number:
        msg = f"{len(measured)} measured rows cannot hold {number} endmembers"
        raise TooFewSitesError(msg)
    points = scores[measured]
    runs = [_vertices(points, number, np.random.default_rng([seed, k])) for k in range(n_starts)]
    # Sorted by row, so that the same corners are in the same order whatever the seed.
    best = np.sort(max(runs, key=lambda corners: _volume(points[corners])))
    if method == "nfindr":
        best = np.sort(_exchanged(points, best))
    spectra = points[best] @ basis + center
    return Endmembers(_spectra(features, spectra), _places(features, measured[best]))


def _simplex_scores(
    features: xr.DataArray, number: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Project rows on the plane of a simplex with `number` corners: center, basis, scores."""
    model = fit_pca(features, n_components=number - 1)
    cut = blocks(features)
    scores = np.full((cut.n_rows, number - 1), np.nan)
    map_to(cut, lambda rows: [(rows - model.center) @ model.basis.T], [scores])
    return model.center, model.basis, scores


def _vertices(points: NDArray[np.float64], number: int, rng: np.random.Generator) -> Any:  # noqa: ANN401 -- array of int
    """Take corners one by one, each the farthest along a direction orthogonal to the others."""
    height = np.sqrt((points**2).sum(axis=1).max())
    lifted = np.column_stack([points, np.full(len(points), height)])
    corners = np.zeros((number, number))
    corners[0, -1] = 1.0
    chosen = np.zeros(number, dtype=np.int64)
    for k in range(number):
        random = rng.normal(size=number)
        direction = random - corners.T @ (np.linalg.pinv(corners.T) @ random)
        length = np.linalg.norm(direction)
        # All corners in one plane: any direction is as good.
        direction = direction / length if length > 0 else random
        chosen[k] = np.abs(lifted @ direction).argmax()
        corners[k] = lifted[chosen[k]]
    return chosen


def _volume(corners: NDArray[np.float64]) -> float:
    """Give the volume of a simplex, but for a factor that its dimension decides."""
    return float(abs(np.linalg.det(corners[1:] - corners[0])))


def _exchanged(points: NDArray[np.float64], corners: Any) -> Any:  # noqa: ANN401 -- array of int
    """Exchange corners for the rows that make the simplex largest, until none does."""
    lifted = np.column_stack([points, np.ones(len(points))])
    chosen = corners.copy()
    for _ in range(_MOST_ROUNDS):
        before = chosen.copy()
        for k in range(len(chosen)):
            # The volume is linear in each corner: its cofactors give it for all rows at once.
            others = np.delete(lifted[chosen], k, axis=0)
            cofactors = [
                (-1) ** j * np.linalg.det(np.delete(others, j, axis=1))
                for j in range(lifted.shape[1])
            ]
            volumes = np.abs(lifted @ np.array(cofactors))
            best = int(volumes.argmax())
            if volumes[best] > volumes[chosen[k]] * (1 + 1e-12):
                chosen[k] = best
        if (chosen == before).all():
            break
    return chosen


def _spectra(features: xr.DataArray, spectra: NDArray[np.float64]) -> xr.DataArray:
    last = features.dims[-1]
    along = {name: coord for name, coord in features.coords.items() if coord.dims == (last,)}
    attrs = {key: features.attrs[key] for key in ("units", "source") if key in features.attrs}
    return xr.DataArray(
        spectra.astype(blocks(features).dtype),
        dims=("endmember", last),
        coords={**along, "endmember": np.arange(len(spectra))},
        name=features.name,
        attrs=attrs,
    )


def _places(features: xr.DataArray, rows: Any) -> Table:  # noqa: ANN401 -- array of int
    columns: dict[str, Any] = {"endmember": np.arange(len(rows)), "row_number": rows}
    units = {}
    index = np.unravel_index(rows, features.shape[:-1])
    for name in ("y", "x"):
        if name not in features.coords:
            continue
        axis = features.coords[name]
        position = features.dims.index(axis.dims[0])
        columns[name] = axis.values[index[position]]
        units[name] = str(axis.attrs.get("units", "1"))
    return table_from_columns(columns, units=units)
