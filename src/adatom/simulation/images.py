"""Simulated images, with all that is true of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import (
    SITES,
    Image,
    Mask,
    Sites,
    add_note,
    extent,
    image_from_array,
    positions,
    sites_from_positions,
    space_unit,
)
from adatom.simulation.contamination import film_atoms, random_film
from adatom.simulation.detection import counted_electrons, sloping_background
from adatom.simulation.graphene import Flake, build_graphene
from adatom.simulation.lattices import Crystal, build_lattice, spacing_of_crystal
from adatom.simulation.microscope import Microscope
from adatom.simulation.rendering import sum_of_broad_gaussians, sum_of_gaussians
from adatom.simulation.scanning import ScanPath, exact_scan, random_scan
from adatom.units import LENGTH, SPACE_UNITS, Length, length_from_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_CARBON: Final = 6


class Simulation(NamedTuple):
    """A simulated image and the truth about it.

    Attributes
    ----------
    image : Image
        As the instrument gives it, in counts.
    truth : Sites
        The atoms whose centroid lies in the image, where they are *in the
        image*: drift, jitter and distortion have moved them. ``species``,
        ``class``, ``amplitude`` and ``width`` of the Gaussian core, and
        ``visible``: False where contamination lies over the atom.
    clean : Mask
        True where the lattice is bare, False under contamination.
    vacancies : Sites
        Where atoms are missing, in the image, with ``class``; none if not known.
    expected : Image
        The image without noise.
    """

    image: Image
    truth: Sites
    clean: Mask
    vacancies: Sites
    expected: Image


def simulate_graphene(
    *,
    size: int = 512,
    field: Length = "6 nm",
    flake: Flake = Flake(),  # noqa: B008 -- frozen
    microscope: Microscope = Microscope(),  # noqa: B008 -- frozen
    contamination: float = 0.08,
    seed: int = 0,
) -> Simulation:
    """Simulate a dark-field image of graphene with Si, vacancies and dirt.

    Parameters
    ----------
    size : int
        Rows and columns of the image.
    field : length
        Height and width of the image: 6 nm hold some 1,350 atoms, of
        which about a dozen are Si, on pixels of 0.012 nm.
    flake : Flake
        Defects of the sheet.
    microscope : Microscope
        Probe, scan and detector.
    contamination : float
        Share of the image that lies under amorphous carbon, in one corner.
    seed : int
        Of everything random. Sheet, film, scan and noise have streams of their
        own: another dose or drift leaves the sample as it is.

    Returns
    -------
    Simulation
        ``image``, ``truth``, ``clean``, ``vacancies`` and ``expected``.

    Raises
    ------
    SettingError
        If the field has no room for the defects.

    Examples
    --------
    >>> simulation = simulate_graphene(size=128, field="3 nm", seed=1)
    >>> simulation.image.dtype, simulation.truth.attrs["spacing"].__round__(4)
    (dtype('float32'), 0.142)
    """
    length = length_from_setting(field, unit="nm", name="field")
    if size < 2 or not length > 0:
        msg = f"{size=} and {field=} make no image: take 2 pixels or more and a positive length"
        raise SettingError(msg)
    sample_seed, image_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    graphene = build_graphene(
        flake=flake, field=(length, length), margin=margin_of(microscope, length), seed=sample_seed
    )
    simulation = _imaged(
        graphene.atoms,
        graphene.vacancies,
        shape=(size, size),
        pixel=length / size,
        microscope=microscope,
        contamination=contamination,
        seed=image_seed,
    )
    for image in (simulation.image, simulation.expected):
        add_note(image, f"simulated: graphene with Si and vacancies, {seed=}")
    return simulation


def simulate_image(
    sites: Sites,
    vacancies: Sites | None = None,
    /,
    *,
    shape: tuple[int, int] = (512, 512),
    pixel_size: Length = "0.014 nm",
    microscope: Microscope = Microscope(),  # noqa: B008 -- frozen
    contamination: float = 0.0,
    seed: int = 0,
) -> Simulation:
    """Simulate a dark-field image of any sites.

    Parameters
    ----------
    sites : Sites
        In nm, with ``species`` (names of elements) and perhaps ``occupancy``
        (site), a factor of the intensity such as the number of atoms in a
        column, and ``composition`` (site, element), the shares of the
        elements in a mixed column, which then say how bright its
        atoms are; ``spread`` (site) in nm makes a column broader. The origin
        is the first pixel. Lay out sites beyond the image as well, or it will
        darken towards its edges.
    vacancies : Sites, optional
        Where atoms are missing, with ``class``, as `apply_disorder` gives them: they
        are listed where they lie in the image.
    shape : tuple of two int
        Rows and columns.
    pixel_size : length
        In nm; 0.014 nm is common where both lattice and overview are wanted.
    microscope : Microscope
        Probe, scan and detector.
    contamination : float
        Share of the image that lies under amorphous carbon.
    seed : int
        Of everything random.

    Returns
    -------
    Simulation
        The atoms of ``truth`` keep all variables of `sites`.

    Raises
    ------
    KindError
        If the sites have no species.
    UnitError
        If the sites are not in nm.
    SettingError
        If a species is no element, or the image has no pixels.

    Examples
    --------
    >>> sites = build_lattice(
    ...     crystal=Crystal("square", spacing="0.3 nm"), field=(2.0, 2.0), unit="nm", margin=0.5
    ... )
    >>> simulation = simulate_image(sites, shape=(100, 100), pixel_size="0.02 nm")
    >>> bool(simulation.clean.all())
    True
    """
    SITES.check(sites)
    if space_unit(sites) != "nm":
        msg = f"sites are in {space_unit(sites)}, a microscope of known probe needs them in nm"
        raise UnitError(msg)
    if "species" not in sites:
        msg = "sites carry no 'species', from which their brightness follows: add it along 'site'"
        raise KindError(msg)
    pixel = length_from_setting(pixel_size, unit="nm", name="pixel_size")
    if min(shape) < 1 or not pixel > 0:
        msg = f"{shape=} and {pixel_size=} make no image: both must be positive"
        raise SettingError(msg)
    if vacancies is None:
        vacancies = sites_from_positions([], [], unit="nm")
        vacancies["class"] = ("site", np.array([], dtype="<U10"))
    else:
        SITES.check(vacancies, name="vacancies")
        if space_unit(vacancies) != "nm":
            msg = f"vacancies are in {space_unit(vacancies)}, sites in nm: both must be in nm"
            raise UnitError(msg)
    rows, columns = shape
    return _imaged(
        sites,
        vacancies,
        shape=(rows, columns),
        pixel=pixel,
        microscope=microscope,
        contamination=contamination,
        seed=seed,
    )


def simulate_lattice(
    *,
    crystal: Crystal = Crystal(),  # noqa: B008 -- frozen
    size: int = 256,
    pixel_size: Length = "1 px",
    width: Length = "4 px",
    snr: float = 10.0,
    seed: int = 0,
) -> Simulation:
    """Simulate a lattice of Gaussians in white noise, for tests with known truth.

    The brightest columns have the amplitude 1, the others in proportion to the sum
    over their atoms of the atomic number to the power of 1.64.

    Parameters
    ----------
    crystal : Crystal
        Which lattice, its spacing and disorder.
    size : int
        Rows and columns of the image.
    pixel_size : length
        Such as "0.01 nm"; by default the image has no scale.
    width : length
        Standard deviation of the Gaussians; a fifth of the default
        spacing, so that atoms touch but stay apart.
    snr : float
        Amplitude of the brightest atoms over the standard deviation of the noise
        of one pixel; infinite for no noise.
    seed : int
        Of everything random.

    Returns
    -------
    Simulation
        All of it ``clean``; ``vacancies`` are not listed.

    Raises
    ------
    SettingError
        If the image has no pixels, or `snr` or `width` is not positive.

    Examples
    --------
    >>> simulation = simulate_lattice(crystal=Crystal("honeycomb", spacing="16 px"), snr=5.0)
    >>> simulation.image.shape, simulation.truth.attrs["spacing"]
    ((256, 256), 16.0)
    """
    if size < 2 or not snr > 0:
        msg = f"{size=} must be 2 or more, {snr=} more than 0"
        raise SettingError(msg)
    step, unit = LENGTH.check(pixel_size, name="pixel_size")
    if unit not in SPACE_UNITS or not step > 0:
        msg = f"{pixel_size=} must be a positive length in {', '.join(SPACE_UNITS)}"
        raise UnitError(msg)
    spacing = spacing_of_crystal(crystal, unit, pixel_size=step)
    sigma = length_from_setting(width, unit=unit, pixel_size=step, spacing=spacing, name="width")
    if not sigma > 0:
        msg = f"{width=} must be more than 0"
        raise SettingError(msg)
    crystal_rng, noise_rng = np.random.default_rng(seed).spawn(2)
    sites = build_lattice(
        crystal=replace(crystal, spacing=f"{spacing!r} {unit}"),
        field=(size * step, size * step),
        unit=unit,
        margin=6 * sigma,
        seed=int(crystal_rng.integers(2**31)),
    )
    scan = exact_scan((size, size), step)
    brightness = brightness_of_sites(sites, Microscope.z_exponent)
    amplitudes = brightness / brightness.max(initial=1e-9)
    expected = sum_of_gaussians(scan, positions(sites), amplitudes, width=sigma)
    noise = noise_rng.standard_normal(expected.shape, dtype=np.float32) / np.float32(snr)
    image = _image(expected + noise, step, unit, "1")
    truth = _truth(sites, scan, image, amplitudes, sigma)
    truth["background"] = ("site", np.zeros(truth.sizes["site"]), {"units": "1"})
    truth["visible"] = ("site", np.ones(truth.sizes["site"], dtype=bool))
    none = sites_from_positions([], [], unit=unit)
    none["class"] = ("site", np.array([], dtype="<U10"))
    clean = _mask(np.ones(expected.shape, dtype=bool), image)
    return Simulation(image, truth, clean, none, _image(expected, step, unit, "1"))


def _imaged(
    atoms: Sites,
    vacancies: Sites,
    *,
    shape: tuple[int, int],
    pixel: float,
    microscope: Microscope,
    contamination: float,
    seed: int,
) -> Simulation:
    """Scan a sample: film on it, scan errors, electrons, truth in the image."""
    if not 0 <= contamination < 1:
        msg = f"{contamination=} is the share of the image that is covered: 0 to less than 1"
        raise SettingError(msg)
    film_rng, scan_rng, detector_rng = np.random.default_rng(seed).spawn(3)
    lengths = {
        name: length_from_setting(getattr(microscope, name), unit="nm", pixel_size=pixel, name=name)
        for name in ("probe_width", "tail_width", "jitter", "drift")
    }
    scan = random_scan(
        shape,
        pixel,
        jitter=lengths["jitter"],
        drift=lengths["drift"],
        distortion=microscope.distortion,
        rng=scan_rng,
    )
    electrons = microscope.electrons * brightness_of_sites(atoms, microscope.z_exponent)
    width = _widths(atoms, lengths["probe_width"])
    lattice = electrons_per_pixel(
        scan, positions(atoms), electrons, microscope, lengths | {"probe_width": width}
    )
    background = sloping_background(
        shape,
        level=microscope.background * float(lattice.mean(dtype=np.float64)),
        slope=microscope.slope,
        rng=detector_rng,
    )
    expected = lattice + background
    bare = np.ones(shape, dtype=bool)
    if contamination > 0:
        field = (shape[0] * pixel, shape[1] * pixel)
        film = random_film(field, coverage=contamination, rng=film_rng)
        dirt = film_atoms(film, field, margin=margin_of(microscope, max(field)), rng=film_rng)
        dirt_electrons = np.full(len(dirt), microscope.electrons)
        expected += electrons_per_pixel(scan, dirt, dirt_electrons, microscope, lengths)
        bare = film.height(*scan.sample_positions()) <= 0
    counts = counted_electrons(expected, readout_noise=microscope.readout_noise, rng=detector_rng)
    image = _image(counts, pixel, "nm", "counts")
    peaks = _peaks((1 - microscope.tail_fraction) * electrons, pixel, width)
    truth = _truth(atoms, scan, image, peaks, width)
    truth["visible"] = ("site", _bare_sites(truth, bare, pixel))
    holes = _truth(vacancies, scan, image, None, lengths["probe_width"])
    holes["visible"] = ("site", _bare_sites(holes, bare, pixel))
    return Simulation(
        image, truth, _mask(bare, image), holes, _image(expected, pixel, "nm", "counts")
    )


def electrons_per_pixel(
    scan: ScanPath,
    places: NDArray[np.float64],
    electrons: NDArray[np.float64],
    microscope: Microscope,
    lengths: Mapping[str, Any],
) -> NDArray[np.float32]:
    """Add up the expected electrons of the core of the probe and its tails."""
    tail = microscope.tail_fraction
    core_width, tail_width = lengths["probe_width"], lengths["tail_width"]
    core_peaks = _peaks((1 - tail) * electrons, scan.pixel_size, core_width)
    total = sum_of_gaussians(scan, places, core_peaks, width=core_width)
    if tail > 0:
        tail_peaks = _peaks(tail * electrons, scan.pixel_size, tail_width)
        total += sum_of_broad_gaussians(scan, places, tail_peaks, width=tail_width)
    return total


def _widths(atoms: Sites, probe: float) -> NDArray[np.float64]:
    """Width of every column's image: of the probe, and of how far its atoms stray."""
    spread = atoms["spread"].values if "spread" in atoms else np.zeros(atoms.sizes["site"])
    return np.hypot(probe, spread)


