"""Colors of domains: a hue a phase, shades or a wheel for its variants."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from adatom.numerics.coloring import color_graph
from adatom.plotting._colors import OKABE_ITO, UNCLASSIFIED, class_style

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

# Lightness of the variants of a phase, far enough apart for eyes that see no hue.
_LIGHTEST: Final = 0.86
_DARKEST: Final = 0.30


def domain_colors(classes: xr.Dataset, labels: list[int], /) -> dict[int, str]:
    """Give each class its color.

    Classes keep the colors that they have in every picture, unless
    ``attrs["phase"]`` (of each class) says that several are variants of
    one phase: these share the hue of the phase and differ in lightness.
    """
    phase = classes.attrs.get("phase")
    if phase is None:
        colors = {k: class_style(k, classes).color for k in labels}
    else:
        numbers = np.asarray(phase, dtype=int)
        colors = {k: _variant_color(k, numbers) for k in labels}
    return {**colors, -1: UNCLASSIFIED}


def region_colors(field: NDArray[np.int64], /) -> dict[int, str]:
    """Give regions of a field hues that none of their neighbors has."""
    pairs = np.concatenate(
        [
            np.column_stack([field[1:].ravel(), field[:-1].ravel()]),
            np.column_stack([field[:, 1:].ravel(), field[:, :-1].ravel()]),
        ]
    )
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs >= 0).all(axis=1)]
    n = int(field.max(initial=-1)) + 1
    color = color_graph(np.unique(np.sort(pairs, axis=1), axis=0), n)
    return {**{k: OKABE_ITO[color[k] % len(OKABE_ITO)] for k in range(n)}, -1: UNCLASSIFIED}


def _variant_color(label: int, phase: np.ndarray[tuple[int], np.dtype[np.int_]]) -> str:
    if not 0 <= label < len(phase):
        return UNCLASSIFIED
    of_phase = np.flatnonzero(phase == phase[label])
    base = class_style(int(phase[label])).color
    if len(of_phase) == 1:
        return base
    place = int(np.flatnonzero(of_phase == label)[0])
    hue, _, saturation = colorsys.rgb_to_hls(*to_rgb(base))
    lightness = np.linspace(_LIGHTEST, _DARKEST, len(of_phase))[place]
    # Hues turn a little as well, which eyes that see them tell apart more easily.
    turned = (hue + 0.06 * (place - (len(of_phase) - 1) / 2)) % 1.0
    return to_hex(colorsys.hls_to_rgb(turned, float(lightness), saturation))


def domain_name(label: int, classes: xr.Dataset, /) -> str:
    """Name a class as legends do: with its phase where it is a variant of one."""
    names, phase = classes.attrs.get("class_names"), classes.attrs.get("phase")
    if label < 0:
        return "not classified"
    if classes.attrs.get("of") == "region":
        return f"region {label}"
    if names is not None and label < len(names):
        return str(names[label])
    if phase is not None and label < len(phase):
        alone = list(phase).count(phase[label]) == 1
        variant = "" if alone else f", variant {label}{_direction(label, classes)}"
        return f"phase {phase[label]}{variant}"
    return f"class {label}"


def _direction(label: int, classes: xr.Dataset) -> str:
    """Tell where a variant is displaced to, if ``attrs["displacement"]`` (y, x) of each says so."""
    displacement = classes.attrs.get("displacement")
    if displacement is None or label >= len(displacement):
        return ""
    y, x = displacement[label]
    largest = max(float(np.hypot(*one)) for one in displacement)
    # Of a class that is hardly displaced the direction is chance.
    if not np.hypot(y, x) > 0.3 * largest:
        return ""
    return f" ({round(float(np.degrees(np.arctan2(y, x)))) % 360} deg)"
