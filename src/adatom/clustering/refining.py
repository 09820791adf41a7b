"""Classes of places weighed with those of their neighbors: a Potts model in mean field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.sparse

from adatom.clustering.doubt import entropy_of, margin_of
from adatom.clustering.places import neighbor_pairs
from adatom.errors import KindError, SettingError
from adatom.numerics.groups import counts_by_group
from adatom.schema import CLASSES, Classes, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A place whose four neighbors all disagree with it needs odds of e^8, 3000 to one, to stand
# against this coupling; a larger one would overrule measurements that nobody doubts.
_STRONGEST: Final = 2.0
_ROUNDS: Final = 300
# No probability moves by more: some ten times less than a map of doubt can show.
_AT_REST: Final = 1e-3
# Newton's steps on a concave function of one number.
_NEWTON_STEPS: Final = 20
# Beyond float32 there is no probability to take the logarithm of.
_LEAST: Final = 1e-37


class _Field(NamedTuple):
    probability: NDArray[np.float64]
    coupling: float
    n_rounds: int
    converged: bool


def refine_classes(classes: Classes, /, *, coupling: float | None = None) -> Classes:
    """Weigh the probabilities of every place with the classes of its neighbors.

    Neighboring pixels are mostly of one class. The Potts model says so: every
    pair of neighbors of the same class makes a map more likely by
    ``exp(coupling)``. The probabilities given are taken for the evidence of
    each place by itself, and the mean field of the model [1]_ is solved for
    probabilities that know of both. Noise is smoothed out; a line one pixel
    wide stays where its own evidence outweighs its neighbors.

    Parameters
    ----------
    classes : Classes
        With ``probability``, as of `cluster_gaussian_mixture` or
        `cluster_consensus`, on pixels (y, x), which have the four neighbors
        along their edges, or on sites with positions, whose neighbors share
        an edge of their Voronoi cells. Probabilities are held in memory.
    coupling : float, optional
        By default found from the map itself, as the largest pseudo-likelihood
        [2]_ of the mean field [1]_: maps of large domains are coupled
        strongly, maps without order not at all. It never exceeds 2, with which
        a place needs odds of 3000 to one to stand against four neighbors. 0
        changes nothing.

    Returns
    -------
    Classes
        With the new ``label``, ``probability``, ``margin``, ``entropy`` and
        ``count``; ``label_alone`` is the class by the place's own evidence.
        ``distance`` is NaN where the class changed.
        ``attrs["coupling"]`` is the coupling, a note says how many changed.

    Raises
    ------
    KindError
        If the classes have no probabilities, or places no neighbors.
    SettingError
        If `coupling` is negative.

    Examples
    --------
    >>> import xarray as xr
    >>> sure = np.full((5, 5), 0.9)
    >>> sure[2, 2] = 0.4
    >>> both = xr.Dataset(
    ...     {
    ...         "label": (("y", "x"), np.where(sure > 0.5, 0, 1)),
    ...         "probability": (("y", "x", "class"), np.stack([sure, 1 - sure], axis=-1)),
    ...     }
    ... )
    >>> refine_classes(both)["label"].values.max()
    np.int32(0)

    References
    ----------
    .. [1] G. Celeux, F. Forbes and N. Peyrard, Pattern Recognit. 36, 131 (2003).
    .. [2] J. Besag, J. R. Stat. Soc. D 24, 179 (1975).
    """
    CLASSES.check(classes)
    if "probability" not in classes:
        msg = (
            "the classes have labels only, need 'probability': take cluster_gaussian_mixture or "
            "cluster_consensus"
        )
        raise KindError(msg)
    if coupling is not None and not coupling >= 0:
        msg = f"{coupling=} must be 0 or more: neighbors that repel one another are not smoothed"
        raise SettingError(msg)
    given = classes["probability"].values
    n_classes = given.shape[-1]
    alone = given.reshape(-1, n_classes).astype(np.float64)
    known = np.isfinite(alone).all(axis=1) & (classes["label"].values.ravel() >= 0)
    pairs = neighbor_pairs(classes["label"])
    pairs = (np.cumsum(known) - 1)[pairs[known[pairs].all(axis=1)]]
    field = _mean_field(alone[known], pairs, coupling)
    probability = given.reshape(-1, n_classes).copy()
    probability[known] = field.probability.astype(given.dtype)
    return _refined(classes, probability.reshape(given.shape), known, field, found=coupling is None)


def _mean_field(
    alone: NDArray[np.float64], pairs: NDArray[np.int64], coupling: float | None
) -> _Field:
    """Solve for the mean field, and with it for the coupling where none is given."""
    n = len(alone)
    ones, twos = pairs[:, 0], pairs[:, 1]
    touching = scipy.sparse.csr_array(
        (np.ones(2 * len(pairs)), (np.concatenate([ones, twos]), np.concatenate([twos, ones]))),
        shape=(n, n),
    )
    evidence = np.log(np.maximum(alone, _LEAST))
    probability, found = alone, 0.0 if coupling is None else coupling
    for number in range(1, _ROUNDS + 1):
        around = touching @ probability
        if coupling is None:
            found = _coupling(probability, around, found)
        moved = _softmax(evidence + found * around)
        # Half a step: neighbors that change places at once would do so forever.
        moved = (moved + probability) / 2
        rest = np.abs(moved - probability).max(initial=0.0)
        probability = moved
        if rest < _AT_REST:
            return _Field(probability, found, number, converged=True)
    return _Field(probability, found, _ROUNDS, converged=False)


def _coupling(probability: NDArray[np.float64], around: NDArray[np.float64], start: float) -> float:
    """Find the coupling of the largest pseudo-likelihood, by Newton's steps within its bounds."""
    coupling = start
    for _ in range(_NEWTON_STEPS):
        expected = _softmax(coupling * around)
        slope = float(((probability - expected) * around).sum())
        mean = (expected * around).sum(axis=1)
        curve = float((expected * around**2).sum() - (mean**2).sum())
        # Where no place has neighbors that differ, every coupling is as good: the strongest.
        step = slope / curve if curve > 1e-9 * max(1.0, abs(slope)) else np.sign(slope)
        moved = float(np.clip(coupling + np.clip(step, -0.5, 0.5), 0.0, _STRONGEST))
        if abs(moved - coupling) < 1e-4:
            return moved
        coupling = moved
    return coupling


