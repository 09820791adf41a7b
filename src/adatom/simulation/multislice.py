"""Images of any structure by multislice: waves, channeling and all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates, maximum_filter
from scipy.spatial import cKDTree

from adatom.errors import SettingError
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import (
    STRUCTURE,
    Image,
    Sites,
    Structure,
    add_note,
    extent,
    image_from_array,
    positions,
    sites_from_positions,
)
from adatom.simulation.atom_columns import AtomColumns, columns_of_atoms, repeated_columns
from adatom.simulation.electron_waves import PeriodicImages, import_abtem, periodic_images
from adatom.simulation.optics import Multislice, Optics
from adatom.simulation.structure_boxes import Box, boxed
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ANGSTROMS: Final = 10.0
# A peak belongs to a column if it lies nearer than this share of the distance to the
# next column.
_OWN: Final = 0.4
# ... and is a peak if it stands out from a ring of that radius by this share of the
# contrast of the whole image. Oxygen in the dark field of a titanate stays below, all columns
# of the reference set that a microscopist would call seen are above 0.05.
_SEEN: Final = 0.03
# Beyond the image, in nm, so that columns at its edge have their peaks as well.
_AROUND: Final = 0.1


class MultisliceSimulation(NamedTuple):
    """An image by multislice and the truth about it.

    Attributes
    ----------
    image : Image
        Electrons per pixel with their noise; without a dose the share of the beam
        that the detector counts.
    truth : Sites
        The columns in the image, where their atoms lie on average: ``species``
        (the element that scatters most), ``class`` (elements of the column, or
        the class that the structure gives), ``occupancy`` (atoms of the species),
        ``amplitude`` (value of `expected` there), and ``visible``: whether
        `expected` has a peak, or a pit in bright field, of their own that
        stands out from its surroundings by 3 % of the contrast of the image or
        more. The ``spacing`` is that of the visible ones.
    expected : Image
        The image without noise.
    """

    image: Image
    truth: Sites
    expected: Image


def simulate_multislice(
    structure: Structure,
    /,
    *,
    field: tuple[Length, Length] = ("2 nm", "2 nm"),
    pixel_size: Length = "0.015 nm",
    optics: Optics = Optics(),  # noqa: B008 -- frozen
    multislice: Multislice = Multislice(),  # noqa: B008 -- frozen
    dose: float = math.inf,
    seed: int = 0,
) -> MultisliceSimulation:
    """Simulate a scanning transmission image by multislice with frozen phonons.

    The probe is propagated through slices of the sample's potential from every place that
    an image of its resolution needs [1]_, or, where that is less work, by PRISM without
    interpolation [2]_, which gives the same. Needs abTEM [3]_.

    Parameters
    ----------
    structure : Structure
        The beam runs along its z axis; x runs right and y down in the image,
        from the corner of the cell. If it is periodic along x and y and its
        cell is rectangular there, the cell is computed (1 nm or more wide)
        and repeated over the field. If its cell is oblique the crystal is
        cut around the field, and if it is not periodic it stands alone; then the
        time grows with the field. Along z there are the atoms that are given:
        repeat a cell for a thicker sample. ``arrays["class"]`` names atoms in the truth.
    field : tuple of two lengths
        Height and width of the image.
    pixel_size : length
        Any; the image is exact at every place.
    optics : Optics
        Probe and detector.
    multislice : Multislice
        Vibrations, slices and grid.
    dose : float
        Electrons per nm^2: 3e7 are 60 pA for 18 microseconds on a pixel of 0.015 nm, as
        thin sheets need; 1e6 is much for a crystal. Infinite for no noise.
    seed : int
        Of vibrations and noise, each with a stream of its own.

    Returns
    -------
    MultisliceSimulation
        ``image``, ``truth`` and ``expected``.

    Raises
    ------
    MissingExtraError
        If abTEM is not installed.
    SettingError
        If the cell is too small, or there are no pixels, no atoms or no electrons.

    References
    ----------
    .. [1] E. J. Kirkland, Advanced Computing in Electron Microscopy, 3rd ed.,
       Springer (2020), chapters 6 and 7.
    .. [2] C. Ophus, Adv. Struct. Chem. Imaging 3, 13 (2017), doi:10.1186/s40679-017-0046-1.
    .. [3] J. Madsen and T. Susi, Open Res. Europe 1, 24 (2021),
       doi:10.12688/openreseurope.13015.2.

    Examples
    --------
    >>> from ase.build import bulk
    >>> silicon = bulk("Si", cubic=True).repeat((2, 2, 2))
    >>> optics = Optics(energy="100 keV", semiangle="20 mrad")
    >>> quick = Multislice(configurations=1, largest_angle="80 mrad")
    >>> simulation = simulate_multislice(
    ...     silicon, field=("1 nm", "1 nm"), optics=optics, multislice=quick
    ... )  # doctest: +SKIP
    """
    STRUCTURE.check(structure)
    import_abtem()
    shape, step = pixels_of_field(field, pixel_size)
    if not dose > 0:
        msg = f"{dose=} must be more than 0 electrons per nm^2"
        raise SettingError(msg)
    wave_seed, noise_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    box = boxed(structure, (shape[0] * step, shape[1] * step), multislice.nanometers("margin"))
    images = periodic_images(box.atoms, [optics], multislice, seed=wave_seed)
    expected, truth = expected_image(images, box, shape, step, number=0, optics=optics)
    for made in (expected, truth):
        add_note(made, _note(images, box, optics, multislice, seed))
    return counted(expected, truth, dose=dose, seed=noise_seed)


def expected_image(
    images: PeriodicImages,
    box: Box,
    shape: tuple[int, int],
    step: float,
    *,
    number: int,
    optics: Optics,
) -> tuple[Image, Sites]:
    """Read one detector's image from the series, with the columns that are in it."""
    around = math.ceil(_AROUND / step)
    lines = [
        origin + np.arange(-around, size + around, dtype=np.float64) * step
        for origin, size in zip(box.origin, shape, strict=True)
    ]
    y, x = lines
    wide = images.values(y, x, blur=optics.nanometers("source_size"))[number]
    image = image_from_array(
        wide[around:-around, around:-around].copy(), pixel_size=f"{step!r} nm", units="1"
    )
    at_rest = box.atoms.positions[:, 1::-1] / _ANGSTROMS - box.origin
    columns = columns_of_atoms(box.atoms, at_rest, images.atoms - box.origin, box=box.period)
    edge = around * step
    frame = extent(image)
    near = [frame[0] - edge, frame[1] + edge, frame[2] - edge, frame[3] + edge]
    seen = repeated_columns(columns, box=box.period, frame=near)
    bright = optics.atoms_are_bright
    visible = _with_peak(seen.positions + edge, wide if bright else -wide, step)
    return image, _truth(seen, visible, image)


