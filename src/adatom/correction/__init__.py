"""Pictures as recorded -> pictures to analyse.

==========================  =================================================
``choose_frames``           leave out the frames of a movie that cannot be used
``correct_lines``           level the lines and the tilt of a scan
``FrameChoice``             what ``choose_frames`` gives
==========================  =================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.correction.frames import FrameChoice, choose_frames
    from adatom.correction.lines import correct_lines

__all__ = ["FrameChoice", "choose_frames", "correct_lines"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FrameChoice": "frames",
        "choose_frames": "frames",
        "correct_lines": "lines",
    },
)
