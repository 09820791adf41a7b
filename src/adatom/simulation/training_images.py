"""Endless labeled images, as varied as real ones, to train and test finders of atoms."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr
from scipy.ndimage import maximum_filter
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import Image, Mask, Sites, image_from_array, sites_from_positions
from adatom.simulation.atom_images import LineOffsets, Probe, blurred, image_of_atoms, imaged_places
from adatom.simulation.drawn_cells import FAMILIES
from adatom.simulation.random_instruments import (
    Noise,
    developed,
    draw_background,
    draw_border,
    draw_lines,
    draw_noise,
    draw_probe,
    interfered,
    noisy,
    scarred,
)
from adatom.simulation.random_junk import (
    Junk,
    draw_contamination,
    draw_film,
    draw_particles,
    no_junk,
    together,
)
from adatom.simulation.random_samples import Field, Sample, draw_amorphous, draw_crystal

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
_EMPTY: Final = ("amorphous", "noise", "contamination", "blobs")
# Pixels integrate: narrower atoms than this do not occur on a grid of pixels.
_NARROWEST: Final = 0.65
# Atoms in a tunneling microscope are at least this broad, in spacings.
_TUNNELING_WIDTH: Final = 0.3
# No image is so noisy that the median atom, filtered in the best way, does not
# stand out from the noise by this factor: nothing could be learned from it.
_TOLD: Final = 2.0
_SATURATED: Final = 0.7


class LabeledImage(NamedTuple):
    """A simulated image with the exact truth about it.

    Attributes
    ----------
    image : Image
        float32, in px, of any gain and offset.
    sites : Sites
        Columns of atoms where they are *in the image* (the centroid of the
        Gaussian after all errors of the scan). ``species``; ``class``
        (regular, substitution, adatom, interstitial, and faint for regular
        columns that nobody sees beside the bright ones, such as of oxygen); ``amplitude`` above
        what lies round it and ``width`` (standard deviation in px) of its
        Gaussian; ``occupancy``; ``snr``, its amplitude over the noise of a
        pixel there; ``covered``, True under opaque junk or on a blank
        border; ``resolved``, False where even without noise no maximum
        belongs to it, where a film leaves it in doubt, and for faint ones; ``visible``:
        resolved and not covered. Sites that are neither covered nor resolved
        should not be judged.
    lattice : Mask
        True where there is a lattice that can be analyzed: bare, or under a
        film so thin that atoms are told. False on amorphous parts, in vacuum,
        under opaque junk, on blank borders.
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
    """Give the settings of the test set: structures that no training has seen."""
    # Standard deviations of 2 px or more at the scale of the file.
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
        As `simulate_training_image` gives it.

    Examples
    --------
    >>> first = simulate_training_image(images=TrainingImages(size=64), seed=3)
    >>> again = training_image_from_manifest(first.manifest)
    >>> bool((again.image == first.image).all())
    True
    """
    told = json.loads(manifest)
    settings = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["images"].items()
    }
    return simulate_training_image(
        images=TrainingImages(**settings), seed=told["seed"], index=told["index"]
    )


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

    Examples
    --------
    >>> made = simulate_training_image(images=TrainingImages(size=64), seed=3)
    >>> made.image.shape, made.image.dtype
    ((64, 64), dtype('float32'))
    """
    rng = np.random.default_rng([seed, index])
    drawn: dict[str, Any] = {"images": asdict(images), "seed": seed, "index": index}
    scene = _draw_scene(rng, drawn, images)
    return _labeled(rng, drawn, scene)


@dataclass(frozen=True)
class _Scene:
    """All that there is before the detector sees it."""

    sample: Sample
    junk: Junk
    probe: Probe
    lines: LineOffsets
    noise: Noise
    field: Field
    typical: float
    snr: float
    tunneling: bool


def _log_uniform(rng: np.random.Generator, span: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(math.log(span[0]), math.log(span[1]))))


def _draw_scene(rng: np.random.Generator, drawn: dict[str, Any], images: TrainingImages) -> _Scene:
    scale, spacing = _log_uniform(rng, images.scale), _log_uniform(rng, images.spacing)
    snr, share = _log_uniform(rng, images.snr), _log_uniform(rng, images.width)
    tunneling = bool(rng.random() < images.tunneling)
    if tunneling:
        share = max(share, min(_TUNNELING_WIDTH, images.width[1]))
    rows = math.ceil(images.size / scale - 1e-9)
    spacing /= scale
    width = max(share * spacing, _NARROWEST)
    empty = bool(rng.random() < images.empty)
    family = str(rng.choice(_EMPTY if empty else images.families))
    probe = draw_probe(rng, drawn, width=width, tunneling=tunneling)
    lines = draw_lines(rng, drawn, n_rows=rows, spacing=spacing)
    noise = draw_noise(rng, drawn, width=width, tunneling=tunneling)
    snr = max(snr, noise.lowest_snr(width, _TOLD))
    drawn |= {
        "family": family, "empty": empty, "tunneling": tunneling, "scale": scale,
        "spacing_px": round(spacing, 4), "snr": round(snr, 4),
    }  # fmt: skip
    field = Field((rows, rows), spacing, margin=4 * width + 2 * spacing)
    sample = _draw_sample(rng, drawn, family, field)
    regular = sample.peaks[sample.roles == "regular"]
    typical = float(np.median(regular)) if regular.size else 1.0
    junk = _draw_junk(rng, drawn, images, family, field, width=width, typical=typical)
    return _Scene(sample, junk, probe, lines, noise, field, typical, snr, tunneling)


def _draw_sample(
    rng: np.random.Generator, drawn: dict[str, Any], family: str, field: Field
) -> Sample:
    if family in FAMILIES:
        return draw_crystal(rng, drawn, family=family, field=field)
    film = draw_amorphous(rng, drawn, field=field)
    return film if family == "amorphous" else film.where(np.zeros(len(film.places), dtype=bool))


