"""Strain of real crystals: a superlattice of curved planes, and SrTiO3 that has none."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.crystallography import estimate_lattice_parameters, estimate_strain
from adatom.descriptors import neighbor_vectors, sites_from_sublattice
from adatom.io import read_image, read_sites
from adatom.localization import find_atoms, refine_sites
from adatom.schema import Image, Sites, extent, pixel_size, sites_from_positions

DATA = Path(os.environ.get("ADATOM_DATA", "")) / "imaging"
SUPERLATTICE = DATA / "temul/publication_examples/PTO_supercrystal_hadjimichael/data"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _superlattice() -> Image:
    return read_image(SUPERLATTICE / "Cropped_PTO-SRO_Aligned.hspy")


def _columns_of_the_authors(image: Image) -> Sites:
    """Give the A columns that came with the image, refined from their whole pixels."""
    found = read_sites(SUPERLATTICE / "atom_positions1.npy", columns="x, y")
    step = pixel_size(image)[0]
    sites = sites_from_positions(
        found["y"].values * step, found["x"].values * step, unit="nm", extent=extent(image)
    )
    return refine_sites(image, sites)


def _wave(
    sites: Sites, chosen: NDArray[np.bool_], *, shuffled: int | None = None
) -> tuple[complex, float]:
    """Fit one wave of rotation over the width of the image: amplitude (deg), and its error."""
    x, rotation = sites["x"].values[chosen], sites["rotation"].values[chosen].astype(float)
    if shuffled is not None:
        rotation = np.random.default_rng(shuffled).permutation(rotation)
    low, high = sites.attrs["extent"][2:]
    phase = 2 * np.pi * (x - low) / (high - low)
    waves = np.stack([np.cos(phase), np.sin(phase), np.ones_like(phase)], axis=1)
    cosine, sine, _ = np.linalg.lstsq(waves, rotation, rcond=None)[0]
    error = float(np.median(sites["rotation_error"].values[chosen])) * np.sqrt(2 / len(x))
    return complex(cosine, -sine), error


def test_curved_planes_of_a_superlattice_turn_to_and_fro_along_its_layers() -> None:
    image = _superlattice()
    found = estimate_strain(neighbor_vectors(_columns_of_the_authors(image)))
    known = np.isfinite(found["rotation"].values)
    amplitude, error = _wave(found, known)
    # The planes are seen to turn by some 2 deg either way; an error is a third of a degree.
    assert 1.5 < abs(amplitude) < 3.5
    assert abs(amplitude) > 50 * error
    assert abs(amplitude) > 5 * max(abs(_wave(found, known, shuffled=k)[0]) for k in range(100))
    rotation, x = found["rotation"].values[known], found["x"].values[known]
    edges = np.linspace(0, image["x"].values[-1], 13)
    steps = [rotation[(x >= a) & (x < b)].mean() for a, b in pairwise(edges)]
    # From above zero below it, and above it again: to and fro.
    assert steps[0] > 0.3
    assert min(steps[2:6]) < -1.5
    assert steps[-1] > 2


def test_upper_and_lower_layers_turn_together() -> None:
    found = estimate_strain(neighbor_vectors(_columns_of_the_authors(_superlattice())))
    known = np.isfinite(found["rotation"].values)
    upper = found["y"].values < np.median(found["y"].values)
    one, other = (_wave(found, known & part)[0] for part in (upper, ~upper))
    assert abs(np.degrees(np.angle(one / other))) < 20
    assert abs(one) == pytest.approx(abs(other), rel=0.4)


def test_columns_found_by_the_program_turn_as_those_of_the_authors_do() -> None:
    image = _superlattice()
    theirs = estimate_strain(neighbor_vectors(_columns_of_the_authors(image)))
    columns = sites_from_sublattice(find_atoms(image), sublattice=0)
    ours = estimate_strain(neighbor_vectors(columns))
    one, other = (_wave(part, np.isfinite(part["rotation"].values))[0] for part in (theirs, ours))
    assert abs(one - other) < 0.15 * abs(one)
    # At the edge of the frame cut columns made strains of 15 %; none is real.
    assert float(np.nanmax(np.abs(ours["strain_yy"].values))) < 0.1


def test_strontium_titanate_is_strained_by_no_more_than_errors_and_the_scan() -> None:
    image = read_image(DATA / "atomap/history/STO_ADF.hdf5", pixel_size="0.009326 nm")
    atoms = find_atoms(image)
    for sublattice in (0, 1):
        sites = neighbor_vectors(sites_from_sublattice(atoms, sublattice=sublattice))
        strain = estimate_strain(sites)
        for name in ("strain_yy", "strain_xx", "strain_xy", "rotation"):
            known = np.isfinite(strain[name].values)
            score = strain[name].values[known] / strain[f"{name}_error"].values[known]
            # Of pure noise the robust spread is 1; line jitter and slow distortions of the scan,
            # which no single site tells from noise or strain, make up to twice that.
            assert 0.8 < 1.4826 * np.median(np.abs(score)) < 2.5
        cell = estimate_lattice_parameters(sites)
        lengths = [float(cell[name].median("site")) for name in ("lattice_a", "lattice_b")]
        # Along [110]: a / sqrt(2) and a, of a = 0.3905 nm; scales are good to half a percent.
        assert lengths == pytest.approx([0.2761, 0.3905], rel=5e-3)
        assert float(cell["axial_ratio"].median("site")) == pytest.approx(np.sqrt(2), rel=7e-3)
        assert float(cell["lattice_angle"].median("site")) == pytest.approx(90, abs=0.3)
