"""Training of finders of particles and of where they point."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adatom.errors import SettingError
from adatom.networks import Architecture, Pictures, TrainedNetwork, Trainer, Training
from adatom.networks.pictures import LabeledPicture
from adatom.pipelines.training import Stream, picture_of_simulated, with_scores
from adatom.simulation import ParticleImages
from adatom.simulation.particle_images import simulate_particle_image


def train_particle_finder(
    *,
    images: ParticleImages = ParticleImages(),  # noqa: B008 -- frozen
    architecture: Architecture = Architecture(width=16, symmetry=2),  # noqa: B008 -- frozen
    training: Training = Training(n_steps=1500),  # noqa: B008 -- frozen
    pictures: Pictures = Pictures(),  # noqa: B008 -- frozen
    seed: int = 0,
) -> TrainedNetwork:
    """Train a network that finds particles and tells their orientation.

    Parameters
    ----------
    images : ParticleImages
        What is simulated.
    architecture : Architecture
        Its ``symmetry`` must be that of the particles' shape.
    training : Training
        Steps, learning rate, losses, precision, processes; a few minutes on
        one core by default, since particles of one shape are easily told.
    pictures : Pictures
        Size of the crops, and how many images are judged.
    seed : int
        Of the first weights and of the images.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    SettingError
        If the symmetry is not that of the particles.
    MissingExtraError
        If torch is not installed.

    Examples
    --------
    >>> network = train_particle_finder(
    ...     images=ParticleImages(size=64),
    ...     architecture=Architecture(width=4, symmetry=2),
    ...     training=Training(n_steps=2, batch_size=2),
    ...     pictures=Pictures(crop=32, n_judged=1),
    ... )
    >>> network.architecture.channels[-2:]
    ('cos', 'sin')
    """
    if architecture.symmetry != images.symmetry:
        msg = (
            f"symmetry={architecture.symmetry} of the architecture is not that of a "
            f"{images.shape}, which has symmetry={images.symmetry}"
        )
        raise SettingError(msg)
    stream = ParticleBatches(
        pictures, architecture.classes, training.batch_size, seed, architecture.symmetry, images
    )
    trainer = Trainer(architecture, training, seed, None, stream.told())
    judge = stream.judge()
    trained = with_scores(trainer.train(stream, judge), judge)
    return replace(trained, card=replace(trained.card, spacings=images.spacing))


@dataclass(frozen=True)
class ParticleBatches(Stream):
    """Makes batch k of simulated particles from the settings, the seed and k alone."""

    images: ParticleImages

    def picture(self, index: int, /) -> LabeledPicture:
        """Make a whole picture of the stream."""
        made = simulate_particle_image(images=self.images, seed=self.seed, index=index)
        return picture_of_simulated(made, self.classes)
