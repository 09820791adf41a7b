"""Which features tell a class from all others: ions, lines, bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import add_states, fold
from adatom.numerics.groups import counts_by_group, sums_by_group
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

    from adatom.numerics.blocks import Block

    Floats = NDArray[np.float64]

# A spread needs two rows on either side.
_LEAST: Final = 2


class _Sums(NamedTuple):
    counts: NDArray[np.int64]
    first: Floats
    second: Floats


def find_markers(features: Features, classes: Classes, /, *, n_markers: int = 5) -> Table:
    """Rank the features by how far their mean in a class lies above that elsewhere.

    The effect size is Cohen's d [1]_: the difference of the means over the
    pooled standard deviation. Unlike a p-value it does not grow with the
    number of pixels; above 0.8 it is called large, and above 3 there is
    nearly no overlap.

    Parameters
    ----------
    features : Features
        Numpy or dask inside, as they were before clustering, but brought to
        one intensity. Read block by block.
    classes : Classes
        On the leading dims of `features`. Rows without class, and outliers
        (``attrs["outlier_class"]``), take no part.
    n_markers : int
        Of each class.

    Returns
    -------
    Table
        ``class``, ``rank`` from 1, the value of the feature axis (such as
        ``mass_to_charge``), ``mean``, ``mean_elsewhere``, ``ratio`` of the
        two (infinite where it is nowhere else), ``effect_size``. Rows of
        features that are not higher than elsewhere are left out. One class
        alone has no rows, and a note.

    Raises
    ------
    KindError
        If the classes are not of the same places.
    SettingError
        If `n_markers` is below 1.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[1.0, 5.0], [1.2, 5.1], [3.0, 5.0], [3.1, 5.2]],
    ...     dims=("site", "mass"), coords={"mass": [100.0, 200.0]})
    >>> found = xr.Dataset({"label": ("site", [0, 0, 1, 1])})
    >>> table = find_markers(rows, found, n_markers=1)
    >>> table["class"].values, table["mass"].values
    (array([1]), array([100.]))

    References
    ----------
    .. [1] J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. (Lawrence
       Erlbaum 1988), eq. 2.2.1.
    """
    FEATURES.check(features)
    CLASSES.check(classes)
    if n_markers < 1:
        msg = f"{n_markers=} must be 1 or more"
        raise SettingError(msg)
    label = classes["label"]
    if label.dims != features.dims[:-1] or label.shape != features.shape[:-1]:
        msg = f"classes are on {dict(label.sizes)}, features on {dict(features.sizes)}"
        raise KindError(msg)
    flat = np.where(label.values == classes.attrs.get("outlier_class", -1), -1, label.values)
    sums = _sums_of(features, flat.ravel())
    known = np.flatnonzero(sums.counts >= _LEAST)
    # One class has nothing to be told from, and so no markers.
    compared = known if len(known) > 1 else known[:0]
    axis = features.dims[-1]
    places = features.coords.get(axis)
    values = np.arange(features.shape[-1]) if places is None else places.values
    rows = [row for number in compared for row in _markers(sums, known, int(number), n_markers)]
    columns = _columns(rows, str(axis), values)
    unit = None if places is None else places.attrs.get("units")
    table = table_from_columns(columns, units={} if unit is None else {str(axis): str(unit)})
    if not len(compared):
        add_note(
            table,
            f"{len(known)} of {len(sums.counts)} classes have {_LEAST} measured rows or more: "
            "markers tell two classes or more apart, so there are none.",
        )
    elif len(known) < len(sums.counts):
        add_note(table, f"{len(sums.counts) - len(known)} classes have too few rows to compare.")
    return table


def _sums_of(features: Features, flat: NDArray[Any]) -> _Sums:
    n_classes = int(flat.max(initial=-1)) + 1

    def step(block: Block, groups: NDArray[Any]) -> _Sums:
        wide = block.values.astype(np.float64)
        return _Sums(
            counts_by_group(groups, n_groups=n_classes),
            sums_by_group(wide, groups, n_groups=n_classes),
            sums_by_group(wide**2, groups, n_groups=n_classes),
        )

    return fold(blocks(features), step, add_states, beside=(flat,))


def _markers(
    sums: _Sums, known: NDArray[np.intp], number: int, n_markers: int
) -> list[tuple[float, ...]]:
    others = known[known != number]
    here, inside = _mean_and_squares(sums, np.array([number]))
    there, outside = _mean_and_squares(sums, others)
    dof = int(sums.counts[known].sum()) - 2
    pooled = np.sqrt((inside + outside) / dof)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.where(here > there, (here - there) / pooled, -np.inf)
        ratio = here / there
    best = np.lexsort((np.arange(len(effect)), -effect))[:n_markers]
    return [
        (number, rank, feature, here[feature], there[feature], ratio[feature], effect[feature])
        for rank, feature in enumerate(best.tolist(), start=1)
        if effect[feature] > 0
    ]


def _mean_and_squares(sums: _Sums, numbers: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Give the mean of some classes together, and the sum of squares about it."""
    count = int(sums.counts[numbers].sum())
    mean = sums.first[numbers].sum(axis=0) / count
    return mean, np.maximum(sums.second[numbers].sum(axis=0) - count * mean**2, 0.0)


def _columns(
    rows: list[tuple[float, ...]], axis: str, values: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    parts = np.array(rows, dtype=float).reshape(len(rows), 7)
    return {
        "class": parts[:, 0].astype(np.int64),
        "rank": parts[:, 1].astype(np.int64),
        axis: values[parts[:, 2].astype(np.intp)],
        "mean": parts[:, 3],
        "mean_elsewhere": parts[:, 4],
        "ratio": parts[:, 5],
        "effect_size": parts[:, 6],
    }
