"""Endless labeled images, as varied as real ones, to train and test finders of atoms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError
from adatom.schema import Image, Mask, Sites, image_from_array
from adatom.simulation.atom_images import blurred, image_of_atoms
from adatom.simulation.chances import Chance
from adatom.simulation.drawn_cells import FAMILIES
from adatom.simulation.random_detectors import developed, disturbed, noisy, stripes
from adatom.simulation.random_instruments import draw_background, draw_border
from adatom.simulation.random_scenes import (
    Scene,
    Seen,
    clear_parts,
    disturbance_in,
    draw_scene,
    scanned,
    truth_of_scene,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Families that no training sees by default, so that a test on them says what a
# network does with a structure that it does not know.
HELD_OUT: Final = ("kagome", "hbn", "perovskite_110", "tungsten_bronze")
# The perovskite without its oxygen is the one with it, nearly.
_ALIKE: Final = ("rectangular",)
# Plain lattices and sheets are what most images show, random cells teach what is
# common to all: these come up more often.
_OFTEN: Final = ("hexagonal", "square", "oblique", "tmd", "honeycomb", "honeycomb")
_OFTEN_RANDOM: Final = ("random",) * 5 + ("complex",)
TRAINED_ON: Final = (
    *(name for name in FAMILIES if name not in {*HELD_OUT, *_ALIKE}),
    *_OFTEN,
    *_OFTEN_RANDOM,
)
# Of the beta distribution of trouble: mean 0.4, of all sizes.
_TROUBLE: Final = (0.8, 1.2)
# Share of clipped pixels within a cell from which on nothing is left to see.
_SATURATED: Final = 0.7


class LabeledImage(NamedTuple):
    """A simulated image with the exact truth about it.

    Attributes
    ----------
    image : Image
        float32, in px, of any gain and offset.
    sites : Sites
        Columns of atoms where they are *in the image*: at the centroid of
        their Gaussian after all errors of the scan. With

        - ``species``: what is in the column, such as "TiO"; "X" for impurities;
        - ``class``: regular, substitution, adatom, interstitial, or faint:
          regular, but nobody sees it beside the bright ones, such as oxygen;
        - ``amplitude``: height of its Gaussian above what lies round it,
          before the image was saved with some gain;
        - ``width``: standard deviation of its Gaussian in px;
        - ``occupancy``: how full the column is, 1 on average;
        - ``snr``: amplitude over the standard deviation of the noise of its pixel;
        - ``clarity``: amplitude over the spread of *all* round it that is not
          lattice (noise, junk, errors of lines), both seen through a filter
          made for atoms of this width: an atom of clarity 1 could be chance,
          one of 3 is told by its own shape, without its neighbors;
        - ``covered``: under opaque junk, saturated, or on a blank border;
        - ``resolved``: a maximum belongs to it in the image of the lattice
          alone, no film leaves it in doubt, and it is not faint;
        - ``visible``: resolved, not covered, clarity more than 1, and in a part of
          the image where the lattice is not drowned by noise.

        A finder should be asked for the visible sites, should find none that
        is covered, and should not be judged where a site is neither.
    lattice : Mask
        True where there is a lattice that can be analyzed: bare, or under a
        film so thin that atoms are told. False on amorphous parts, in vacuum,
        under opaque junk, on blank borders, and where noise drowns it.
    junk : Mask
        True under opaque junk: contamination and particles.
    manifest : str
        JSON of everything that was drawn, from which
        `training_image_from_manifest` makes the same image.
    """

    image: Image
    sites: Sites
    lattice: Mask
    junk: Mask
    manifest: str


@dataclass(frozen=True)
class TrainingImages:
    """A stream of simulated images.

    Attributes
    ----------
    size : int
        Rows and columns of an image after it is resampled by its ``scale``.
    spacing : tuple of two floats
        Range of the distance of nearest columns in px, after resampling;
        drawn evenly on a logarithmic scale.
    scale : tuple of two floats
        Range of the factor, noted in the manifest, by which the user of the
        image resamples it: an image is made ``size / scale`` wide with atoms
        ``spacing / scale`` apart, so that it later looks as a real image does
        after resampling. (1, 1): as it is.
    width : tuple of two floats
        Range of the standard deviation of an atom, in spacings: 0.13 is
        sharp, at 0.42 neighbors are just told.
    snr : tuple of two floats
        Range of the amplitude of the median column over the noise of
        a pixel; on a logarithmic scale. Narrow atoms get a higher one where
        nobody could tell them from noise.
    families : tuple of str
        Structures to draw from with equal shares: one that is named twice comes
        up twice as often. Those of `HELD_OUT` are not among them.
    empty : float
        Share of images without any lattice.
    dirty : float
        Share of the other images that bear contamination or particles.
    tunneling : float
        Share of images that look like those of a tunneling microscope:
        broad atoms, noise and steps along lines.
    """

    size: int = 256
    spacing: tuple[float, float] = (6.0, 14.0)
    scale: tuple[float, float] = (1.0, 1.0)
    width: tuple[float, float] = (0.13, 0.42)
    snr: tuple[float, float] = (0.4, 30.0)
    families: tuple[str, ...] = TRAINED_ON
    empty: float = 0.12
    dirty: float = 0.4
    tunneling: float = 0.2

    def __post_init__(self) -> None:
        if self.size < 16:
            msg = f"size={self.size} must be 16 or more: smaller images hold no lattice"
            raise SettingError(msg)
        for name in ("spacing", "scale", "width", "snr"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                msg = f"{name}=({low}, {high}) must be a range of positive numbers, lower first"
                raise SettingError(msg)
        for name in ("empty", "dirty", "tunneling"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name}={getattr(self, name)} is a share: 0 to 1"
                raise SettingError(msg)
        unknown = [name for name in self.families if name not in FAMILIES]
        if unknown or not self.families:
            msg = f"families={self.families} must be one or more of {', '.join(FAMILIES)}"
            raise SettingError(msg)


def held_out_images(*, size: int = 256) -> TrainingImages:
    """Give the settings of the test set: structures no training has seen, with all that disturbs.

    Spacings are those of files that nobody resampled, 12 to 30 px, with standard
    deviations of 2 px or more. For a stratum of noise take
    ``dataclasses.replace(held_out_images(), snr=(2.0, 4.0))``. Whoever counts misses
    should ask for visible sites of a ``snr`` and a ``clarity`` as high as the claim says.
    """
    return TrainingImages(
        size=size, spacing=(12.0, 30.0), width=(0.17, 0.35), families=HELD_OUT, empty=0.0
    )


def empty_images(*, size: int = 256) -> TrainingImages:
    """Give the settings of the negative set: amorphous film, noise, contamination, no lattice."""
    return TrainingImages(size=size, spacing=(8.0, 30.0), families=HELD_OUT, empty=1.0)


def stream_training_images(
    images: TrainingImages, seed: int, start: int = 0
) -> Iterator[LabeledImage]:
    """Make one image after the other, without end.

    Number k depends on the settings, the seed and k alone.
    """
    index = start
    while True:
        yield simulate_training_image(images=images, seed=seed, index=index)
        index += 1


def training_image_from_manifest(manifest: str, /) -> LabeledImage:
    """Make an image again from its manifest.

    Parameters
    ----------
    manifest : str
        As `simulate_training_image` gives it, by the same version of adatom.

    Returns
    -------
    LabeledImage
        The same bits.

    Raises
    ------
    KindError
        If this is not such a manifest.

    Examples
    --------
    >>> first = simulate_training_image(images=TrainingImages(size=64), seed=3)
    >>> again = training_image_from_manifest(first.manifest)
    >>> bool((again.image == first.image).all())
    True
    """
    try:
        told = json.loads(manifest)
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told["images"].items()
        }
        images, seed, index = TrainingImages(**settings), int(told["seed"]), int(told["index"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        msg = (
            f"no manifest of a labeled image ({error}): need the JSON text in the field "
            "'manifest' of what simulate_training_image gives"
        )
        raise KindError(msg) from error
    return simulate_training_image(images=images, seed=seed, index=index)


def simulate_training_image(
    *,
    images: TrainingImages = TrainingImages(),
    seed: int = 0,
    index: int = 0,
) -> LabeledImage:
    """Simulate one image of the stream, with its truth.

    Parameters
    ----------
    images : TrainingImages
        What to draw from.
    seed : int
        Of the stream.
    index : int
        Which image of the stream: each is made alone.

    Returns
    -------
    LabeledImage
        ``image``, ``sites``, ``lattice``, ``junk`` and ``manifest``.

    Raises
    ------
    SettingError
        If the seed or the index is negative.

    Examples
    --------
    >>> made = simulate_training_image(images=TrainingImages(size=64), seed=3)
    >>> made.image.shape, made.image.dtype
    ((64, 64), dtype('float32'))
    """
    if seed < 0 or index < 0:
        msg = f"{seed=} and {index=} must be 0 or more"
        raise SettingError(msg)
    rng = np.random.default_rng([seed, index])
    # Most images are good ones, as most that people analyze.
    noted = {"images": asdict(images), "seed": seed, "index": index}
    chance = Chance(rng, trouble=float(rng.beta(*_TROUBLE)), noted=noted)
    chance.note(trouble=chance.trouble)
    scene = draw_scene(chance, images)
    return _labeled(chance, scene)


def _labeled(chance: Chance, scene: Scene) -> LabeledImage:
    """Let the instrument see a scene, and tell the truth about what it shows."""
    sample, junk = scene.sample, scene.junk
    atoms = image_of_atoms(
        sample.places, sample.peaks, sample.widths,
        probe=scene.probe, lines=scene.lines, shape=scene.field.shape,
    )  # fmt: skip
    added, factor = draw_background(chance, shape=scene.field.shape)
    factor = factor * junk.transmission
    shown = atoms * factor
    expected = shown + added + junk.intensity
    if not scene.tunneling:
        # Heights may lie below zero, counts may not.
        expected = expected.clip(0, None)
    level, sigma = float(np.median(added)) + scene.typical, scene.typical / scene.snr
    image = noisy(chance.rng, expected, scene.noise, sigma=sigma, level=level)
    counted = scene.noise.counted
    # Where nothing is counted there is no noise, and nothing to compare with it.
    spread = sigma * np.sqrt((counted * expected / level + 1 - counted).clip(1e-4, None))
    if scene.striped:
        image = image + stripes(chance, image.shape, scene.typical)
    image = disturbed(chance, image, typical=scene.typical, tunneling=scene.tunneling)
    rest = image - shown
    image, blank = _saved(chance, image, scene.field.spacing)
    values = image_from_array(image, pixel_size="1 px")
    seen = Seen(shown, rest, factor, spread, blank)
    disturbance = disturbance_in(seen, scene.probe.width, scene.junk.opaque)
    clear = clear_parts(scene, seen, disturbance)
    sites = truth_of_scene(scene, seen, disturbance, clear)
    lattice = scanned(sample.crystalline, scene.lines) & ~junk.opaque & ~blank & clear
    manifest = json.dumps(chance.noted)
    return LabeledImage(values, sites, _mask(lattice, values), _mask(junk.opaque, values), manifest)


def _mask(inside: NDArray[np.bool_], image: Image) -> Mask:
    return xr.DataArray(inside, dims=("y", "x"), coords=image.coords)


def _saved(
    chance: Chance, image: NDArray[np.float32], spacing: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Give the image as it is saved, and where it shows nothing: saturated or without data."""
    image, clipped = developed(chance, image)
    blank = draw_border(chance, shape=(image.shape[0], image.shape[1]))
    if blank.any():
        image[blank] = chance.rng.choice([0.0, image.min(), image.mean()])
    if clipped.any():
        blank |= blurred(clipped.astype(np.float32), spacing / 2) > _SATURATED
    return np.ascontiguousarray(image, dtype=np.float32), blank
