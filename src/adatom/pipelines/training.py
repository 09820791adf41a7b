"""Training of finders of sites on images that are simulated meanwhile."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.networks import (
    Architecture,
    Pictures,
    TrainedNetwork,
    Trainer,
    Training,
)
from adatom.networks.pictures import (
    LabeledPicture,
    batch_from_pictures,
    cropped,
    picture_from_image,
)
from adatom.networks.torch_state import require_torch
from adatom.networks.weights import check_network
from adatom.simulation import TrainingImages
from adatom.simulation.training_images import LabeledImage, simulate_training_image

if TYPE_CHECKING:
    from adatom.networks.detection import DetectionScore
    from adatom.numerics.heatmaps import Batch

# The stream of images that are judged begins far behind those that are learned from.
_FIRST_JUDGED: Final = 2**40


def train_finder(
    network: TrainedNetwork | None = None,
    /,
    *,
    images: TrainingImages = TrainingImages(),  # noqa: B008 -- frozen
    architecture: Architecture | None = None,
    training: Training = Training(),  # noqa: B008 -- frozen
    pictures: Pictures = Pictures(),  # noqa: B008 -- frozen
    seed: int = 0,
) -> TrainedNetwork:
    """Train a network that finds sites, on images that are simulated meanwhile.

    No image is seen twice. Each is resampled by its true scale, so that
    neighboring sites are 6 to 14 pixels apart with equal probability on a
    logarithmic scale, normalized, cropped, turned and mirrored. The network
    is scored by the sites that it finds in images that it never learns from,
    the best one is kept, and its scores are calibrated.

    Long: lend it a folder (`adatom.numerics.long_work.lend_long_work`) and a
    training that is killed goes on where it was. ``adatom train`` does so.

    Parameters
    ----------
    network : TrainedNetwork, optional
        Whose weights the training begins with; fresh ones by default.
    images : TrainingImages
        What is simulated.
    architecture : Architecture, optional
        Which network; by default that of `network`, or else the one that
        adatom ships.
    training : Training
        Steps, learning rate, losses, precision, processes.
    pictures : Pictures
        Size of the crops, and how many images are judged.
    seed : int
        Of the first weights and of the images.

    Returns
    -------
    TrainedNetwork
        With its scores, apart for each class of noise, in its card.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    TrainingError
        If the loss is no number any more.

    Examples
    --------
    >>> from adatom.networks import Architecture, Pictures, Training
    >>> from adatom.simulation import TrainingImages
    >>> network = train_finder(
    ...     images=TrainingImages(size=64),
    ...     architecture=Architecture(width=4),
    ...     training=Training(n_steps=2, batch_size=2),
    ...     pictures=Pictures(crop=32, n_judged=1),
    ... )
    >>> network.card.n_steps
    2
    """
    if network is not None:
        check_network(network)
    require_torch()
    if architecture is None:
        architecture = Architecture() if network is None else network.architecture
    stream = stream_of_images(images, pictures, architecture, training, seed)
    trainer = Trainer(architecture, training, seed, network, stream.told())
    judge = stream.judge()
    return with_scores(trainer.train(stream, judge), judge)


@dataclass(frozen=True)
class Stream(ABC):
    """Makes batch k of a stream of pictures from the settings, the seed and k alone.

    Sent to other processes as it is, it makes the same batches there.
    """

    pictures: Pictures
    classes: tuple[str, ...]
    batch_size: int
    seed: int
    symmetry: int

    def told(self) -> str:
        """Say what the images are, as JSON for the card."""
        told = asdict(self)
        return json.dumps({name: told[name] for name in ("images", "pictures")}, sort_keys=True)

    @abstractmethod
    def picture(self, index: int, /) -> LabeledPicture:
        """Make a whole picture of the stream."""

    def __call__(self, number: int, /) -> Batch:
        """Make a batch."""
        members = self.members(number, self.batch_size)
        return batch_from_pictures(members, symmetry=self.symmetry)

    def members(self, number: int, n_members: int, /) -> list[LabeledPicture]:
        """Make the pictures of batch `number`, several of one image as it is asked for."""
        views, crop = self.pictures.n_views, self.pictures.crop
        n_images = -(-n_members // views)
        members = []
        for place in range(n_images):
            index = number * n_images + place
            whole = self.picture(index)
            rng = np.random.default_rng((self.seed, index, 1))
            members += [cropped(whole, crop, rng) for _ in range(views)]
        return members[:n_members]

    def judge(self) -> DetectionScore:
        """Give what scores a network by images of the same sort that it never sees."""
        from adatom.networks.detection import DetectionScore

        judged = range(_FIRST_JUDGED, _FIRST_JUDGED + self.pictures.n_judged)
        return DetectionScore(tuple(map(self.picture, judged)))


@dataclass(frozen=True)
class SimulatedBatches(Stream):
    """Makes batch k of simulated atoms from the settings, the seed and k alone."""

    images: TrainingImages

    def picture(self, index: int, /) -> LabeledPicture:
        """Make a whole picture of the stream."""
        made = simulate_training_image(images=self.images, seed=self.seed, index=index)
        return picture_of_simulated(made, self.classes)


def stream_of_images(
    images: TrainingImages,
    pictures: Pictures,
    architecture: Architecture,
    training: Training,
    seed: int,
    /,
) -> SimulatedBatches:
    """Put together what a training on simulated atoms needs for its batches."""
    return SimulatedBatches(
        pictures, architecture.classes, training.batch_size, seed, architecture.symmetry, images
    )


def picture_of_simulated(made: LabeledImage, classes: tuple[str, ...], /) -> LabeledPicture:
    """Bring a simulated image to the scale that was drawn for it."""
    told = json.loads(made.manifest)
    labeled = picture_from_image(
        made.image, made.sites, made.lattice, factor=float(told["scale"]), classes=classes
    )
    return labeled._replace(snr=float(told["snr"]))


def with_scores(network: TrainedNetwork, judge: DetectionScore, /) -> TrainedNetwork:
    """Write into the card how good the network is, and what its scores mean."""
    from adatom.networks.calibration import calibrated, calibration_error, calibration_of_scores
    from adatom.networks.detection import best_threshold, scores_of_found, strata_of_found
    from adatom.networks.predicting import predictor_of_network

    found = judge.look(predictor_of_network(network))
    threshold = best_threshold(found)
    score = np.concatenate([one.score for one in found])
    is_right = np.concatenate([one.is_right for one in found])
    knots = calibration_of_scores(score, is_right)
    scores = {
        **scores_of_found(found, threshold),
        "calibration_error_before": calibration_error(score, is_right),
        "calibration_error": calibration_error(calibrated(score, knots), is_right),
    }
    card = replace(
        network.card,
        threshold=threshold,
        calibration=knots,
        scores={
            **network.card.scores,
            **{name: round(value, 6) for name, value in scores.items() if np.isfinite(value)},
        },
        strata=strata_of_found(found, threshold),
    )
    return replace(network, card=card)
