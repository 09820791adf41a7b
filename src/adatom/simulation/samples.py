"""Images of a crystal or a structure with everything that may be wrong with it, in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from adatom.errors import SettingError
from adatom.schema import STRUCTURE, Sites, Structure, add_note
from adatom.simulation.disorder import Disorder, apply_disorder
from adatom.simulation.edges import Edges, apply_edges
from adatom.simulation.grains import Grains, build_grains
from adatom.simulation.images import Simulation, margin_of, simulate_image
from adatom.simulation.lattices import Crystal, build_lattice
from adatom.simulation.microscope import Microscope
from adatom.simulation.projection import sites_from_structure
from adatom.simulation.strain import Strain, apply_strain
from adatom.units import Length, length_from_setting

# A strained crystal reaches beyond the image by this share of it besides the strain itself,
# room for waves and dislocations.
_ROOM: Final = 0.15


@dataclass(frozen=True)
class Sample:
    """A crystal and what is wrong with it.

    Attributes
    ----------
    crystal : Crystal
        Used where no structure is given; "1 d" is the true spacing of a material.
    grains : Grains, optional
        Cut the crystal into grains, or make a twin of it.
    zone_axis : tuple of three int
        Along which a structure is seen.
    rotation : float
        Of a structure, in deg, from +x towards +y.
    periods : int
        Thickness of a structure, in periods along the beam.
    strain : Strain, optional
        First the crystal is strained,
    edges : Edges, optional
        then cut,
    disorder : Disorder, optional
        then point defects are put into it; nothing is wrong with it by default.
    """

    crystal: Crystal = Crystal("tmd", spacing="1 d")  # noqa: RUF009 -- frozen
    grains: Grains | None = None
    zone_axis: tuple[int, int, int] = (0, 0, 1)
    rotation: float = 7.0
    periods: int = 1
    strain: Strain | None = None
    edges: Edges | None = None
    disorder: Disorder | None = None


def simulate_sample(
    structure: Structure | None = None,
    /,
    *,
    sample: Sample = Sample(),
    size: int = 512,
    field: Length = "6 nm",
    microscope: Microscope = Microscope(),  # noqa: B008 -- frozen
    contamination: float = 0.0,
    seed: int = 0,
) -> Simulation:
    """Simulate a dark-field image of a crystal or structure with defects.

    Parameters
    ----------
    structure : Structure, optional
        Such as `io.read_structure` gives; left out, the crystal of the sample.
    sample : Sample
        The crystal, and what is wrong with it.
    size : int
        Rows and columns of the image.
    field : length
        Height and width of the image, in nm.
    microscope : Microscope
        Probe, scan and detector. Its electrons are those of one carbon atom: give
        fewer for heavy or thick samples.
    contamination : float
        Share of the image that lies under amorphous carbon.
    seed : int
        Of everything random. Crystal, strain, edges, disorder and image
        have streams of their own: another of them leaves the rest as it is.

    Returns
    -------
    Simulation
        ``image``, ``truth``, ``clean``, ``vacancies`` and ``expected``.

    Raises
    ------
    SettingError
        If a setting makes no sample or no image.

    Examples
    --------
    >>> simulation = simulate_sample(size=128, field="2 nm", seed=1)
    >>> sorted(set(simulation.truth["sublattice"].values.tolist()))
    [0, 1]
    """
    if structure is not None:
        STRUCTURE.check(structure)
    _refuse_unused(sample, structure)
    length = length_from_setting(field, unit="nm", name="field")
    if size < 2 or not length > 0:
        msg = f"{size=} and {field=} make no image: take 2 pixels or more and a positive length"
        raise SettingError(msg)
    seeds = np.random.SeedSequence(seed).generate_state(5).tolist()
    sites = _perfect(structure, sample, length, microscope, seeds[0])
    if sample.strain is not None:
        sites = apply_strain(sites, strain=sample.strain, seed=seeds[1])
    if sample.edges is not None:
        sites = apply_edges(sites, edges=sample.edges, seed=seeds[2])
    vacancies = None
    if sample.disorder is not None:
        sites, vacancies = apply_disorder(sites, disorder=sample.disorder, seed=seeds[3])
    simulation = simulate_image(
        sites,
        vacancies,
        shape=(size, size),
        pixel_size=f"{length / size!r} nm",
        microscope=microscope,
        contamination=contamination,
        seed=seeds[4],
    )
    name = sample.crystal.lattice if structure is None else _formula(structure)
    for image in (simulation.image, simulation.expected):
        add_note(image, f"simulated: {name}, {seed=}")
    return simulation


def _refuse_unused(sample: Sample, structure: Structure | None) -> None:
    """Refuse what would be passed over: settings of a crystal with a structure, or without."""
    plain = Sample()
    names = ("zone_axis", "rotation", "periods") if structure is None else ("crystal", "grains")
    for name in names:
        if getattr(sample, name) != getattr(plain, name):
            owner = "a structure" if structure is None else "a crystal by name"
            given = "no structure" if structure is None else "a structure"
            msg = f"setting {name!r} is for {owner}, here {given} is given: leave it out"
            raise SettingError(msg)


def _perfect(
    structure: Structure | None,
    sample: Sample,
    length: float,
    microscope: Microscope,
    seed: int,
) -> Sites:
    field = (length, length)
    margin = margin_of(microscope, length)
    if sample.strain is not None:
        even = max(abs(value) for value in (sample.strain.xx, sample.strain.yy, sample.strain.xy))
        margin += length * (even + _ROOM)
    if structure is not None:
        return sites_from_structure(
            structure,
            zone_axis=sample.zone_axis,
            rotation=sample.rotation,
            field=field,
            margin=margin,
            periods=sample.periods,
        )
    if sample.grains is not None:
        return build_grains(
            crystal=sample.crystal,
            grains=sample.grains,
            field=field,
            unit="nm",
            margin=margin,
            seed=seed,
        )
    return build_lattice(crystal=sample.crystal, field=field, unit="nm", margin=margin, seed=seed)


def _formula(structure: Structure) -> str:
    return str(structure.get_chemical_formula())  # type: ignore[no-untyped-call]
