"""The same numbers for the same classes in different runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.optimize

from adatom.errors import KindError, SettingError
from adatom.numerics.groups import counts_by_group
from adatom.numerics.scores import best_matching
from adatom.schema import (
    CLASSES,
    FEATURES,
    Classes,
    Features,
    Table,
    add_note,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinkedClasses(NamedTuple):
    """Classes that carry the numbers of a reference, and what was matched."""

    classes: Classes
    matches: Table
    """A row a class: its number ``before``, its ``class`` now, the ``reference`` that it was
    matched with, -1 if with none, and how well."""


def link_classes(classes: Classes, reference: Classes, /) -> LinkedClasses:
    """Give classes the numbers of those of another run on the same places.

    Classes are matched one to one so that most places agree. So two runs with
    other settings, seeds or methods are shown in the same colors.

    Parameters
    ----------
    classes : Classes
        Whose numbers are changed.
    reference : Classes
        On the same places.

    Returns
    -------
    LinkedClasses
        Classes without a partner get numbers after the last of the
        reference; a number of the reference without a partner stays
        empty. ``matches`` has ``n_shared`` places, ``n_class``,
        ``n_reference`` and ``overlap``: places in both over places in either.
        ``matches.attrs["agreement"]`` is the share of places that agree.

    Raises
    ------
    KindError
        If the places differ.
    SettingError
        If no place has a class in both.

    Examples
    --------
    >>> import xarray as xr
    >>> one, two = (xr.Dataset({"label": ("site", row)}) for row in ([0, 0, 1], [1, 1, 0]))
    >>> link_classes(one, two).classes["label"].values
    array([1, 1, 0], dtype=int32)
    """
    CLASSES.check(classes)
    CLASSES.check(reference, name="reference")
    ours, theirs = classes["label"], reference["label"]
    if (ours.dims, ours.shape) != (theirs.dims, theirs.shape):
        msg = (
            f"classes are on {dict(ours.sizes)}, the reference on {dict(theirs.sizes)}: they must "
            "be of the same places; link_classes_by_means takes classes of other ones"
        )
        raise KindError(msg)
    n_ours, n_theirs = number_in(classes), number_in(reference)
    both = (ours.values >= 0) & (theirs.values >= 0)
    if not both.any():
        msg = f"none of {both.size} places has a class in both: nothing can be matched"
        raise SettingError(msg)
    flat = ours.values[both].astype(np.int64) * n_theirs + theirs.values[both]
    counts = np.bincount(flat, minlength=n_ours * n_theirs).reshape(n_ours, n_theirs)
    partner = best_matching(counts)
    # Without a single place in common they are no match.
    shared = np.where(partner >= 0, counts[np.arange(n_ours), partner], 0)
    partner = np.where(shared > 0, partner, -1)
    n_class = counts.sum(axis=1)
    n_reference = np.where(partner >= 0, counts.sum(axis=0)[partner], 0)
    either = n_class + n_reference - shared
    columns = {
        "n_shared": shared,
        "n_class": n_class,
        "n_reference": n_reference,
        "overlap": shared / np.maximum(either, 1),
    }
    linked = _linked(classes, partner, n_theirs, columns)
    linked.matches.attrs["agreement"] = float(shared.sum() / both.sum())
    return linked


def link_classes_by_means(
    classes: Classes, means: Features, reference: Features, /
) -> LinkedClasses:
    """Give classes the numbers of those of another run whose means they resemble.

    Classes are matched one to one so that the sum of the squared distances of
    their means is least. So maps of different samples are shown in the same
    colors.

    Parameters
    ----------
    classes : Classes
        Whose numbers are changed.
    means : Features
        (class, feature), their means, as of `class_means`.
    reference : Features
        (class, feature), the means of the other run, measured in the same way.

    Returns
    -------
    LinkedClasses
        As of `link_classes`; ``matches`` has the ``distance`` of the means.
        All that can be matched are, like or not: look at the distance.

    Raises
    ------
    KindError
        If the means are not of the same features, or not of these classes.

    Examples
    --------
    >>> import xarray as xr
    >>> found = xr.Dataset({"label": ("site", [0, 0, 1])})
    >>> means = xr.DataArray([[1.0], [7.0]], dims=("class", "energy"))
    >>> others = xr.DataArray([[6.0], [1.5]], dims=("class", "energy"))
    >>> link_classes_by_means(found, means, others).classes["label"].values
    array([1, 1, 0], dtype=int32)
    """
    CLASSES.check(classes)
    FEATURES.check(means, name="means")
    FEATURES.check(reference, name="reference")
    n_ours = number_in(classes)
    if means.ndim != 2 or len(means) != n_ours:
        msg = f"means are on {dict(means.sizes)}, need (class, feature) of the {n_ours} classes"
        raise KindError(msg)
    if (
        reference.ndim != 2
        or reference.dims[-1] != means.dims[-1]
        or (reference.shape[-1] != means.shape[-1])
    ):
        msg = (
            f"the means are on {dict(means.sizes)}, the reference on {dict(reference.sizes)}: the "
            "features must be the same"
        )
        raise KindError(msg)
    one, two = means.values.astype(np.float64), reference.values.astype(np.float64)
    squares = ((one[:, None] - two[None]) ** 2).sum(axis=-1)
    # A class without rows has no mean: it is matched last, and then not counted as a match.
    known = np.isfinite(squares)
    most = squares[known].max(initial=0.0)
    rows, columns = scipy.optimize.linear_sum_assignment(np.where(known, squares, 4 * most + 1))
    partner = np.full(n_ours, -1, dtype=np.int64)
    partner[rows] = np.where(known[rows, columns], columns, -1)
    found = squares[np.arange(n_ours), partner]
    unit = str(means.attrs.get("units", "1"))
    distance = np.sqrt(np.where(partner >= 0, found, np.nan))
    return _linked(classes, partner, len(two), {"distance": distance}, units={"distance": unit})


def number_in(classes: Classes, /) -> int:
    """Count the classes, empty ones included."""
    return int(max(classes.sizes.get("class", 0), int(classes["label"].values.max(initial=-1)) + 1))


def _linked(
    classes: Classes,
    partner: NDArray[np.int64],
    n_reference: int,
    columns: dict[str, Any],
    units: dict[str, str] | None = None,
) -> LinkedClasses:
    alone = partner < 0
    number = np.where(alone, n_reference + np.cumsum(alone) - 1, partner)
    table = table_from_columns(
        {"before": np.arange(len(partner)), "class": number, "reference": partner, **columns},
        units=units,
    )
    linked = _renumbered(classes, number, max(n_reference, int(number.max(initial=-1)) + 1))
    n_empty = n_reference - int((~alone).sum())
    add_note(
        linked,
        f"numbered as a reference: {(~alone).sum()} of {len(partner)} classes matched, "
        f"{alone.sum()} have no partner, {n_empty} of the reference have none",
    )
    return LinkedClasses(linked, table)


def _renumbered(classes: Classes, number: NDArray[np.int64], n_classes: int) -> Classes:
    """Renumber labels, and everything that lies along the classes with them."""
    label = classes["label"]
    moved = np.where(label.values >= 0, number[label.values], -1).astype(np.int32)
    linked = classes.drop_dims("class", errors="ignore").drop_vars("class", errors="ignore")
    linked["label"] = (label.dims, moved, label.attrs)
    linked = linked.assign_coords({"class": np.arange(n_classes)})
    for name, variable in classes.variables.items():
        if "class" not in variable.dims or name in {"class", "count"}:
            continue
        axis = variable.dims.index("class")
        sizes = list(variable.shape)
        sizes[axis] = n_classes
        # A class of the reference that nothing was matched with has no probability anywhere.
        values = np.zeros(sizes, dtype=variable.dtype)
        index: list[Any] = [slice(None)] * len(sizes)
        index[axis] = number
        values[tuple(index)] = variable.values
        linked[name] = (variable.dims, values, variable.attrs)
    linked["count"] = ("class", counts_by_group(moved, n_groups=n_classes))
    linked.attrs["n_classes"] = n_classes
    if "outlier_class" in classes.attrs:
        linked.attrs["outlier_class"] = int(number[classes.attrs["outlier_class"]])
    if "class_names" in classes.attrs:
        names = [f"class {k}" for k in range(n_classes)]
        for before, after in enumerate(number[: len(classes.attrs["class_names"])]):
            names[after] = classes.attrs["class_names"][before]
        linked.attrs["class_names"] = names
    return linked
