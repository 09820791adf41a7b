"""Colors that people with any color vision tell apart."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matplotlib.colors import to_hex, to_rgb

if TYPE_CHECKING:
    import xarray as xr

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
MARKERS: Final = ("o", "s", "^", "v", "P", "X")
UNCLASSIFIED: Final = "#C4C8CD"
HIT: Final = "#56B4E9"
MISS: Final = "#F0E442"
FALSE: Final = "#D55E00"
LEFT_OUT: Final = "#D55E00"
SITE: Final = "#E69F00"
MISSING_ATOM: Final = "#D55E00"

_OTHER_ELEMENT: Final = "#56B4E9"
# Of what is common in two-dimensional crystals; all others share one.
_ELEMENTS: Final = {
    "C": "#3c4043", "Si": "#E69F00", "N": "#0072B2", "O": "#D55E00", "S": "#F0E442",
    "B": "#CC79A7", "Se": "#E69F00", "Mo": "#009E73", "W": "#0072B2", "Te": "#CC79A7",
    "V": "#CC79A7", "?": "#FFFFFF",
}  # fmt: skip

# Bright shades are seen on an image, but not on paper.
_ON_PAPER: Final = {"#F0E442": "#B5A400", "#FFFFFF": "#3c4043", UNCLASSIFIED: "#80868b"}


@dataclass(frozen=True)
class ClassStyle:
    """How a class looks wherever it is shown.

    Attributes
    ----------
    color : str
        Of marks, which have a dark rim.
    marker : str
        Their shape, as matplotlib calls it.
    name : str
        As in legends and tables.
    """

    color: str
    marker: str
    name: str

    @property
    def ink(self) -> str:
        """Color of lines and frames on white."""
        return on_paper(self.color)


def on_paper(color: str, /) -> str:
    """Give the shade of a color that is seen on white."""
    return _ON_PAPER.get(color, color)


def element_color(element: str, /, *, on_image: bool = False) -> str:
    """Give the color of an element, the same in every picture but for carbon.

    Carbon is dark on paper, as chemists draw it, and light on an image, which is dark itself.

    Examples
    --------
    >>> element_color("Si"), element_color("C"), element_color("C", on_image=True)
    ('#E69F00', '#3c4043', '#56B4E9')
    """
    if on_image and element == "C":
        return _OTHER_ELEMENT
    return _ELEMENTS.get(element, _OTHER_ELEMENT)


_AGREEMENT: Final = {
    0: ClassStyle("#D55E00", "X", "differs"),
    1: ClassStyle("#56B4E9", "o", "agrees"),
    -1: ClassStyle(UNCLASSIFIED, "x", "not compared"),
}


def classes_of_means(means: xr.DataArray, /) -> xr.Dataset:
    """Give what means and sums of classes keep of their classes: names, and which are outliers."""
    import xarray as xr

    return xr.Dataset(attrs=means.attrs)


def class_style(label: int, classes: xr.Dataset | None = None, /) -> ClassStyle:
    """Give the style of a class, the same in every picture.

    Parameters
    ----------
    label : int
        Of the class; -1: not classified.
    classes : Classes, optional
        Whose ``attrs["outlier_class"]`` is shown as outliers, and whose
        ``attrs["class_names"]`` are told; those with ``expert`` tell where
        classes agree with an expert's, those with ``angle`` are orientations.

    Examples
    --------
    >>> class_style(0).color, class_style(7).marker, class_style(-1).name
    ('#56B4E9', 's', 'not classified')
    """
    if classes is not None and "expert" in classes:
        return _AGREEMENT[label]
    oriented = classes is not None and {"angle", "mirrored"} <= set(classes)
    if label < 0:
        name = "no orientation" if oriented else "not classified"
        return ClassStyle(UNCLASSIFIED, "x", name)
    if classes is not None and classes.attrs.get("outlier_class") == label:
        # What fits no class may matter most: white stands out from every other.
        return ClassStyle("#FFFFFF", "D", f"class {label} (outliers)")
    turn, place = divmod(label, len(OKABE_ITO))
    names = [] if classes is None else classes.attrs.get("class_names", [])
    name = f"class {label} ({names[label]})" if label < len(names) else f"class {label}"
    if oriented and label < len(names):
        # Orientations are no classes of what is seen.
        name = str(names[label])
    return ClassStyle(_turned(OKABE_ITO[place], turn), MARKERS[turn % len(MARKERS)], name)


def _turned(color: str, turn: int) -> str:
    """Make a color darker and lighter in turns: beyond the palette shapes differ as well."""
    if turn == 0:
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*to_rgb(color))
    shift = (0.6, 1.35)[turn % 2 - 1] ** ((turn + 1) // 2)
    return to_hex(colorsys.hls_to_rgb(hue, min(0.92, lightness * shift), saturation))
