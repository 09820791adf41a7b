"""Defects of a sheet: impurities, missing atoms and odd rings, found and named."""

from __future__ import annotations

import numpy as np

from adatom.defects.describing import described_defects
from adatom.defects.drafts import drafts_of_groups
from adatom.defects.grouping import group_defects
from adatom.defects.records import Defects
from adatom.defects.sheet_atoms import check_units, sheet_atoms
from adatom.defects.sheets import sheet_of_name
from adatom.errors import KindError
from adatom.schema import IMAGE, MASK, SITES, Image, Mask, Sites


def find_defects(
    sites: Sites,
    image: Image | None = None,
    regions: Mask | None = None,
    /,
    *,
    host: str = "graphene",
) -> Defects:
    """Find the defects of a sheet, and name them by what they are made of.

    Atoms are bonded if they are nearer than 1.25 times the length that their
    covalent radii [1]_ and the bonds of the host, measured on these sites, let
    expect. With an image, impurities twice as bright as the host and more are first
    fitted to the pixels together with the atoms around them, with bonds as springs:
    atoms that a finder missed or invented beside them come and go by what explains
    the pixels best. Where two atoms or more with two bonds each point to one place at
    which no atom was found, one is missing, or, if the pixels show it, was
    overlooked; then it is a member with ``atom`` -1. Impurities, missing atoms,
    and rings that are no hexagons are joined to defects: impurities that are
    bonded or share a bonded atom, missing atoms that are next to one another or
    to an impurity, rings that share an atom (so that a boundary between grains
    is as many defects as it has separate chains of rings).

    What only the border of the frame or of the regions makes look odd is no
    defect; impurities of which neighbors may lie beyond it are left without a
    name. More than eight atoms missing in one piece are a hole, kind "edge".

    Parameters
    ----------
    sites : Sites
        Atoms of one image with the ``species`` that `assign_species` gives,
        and ``attrs["spacing"]``.
    image : Image, optional
        To ask the pixels whether atoms are missing or were overlooked. About a fourth of a
        second an impurity.
    regions : Mask, optional
        Where atoms were sought: beyond its border nothing is known.
    host : str
        The sheet: "graphene".

    Returns
    -------
    Defects
        Names are compositions in the field's way: "Si1C3" is one Si and the
        three C bonded to it, whatever is missing beside it; "V1", "V2" are
        missing atoms; "SW(55-77)" and the like rings. The ``class_key`` is of the
        graph of members and bonds as drawn in the plane. ``confidence`` is the
        probability of the species, of bonds near the limit, of missing atoms,
        and that there is a sheet around, as if these were independent.

    Raises
    ------
    KindError
        If the sites have no species, are of several frames, or in another unit than the image.
    SettingError
        If the host is not known.
    TooFewSitesError
        If fewer than six atoms are of the host.

    References
    ----------
    .. [1] B. Cordero et al., Dalton Trans., 2832 (2008).

    Examples
    --------
    >>> from adatom.simulation import Flake, build_graphene
    >>> flake = Flake(threefold=0.01, fourfold=0.0, vacancies=0.0, divacancies=0.0)
    >>> atoms = build_graphene(flake=flake, field=(3.0, 3.0)).atoms
    >>> sorted(set(find_defects(atoms).defects["name"].values.tolist()))
    ['Si1C3']
    """
    SITES.check(sites, name="sites")
    sheet = sheet_of_name(host)
    _check(sites, image, regions)
    atoms = sheet_atoms(sites, image, regions, sheet)
    groups = group_defects(atoms, sheet)
    drafts = drafts_of_groups(atoms, groups, sheet)
    n_left_out = groups.n_defects - len(drafts)
    return described_defects(sites, regions, atoms, drafts, sheet, n_left_out=n_left_out)


def _check(sites: Sites, image: Image | None, regions: Mask | None) -> None:
    if image is not None:
        IMAGE.check(image, name="image")
    if regions is not None:
        MASK.check(regions, name="regions")
    if "species" not in sites:
        msg = "the sites have no species: assign_species(sites, image) tells them"
        raise KindError(msg)
    if "frame" in sites.coords and len(np.unique(sites["frame"].values)) > 1:
        msg = "the sites are of several frames: choose one, as by sites.isel(site=frame == 0)"
        raise KindError(msg)
    check_units(sites, image, regions)
