"""Pictures and spectra as recorded -> ready to analyse.

==========================  =================================================
``choose_frames``           leave out the frames of a movie that cannot be used
``correct_lines``           level the lines and the tilt of a scan
``correct_spikes``          replace channels struck by cosmic rays
``correct_power_law``       take off the background below an edge of EELS
``correct_baseline``        take off what varies slowly below lines
``correct_intensity``       bring all spectra to one intensity
``image_from_window``       the map of an element, a band or a mass
``FrameChoice``             what ``choose_frames`` gives
``SpikeCorrection``         what ``correct_spikes`` gives
``BaselineCorrection``      what ``correct_baseline`` gives
==========================  =================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.correction.background import correct_power_law
    from adatom.correction.baseline import BaselineCorrection, correct_baseline
    from adatom.correction.frames import FrameChoice, choose_frames
    from adatom.correction.intensity import correct_intensity
    from adatom.correction.lines import correct_lines
    from adatom.correction.spikes import SpikeCorrection, correct_spikes
    from adatom.correction.windows import image_from_window

__all__ = [
    "BaselineCorrection",
    "FrameChoice",
    "SpikeCorrection",
    "choose_frames",
    "correct_baseline",
    "correct_intensity",
    "correct_lines",
    "correct_power_law",
    "correct_spikes",
    "image_from_window",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BaselineCorrection": "baseline",
        "FrameChoice": "frames",
        "SpikeCorrection": "spikes",
        "choose_frames": "frames",
        "correct_baseline": "baseline",
        "correct_intensity": "intensity",
        "correct_lines": "lines",
        "correct_power_law": "background",
        "correct_spikes": "spikes",
        "image_from_window": "windows",
    },
)
