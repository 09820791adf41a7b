"""False colors back to numbers: places along the color map that a picture was painted with."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANY_MAP: Final = "color map"
"""Asks for the map that lies nearest to the colors of the picture."""

# Maps that rise from dark to bright without turning back, as microscopes and their users take.
_OF_MATPLOTLIB: Final = (
    "viridis",
    "plasma",
    "inferno",
    "magma",
    "cividis",
    "hot",
    "afmhot",
    "copper",
    "bone",
    "pink",
    "gist_heat",
    "gnuplot",
    "gnuplot2",
    "cubehelix",
    "jet",
    "turbo",
)
# "Fire" of ImageJ (public domain): its 32 knots, red, green, blue.
_FIRE: Final = np.array(
    [
        [0, 0, 0], [0, 0, 61], [1, 0, 96], [25, 0, 130], [49, 0, 165], [73, 0, 192],
        [98, 0, 220], [122, 0, 227], [146, 0, 210], [162, 0, 181], [173, 0, 151],
        [184, 0, 122], [195, 0, 93], [207, 14, 64], [217, 35, 35], [229, 57, 5],
        [240, 79, 0], [252, 101, 0], [255, 117, 0], [255, 133, 0], [255, 147, 0],
        [255, 161, 0], [255, 175, 0], [255, 190, 0], [255, 205, 35], [255, 219, 98],
        [255, 234, 160], [255, 248, 223], [255, 255, 255], [255, 255, 255],
        [255, 255, 255], [255, 255, 255],
    ]
)  # fmt: skip
COLOR_MAPS: Final = ("fire", *_OF_MATPLOTLIB)
# Points along a map, so that places between its 256 colors are told apart.
_POINTS: Final = 1021
# Colors of a video are stored at half the resolution of its brightness, and stray about a map;
# of photographs and composed pictures they stray much farther. In levels of 255.
FARTHEST: Final = 20.0
_SAMPLE: Final = 20_000


class ChosenMap(NamedTuple):
    """The map that lies nearest to the colors of a picture, and how far they stray from it."""

    name: str
    distance: float
    second: str
    second_distance: float


@lru_cache(maxsize=32)
def _tree_of(name: str) -> Any:  # noqa: ANN401 -- cKDTree
    from scipy.spatial import cKDTree

    if name == "fire":
        knots = _FIRE.astype(np.float64)
    else:
        import matplotlib as mpl

        knots = mpl.colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255
    at = np.linspace(0, 1, _POINTS)
    own = np.linspace(0, 1, len(knots))
    return cKDTree(np.column_stack([np.interp(at, own, knot) for knot in knots.T]))


def choose_color_map(colors: NDArray[Any], /) -> ChosenMap:
    """Choose the map from which colors stray least.

    Parameters
    ----------
    colors : ndarray, shape (..., 3)
        Red, green, blue from 0 to 255.
    """
    flat = np.asarray(colors, dtype=np.float64).reshape(-1, 3)
    flat = flat[:: max(1, len(flat) // _SAMPLE)]
    apart = {
        name: float(np.sqrt((_tree_of(name).query(flat)[0] ** 2).mean())) for name in COLOR_MAPS
    }
    first, second = sorted(apart, key=lambda name: apart[name])[:2]
    return ChosenMap(first, apart[first], second, apart[second])


def place_on_color_map(colors: NDArray[Any], name: str, /) -> NDArray[np.float32]:
    """Give where on a map the point nearest to each color lies, from 0 to 1.

    Parameters
    ----------
    colors : ndarray, shape (..., 3)
        Red, green, blue from 0 to 255.
    name : str
        One of `COLOR_MAPS`.

    Examples
    --------
    >>> place_on_color_map(np.array([[0, 0, 0], [255, 255, 255]]), "fire").tolist()[0]
    0.0
    """
    whole = np.rint(np.asarray(colors, dtype=np.float64)).astype(np.int64)
    packed = (whole[..., 0] << 16) | (whole[..., 1] << 8) | whole[..., 2]
    seen, back = np.unique(packed, return_inverse=True)
    apart = np.column_stack([seen >> 16, (seen >> 8) & 255, seen & 255])
    place = _tree_of(name).query(apart)[1] / (_POINTS - 1)
    found: NDArray[np.float32] = place.astype(np.float32)[back.reshape(packed.shape)]
    return found
