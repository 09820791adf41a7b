"""What stands at every place of a layer such as MoS2, by how bright it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.defects.column_mixture import Mixture, fit_mixture
from adatom.defects.layers import Column, Layer, columns_of_layer, layer_of_name
from adatom.defects.species import UNKNOWN
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import SITES, Sites, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEEDED: Final = ("sublattice", "relative_intensity", "relative_intensity_error")
_FEWEST: Final = 12
NOT_MEASURED: Final = ""
"""Column at a place that is cut by the edge, or under dirt."""


def assign_column_species(
    sites: Sites,
    /,
    *,
    host: str,
    metals: list[str] | None = None,
    chalcogens: list[str] | None = None,
) -> Sites:
    """Assign what stands at every place of a layer of metal and chalcogen, seen along its axis.

    The atoms of a column scatter about as their atomic numbers to the power
    1.64 [1]_, added up. So a place of sulfur in MoS2 may be bright as two S,
    as one, or not at all, or as an element that was told of. Sublattices are
    known by position: a vanadium atom, as bright as two of sulfur, is not
    taken for these. How bright the kinds of columns are is fitted, between
    the atomic numbers and what the image says, as a mixture whose members
    have a common spread; what is brighter or darker than all of them is "?".

    Parameters
    ----------
    sites : Sites
        From `find_lattice_sites` with ``n_columns=2``.
    host : str
        Formula such as "MoS2" or "WSe2".
    metals, chalcogens : list of str
        Further elements that may stand in the place of the metal, and of one
        or both chalcogen atoms. What is not told is not found: vacancies and
        the metal on a chalcogen place are always looked for.

    Returns
    -------
    Sites
        With ``column``, what stands there ("S2", "S", "SSe", "empty"; "?"
        for none of these, "" for not measured); ``column_probability``
        of that and ``host_probability``, of the host's own column;
        ``defect_name``, such as "V_S" or "Se_S", empty for the host's.

    Raises
    ------
    KindError
        If the sites are not those of two sublattices.
    SettingError
        If host or elements are not as they must be.
    TooFewSitesError
        If a sublattice has fewer than twelve measured places.

    References
    ----------
    .. [1] O. L. Krivanek et al., Nature 464, 571 (2010).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> y, x = (axis.ravel() for axis in np.mgrid[:8.0, :8.0])
    >>> sites = sites_from_positions(y, x, unit="nm")
    >>> of = np.arange(64) % 2
    >>> height = np.where(of == 0, 1.0, 0.42) + 0.02 * np.sin(np.arange(64.0))
    >>> height[21] = 0.21
    >>> sites["sublattice"] = ("site", of)
    >>> sites["relative_intensity"] = ("site", height)
    >>> sites["relative_intensity_error"] = ("site", np.full(64, 0.02))
    >>> assign_column_species(sites, host="MoS2")["column"].values[19:23].tolist()
    ['S2', 'Mo', 'S', 'Mo']
    """
    SITES.check(sites)
    layer = layer_of_name(host)
    others = [() if told is None else told for told in (metals, chalcogens)]
    _check_elements(layer, *others)
    sublattice = _sublattices(sites)
    kinds = columns_of_layer(layer, *others)
    # The brighter of the two stands for 1 in what is measured.
    bright = [layer.brightness(columns[0]) for columns in kinds]
    order = (0, 1) if bright[0] > bright[1] else (1, 0)
    names = np.full((sites.sizes["site"], 2), NOT_MEASURED, dtype=object)
    probability = np.full((sites.sizes["site"], 2), np.nan)
    told = []
    for number, which in enumerate(order):
        here = np.flatnonzero(sublattice == number)
        expected = np.array([layer.brightness(one) for one in kinds[which]]) / max(bright)
        mixture = fit_mixture(
            sites["relative_intensity"].values[here].astype(float),
            sites["relative_intensity_error"].values[here].astype(float),
            expected,
            np.array([one.share for one in kinds[which]]),
            factor=1.0 if number == 0 else None,
        )
        _write(names, probability, here, kinds[which], mixture)
        told.append(_told(kinds[which], mixture))
    out = sites.copy()
    out["column"] = ("site", names[:, 0].astype(np.str_))
    out["defect_name"] = ("site", names[:, 1].astype(np.str_))
    out["column_probability"] = ("site", probability[:, 0])
    out["host_probability"] = ("site", probability[:, 1])
    out.attrs |= {
        "host": layer.name,
        "metals": list(map(str, others[0])),
        "chalcogens": list(map(str, others[1])),
        "metal_sublattice": order.index(0),
    }
    add_note(out, f"columns of {layer.name}: {'; '.join(told)}")
    return out


def _check_elements(layer: Layer, metals: Sequence[str], chalcogens: Sequence[str]) -> None:
    from adatom.defects.sheets import atomic_number

    for name, told, own in (
        ("metals", metals, layer.metal), ("chalcogens", chalcogens, layer.chalcogen),
    ):  # fmt: skip
        if isinstance(told, str):
            msg = f"{name}={told!r} must be a list of elements, such as ['{told}']"
            raise SettingError(msg)
        if own in told or len(set(told)) < len(told):
            msg = f"{name}={list(told)} must name each element once, and not the host's {own}"
            raise SettingError(msg)
        for one in told:
            atomic_number(one)


def _sublattices(sites: Sites) -> NDArray[np.int64]:
    lacking = [name for name in _NEEDED if name not in sites.variables]
    if lacking:
        msg = (
            f"the sites lack {', '.join(lacking)}: take those of "
            "localization.find_lattice_sites with n_columns=2"
        )
        raise KindError(msg)
    sublattice = sites["sublattice"].values.astype(np.int64)
    found = np.unique(sublattice)
    if found.tolist() != [0, 1]:
        msg = (
            f"the sites have the sublattices {found.tolist()}, a metal and a chalcogen are needed: "
            "find_lattice_sites with n_columns=2"
        )
        raise KindError(msg)
    known = np.isfinite(sites["relative_intensity"].values)
    counts = np.bincount(sublattice[known], minlength=2)
    if counts.min() < _FEWEST:
        msg = f"{counts.tolist()} places of the sublattices are measured, {_FEWEST} each are needed"
        raise TooFewSitesError(msg)
    return sublattice


def _write(
    names: NDArray[np.object_],
    probability: NDArray[np.float64],
    here: NDArray[np.int64],
    columns: list[Column],
    mixture: Mixture,
) -> None:
    known = np.isfinite(mixture.share).all(axis=1)
    best = np.nan_to_num(mixture.share).argmax(axis=1)
    labels = np.array([*(one.label for one in columns), UNKNOWN])
    defects = np.array([*(one.name for one in columns), ""])
    names[here[known], 0] = labels[best[known]]
    names[here[known], 1] = defects[best[known]]
    probability[here, 0] = np.where(known, mixture.share.max(axis=1), np.nan)
    probability[here, 1] = mixture.share[:, 0]


def _told(columns: list[Column], mixture: Mixture) -> str:
    known = mixture.share[np.isfinite(mixture.share).all(axis=1)]
    counts = np.bincount(known.argmax(axis=1), minlength=len(columns) + 1)
    parts = [
        f"{count} {one.label} ({mean:.2f})"
        for one, mean, count in zip(columns, mixture.mean, counts)
        if count
    ]
    if counts[-1]:
        parts.append(f"{counts[-1]} of none of these")
    return (
        f"{', '.join(parts)}, in brackets how bright they are; alike within {mixture.spread:.2f}, "
        f"{mixture.factor:.2f} times as bright as by atomic numbers"
    )
