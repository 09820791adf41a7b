"""Electron waves through a box of atoms, by abTEM: what every detector counts of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.errors import MissingExtraError, SettingError
from adatom.simulation.atomic_potentials import potential_of_slices

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from adatom.simulation.optics import Multislice, Optics

# abTEM and ASE count lengths in angstrom.
_ANGSTROMS: Final = 10.0
# Vacuum above and below the atoms, in nm: they vibrate along the beam as well.
_PADDING: Final = 0.1
# abTEM keeps waves up to two thirds of the highest frequency of the grid, less a taper.
_KEPT: Final = 0.65
# In units of the propagation of one wave through one slice, measured on grids of 170 to 200
# points: adding one plane wave into one probe, and making and counting one probe.
_ADDING_ONE_WAVE: Final = 0.01
_COUNTING_A_SUM: Final = 1.0
_COUNTING_A_PROBE: Final = 6.0
# Bytes of the waves that are propagated together.
_WAVES_AT_A_TIME: Final = 8e6
# Smaller boxes have too few beams for an annular detector: at 60 kV one every 4.9 mrad.
SMALLEST_BOX: Final = 1.0


class PeriodicImages(NamedTuple):
    """Images of a periodic box, as the Fourier series that they are.

    Attributes
    ----------
    series : ndarray of complex, shape (detector, wave_y, wave_x)
        Coefficients; the image is the share of the beam that the detector counts.
    size : tuple of two floats
        Height and width of the box in nm.
    atoms : ndarray, shape (atom, axis)
        Mean places of the atoms over the configurations, y and x, in nm.
    algorithm : str
        "multislice" or "PRISM".
    """

    series: NDArray[np.complex128]
    size: tuple[float, float]
    atoms: NDArray[np.float64]
    algorithm: str

    def values(
        self, y: NDArray[np.float64], x: NDArray[np.float64], /, *, blur: float
    ) -> NDArray[np.float32]:
        """Give the images (detector, y, x) on the lines y and x in nm.

        Exact at any place, as a probe of limited semiangle makes images of limited
        frequencies; `blur` is the standard deviation of a Gaussian in nm.
        """
        rows, columns = (
            _waves(places, count, length, blur)
            for places, count, length in zip((y, x), self.series.shape[1:], self.size, strict=True)
        )
        images = (rows @ self.series @ columns.T).real
        # What is below zero is rounding.
        return images.clip(0.0).astype(np.float32)


def _waves(
    places: NDArray[np.float64], count: int, length: float, blur: float
) -> NDArray[np.complex128]:
    frequency = np.fft.fftfreq(count, length / count)
    damping = np.exp(-2 * (math.pi * blur * frequency) ** 2)
    waves: NDArray[np.complex128] = np.exp(2j * math.pi * np.outer(places, frequency)) * damping
    return waves


def periodic_images(
    atoms: Atoms, optics: Sequence[Optics], multislice: Multislice, *, seed: int
) -> PeriodicImages:
    """Propagate a probe from every place of a box through its atoms.

    Parameters
    ----------
    atoms : Atoms
        In a rectangular cell, periodic in its plane; the beam runs along +z.
    optics : sequence of Optics
        They differ in their detectors alone, all are counted in one go.
    multislice : Multislice
        Grid, slices and vibrations.
    seed : int
        Of the vibrations.
    """
    abtem = import_abtem()
    box = _upright(atoms)
    first = optics[0]
    scan_shape = _scan_shape(box, first)
    angle = max(
        multislice.milliradians("largest_angle"), *(o.milliradians("outer") for o in optics)
    )
    grid = _grid(box, angle, first.wavelength)
    slices = math.ceil(
        box.cell.lengths()[2] / _ANGSTROMS / multislice.nanometers("slice_thickness") - 1e-6
    )
    algorithm = _cheaper_algorithm(box, first, slices, math.prod(scan_shape))
    detectors = [
        abtem.AnnularDetector(o.milliradians("inner"), o.milliradians("outer")) for o in optics
    ]
    total = np.zeros((len(optics), *scan_shape))
    places = np.zeros((len(box), 2))
    for rng in np.random.default_rng(seed).spawn(multislice.configurations):
        shaken = _shaken(box, multislice.nanometers("displacement"), rng)
        places += shaken.positions[:, 1::-1] / _ANGSTROMS / multislice.configurations
        with _quiet_abtem(abtem):
            potential = potential_of_slices(abtem, shaken, grid, slices)
            scan = abtem.GridScan(
                (0, 0), tuple(box.cell.lengths()[:2]), gpts=scan_shape[::-1], endpoint=False
            )
            scanned = _prism if algorithm == "PRISM" else _one_probe_at_a_time
            counted = scanned(abtem, potential, scan, detectors, first)
        total += np.stack([image.astype(np.float64).T for image in counted])
    series = np.fft.fft2(total / multislice.configurations) / math.prod(scan_shape)
    width, height = (length / _ANGSTROMS for length in box.cell.lengths()[:2])
    return PeriodicImages(series, (height, width), places, algorithm)


def import_abtem() -> Any:  # noqa: ANN401 -- the module
    """Give abTEM, or say how to install it."""
    try:
        import abtem
    except ImportError as error:
        msg = "multislice needs abTEM: install it with pip install 'adatom[multislice]'"
        raise MissingExtraError(msg) from error
    return abtem


@contextmanager
def _quiet_abtem(abtem: Any) -> Iterator[None]:  # noqa: ANN401 -- the module
    import dask

    # Plans of FFTs that are found by measuring round differently from run to run.
    settings = {
        "diagnostics.progress_bar": False,
        "device": "cpu",
        "precision": "float32",
        "fftw.planning_effort": "FFTW_ESTIMATE",
        "fftw.threads": 1,
    }
    with abtem.config.set(settings), dask.config.set(scheduler="synchronous"):
        yield


def _upright(atoms: Atoms) -> Atoms:
    """Put the atoms into a box that ends right above and below them."""
    box: Atoms = atoms.copy()  # type: ignore[no-untyped-call]
    cell = np.array(box.cell)
    plane = cell[:2, :2]
    if np.abs(cell[:2, 2]).max() > 1e-6 or np.abs([plane[0, 1], plane[1, 0]]).max() > 1e-6:
        msg = "the cell is not rectangular in the plane of the image"
        raise SettingError(msg)
    sides = np.diag(plane) / _ANGSTROMS
    if sides.min() < SMALLEST_BOX:
        msg = (
            f"a cell of {sides[1]:.3g} nm x {sides[0]:.3g} nm is too small for the waves of a "
            f"probe: repeat it to {SMALLEST_BOX:g} nm or more, as by "
            "structure.repeat((3, 3, 1))"
        )
        raise SettingError(msg)
    low, high = box.positions[:, 2].min(), box.positions[:, 2].max()
    padding = _PADDING * _ANGSTROMS
    box.positions[:, 2] += padding - low
    box.set_cell(np.diag([*np.diag(plane), high - low + 2 * padding]))  # type: ignore[no-untyped-call]
    box.pbc = (True, True, False)
    return box


def _scan_shape(box: Atoms, optics: Optics) -> tuple[int, int]:
    """Fewest scan points that hold all of the image: no beams interfere over more than 2 alpha."""
    highest = 2 * optics.milliradians("semiangle") * 1e-3 / optics.wavelength
    width, height = (
        2 * math.floor(highest * length / _ANGSTROMS + 1) + 1 for length in box.cell.lengths()[:2]
    )
    return height, width


def _grid(box: Atoms, angle: float, wavelength: float) -> tuple[int, int]:
    from scipy.fft import next_fast_len

    step = _KEPT * wavelength / (2e-3 * angle)
    x, y = (
        next_fast_len(math.ceil(length / _ANGSTROMS / step)) for length in box.cell.lengths()[:2]
    )
    return x, y


def _cheaper_algorithm(box: Atoms, optics: Optics, slices: int, probes: int) -> str:
    """Choose by the number of propagations through one slice; both give the same images.

    PRISM propagates every plane wave of the probe once, and adds them up for every
    place of the probe.
    """
    area = math.prod(box.cell.lengths()[:2]) / _ANGSTROMS**2
    waves = math.pi * (optics.milliradians("semiangle") * 1e-3 / optics.wavelength) ** 2 * area
    prism = waves * slices + probes * (_ADDING_ONE_WAVE * waves + _COUNTING_A_SUM)
    return "PRISM" if prism < probes * (slices + _COUNTING_A_PROBE) else "multislice"


def _shaken(box: Atoms, displacement: float, rng: np.random.Generator) -> Atoms:
    shaken: Atoms = box.copy()  # type: ignore[no-untyped-call]
    shaken.positions += rng.normal(0.0, displacement * _ANGSTROMS, shaken.positions.shape)
    return shaken


def _one_probe_at_a_time(
    abtem: Any,  # noqa: ANN401 -- objects of a library without types
    potential: Any,  # noqa: ANN401
    scan: Any,  # noqa: ANN401
    detectors: list[Any],
    optics: Optics,
) -> list[NDArray[np.float32]]:
    probe = abtem.Probe(
        energy=optics.volts,
        semiangle_cutoff=optics.milliradians("semiangle"),
        defocus=optics.nanometers("defocus") * _ANGSTROMS,
        Cs=optics.nanometers("spherical_aberration") * _ANGSTROMS,
    )
    probe.grid.match(potential)
    batch = max(1, int(_WAVES_AT_A_TIME / (8 * math.prod(potential.gpts))))
    found = probe.scan(potential, scan=scan, detectors=detectors, max_batch=batch)
    return _arrays(found)


def _prism(
    abtem: Any,  # noqa: ANN401
    potential: Any,  # noqa: ANN401
    scan: Any,  # noqa: ANN401
    detectors: list[Any],
    optics: Optics,
) -> list[NDArray[np.float32]]:
    semiangle = optics.milliradians("semiangle")
    waves = abtem.SMatrix(
        potential=potential, energy=optics.volts, semiangle_cutoff=semiangle, interpolation=1
    )
    ctf = abtem.CTF(
        energy=optics.volts,
        semiangle_cutoff=semiangle,
        defocus=optics.nanometers("defocus") * _ANGSTROMS,
        Cs=optics.nanometers("spherical_aberration") * _ANGSTROMS,
    )
    found = waves.scan(scan=scan, detectors=detectors, ctf=ctf)
    return _arrays(found)


def _arrays(found: Any) -> list[NDArray[np.float32]]:  # noqa: ANN401
    # One detector gives one measurement, several give a list; each may have a mean to be taken
    # over the one configuration that the potential holds.
    measured = [found] if hasattr(found, "array") else list(found)
    arrays = [np.asarray(one.compute().array if one.is_lazy else one.array) for one in measured]
    return [array.reshape(array.shape[-2:]) for array in arrays]
