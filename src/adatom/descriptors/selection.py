"""Some of the sites: those of one sublattice, of one class, of any class."""

from __future__ import annotations

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import CLASSES, SITES, Classes, Sites, add_note


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


def add_classes(
    sites: Sites,
    classes: Classes,
    orientations: Classes | None = None,
    /,
    *,
    keep_unclassified: bool = False,
) -> Sites:
    """Add to sites the class of each, and leave out those that are in none.

    Parameters
    ----------
    sites : Sites
        Those that were classified.
    classes : Classes
        Of these very sites.
    orientations : Classes, optional
        Of these very sites, as `clustering.cluster_turned_patches` gives them.
    keep_unclassified : bool
        Whether sites with the label -1 stay, such as dirt, or a defect that was caught
        between two places.

    Returns
    -------
    Sites
        With ``class``, its number, and ``class_probability`` (site, class_name) where it is
        known; with
        ``orientation``, and ``angle`` and ``direction`` (deg) where these are known. A note
        tells how many were left out.

    Raises
    ------
    KindError
        If classes or orientations are of other sites.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], unit="nm")
    >>> classes = xr.Dataset({"label": ("site", [1, -1, 0])})
    >>> add_classes(sites, classes)["class"].values
    array([1, 0])
    """
    SITES.check(sites, name="sites")
    added = sites.copy()
    for name, given in (("classes", classes), ("orientations", orientations)):
        if given is None:
            continue
        CLASSES.check(given, name=name)
        if given["label"].dims != ("site",) or given.sizes["site"] != sites.sizes["site"]:
            msg = (
                f"{sites.sizes['site']} sites, but {name} of shape {given['label'].shape}: give "
                "those of these sites"
            )
            raise KindError(msg)
    added["class"] = ("site", classes["label"].values)
    if "class_names" in classes.attrs:
        added["class"].attrs["names"] = list(classes.attrs["class_names"])
    if "probability" in classes:
        added["class_probability"] = (("site", "class_name"), classes["probability"].values)
    if orientations is not None:
        added["orientation"] = ("site", orientations["label"].values)
        for name in ("angle", "direction"):
            if name in orientations:
                of = orientations[name]
                added[name] = ("site", of.values, dict(of.attrs))
    known = classes["label"].values >= 0
    if keep_unclassified or known.all():
        return added
    added = added.isel(site=np.flatnonzero(known))
    add_note(
        added,
        f"{int((~known).sum())} of {len(known)} sites are in no class and left out",
    )
    return added


def _taken(sites: Sites, keep: np.ndarray, asked: str, numbers: np.ndarray) -> Sites:
    if not keep.any():
        known = ", ".join(map(str, np.unique(numbers).tolist()))
        msg = f"{asked}: no site has it, they have {known}"
        raise SettingError(msg)
    taken = sites.isel(site=np.flatnonzero(keep))
    taken.attrs = {key: value for key, value in sites.attrs.items() if key != "notes"}
    return taken
