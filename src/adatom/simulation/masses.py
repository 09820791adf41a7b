"""Mass spectra of every pixel of a tissue, as lists of peaks, with exactly known truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import SettingError
from adatom.schema import Classes, Table, add_note, table_from_columns
from adatom.simulation.regions import bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Regions differ in some of their molecules, most are everywhere.
_PARTICULAR: Final = 5
_MORE: Final = 6.0
_PIXEL: Final = 50_000.0
# Peaks of less than this many ions are not picked by an instrument.
_LEAST_IONS: Final = 1


@dataclass(frozen=True)
class MassSpectrometer:
    """What an instrument does to masses and intensities.

    Attributes
    ----------
    mass_range : tuple of float
        In Da; 600 to 900 is where lipids are.
    jitter : float
        Standard deviation in parts per million of the masses of a pixel,
        all of them together, as from the height of the tissue; single peaks
        have a third of it on top.
    noise_peaks : int
        Peaks of a pixel at masses of chance: chemical noise.
    ions : float
        Expected in a typical peak of a pixel.
    brightness : float
        Relative standard deviation (log-normal) of all intensities of
        a pixel together, as from matrix crystals.
    """

    mass_range: tuple[float, float] = (600.0, 900.0)
    jitter: float = 2.0
    noise_peaks: int = 20
    ions: float = 30.0
    brightness: float = 0.4

    def __post_init__(self) -> None:
        low, high = self.mass_range
        if not 0 < low < high:
            msg = f"{self.mass_range=} must be two rising masses above zero"
            raise SettingError(msg)
        if min(self.jitter, self.noise_peaks, self.brightness) < 0 or not self.ions > 0:
            msg = (
                f"{self.jitter=}, {self.noise_peaks=}, {self.brightness=} must be 0 or more, "
                f"{self.ions=} above"
            )
            raise SettingError(msg)


class MassSimulation(NamedTuple):
    """Lists of peaks, and what they were made of."""

    peaks: Table
    """``pixel_row``, ``pixel_column``, ``mass_to_charge``, ``intensity``, as
    `io.read_table` gives them of an imzML."""
    classes: Classes
    """Region of every pixel."""
    truth: Table
    """``mass_to_charge`` of every molecule, its ``region`` (-1: everywhere
    alike) and expected intensity in each, ``intensity_0`` ..."""


def simulate_mass_map(
    *,
    size: int = 48,
    n_regions: int = 3,
    n_molecules: int = 60,
    spectrometer: MassSpectrometer = MassSpectrometer(),
    seed: int = 0,
) -> MassSimulation:
    """Simulate mass-spectrometry imaging of a tissue, each pixel with masses of its own.

    Every region has five molecules six times as abundant in it as elsewhere;
    the others are everywhere alike. Peaks are centroids, intensities counts
    of ions.

    Parameters
    ----------
    size : int
        Pixels along y and along x, of 50 micrometers.
    n_regions : int
        Regions of as many pixels each.
    n_molecules : int
        At least five a region; neighbors in mass are 0.02 Da apart or more.
    spectrometer : MassSpectrometer
        Range, jitter, noise and counts.
    seed : int
        Of regions, masses and counts.

    Returns
    -------
    MassSimulation

    Raises
    ------
    SettingError
        If there are too few molecules for the regions, or too many for the range.

    Examples
    --------
    >>> made = simulate_mass_map(size=6, seed=1)
    >>> sorted(made.peaks), int((made.truth["region"] == 0).sum())
    (['intensity', 'mass_to_charge', 'pixel_column', 'pixel_row'], 5)
    """
    if size < 1 or n_regions < 1 or n_molecules < _PARTICULAR * n_regions:
        msg = (
            f"{size=} and {n_regions=} must be 1 or more, {n_molecules=} at least "
            f"{_PARTICULAR} a region"
        )
        raise SettingError(msg)
    places, chemistry, counting = np.random.default_rng(seed).spawn(3)
    label = bands(size, n_regions, places)
    masses = _masses(n_molecules, spectrometer.mass_range, chemistry)
    region = np.full(n_molecules, -1)
    chosen = chemistry.permutation(n_molecules)[: _PARTICULAR * n_regions]
    region[chosen] = np.arange(len(chosen)) % n_regions
    abundance = spectrometer.ions * chemistry.lognormal(0.0, 0.7, n_molecules)
    expected = np.repeat(abundance[None], n_regions, axis=0)
    for number in range(n_regions):
        expected[number, region == number] *= _MORE
    peaks = _peaks(label, masses, expected, spectrometer, counting)
    add_note(peaks, f"Simulated: mass jitter {spectrometer.jitter:g} ppm, seed {seed}.")
    space = {dim: (dim, _PIXEL * np.arange(size), {"units": "nm"}) for dim in ("y", "x")}
    classes = xr.Dataset({"label": (("y", "x"), label.astype(np.int32))}, coords=space)
    columns = {"mass_to_charge": masses, "region": region}
    columns |= {f"intensity_{k}": row for k, row in enumerate(expected)}
    return MassSimulation(peaks, classes, table_from_columns(columns, units=_UNITS))


_UNITS: Final = {"mass_to_charge": "Da"}
_APART: Final = 0.02


def _masses(
    number: int, span: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw masses that keep apart, uniformly over what is left of the range."""
    free = span[1] - span[0] - _APART * (number + 1)
    if free <= 0:
        msg = f"{number} molecules do not fit {_APART} Da apart into {span[0]:g} to {span[1]:g} Da"
        raise SettingError(msg)
    drawn = np.sort(rng.uniform(0, free, number))
    return np.asarray(span[0] + drawn + _APART * (np.arange(number) + 1))


def _peaks(
    label: NDArray[np.int64],
    masses: NDArray[np.float64],
    expected: NDArray[np.float64],
    spectrometer: MassSpectrometer,
    rng: np.random.Generator,
) -> Table:
    n_pixels, n_molecules = label.size, len(masses)
    brightness = rng.lognormal(0.0, spectrometer.brightness, (n_pixels, 1))
    ions = rng.poisson(expected[label.ravel()] * brightness)
    drift = rng.normal(0.0, spectrometer.jitter, (n_pixels, 1))
    own = rng.normal(0.0, spectrometer.jitter / 3, (n_pixels, n_molecules))
    found = masses * (1 + 1e-6 * (drift + own))
    shape = (n_pixels, spectrometer.noise_peaks)
    noise_masses = rng.uniform(*spectrometer.mass_range, shape)
    noise_ions = rng.poisson(spectrometer.ions / 3, shape)
    mass = np.concatenate([found, noise_masses], axis=1)
    intensity = np.concatenate([ions, noise_ions], axis=1)
    pixel = np.repeat(np.arange(n_pixels)[:, None], mass.shape[1], axis=1)
    picked = intensity >= _LEAST_IONS
    pixel, mass, intensity = pixel[picked], mass[picked], intensity[picked]
    order = np.lexsort((mass, pixel))
    rows, columns = np.divmod(pixel[order], label.shape[1])
    return table_from_columns(
        {
            "pixel_row": rows,
            "pixel_column": columns,
            "mass_to_charge": mass[order],
            "intensity": intensity[order].astype(float),
        },
        units=_UNITS,
    )
