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
from adatom.simulation.atom_images import LineOffsets, Probe, image_of_atoms, imaged_places
from adatom.simulation.cell_families import FAMILIES
from adatom.simulation.random_instruments import (
    developed,
    draw_background,
    draw_border,
    draw_lines,
    draw_probe,
    noisy,
    scarred,
)
from adatom.simulation.random_junk import (
    Junk,
    draw_contamination,
    draw_particles,
    no_junk,
    together,
)
from adatom.simulation.random_samples import Sample, draw_amorphous, draw_crystal

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Families that no training sees by default, so that a test on them says what a
# network does with a structure that it does not know.
HELD_OUT: Final = ("kagome", "snub_square", "perovskite_110")
TRAINED_ON: Final = tuple(name for name in FAMILIES if name not in HELD_OUT)
_EMPTY: Final = ("amorphous", "noise", "contamination", "blobs")
# Pixels integrate: narrower atoms than this do not occur on a grid of pixels.
_NARROWEST: Final = 0.65


class LabeledImage(NamedTuple):
    """A simulated image with the exact truth about it.

    Attributes
    ----------
    image : Image
        float32, in px, of any gain and offset.
    sites : Sites
        Columns of atoms where they are *in the image* (the centroid of the
        Gaussian after all errors of the scan). ``species``; ``class``
        (regular, substitution, adatom, interstitial); ``amplitude`` above
        what lies round it and ``width`` (standard deviation in px) of its
        Gaussian; ``occupancy``; ``snr``, its amplitude over the noise of a
        pixel there; ``covered``, True under opaque junk or on a blank
        border; ``resolved``, False where even without noise no maximum
        belongs to it; ``visible``: resolved and not covered.
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
        a pixel; on a logarithmic scale.
    families : tuple of str
        Structures, drawn with equal shares; `HELD_OUT` are not among them.
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
    snr: tuple[float, float] = (0.7, 30.0)
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
    """Make one image after the other, without end; number k depends on settings, seed and k alone."""
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
    images: TrainingImages = TrainingImages(),  # noqa: B008 -- frozen
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
    """All that there is before the instrument sees it."""

    sample: Sample
    junk: Junk
    probe: Probe
    lines: LineOffsets
    shape: tuple[int, int]
    spacing: float
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
        share = max(share, min(0.3, images.width[1]))
    rows = math.ceil(images.size / scale - 1e-9)
    spacing /= scale
    width = max(share * spacing, _NARROWEST)
    empty = bool(rng.random() < images.empty)
    family = str(rng.choice(_EMPTY if empty else images.families))
    drawn |= {
        "scale": scale, "spacing_px": round(spacing, 4), "snr": round(snr, 4),
        "tunneling": tunneling, "family": family, "empty": empty,
    }  # fmt: skip
    shape = (rows, rows)
    probe = draw_probe(rng, drawn, width=width, tunneling=tunneling)
    lines = draw_lines(rng, drawn, n_rows=rows, spacing=spacing)
    margin = 4 * width + 2 * spacing
    sample = _draw_sample(rng, drawn, family, spacing, shape, margin)
    regular = sample.peaks[sample.roles == "regular"]
    typical = float(np.median(regular)) if regular.size else 1.0
    junk = _draw_junk(rng, drawn, images, family, shape, spacing, width, typical)
    return _Scene(sample, junk, probe, lines, shape, spacing, typical, snr, tunneling)


def _draw_sample(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    family: str,
    spacing: float,
    shape: tuple[int, int],
    margin: float,
) -> Sample:
    if family in FAMILIES:
        return draw_crystal(rng, drawn, family=family, spacing=spacing, shape=shape, margin=margin)
    film = draw_amorphous(rng, drawn, spacing=spacing, shape=shape, margin=margin)
    return film if family == "amorphous" else film.where(np.zeros(len(film.places), dtype=bool))


def _draw_junk(
    rng: np.random.Generator,
    drawn: dict[str, Any],
    images: TrainingImages,
    family: str,
    shape: tuple[int, int],
    spacing: float,
    width: float,
    typical: float,
) -> Junk:
    junk = no_junk(shape)
    if family == "contamination":
        coverage = float(rng.uniform(0.3, 1.0))
    elif family in FAMILIES and rng.random() < images.dirty:
        coverage = float(rng.choice([0.0, rng.uniform(0.02, 0.6)], p=[0.3, 0.7]))
        if not coverage:
            return draw_particles(rng, drawn, shape=shape, spacing=spacing, typical=typical)
    else:
        coverage = 0.0
    if coverage:
        junk = draw_contamination(
            rng, drawn, shape=shape, width=width, typical=typical, coverage=coverage
        )
    if family == "blobs" or (coverage and rng.random() < 0.25):
        particles = draw_particles(rng, drawn, shape=shape, spacing=spacing, typical=typical)
        junk = together(junk, particles)
    return junk


def _labeled(rng: np.random.Generator, drawn: dict[str, Any], scene: _Scene) -> LabeledImage:
    atoms = image_of_atoms(
        scene.sample.places,
        scene.sample.peaks,
        scene.sample.widths,
        probe=scene.probe,
        lines=scene.lines,
        shape=scene.shape,
    )
    added, factor = draw_background(rng, drawn, shape=scene.shape)
    if scene.tunneling:
        # A height has no zero to count from.
        added = added - added.min()
    shown = atoms * scene.junk.transmission * factor
    expected = (shown + added + scene.junk.intensity).clip(0, None)
    level = float(np.median(added)) + scene.typical
    sigma = scene.typical / scene.snr
    image = noisy(
        rng, drawn, expected, sigma=sigma, level=level, width=scene.probe.width,
        tunneling=scene.tunneling,
    )  # fmt: skip
    image = scarred(rng, drawn, image, typical=scene.typical, tunneling=scene.tunneling)
    blank = draw_border(rng, drawn, shape=scene.shape)
    image = developed(rng, drawn, image)
    if blank.any():
        image[blank] = rng.choice([0.0, image.min(), image.mean()])
    sites = _sites(scene, shown, factor * scene.junk.transmission, expected, blank, drawn["noise"])
    lattice = scene.sample.crystalline & ~scene.junk.opaque & ~blank
    drawn["n_sites"] = sites.sizes["site"]
    values = image_from_array(np.ascontiguousarray(image, dtype=np.float32), pixel_size="1 px")
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
    expected: NDArray[np.float32],
    blank: NDArray[np.bool_],
    noise: dict[str, Any],
) -> Sites:
    """Truth about all columns of the lattice whose centroid lies in the image."""
    listed = scene.sample.where(scene.sample.roles != "amorphous")
    places = imaged_places(listed.places, listed.widths, probe=scene.probe, lines=scene.lines)
    inside = ((places >= -0.5) & (places < np.asarray(scene.shape) - 0.5)).all(axis=1)
    listed, places = listed.where(inside), places[inside]
    pixel = tuple(np.rint(places).astype(np.int64).T)
    amplitude = listed.peaks * factor[pixel]
    counted = noise["counted"]
    level = scene.typical + float(np.median(expected))
    variance = noise["sigma"] ** 2 * (counted * expected[pixel] / level + 1 - counted)
    covered = scene.junk.opaque[pixel] | blank[pixel]
    resolved = _own_maximum(shown, places, scene.spacing)
    sites = sites_from_positions(
        *places.T,
        unit="px",
        spacing=scene.spacing,
        extent=[0.0, scene.shape[0] - 1.0, 0.0, scene.shape[1] - 1.0],
    )
    for name, values in {
        "species": listed.species,
        "class": listed.roles,
        "amplitude": amplitude,
        "width": listed.widths * scene.probe.width,
        "occupancy": listed.occupancy,
        "snr": amplitude / np.sqrt(variance.clip(1e-12, None)),
        "covered": covered,
        "resolved": resolved,
        "visible": resolved & ~covered,
    }.items():
        sites[name] = ("site", values)
    sites["width"].attrs["units"] = "px"
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
