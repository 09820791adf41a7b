"""What Gaussians get right of an image by multislice: the shape of columns, the power of Z.

    python benchmarks/probe_model.py [--folder FOLDER] [--picture FILE.png]

First the electrons of single atoms at 60 kV against their atomic number, then, for every dark
field of the reference set, the best sums of Gaussians: one per column, and a core with a broader
tail, with free amplitudes and shared widths and tail fraction on a constant background. What
is left is told as its root mean square over the standard deviation of the image.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.optimize import minimize

from adatom.schema import positions
from adatom.simulation import (
    Multislice,
    MultisliceSimulation,
    Optics,
    simulate_multislice,
    simulate_reference_image,
)
from adatom.simulation.reference_structures import REFERENCES

ELEMENTS = ("C", "Si", "S", "Mo", "W")
DETECTORS = (("60 mrad", "200 mrad"), ("80 mrad", "200 mrad"))
# The image is fitted within, columns as far as the margin around it take part, in nm.
WINDOW = (0.4, 1.4)
MARGIN = 0.25


def electrons_of_atoms(inner: str, outer: str) -> NDArray[np.float64]:
    """Give the share of the beam that a lone atom scatters to a detector, times nm^2."""
    optics = Optics(inner=inner, outer=outer)
    still = Multislice(configurations=1, displacement="0 nm", largest_angle=outer)
    found = []
    for element in ELEMENTS:
        atom = Atoms(element, positions=[(5.5, 5.5, 0)], cell=[11, 11, 4], pbc=True)
        made = simulate_multislice(
            atom, field=("1.1 nm", "1.1 nm"), pixel_size="0.02 nm", optics=optics, multislice=still
        )
        found.append(float(made.expected.sum(dtype=np.float64)) * 0.02**2)
    return np.array(found)


class Fit(NamedTuple):
    """The best sum of Gaussians."""

    core: float
    tail: float
    fraction: float
    """Share of the electrons in the tail."""
    residual: float
    model: NDArray[np.float64]
    values: NDArray[np.float64]


def fitted(made: MultisliceSimulation, *, with_tail: bool) -> Fit:
    """Fit Gaussians at the true places to an image without noise."""
    low, high = WINDOW
    part = made.expected.sel(y=slice(low, high), x=slice(low, high))
    places = positions(made.truth)
    near = ((places > low - MARGIN) & (places < high + MARGIN)).all(axis=1)
    squared = (
        (part.y.values[:, None, None] - places[near, 0]) ** 2
        + (part.x.values[None, :, None] - places[near, 1]) ** 2
    ).reshape(-1, int(near.sum()))
    values = part.values.astype(float).ravel()

    def model(shape: NDArray[np.float64]) -> NDArray[np.float64]:
        core, tail, fraction = shape if with_tail else (shape[0], 1.0, 0.0)
        columns = (1 - fraction) * np.exp(-squared / (2 * core**2)) / core**2
        columns += fraction * np.exp(-squared / (2 * tail**2)) / tail**2
        design = np.column_stack([columns, np.full(len(values), columns.max())])
        amplitude = np.linalg.lstsq(design, values)[0]
        return design @ amplitude

    def left(shape: NDArray[np.float64]) -> float:
        return float(((model(shape) - values) ** 2).mean()) / values.var()

    begin, bounds = [0.05], [(0.02, 0.15)]
    if with_tail:
        begin, bounds = [0.045, 0.12, 0.3], [(0.02, 0.1), (0.06, 0.3), (0.0, 0.95)]
    best = minimize(left, begin, bounds=bounds, method="Nelder-Mead", options={"xatol": 1e-3})
    shape = best.x if with_tail else np.array([best.x[0], np.nan, 0.0])
    grid = part.shape
    return Fit(*shape, np.sqrt(best.fun), model(best.x).reshape(grid), values.reshape(grid))


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where the reference set is kept")
    parser.add_argument("--picture", type=Path, help="draw images, models and what is left")
    told = parser.parse_args()
    number = np.log(Atoms(ELEMENTS).numbers)
    for inner, outer in DETECTORS:
        electrons = electrons_of_atoms(inner, outer)
        power = np.polyfit(number, np.log(electrons), 1)[0]
        ratios = " ".join(f"{e} {v:.2f}" for e, v in zip(ELEMENTS, electrons / electrons[0]))
        print(
            f"single atoms, {inner} to {outer}: Z^{power:.2f}; relative to C: {ratios}", flush=True
        )
    fits = {}
    for name in REFERENCES:
        made = simulate_reference_image(
            name=name, pixel_size="0.02 nm", dose=np.inf, folder=told.folder
        )
        one, two = (fitted(made, with_tail=tail) for tail in (False, True))
        fits[name] = two
        print(
            f"{name:12s} one Gaussian {1e3 * one.core:.0f} pm, left {one.residual:.3f}; "
            f"core {1e3 * two.core:.0f} pm, tail {1e3 * two.tail:.0f} pm with "
            f"{two.fraction:.2f} of the electrons, left {two.residual:.3f}",
            flush=True,
        )
    if told.picture:
        draw(fits, told.picture)


def draw(fits: dict[str, Fit], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, len(fits), figsize=(1.8 * len(fits), 5.8), layout="constrained")
    for column, (name, fit) in zip(axes.T, fits.items(), strict=True):
        low, high = fit.values.min(), fit.values.max()
        left = fit.values - fit.model
        column[0].set_title(name, fontsize=8)
        column[0].imshow(fit.values, cmap="gray", vmin=low, vmax=high)
        column[1].imshow(fit.model, cmap="gray", vmin=low, vmax=high)
        # A tenth of the contrast of the image on either side.
        column[2].imshow(left, cmap="RdBu_r", vmin=(low - high) / 10, vmax=(high - low) / 10)
        for axis in column:
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, label in zip(axes[:, 0], ("multislice", "Gaussians", "left, ±10 %"), strict=True):
        axis.set_ylabel(label)
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
