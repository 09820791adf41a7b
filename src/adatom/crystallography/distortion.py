"""Positions freed of an affine distortion, where the true cell is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adatom.crystallography.lattice_fits import sites_of_grains
from adatom.crystallography.least_squares import fit_grain, indexed_lattice
from adatom.errors import SettingError, TooFewSitesError
from adatom.schema import Sites, add_note, space_unit
from adatom.units import ANGLE, Angle, Length, length_from_setting


def correct_lattice_distortion(
    sites: Sites,
    /,
    *,
    length: Length,
    second_length: Length | None = None,
    angle: Angle = "90 deg",
    grain: int = 0,
) -> Sites:
    """Undo drift, shear and a wrong scale, by a lattice whose true cell is known.

    All positions are mapped by one matrix so that the lattice vectors of a
    grain have the lengths and the angle given. Which way the crystal is turned
    is not known from its cell; the fast axis of the scan, +x, keeps its
    direction, since drift while lines are scanned shears and stretches along
    the slow axis only. Strain is measured relative to this cell afterwards.

    Parameters
    ----------
    sites : Sites
        From `assign_lattice_indices`.
    length : length
        True length of the lattice vector i, as "0.3905 nm".
    second_length : length, optional
        That of j; as `length` if left out.
    angle : angle
        True angle between i and j: 90 deg of square and rectangular
        lattices (the default), 60 deg of hexagonal ones and honeycombs, whose
        vectors `assign_lattice_indices` takes 60 deg apart. 120 deg is taken
        for 60 deg where these are nearer to what was measured, and the reverse.
    grain : int
        Whose lattice is known. The largest, 0, by default; grains of
        another phase keep what they differ by.

    Returns
    -------
    Sites
        With positions, neighbor vectors, stars, lattice vectors, position
        errors and covariances mapped, and a note that says what was changed.
        ``extent`` becomes the box around the mapped frame. ``displacement`` is
        left out: fit the lattice anew.

    Raises
    ------
    KindError
        If the sites are not indexed.
    TooFewSitesError
        If those of the grain fix no lattice.
    SettingError
        If there is no such grain, or the cell has no area.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.crystallography import assign_lattice_indices
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (part.ravel() for part in np.mgrid[:6.0, :6.0])
    >>> sheared = sites_from_positions(1.1 * y, x + 0.05 * y, unit="nm")
    >>> found = assign_lattice_indices(neighbor_vectors(sheared))
    >>> true = correct_lattice_distortion(found, length="1 nm")
    >>> bool(np.allclose(true["y"], y)), bool(np.allclose(true["x"], x))
    (True, True)
    """
    lattice = indexed_lattice(sites)
    if not 0 <= grain < len(lattice.vectors):
        msg = f"{grain=}: the sites have the grains 0 to {len(lattice.vectors) - 1}"
        raise SettingError(msg)
    unit, spacing = space_unit(sites), sites.attrs.get("spacing")
    measured = fit_grain(lattice, grain, sites_of_grains(lattice)[grain])
    if np.isnan(measured.ideal).any() or not len(measured.ideal):
        msg = (
            f"{grain=} holds {len(measured.ideal)} sites, which are on one line and fix no "
            "lattice: take another grain, or index the sites anew"
        )
        raise TooFewSitesError(msg)
    lengths = [
        length_from_setting(text, unit=unit, spacing=spacing, name=name)
        for text, name in (
            (length, "length"),
            (second_length if second_length is not None else length, "second_length"),
        )
    ]
    degrees = ANGLE.check(angle, name="angle").value
    if not min(lengths) > 0 or not 0 < degrees < 180:
        msg = f"{length=}, {second_length=}, {angle=}: this cell has no area"
        raise SettingError(msg)
    matrix = _matrix_to(measured.vectors, lengths, degrees)
    return _mapped(sites, matrix, unit)


def _matrix_to(
    measured: NDArray[np.float64], lengths: list[float], degrees: float
) -> NDArray[np.float64]:
    """Give M, place @ M, that makes the cell true and keeps the direction of +x."""
    inner = measured[0] @ measured[1] / np.linalg.norm(measured, axis=1).prod()
    sign = np.sign(np.linalg.det(measured))
    cosine = np.cos(np.radians(degrees))
    if cosine * inner < 0 and abs(cosine) > 0.1:
        cosine = -cosine
    # In y, x: j along +x, i from it towards +y where the measured ones turn that way.
    sine = float(np.sqrt(1 - cosine**2))
    true = np.array([[sign * sine * lengths[0], cosine * lengths[0]], [0.0, lengths[1]]])
    matrix = np.linalg.solve(measured, true)
    # What becomes of +x is turned back to +x.
    y, x = np.array([0.0, 1.0]) @ matrix
    turn = np.arctan2(y, x)
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    mapped: NDArray[np.float64] = matrix @ back
    return mapped


def _mapped(sites: Sites, matrix: NDArray[np.float64], unit: str) -> Sites:
    out = sites.drop_vars(["displacement", "displacement_error"], errors="ignore").copy()
    place = np.stack([out.coords["y"].values, out.coords["x"].values], axis=1) @ matrix
    for axis, values in zip("yx", place.T, strict=True):
        old = out.coords[axis]
        out.coords[axis] = ("site", values.astype(old.dtype), old.attrs)
    if "neighbor_vector" in out:
        old = out["neighbor_vector"]
        out["neighbor_vector"] = (old.dims, (old.values @ matrix).astype(old.dtype), old.attrs)
    if {"y_error", "x_error"} <= set(out.variables):
        errors = np.stack([out["y_error"].values, out["x_error"].values], axis=1)
        errors = np.sqrt(errors**2 @ matrix**2)
        for axis, values in zip("yx", errors.T, strict=True):
            old = out[f"{axis}_error"]
            out[f"{axis}_error"] = (old.dims, values.astype(old.dtype), old.attrs)
    if "covariance" in out and out["covariance"].dims == ("site", "axis", "axis_other"):
        old = out["covariance"]
        values = np.einsum("ab,sac,cd->sbd", matrix, old.values, matrix)
        out["covariance"] = (old.dims, values.astype(old.dtype), old.attrs)
    for name in ("stars", "lattice_vectors"):
        if name in out.attrs:
            out.attrs[name] = (np.array(out.attrs[name]) @ matrix).tolist()
    if "extent" in out.attrs:
        y0, y1, x0, x1 = out.attrs["extent"]
        corners = np.array([[y, x] for y in (y0, y1) for x in (x0, x1)]) @ matrix
        low, high = corners.min(axis=0), corners.max(axis=0)
        out.attrs["extent"] = [float(v) for v in (low[0], high[0], low[1], high[1])]
    if "spacing" in out.attrs:
        out.attrs["spacing"] = float(out.attrs["spacing"] * _mean_scale(matrix))
    _tell(out, matrix, unit)
    return out


def _mean_scale(matrix: NDArray[np.float64]) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix))))


def _tell(sites: Sites, matrix: NDArray[np.float64], unit: str) -> None:
    across, along = matrix[0, 0] - 1, matrix[1, 1] - 1
    shear = np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0]))
    add_note(
        sites,
        f"Positions mapped to the true cell: y stretched by {100 * across:+.2f} %, x by "
        f"{100 * along:+.2f} %, rows shifted along x by {matrix[0, 1]:+.4f} {unit} per {unit} of y "
        f"({shear:+.2f} deg). Strain and angles are relative to this cell.",
    )
