"""What a network is made of, said without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from adatom.errors import SettingError

MULTIPLE: Final = 16
"""Rows and columns of a picture must be multiples of this."""

Kind = Literal["unet", "pyramid"]


@dataclass(frozen=True)
class Architecture:
    """A network from a picture to maps of half its resolution.

    Attributes
    ----------
    kind : {"unet", "pyramid"}
        "unet" goes down to an eighth of the resolution with plain
        convolutions [1]_; "pyramid" has dilated convolutions side by side at
        its bottom [2]_, which see some ten atoms in every direction and so
        tell a lattice from a chance arrangement of bright spots.
    width : int
        Channels at half resolution; twice and four times as many below.
    classes : tuple of str
        Names of the classes to tell apart at each site; none by default.
    symmetry : int
        Particles that look the same after a turn by 360 deg / symmetry have
        their orientation as one more output; 0 for none.

    References
    ----------
    .. [1] O. Ronneberger et al., MICCAI 2015, LNCS 9351, 234, fig. 1.
    .. [2] L.-C. Chen et al., ECCV 2018, arXiv:1802.02611, fig. 2.
    """

    kind: Kind = "pyramid"
    width: int = 32
    classes: tuple[str, ...] = ()
    symmetry: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            msg = f"kind={self.kind!r} is not known: use one of {', '.join(get_args(Kind))}"
            raise SettingError(msg)
        if not 4 <= self.width <= 256:
            msg = f"width={self.width} must lie between 4 and 256 channels"
            raise SettingError(msg)
        if len(self.classes) == 1 or len(set(self.classes)) != len(self.classes):
            msg = f"classes={self.classes} must be none, or two or more different names"
            raise SettingError(msg)
        if self.symmetry < 0:
            msg = f"symmetry={self.symmetry} must be 0 (no orientation) or a fold such as 2, 3, 6"
            raise SettingError(msg)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the maps, in their order."""
        names = ["center", "offset_y", "offset_x", "lattice"]
        names += [f"class:{name}" for name in self.classes]
        if self.symmetry:
            names += ["cos", "sin"]
        return tuple(names)
