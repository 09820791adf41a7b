"""Patches with known classes -> a classifier that names every further patch."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, get_args

import numpy as np
from scipy.special import logsumexp

from adatom.errors import SettingError
from adatom.networks.patch_examples import Examples, examples_of_patches, parted_examples
from adatom.networks.torch_state import Machinery, own_torch, require_torch
from adatom.numerics.long_work import current_long_work
from adatom.numerics.patch_classifier import PatchCard, PatchClassifier
from adatom.numerics.patch_grid import scale_of_patches
from adatom.schema import FEATURES, Classes, Features, Sites, Table, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import nn

Loss = Literal["focal", "cross entropy"]
ClassWeights = Literal["rare", "equal"]

_STEPS_PER_ROW: Final = 50
# Fewer say little of how sure the network is.
_FEWEST_TO_CALIBRATE: Final = 20
# Of the probabilities, sharpened or softened so that they are right on patches held back.
_TEMPERATURES: Final = np.geomspace(0.25, 4.0, 41)


@dataclass(frozen=True)
class PatchTraining:
    """Settings of the training of a classifier of patches.

    Attributes
    ----------
    n_steps : int
        Batches to learn from.
    batch_size : int
        Patches a batch: small ones learn most from a given time.
    peak_rate : float
        Largest learning rate; it rises over 30 % of the steps and falls to
        nearly nothing.
    weight_decay : float
        Of AdamW.
    width : int
        Channels of the network at full resolution; 12 make half a megabyte.
    turns : bool
        Patches are turned by any angle and mirrored while it learns, so that
        few examples go far. False where the orientation tells classes apart.
    noise : float
        Largest noise that is added, over the spread of a patch, so that it
        reads images with fewer electrons as well.
    held_back : float
        Share of the patches of each class that only judge the network, and
        by which its probabilities are calibrated. 0 learns from all, where
        another image is the judge.
    gamma : float
        Of the focal loss: how strongly patches that are judged well are
        discounted.
    """

    n_steps: int = 600
    batch_size: int = 32
    peak_rate: float = 3e-3
    weight_decay: float = 1e-2
    width: int = 12
    turns: bool = True
    noise: float = 0.3
    held_back: float = 0.2
    gamma: float = 2.0

    def __post_init__(self) -> None:
        for name, low in {"n_steps": 1, "batch_size": 2, "width": 1}.items():
            if getattr(self, name) < low:
                msg = f"{name}={getattr(self, name)!r} must be {low} or more"
                raise SettingError(msg)
        for name in ("weight_decay", "noise", "gamma"):
            if getattr(self, name) < 0:
                msg = f"{name}={getattr(self, name)!r} must not be negative"
                raise SettingError(msg)
        if not self.peak_rate > 0 or not 0 <= self.held_back <= 0.5:
            msg = (
                f"peak_rate={self.peak_rate} must be positive, held_back={self.held_back} in 0-0.5"
            )
            raise SettingError(msg)


class TrainedClassifier(NamedTuple):
    """A classifier of patches and how it learned.

    Attributes
    ----------
    classifier : PatchClassifier
        For `clustering.predict_classes`; ``classifier.save("name.onnx")``
        writes it.
    scores : Table
        A row a class: ``class``, ``n_trained``, ``n_held_back``, and of those
        held back ``precision``, ``recall`` and ``f1``; NaN where none was.
    course : Table
        A row for every fiftieth step: ``step`` and the mean ``loss`` since
        the one before.
    """

    classifier: PatchClassifier
    scores: Table
    course: Table


def train_patch_classifier(
    patches: Features,
    labels: Sites | Classes,
    /,
    *,
    loss: Loss = "focal",
    class_weights: ClassWeights = "rare",
    training: PatchTraining = PatchTraining(),
    seed: int = 0,
) -> TrainedClassifier:
    """Train a small network to name the middle of a patch.

    It learns from some ten examples a class and more: species, defects,
    variants of a cell; or, of windows that slide over images, lattice,
    amorphous film and vacuum.

    Parameters
    ----------
    patches : Features
        Of `descriptors.site_patches` or `descriptors.window_patches`;
        those of several images are joined by ``xarray.concat``. Only the disc
        in each counts, with its mean and its spread taken off. Those that lack
        more than half of their pixels are left out.
    labels : Sites or Classes
        Of these very patches: the names in ``class``, as `assign_labels` of
        the room `localization` gives them, where "" says that nothing is known; or the
        numbers in ``label``, -1 for not known, with their names in
        ``attrs["class_names"]`` if they have any.
    loss : {"focal", "cross entropy"}
        "focal" [1]_ lets those decide that are judged badly, so that
        thousands of usual sites do not outvote ten rare ones.
    class_weights : {"rare", "equal"}
        "rare" weighs a class by one over the root of its count, between
        equal sites and equal classes.
    training : PatchTraining
        How long it learns, and what is varied.
    seed : int
        Of what is held back, of the first weights, of batches and turns.

    Returns
    -------
    TrainedClassifier
        ``classifier``, ``scores`` and ``course``. The scores are also on its
        card.

    Raises
    ------
    MissingExtraError
        Without torch: ``pip install 'adatom[train]'``.
    KindError
        If labels and patches do not belong together, or name no classes.
    TooFewSitesError
        If there are fewer than two classes of four examples.

    References
    ----------
    .. [1] T.-Y. Lin et al., ICCV 2017, arXiv:1708.02002, eq. 4.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import site_patches
    >>> from adatom.schema import image_from_array, sites_from_positions
    >>> y, x = np.mgrid[:40, :80]
    >>> row = np.arange(8.0) * 8 + 8
    >>> image = sum(np.exp(-((y - 20) ** 2 + (x - k) ** 2) / (4 + k % 16)) for k in row)
    >>> sites = sites_from_positions(np.full(8, 20.0), row, unit="px", spacing=8.0)
    >>> sites["class"] = ("site", np.where(row % 16 == 0, "narrow", "wide"))
    >>> patches = site_patches(image_from_array(image), sites, size="2 d")
    >>> trained = train_patch_classifier(patches, sites, training=PatchTraining(n_steps=5))
    >>> trained.classifier.card.classes
    ('narrow', 'wide')
    """
    FEATURES.check(patches, name="patches")
    require_torch()
    for name, value, known in (
        ("loss", loss, get_args(Loss)),
        ("class_weights", class_weights, get_args(ClassWeights)),
    ):
        if value not in known:
            msg = f"{name}={value!r} is not one of {', '.join(known)}"
            raise SettingError(msg)
    scale = scale_of_patches(patches)
    names, examples = examples_of_patches(patches, labels, scale)
    learned, judging = parted_examples(examples, training.held_back, seed)
    counts = np.bincount(learned.number, minlength=len(names))
    weights = _weights_of_classes(counts, class_weights)
    with own_torch(Machinery("cpu", "float32", n_threads=1)):
        network, course = _trained(
            learned, weights, training.gamma if loss == "focal" else 0.0, training, seed
        )
    manifest = {"loss": loss, "class_weights": class_weights, "seed": seed}
    card = PatchCard(
        names,
        scale.diameter,
        scale.unit,
        tuple(counts.tolist()),
        json.dumps(manifest | dataclasses.asdict(training)),
        version=version("adatom"),
    )
    classifier = _calibrated(network, card, judging)
    scores = _scores(classifier, judging)
    card = dataclasses.replace(classifier.card, scores=_scores_of_card(scores))
    return TrainedClassifier(PatchClassifier(classifier.graph, card), scores, course)


def _calibrated(network: nn.Sequential, card: PatchCard, judging: Examples) -> PatchClassifier:
    """Export the network, with probabilities that are right for what was held back."""
    from adatom.networks.patch_network import onnx_from_patch_network

    raw = PatchClassifier.from_graph(onnx_from_patch_network(network), card)
    temperature = _temperature(raw, judging)
    return PatchClassifier.from_graph(
        onnx_from_patch_network(network, temperature=temperature), card
    )


def _weights_of_classes(counts: NDArray[np.int64], how: ClassWeights) -> NDArray[np.float64]:
    """Weigh classes so that the mean weight of all examples is one."""
    weights = counts ** (-0.5 if how == "rare" else 0.0)
    normalized: NDArray[np.float64] = weights * counts.sum() / (counts * weights).sum()
    return normalized


def _trained(
    learned: Examples,
    weights: NDArray[np.float64],
    gamma: float,
    training: PatchTraining,
    seed: int,
) -> tuple[nn.Sequential, Table]:
    import torch

    from adatom.networks.losses import multiclass_focal_loss
    from adatom.networks.patch_network import build_patch_network, varied_patches

    torch.manual_seed(seed)
    network = build_patch_network(len(weights), width=training.width)
    of_class = torch.tensor(weights, dtype=torch.float32)
    optimizer = torch.optim.AdamW(
        network.parameters(), training.peak_rate, weight_decay=training.weight_decay
    )
    rates = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.peak_rate, total_steps=max(training.n_steps, 2)
    )
    patches, number = torch.from_numpy(learned.patches), torch.from_numpy(learned.number)
    losses: list[float] = []
    work, began = current_long_work(), time.perf_counter()
    for rows in _batches(len(number), training, seed):
        seen = varied_patches(patches[rows], turns=training.turns, noise=training.noise)
        logits = network(seen)[:, :, 0, 0]
        loss = multiclass_focal_loss(logits, number[rows], gamma=gamma, class_weight=of_class)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rates.step()
        losses.append(float(loss.detach()))
        told = {"loss": losses[-1]}
        work.tell(len(losses), training.n_steps, time.perf_counter() - began, told)
    network.eval()
    edges = np.arange(0, len(losses), _STEPS_PER_ROW)
    ends = np.append(edges[1:], len(losses))
    means = [float(np.mean(losses[low:high])) for low, high in zip(edges, ends)]
    return network, table_from_columns({"step": ends, "loss": means})


def _batches(n_examples: int, training: PatchTraining, seed: int) -> Iterator[NDArray[np.int64]]:
    """Give the rows of every batch: all examples come before any comes again."""
    rng = np.random.default_rng([seed, 1])
    waiting = np.zeros(0, dtype=np.int64)
    # A batch of one has no spread by which the layers could be normalized.
    size = max(2, min(training.batch_size, n_examples))
    for _ in range(training.n_steps):
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(n_examples)])
        yield waiting[:size]
        waiting = waiting[size:]


def _temperature(classifier: PatchClassifier, judging: Examples) -> float:
    """Find by what logits are to be divided, so that probabilities are right on average [1]_.

    References
    ----------
    .. [1] C. Guo et al., ICML 2017, arXiv:1706.04599, eq. 9.
    """
    if len(judging.number) < _FEWEST_TO_CALIBRATE:
        return 1.0
    shares = classifier.probabilities(judging.patches).astype(np.float64)
    logits = np.log(np.maximum(shares, np.finfo(np.float32).tiny))
    true = np.take_along_axis(logits, judging.number[:, None], axis=1)[:, 0]
    costs = [(logsumexp(logits / t, axis=1) - true / t).mean() for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(costs))])


def _scores(classifier: PatchClassifier, judging: Examples) -> Table:
    names = classifier.card.classes
    true = np.bincount(judging.number, minlength=len(names)).astype(float)
    said, right = np.zeros(len(names)), np.zeros(len(names))
    if len(judging.number):
        answer = classifier.probabilities(judging.patches).argmax(axis=1)
        said = np.bincount(answer, minlength=len(names)).astype(float)
        right = np.bincount(answer[answer == judging.number], minlength=len(names)).astype(float)
    with np.errstate(invalid="ignore"):
        precision, recall, f1 = right / said, right / true, 2 * right / (said + true)
    return table_from_columns(
        {
            "class": np.array(names),
            "n_trained": np.array(classifier.card.counts),
            "n_held_back": true.astype(np.int64),
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }
    )


def _scores_of_card(scores: Table) -> dict[str, float]:
    """Give what was measured under names such as "recall:vacancy"."""
    told = {}
    for name in ("precision", "recall"):
        for label, value in zip(scores["class"].values, scores[name].values):
            if np.isfinite(value):
                told[f"{name}:{label}"] = float(value)
    return told
