"""Class and orientation of every patch by a fitted mixture with hidden turns and mirrors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates

from adatom.clustering.doubt import entropy_of
from adatom.clustering.mixtures import log_densities_of, log_sum
from adatom.clustering.turned_models import TurnedMixtureModel
from adatom.errors import KindError
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import fold, map_to
from adatom.numerics.groups import counts_by_group, sums_by_group
from adatom.numerics.point_groups import name_of_matrix
from adatom.schema import FEATURES, Classes, Features, add_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from adatom.numerics.blocks import Block

# Offsets of patches that were cut in the same way differ by rounding at most.
_SAME_STEP: Final = 1e-3


class TurnedClasses(NamedTuple):
    """Class and orientation of patches, apart."""

    classes: Classes
    """``label``, -1 for patches of no class; ``probability`` (site, class)."""
    orientations: Classes
    """``label``, the operation of the group; ``angle`` in deg, ``mirrored``, ``direction``;
    ``probability`` (site, class), here the operations."""


def assign_turned_patches(patches: Features, model: TurnedMixtureModel, /) -> TurnedClasses:
    """Assign class and orientation to patches by a model that was fitted before.

    Patches are streamed; what is assigned stands in memory.

    Parameters
    ----------
    patches : Features
        Of `descriptors.site_patches`, cut as those of the fit.
    model : TurnedMixtureModel
        The ``model`` of `cluster_turned_patches`.

    Returns
    -------
    TurnedClasses
        ``classes`` and ``orientations`` as of `cluster_turned_patches`.

    Raises
    ------
    KindError
        If the patches have another size, or pixels of another size.

    Examples
    --------
    >>> from adatom.clustering.turned import cluster_turned_patches
    >>> y, x = np.mgrid[-4:5, -4:5].astype(float)
    >>> right = np.exp(-(y**2 + (x - 2) ** 2) / 3)
    >>> rng = np.random.default_rng(0)
    >>> rows = [np.rot90(right, k).ravel() + 0.05 * rng.normal(size=81) for k in [0, 1, 2, 3] * 8]
    >>> unit = {"units": "px"}
    >>> place = {"patch_y": ("feature", y.ravel(), unit), "patch_x": ("feature", x.ravel(), unit)}
    >>> patches = xr.DataArray(
    ...     rows, dims=("site", "feature"), coords=place, attrs={"patch_shape": [9, 9]}
    ... )
    >>> model = cluster_turned_patches(patches, symmetry="C4", n_classes=1).model
    >>> assign_turned_patches(patches[:4], model).orientations["angle"].values
    array([  0., 270., 180.,  90.])
    """
    FEATURES.check(patches, name="patches")
    check_patches_fit(patches, model)
    cut = blocks(patches)
    n_operations, n = len(model.operations), cut.n_rows
    outputs: list[NDArray[Any]] = [
        np.full(n, -1, dtype=np.int32),
        np.full(n, -1, dtype=np.int32),
        *(np.full(n, np.nan, dtype=np.float32) for _ in range(3)),
        np.full((n, model.n_classes), np.nan, dtype=np.float32),
        np.full((n, n_operations), np.nan, dtype=np.float32),
    ]
    judge = judge_of(model)
    map_to(cut, judge, outputs, incomplete=lambda rows: _by_disc(rows, judge, model))
    return _results(patches, model, outputs)


def check_patches_fit(patches: xr.DataArray, model: TurnedMixtureModel, /) -> None:
    """Raise `KindError` unless patches were cut as those that the model was fitted to."""
    shape, step, unit = shape_of(patches)
    same = np.allclose(step, model.patch_step, rtol=_SAME_STEP) and unit == model.patch_unit
    if shape != tuple(model.patch_shape) or not same:
        msg = (
            f"patches of {shape[0]} x {shape[1]} pixels of {step[0]:.4g} x {step[1]:.4g} {unit}, "
            f"the model was fitted to {model.patch_shape[0]} x {model.patch_shape[1]} pixels of "
            f"{model.patch_step[0]:.4g} x {model.patch_step[1]:.4g} {model.patch_unit}: cut them "
            "in the same way"
        )
        raise KindError(msg)


def shape_of(patches: xr.DataArray, /) -> tuple[tuple[int, int], tuple[float, float], str]:
    """Give rows and columns of patches, the steps of their pixels, and the unit of these.

    Raises
    ------
    KindError
        If the features are no patches around sites.
    """
    shape = patches.attrs.get("patch_shape")
    if shape is None or not {"patch_y", "patch_x"} <= set(patches.coords):
        msg = (
            "these features are no patches: they need the coordinates patch_y and patch_x and "
            "attrs['patch_shape'], which descriptors.site_patches gives"
        )
        raise KindError(msg)
    rows, columns = (int(number) for number in shape)
    if rows * columns != patches.shape[-1] or min(rows, columns) < 3:
        msg = (
            f"attrs['patch_shape'] is {rows} x {columns}, there are {patches.shape[-1]} features: "
            "need three rows and columns or more, and a feature a pixel"
        )
        raise KindError(msg)
    y, x = (patches.coords[name].values.reshape(rows, columns) for name in ("patch_y", "patch_x"))
    step = float(y[-1, 0] - y[0, 0]) / (rows - 1), float(x[0, -1] - x[0, 0]) / (columns - 1)
    return (rows, columns), step, str(patches.coords["patch_y"].attrs.get("units", "px"))


def judge_of(model: TurnedMixtureModel, /) -> Callable[[NDArray[Any]], list[NDArray[Any]]]:
    """Prepare what is told of measured rows.

    Returns
    -------
    callable
        Gives label, operation, distance, margin, probability of the
        background, of each class, and of each operation given the class.
    """
    mixture = model.mixture
    densities = log_densities_of(mixture.expanded())
    n, n_operations = model.n_classes, len(model.operations)
    n_turned = n * n_operations
    center, offset = model.center, model.offset
    basis = np.ascontiguousarray(model.basis.T)

    def judge(rows: NDArray[Any]) -> list[NDArray[Any]]:
        scores = (rows - center.astype(rows.dtype)) @ basis.astype(rows.dtype) + offset
        logs, squares = densities(scores.astype(np.float64))
        shares = np.exp(logs - log_sum(logs))
        joint = shares[:n_turned].reshape(n, n_operations, -1)
        probability = joint.sum(axis=1)
        background = shares[n_turned:].sum(axis=0)
        everything = np.concatenate([probability, background[None]])
        label = everything.argmax(axis=0)
        own = np.minimum(label, n - 1)
        here = np.arange(len(rows))
        turns = joint[own, :, here]
        operation = turns.argmax(axis=1)
        given = turns / np.maximum(turns.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        distance = np.sqrt(squares[own * n_operations + operation, here])
        ranked = np.sort(everything, axis=0)
        none = label == n
        given[none] = np.nan
        return [
            np.where(none, -1, label),
            np.where(none, -1, operation),
            np.where(none, np.nan, distance),
            ranked[-1] - ranked[-2],
            background,
            probability.T,
            given,
        ]

    return judge


def _by_disc(
    rows: NDArray[Any],
    judge: Callable[[NDArray[Any]], list[NDArray[Any]]],
    model: TurnedMixtureModel,
) -> list[NDArray[Any]]:
    """Judge patches that lack pixels outside of the disc alone; others have no class."""
    whole = np.isfinite(rows[:, model.needed]).all(axis=1)
    filled = rows[whole]
    if len(filled):
        middle = np.nanmean(np.where(np.isfinite(filled), filled, np.nan), axis=1, keepdims=True)
        # The spline feels pixels beyond the disc by less than a thousandth.
        filled = np.where(np.isfinite(filled), filled, middle).astype(rows.dtype)
    n = len(rows)
    outputs = [
        np.full(n, -1),
        np.full(n, -1),
        *(np.full(n, np.nan) for _ in range(3)),
        np.full((n, model.n_classes), np.nan),
        np.full((n, len(model.operations)), np.nan),
    ]
    for output, told in zip(outputs, judge(filled), strict=True):
        output[whole] = told
    return outputs


def _results(
    patches: xr.DataArray, model: TurnedMixtureModel, outputs: list[NDArray[Any]]
) -> TurnedClasses:
    label, operation, distance, margin, background, probability, given = outputs
    dims, shape = patches.dims[:-1], patches.shape[:-1]
    n = model.n_classes
    places = {name: coord for name, coord in patches.coords.items() if set(coord.dims) <= set(dims)}
    attrs = {key: patches.attrs[key] for key in ("spacing", "extent") if key in patches.attrs}
    with_none = np.concatenate([probability, background[:, None]], axis=1)
    classes = xr.Dataset(
        {
            "label": (dims, label.reshape(shape)),
            "distance": (dims, distance.reshape(shape)),
            "margin": (dims, margin.reshape(shape)),
            "probability": ((*dims, "class"), probability.reshape(*shape, n)),
            "background": (dims, background.reshape(shape), {"units": "1"}),
            "entropy": (dims, entropy_of(with_none).reshape(shape)),
            "count": ("class", counts_by_group(label, n_groups=n)),
        },
        coords={"class": np.arange(n), **places},
        attrs=attrs | {"n_classes": n, "symmetry": model.symmetry},
    )
    classes.attrs["class_symmetries"] = model.class_symmetries
    orientations = _orientations(model, label, operation, given, dims, shape)
    orientations = orientations.assign_coords(places)
    orientations.attrs |= attrs
    _tell(classes, orientations, model)
    return TurnedClasses(classes, orientations)


def _orientations(
    model: TurnedMixtureModel,
    label: NDArray[np.int32],
    operation: NDArray[np.int32],
    given: NDArray[np.float32],
    dims: tuple[Any, ...],
    shape: tuple[int, ...],
) -> xr.Dataset:
    matrices = model.matrices
    n_operations, n_fold = len(matrices), int(model.symmetry[1])
    firsts = model.orientation_of
    # A class that looks the same in every orientation has none.
    oriented: NDArray[np.bool_] = np.logical_not(model.kept.all(axis=1))
    known: NDArray[np.bool_] = np.logical_and(label >= 0, oriented[np.maximum(label, 0)])
    own = np.maximum(label, 0)
    turn = np.where(known, firsts[own, np.maximum(operation, 0)], -1).astype(np.int32)
    probability = np.full((len(label), n_operations), np.nan, dtype=np.float32)
    probability[known] = 0
    for k in np.flatnonzero(oriented):
        members = np.flatnonzero(label == k)
        for g in range(n_operations):
            probability[members, firsts[k, g]] += given[members, g]
    angles = np.arange(n_operations) % n_fold * (360.0 / n_fold)
    mirrored = np.arange(n_operations) >= n_fold
    at = np.maximum(turn, 0)
    direction = np.array(
        [[_turned(angle, matrix) for matrix in matrices] for angle in model.directions]
    )
    result = xr.Dataset(
        {
            "label": (dims, turn.reshape(shape)),
            "angle": (dims, np.where(known, angles[at], np.nan).reshape(shape), {"units": "deg"}),
            "mirrored": (dims, (known & mirrored[at]).reshape(shape)),
            "direction": (
                dims,
                np.where(known, direction[own, at], np.nan).reshape(shape),
                {"units": "deg"},
            ),
            "probability": ((*dims, "class"), probability.reshape(*shape, n_operations)),
            "count": ("class", counts_by_group(turn, n_groups=n_operations)),
        },
        coords={"class": np.arange(n_operations)},
    )
    result.attrs |= {
        "n_classes": n_operations,
        "class_names": [_operation_name(matrix) for matrix in matrices],
        "symmetry": model.symmetry,
    }
    return result


def _turned(angle: float, matrix: NDArray[np.float64]) -> float:
    """Say where an operation takes a direction, in deg from 0 to 360."""
    y, x = matrix @ [np.sin(np.radians(angle)), np.cos(np.radians(angle))]
    return float(np.degrees(np.arctan2(y, x)) % 360)


def _operation_name(matrix: NDArray[np.float64]) -> str:
    name = name_of_matrix(matrix)
    if name == "identity":
        return "0 deg"
    kind, _, angle = name.partition(" ")
    return f"{angle} deg" if kind == "rotation" else f"mirrored at {angle} deg"


def _tell(classes: xr.Dataset, orientations: xr.Dataset, model: TurnedMixtureModel) -> None:
    label = classes["label"].values
    n_missing = int(np.isnan(classes["background"].values).sum())
    n_none = int(np.count_nonzero(label < 0)) - n_missing
    if n_none:
        add_note(
            classes,
            f"{n_none} of {label.size} patches are too unlike every class, or lie between two: "
            "label -1, in no class",
        )
    if n_missing:
        add_note(
            classes,
            f"{n_missing} of {label.size} patches lack pixels within the disc that was compared: "
            "label -1, no class",
        )
    symmetric = np.flatnonzero(model.kept.all(axis=1))
    if len(symmetric) and len(model.matrices) > 1:
        named = ", ".join(map(str, symmetric))
        one = len(symmetric) == 1
        add_note(
            orientations,
            f"class{'' if one else 'es'} {named} look{'s' if one else ''} the same in all "
            f"orientations of {model.symmetry}, as far as the members show: no orientation, "
            "label -1",
        )
    for k, (own, name) in enumerate(zip(model.kept, model.class_symmetries, strict=True)):
        if 1 < own.sum() < len(own):
            add_note(
                orientations,
                f"class {k} has the symmetry {name} itself: its orientation is one of "
                f"{len(own) // int(own.sum())}",
            )


def class_means_turned_back(
    patches: xr.DataArray, found: TurnedClasses, model: TurnedMixtureModel, /
) -> Features:
    """Average the members of every class after turning them back, as pictures on the pixels.

    Members of one operation are averaged first, and only these means are
    turned, by a cubic spline: single patches are not blurred.

    Returns
    -------
    Features
        (class, feature); NaN outside of the disc, where turned patches end.
    """
    label = found.classes["label"].values.ravel()
    turn = np.maximum(found.orientations["label"].values.ravel(), 0)
    n, n_operations = model.n_classes, len(model.operations)
    groups = np.where(label >= 0, label * n_operations + turn, -1)

    def step(block: Block, here: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return (
            sums_by_group(block.values, here, n_groups=n * n_operations),
            counts_by_group(here, n_groups=n * n_operations),
        )

    cut = blocks(patches)
    sums, counts = fold(cut, step, lambda a, b: (a[0] + b[0], a[1] + b[1]), beside=(groups,))
    total = np.zeros((n, model.n_features))
    for k in range(n):
        for g, matrix in enumerate(model.matrices):
            total[k] += _turned_back(sums[k * n_operations + g], matrix, model)
    members = counts.reshape(n, n_operations).sum(axis=1)
    means = total / np.where(members > 0, members, np.nan)[:, None]
    means[:, ~model.needed] = np.nan
    result = xr.DataArray(
        means.astype(cut.dtype),
        dims=("class", patches.dims[-1]),
        coords={
            **{name: c for name, c in patches.coords.items() if c.dims == (patches.dims[-1],)},
            "class": np.arange(n),
            "count": ("class", found.classes["count"].values),
            "direction": ("class", model.directions, {"units": "deg"}),
            "class_symmetry": ("class", np.array(model.class_symmetries)),
        },
        name=patches.name,
        attrs={key: patches.attrs[key] for key in patches.attrs if key != "notes"},
    )
    n_left = int(found.classes["count"].sum()) - int(members.sum())
    if n_left:
        add_note(result, f"{n_left} members lack pixels outside of the disc and took no part")
    return result


def _turned_back(
    picture: NDArray[np.float64], matrix: NDArray[np.float64], model: TurnedMixtureModel
) -> NDArray[np.float64]:
    """Undo an operation on a flat picture; zero stays zero."""
    if not picture.any() or np.allclose(matrix, np.eye(2)):
        return picture
    shape, step = model.patch_shape, model.patch_step
    middle = (shape - 1) / 2
    rows, columns = np.indices(tuple(shape))
    offsets = np.stack(
        [((rows - middle[0]) * step[0]).ravel(), ((columns - middle[1]) * step[1]).ravel()]
    )
    there = matrix @ offsets / step[:, None] + middle[:, None]
    return np.asarray(
        map_coordinates(picture.reshape(shape), there, order=3, mode="mirror"), dtype=np.float64
    )