def _peaks(
    electrons: NDArray[np.float64], pixel: float, width: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Height of Gaussians that hold so many electrons, per pixel."""
    return electrons * pixel**2 / (2 * math.pi * width**2)


def _relative(names: NDArray[np.str_], exponent: float) -> NDArray[np.float64]:
    """Electrons of an atom of each element relative to one of carbon."""
    from ase.data import atomic_numbers

    symbols = names.astype(str).tolist()
    unknown = sorted(set(symbols) - set(atomic_numbers))
    if unknown:
        msg = f"species {', '.join(map(repr, unknown))} are no elements: use symbols such as 'Si'"
        raise SettingError(msg)
    z = np.array([float(atomic_numbers[name]) for name in symbols])
    relative: NDArray[np.float64] = (z / _CARBON) ** exponent
    return relative


def brightness_of_sites(sites: Sites, exponent: float) -> NDArray[np.float64]:
    """Electrons of each site relative to one carbon atom."""
    if "composition" in sites:
        per_atom = _relative(sites.coords["element"].values, exponent)
        brightness = sites["composition"].transpose("site", "element").values @ per_atom
    else:
        brightness = _relative(sites["species"].values, exponent)
    if "occupancy" in sites:
        brightness = brightness * sites["occupancy"].values
    return brightness


def margin_of(microscope: Microscope, length: float) -> float:
    """Tell how far beyond a field of some length atoms still count, in nm."""
    tail = length_from_setting(microscope.tail_width, unit="nm", pixel_size=0.0)
    drift = length_from_setting(microscope.drift, unit="nm", pixel_size=0.0)
    return 5 * tail + drift + 4 * microscope.distortion * length


def _image(values: NDArray[np.float32], pixel: float, unit: str, units: str) -> Image:
    return image_from_array(values, pixel_size=f"{pixel!r} {unit}", units=units)


def _mask(values: NDArray[np.bool_], image: Image) -> Mask:
    return xr.DataArray(values, dims=("y", "x"), coords=image.coords, name="clean")


def _truth(
    sites: Sites,
    scan: ScanPath,
    image: Image,
    amplitudes: NDArray[np.float64] | None,
    width: float | NDArray[np.float64],
) -> Sites:
    """Give the sites whose centroid lies in the image, where they lie in it."""
    places = scan.imaged_positions(positions(sites), width=width)
    frame = extent(image)
    low, high = np.array(frame[::2]), np.array(frame[1::2])
    seen = ((places >= low) & (places <= high)).all(axis=1)
    unit = space_unit(sites)
    truth = sites.isel(site=seen).assign_coords(
        y=("site", places[seen, 0], {"units": unit}), x=("site", places[seen, 1], {"units": unit})
    )
    truth.attrs = {**sites.attrs, "extent": frame}
    if amplitudes is not None:
        units = image.attrs["units"]
        truth["amplitude"] = ("site", amplitudes[seen], {"units": units})
        widths = np.broadcast_to(np.asarray(width, dtype=float), sites.sizes["site"])
        truth["width"] = ("site", widths[seen], {"units": unit})
    return truth


def _bare_sites(sites: Sites, bare: NDArray[np.bool_], pixel: float) -> NDArray[np.bool_]:
    rows, columns = np.rint(positions(sites).T / pixel).astype(np.int64)
    found: NDArray[np.bool_] = bare[rows, columns]
    return found
