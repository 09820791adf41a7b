"""Training of a finder on a few labeled images of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import scipy.ndimage

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.networks import Pictures, TrainedNetwork, Trainer, Training
from adatom.networks.augmentation import Augmentation, LabeledArray, view_of_image
from adatom.networks.heads import network_with_classes
from adatom.networks.pictures import (
    angles_of_sites,
    batch_from_pictures,
    numbers_of_classes,
    picture_from_image,
)
from adatom.networks.torch_state import require_torch
from adatom.networks.weights import check_network, hash_of_tensors
from adatom.numerics.spacing import pooled_spacing
from adatom.pipelines.training import SimulatedBatches, stream_of_images, with_scores
from adatom.schema import IMAGE, SITES, Image, Sites, pixel_size, positions, space_unit
from adatom.simulation import TrainingImages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from adatom.networks.detection import DetectionScore
    from adatom.networks.training import Predict
    from adatom.numerics.heatmaps import Batch

_GENTLE: Final = Training(
    n_steps=600, schedule="cosine", peak_rate=5e-4, n_warm_up=50, n_steps_per_score=50
)
_FEWEST_SITES: Final = 8
# Around a vacancy the next sites are one spacing away, in wide cells somewhat more.
_REACH: Final = 1.6


@dataclass(frozen=True)
class Labels:
    """How labeled images are used.

    Attributes
    ----------
    share : float
        Of the pictures that are learned from; the others are simulated, so
        that nothing is forgotten.
    judged : float
        Share of the rows of every image, at its lower end, that is not
        learned from but judged; 0 to learn from all and judge by simulated
        images alone.
    classes : tuple of str
        Names to tell apart, sought in ``class`` and ``species`` of the
        sites; by default those that the network tells apart already.
    augmentation : Augmentation
        How far the views of an image differ from it.
    """

    share: float = 0.5
    judged: float = 0.25
    classes: tuple[str, ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or not 0 <= self.judged <= 0.75:
            msg = f"share={self.share} must be in (0, 1], judged={self.judged} in [0, 0.75]"
            raise SettingError(msg)


def train_on_labels(
    images: Image | list[Image],
    sites: Sites | list[Sites],
    network: TrainedNetwork,
    /,
    *,
    labels: Labels = Labels(),
    simulated: TrainingImages = TrainingImages(),  # noqa: B008 -- frozen
    training: Training = _GENTLE,
    pictures: Pictures = Pictures(),  # noqa: B008 -- frozen
    seed: int = 0,
) -> TrainedNetwork:
    """Train a network further on a few labeled images of one's own.

    Views of the images at any place, angle and scale, of other contrast,
    noise and sharpness, are mixed with simulated ones. The network is judged
    by the part of each image that it does not learn from together with
    simulated images: what it gains there must not be lost elsewhere.

    Parameters
    ----------
    images : Image or list of Image
        NaN where nothing was measured.
    sites : Sites or list of Sites
        Every site of each image, as from a CSV file or corrected by hand; in
        the unit of the image. Parts farther from any site than 1.6 spacings
        count as no lattice. With a variable ``class`` or ``species``, the
        network may learn to tell them apart.
    network : TrainedNetwork
        Where to start.
    labels : Labels
        Which part is judged, how views differ, names of classes.
    simulated : TrainingImages
        What is simulated.
    training : Training
        600 gentle steps by default: more would learn the few images by heart.
    pictures : Pictures
        Size of the crops, and how many simulated images are judged.
    seed : int
        Of all chance.

    Returns
    -------
    TrainedNetwork
        With scores on the judged parts, and those on simulated images as
        ``simulated_f1`` and the like.

    Raises
    ------
    KindError
        If images and sites do not belong together.
    TooFewSitesError
        If an image has fewer than 8 sites.

    Examples
    --------
    >>> from adatom.networks import Architecture
    >>> from adatom.simulation import simulate_training_image
    >>> made = simulate_training_image(images=TrainingImages(size=96, empty=0.0), seed=2)
    >>> start = Trainer(Architecture(width=4)).untrained()
    >>> network = train_on_labels(
    ...     made.image, made.sites, start,
    ...     training=Training(n_steps=2, batch_size=2),
    ...     simulated=TrainingImages(size=64), pictures=Pictures(crop=32, n_judged=1),
    ... )
    >>> len(network.card.started_from)
    64
    """
    check_network(network)
    require_torch()
    pairs = _pairs(images, sites)
    start = network_with_classes(network, labels.classes or network.architecture.classes, seed=seed)
    classes = start.architecture.classes
    arrays = tuple(
        _learned_from(image, labeled, classes, labels.judged) for image, labeled in pairs
    )
    told = {
        "labeled_images": [list(image.shape) for image, _ in pairs],
        "labeled_sites": [int(labeled.sizes["site"]) for _, labeled in pairs],
        # Also by this a training is told from one with corrected labels, begun in its folder.
        "labeled_sha256": _hash_of_pairs(pairs, classes),
        "labels": asdict(labels),
        "simulated": asdict(simulated),
        "pictures": asdict(pictures),
        "before": network.card.trained_on,
    }
    trainer = Trainer(start.architecture, training, seed, start, json.dumps(told, sort_keys=True))
    stream = stream_of_images(simulated, pictures, start.architecture, training, seed)
    judge = _Judge(_judged(pairs, classes, labels.judged), stream.judge())
    trained = trainer.train(MixedBatches(arrays, stream, labels), judge)
    return with_scores(trained, judge.own or judge.simulated)


def _pairs(images: Image | list[Image], sites: Sites | list[Sites]) -> list[tuple[Image, Sites]]:
    images = images if isinstance(images, list) else [images]
    sites = sites if isinstance(sites, list) else [sites]
    if len(images) != len(sites) or not images:
        msg = f"{len(images)} images and {len(sites)} sets of sites: give one for each image"
        raise KindError(msg)
    pairs = list(zip(images, sites, strict=True))
    for number, (image, labeled) in enumerate(pairs):
        IMAGE.check(image, name=f"image {number}")
        SITES.check(labeled, name=f"sites of image {number}")
        if space_unit(image) != space_unit(labeled):
            msg = (
                f"image {number} is in {space_unit(image)}, its sites in {space_unit(labeled)}: "
                "give the image the pixel_size in which the sites are known"
            )
            raise KindError(msg)
        if labeled.sizes["site"] < _FEWEST_SITES:
            msg = (
                f"image {number} has {labeled.sizes['site']} labeled sites, need {_FEWEST_SITES} "
                "or more: every site of the image must be labeled"
            )
            raise TooFewSitesError(msg)
    return pairs


def _with_spacing(labeled: Sites) -> Sites:
    if np.isfinite(labeled.attrs.get("spacing", np.nan)):
        return labeled
    return labeled.assign_attrs(spacing=pooled_spacing(positions(labeled)))


def _hash_of_pairs(pairs: Sequence[tuple[Image, Sites]], classes: Sequence[str]) -> str:
    """Hash all that is learned from labeled images, and judged by them."""
    told: dict[str, NDArray[np.generic]] = {}
    for number, (image, labeled) in enumerate(pairs):
        told |= {
            f"{number} values": np.asarray(image.values, dtype=np.float32),
            f"{number} y": np.asarray(image.coords["y"].values, dtype=float),
            f"{number} x": np.asarray(image.coords["x"].values, dtype=float),
            f"{number} positions": np.asarray(positions(labeled), dtype=float),
            f"{number} classes": numbers_of_classes(labeled, classes),
            f"{number} angles": angles_of_sites(labeled),
        }
    return hash_of_tensors(told)


def _n_learned(image: Image, judged: float) -> int:
    return round(image.sizes["y"] * (1 - judged))


def _learned_from(
    image: Image, labeled: Sites, classes: Sequence[str], judged: float
) -> LabeledArray:
    """Give the upper part of an image as arrays in its own pixels."""
    step = np.array(pixel_size(image))
    origin = np.array([image.coords["y"].values[0], image.coords["x"].values[0]], dtype=float)
    values = np.asarray(image.values[: _n_learned(image, judged)], dtype=np.float32)
    spacing = float(_with_spacing(labeled).attrs["spacing"]) / float(np.sqrt(step.prod()))
    place = (positions(labeled) - origin) / step
    return LabeledArray(
        values=values,
        position=place,
        number=numbers_of_classes(labeled, classes),
        lattice=_near_sites(values.shape, place, _REACH * spacing),
        spacing=spacing,
        angle=angles_of_sites(labeled),
    )


def _near_sites(
    shape: tuple[int, ...], position: NDArray[np.float64], reach: float
) -> NDArray[np.bool_]:
    """Give the pixels around labeled sites: elsewhere there is no lattice to be seen."""
    pixel = np.rint(position).astype(np.intp)
    inside = ((pixel >= 0) & (pixel < shape)).all(axis=1)
    away = np.ones(shape, dtype=bool)
    away[tuple(pixel[inside].T)] = False
    return np.asarray(scipy.ndimage.distance_transform_edt(away) <= reach)


def _judged(
    pairs: Sequence[tuple[Image, Sites]], classes: Sequence[str], judged: float
) -> DetectionScore | None:
    """Give what scores a network by the lower parts of the images."""
    from adatom.networks.detection import DetectionScore

    if judged == 0:
        return None
    parts = []
    for image, labeled in pairs:
        below = image.isel(y=slice(_n_learned(image, judged), None))
        inside = positions(labeled)[:, 0] >= float(below.coords["y"].values[0])
        kept = _with_spacing(labeled).isel(site=np.flatnonzero(inside))
        parts.append(picture_from_image(below, kept, classes=classes))
    return DetectionScore(tuple(parts))


@dataclass(frozen=True)
class _Judge:
    """Scores a network by one's own images and by simulated ones together."""

    own: DetectionScore | None
    simulated: DetectionScore

    def __call__(self, predict: Predict, /) -> Mapping[str, float]:
        """Give the scores on one's own images, and those on simulated ones under longer names."""
        simulated = self.simulated(predict)
        if self.own is None:
            return simulated
        own = self.own(predict)
        told = {f"simulated_{name}": value for name, value in simulated.items() if name != "score"}
        return {**own, **told, "score": (own["score"] + simulated["score"]) / 2}


@dataclass(frozen=True)
class MixedBatches:
    """Makes batch k of views of labeled images and of simulated ones, from k alone."""

    images: tuple[LabeledArray, ...]
    stream: SimulatedBatches
    labels: Labels

    def __call__(self, number: int, /) -> Batch:
        """Make a batch."""
        size = self.stream.batch_size
        n_own = min(size, max(1, round(self.labels.share * size)))
        rng = np.random.default_rng((self.stream.seed, number, 2))
        own = [
            view_of_image(
                self.images[int(rng.integers(len(self.images)))],
                self.stream.pictures.crop,
                self.labels.augmentation,
                rng,
            )
            for _ in range(n_own)
        ]
        members = [*own, *self.stream.members(number, size - n_own)]
        return batch_from_pictures(members, symmetry=self.stream.symmetry)
