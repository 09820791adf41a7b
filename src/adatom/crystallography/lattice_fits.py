"""The ideal lattice under the sites, and how far each is displaced from it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.crystallography.checked import position_errors
from adatom.crystallography.least_squares import GrainFit, Lattice, fit_grain, indexed_lattice
from adatom.crystallography.shapes import cell_shape, cell_units
from adatom.errors import SettingError
from adatom.schema import Sites, Table, add_note, space_unit, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LatticeFit(NamedTuple):
    """What `fit_lattice` gives."""

    sites: Sites
    """With ``displacement`` (site, axis) from the ideal place and ``displacement_error``."""
    lattices: Table
    """A row a grain: lattice vectors, their lengths and angle, with errors."""
    sublattices: Table
    """A row a sublattice of a grain: its place in the cell, with errors."""


def fit_lattice(sites: Sites, /, *, degree: int = 1) -> LatticeFit:
    """Fit an ideal lattice to every grain, and measure how far each site is from it.

    The lattice vectors are common to all sublattices of a grain, every
    sublattice has a place of its own in the cell.

    Parameters
    ----------
    sites : Sites
        From `assign_lattice_indices`.
    degree : int
        Of the polynomial by which the lattice may be bent, as by drift during
        the scan or by a field of view that is not flat: 1 (the default) is
        an ideal lattice; 2 and 3 take slow distortion out of the
        displacements. What varies over a few cells stays in them.

    Returns
    -------
    LatticeFit
        ``sites`` with ``displacement`` (site, axis) and
        ``displacement_error``, NaN of sites that are not indexed, and of grains
        whose sites are all on one line; ``lattices``
        with a row a grain; ``sublattices`` with a row a sublattice of a grain.
        Errors of the lattice are one standard deviation, for scatter of the
        sites about their places that is independent from site to site; where
        it is not, as in strained crystals, they are too small. In grains of few
        sites they are widened by Student's t, so that 1.96 of them hold the
        truth of 95 %. The error of
        a displacement is that of the position where sites have
        one, otherwise the scatter of all sites of the grain, and that of the
        ideal place.

    Raises
    ------
    KindError
        If the sites are not indexed.
    TooFewSitesError
        If none of them has a place on a lattice.
    SettingError
        If `degree` is not 1 to 5.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.crystallography import assign_lattice_indices
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (part.ravel() for part in np.mgrid[:6.0, :6.0])
    >>> y[14] += 0.1
    >>> found = assign_lattice_indices(neighbor_vectors(sites_from_positions(y, x, unit="nm")))
    >>> fit = fit_lattice(found)
    >>> fit.sites["displacement"].sel(site=14, axis="y").item().__round__(2)
    0.1
    """
    lattice = indexed_lattice(sites)
    if not 1 <= degree <= 5:
        msg = f"{degree=} must be 1 (an ideal lattice) to 5"
        raise SettingError(msg)
    displacement = np.full(lattice.place.shape, np.nan)
    error = np.full(lattice.place.shape, np.nan)
    own = position_errors(sites)
    fits = []
    for grain, here in enumerate(sites_of_grains(lattice)):
        fit = fit_grain(lattice, grain, here, degree=degree)
        displacement[here] = lattice.place[here] - fit.ideal
        of_site = np.broadcast_to(fit.scatter, (len(here), 2)) if own is None else own[here]
        error[here] = _displacement_errors(of_site, fit)
        fits.append(fit)
    unit = space_unit(sites)
    out = sites.copy()
    out.coords["axis"] = ("axis", np.array(["y", "x"]))
    out["displacement"] = (("site", "axis"), displacement, {"units": unit})
    out["displacement_error"] = (("site", "axis"), error, {"units": unit})
    out.attrs["lattice_vectors"] = [fit.vectors.tolist() for fit in fits]
    scatter = ", ".join(f"{np.linalg.norm(fit.scatter) / np.sqrt(2):.3g}" for fit in fits[:5])
    add_note(
        out,
        f"Sites are displaced from the lattice of their grain by {scatter} {unit} (rms along an "
        f"axis{', of the five largest grains' if len(fits) > 5 else ''}).",
    )
    return LatticeFit(
        out, _lattice_table(lattice, fits, unit), _sublattice_table(lattice, fits, unit)
    )


def _displacement_errors(of_site: NDArray[np.float64], fit: GrainFit) -> NDArray[np.float64]:
    """Give the errors of sites from their ideal places, which a site of a small grain pulls along.

    The ideal place sum H_kl x_l holds a share H_kk, the leverage h, of the site itself:
    s^2 (1 - 2 h) is left of its own variance, and h S^2 is that of the place.
    """
    share = fit.leverage[:, None]
    place = np.maximum(fit.scatter, of_site) ** 2
    error: NDArray[np.float64] = np.sqrt(
        np.maximum(of_site**2 * (1 - 2 * share) + share * place, 0.0)
    )
    return error


def sites_of_grains(lattice: Lattice, /) -> list[NDArray[np.int64]]:
    """List the sites of every grain."""
    order = np.argsort(lattice.grain, kind="stable")
    bounds = np.searchsorted(lattice.grain[order], np.arange(len(lattice.vectors) + 1))
    return [order[low:high] for low, high in pairwise(bounds)]


def _lattice_table(lattice: Lattice, fits: list[GrainFit], unit: str) -> Table:
    size = np.bincount(lattice.grain[lattice.grain >= 0], minlength=len(fits))
    columns: dict[str, list[float]] = {"grain": list(range(len(fits))), "n_sites": size.tolist()}
    units = cell_units(unit)
    for fit in fits:
        for d, direction in enumerate("ij"):
            for a, axis in enumerate("yx"):
                columns.setdefault(f"{direction}_{axis}", []).append(fit.vectors[d, a])
                columns.setdefault(f"{direction}_{axis}_error", []).append(fit.vector_errors[d, a])
        for name, value in cell_shape(fit).items():
            columns.setdefault(name, []).append(value)
        columns.setdefault("scatter_y", []).append(fit.scatter[0])
        columns.setdefault("scatter_x", []).append(fit.scatter[1])
    units |= {name: unit for name in columns if name[:2] in {"i_", "j_"} or "scatter" in name}
    return table_from_columns(columns, units=units)


def _sublattice_table(lattice: Lattice, fits: list[GrainFit], unit: str) -> Table:
    """Place every sublattice in the cell, relative to the first that the grain holds."""
    names = ("grain", "sublattice", "n_sites", "y", "x", "y_error", "x_error", "i", "j")
    rows = []
    for grain, fit in enumerate(fits):
        held = np.flatnonzero(np.isfinite(fit.origins[:, 0]))
        of = lattice.sublattice[lattice.grain == grain]
        count = np.bincount(of, minlength=len(fit.origins))
        for k in held:
            away = fit.origins[k] - fit.origins[held[0]]
            part = away @ np.linalg.inv(fit.vectors)
            whole = np.floor(part + 1e-6)
            away, part = away - whole @ fit.vectors, part - whole
            error = fit.scatter * np.sqrt((1 / count[k] + 1 / count[held[0]]) * (k != held[0]))
            error = error * fit.wide
            rows.append((grain, k, count[k], *away, *error, *part))
    columns = dict(zip(names, np.array(rows, dtype=float).reshape(-1, len(names)).T, strict=True))
    whole_numbers = {n: columns[n].astype(np.int64) for n in ("grain", "sublattice", "n_sites")}
    units = dict.fromkeys(("y", "x", "y_error", "x_error"), unit)
    return table_from_columns(columns | whole_numbers, units=units)
