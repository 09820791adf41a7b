"""What was measured of sites, as features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.schema import SITES, Features, Sites, add_note, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


_NEIGHBORS: Final = "neighbor_vector"


class _Block(NamedTuple):
    """Columns of one variable, with what they are."""

    values: NDArray[np.floating]
    neighbor: NDArray[np.int64]
    axis: list[str]


def features_from_sites(
    sites: Sites, /, *, of: str | list[str] = "neighbor_vector", whiten: bool = False
) -> Features:
    """Make features of what was measured of sites.

    Of neighbor vectors the features are their deviations from the slots of the
    site's own star: they are about zero for every site of a perfect lattice,
    whatever its sublattice, so that it is one phase. All have one scale; to
    scale columns apart would make noise of the least of them.

    Parameters
    ----------
    sites : Sites
        With the variables named in `of`.
    of : str or list of str
        ``"neighbor_vector"``, made by `neighbor_vectors`, or any variable of
        numbers along site. A single one is left in its unit. Several have
        different units: each is then brought to its median and its spread
        (1.4826 times the median absolute deviation, the standard deviation of
        normal data), which outliers hardly move; neighbor vectors by one
        spread for all their columns, and without their median.
    whiten : bool
        Whether noise of neighbor vectors is to be the same in all directions of
        feature space. All vectors of a site contain the error of its own
        position, so that independent errors s of positions give the covariance
        s^2 (1 + delta_kl) between slots k and l [1]_. Whitened by its root, the
        m filled slots lose the share 1 - 1 / sqrt(m + 1) of their common mean.
        False by default, since features then are no longer vectors that one
        can draw.

    Returns
    -------
    Features
        Dims (site, feature), with the variable's name as ``variable``
        (feature), the site's ``y``, ``x``, ``frame``; for neighbor vectors
        ``neighbor`` and ``axis`` (feature; -1 and "" for other variables),
        ``star_index`` and the numbers ``n_vacant`` and ``n_unknown`` (site) of
        the slots that are. Such slots are NaN.

    Raises
    ------
    KindError
        If the sites lack a variable, or it holds no numbers.
    SettingError
        If `of` is empty or names a variable twice, or there are no neighbor
        vectors to be whitened.

    References
    ----------
    .. [1] A. Kessy, A. Lewin and K. Strimmer, Am. Stat. 72, 309 (2018), table 1 (ZCA).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> from adatom.descriptors import neighbor_vectors
    >>> y, x = np.mgrid[:5, :5]
    >>> square = neighbor_vectors(sites_from_positions(y.ravel(), x.ravel(), unit="px"))
    >>> features = features_from_sites(square)
    >>> features.shape, bool(np.abs(features.sel(site=12)).max() < 1e-9)
    ((25, 8), True)
    """
    SITES.check(sites, name="sites")
    names = [of] if isinstance(of, str) else list(of)
    if not names or len(set(names)) < len(names):
        msg = f"{of=} must name one variable or several, each once"
        raise SettingError(msg)
    if whiten and _NEIGHBORS not in names:
        msg = f"{whiten=} is of neighbor vectors, {of=} holds none: leave it out"
        raise SettingError(msg)
    blocks = {name: _block(sites, name) for name in names}
    if whiten:
        block = blocks[_NEIGHBORS]
        blocks[_NEIGHBORS] = block._replace(values=_whitened(block.values))
    several = len(names) > 1
    parts, constant = [], []
    for name, block in blocks.items():
        scaled, spread = _standardized(block.values, centered=name == _NEIGHBORS)
        parts.append(scaled if several else block.values)
        if several and not spread > 0:
            constant.append(name)
    features = xr.DataArray(
        np.concatenate(parts, axis=1),
        dims=("site", "feature"),
        coords=_coordinates(sites, blocks),
        name="site_features" if several else names[0],
        attrs={
            "units": "1" if several else _unit(sites, names[0]),
            **{key: sites.attrs[key] for key in ("spacing", "extent") if key in sites.attrs},
        },
    )
    if constant:
        add_note(features, f"no spread, left unscaled: {', '.join(constant)}")
    return features


def _unit(sites: Sites, name: str) -> str:
    default = space_unit(sites) if name == _NEIGHBORS else "1"
    return str(sites[name].attrs.get("units", default))


def _block(sites: Sites, name: str) -> _Block:
    if name not in sites.data_vars or sites[name].dims[:1] != ("site",):
        made = ", made by descriptors.neighbor_vectors" if name == _NEIGHBORS else ""
        along = [str(key) for key, value in sites.data_vars.items() if value.dims[:1] == ("site",)]
        msg = f"sites have no variable {name!r}{made}: they have {', '.join(along) or 'none'}"
        raise KindError(msg)
    variable = sites[name]
    if variable.dtype.kind not in "uif":
        msg = f"variable {name!r} is {variable.dtype}, features need real numbers"
        raise KindError(msg)
    # Without sites, the number of columns cannot be left to be found.
    values = variable.values.reshape(sites.sizes["site"], math.prod(variable.shape[1:]))
    values = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    n = values.shape[1]
    if name != _NEIGHBORS:
        return _Block(values, np.full(n, -1), [""] * n)
    stars = np.asarray(sites.attrs.get("stars", ()))
    if stars.ndim != 3 or "star_index" not in sites or stars[0].size != n:
        msg = "sites have neighbor_vector but not its stars: run descriptors.neighbor_vectors"
        raise KindError(msg)
    slots = stars[sites["star_index"].values].reshape(-1, n)
    return _Block(
        (values - slots).astype(values.dtype),
        np.repeat(np.arange(n // 2), 2),
        ["y", "x"] * (n // 2),
    )


def _whitened(deviations: NDArray[np.floating]) -> NDArray[np.floating]:
    """Undo what the slots of a site have in common by the error of its own position."""
    slots = deviations.reshape(len(deviations), -1, 2)
    filled = np.isfinite(slots)
    n_filled = filled.sum(axis=1, keepdims=True)
    mean = np.where(filled, slots, 0).sum(axis=1, keepdims=True) / np.maximum(n_filled, 1)
    # The covariance 1 + 11' has the eigenvalue m + 1 along 1, and 1 across it.
    shared = (1 - 1 / np.sqrt(n_filled + 1)) * mean
    white: NDArray[np.floating] = (slots - shared).reshape(deviations.shape)
    return white.astype(deviations.dtype)


def _standardized(
    values: NDArray[np.floating], *, centered: bool
) -> tuple[NDArray[np.floating], float]:
    """Give values as multiples of their common spread, and the spread."""
    known = np.isfinite(values)
    if not known.any():
        return values, 0.0
    middle = np.zeros(values.shape[1])
    if not centered:
        for column in range(values.shape[1]):
            here = values[known[:, column], column]
            middle[column] = np.median(here) if len(here) else 0.0
    shifted = values - middle
    spread = float(SIGMA_OF_MAD * np.median(np.abs(shifted[known])))
    if not spread > 0:
        # More than half of the values are equal: the few others have a spread too.
        spread = float(np.std(shifted[known], dtype=np.float64))
    return (shifted / (spread or 1.0)).astype(values.dtype), spread


def _coordinates(sites: Sites, blocks: dict[str, _Block]) -> dict[str, object]:
    coords: dict[str, object] = {
        name: sites.coords[name].variable for name in ("y", "x", "frame") if name in sites.coords
    }
    counts = [block.values.shape[1] for block in blocks.values()]
    coords["variable"] = ("feature", np.repeat(np.array(list(blocks)), counts))
    if _NEIGHBORS not in blocks:
        return coords
    coords["neighbor"] = ("feature", np.concatenate([b.neighbor for b in blocks.values()]))
    coords["axis"] = ("feature", np.array([a for b in blocks.values() for a in b.axis]))
    coords["star_index"] = ("site", sites["star_index"].values)
    if "slot_state" in sites:
        state = sites["slot_state"].values
        coords["n_vacant"] = ("site", (state == 1).sum(axis=1))
        coords["n_unknown"] = ("site", (state == 2).sum(axis=1))
    return coords