def _softmax(logarithm: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logarithm - logarithm.max(axis=1, keepdims=True, initial=-np.inf))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def _refined(
    classes: Classes,
    probability: NDArray[Any],
    known: NDArray[np.bool_],
    field: _Field,
    *,
    found: bool,
) -> Classes:
    before = classes["label"]
    places, shape = before.dims, before.shape
    label = before.values.copy()
    label.ravel()[known] = probability.reshape(-1, probability.shape[-1])[known].argmax(axis=1)
    changed = label != before.values
    refined = classes.assign(
        label=(places, label.astype(np.int32)),
        probability=(classes["probability"].dims, probability, classes["probability"].attrs),
        label_alone=(places, before.values),
        margin=(places, margin_of(probability)),
        entropy=(places, entropy_of(probability)),
    )
    if "distance" in classes:
        refined["distance"] = classes["distance"].where(~changed)
    refined["count"] = ("class", counts_by_group(label, n_groups=probability.shape[-1]))
    refined.attrs = {**classes.attrs, "coupling": field.coupling}
    how = "found from the map" if found else "given"
    if found and field.coupling == _STRONGEST:
        how = "the strongest that is taken"
    add_note(
        refined,
        f"{np.count_nonzero(changed)} of {np.prod(shape)} places changed class by those of their "
        f"neighbors; coupling {field.coupling:.2f}, {how}",
    )
    if not field.converged:
        add_note(refined, f"probabilities still moved after {field.n_rounds} rounds")
    return refined
