"""Random scenes: a sample, what lies on it and an instrument; and the truth about their image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import KDTree

from adatom.schema import Sites, sites_from_positions
from adatom.simulation.atom_images import LineOffsets, Probe, difference_of_blurs, imaged_places
from adatom.simulation.chances import Chance
from adatom.simulation.drawn_cells import FAMILIES
from adatom.simulation.random_detectors import Noise, draw_noise
from adatom.simulation.random_instruments import draw_lines, draw_probe
from adatom.simulation.random_junk import (
    Junk,
    draw_contamination,
    draw_film,
    draw_particles,
    no_junk,
    together,
)
from adatom.simulation.random_samples import Field, Sample, draw_amorphous, draw_crystal
from adatom.simulation.standing_waves import draw_hollows, draw_waves

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.simulation.training_images import TrainingImages

# What images without lattice show. Atoms packed at random and noisy stripes are the
# hardest to tell from one.
_EMPTY: Final = (
    *("amorphous", "amorphous", "stripes", "stripes"),
    *("contamination", "noise", "blobs"),
)
# Pixels integrate: narrower atoms than this do not occur on a grid of pixels.
_NARROWEST: Final = 0.65
# Atoms in a tunneling microscope are at least this broad, in spacings.
_TUNNELING_WIDTH: Final = 0.3
# No image is so noisy that the median atom, filtered in the best way, does not
# stand out from the noise by this factor: nothing could be learned from it.
_TOLD: Final = 1.5
# An atom whose height all else in the image reaches by chance is not asked for.
_CLEAR: Final = 1.0
# Where, over so many spacings, columns are fainter than this share of all else,
# even their periodicity helps nobody: there is no lattice to analyze.
_TELLABLE: Final = 0.7
_CELLS: Final = 2.5
# What disturbs is judged over blocks of so many pixels.
_BLOCK: Final = 4
# Far under the faintest column that is drawn, of the brightest regular one.
_FLAT: Final = 1e-3
# Kinds of junk that lie on dirty lattices, and how often.
_DIRT: Final[tuple[tuple[str, ...], ...]] = (
    ("contamination",),
    ("particles",),
    ("film",),
    ("contamination", "particles"),
)
_DIRT_SHARES: Final = (0.5, 0.2, 0.15, 0.15)


@dataclass(frozen=True)
class Scene:
    """All that there is before the detector sees it.

    Attributes
    ----------
    sample : Sample
        Atoms.
    junk : Junk
        What lies on them.
    probe : Probe
        Shape of an atom.
    lines : LineOffsets
        Errors of the scan.
    noise : Noise
        What the noise is like.
    field : Field
        Size of the image, and the spacing.
    typical : float
        Height of the median regular column.
    bright : float
        Height that a fifth of the regular columns exceed: of many structures
        most columns are faint ones, and yet the others show a lattice.
    snr : float
        That height over the noise of a pixel.
    tunneling : bool
        Whether the image is to look like one of a tunneling microscope.
    striped : bool
        Whether there is nothing in it but stripes.
    """

    sample: Sample
    junk: Junk
    probe: Probe
    lines: LineOffsets
    noise: Noise
    field: Field
    typical: float
    bright: float
    snr: float
    tunneling: bool
    striped: bool


def draw_scene(chance: Chance, images: TrainingImages) -> Scene:
    """Draw all that there is before the detector sees it."""
    scale = chance.log_between(*images.scale)
    spacing = chance.log_between(*images.spacing) / scale
    snr, share = chance.log_between(*images.snr), chance.log_between(*images.width)
    tunneling = bool(chance.rng.random() < images.tunneling)
    if tunneling:
        share = max(share, min(_TUNNELING_WIDTH, images.width[1]))
    width = max(share * spacing, _NARROWEST)
    empty = bool(chance.rng.random() < images.empty)
    family = str(chance.rng.choice(_EMPTY if empty else images.families))
    rows = math.ceil(images.size / scale - 1e-9)
    probe = draw_probe(chance, width=width, tunneling=tunneling)
    lines = draw_lines(chance, n_rows=rows, spacing=spacing)
    noise = draw_noise(chance, width=width, tunneling=tunneling)
    snr = max(snr, noise.lowest_snr(width, _TOLD))
    chance.note(family=family, empty=empty, tunneling=tunneling, spacing_px=spacing, snr=snr)
    # Users resample by it: to the last digit.
    chance.noted["scale"] = scale
    field = Field((rows, rows), spacing, margin=4 * width + 2 * spacing + probe.tail_reach())
    sample = _draw_sample(chance, family, field)
    regular = sample.peaks[sample.roles == "regular"]
    typical, bright = np.quantile(regular, (0.5, 0.8)).tolist() if regular.size else (1.0, 1.0)
    dirty = bool(chance.rng.random() < images.dirty)
    kinds = _kinds(chance, family, dirty)
    if tunneling and family in FAMILIES:
        kinds += tuple(name for name in ("waves", "hollows") if chance.happens(0.3))
    junk = _draw_junk(chance, kinds, field, width=width, typical=typical)
    striped = family == "stripes"
    return Scene(sample, junk, probe, lines, noise, field, typical, bright, snr, tunneling, striped)


def _draw_sample(chance: Chance, family: str, field: Field) -> Sample:
    if family in FAMILIES:
        return draw_crystal(chance, family=family, field=field)
    film = draw_amorphous(chance, field=field)
    return film if family == "amorphous" else film.where(np.zeros(len(film.places), dtype=bool))


def _kinds(chance: Chance, family: str, dirty: bool) -> tuple[str, ...]:
    """Draw which kinds of junk lie on the sample."""
    if family not in FAMILIES:
        return {"contamination": ("much contamination",), "blobs": ("particles",)}.get(family, ())
    if not dirty:
        return ()
    return _DIRT[int(chance.rng.choice(len(_DIRT), p=_DIRT_SHARES))]


def _draw_junk(
    chance: Chance, kinds: tuple[str, ...], field: Field, *, width: float, typical: float
) -> Junk:
    junk = no_junk(field.shape)
    for kind in kinds:
        if kind == "film":
            more = draw_film(chance, shape=field.shape, width=width, typical=typical)
        elif kind == "waves":
            more = draw_waves(chance, shape=field.shape, spacing=field.spacing, typical=typical)
        elif kind == "hollows":
            more = draw_hollows(chance, shape=field.shape, spacing=field.spacing, typical=typical)
        elif kind == "particles":
            more = draw_particles(
                chance, shape=field.shape, width=width, spacing=field.spacing, typical=typical
            )
        else:
            much = kind == "much contamination"
            coverage = chance.between(0.3, 1.0) if much else chance.between(0.02, 0.6)
            more = draw_contamination(
                chance, shape=field.shape, width=width, typical=typical, coverage=coverage
            )
        junk = together(junk, more)
    return junk


def scanned(mask: NDArray[np.bool_], lines: LineOffsets) -> NDArray[np.bool_]:
    """Give a mask of the sample as the lines of the scan show it."""
    rows, columns = (np.arange(size) for size in mask.shape)
    row = np.rint(rows + lines.y).astype(np.int64).clip(0, rows[-1])
    column = np.rint(columns + lines.x[:, None]).astype(np.int64).clip(0, columns[-1])
    found: NDArray[np.bool_] = mask[row[:, None], column]
    return found


@dataclass(frozen=True)
class Seen:
    """What the detector made of a scene, part by part.

    Attributes
    ----------
    lattice : ndarray, shape (y, x)
        Image of the lattice alone, without noise.
    rest : ndarray, shape (y, x)
        All else in the image: noise, junk, errors of lines, background.
    factor : ndarray, shape (y, x)
        By which the lattice is dimmed.
    spread : ndarray, shape (y, x)
        Standard deviation of the noise of a pixel.
    blank : ndarray of bool, shape (y, x)
        True where the image shows nothing.
    """

    lattice: NDArray[np.float32]
    rest: NDArray[np.float32]
    factor: NDArray[np.float32]
    spread: NDArray[np.float32]
    blank: NDArray[np.bool_]


@dataclass(frozen=True)
class Disturbance:
    """Spread of all that is not lattice, as high as an atom would have to be to look like it.

    Seen through the difference of two blurs, which tells atoms from what is
    broader and finer: an atom of the width of the first leaves 1 / 2 - 1 / 5 of
    its height.

    Attributes
    ----------
    variance : ndarray, shape (block, block)
        Mean over blocks of pixels, of those that are not opaque.
    weight : ndarray, shape (block, block)
        Share of such pixels.
    shape : tuple of int
        Rows and columns of the image.
    """

    variance: NDArray[np.float32]
    weight: NDArray[np.float32]
    shape: tuple[int, int]

    def within(self, reach: float) -> NDArray[np.float32]:
        """Spread (y, x) within about so many px round every pixel."""
        sigma = reach / _BLOCK
        local = gaussian_filter(self.variance * self.weight, sigma, mode="nearest")
        local /= gaussian_filter(self.weight, sigma, mode="nearest") + np.float32(1e-6)
        spread: NDArray[np.float32] = np.sqrt(local.clip(1e-12, None))
        rows, columns = self.shape
        return spread.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[:rows, :columns]


def disturbance_in(seen: Seen, width: float, opaque: NDArray[np.bool_]) -> Disturbance:
    """Filter all that is not lattice for what looks like an atom of this width.

    What opaque junk looks like disturbs nobody who looks beside it.
    """
    rows, columns = seen.rest.shape
    pad = min(math.ceil(4 * width), rows - 1, columns - 1)
    padded = np.pad(seen.rest, pad, mode="reflect")
    alike = difference_of_blurs(padded, width)[pad : pad + rows, pad : pad + columns]
    open_ = (~opaque).astype(np.float32)
    weight = _blocks(open_)
    power = _blocks((alike / np.float32(1 / 2 - 1 / 5)) ** 2 * open_)
    return Disturbance(power / weight.clip(1e-6, None), weight, (rows, columns))


def _blocks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average blocks of pixels; the last ones go on beyond the image as its edge does."""
    padded = np.pad(values, [(0, -size % _BLOCK) for size in values.shape], mode="edge")
    mean: NDArray[np.float32] = padded.reshape(len(padded) // _BLOCK, _BLOCK, -1, _BLOCK).mean(
        axis=(1, 3)
    )
    return mean


