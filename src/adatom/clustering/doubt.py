"""How doubtful the class of a place is, as numbers and as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import CLASSES, IMAGE, Classes, Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

Doubt = Literal["entropy", "margin", "distance", "stability", "strength"]


def entropy_of(probability: NDArray[Any], /) -> NDArray[Any]:
    """Give the entropy of probabilities (..., class) as a share of its largest value [1]_.

    0 where one class is certain, 1 where all are equally likely; NaN where a
    probability is. A single class leaves no doubt.

    Examples
    --------
    >>> entropy_of(np.array([[1.0, 0.0], [0.5, 0.5]]))
    array([0., 1.])

    References
    ----------
    .. [1] C. E. Shannon, Bell Syst. Tech. J. 27, 379 (1948).
    """
    n_classes = probability.shape[-1]
    if n_classes < 2:
        return probability[..., 0] * 0
    logarithm = np.log(np.where(probability > 0, probability, 1))
    entropy: NDArray[Any] = -(probability * logarithm).sum(axis=-1) / np.log(n_classes)
    # Rounding must not leave the range that is promised.
    return np.asarray(np.clip(np.abs(entropy), 0, 1), dtype=probability.dtype)


def margin_of(probability: NDArray[Any], /) -> NDArray[Any]:
    """Give the largest probability (..., class) less the second largest.

    Examples
    --------
    >>> margin_of(np.array([[0.5, 0.25, 0.25]]))
    array([0.25])
    """
    ranked = np.sort(probability, axis=-1)
    second = ranked[..., -2] if ranked.shape[-1] > 1 else 0
    margin: NDArray[Any] = ranked[..., -1] - second
    return margin


def image_from_classes(classes: Classes, /, *, of: Doubt = "entropy") -> Image:
    """Show how doubtful the class of every pixel is, as an image.

    Parameters
    ----------
    classes : Classes
        On (y, x).
    of : {"entropy", "margin", "distance", "stability", "strength"}
        "entropy", of the probabilities: 0 where one class is certain, 1
        where all are equally likely; found here where the classes have
        probabilities only. Or another variable of the classes: "margin" to
        the next class, "distance" to the mean, "stability" over resamplings
        (`cluster_consensus`), "strength" of membership (`cluster_density`).

    Returns
    -------
    Image
        NaN where a pixel has no class.

    Raises
    ------
    SettingError
        If the classes do not have it.
    KindError
        If they are not on (y, x).

    Examples
    --------
    >>> import xarray as xr
    >>> axis = {dim: (dim, [0.0], {"units": "nm"}) for dim in ("y", "x")}
    >>> half = xr.Dataset(
    ...     {"label": (("y", "x"), [[0]]), "probability": (("y", "x", "class"), [[[0.5, 0.5]]])},
    ...     coords=axis,
    ... )
    >>> image_from_classes(half).values
    array([[1.]])
    """
    CLASSES.check(classes)
    label = classes["label"]
    if label.dims != ("y", "x"):
        msg = f"classes on {tuple(label.dims)} are no image: need (y, x)"
        raise KindError(msg)
    if of in classes:
        image = classes[of]
    elif of == "entropy" and "probability" in classes:
        image = label.copy(data=entropy_of(classes["probability"].values))
    else:
        told = [str(name) for name in classes.data_vars if classes[name].dims == label.dims]
        needs = " or probability" if of == "entropy" else ""
        msg = f"the classes have no {of}{needs}, only {', '.join(told)}: choose of= from these"
        raise SettingError(msg)
    image = image.where(label >= 0).rename(of)
    image.attrs = {"units": "1", **image.attrs}
    IMAGE.check(image, name=of)
    return image