def _draw_junk(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    images: TrainingImages,
    family: str,
    field: Field,
    *,
    width: float,
    typical: float,
) -> Junk:
    """Draw what lies on the sample: much of it where there is nothing else, else now and then."""
    kinds = {"contamination": ["contamination"], "blobs": ["particles"]}.get(family, [])
    if family in FAMILIES and rng.random() < images.dirty:
        choices = (["contamination"], ["particles"], ["film"], ["contamination", "particles"])
        kinds = choices[rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])]
    junk = no_junk(field.shape)
    for kind in kinds:
        if kind == "contamination":
            coverage = float(rng.uniform(0.3, 1.0) if family == kind else rng.uniform(0.02, 0.6))
            more = draw_contamination(
                rng, drawn, shape=field.shape, width=width, typical=typical, coverage=coverage
            )
        elif kind == "film":
            more = draw_film(rng, drawn, shape=field.shape, width=width, typical=typical)
        else:
            more = draw_particles(
                rng, drawn, shape=field.shape, spacing=field.spacing, typical=typical
            )
        junk = together(junk, more)
    return junk


def _labeled(rng: np.random.Generator, drawn: dict[str, Any], scene: _Scene) -> LabeledImage:
    shape, sample = scene.field.shape, scene.sample
    atoms = image_of_atoms(
        sample.places, sample.peaks, sample.widths,
        probe=scene.probe, lines=scene.lines, shape=shape,
    )  # fmt: skip
    added, factor = draw_background(rng, drawn, shape=shape)
    factor = factor * scene.junk.transmission
    if scene.tunneling:
        # A height has no zero to count from.
        added = added - added.min()
    shown = atoms * factor
    expected = (shown + added + scene.junk.intensity).clip(0, None)
    level, sigma = float(np.median(added)) + scene.typical, scene.typical / scene.snr
    image = noisy(rng, expected, scene.noise, sigma=sigma, level=level)
    image = interfered(rng, drawn, image, typical=scene.typical)
    image = scarred(rng, drawn, image, typical=scene.typical, tunneling=scene.tunneling)
    image, clipped = developed(rng, drawn, image)
    blank = draw_border(rng, drawn, shape=shape)
    if blank.any():
        image[blank] = rng.choice([0.0, image.min(), image.mean()])
    # Where nearly all pixels within a cell are clipped, nothing is left to see.
    if clipped.any():
        blank |= blurred(clipped.astype(np.float32), scene.field.spacing / 2) > _SATURATED
    values = image_from_array(np.ascontiguousarray(image, dtype=np.float32), pixel_size="1 px")
    counted = scene.noise.counted
    # Where nothing is counted there is no noise, and nothing to compare with it.
    variance = (counted * expected / level + 1 - counted).clip(1e-4, None)
    spread = sigma * np.sqrt(variance)
    sites = _sites(scene, shown, factor, spread, blank)
    lattice = sample.crystalline & ~scene.junk.opaque & ~blank
    return LabeledImage(
        values,
        sites,
        _mask(lattice, values),
        _mask(scene.junk.opaque, values),
        json.dumps(drawn),
    )


def _mask(inside: NDArray[np.bool_], image: Image) -> Mask:
    return xr.DataArray(inside, dims=("y", "x"), coords=image.coords)


def _sites(
    scene: _Scene,
    shown: NDArray[np.float32],
    factor: NDArray[np.float32],
    spread: NDArray[np.float32],
    blank: NDArray[np.bool_],
) -> Sites:
    """Truth about all columns of the lattice whose centroid lies in the image."""
    rows, columns = scene.field.shape
    listed = scene.sample.where(scene.sample.roles != "amorphous")
    places = imaged_places(listed.places, listed.widths, probe=scene.probe, lines=scene.lines)
    inside = ((places >= -0.5) & (places < np.array([rows, columns]) - 0.5)).all(axis=1)
    listed, places = listed.where(inside), places[inside]
    row, column = np.rint(places).astype(np.int64).T
    amplitude = listed.peaks * factor[row, column]
    covered = (scene.junk.opaque | blank)[row, column]
    resolved = _own_maximum(shown, places, scene.field.spacing)
    resolved &= ~scene.junk.doubtful[row, column] & (listed.roles != "faint")
    sites = sites_from_positions(
        *places.T,
        unit="px",
        spacing=scene.field.spacing,
        extent=[0.0, rows - 1.0, 0.0, columns - 1.0],
    )
    columns_of_sites = {
        "species": listed.species,
        "class": listed.roles,
        "amplitude": amplitude,
        "occupancy": listed.occupancy,
        "snr": amplitude / spread[row, column],
        "covered": covered,
        "resolved": resolved,
        "visible": resolved & ~covered,
    }
    sites = sites.assign({name: ("site", told) for name, told in columns_of_sites.items()})
    sites["width"] = ("site", listed.widths * scene.probe.width, {"units": "px"})
    return sites


def _own_maximum(
    shown: NDArray[np.float32], places: NDArray[np.float64], spacing: float
) -> NDArray[np.bool_]:
    """Tell which sites have a maximum of the image without noise and dirt for themselves."""
    if not len(places):
        return np.zeros(0, dtype=bool)
    padded = np.pad(shown, 1, mode="edge")
    tops = np.argwhere(maximum_filter(padded, 3) == padded) - 1.0
    distance, nearest = KDTree(places).query(tops)
    found = np.zeros(len(places), dtype=bool)
    # A pixel beside the maximum may be the highest of the grid.
    found[nearest[distance < max(0.3 * spacing, 1.5)]] = True
    return found
