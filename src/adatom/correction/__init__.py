"""Pictures and spectra as recorded -> ready to analyse.

==========================  =================================================
``choose_frames``           leave out the frames of a movie that cannot be used
``correct_lines``           level the lines and the tilt of a scan
``correct_spikes``          replace channels struck by cosmic rays
``correct_power_law``       take off the background below an edge of EELS
``correct_intensity``       bring all spectra to one intensity
``correct_decay_background``  take off the counts before the pulse
``correct_dead_channels``   mend channels that count nothing
``correct_pile_up``         give back photons that came second
``correct_time_zero``       count time from the pulse
``find_mass_peaks``         masses that show, and each peak summed at every place
``image_from_window``       the map of an element, a band or a mass
``DecayBackground``         what ``correct_decay_background`` gives
``MassPeaks``               what ``find_mass_peaks`` gives
``FrameChoice``             what ``choose_frames`` gives
``SpikeCorrection``         what ``correct_spikes`` gives
==========================  =================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.correction.background import correct_power_law
    from adatom.correction.decays import (
        DecayBackground,
        correct_dead_channels,
        correct_decay_background,
        correct_pile_up,
        correct_time_zero,
    )
    from adatom.correction.frames import FrameChoice, choose_frames
    from adatom.correction.intensity import correct_intensity
    from adatom.correction.lines import correct_lines
    from adatom.correction.masses import MassPeaks, find_mass_peaks
    from adatom.correction.spikes import SpikeCorrection, correct_spikes
    from adatom.correction.windows import image_from_window

__all__ = [
    "DecayBackground",
    "FrameChoice",
    "MassPeaks",
    "SpikeCorrection",
    "choose_frames",
    "correct_dead_channels",
    "correct_decay_background",
    "correct_intensity",
    "correct_lines",
    "correct_pile_up",
    "correct_power_law",
    "correct_spikes",
    "correct_time_zero",
    "find_mass_peaks",
    "image_from_window",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DecayBackground": "decays",
        "FrameChoice": "frames",
        "MassPeaks": "masses",
        "SpikeCorrection": "spikes",
        "choose_frames": "frames",
        "correct_dead_channels": "decays",
        "correct_decay_background": "decays",
        "correct_intensity": "intensity",
        "correct_lines": "lines",
        "correct_pile_up": "decays",
        "correct_power_law": "background",
        "correct_spikes": "spikes",
        "correct_time_zero": "decays",
        "find_mass_peaks": "masses",
        "image_from_window": "windows",
    },
)
