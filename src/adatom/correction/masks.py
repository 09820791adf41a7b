"""Parts of a map left out of what follows: masks from images, features within a mask."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.schema import CLASSES, FEATURES, IMAGE, MASK, Classes, Features, Image, Mask, add_note

# Levels of the histogram in which the best threshold is sought.
_LEVELS: Final = 256


def mask_from_image(
    image: Image, /, *, above: float | None = None, below: float | None = None
) -> Mask:
    """Mark the pixels of an image that lie between two values, or above the best threshold.

    Parameters
    ----------
    image : Image
        Such as the sum of a window, or a dark-field image on the same
        pixels. Loaded.
    above, below : float, optional
        In the unit of the image. With neither, the threshold is the one that
        parts the histogram into two classes of the least variance within
        [1]_, and what lies above it is marked.

    Returns
    -------
    Mask
        True where to analyze; NaN is never marked. The note tells the
        threshold and the share that is left out.

    Raises
    ------
    SettingError
        If `above` is not less than `below`, no pixel is left, or all pixels
        have one value and no threshold is given.

    Examples
    --------
    >>> from adatom.schema import image_from_array
    >>> mask_from_image(image_from_array([[0.1, 0.2], [5.0, 6.0]])).values
    array([[False, False],
           [ True,  True]])

    References
    ----------
    .. [1] N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979), eq. 18.
    """
    IMAGE.check(image)
    values = np.asarray(image.values, dtype=np.float64)
    if above is not None and below is not None and not above < below:
        msg = f"{above=} must be less than {below=}"
        raise SettingError(msg)
    found = above is None and below is None
    low = best_threshold(values) if found else above
    inside = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        if low is not None:
            inside &= values > low
        if below is not None:
            inside &= values < below
    if not inside.any():
        known = values[np.isfinite(values)]
        span = f"{known.min():.6g} to {known.max():.6g}" if known.size else "no number at all"
        msg = f"no pixel lies within {above=}, {below=}: the image has {span}"
        raise SettingError(msg)
    mask = xr.DataArray(inside, dims=image.dims, coords=image.coords, name="analyzed")
    share = 100 * (1 - inside.mean())
    ends = [f"above {low:.6g}"] if low is not None else []
    ends += [f"below {below:.6g}"] if below is not None else []
    how = " (the threshold was found)" if found else ""
    add_note(mask, f"Marked is what lies {' and '.join(ends)}{how}; {share:.3g} % is left out.")
    return mask


def best_threshold(values: NDArray[np.float64], /) -> float:
    """Find the value that parts numbers into two classes of the least variance within.

    Raises
    ------
    SettingError
        If all numbers are equal.
    """
    known = values[np.isfinite(values)]
    if known.size == 0 or known.min() == known.max():
        msg = "all pixels have one value, which no threshold parts: give above= or below="
        raise SettingError(msg)
    counts, edges = np.histogram(known, bins=_LEVELS)
    middles = (edges[1:] + edges[:-1]) / 2
    share = np.cumsum(counts) / known.size
    first = np.cumsum(counts * middles) / known.size
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (first[-1] * share - first) ** 2 / (share * (1 - share))
    between = np.nan_to_num(between[:-1], posinf=0.0)
    # Of equally good thresholds, as between two separate classes, the middle one.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float(edges[1:][best[len(best) // 2]])


def mask_from_classes(classes: Classes, image: Image, /, *, keep: list[str]) -> Mask:
    """Mark the pixels of an image where windows over it are of some classes.

    Parameters
    ----------
    classes : Classes
        On (y, x), as of windows, which lie coarser than the pixels.
    image : Image
        Whose pixels are marked; its values do not matter.
    keep : list of str
        Classes to analyze, by the names in ``attrs["class_names"]``, or else their
        numbers as text.

    Returns
    -------
    Mask
        True where to analyze: where the probability of these classes together,
        interpolated between the centers of the windows, is one half or
        more. Windows without a class, and those without ``probability`` that are of
        another class, count as 0. The note tells the share that is left out.

    Raises
    ------
    KindError
        If the classes are not on (y, x), or in another unit than the image.
    SettingError
        If `keep` names no class, or nothing is left.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> axes = {n: (n, [0.5, 2.5], {"units": "px"}) for n in ("y", "x")}
    >>> classes = xr.Dataset({"label": (("y", "x"), [[0, 1], [0, 1]])}, coords=axes)
    >>> mask_from_classes(classes, image_from_array(np.zeros((4, 4))), keep=["0"]).values[0]
    array([ True,  True, False, False])
    """
    CLASSES.check(classes)
    IMAGE.check(image)
    if classes["label"].dims != ("y", "x"):
        msg = (
            f"classes are on {tuple(classes['label'].dims)}, need ('y', 'x'): those of windows, "
            "as of descriptors.window_patches"
        )
        raise KindError(msg)
    unit = image.coords["y"].attrs["units"]
    if classes.coords["y"].attrs.get("units") != unit:
        msg = f"classes are in {classes.coords['y'].attrs.get('units')}, the image in {unit}"
        raise KindError(msg)
    share = _share_of_classes(classes, keep)
    for axis, dim in enumerate(("y", "x")):
        place, known = image.coords[dim].values, classes.coords[dim].values
        share = np.apply_along_axis(lambda row: np.interp(place, known, row), axis, share)  # noqa: B023
    inside = share >= 0.5
    if not inside.any():
        msg = f"nothing is of {keep=}: nothing would be left to analyze"
        raise SettingError(msg)
    axes = {dim: image.coords[dim] for dim in ("y", "x")}
    mask = xr.DataArray(inside, dims=("y", "x"), coords=axes, name="analyzed")
    left_out = 100 * (1 - inside.mean())
    add_note(mask, f"Marked is what is {' or '.join(keep)}; {left_out:.3g} % is left out.")
    return mask


def _share_of_classes(classes: Classes, keep: list[str]) -> NDArray[np.float64]:
    """Give how probable it is that each window is of one of some classes."""
    labels = classes["label"].values
    told = classes.attrs.get("class_names")
    names = list(map(str, range(int(labels.max()) + 1) if told is None else told))
    odd = [name for name in keep if name not in names]
    if odd or not keep:
        msg = f"{keep=} names {odd[0] if odd else 'no class'}: the classes are {', '.join(names)}"
        raise SettingError(msg)
    numbers = [names.index(name) for name in keep]
    if "probability" in classes:
        probability = classes["probability"].values[..., numbers].sum(axis=-1, dtype=np.float64)
        return np.where(labels >= 0, np.nan_to_num(probability), 0.0)
    return np.isin(labels, numbers).astype(np.float64)


def features_from_mask(features: Features, mask: Mask, /) -> Features:
    """Keep the rows of a map that lie within a mask; all others count as not measured.

    Parameters
    ----------
    features : Features
        On (y, x). Numpy gives numpy; dask gives dask.
    mask : Mask
        True where to analyze, on the same pixels.

    Returns
    -------
    Features
        NaN outside of the mask: such rows take no part in fits and get no
        class. float32 stays, integers become float32 or float64.

    Raises
    ------
    KindError
        If the mask lies on other pixels than the features.

    Examples
    --------
    >>> axes = {n: (n, [0.0, 1.0], {"units": "nm"}) for n in ("y", "x")}
    >>> rows = xr.DataArray(np.ones((2, 2, 1)), dims=("y", "x", "energy"), coords=axes)
    >>> mask = xr.DataArray([[True, False], [True, True]], dims=("y", "x"), coords=axes)
    >>> features_from_mask(rows, mask).values[..., 0]
    array([[ 1., nan],
           [ 1.,  1.]])
    """
    FEATURES.check(features)
    MASK.check(mask)
    if features.dims[:-1] != mask.dims or features.shape[:-1] != mask.shape:
        msg = (
            f"the mask is on {dict(mask.sizes)}, the features on "
            f"{dict(zip(features.dims[:-1], features.shape[:-1], strict=True))}: "
            "both must lie on the same pixels"
        )
        raise KindError(msg)
    dtype = np.result_type(features.dtype, np.float32)
    inside = np.asarray(mask.values)[..., None]
    values: Any = features.data
    if hasattr(values, "dask"):
        import dask.array as da

        kept = da.where(inside, values.astype(dtype), dtype.type(np.nan))
        kept = kept.rechunk(values.chunks)
    else:
        kept = np.where(inside, np.asarray(values, dtype=dtype), dtype.type(np.nan))
    result = features.copy(data=kept)
    left_out = int((~inside).sum())
    add_note(result, f"{left_out} of {inside.size} rows lie outside of the mask: not measured.")
    return result
