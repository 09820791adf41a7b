"""Arrows on a map, and their lengths in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex

from adatom.plotting._canvas import INK
from adatom.plotting._panels import length_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Directions -x, -y, +x, +y and -x again: all of them dark enough for paper and for gray images.
_DIRECTIONS: Final = LinearSegmentedColormap.from_list(
    "directions", ("#1b7f9c", "#6a3d9a", "#c23b22", "#a87b00", "#1b7f9c")
)
_TURN: Final = Normalize(-np.pi, np.pi)
# Of its width on either side: a dark rim sets arrows off from bright and dark atoms alike.
_RIM: Final = 0.375


def draw_arrows(
    axes: Axes,
    places: NDArray[np.float64],
    vectors: NDArray[np.float64],
    /,
    *,
    width: float,
    color: str | None = None,
    rim: bool = False,
    pivot: Literal["tail", "middle"] = "tail",
) -> None:
    """Draw vectors (arrow, axis) as they are, in the unit of the axes.

    Parameters
    ----------
    axes : Axes
    places, vectors : array, shape (arrow, axis)
        Axis y, x.
    width : float
        Of the shaft, in the unit of the axes.
    color : str, optional
        By default that of the direction.
    rim : bool
        Whether a dark rim sets arrows off from what is below them.
    pivot : {"tail", "middle"}
        What of an arrow is at its place.
    """
    by_direction = [np.arctan2(vectors[:, 0], vectors[:, 1])] if color is None else []
    rims: list[tuple[str | None, float, list[NDArray[np.float64]]]] = [
        (INK, (1 + 2 * _RIM) * width, [])
    ]
    for shade, thickness, angle in [*rims[: int(rim)], (color, width, by_direction)]:
        axes.quiver(
            *(places[:, 1], places[:, 0], vectors[:, 1], vectors[:, 0], *angle),
            color=shade,
            cmap=_DIRECTIONS,
            norm=_TURN,
            angles="xy",
            scale_units="xy",
            scale=1.0,
            units="xy",
            width=thickness,
            headwidth=3.3,
            headlength=3.5,
            headaxislength=3.2,
            pivot=pivot,
            zorder=3,
        )


def color_of_direction(angle: float, /) -> str:
    """Give the color of arrows of a direction, in deg from +x towards +y."""
    turned = (angle + 180) % 360 - 180
    return str(to_hex(_DIRECTIONS(_TURN(math.radians(turned)))))


def round_factor(vectors: NDArray[np.float64], reach: float, /) -> float:
    """Give the round number by which nearly all vectors become as long as `reach` or less."""
    length = np.hypot(*vectors.T)
    length = length[np.isfinite(length)]
    usual = float(np.percentile(length, 95)) if len(length) else 0.0
    if not (usual > 0 and reach > 0):
        return 1.0
    power = 10.0 ** math.floor(math.log10(reach / usual))
    return max(step * power for step in (1, 2, 5) if step * power <= reach / usual * (1 + 1e-9))


def arrows_in_words(factor: float, vectors: NDArray[np.float64], unit: str, /) -> str:
    """Tell how many times longer than the vectors arrows are, and how long the longest is."""
    length = np.hypot(*vectors.T)
    length = length[np.isfinite(length)]
    longest = float(length.max()) if len(length) else 0.0
    return f"arrows {factor:g} x, longest {length_text(longest, unit)}"
