"""Images and spectral maps with exactly known truth.

================================  =========================================================
``simulate_graphene``             graphene with Si impurities, vacancies, contamination
``simulate_lattice``              any lattice with a stated signal-to-noise ratio
``simulate_defect_movie``         a sheet that the beam damages, frame by frame
``simulate_flim_map``             decays at every pixel, photon by photon
``simulate_mass_map``             mass spectra at every pixel of a tissue
``simulate_image``                any sites, as a scanning microscope sees them
``simulate_force_curves``         a map of force curves on an elastic, adhesive sample
``simulate_eels_map``             core losses of six materials with mixed borders
``simulate_training_image``       one image of an endless labeled stream to train on
``training_image_from_manifest``  the same image again
``build_lattice``                 sites of a square, hexagonal, perovskite ... lattice
``sites_from_structure``          columns of any structure, as of a CIF, seen along an axis
``build_graphene``                sites of graphene with defects, and its vacancies
``build_grain_boundary``          two grains of graphene that meet
``Simulation``                    what the simulations of images give
``LabeledImage``                  what ``simulate_training_image`` gives
``TrainingImages``                settings of the stream
``FlimSimulation``                what ``simulate_flim_map`` gives
``Decay``                         how the emission of a class dies away
``PhotonTimer``                   settings of a counter of photons
``MassSimulation``                what ``simulate_mass_map`` gives
``MassSpectrometer``              settings of a mass spectrometer
``EELSSimulation``                what the simulation of energy-loss spectra gives
``DefectMovie``                   what ``simulate_defect_movie`` gives
``BeamDamage``                    settings of what the beam does
``Crystal``                       settings of a lattice
``Flake``                         settings of defective graphene
``Microscope``                    settings of the instrument
``ForceSimulation``               what ``simulate_force_curves`` gives
``Cantilever``                    settings of a force curve
``Soft``                          settings of an elastic sample
================================  =========================================================

Structures (``cells``, ``crystals``, ``lattices``, ``projection``, ``graphene``, ``boundaries``,
``contamination``) know nothing of images; the instrument (``scanning``, ``rendering``,
``detection``) knows nothing of structures; ``images`` joins the two. The stream to train on
(``training_images``) draws all of it at random: ``random_samples``, ``random_junk``,
``random_instruments``. Spectral maps (``eels``)
stand alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.simulation.beam_damage import BeamDamage, DefectMovie, simulate_defect_movie
    from adatom.simulation.boundaries import build_grain_boundary
    from adatom.simulation.decays import Decay, FlimSimulation, PhotonTimer, simulate_flim_map
    from adatom.simulation.eels import EELSSimulation, simulate_eels_map
    from adatom.simulation.force_curves import (
        Cantilever,
        ForceSimulation,
        Soft,
        simulate_force_curves,
    )
    from adatom.simulation.graphene import Flake, build_graphene
    from adatom.simulation.images import (
        Simulation,
        simulate_graphene,
        simulate_image,
        simulate_lattice,
    )
    from adatom.simulation.lattices import Crystal, build_lattice
    from adatom.simulation.masses import MassSimulation, MassSpectrometer, simulate_mass_map
    from adatom.simulation.microscope import Microscope
    from adatom.simulation.projection import sites_from_structure
    from adatom.simulation.training_images import (
        LabeledImage,
        TrainingImages,
        simulate_training_image,
        training_image_from_manifest,
    )

__all__ = [
    "BeamDamage",
    "Cantilever",
    "Crystal",
    "Decay",
    "DefectMovie",
    "EELSSimulation",
    "Flake",
    "FlimSimulation",
    "ForceSimulation",
    "LabeledImage",
    "MassSimulation",
    "MassSpectrometer",
    "Microscope",
    "PhotonTimer",
    "Simulation",
    "Soft",
    "TrainingImages",
    "build_grain_boundary",
    "build_graphene",
    "build_lattice",
    "simulate_defect_movie",
    "simulate_eels_map",
    "simulate_flim_map",
    "simulate_force_curves",
    "simulate_graphene",
    "simulate_image",
    "simulate_lattice",
    "simulate_mass_map",
    "simulate_training_image",
    "sites_from_structure",
    "training_image_from_manifest",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BeamDamage": "beam_damage",
        "Cantilever": "force_curves",
        "Crystal": "lattices",
        "Decay": "decays",
        "DefectMovie": "beam_damage",
        "EELSSimulation": "eels",
        "Flake": "graphene",
        "FlimSimulation": "decays",
        "ForceSimulation": "force_curves",
        "LabeledImage": "training_images",
        "MassSimulation": "masses",
        "MassSpectrometer": "masses",
        "Microscope": "microscope",
        "PhotonTimer": "decays",
        "Simulation": "images",
        "Soft": "force_curves",
        "TrainingImages": "training_images",
        "build_grain_boundary": "boundaries",
        "build_graphene": "graphene",
        "build_lattice": "lattices",
        "simulate_defect_movie": "beam_damage",
        "simulate_eels_map": "eels",
        "simulate_flim_map": "decays",
        "simulate_force_curves": "force_curves",
        "simulate_graphene": "images",
        "simulate_image": "images",
        "simulate_lattice": "images",
        "simulate_mass_map": "masses",
        "simulate_training_image": "training_images",
        "sites_from_structure": "projection",
        "training_image_from_manifest": "training_images",
    },
)
