"""Sites of several finders as one set, with how many of them agree on each."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.localization.contrast import Contrast
from adatom.localization.finding import find_atoms
from adatom.numerics.agreement import AgreedSites, agreed_sites
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import IMAGE, SITES, Image, Mask, Sites, add_note, positions, space_unit
from adatom.units import Length, length_from_setting

Numbers = NDArray[np.float64]


def find_agreement(members: list[Sites], /, *, max_distance: Length = "0.3 d") -> Sites:
    """Join the sites that several finders found in one image.

    What the finders share is likely true; a site that one of them found
    alone is doubtful, and so is a position that they put apart. Of
    independently trained networks the spread is an honest measure of what
    the training did not settle [1]_.

    Parameters
    ----------
    members : list of Sites
        Of two finders or more, in one unit, without frames.
    max_distance : length
        Sites farther apart are never taken for the same. d is the spacing;
        0.3 of it leaves room between neighbors, and is ten times what
        finders differ by.

    Returns
    -------
    Sites
        Mean positions of those that found a site, with ``agreement`` (share
        of finders that found it), ``spread`` (site, axis; their standard
        deviation, NaN of a single one), ``score`` (mean, 0 for those
        that did not find it); all else as the surest of them gives it.

    Raises
    ------
    KindError
        If there are fewer than two members, or their units differ.

    References
    ----------
    .. [1] B. Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474,
       section 2.4.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> one = sites_from_positions([0.0, 5.0], [0.0, 5.0], unit="px", spacing=5.0)
    >>> other = sites_from_positions([0.2], [0.0], unit="px", spacing=5.0)
    >>> find_agreement([one, other])["agreement"].values
    array([1. , 0.5])
    """
    _check(members)
    unit = space_unit(members[0])
    reach = length_from_setting(
        max_distance, unit=unit, spacing=_spacing(members), name="max_distance"
    )
    if not reach > 0:
        msg = f"{max_distance=} must be positive"
        raise SettingError(msg)
    scores = [_scores(member) for member in members]
    agreed = agreed_sites([positions(m) for m in members], scores, max_distance=reach)
    sites = _from_surest(members, scores, agreed)
    number = len(members)
    everywhere = int((agreed.agreement == 1).sum())
    add_note(
        sites,
        f"{number} finders agree on {everywhere} of {len(agreed.score)} sites; "
        f"{int((agreed.agreement <= 1 / number).sum())} were found by one alone",
    )
    return sites


def find_atoms_by_ensemble(
    image: Image,
    regions: Mask | None,
    networks: list[ExportedNetwork],
    /,
    *,
    contrast: Contrast = "auto",
    spacing: Length | None = None,
    max_distance: Length = "0.3 d",
) -> Sites:
    """Find the atoms of an image by several networks, and say where they agree.

    Parameters
    ----------
    image : Image
        Any size.
    regions : Mask, optional
        True where to look; by default where each network sees a lattice.
    networks : list of ExportedNetwork
        Two or more, as `networks.export_networks` gives them.
    contrast : {"auto", "bright", "dark"}
        As for `find_atoms`.
    spacing : length, optional
        Distance between neighbors if it is known.
    max_distance : length
        As for `find_agreement`.

    Returns
    -------
    Sites
        As of `find_agreement`. A network that sees no lattice counts as one
        that found nothing, which a note says.

    Raises
    ------
    NoLatticeError
        If none of the networks sees a lattice.
    KindError
        If there are fewer than two networks.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> image = image_from_array(np.zeros((32, 32)))
    >>> find_atoms_by_ensemble(image, None, [])
    Traceback (most recent call last):
        ...
    adatom.errors.KindError: found 0 networks, an ensemble needs 2 or more
    """
    IMAGE.check(image)
    _check_several(networks, "networks")
    members, blind = [], []
    for number, network in enumerate(networks):
        try:
            members.append(
                find_atoms(
                    image, regions, network, method="network", contrast=contrast, spacing=spacing
                )
            )
        except NoLatticeError as error:
            blind.append((number, error))
    if not members:
        raise blind[0][1]
    # One that sees nothing found nothing: its empty list of sites counts in every share.
    nothing = members[0].isel(site=slice(0))
    sites = find_agreement([*members, *(nothing for _ in blind)], max_distance=max_distance)
    if blind:
        named = ", ".join(str(number) for number, _ in blind)
        add_note(sites, f"networks {named} of {len(networks)} see no lattice here")
    return sites


def _check_several(found: object, what: str) -> None:
    if not isinstance(found, list | tuple):
        msg = f"found {type(found).__name__}, need a list of {what}"
        raise KindError(msg)
    if len(found) < 2:
        msg = f"found {len(found)} {what}, an ensemble needs 2 or more"
        raise KindError(msg)


def _check(members: list[Sites]) -> None:
    _check_several(members, "sets of sites")
    for number, member in enumerate(members):
        SITES.check(member, name=f"member {number}")
        if "frame" in member.coords:
            msg = f"member {number} has sites of several frames: give those of one image"
            raise KindError(msg)
    units = {space_unit(member) for member in members}
    if len(units) > 1:
        msg = f"members are in {', '.join(sorted(units))}, need one unit: find them in one image"
        raise KindError(msg)


def _scores(member: Sites) -> Numbers:
    number = member.sizes["site"]
    return np.asarray(member["score"].values if "score" in member else np.ones(number), dtype=float)


def _spacing(members: list[Sites]) -> float | None:
    """Give the median of the spacings that members tell, or else that their sites have."""
    some = [member for member in members if member.sizes["site"]]
    told = [float(member.attrs.get("spacing", np.nan)) for member in some]
    told = told if np.isfinite(told).any() else [pooled_spacing(positions(m)) for m in some]
    finite = [value for value in told if np.isfinite(value)]
    return float(np.median(finite)) if finite else None


def _from_surest(members: list[Sites], scores: list[Numbers], agreed: AgreedSites) -> Sites:
    """Take every site from the member that is surest of it, at the mean position."""
    height = np.full(agreed.member.shape, -np.inf)
    for finder, score in enumerate(scores):
        has = agreed.member[:, finder] >= 0
        height[has, finder] = score[agreed.member[has, finder]]
    surest = height.argmax(axis=1) if len(height) else np.zeros(0, np.intp)
    rows = [np.flatnonzero(surest == finder) for finder in range(len(members))]
    parts = [
        _shared(member, members).isel(site=agreed.member[here, finder])
        for finder, (member, here) in enumerate(zip(members, rows, strict=True))
    ]
    joined = xr.concat(parts, dim="site", data_vars="minimal", coords="minimal", compat="override")
    sites = joined.isel(site=np.argsort(np.concatenate(rows))).assign_attrs(members[0].attrs)
    unit = space_unit(members[0])
    y, x = agreed.position.T
    sites = sites.assign_coords(y=("site", y, {"units": unit}), x=("site", x, {"units": unit}))
    sites["score"] = ("site", agreed.score)
    sites["agreement"] = ("site", agreed.agreement)
    sites["spread"] = (("site", "axis"), agreed.spread, {"units": unit})
    return sites


def _shared(member: Sites, members: list[Sites]) -> Sites:
    """Leave out what not every member tells of its sites."""
    odd = [name for name in member.variables if not all(name in other for other in members)]
    return member.drop_vars(odd)
