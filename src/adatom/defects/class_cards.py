"""What is told of a class of defects on one card of an atlas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from adatom.schema import Image


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Drawing:
    """Atoms of one defect and the bonds between them.

    Attributes
    ----------
    places : ndarray, shape (member, 2)
        Axis y, x in nm, y down, about the middle of the defect.
    species, roles : tuple of str
        Of every member, as in `Defects`.
    bonds : ndarray of int, shape (bond, 2)
        Pairs of members.
    """

    places: NDArray[np.float64]
    species: tuple[str, ...]
    roles: tuple[str, ...]
    bonds: NDArray[np.int64]


@dataclass(frozen=True)
class Computed:
    """What a calculator says of a defect of the class.

    Attributes
    ----------
    calculator : str
        With its method and version: a tight-binding geometry is to be seen as one.
    formation_energy : float
        In eV; NaN where its reference is not known.
    bond_lengths : mapping of str to ndarray
        In nm, by the elements of the bond ("C-Si"), in projection.
    energy, density : ndarray
        Of states, in eV about the Fermi level and 1/eV; empty where not computed.
    """

    calculator: str
    formation_energy: float
    bond_lengths: Mapping[str, NDArray[np.float64]]
    energy: NDArray[np.float64]
    density: NDArray[np.float64]


@dataclass(frozen=True)
class ClassCard:
    """One class of defects: how often, what it looks like, how long its bonds are.

    Attributes
    ----------
    name : str
        Composition label; empty for a class without a name.
    class_key : str
        Of the graph of its atoms.
    count : Estimate
        Number seen, and the interval of the number expected in as much area.
    density : Estimate
        Per nm^2 of the area that was analyzed; NaN where that is not known.
    n_images : int
        In which it was seen.
    mean_image : Image, optional
        Of patches turned so that all defects lie alike.
    examples : tuple of Image
        Patches as they were recorded, of the most confident ones.
    captions : tuple of str
        Of the examples: image and confidence.
    drawing : Drawing, optional
        Of the member in the middle of the class.
    bond_lengths : mapping of str to ndarray
        Of all its defects, in nm, by the elements of the bond.
    computed : tuple of Computed
    host : str
        The crystal; empty where it is not told.
    """

    name: str
    class_key: str
    count: Estimate
    density: Estimate
    n_images: int
    mean_image: Image | None = None
    examples: tuple[Image, ...] = ()
    captions: tuple[str, ...] = ()
    drawing: Drawing | None = None
    bond_lengths: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    computed: tuple[Computed, ...] = ()
    host: str = ""
