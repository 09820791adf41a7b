"""Images of disordered oxides of two phases, and the phase of every pixel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import Classes, Image, Sites, add_note, positions
from adatom.simulation.images import margin_of, simulate_image
from adatom.simulation.microscope import Microscope
from adatom.simulation.oxides import Oxide, build_oxide
from adatom.units import Length, length_from_setting


class OxideSimulation(NamedTuple):
    """An image of an oxide of two phases, and the truth about it.

    Attributes
    ----------
    image : Image
        As the instrument gives it, in counts.
    truth : Sites
        The columns where they lie in the image, with ``class``, ``sublattice``,
        ``phase``, ``composition`` and what `simulate_image` adds.
    regions : Classes
        Phase of every pixel, which is that of the column nearest to it: 0 for
        the M1-like, 1 for the M2-like.
    """

    image: Image
    truth: Sites
    regions: Classes


def simulate_oxide(
    *,
    oxide: Oxide = Oxide(),  # noqa: B008 -- frozen
    size: int = 1024,
    field: Length = "20 nm",
    microscope: Microscope = Microscope(electrons=2.0),  # noqa: B008 -- frozen
    seed: int = 0,
) -> OxideSimulation:
    """Simulate a dark-field image of a disordered oxide of two phases.

    Parameters
    ----------
    oxide : Oxide
        The two phases and their boundary, see `build_oxide`.
    size : int
        Rows and columns of the image.
    field : length
        Height and width of the image: 20 nm hold some 3,300 columns.
    microscope : Microscope
        Probe, scan and detector. By default 2 detected electrons of one carbon
        atom, that is some 50 of an atom of Mo and 1,000 of a column of 20.
    seed : int
        Of everything random. The oxide and its image have streams of their own:
        another dose or drift leaves the sample as it is.

    Returns
    -------
    OxideSimulation
        ``image``, ``truth`` and ``regions``.

    Raises
    ------
    SettingError
        If the field has no room for a cell.

    Examples
    --------
    >>> simulation = simulate_oxide(size=256, field="5 nm", seed=1)
    >>> simulation.regions["label"].shape, sorted(set(simulation.truth["phase"].values.tolist()))
    ((256, 256), [0, 1])
    """
    length = length_from_setting(field, unit="nm", name="field")
    if size < 2 or not length > 0:
        msg = f"{size=} and {field=} make no image: take 2 pixels or more and a positive length"
        raise SettingError(msg)
    oxide_seed, image_seed = np.random.SeedSequence(seed).generate_state(2).tolist()
    sites = build_oxide(
        oxide=oxide, field=(length, length), margin=margin_of(microscope, length), seed=oxide_seed
    )
    simulation = simulate_image(
        sites,
        shape=(size, size),
        pixel_size=f"{length / size!r} nm",
        microscope=microscope,
        seed=image_seed,
    )
    add_note(simulation.image, f"simulated: M1-like and M2-like oxide, {seed=}")
    return OxideSimulation(
        simulation.image, simulation.truth, _regions(simulation.truth, simulation.image)
    )


def _regions(truth: Sites, image: Image) -> Classes:
    """Give every pixel the phase of the nearest column, where that lies in the image."""
    grid = np.stack(np.meshgrid(image.y.values, image.x.values, indexing="ij"), axis=-1)
    nearest = KDTree(positions(truth)).query(grid.reshape(-1, 2))[1]
    label = truth["phase"].values[nearest].reshape(image.shape).astype(np.int64)
    names = {"n_classes": 2, "class_names": ["M1", "M2"]}
    return xr.Dataset({"label": (("y", "x"), label)}, coords=image.coords, attrs=names)
