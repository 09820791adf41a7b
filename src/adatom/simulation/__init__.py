"""Images and spectral maps with exactly known truth.

================================  ================================================================
``simulate_graphene``             graphene with Si impurities, vacancies, contamination
``simulate_lattice``              any lattice with a stated signal-to-noise ratio
``simulate_flim_map``             decays at every pixel, photon by photon
``simulate_mass_map``             mass spectra at every pixel of a tissue
``simulate_image``                any sites, as a scanning microscope sees them
``simulate_force_curves``         a map of force curves on an elastic, adhesive sample
``simulate_eels_map``             core losses of six materials with mixed borders
``simulate_training_image``       one image of an endless labeled stream to train on
``simulate_particle_image``       the same for rods, triangles ... that point anywhere
``training_image_from_manifest``  the same image again
``build_lattice``                 sites of a square, hexagonal, perovskite ... lattice
``sites_from_structure``          columns of any structure, as of a CIF, seen along an axis
``build_graphene``                sites of graphene with defects, and its vacancies
``build_grain_boundary``          two grains of graphene that meet
``Simulation``                    what the simulations of images give
``LabeledImage``                  what ``simulate_training_image`` gives
``ParticleImages``                settings of the stream of particles
``TrainingImages``                settings of the stream
``FlimSimulation``                what ``simulate_flim_map`` gives
``Decay``                         how the emission of a class dies away
``PhotonTimer``                   settings of a counter of photons
``MassSimulation``                what ``simulate_mass_map`` gives
``MassSpectrometer``              settings of a mass spectrometer
``EELSSimulation``                what the simulation of energy-loss spectra gives
``Crystal``                       settings of a lattice
``Flake``                         settings of defective graphene
``Microscope``                    settings of the instrument
``ForceSimulation``               what ``simulate_force_curves`` gives
``Cantilever``                    settings of a force curve
``Soft``                          settings of an elastic sample
``simulate_sample``               any crystal or structure, with defects, in one call
``build_grains``                  grains or twins of any lattice
``build_bilayer``                 two sheets, twisted or unlike
``apply_disorder``                vacancies, substitutions, adatoms ... of any sites
``apply_strain``                  even and wavy strain, and dislocations
``apply_edges``                   edges and holes
``columns_from_sites``            one column of what lies over one another
``Disorder``                      settings of point defects
``Disordered``                    what ``apply_disorder`` gives
``Strain``                        settings of a strain
``Edges``                         settings of edges and holes
``Sample``                        settings of ``simulate_sample``
``Grains``                        settings of grains and twins
``simulate_multislice``           any structure, by waves instead of Gaussians (abTEM)
``simulate_reference_image``      six samples by multislice, computed once and kept
``MultisliceSimulation``          what the simulations by multislice give
``Optics``                        settings of a microscope whose electrons are waves
``Multislice``                    settings of vibrations, slices and grid
``simulate_defect_movie``         a sheet that the beam damages, frame by frame
``DefectMovie``                   what ``simulate_defect_movie`` gives
``BeamDamage``                    settings of what the beam does
``build_oxide``                   columns of a disordered Mo-V-Ta-Te oxide of two phases
``simulate_oxide``                an image of that, and the phase of every pixel
``OxideSimulation``               what ``simulate_oxide`` gives
``Oxide``                         settings of the oxide
``build_film``                    a ferroic film with domains on a substrate
``simulate_film``                 a ferroic film, its cells, and a map as drawn by hand
``FilmSimulation``                what ``simulate_film`` gives
``Film``                          settings of a ferroic film
``simulate_kinetics``             defects that hop, turn and change on a lattice, exactly
``KineticSimulation``             what ``simulate_kinetics`` gives
``Kinetics``                      settings of rates
``simulate_brownian``             free particles as a tracker finds them
``Brownian``                      settings of free particles
``simulate_kinetic_movie``        a sheet whose defects hop, turn and change at known rates
``KineticMovie``                  what ``simulate_kinetic_movie`` gives
``DefectiveSheet``                settings of the sheet and its movie
``SheetDefect``                   settings of what a class of defects does to columns
``simulate_edge_movie``           foreign atoms that change their states on an edge of graphene
``EdgeMovie``                     what ``simulate_edge_movie`` gives
``EdgeSheet``                     settings of the sheet, its edge and its movie
``EdgeState``                     settings of a state of a foreign atom
``plan_movie``                    how many frames and defects a result asks for
``PlannedMovie``                  settings of a movie that is planned
================================  ================================================================

Structures (``cells``, ``crystals``, ``lattices``, ``projection``, ``gathering``, ``columns``,
``disorder``, ``strain``, ``grains``, ``edges``, ``layers``, ``graphene``, ``boundaries``,
``contamination``) know nothing of images; the instrument (``scanning``, ``rendering``,
``detection``) knows nothing of structures; ``images`` and ``samples`` join the two. The stream to
train on (``training_images``) draws all of it at random: ``random_samples``, ``random_junk``,
``random_instruments``. Multislice (``multislice``, ``reference_images``) stands on abTEM.
Spectral maps (``eels``) stand alone. Movies of known kinetics: ``kinetics`` (rates),
``kinetic_places``, ``kinetic_events`` (Monte Carlo), ``kinetic_sites``; ``sheet_defects`` draws
them into columns, ``kinetic_movies`` makes images of these; ``edge_states`` and ``edge_movies``
do so for an edge; ``movie_plans`` plans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.simulation.beam_damage import BeamDamage, DefectMovie, simulate_defect_movie
    from adatom.simulation.boundaries import build_grain_boundary
    from adatom.simulation.brownian import Brownian, simulate_brownian
    from adatom.simulation.decays import Decay, FlimSimulation, PhotonTimer, simulate_flim_map
    from adatom.simulation.disorder import Disorder, Disordered, apply_disorder
    from adatom.simulation.edge_movies import EdgeMovie, simulate_edge_movie
    from adatom.simulation.edge_states import EdgeSheet, EdgeState
    from adatom.simulation.edges import Edges, apply_edges
    from adatom.simulation.eels import EELSSimulation, simulate_eels_map
    from adatom.simulation.film_images import FilmSimulation, simulate_film
    from adatom.simulation.films import Film, build_film
    from adatom.simulation.force_curves import (
        Cantilever,
        ForceSimulation,
        Soft,
        simulate_force_curves,
    )
    from adatom.simulation.grains import Grains, build_grains
    from adatom.simulation.graphene import Flake, build_graphene
    from adatom.simulation.images import (
        Simulation,
        simulate_graphene,
        simulate_image,
        simulate_lattice,
    )
    from adatom.simulation.kinetic_movies import KineticMovie, simulate_kinetic_movie
    from adatom.simulation.kinetic_sites import KineticSimulation, simulate_kinetics
    from adatom.simulation.kinetics import Kinetics
    from adatom.simulation.lattices import Crystal, build_lattice
    from adatom.simulation.layers import build_bilayer, columns_from_sites
    from adatom.simulation.masses import MassSimulation, MassSpectrometer, simulate_mass_map
    from adatom.simulation.microscope import Microscope
    from adatom.simulation.movie_plans import PlannedMovie, plan_movie
    from adatom.simulation.multislice import MultisliceSimulation, simulate_multislice
    from adatom.simulation.optics import Multislice, Optics
    from adatom.simulation.oxide_images import OxideSimulation, simulate_oxide
    from adatom.simulation.oxides import Oxide, build_oxide
    from adatom.simulation.particle_images import ParticleImages, simulate_particle_image
    from adatom.simulation.projection import sites_from_structure
    from adatom.simulation.reference_images import simulate_reference_image
    from adatom.simulation.samples import Sample, simulate_sample
    from adatom.simulation.sheet_defects import DefectiveSheet, SheetDefect
    from adatom.simulation.strain import Strain, apply_strain
    from adatom.simulation.training_images import (
        LabeledImage,
        TrainingImages,
        simulate_training_image,
        training_image_from_manifest,
    )

__all__ = [
    "BeamDamage",
    "Brownian",
    "Cantilever",
    "Crystal",
    "Decay",
    "DefectMovie",
    "DefectiveSheet",
    "Disorder",
    "Disordered",
    "EELSSimulation",
    "EdgeMovie",
    "EdgeSheet",
    "EdgeState",
    "Edges",
    "Film",
    "FilmSimulation",
    "Flake",
    "FlimSimulation",
    "ForceSimulation",
    "Grains",
    "KineticMovie",
    "KineticSimulation",
    "Kinetics",
    "LabeledImage",
    "MassSimulation",
    "MassSpectrometer",
    "Microscope",
    "Multislice",
    "MultisliceSimulation",
    "Optics",
    "Oxide",
    "OxideSimulation",
    "ParticleImages",
    "PhotonTimer",
    "PlannedMovie",
    "Sample",
    "SheetDefect",
    "Simulation",
    "Soft",
    "Strain",
    "TrainingImages",
    "apply_disorder",
    "apply_edges",
    "apply_strain",
    "build_bilayer",
    "build_film",
    "build_grain_boundary",
    "build_grains",
    "build_graphene",
    "build_lattice",
    "build_oxide",
    "columns_from_sites",
    "plan_movie",
    "simulate_brownian",
    "simulate_defect_movie",
    "simulate_edge_movie",
    "simulate_eels_map",
    "simulate_film",
    "simulate_flim_map",
    "simulate_force_curves",
    "simulate_graphene",
    "simulate_image",
    "simulate_kinetic_movie",
    "simulate_kinetics",
    "simulate_lattice",
    "simulate_mass_map",
    "simulate_multislice",
    "simulate_oxide",
    "simulate_particle_image",
    "simulate_reference_image",
    "simulate_sample",
    "simulate_training_image",
    "sites_from_structure",
    "training_image_from_manifest",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "PlannedMovie": "movie_plans",
        "plan_movie": "movie_plans",
        "SheetDefect": "sheet_defects",
        "DefectiveSheet": "sheet_defects",
        "KineticMovie": "kinetic_movies",
        "simulate_kinetic_movie": "kinetic_movies",
        "Brownian": "brownian",
        "simulate_brownian": "brownian",
        "Kinetics": "kinetics",
        "KineticSimulation": "kinetic_sites",
        "simulate_kinetics": "kinetic_sites",
        "BeamDamage": "beam_damage",
        "Cantilever": "force_curves",
        "Crystal": "lattices",
        "Decay": "decays",
        "DefectMovie": "beam_damage",
        "Disorder": "disorder",
        "Disordered": "disorder",
        "EELSSimulation": "eels",
        "EdgeMovie": "edge_movies",
        "EdgeSheet": "edge_states",
        "EdgeState": "edge_states",
        "Edges": "edges",
        "Film": "films",
        "FilmSimulation": "film_images",
        "Flake": "graphene",
        "FlimSimulation": "decays",
        "ForceSimulation": "force_curves",
        "Grains": "grains",
        "LabeledImage": "training_images",
        "MassSimulation": "masses",
        "MassSpectrometer": "masses",
        "Microscope": "microscope",
        "Multislice": "optics",
        "MultisliceSimulation": "multislice",
        "Optics": "optics",
        "Oxide": "oxides",
        "OxideSimulation": "oxide_images",
        "ParticleImages": "particle_images",
        "PhotonTimer": "decays",
        "Sample": "samples",
        "Simulation": "images",
        "Soft": "force_curves",
        "Strain": "strain",
        "TrainingImages": "training_images",
        "apply_disorder": "disorder",
        "apply_edges": "edges",
        "apply_strain": "strain",
        "build_bilayer": "layers",
        "build_film": "films",
        "build_grain_boundary": "boundaries",
        "build_grains": "grains",
        "build_graphene": "graphene",
        "build_lattice": "lattices",
        "build_oxide": "oxides",
        "columns_from_sites": "layers",
        "simulate_defect_movie": "beam_damage",
        "simulate_edge_movie": "edge_movies",
        "simulate_eels_map": "eels",
        "simulate_film": "film_images",
        "simulate_flim_map": "decays",
        "simulate_force_curves": "force_curves",
        "simulate_graphene": "images",
        "simulate_image": "images",
        "simulate_lattice": "images",
        "simulate_mass_map": "masses",
        "simulate_multislice": "multislice",
        "simulate_oxide": "oxide_images",
        "simulate_particle_image": "particle_images",
        "simulate_reference_image": "reference_images",
        "simulate_sample": "samples",
        "simulate_training_image": "training_images",
        "sites_from_structure": "projection",
        "training_image_from_manifest": "training_images",
    },
)
