"""Whether the scale of an image is true: its lattice against the one that is known."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.stats

from adatom.errors import AdatomWarning, SettingError
from adatom.localization.detection import pixels_of_image, without_outliers
from adatom.localization.known_lattices import PlaneLattice, lattice_from_text
from adatom.localization.lattice_fit import (
    LatticeFit,
    fit_lattice,
    strain,
    stretch_part,
    stretch_to_truth,
    turn,
)
from adatom.schema import (
    IMAGE,
    Image,
    Mask,
    Table,
    add_note,
    pixel_size,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Below so much of the power of all reflections something else is in the image.
_MOST_OF_THE_POWER = 0.85


class ScaleComparison(NamedTuple):
    """What a known lattice says of the scale of an image.

    Attributes
    ----------
    verdict : str
        In a sentence or two.
    agrees : bool or None
        Whether the stated scale is right within tolerance and uncertainty, in
        every direction; None where the image states no scale.
    ratio : float
        True length over stated length, the mean of all directions: multiply
        the pixel size by it. Of an image in px it is nm per px.
    ratio_low, ratio_high : float
        Within which `ratio` lies with a probability of 95 % or more.
    distortion : float
        By how many percent one direction is stretched against the one across.
    distortion_error : float
        Standard error of `distortion`.
    distortion_angle : float
        Direction in which lengths read too long, in deg from +x towards +y.
    a, b : float
        Measured sides of the usual cell, in nm by the stated scale, else in px.
    angle : float
        Measured angle between them, in deg.
    rotation : float
        Direction of the side a, in deg from +x towards +y.
    pixel_size : str
        To read the image with.
    affine : tuple of four floats
        To read it with as well, beside `pixel_size`, if the distortion is to
        be removed too: yy, yx, xy, xx of the matrix from positions (y, x) of
        the file to true ones, without change of area and without rotation.
    reflections : Table
        From which all this was measured: ``h``, ``k``, ``frequency_y``,
        ``frequency_x``, ``power`` (over the noise) and ``residual``.
    """

    verdict: str
    agrees: bool | None
    ratio: float
    ratio_low: float
    ratio_high: float
    distortion: float
    distortion_error: float
    distortion_angle: float
    a: float
    b: float
    angle: float
    rotation: float
    pixel_size: str
    affine: tuple[float, float, float, float]
    reflections: Table


def compare_scale(
    image: Image,
    regions: Mask | None = None,
    /,
    *,
    lattice: str = "graphene",
    tolerance: float = 3.0,
) -> ScaleComparison:
    """Compare the scale of an image with a lattice that is known to be in it.

    The strongest reflections of the power spectrum are measured to a fraction
    of a bin. Of all cells of the lattice's shape, stretched by up to 30 %, that
    two of them span, the smallest is taken that explains the reflections: a
    superstructure, which holds less than 15 % of their power, does not make
    the cell larger (3 % where alternating columns look alike, as along
    SrTiO3 [100]), a cell smaller than the reflections need is never taken,
    and reflections that are missing do not matter as long as the others tell
    the cell. If the stated scale would be wrong by more than a third, another
    cell that holds half as much of the power and fits it is taken instead.

    Parameters
    ----------
    image : Image
        With a scale, which is judged, or in px, which get one.
    regions : Mask, optional
        True where the lattice is; by default the whole image. Of several
        grains the one with the strongest reflections counts.
    lattice : str
        "graphene", "graphite", "hBN", "MoS2", "MoSe2", "WS2", "WSe2",
        "SrTiO3 [100]", "SrTiO3 [110]", "Si [100]", "Si [110]", "Si [111]",
        "Au [100]", "Au [110]", "Au [111]", "Au(111) surface", or as told:
        "hexagonal 0.316 nm", "square 0.39 nm", "rectangular 0.3905 x
        0.2761 nm", "centered 0.543 x 0.384 nm", "oblique 0.3 x 0.4 nm 100 deg".
    tolerance : float
        In percent; scan calibrations and drift leave some 3 %.

    Returns
    -------
    ScaleComparison

    Warns
    -----
    AdatomWarning
        If the stated scale disagrees, with what to write instead.

    Raises
    ------
    NoLatticeError
        If the spectrum shows no reflections, or none that such a lattice has.
    SettingError
        If the lattice is not known.

    Examples
    --------
    >>> from adatom.simulation import Crystal, simulate_lattice
    >>> crystal = Crystal("hexagonal", spacing="16 px")
    >>> image = simulate_lattice(crystal=crystal, size=256, snr=20.0).image
    >>> compare_scale(image, lattice="MoS2").pixel_size[:6]
    '0.0197'
    """
    IMAGE.check(image)
    if not 0 <= tolerance < 100:
        msg = f"{tolerance=} is a share in percent: from 0 to less than 100, such as 3.0"
        raise SettingError(msg)
    known = lattice_from_text(lattice)
    pixels = without_outliers(pixels_of_image(image, regions, contrast="bright"))
    in_pixels = space_unit(image) == "px"
    step = np.array(pixel_size(image)) * (1e6 if space_unit(image) == "mm" else 1.0)
    fit = fit_lattice(pixels, known, None if in_pixels else step)
    result = _compared(fit, known, step, tolerance, stated=not in_pixels)
    if result.agrees is False:
        warnings.warn(result.verdict, AdatomWarning, stacklevel=2)
    return result


def _compared(
    fit: LatticeFit, known: PlaneLattice, step: Floats, tolerance: float, *, stated: bool
) -> ScaleComparison:
    """Tell what follows from the stretch between pixels and the true lattice."""
    in_pixels = stretch_to_truth(fit.cell.matrix, known)
    true_step = float(np.sqrt(np.linalg.det(in_pixels)))
    needed = stretch_part(in_pixels @ np.diag(1 / step))
    error = fit.errors(known)
    # Twice the half difference of two stretches, the same in every direction.
    distortion_error = 200 * float(np.sqrt((error[1:] ** 2).mean()))
    wide = float(scipy.stats.t.ppf(0.975, max(fit.n_independent - 1, 1.0)))
    ratio = float(np.exp(strain(needed)[0]))
    values, axes = np.linalg.eigh(needed)
    distortion = 100 * float(values[1] / values[0] - 1)
    allowed = np.log1p(tolerance / 100)
    agrees = abs(np.log(ratio)) <= allowed + wide * error[0] and (
        np.log(values[1] / values[0]) <= allowed + wide * distortion_error / 100
    )
    result = ScaleComparison(
        verdict="",
        agrees=bool(agrees) if stated else None,
        ratio=ratio,
        ratio_low=ratio * float(np.exp(-wide * error[0])),
        ratio_high=ratio * float(np.exp(wide * error[0])),
        distortion=distortion,
        distortion_error=distortion_error,
        # Lengths read too long where the least of them is true.
        distortion_angle=float(np.degrees(np.arctan2(axes[0, 0], axes[1, 0])) % 180),
        **_sides(fit, known, step),
        pixel_size=f"{true_step:.5g} nm",
        affine=_four(in_pixels / true_step),
        reflections=_reflections(fit, known),
    )
    return result._replace(verdict=_verdict(result, known, tolerance))


def _sides(fit: LatticeFit, known: PlaneLattice, step: Floats) -> dict[str, float]:
    """Give the usual cell as measured, by the stated scale."""
    cell = np.linalg.inv(fit.cell.matrix).T @ np.linalg.solve(known.primitive, known.cell)
    a, b = (cell * step[:, None]).T
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    angle = float(np.degrees(np.arccos(a @ b / (lengths[0] * lengths[1]))))
    return {"a": lengths[0], "b": lengths[1], "angle": angle, "rotation": turn(fit.cell, known)}


def _four(matrix: Floats) -> tuple[float, float, float, float]:
    yy, yx, xy, xx = (round(float(value), 6) for value in matrix.ravel())
    return yy, yx, xy, xx


def _reflections(fit: LatticeFit, known: PlaneLattice) -> Table:
    mine = fit.cell.belongs
    frequency, indices = fit.spots.frequency[mine], fit.cell.indices[mine]
    # In terms of the usual cell, whose vectors the primitive ones are made of.
    usual = np.rint(indices @ np.linalg.solve(known.primitive, known.cell)).astype(int)
    residual = np.linalg.norm(frequency - indices @ fit.cell.matrix.T, axis=1)
    floor = 1e-9 * float(fit.spots.power.max())
    table = table_from_columns(
        {
            "h": usual[:, 0],
            "k": usual[:, 1],
            "frequency_y": frequency[:, 0],
            "frequency_x": frequency[:, 1],
            "power": fit.spots.power[mine] / np.maximum(fit.spots.noise[mine], floor),
            "residual": residual,
        },
        units=dict.fromkeys(("frequency_y", "frequency_x", "residual"), "1/px"),
    )
    add_note(
        table, f"Lengths of {known.name}: {_shape(*known.lengths, known.angle)} ({known.source})."
    )
    if fit.cell.explained < _MOST_OF_THE_POWER:
        add_note(
            table,
            f"{1 - fit.cell.explained:.0%} of the power of the reflections is not of this lattice: "
            "another grain, a superstructure or another crystal.",
        )
    if fit.n_independent < 2:
        add_note(
            table,
            "The image is too small to be measured in parts: the interval is of noise alone.",
        )
    return table


def _shape(a: float, b: float, angle: float) -> str:
    lengths = f"{a:.4g} nm" if abs(a - b) < 1e-9 else f"{a:.4g} x {b:.4g} nm"
    return f"{lengths}, {angle:.4g} deg"


def _verdict(result: ScaleComparison, known: PlaneLattice, tolerance: float) -> str:
    """Say in words whether the scale is right and what to write instead."""
    error = 100 * (result.ratio_high / result.ratio - 1)
    stretched = result.distortion > tolerance
    remedy = f'pixel_size="{result.pixel_size}"'
    shape = (
        f"lengths along {result.distortion_angle:.0f} deg read {result.distortion:.1f} % longer "
        "than those across"
    )
    if stretched:
        remedy += f" and affine={result.affine}"
    if result.agrees is None:
        said = f"By the lattice of {known.name} a pixel is {result.pixel_size} (± {error:.2g} %)"
        return f"{said}; {shape}. Read it with {remedy}." if stretched else f"{said}."
    if result.agrees:
        return (
            f"The stated scale agrees with {known.name}: true lengths are {result.ratio:.4f} times "
            f"(± {error:.2g} %) the stated ones, which is within {tolerance:g} % and the error."
        )
    off = 100 * (1 / result.ratio - 1)
    wrong = f"lengths read {abs(off):.1f} % (± {error:.2g} %) too {'long' if off > 0 else 'short'}"
    measured = (
        f"the lattice of {known.name} measures {result.a:.4g} x {result.b:.4g} and "
        f"{result.angle:.1f} deg in place of {_shape(*known.lengths, known.angle)}"
    )
    also = f", and {shape}" if stretched else ""
    said = f"The stated scale disagrees with {known.name}: {wrong}{also}; {measured}."
    return f"{said} Read it with {remedy}."
