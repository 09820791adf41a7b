"""Soft classes from the scores of components, and classes of windows on the pixels beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.optimize
import xarray as xr

from adatom.errors import KindError, SettingError
from adatom.schema import (
    CLASSES,
    FEATURES,
    IMAGE,
    Classes,
    Features,
    Image,
    add_note,
    extent,
    pixel_size,
    space_unit,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Below this share of the mean total a row holds nothing that could be shared out.
_NOTHING: Final = 1e-9
# Of a pixel, by which centers may be off what windows flush with the edges would have.
_OFF: Final = 0.51


def classes_from_scores(scores: Features, /) -> Classes:
    """Turn non-negative scores, as of `decomposition.decompose_nmf`, into soft classes.

    Scores tell how much of each component a row holds; a strong component,
    as a phase with strong reflections, would outweigh a weak one. So each is
    first divided by what a row of it alone has: the factors by which the scores
    of all rows add up to one as well as they can, in least squares. What is
    then left is the share of every component in every row.

    Parameters
    ----------
    scores : Features
        The last dim counts the components. Rows with NaN get no class.

    Returns
    -------
    Classes
        ``probability`` (..., class): the share of each component; ``label``:
        the one with the largest, -1 where nothing is. The note tells the
        factors. Class k is component k.

    Raises
    ------
    KindError
        If there is no component.
    SettingError
        If a score is negative, or all are zero.

    Examples
    --------
    >>> scores = xr.DataArray([[8.0, 0.0], [4.0, 1.0], [0.0, 2.0]], dims=("site", "component"))
    >>> classes_from_scores(scores)["probability"].values.round(3)
    array([[1. , 0. ],
           [0.5, 0.5],
           [0. , 1. ]])
    """
    FEATURES.check(scores)
    if not scores.shape[-1]:
        msg = f"scores have no component along {scores.dims[-1]!r}: need one or more"
        raise KindError(msg)
    values = np.asarray(scores.values, dtype=np.float64)
    rows = values.reshape(-1, values.shape[-1])
    known = np.isfinite(rows).all(axis=1)
    if (rows[known] < 0).any():
        msg = (
            f"the least score is {rows[known].min():.6g}, shares need scores of zero or more, "
            "as of decomposition.decompose_nmf or estimate_abundances"
        )
        raise SettingError(msg)
    factors = _factors(rows[known])
    total = rows @ factors
    some = known & (total > _NOTHING * total[known].mean())
    share = np.full(rows.shape, np.nan)
    share[some] = rows[some] * factors / total[some, None]
    label = np.full(len(rows), -1, dtype=np.int32)
    label[some] = share[some].argmax(axis=1)
    places = scores.dims[:-1]
    dtype = np.result_type(scores.dtype, np.float32)
    classes = xr.Dataset(
        {
            "label": (places, label.reshape(values.shape[:-1])),
            "probability": ((*places, "class"), share.reshape(values.shape).astype(dtype)),
        },
        coords={
            **{n: c for n, c in scores.coords.items() if scores.dims[-1] not in c.dims},
            "class": np.arange(rows.shape[1]),
        },
        attrs={
            "n_classes": rows.shape[1],
            **{k: scores.attrs[k] for k in ("spacing", "extent") if k in scores.attrs},
        },
    )
    told = ", ".join(f"{1 / f:.4g}" if f > 0 else "none" for f in factors)
    add_note(
        classes,
        f"A row that holds one component alone has the scores {told} (none: never alone); "
        "shares are relative to these.",
    )
    return classes


def _factors(rows: Floats) -> Floats:
    """Find the factors by which the scores of every row add up to one."""
    usual = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1])
    if not usual.any():
        msg = "all scores are zero: there is nothing to share out"
        raise SettingError(msg)
    unit = np.where(usual > 0, usual, 1.0)
    scaled = rows / unit
    # The normal equations, as small as the number of components.
    found, _ = scipy.optimize.nnls(scaled.T @ scaled, scaled.sum(axis=0))
    return np.asarray(found / unit)


def classes_from_windows(classes: Classes, image: Image, /) -> Classes:
    """Bring classes of windows to the pixels of the image beneath them.

    A pixel lies in many windows. Its probabilities are the mean of theirs, with
    the Hann weights by which it counted in the spectrum of each: the nearer
    to the center the more. All pixels are covered, those at the border by the
    windows that are flush with it.

    Parameters
    ----------
    classes : Classes
        On (y, x), of windows over `image` as of `descriptors.window_spectra`, the
        outermost flush with its edges. Windows of class -1 do not count.
    image : Image
        Whose pixels are sorted; pixels that are NaN get no class.

    Returns
    -------
    Classes
        On the pixels: ``probability`` (y, x, class), float32, and ``label``. Where
        no window has a class, -1. Regions smaller than half a window are not
        to be trusted: the note tells how large it is.

    Raises
    ------
    KindError
        If the classes are not on (y, x), in another unit than the image, or
        of windows over another image.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> axes = {n: (n, [1.5, 3.5, 5.5], {"units": "px"}) for n in ("y", "x")}
    >>> found = xr.Dataset({"label": (("y", "x"), [[0, 0, 1]] * 3)}, coords=axes)
    >>> classes_from_windows(found, image_from_array(np.zeros((8, 8))))["label"].values[0]
    array([0, 0, 0, 0, 0, 1, 1, 1], dtype=int32)
    """
    CLASSES.check(classes)
    IMAGE.check(image)
    shares, known = _shares_of_windows(classes)
    tapers = [_tapers(classes, image, dim) for dim in ("y", "x")]
    weight = tapers[0].T @ known @ tapers[1]
    measured = np.isfinite(image.values) & (weight > 0)
    safe = np.where(measured, weight, 1.0)
    pixels = [tapers[0].T @ np.where(known > 0, part, 0.0) @ tapers[1] for part in shares]
    probability = np.stack([np.where(measured, part / safe, np.nan) for part in pixels], axis=-1)
    label = np.where(measured, np.nan_to_num(probability).argmax(axis=-1), -1).astype(np.int32)
    carried = {k: v for k, v in classes.attrs.items() if k in {"class_names", "outlier_class"}}
    result = xr.Dataset(
        {
            "label": (("y", "x"), label),
            "probability": (("y", "x", "class"), probability.astype(np.float32)),
        },
        coords={
            **{dim: image.coords[dim] for dim in ("y", "x")},
            "class": np.arange(len(shares)),
        },
        attrs={**carried, "n_classes": len(shares), "extent": extent(image)},
    )
    steps = pixel_size(image)
    sizes = [_length(classes, image, dim) * step for dim, step in zip(("y", "x"), steps)]
    add_note(
        result,
        f"Means over windows of {sizes[0]:.4g} x {sizes[1]:.4g} {space_unit(image)}: what is "
        "smaller than half of that does not show, and borders are as soft as that.",
    )
    return result


def _shares_of_windows(classes: Classes) -> tuple[Floats, Floats]:
    """Give the shares (class, y, x) of windows, and 1 where they are known."""
    label = classes["label"]
    if label.dims != ("y", "x"):
        msg = f"classes are on {tuple(label.dims)}, need ('y', 'x'): those of windows of an image"
        raise KindError(msg)
    labels = label.values
    n_classes = int(classes.sizes.get("class", max(1, int(labels.max(initial=-1)) + 1)))
    if "probability" in classes:
        shares = np.moveaxis(classes["probability"].values.astype(np.float64), -1, 0)
    else:
        shares = (labels == np.arange(n_classes)[:, None, None]).astype(np.float64)
    known = (labels >= 0) & np.isfinite(shares).all(axis=0)
    return shares, known.astype(np.float64)


def _length(classes: Classes, image: Image, dim: str) -> int:
    """Tell the size of windows in pixels by the first, which is flush with the edge."""
    pixel = pixel_size(image)[("y", "x").index(dim)]
    first = float(classes.coords[dim].values[0]) - float(image.coords[dim].values[0])
    return round(2 * first / pixel) + 1


def _tapers(classes: Classes, image: Image, dim: str) -> Floats:
    """Give the Hann weights (window, pixel) of pixels in windows along an axis."""
    unit = space_unit(image)
    if classes.coords[dim].attrs.get("units") != unit:
        msg = f"classes are in {classes.coords[dim].attrs.get('units')}, the image in {unit}"
        raise KindError(msg)
    pixel = pixel_size(image)[("y", "x").index(dim)]
    places = image.coords[dim].values.astype(float)
    centers = classes.coords[dim].values.astype(float)
    length = _length(classes, image, dim)
    beyond = places[-1] - centers[-1] - (length - 1) / 2 * pixel
    if length < 1 or abs(beyond) > _OFF * pixel:
        msg = (
            f"windows from {centers[0]:.6g} to {centers[-1]:.6g} {unit} along {dim} are not flush "
            f"with an image from {places[0]:.6g} to {places[-1]:.6g} {unit}: are they of another?"
        )
        raise KindError(msg)
    offset = (places[None, :] - centers[:, None]) / (length * pixel)
    return np.asarray(np.where(np.abs(offset) < 0.5, np.cos(np.pi * offset) ** 2, 0.0))
