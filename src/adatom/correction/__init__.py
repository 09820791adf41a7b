"""Pictures and spectra as recorded -> ready to analyze.

=============================  ===============================================
``choose_frames``              leave out the frames of a movie that cannot be used
``register_frames``            bring frames onto one another: whole, by lattice, by lines
``mean_from_frames``           average frames, each place over those that show it
``estimate_dose``              the dose of every frame, and the sum so far
``correct_lines``              level the lines and the tilt of a scan
``choose_channels``            keep a span of the measured axis
``correct_axis``               calibrate the measured axis by scale and offset
``correct_axis_by_feature``    shift it so that a known line or edge lies right
``correct_sampling``           bring it to equal steps
``bins_from_channels``         join neighboring channels
``bins_from_pixels``           join squares of neighboring pixels
``correct_spikes``             replace channels struck by cosmic rays
``correct_stuck_channels``     replace channels that have one value in all rows
``correct_dead_channels``      replace channels of a counter that count too little
``correct_pile_up``            give back photons that came second
``correct_time_zero``          count time from the pulse
``find_mass_peaks``            masses that show, and each peak summed at every place
``correct_probe_tails``        take off the tails of bright columns
``correct_dead_pixels``        set aside pixels that do not measure
``correct_power_law``          take off the background below an edge of EELS
``correct_baseline``           take off what varies slowly below lines
``correct_intensity``          bring all spectra to one intensity
``correct_decay_background``   take off the counts before the pulse
``correct_outlier_spectra``    take out spectra many times too strong
``correct_saturation``         take out samples at the end of a converter's range
``mean_from_sweeps``           join the sweep there and the sweep back
``correct_zero_bias``          take off the current at zero bias
``conductance_from_current``   differentiate current by bias
``correct_lock_in``            scale a lock-in signal to dI/dV
``density_from_conductance``   divide dI/dV by I/V
``correct_deflection``         force curves in nm and nN from volts
``correct_force_baseline``     force curves zero where the cantilever is free
``correct_separation``         tip-sample separation of force curves
``scaled_from_counts``         make the noise of counts white by means, and
``counts_from_scaled``         back
``roots_from_counts``          make the noise of counts equal by roots, and
``counts_from_roots``          back, without bias
``estimate_zero_loss``         where the zero loss of every spectrum lies
``correct_shifts``             move every spectrum by its own offset
``correct_zero_loss``          both, the core-loss map moved along
``estimate_thickness``         thickness in mean free paths, from low losses
``correct_thickness``          divide by it
``correct_plural_scattering``  Fourier-log and Fourier-ratio deconvolution
``image_from_window``          the map of an element, a band or a mass
``DecayBackground``            what ``correct_decay_background`` gives
``MassPeaks``                  what ``find_mass_peaks`` gives
``find_edges``                 which edges of EELS there may be
``maps_from_edges``            maps of elements from edges, with errors
``find_lines``                 which X-ray lines there may be
``maps_from_lines``            maps of elements from lines, with errors
``mask_from_image``            the pixels above a threshold, given or found
``features_from_mask``         the spectra within a mask
``FrameChoice``                what ``choose_frames`` gives
``Registration``               what ``register_frames`` gives
``FrameMean``                  what ``mean_from_frames`` gives
``SpikeCorrection``            what ``correct_spikes`` gives
``BaselineCorrection``         what ``correct_baseline`` gives
``DeadPixelCorrection``        what ``correct_dead_pixels`` gives
``ScaledCounts``               what ``scaled_from_counts`` gives
``ZeroLossCorrection``         what ``correct_zero_loss`` gives
``ElementMaps``                what ``maps_from_edges`` and ``maps_from_lines`` give
``mask_from_classes``          where windows are of some classes -> mask
=============================  ===============================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.correction.axes import (
        choose_channels,
        correct_axis,
        correct_axis_by_feature,
        correct_sampling,
    )
    from adatom.correction.background import correct_power_law
    from adatom.correction.baseline import BaselineCorrection, correct_baseline
    from adatom.correction.binning import bins_from_channels, bins_from_pixels
    from adatom.correction.conductance import (
        Conductance,
        conductance_from_current,
        density_from_conductance,
    )
    from adatom.correction.counts import (
        ScaledCounts,
        counts_from_roots,
        counts_from_scaled,
        roots_from_counts,
        scaled_from_counts,
    )
    from adatom.correction.dead import (
        DeadPixelCorrection,
        correct_dead_pixels,
        correct_stuck_channels,
    )
    from adatom.correction.decays import (
        DecayBackground,
        correct_dead_channels,
        correct_decay_background,
        correct_pile_up,
        correct_time_zero,
    )
    from adatom.correction.dose import estimate_dose
    from adatom.correction.edge_maps import maps_from_edges
    from adatom.correction.edge_search import find_edges
    from adatom.correction.element_maps import ElementMaps
    from adatom.correction.force_curves import (
        ForceBaselineCorrection,
        correct_deflection,
        correct_force_baseline,
        correct_separation,
    )
    from adatom.correction.frame_means import FrameMean, mean_from_frames
    from adatom.correction.frames import FrameChoice, choose_frames
    from adatom.correction.intensity import correct_intensity, correct_thickness
    from adatom.correction.line_maps import maps_from_lines
    from adatom.correction.line_search import find_lines
    from adatom.correction.lines import correct_lines
    from adatom.correction.masks import features_from_mask, mask_from_classes, mask_from_image
    from adatom.correction.masses import MassPeaks, find_mass_peaks
    from adatom.correction.outliers import OutlierCorrection, correct_outlier_spectra
    from adatom.correction.plural_scattering import correct_plural_scattering, estimate_thickness
    from adatom.correction.probe_tails import correct_probe_tails
    from adatom.correction.registration import Registration, register_frames
    from adatom.correction.saturation import SaturationCorrection, correct_saturation
    from adatom.correction.shifts import correct_shifts
    from adatom.correction.spikes import SpikeCorrection, correct_spikes
    from adatom.correction.sweeps import SweepMean, mean_from_sweeps
    from adatom.correction.windows import image_from_window
    from adatom.correction.zero_bias import (
        LockInCorrection,
        ZeroBiasCorrection,
        correct_lock_in,
        correct_zero_bias,
    )
    from adatom.correction.zero_loss import (
        ZeroLossCorrection,
        correct_zero_loss,
        estimate_zero_loss,
    )

__all__ = [
    "BaselineCorrection",
    "Conductance",
    "DeadPixelCorrection",
    "DecayBackground",
    "ElementMaps",
    "ForceBaselineCorrection",
    "FrameChoice",
    "FrameMean",
    "LockInCorrection",
    "MassPeaks",
    "OutlierCorrection",
    "Registration",
    "SaturationCorrection",
    "ScaledCounts",
    "SpikeCorrection",
    "SweepMean",
    "ZeroBiasCorrection",
    "ZeroLossCorrection",
    "bins_from_channels",
    "bins_from_pixels",
    "choose_channels",
    "choose_frames",
    "conductance_from_current",
    "correct_axis",
    "correct_axis_by_feature",
    "correct_baseline",
    "correct_dead_channels",
    "correct_dead_pixels",
    "correct_decay_background",
    "correct_deflection",
    "correct_force_baseline",
    "correct_intensity",
    "correct_lines",
    "correct_lock_in",
    "correct_outlier_spectra",
    "correct_pile_up",
    "correct_plural_scattering",
    "correct_power_law",
    "correct_probe_tails",
    "correct_sampling",
    "correct_saturation",
    "correct_separation",
    "correct_shifts",
    "correct_spikes",
    "correct_stuck_channels",
    "correct_thickness",
    "correct_time_zero",
    "correct_zero_bias",
    "correct_zero_loss",
    "counts_from_roots",
    "counts_from_scaled",
    "density_from_conductance",
    "estimate_dose",
    "estimate_thickness",
    "estimate_zero_loss",
    "features_from_mask",
    "find_edges",
    "find_lines",
    "find_mass_peaks",
    "image_from_window",
    "maps_from_edges",
    "maps_from_lines",
    "mask_from_classes",
    "mask_from_image",
    "mean_from_frames",
    "mean_from_sweeps",
    "register_frames",
    "roots_from_counts",
    "scaled_from_counts",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BaselineCorrection": "baseline",
        "Conductance": "conductance",
        "DeadPixelCorrection": "dead",
        "DecayBackground": "decays",
        "ElementMaps": "element_maps",
        "ForceBaselineCorrection": "force_curves",
        "FrameChoice": "frames",
        "FrameMean": "frame_means",
        "LockInCorrection": "zero_bias",
        "MassPeaks": "masses",
        "OutlierCorrection": "outliers",
        "Registration": "registration",
        "SaturationCorrection": "saturation",
        "ScaledCounts": "counts",
        "SpikeCorrection": "spikes",
        "SweepMean": "sweeps",
        "ZeroBiasCorrection": "zero_bias",
        "ZeroLossCorrection": "zero_loss",
        "bins_from_channels": "binning",
        "bins_from_pixels": "binning",
        "choose_channels": "axes",
        "choose_frames": "frames",
        "conductance_from_current": "conductance",
        "correct_axis": "axes",
        "correct_axis_by_feature": "axes",
        "correct_baseline": "baseline",
        "correct_dead_channels": "decays",
        "correct_dead_pixels": "dead",
        "correct_decay_background": "decays",
        "correct_deflection": "force_curves",
        "correct_force_baseline": "force_curves",
        "correct_intensity": "intensity",
        "correct_lines": "lines",
        "correct_lock_in": "zero_bias",
        "correct_outlier_spectra": "outliers",
        "correct_pile_up": "decays",
        "correct_plural_scattering": "plural_scattering",
        "correct_power_law": "background",
        "correct_probe_tails": "probe_tails",
        "correct_sampling": "axes",
        "correct_saturation": "saturation",
        "correct_separation": "force_curves",
        "correct_shifts": "shifts",
        "correct_spikes": "spikes",
        "correct_stuck_channels": "dead",
        "correct_thickness": "intensity",
        "correct_time_zero": "decays",
        "correct_zero_bias": "zero_bias",
        "correct_zero_loss": "zero_loss",
        "counts_from_roots": "counts",
        "counts_from_scaled": "counts",
        "density_from_conductance": "conductance",
        "estimate_dose": "dose",
        "estimate_thickness": "plural_scattering",
        "estimate_zero_loss": "zero_loss",
        "features_from_mask": "masks",
        "find_edges": "edge_search",
        "find_lines": "line_search",
        "find_mass_peaks": "masses",
        "image_from_window": "windows",
        "maps_from_edges": "edge_maps",
        "maps_from_lines": "line_maps",
        "mask_from_classes": "masks",
        "mask_from_image": "masks",
        "mean_from_frames": "frame_means",
        "mean_from_sweeps": "sweeps",
        "register_frames": "registration",
        "roots_from_counts": "counts",
        "scaled_from_counts": "counts",
    },
)
