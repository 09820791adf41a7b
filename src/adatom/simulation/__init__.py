"""Images and spectral maps with exactly known truth.

============================  =====================================================
``simulate_graphene``         graphene with Si impurities, vacancies, contamination
``simulate_lattice``          any lattice with a stated signal-to-noise ratio
``simulate_flim_map``         decays at every pixel, photon by photon
``simulate_mass_map``         mass spectra at every pixel of a tissue
``simulate_image``            any sites, as a scanning microscope sees them
``simulate_multislice``       any structure, by waves instead of Gaussians (abTEM)
``simulate_reference_image``  six samples by multislice, computed once and kept
``simulate_force_curves``     a map of force curves on an elastic, adhesive sample
``simulate_eels_map``         core losses of six materials with mixed borders
``build_lattice``             sites of a square, hexagonal ... lattice
``build_graphene``            sites of graphene with defects, and its vacancies
``build_grain_boundary``      two grains of graphene that meet
``Simulation``                what the simulations of images give
``FlimSimulation``            what ``simulate_flim_map`` gives
``Decay``                     how the emission of a class dies away
``PhotonTimer``               settings of a counter of photons
``MassSimulation``            what ``simulate_mass_map`` gives
``MassSpectrometer``          settings of a mass spectrometer
``EELSSimulation``            what the simulation of energy-loss spectra gives
``Crystal``                   settings of a lattice
``Flake``                     settings of defective graphene
``Microscope``                settings of the instrument
``MultisliceSimulation``      what the simulations by multislice give
``Optics``                    settings of a microscope whose electrons are waves
``Multislice``                settings of vibrations, slices and grid
``ForceSimulation``           what ``simulate_force_curves`` gives
``Cantilever``                settings of a force curve
``Soft``                      settings of an elastic sample
============================  =====================================================

Structures (``lattices``, ``graphene``, ``boundaries``, ``contamination``) know nothing of
images; the instrument (``scanning``, ``rendering``, ``detection``) knows
nothing of structures; ``images`` joins the two. ``multislice`` joins
waves (``electron_waves``) and the columns of a structure. Spectral maps (``eels``) stand alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
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
    from adatom.simulation.multislice import MultisliceSimulation, simulate_multislice
    from adatom.simulation.optics import Multislice, Optics
    from adatom.simulation.reference_images import simulate_reference_image

__all__ = [
    "Cantilever",
    "Crystal",
    "Decay",
    "EELSSimulation",
    "Flake",
    "FlimSimulation",
    "ForceSimulation",
    "MassSimulation",
    "MassSpectrometer",
    "Microscope",
    "Multislice",
    "MultisliceSimulation",
    "Optics",
    "PhotonTimer",
    "Simulation",
    "Soft",
    "build_grain_boundary",
    "build_graphene",
    "build_lattice",
    "simulate_eels_map",
    "simulate_flim_map",
    "simulate_force_curves",
    "simulate_graphene",
    "simulate_image",
    "simulate_lattice",
    "simulate_mass_map",
    "simulate_multislice",
    "simulate_reference_image",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Cantilever": "force_curves",
        "Crystal": "lattices",
        "Decay": "decays",
        "EELSSimulation": "eels",
        "Flake": "graphene",
        "FlimSimulation": "decays",
        "ForceSimulation": "force_curves",
        "MassSimulation": "masses",
        "MassSpectrometer": "masses",
        "Microscope": "microscope",
        "Multislice": "optics",
        "MultisliceSimulation": "multislice",
        "Optics": "optics",
        "PhotonTimer": "decays",
        "Simulation": "images",
        "Soft": "force_curves",
        "build_grain_boundary": "boundaries",
        "build_graphene": "graphene",
        "build_lattice": "lattices",
        "simulate_eels_map": "eels",
        "simulate_flim_map": "decays",
        "simulate_force_curves": "force_curves",
        "simulate_graphene": "images",
        "simulate_image": "images",
        "simulate_lattice": "images",
        "simulate_mass_map": "masses",
        "simulate_multislice": "multislice",
        "simulate_reference_image": "reference_images",
    },
)
