"""Pictures and spectra as recorded -> ready to analyse.

==========================  =================================================
``choose_frames``           leave out the frames of a movie that cannot be used
``correct_lines``           level the lines and the tilt of a scan
``correct_spikes``          replace channels struck by cosmic rays
``correct_power_law``       take off the background below an edge of EELS
``correct_intensity``       bring all spectra to one intensity
``correct_outlier_spectra`` take out spectra many times too strong
``correct_saturation``      take out samples at the end of a converter's range
``mean_from_sweeps``        join the sweep there and the sweep back
``correct_zero_bias``       take off the current at zero bias
``conductance_from_current`` differentiate current by bias
``correct_lock_in``         scale a lock-in signal to dI/dV
``density_from_conductance`` divide dI/dV by I/V
``correct_deflection``      force curves in nm and nN from volts
``correct_force_baseline``  force curves zero where the cantilever is free
``correct_separation``      tip-sample separation of force curves
``image_from_window``       the map of an element, a band or a mass
``FrameChoice``             what ``choose_frames`` gives
``SpikeCorrection``         what ``correct_spikes`` gives
==========================  =================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.correction.background import correct_power_law
    from adatom.correction.conductance import (
        Conductance,
        conductance_from_current,
        density_from_conductance,
    )
    from adatom.correction.force_curves import (
        ForceBaselineCorrection,
        correct_deflection,
        correct_force_baseline,
        correct_separation,
    )
    from adatom.correction.frames import FrameChoice, choose_frames
    from adatom.correction.intensity import correct_intensity
    from adatom.correction.lines import correct_lines
    from adatom.correction.outliers import OutlierCorrection, correct_outlier_spectra
    from adatom.correction.saturation import SaturationCorrection, correct_saturation
    from adatom.correction.spikes import SpikeCorrection, correct_spikes
    from adatom.correction.sweeps import SweepMean, mean_from_sweeps
    from adatom.correction.windows import image_from_window
    from adatom.correction.zero_bias import (
        LockInCorrection,
        ZeroBiasCorrection,
        correct_lock_in,
        correct_zero_bias,
    )

__all__ = [
    "Conductance",
    "ForceBaselineCorrection",
    "FrameChoice",
    "LockInCorrection",
    "OutlierCorrection",
    "SaturationCorrection",
    "SpikeCorrection",
    "SweepMean",
    "ZeroBiasCorrection",
    "choose_frames",
    "conductance_from_current",
    "correct_deflection",
    "correct_force_baseline",
    "correct_intensity",
    "correct_lines",
    "correct_lock_in",
    "correct_outlier_spectra",
    "correct_power_law",
    "correct_saturation",
    "correct_separation",
    "correct_spikes",
    "correct_zero_bias",
    "density_from_conductance",
    "image_from_window",
    "mean_from_sweeps",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Conductance": "conductance",
        "ForceBaselineCorrection": "force_curves",
        "FrameChoice": "frames",
        "LockInCorrection": "zero_bias",
        "OutlierCorrection": "outliers",
        "SaturationCorrection": "saturation",
        "SpikeCorrection": "spikes",
        "SweepMean": "sweeps",
        "ZeroBiasCorrection": "zero_bias",
        "choose_frames": "frames",
        "conductance_from_current": "conductance",
        "correct_deflection": "force_curves",
        "correct_force_baseline": "force_curves",
        "correct_intensity": "intensity",
        "correct_lines": "lines",
        "correct_lock_in": "zero_bias",
        "correct_outlier_spectra": "outliers",
        "correct_power_law": "background",
        "correct_saturation": "saturation",
        "correct_separation": "force_curves",
        "correct_spikes": "spikes",
        "correct_zero_bias": "zero_bias",
        "density_from_conductance": "conductance",
        "image_from_window": "windows",
        "mean_from_sweeps": "sweeps",
    },
)
