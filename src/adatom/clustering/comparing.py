"""Classes against a label image that an expert has drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError, UnitError
from adatom.numerics.scores import adjusted_rand_index, best_matching, confusion_counts
from adatom.schema import (
    CLASSES,
    IMAGE,
    Classes,
    Image,
    Table,
    add_note,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ClassComparison(NamedTuple):
    """How far classes agree with an expert."""

    scores: Table
    """One row: adjusted Rand index, accuracy after the best matching, and what was compared."""
    per_class: Table
    """One row a label of the expert: the class matched with it, precision, recall."""
    confusion: Table
    """One row a class: how many of its members carry each label of the expert."""
    agreement: Classes
    """``label`` 1 where they agree, 0 where not, -1 where nothing can be compared; ``expert``."""


def compare_classes(
    classes: Classes, expert: Image, /, *, unlabelled: int | None = None
) -> ClassComparison:
    """Compare classes with labels that an expert has drawn on the image.

    Each place of the classes (pixel, window or site) takes the expert's
    label of the nearest pixel. Classes have no names, so they are first
    matched one to one with the expert's labels so that most places agree;
    the adjusted Rand index [1]_ needs no matching.

    Parameters
    ----------
    classes : Classes
        On (y, x), or along site with positions y and x.
    expert : Image
        Whole numbers in the same coordinates as the classes; NaN where the
        expert did not decide.
    unlabelled : int, optional
        A number that also means "not decided", such as 0 of many drawing
        programs; by default every number is a label.

    Returns
    -------
    ClassComparison
        Places without a class, without a label, or outside the expert's
        image are not compared; ``scores`` counts them.

    Raises
    ------
    KindError
        If the classes have no positions, or the labels are not whole numbers.
    UnitError
        If the two are in different units of space.
    SettingError
        If no place can be compared.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> drawn = image_from_array([[4, 4, 9, 9]])
    >>> found = xr.Dataset({"label": (("y", "x"), [[1, 1, 0, 1]])}, coords=drawn.coords)
    >>> compare_classes(found, drawn).scores["accuracy"].item()
    0.75

    References
    ----------
    .. [1] L. Hubert and P. Arabie, J. Classif. 2, 193 (1985).
    """
    CLASSES.check(classes)
    IMAGE.check(expert)
    label = classes["label"]
    drawn, inside, decided = _labels_at(label, expert, unlabelled)
    found = label.values
    compared = inside & decided & (found >= 0)
    if not compared.any():
        msg = (
            f"no place can be compared: {np.count_nonzero(inside)} of {inside.size} lie inside the "
            f"expert's image, {np.count_nonzero(inside & decided)} of them have a label, "
            f"{np.count_nonzero(found >= 0)} places have a class"
        )
        raise SettingError(msg)
    counts, class_values, expert_values = confusion_counts(found[compared], drawn[compared])
    partner = best_matching(counts)
    translated = _translated(found, class_values, expert_values, partner)
    agrees = compared & (translated == drawn)
    scores = table_from_columns(
        {
            "adjusted_rand_index": [adjusted_rand_index(found[compared], drawn[compared])],
            "accuracy": [float(agrees.sum() / compared.sum())],
            "n_compared": [int(compared.sum())],
            "n_outside": [int((~inside).sum())],
            "n_unlabelled": [int((inside & ~decided).sum())],
            "n_unclassified": [int((inside & decided & (found < 0)).sum())],
        }
    )
    agreement = xr.Dataset(
        {
            "label": (label.dims, np.where(compared, agrees, -1).astype(np.int32)),
            "expert": (label.dims, np.where(decided, drawn, -1).astype(np.int32)),
        },
        coords=label.coords,
        attrs={k: classes.attrs[k] for k in ("spacing", "extent") if k in classes.attrs},
    )
    n_left = int((~compared).sum())
    if n_left:
        add_note(agreement, f"{n_left} of {compared.size} places could not be compared: label -1")
    return ClassComparison(
        scores,
        _per_class(counts, class_values, expert_values, partner),
        _confusion(counts, class_values, expert_values),
        agreement,
    )


def _labels_at(
    label: xr.DataArray, expert: xr.DataArray, unlabelled: int | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Look up the expert's label at every place: labels, whether inside, whether decided."""
    missing = [dim for dim in ("y", "x") if dim not in label.coords]
    if missing or (label.dims != ("y", "x") and label.dims != ("site",)):
        msg = f"classes on {label.dims} lack positions: need dims (y, x), or site with y and x"
        raise KindError(msg)
    if "frame" in label.coords and np.unique(label.coords["frame"].values).size > 1:
        msg = "classes of several frames cannot be compared with one image: take one frame's sites"
        raise KindError(msg)
    if space_unit(expert) != label.coords["y"].attrs.get("units"):
        msg = (
            f"classes are in {label.coords['y'].attrs.get('units')!r}, the expert's image in "
            f"{space_unit(expert)!r}: read it with the pixel size of the image"
        )
        raise UnitError(msg)
    # Pixels are square to good measure: an axis of one pixel takes the step of the other.
    step = max(_step(expert.coords["y"].values), _step(expert.coords["x"].values))
    (rows, rows_inside), (columns, columns_inside) = (
        _nearest(expert.coords[dim].values, label.coords[dim].values, step) for dim in ("y", "x")
    )
    values = np.asarray(expert.values)
    if label.dims == ("y", "x"):
        values = values[np.ix_(rows, columns)]
        inside = rows_inside[:, None] & columns_inside
    else:
        values = values[rows, columns]
        inside = rows_inside & columns_inside
    decided = np.isfinite(values)
    whole = np.where(decided, values, 0)
    if not (whole == np.round(whole)).all():
        odd = whole[whole != np.round(whole)][0]
        msg = f"the expert's image holds {odd}: labels must be whole numbers, NaN where undecided"
        raise KindError(msg)
    labels = whole.astype(np.int64)
    if unlabelled is not None:
        decided &= labels != unlabelled
    return labels, inside, decided


