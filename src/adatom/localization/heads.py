"""What a network says of each site beside its place: its class and its orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.ndimage

from adatom.numerics.heatmaps import angles_from_turns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.running import Maps
    from adatom.numerics.exported_network import Card


class SiteHeads(NamedTuple):
    """Class and orientation of sites, as far as the network tells them.

    Attributes
    ----------
    probability : ndarray, shape (site, class)
        Of each class; no columns if the network has no classes.
    turn : ndarray, shape (site, 2) or (site, 0)
        Cosine and sine of the orientation times its symmetry; the surer the longer.
    """

    probability: NDArray[np.float64]
    turn: NDArray[np.float64]

    def of_sites(self, chosen: NDArray[Any], /) -> SiteHeads:
        """Keep those of some sites, by index or mask."""
        return SiteHeads(self.probability[chosen], self.turn[chosen])

    def variables(self, card: Card, /) -> dict[str, Any]:
        """Give them as variables of Sites."""
        told: dict[str, Any] = {}
        if card.classes:
            names = np.array(card.classes)[self.probability.argmax(axis=1)]
            told["class"] = ("site", names)
            told["class_probability"] = (
                ("site", "class_name"), self.probability, {"names": list(card.classes)},
            )  # fmt: skip
        if card.symmetry:
            angle = angles_from_turns(self.turn, card.symmetry)
            told["orientation"] = ("site", angle, {"units": "deg", "symmetry": card.symmetry})
        return told


def heads_at_cells(maps: Maps, cells: NDArray[np.float64], /) -> SiteHeads:
    """Read classes and orientations between the cells where the sites lie.

    Parameters
    ----------
    maps : Maps
    cells : ndarray, shape (site, 2)
        Row and column in cells of the maps.
    """
    return SiteHeads(_between_cells(maps.classes, cells), _between_cells(maps.orientation, cells))


def _between_cells(
    channels: NDArray[np.float32], cells: NDArray[np.float64]
) -> NDArray[np.float64]:
    if not len(channels):
        return np.empty((len(cells), 0))
    read = [
        scipy.ndimage.map_coordinates(channel, cells.T, order=1, mode="nearest")
        for channel in channels
    ]
    return np.stack(read, axis=-1).astype(float)
