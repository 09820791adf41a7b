"""Colors that people with any color vision tell apart."""

from __future__ import annotations

import colorsys
from typing import Final

from matplotlib.colors import to_hex, to_rgb

# The palette of M. Okabe and K. Ito (2008) without black, which a dark image would
# hide. The first, of the largest class, is calm; those that follow stand out from it.
OKABE_ITO: Final = (
    "#56B4E9",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#F0E442",
    "#D55E00",
    "#0072B2",
)
UNCLASSIFIED: Final = "#9aa0a6"
HIT: Final = "#56B4E9"
MISS: Final = "#F0E442"
FALSE: Final = "#D55E00"
LEFT_OUT: Final = "#D55E00"
SITE: Final = "#E69F00"

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")


def class_color(label: int, /) -> str:
    """Give the color of a class: the palette, then lighter and darker turns of it.

    Examples
    --------
    >>> class_color(0), class_color(-1)
    ('#56B4E9', '#9aa0a6')
    """
    if label < 0:
        return UNCLASSIFIED
    turn, place = divmod(label, len(OKABE_ITO))
    if turn == 0:
        return OKABE_ITO[place]
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(OKABE_ITO[place]))
    shift = (0.6, 1.35)[turn % 2] ** ((turn + 1) // 2)
    return to_hex(colorsys.hls_to_rgb(hue, min(0.92, lightness * shift), saturation))


def class_marker(label: int, /) -> str:
    """Give the mark of a class: a turn of the palette has a shape of its own.

    Examples
    --------
    >>> class_marker(0), class_marker(7), class_marker(-1)
    ('o', 's', 'x')
    """
    if label < 0:
        return "x"
    return MARKERS[(label // len(OKABE_ITO)) % len(MARKERS)]