def _step(axis: NDArray[Any]) -> float:
    return float(axis[-1] - axis[0]) / (len(axis) - 1) if len(axis) > 1 else 0.0


def _nearest(
    axis: NDArray[Any], places: NDArray[Any], other_step: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the nearest pixel of each place along one axis, and whether it lies within it."""
    step = _step(axis) or other_step or 1.0
    index = (np.asarray(places, dtype=float) - axis[0]) / step
    # A place exactly on the outer border of a pixel still belongs to it, rounding aside.
    inside = (index >= -0.5 - 1e-6) & (index <= len(axis) - 0.5 + 1e-6)
    nearest = np.floor(np.nan_to_num(index) + 0.5)
    return np.clip(nearest, 0, len(axis) - 1).astype(np.int64), inside


def _translated(
    found: NDArray[Any],
    class_values: NDArray[np.int64],
    expert_values: NDArray[np.int64],
    partner: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Write classes as the expert's labels; those without a partner as a number that is none."""
    none = int(expert_values.min()) - 1
    names = np.where(partner >= 0, expert_values[partner], none)
    place = np.clip(np.searchsorted(class_values, found), 0, len(class_values) - 1)
    return np.where(class_values[place] == found, names[place], none)


def _per_class(
    counts: NDArray[np.int64],
    class_values: NDArray[np.int64],
    expert_values: NDArray[np.int64],
    partner: NDArray[np.int64],
) -> Table:
    row_of = {int(column): row for row, column in enumerate(partner) if column >= 0}
    rows = [row_of.get(column, -1) for column in range(len(expert_values))]
    hits = [counts[row, column] if row >= 0 else 0 for column, row in enumerate(rows)]
    members = [counts[row].sum() if row >= 0 else 0 for row in rows]
    with np.errstate(invalid="ignore"):
        precision = np.array(hits) / np.array(members, dtype=float)
    return table_from_columns(
        {
            "expert": expert_values,
            "class": [int(class_values[row]) if row >= 0 else -1 for row in rows],
            "precision": precision,
            "recall": np.array(hits) / counts.sum(axis=0),
            "n_expert": counts.sum(axis=0),
            "n_class": members,
        }
    )


def _confusion(
    counts: NDArray[np.int64], class_values: NDArray[np.int64], expert_values: NDArray[np.int64]
) -> Table:
    columns = {f"expert {value}": counts[:, k] for k, value in enumerate(expert_values)}
    return table_from_columns({"class": class_values, **columns})
