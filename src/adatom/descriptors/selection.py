"""Some of the sites: those of one sublattice, those of one class."""

from __future__ import annotations

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import CLASSES, SITES, Classes, Sites


def sites_from_sublattice(sites: Sites, /, *, sublattice: int) -> Sites:
    """Take the sites of one sublattice.

    Parameters
    ----------
    sites : Sites
        With ``sublattice``, of `find_lattice_sites` or `find_atoms`.
    sublattice : int
        Its number; 0 is the brightest.

    Returns
    -------
    Sites
        With all their variables and ``attrs``.

    Raises
    ------
    KindError
        If the sites have no sublattices.
    SettingError
        If none is of this sublattice.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], unit="nm")
    >>> sites["sublattice"] = ("site", [0, 1, 0])
    >>> sites_from_sublattice(sites, sublattice=0)["y"].values
    array([0., 2.])
    """
    SITES.check(sites, name="sites")
    if "sublattice" not in sites:
        msg = (
            "sites have no variable 'sublattice': make them by localization.find_lattice_sites, "
            "which tells sublattices apart"
        )
        raise KindError(msg)
    numbers = sites["sublattice"].values
    return _taken(sites, numbers == sublattice, f"{sublattice=}", numbers)


def sites_from_classes(sites: Sites, classes: Classes, /, *, label: int | str) -> Sites:
    """Take the sites of one class.

    Parameters
    ----------
    sites : Sites
        Those that were classified.
    classes : Classes
        Of these very sites.
    label : int or str
        Number of the class, -1 for those that have none; or its name, where
        classes have names.

    Returns
    -------
    Sites
        With all their variables and ``attrs``.

    Raises
    ------
    KindError
        If the classes are of other sites.
    SettingError
        If the class has no members.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], unit="nm")
    >>> classes = xr.Dataset({"label": ("site", [1, 0, 0])})
    >>> sites_from_classes(sites, classes, label=0)["y"].values
    array([1., 2.])
    """
    SITES.check(sites, name="sites")
    CLASSES.check(classes)
    labels = classes["label"].values
    if labels.shape != (sites.sizes["site"],):
        msg = f"{sites.sizes['site']} sites, but labels of shape {labels.shape}: give their classes"
        raise KindError(msg)
    if isinstance(label, int):
        return _taken(sites, labels == label, f"{label=}", labels)
    names = [str(name) for name in classes.attrs.get("class_names", [])]
    if label not in names:
        told = ", ".join(names) or "no names: give a number"
        msg = f"{label=}: the classes have {told}"
        raise SettingError(msg)
    return _taken(sites, labels == names.index(label), f"{label=}", labels)


def _taken(sites: Sites, keep: np.ndarray, asked: str, numbers: np.ndarray) -> Sites:
    if not keep.any():
        known = ", ".join(map(str, np.unique(numbers).tolist()))
        msg = f"{asked}: no site has it, they have {known}"
        raise SettingError(msg)
    taken = sites.isel(site=np.flatnonzero(keep))
    taken.attrs = {key: value for key, value in sites.attrs.items() if key != "notes"}
    return taken
