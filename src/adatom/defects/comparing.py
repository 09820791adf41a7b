"""Names of defects that were found against those that are known to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.intervals import NORMAL_95, wilson_interval
from adatom.numerics.matching import match_points
from adatom.schema import SITES, Sites, Table, add_note, positions, space_unit, table_from_columns
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Names = NDArray[np.str_]

NOT_FOUND: Final = "not found"
NOT_THERE: Final = "not in the truth"
NO_NAME: Final = "no name"
ALL: Final = "all"


class NameComparison(NamedTuple):
    """Names that were found against true ones.

    Attributes
    ----------
    per_name : Table
        One row a name, the last for all of them: ``name``; ``n_true`` in the truth, ``n_right``
        of these found under that name, ``recall`` with the limits ``recall_low`` and
        ``recall_high`` of 95 %; ``n_found`` under that name, ``precision`` with its limits.
    confusion : Table
        One row for every pair of a true name and a found one that occurs: ``truth``, ``found``
        and their ``count``. A true defect without a partner is found as "not found"; the true
        name of a found one without is "not in the truth".
    pairs : Table
        One row a defect of either side: ``truth`` and ``found`` as above, ``true_number`` and
        ``found_number`` along the sites, -1 where there is none, ``y``, ``x`` (of the truth
        where there is one), ``distance``, and ``file``, the number of the image.
    """

    per_name: Table
    confusion: Table
    pairs: Table


def compare_names(
    defects: Sites | list[Sites],
    truth: Sites | list[Sites],
    /,
    *,
    max_distance: Length = "1.5 d",
) -> NameComparison:
    """Compare the names of found defects with those of a table of truth.

    Defects are matched by their places, each to one at most and with the least
    sum of squared distances; names do not count for that. The limits of shares
    are those of Wilson [1]_, which hold for a few defects as well.

    Parameters
    ----------
    defects : Sites or list of Sites
        As `Defects.defects`: with ``name``. Of several images a list.
    truth : Sites or list of Sites
        Place and ``name`` of every defect that is known, in the same unit, as
        `read_sites` reads them from a table of columns "y [nm]", "x [nm]", "name".
        Of several images a list, one of them for each.
    max_distance : length
        Pairs farther apart are not matched. The default reaches over one bond
        and a half: the middle of a defect is known no better if one counts the
        missing atoms beside it and another does not.

    Returns
    -------
    NameComparison

    Raises
    ------
    KindError
        If a side has no names, units differ, or the lists are not equally long.
    SettingError
        If `max_distance` is not positive.
    TooFewSitesError
        If the truth is empty.

    References
    ----------
    .. [1] E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> def named(x: list[float], names: list[str]) -> Sites:
    ...     sites = sites_from_positions([1.0] * len(x), x, unit="nm")
    ...     return sites.assign(name=("site", np.array(names)))
    >>> truth = named([1.0, 2.0, 3.0], ["Si1C3", "Si1C3", "Si1C4"])
    >>> found = named([1.02, 3.01], ["Si1C3", "Si1C3"])
    >>> compared = compare_names(found, truth, max_distance="0.2 nm")
    >>> compared.per_name["name"].values.tolist()
    ['Si1C3', 'Si1C4', 'all']
    >>> compared.per_name["n_right"].values.tolist()
    [1, 0, 1]
    """
    both = _images(defects, truth)
    parts = [_pairs(found, known, _reach(max_distance, found)) for found, known in both]
    columns = {
        name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())
    }
    if not sum(known.sizes["site"] for _, known in both):
        msg = "the truth holds no defects: there is nothing to compare with"
        raise TooFewSitesError(msg)
    columns["file"] = np.repeat(np.arange(len(parts)), [len(part["truth"]) for part in parts])
    unit = space_unit(both[0][1])
    pairs = table_from_columns(columns, units={"y": unit, "x": unit, "distance": unit})
    true_names, found_names = columns["truth"], columns["found"]
    per_name = _per_name(true_names, found_names)
    last = {name: int(per_name[name].values[-1]) for name in ("n_true", "n_right", "n_found")}
    add_note(
        per_name,
        f"{last['n_right']} of {last['n_true']} true defects found under their name; "
        f"{int((found_names == NOT_FOUND).sum())} not found; "
        f"{int((true_names == NOT_THERE).sum())} of {last['n_found']} found are not in the truth.",
    )
    return NameComparison(per_name, _confusion(true_names, found_names), pairs)


def _images(defects: Sites | list[Sites], truth: Sites | list[Sites]) -> list[tuple[Sites, Sites]]:
    defects = defects if isinstance(defects, list) else [defects]
    truth = truth if isinstance(truth, list) else [truth]
    if len(defects) != len(truth):
        msg = f"defects of {len(defects)} images, truth of {len(truth)}: give one for each image"
        raise KindError(msg)
    both = list(zip(defects, truth, strict=True))
    for number, pair in enumerate(both):
        where = f" of image {number}" if len(both) > 1 else ""
        for side, sites in zip(("defects", "truth"), pair, strict=True):
            _check(sites, f"{side}{where}")
        units = [space_unit(sites) for sites in pair]
        if units[0] != units[1]:
            msg = (
                f"the defects{where} are in {units[0]}, the truth in {units[1]}: give read_sites "
                "the pixel_size of the image, or the columns of the truth their unit, as in "
                "'y [nm]'"
            )
            raise KindError(msg)
    return both


def _check(sites: Sites, title: str) -> None:
    SITES.check(sites, name=title)
    if "name" not in sites.variables:
        known = ", ".join(str(one) for one in sites.data_vars) or "none"
        msg = f"{title} have no variable 'name', only {known}: a column of that name is needed"
        raise KindError(msg)


def _reach(max_distance: Length, defects: Sites) -> float:
    spacing = defects.attrs.get("spacing")
    reach = length_from_setting(
        max_distance,
        unit=space_unit(defects),
        name="max_distance",
        spacing=None if spacing is None else float(spacing),
    )
    if not reach > 0:
        msg = f"{max_distance=} must be positive"
        raise SettingError(msg)
    return float(reach)


def _pairs(defects: Sites, truth: Sites, reach: float) -> dict[str, NDArray[Any]]:
    match = match_points(positions(defects), positions(truth), max_distance=reach)
    n_found, n_true = defects.sizes["site"], truth.sizes["site"]
    found_of_true = np.full(n_true, -1, dtype=np.int64)
    found_of_true[match.right] = match.left
    apart = np.full(n_true, np.nan)
    apart[match.right] = match.distance
    alone = np.setdiff1d(np.arange(n_found), match.left)
    true_number = np.concatenate([np.arange(n_true), np.full(len(alone), -1)])
    found_number = np.concatenate([found_of_true, alone])
    place = np.concatenate([positions(truth), positions(defects)[alone]])
    return {
        "truth": _chosen(_names(truth), true_number, NOT_THERE),
        "found": _chosen(_names(defects), found_number, NOT_FOUND),
        "true_number": true_number,
        "found_number": found_number,
        "y": place[:, 0],
        "x": place[:, 1],
        "distance": np.concatenate([apart, np.full(len(alone), np.nan)]),
    }


def _names(sites: Sites) -> Names:
    names = np.char.strip(sites["name"].values.astype(str))
    return np.where(names == "", NO_NAME, names)


def _chosen(names: Names, number: Ints, otherwise: str) -> Names:
    # One more, which is what the number -1 takes.
    return np.asarray(np.append(names, otherwise)[number])


def _confusion(true_names: Names, found_names: Names) -> Table:
    both = np.stack([true_names, found_names], axis=1)
    kinds, count = np.unique(both, axis=0, return_counts=True)
    return table_from_columns({"truth": kinds[:, 0], "found": kinds[:, 1], "count": count})


def _per_name(true_names: Names, found_names: Names) -> Table:
    there, seen = true_names != NOT_THERE, found_names != NOT_FOUND
    right = true_names == found_names
    names = [
        *np.unique(true_names[there]),
        *np.setdiff1d(found_names[seen], true_names[there]),
    ]
    rows = [(true_names == name, found_names == name) for name in names]
    rows.append((there, seen))
    n_true, n_found, n_right = (
        np.array([int(part.sum()) for part in parts])
        for parts in (
            [true for true, _ in rows],
            [found for _, found in rows],
            [true & found & right for true, found in rows],
        )
    )
    columns = {"name": np.array([*names, ALL]), "n_true": n_true, "n_right": n_right}
    columns |= _shares("recall", n_right, n_true)
    columns |= {"n_found": n_found}
    columns |= _shares("precision", n_right, n_found)
    return table_from_columns(columns)


def _shares(title: str, part: Ints, whole: Ints) -> dict[str, Floats]:
    """Give shares with their limits, NaN where there is nothing to share."""
    known = whole > 0
    number = np.where(known, whole, 1)
    share = part / number
    low, high = wilson_interval(share, number, deviations=NORMAL_95)
    columns = {title: share, f"{title}_low": low, f"{title}_high": high}
    return {name: np.where(known, values, np.nan) for name, values in columns.items()}
