"""Classes of patches by a classifier that was trained on others."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from adatom.clustering.doubt import entropy_of
from adatom.numerics.blocks import blocks
from adatom.numerics.folds import map_to
from adatom.numerics.groups import counts_by_group
from adatom.numerics.patch_classifier import PatchClassifier
from adatom.numerics.patch_grid import gridded_patches, require_scale, scale_of_patches
from adatom.schema import FEATURES, Classes, Features, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.numerics.patch_grid import PatchScale

# More says more of the edge than of the site.
_MOST_MISSING: Final = 0.5


def predict_classes(patches: Features, classifier: PatchClassifier, /) -> Classes:
    """Name the middle of every patch by a trained network; torch is not needed.

    Around sites it names species and defects; of windows that slide over an
    image it makes a map. Patches are brought to the scale of those that the
    network was trained on, and lose their mean and spread: neither
    the pixels nor the gain of the image have to be the same.

    Parameters
    ----------
    patches : Features
        Of `descriptors.site_patches` or `descriptors.window_patches`, as large
        as those of the training or larger; dask is read block by block.
    classifier : PatchClassifier
        Of `networks.train_patch_classifier` or `io.read_classifier`.

    Returns
    -------
    Classes
        On the leading dims of the patches, with their coordinates: ``label``,
        -1 for patches of which more than half is missing; ``probability`` (...,
        class); ``score``, the largest of these; ``margin``, how far it is above
        the second; ``entropy``; ``count`` (class). ``attrs["class_names"]``
        names the classes, ``attrs["n_classes"]`` counts them.

    Raises
    ------
    KindError
        If the features are no patches, show less than the classifier needs,
        or are measured in another unit of length.

    Examples
    --------
    >>> from adatom.io import read_classifier
    >>> classes = predict_classes(patches, read_classifier("species.onnx"))  # doctest: +SKIP
    """
    FEATURES.check(patches, name="patches")
    scale = scale_of_patches(patches)
    card = classifier.card
    require_scale(scale, card.diameter, card.unit)
    shape = (int(patches.attrs["patch_shape"][0]), int(patches.attrs["patch_shape"][1]))
    work = partial(_probabilities, shape=shape, scale=scale, classifier=classifier)
    cut = blocks(patches)
    probability = np.full((cut.n_rows, len(card.classes)), np.nan, dtype=np.float32)
    map_to(cut, work, [probability], incomplete=work)
    return _classes(patches, probability, card.classes)


def _probabilities(
    rows: NDArray[Any],
    *,
    shape: tuple[int, int],
    scale: PatchScale,
    classifier: PatchClassifier,
) -> tuple[NDArray[np.float32]]:
    grid = gridded_patches(rows, shape, scale.step, classifier.card.diameter)
    probability = classifier.probabilities(grid)
    probability[np.isnan(rows).mean(axis=1) > _MOST_MISSING] = np.nan
    return (probability,)


def _classes(
    patches: Features, probability: NDArray[np.float32], names: tuple[str, ...]
) -> Classes:
    dims, shape = patches.dims[:-1], patches.shape[:-1]
    known: NDArray[np.bool_] = np.asarray(np.isfinite(probability).all(axis=1))
    ranked = np.sort(probability, axis=1)
    label = np.where(known, np.where(known[:, None], probability, 0).argmax(axis=1), -1)
    classes = xr.Dataset(
        {
            "label": (dims, label.astype(np.int32).reshape(shape)),
            "score": (dims, ranked[:, -1].reshape(shape), {"units": "1"}),
            "margin": (dims, (ranked[:, -1] - ranked[:, -2]).reshape(shape), {"units": "1"}),
            "probability": ((*dims, "class"), probability.reshape(*shape, -1)),
            "entropy": (dims, entropy_of(probability).reshape(shape)),
            "count": ("class", counts_by_group(label, n_groups=len(names))),
        },
        coords={
            "class": np.arange(len(names)),
            **{k: coord for k, coord in patches.coords.items() if set(coord.dims) <= set(dims)},
        },
        attrs={k: patches.attrs[k] for k in ("spacing", "extent") if k in patches.attrs},
    )
    classes.attrs |= {"n_classes": len(names), "class_names": list(names)}
    told = ", ".join(f"{count} {name}" for name, count in zip(names, classes["count"].values))
    add_note(classes, f"Classes of {math.prod(shape)} patches: {told}.")
    if n_missing := int((~known).sum()):
        add_note(classes, f"{n_missing} patches lack more than half of their pixels: no class.")
    return classes