def _with_peak(
    places: NDArray[np.float64], values: NDArray[np.float32], step: float
) -> NDArray[np.bool_]:
    """Tell which columns have a local maximum that is nearer to them than to any other."""
    visible = np.zeros(len(places), dtype=bool)
    if len(places) < 2:
        return ~visible
    peaks = np.argwhere(values == maximum_filter(values, 3))
    tree = cKDTree(places)
    apart = tree.query(places, k=2)[0][:, 1]
    distance, column = tree.query(peaks * step)
    reach = _OWN * apart[column]
    ring = _mean_on_rings(values, peaks, reach / step)
    least = _SEEN * float(np.ptp(values))
    visible[column[(distance < reach) & (values[*peaks.T] - ring > least)]] = True
    return visible


def _mean_on_rings(
    values: NDArray[np.float32], centers: NDArray[np.intp], radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    turn = np.linspace(0.0, 2 * math.pi, 16, endpoint=False)
    around = radii[:, None, None] * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
    where = np.moveaxis(centers[:, None, :] + around, -1, 0)
    found = map_coordinates(values, where, output=np.float64, order=1, mode="nearest")
    mean: NDArray[np.float64] = found.mean(axis=1)
    return mean


def _truth(columns: AtomColumns, visible: NDArray[np.bool_], image: Image) -> Sites:
    frame = extent(image)
    y, x = columns.positions.T
    inside = (y >= frame[0]) & (y <= frame[1]) & (x >= frame[2]) & (x <= frame[3])
    truth = sites_from_positions(y[inside], x[inside], unit="nm", extent=frame)
    truth["species"] = ("site", columns.species[inside])
    truth["class"] = ("site", columns.names[inside])
    truth["occupancy"] = ("site", columns.occupancy[inside])
    truth["visible"] = ("site", visible[inside])
    shown = positions(truth)[visible[inside]]
    if len(shown) > 1:
        truth.attrs["spacing"] = pooled_spacing(shown)
    here = {"y": truth.y, "x": truth.x}
    amplitude = image.interp(here).values if inside.any() else np.zeros(0)
    truth["amplitude"] = ("site", amplitude.astype(np.float64), {"units": "1"})
    hidden = int((~visible[inside]).sum())
    if hidden:
        add_note(
            truth,
            f"{hidden} of {int(inside.sum())} columns have no peak of their own in the expected "
            "image: they are not visible.",
        )
    return truth


def counted(expected: Image, truth: Sites, *, dose: float, seed: int) -> MultisliceSimulation:
    """Count electrons: Poisson noise at a dose per nm^2, none at an infinite one."""
    if math.isinf(dose):
        return MultisliceSimulation(expected.copy(), truth, expected)
    step = float(expected.y[1] - expected.y[0])
    per_pixel = np.float32(dose * step**2)
    electrons = expected.copy(data=expected.values * per_pixel)
    electrons.attrs["units"] = "counts"
    counts = np.random.default_rng(seed).poisson(electrons.values).astype(np.float32)
    image = electrons.copy(data=counts)
    told = truth.copy()
    amplitude = truth["amplitude"].values * float(per_pixel)
    told["amplitude"] = ("site", amplitude, {"units": "counts"})
    return MultisliceSimulation(image, told, electrons)


def pixels_of_field(
    field: tuple[Length, Length], pixel_size: Length
) -> tuple[tuple[int, int], float]:
    """Give rows and columns of an image, and the size of its pixels in nm."""
    step = length_from_setting(pixel_size, unit="nm", name="pixel_size")
    if not step > 0:
        msg = f"{pixel_size=} must be positive"
        raise SettingError(msg)
    height, width = (
        length_from_setting(side, unit="nm", pixel_size=step, name="field") for side in field
    )
    shape = (round(height / step), round(width / step))
    if min(shape) < 2:
        msg = f"{field=} and {pixel_size=} make an image of {shape} pixels: it needs 2 or more"
        raise SettingError(msg)
    return shape, step


def _note(
    images: PeriodicImages, box: Box, optics: Optics, multislice: Multislice, seed: int
) -> str:
    height, width = images.size
    return (
        f"simulated by {images.algorithm}: {len(box.atoms)} atoms in a "
        f"{'periodic cell' if box.period else 'cut'} of {height:.4g} nm x {width:.4g} nm, "
        f"{multislice.configurations} configurations, {optics.energy}, probe {optics.semiangle}, "
        f"detector {optics.inner} to {optics.outer}, defocus {optics.defocus}, {seed=}"
    )
