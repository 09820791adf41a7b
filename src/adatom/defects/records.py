"""What is known of defects: where they are, their atoms, the bonds between these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError
from adatom.schema import Sites, Table

if TYPE_CHECKING:
    import xarray as xr

MISSING: Final = "X"
"""Species of a place where the ideal crystal has an atom and the image has none (ASE's symbol)."""

ROLES: Final = ("core", "neighbor", "missing")
"""What a member is to its defect: an atom that the ideal crystal has not, one of the crystal's
atoms bonded to it or around a missing one, or a place without its atom."""

KINDS: Final = (
    "vacancy", "substitution", "antisite", "adatom", "interstitial", "ring", "edge", "cluster",
    "complex",
)  # fmt: skip
"""What a defect is: missing atoms alone; foreign atoms on places of the crystal; its own species on
the other sublattice; atoms on top of it or between its places; rings of other size than the
crystal's without a foreign or missing atom; the border of the crystal; several foreign atoms that
are bonded; and what joins several of these, as an impurity in a divacancy."""


class Defects(NamedTuple):
    """Defects of one image, with their atoms.

    Attributes
    ----------
    defects : Sites
        One site a defect, at the mean of its core and missing places, with

        * ``name`` : composition label such as "Si1C3" or "V_S"; empty where none is known,
        * ``kind`` : one of `KINDS`,
        * ``class_key`` : 16 hexadecimal digits, equal for defects whose graphs of species and
          bonds are equal, turned or reflected; of the atoms and missing places,
        * ``chirality`` : 1 and -1 for the two of a mirror pair, 0 where the defect is its own
          mirror image,
        * ``orientation`` (deg) : of the longest axis or of the first bond, NaN where it has none,
        * ``extent`` : largest distance between two of its members, in the unit of the sites,
        * ``confidence`` : probability that it is what its name says, 0 to 1,
        * ``n_core``, ``n_neighbors``, ``n_missing`` : number of its members of each role.

        Attributes: ``host`` ("graphene", "MoS2"), ``nm_per_unit`` (1 where the sites are in nm)
        and ``scale_from`` ("file", "host lattice" or "user"), ``spacing``, and ``area``
        (analyzed, in the squared unit of the sites) where the sites or regions tell it.
    members : Sites
        The atoms of the defects, one site for each atom of each defect (an atom that two
        defects share stands twice), with ``defect`` (number along the sites of `defects`),
        ``species`` (element, `MISSING` for a missing atom), ``role`` (one of `ROLES`), ``atom``
        (number along the sites that were searched, -1 where none is: of a missing atom, or
        of one that the finder overlooked and the pixels show),
        ``species_probability``, and ``y_error``, ``x_error`` where they are known.
    bonds : Table
        Bonds within each defect: ``first`` and ``second`` (numbers along the sites of
        `members`), ``length`` and ``length_error`` in the unit of the sites.
    """

    defects: Sites
    members: Sites
    bonds: Table


_NEEDED: Final = {
    "defects": (
        "name", "kind", "class_key", "chirality", "orientation", "extent", "confidence",
        "n_core", "n_neighbors", "n_missing",
    ),
    "members": ("defect", "species", "role", "atom", "species_probability"),
    "bonds": ("first", "second", "length", "length_error"),
}  # fmt: skip


def check_defects(defects: Sites, members: Sites, bonds: Table, /) -> None:
    """Raise an error that lists what is not as `Defects` describes it.

    Raises
    ------
    KindError
        If a variable is missing, or a number points beyond the defects or members.
    """
    parts: dict[str, xr.Dataset] = {"defects": defects, "members": members, "bonds": bonds}
    wrong = [
        f"{part} lacks {', '.join(lacking)}"
        for part, data in parts.items()
        if (lacking := [name for name in _NEEDED[part] if name not in data.variables])
    ]
    if not wrong:
        wrong = [
            f"{name} of {part} points beyond the {size} {target}"
            for part, name, target, size in (
                ("members", "defect", "defects", defects.sizes["site"]),
                ("bonds", "first", "members", members.sizes["site"]),
                ("bonds", "second", "members", members.sizes["site"]),
            )
            if np.any((parts[part][name].values < 0) | (parts[part][name].values >= size))
        ]
    if wrong:
        msg = f"these are no defects: {'; '.join(wrong)}. Take what find_defects gives"
        raise KindError(msg)
