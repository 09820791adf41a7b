"""Images of tunneling microscopes, of computed structures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from adatom.defects.calculators import Calculator, require_calculator, version_of_calculator
from adatom.errors import SettingError
from adatom.schema import STRUCTURE, Image, Structure, add_note, image_from_array
from adatom.units import LENGTH, Length

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below this the density is noise of the grid: it falls off by ten in each 0.1 nm.
_LEAST: Final = 1e-12


def simulate_tunneling(
    structure: Structure,
    /,
    *,
    calculator: Calculator | None = None,
    bias: float = -1.0,
    distance: Length = "0.3 nm",
    mode: Literal["constant current", "constant height"] = "constant current",
    pixel_size: Length = "0.02 nm",
) -> Image:
    """Simulate an image of a scanning tunneling microscope.

    By Tersoff and Hamann [1]_ the current is that of the states between the
    Fermi level and the bias at the place of the tip, a point.

    Parameters
    ----------
    structure : Structure
        Relaxed, as `relax_defect` gives it, seen from above.
    calculator : Calculator, optional
        GPAW by default, the only one that gives wave functions here: LCAO,
        dzp basis, PBE. Its sampling (``settings={"kpts": [3, 3, 1]}``) must
        have states within the bias.
    bias : float
        Of the sample, in V: below 0 filled states are seen, above 0 empty
        ones.
    distance : length
        Above the topmost atom: of the tip at constant height; at constant
        current the one at which the mean current is what is held. Waves of
        the LCAO basis end some 0.4 nm from the atoms.
    mode : {"constant current", "constant height"}
        Heights of the tip, in nm above the topmost atom, or density of the
        states in the plane of the tip, per cubic nm.
    pixel_size : length
        Of the image, which shows one cell.

    Returns
    -------
    Image

    Raises
    ------
    MissingExtraError
        If GPAW is not installed.
    SettingError
        If no state lies within the bias, the tip is outside of the cell or in
        the atoms, or the calculator is another one.

    References
    ----------
    .. [1] J. Tersoff and D. R. Hamann, Phys. Rev. B 31, 805 (1985), eq. 7.

    Examples
    --------
    >>> from adatom.defects import build_impurity, simulate_tunneling
    >>> simulate_tunneling(build_impurity("Si")).dims  # doctest: +SKIP
    ('y', 'x')
    """
    STRUCTURE.check(structure)
    chosen = calculator or Calculator("gpaw")
    if chosen.name != "gpaw":
        msg = f"calculator {chosen.name!r} gives no wave functions here: take gpaw"
        raise SettingError(msg)
    if not np.isfinite(bias) or bias == 0:
        msg = f"{bias=} V draws no current: below 0 filled, above 0 empty states are seen"
        raise SettingError(msg)
    gap, step = (_nanometers(text, name) for text, name in
                 ((distance, "distance"), (pixel_size, "pixel_size")))  # fmt: skip
    given: Any = structure
    top = float(given.positions[:, 2].max()) / 10.0
    height = float(given.cell.array[2, 2]) / 10.0
    if top + gap >= height:
        msg = f"{distance=} puts the tip {top + gap - height:.2f} nm beyond the cell: more vacuum"
        raise SettingError(msg)
    require_calculator(chosen)
    density = _density_within(structure, chosen, bias)
    values = _image_on_cell(density, top + gap, height, mode)
    if mode == "constant current":
        values = values - top
    image = _resampled(values, given.cell.array[:2, :2] / 10.0, step)
    made = image_from_array(
        image,
        pixel_size=f"{step} nm",
        name="height" if mode == "constant current" else "density",
        units="nm" if mode == "constant current" else "1/nm^3",
        attrs={"bias": bias},
    )
    add_note(made, f"simulated by Tersoff and Hamann from {version_of_calculator(chosen)}")
    return made


def _nanometers(text: Length, name: str) -> float:
    value, unit = LENGTH.check(text, name=name)
    if unit != "nm" or not value > 0:
        msg = f"{name}={text!r} must be a positive length in nm"
        raise SettingError(msg)
    return value


def _density_within(
    structure: Structure, calculator: Calculator, bias: float
) -> NDArray[np.float64]:
    """Give the density of the states within the bias on a grid (along a, b and c), per nm^3."""
    from ase.dft.stm import STM

    from adatom.defects.gpaw import computed_by_gpaw

    atoms = computed_by_gpaw(structure, calculator)
    # Two spins share the states where they are not told apart.
    share = 2.0 / atoms.calc.get_number_of_spins()
    scanner = STM(atoms)  # type: ignore[no-untyped-call]
    scanner.calculate_ldos(bias)  # type: ignore[no-untyped-call]
    density: NDArray[np.float64] = share * 1000.0 * np.asarray(scanner.ldos, dtype=float)
    if not density.max() > 0:
        msg = f"no state lies within {bias=} V of the Fermi level: raise it, or sample more points"
        raise SettingError(msg)
    return density


def _image_on_cell(
    density: NDArray[np.float64], tip: float, height: float, mode: str
) -> NDArray[np.float64]:
    """Give density at the tip's height, or the heights of the density that is its mean there."""
    n_planes = density.shape[2]
    # A plane between two of the grid, between which the density falls exponentially.
    place = tip / height * n_planes
    below = int(place)
    logs = np.log(np.maximum(density, _LEAST))
    above = min(below + 1, n_planes - 1)
    plane = np.exp(logs[..., below] + (place - below) * (logs[..., above] - logs[..., below]))
    if mode == "constant height":
        return np.asarray(plane, dtype=float)
    held = float(np.log(max(float(plane.mean()), _LEAST)))
    # From above, the first plane below which the density is more than what is held.
    over = logs >= held
    last = n_planes - 1 - np.argmax(over[..., ::-1], axis=2)
    rows, columns = np.indices(last.shape)
    upper = np.minimum(last + 1, n_planes - 1)
    inside, outside = logs[rows, columns, last], logs[rows, columns, upper]
    drop = np.where(inside > outside, inside - outside, 1.0)
    heights = (last + np.clip((inside - held) / drop, 0.0, 1.0)) * height / n_planes
    if not over.any(axis=2).all():
        msg = "the tip would pass through the sheet in places: raise the distance"
        raise SettingError(msg)
    return np.asarray(heights, dtype=float)


def _resampled(
    values: NDArray[np.float64], lattice: NDArray[np.float64], step: float
) -> NDArray[np.float64]:
    """Sample a picture on a cell, whose first vector is along x, on a rectangle of one period."""
    width, depth = float(lattice[0, 0]), float(lattice[1, 1])
    y, x = np.meshgrid(np.arange(0, depth, step), np.arange(0, width, step), indexing="ij")
    # y points down in images and up in structures.
    share = np.stack([x, depth - y], axis=-1) @ np.linalg.inv(lattice)
    places = share * values.shape
    low = np.floor(places).astype(int)
    rest = places - low
    image = np.zeros(y.shape)
    for i in (0, 1):
        for j in (0, 1):
            weight = np.abs(1 - i - rest[..., 0]) * np.abs(1 - j - rest[..., 1])
            wrapped = values[
                (low[..., 0] + i) % values.shape[0], (low[..., 1] + j) % values.shape[1]
            ]
            image += weight * wrapped
    return image