def clear_parts(scene: Scene, seen: Seen, disturbance: Disturbance) -> NDArray[np.bool_]:
    """Tell where the bright columns stand out from all else, on average over some spacings."""
    level = disturbance.within(_CELLS * scene.field.spacing)
    clear: NDArray[np.bool_] = scene.bright * seen.factor > _TELLABLE * level
    return clear


def truth_of_scene(
    scene: Scene, seen: Seen, disturbance: Disturbance, clear: NDArray[np.bool_]
) -> Sites:
    """Give all columns of the lattice whose centroid lies in the image.

    None is visible outside the `clear_parts`.
    """
    rows, columns = scene.field.shape
    listed = scene.sample.where(scene.sample.roles != "amorphous")
    places = imaged_places(listed.places, listed.widths, probe=scene.probe, lines=scene.lines)
    inside = _within(places, rows, columns)
    listed, places = listed.where(inside), places[inside]
    row, column = np.rint(places).astype(np.int64).T
    amplitude = listed.peaks * seen.factor[row, column]
    covered = (scene.junk.opaque | seen.blank)[row, column]
    resolved = _own_maximum(seen.lattice, places, scene.field.spacing)
    resolved &= ~scene.junk.doubtful[row, column] & (listed.roles != "faint")
    clarity = amplitude / disturbance.within(scene.field.spacing)[row, column]
    sites = sites_from_positions(
        *places.T,
        unit="px",
        spacing=scene.field.spacing,
        extent=[0.0, rows - 1.0, 0.0, columns - 1.0],
    )
    told = {
        "species": listed.species,
        "class": listed.roles,
        "amplitude": amplitude,
        "occupancy": listed.occupancy,
        "snr": amplitude / seen.spread[row, column],
        "clarity": clarity,
        "covered": covered,
        "resolved": resolved,
        "visible": resolved & ~covered & (clarity > _CLEAR) & clear[row, column],
    }
    sites = sites.assign({name: ("site", values) for name, values in told.items()})
    sites["width"] = ("site", listed.widths * scene.probe.width, {"units": "px"})
    return sites


def _within(places: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.bool_]:
    y, x = places.T
    inside: NDArray[np.bool_] = (y >= -0.5) & (y < rows - 0.5) & (x >= -0.5) & (x < columns - 0.5)
    return inside


def _own_maximum(
    shown: NDArray[np.float32], places: NDArray[np.float64], spacing: float
) -> NDArray[np.bool_]:
    """Tell which sites have a maximum of the image without noise and dirt for themselves."""
    if not len(places):
        return np.zeros(0, dtype=bool)
    padded = np.pad(shown, 1, mode="edge")
    # In vacuum all is flat and as high as its neighbors.
    tops = np.argwhere((maximum_filter(padded, 3) == padded) & (padded > _FLAT)) - 1.0
    distance, nearest = KDTree(places).query(tops)
    found = np.zeros(len(places), dtype=bool)
    # A pixel beside the maximum may be the highest of the grid.
    found[nearest[distance < max(0.3 * spacing, 1.5)]] = True
    return found
