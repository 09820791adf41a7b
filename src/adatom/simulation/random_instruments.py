"""Random instruments: shape of the probe, errors of the scan, background, what is cut off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from adatom.simulation.atom_images import LineOffsets, Probe
from adatom.simulation.chances import Chance
from adatom.simulation.smooth_fields import draw_smooth_field

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_probe(chance: Chance, *, width: float, tunneling: bool) -> Probe:
    """Draw the shape of an atom of a given width."""
    ellipticity = 1.0 + chance.amount(0.7, 0.6 if tunneling else 0.35)
    direction = chance.between(0.0, math.pi)
    tails = not tunneling and chance.rng.random() < 0.7
    tail_width = chance.between(1.8, 4.0) * width
    # Share of intensity, not of height: tails are low and wide.
    fraction = chance.between(0.05, 0.5) if tails else 0.0
    chance.note(
        probe={
            "width_px": width, "ellipticity": ellipticity, "direction_deg": math.degrees(direction),
            "tail_width_px": tail_width, "tail_fraction": fraction,
        }
    )  # fmt: skip
    return Probe(width, ellipticity, direction, tail_width, fraction)


def draw_lines(chance: Chance, *, n_rows: int, spacing: float) -> LineOffsets:
    """Draw by how much each line misses its place: jitter, slow waver and hum along the frame."""
    jitter, waver = spacing * chance.amount(0.8, 0.08), spacing * chance.amount(0.6, 0.6)
    hum = spacing * chance.amount(0.2, 0.1)
    chance.note(scan={"jitter_px": jitter, "waver_px": waver, "hum_px": hum})
    fast = chance.rng.standard_normal((2, n_rows)) * jitter
    # From line to line the scan is steadier than along lines.
    fast[0] *= 0.4
    slow = chance.rng.standard_normal((2, n_rows))
    slow = gaussian_filter1d(slow, n_rows / 6, axis=1, mode="reflect")
    slow *= waver / max(float(slow.std()), 1e-9)
    phase = 2 * math.pi * (np.arange(n_rows) * chance.between(0.02, 0.5) + chance.rng.random())
    return LineOffsets(fast[0] + slow[0], fast[1] + slow[1] + hum * np.sin(phase))


def draw_background(
    chance: Chance, *, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw what is added to the sample and what multiplies it: level, slopes, wedges."""
    level, slope = chance.log_between(0.02, 3.0), chance.amount(0.8, 1.2)
    wedge = chance.amount(0.5, 0.5)
    chance.note(background={"level": level, "slope": slope, "wedge": wedge})
    added = np.full(shape, level, dtype=np.float32)
    factor = np.ones(shape, dtype=np.float32)
    if slope:
        detail = chance.between(0.3, 2.0)
        field = draw_smooth_field(chance.rng, shape, detail=detail, steepness=4.0)
        added += np.float32(0.5 * slope) * field.pixels()
        added -= min(0.0, float(added.min()))
    if wedge:
        field = draw_smooth_field(chance.rng, shape, detail=0.5, steepness=4.0)
        factor = np.exp(np.float32(wedge) * field.pixels().clip(-2.5, 2.5))
    return added, factor


def draw_border(chance: Chance, *, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Draw which pixels hold no data: strips along the sides or a cut corner, now and then."""
    blank = np.zeros(shape, dtype=bool)
    if not chance.happens(0.08):
        return blank
    if chance.rng.random() < 0.6:
        shares = chance.rng.uniform(0.0, 0.15, 4) * (chance.rng.random(4) < 0.5)
        top, bottom, left, right = (shares * max(shape)).astype(int).tolist()
        blank[:top], blank[shape[0] - bottom :] = True, True
        blank[:, :left], blank[:, shape[1] - right :] = True, True
        chance.note(border=[top, bottom, left, right])
        return blank
    y, x = np.linspace(0, 1, shape[0])[:, None], np.linspace(0, 1, shape[1])[None, :]
    flip_y, flip_x = chance.rng.random(2) < 0.5
    y, x = 1 - y if flip_y else y, 1 - x if flip_x else x
    angle, cut = chance.between(0.1, 1.4), chance.between(0.05, 0.3)
    chance.note(border="corner")
    return y * math.sin(angle) + x * math.cos(angle) < cut
