"""All places of a crystal: sublattices by position, intensities without a finder's bias."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.clustering import find_outliers
from adatom.descriptors import features_from_sites, sites_from_sublattice
from adatom.errors import NoLatticeError, SettingError, TooFewSitesError
from adatom.localization import find_atoms, find_lattice_regions, find_lattice_sites
from adatom.schema import Image, Mask, Sites, positions, sites_from_positions
from adatom.simulation import Crystal, Microscope, simulate_image, simulate_lattice

# Of MoS2, in nm.
LATTICE_CONSTANT = 0.316
FIELD = 8.0


class Layer(NamedTuple):
    """A simulated layer and what was measured of it."""

    image: Image
    regions: Mask
    atoms: Sites
    truth: Sites
    found: Sites


def _layer_sites(
    rng: np.random.Generator, *, dopants: float, empty: float, turn: float = 0.2
) -> Sites:
    """Build MoS2 with vanadium on molybdenum sites, and with places of sulfur left empty."""
    n = int(2.5 * FIELD / LATTICE_CONSTANT)
    i, j = (k.ravel() for k in np.mgrid[-n:n, -n:n])
    cosine, sine = np.cos(turn), np.sin(turn)
    other = turn + np.pi / 3
    vectors = LATTICE_CONSTANT * np.array([[sine, cosine], [np.sin(other), np.cos(other)]])
    metal = np.stack([i, j], axis=1) @ vectors
    sulfur = (np.stack([i, j], axis=1) + 1 / 3) @ vectors
    place = np.concatenate([metal, sulfur]) + FIELD / 2
    near = ((place > -0.5) & (place < FIELD + 0.5)).all(axis=1)
    is_metal = (np.arange(len(place)) < len(metal))[near]
    place = place[near]
    is_dopant = is_metal & (rng.random(len(place)) < dopants)
    is_empty = ~is_metal & (rng.random(len(place)) < empty)
    sites = sites_from_positions(*place.T, unit="nm", spacing=LATTICE_CONSTANT / np.sqrt(3))
    sites["species"] = ("site", np.where(is_dopant, "V", np.where(is_metal, "Mo", "S")))
    # No less than nothing: the simulator needs a species everywhere.
    sites["occupancy"] = ("site", np.where(is_metal, 1.0, np.where(is_empty, 1e-6, 2.0)))
    sites["kind"] = (
        "site",
        np.select([is_dopant, is_metal, is_empty], ["dopant", "metal", "empty"], "sulfur"),
    )
    return sites


@cache
def _layer(
    seed: int = 0, *, dopants: float = 0.02, empty: float = 0.02, contamination: float = 0.0
) -> Layer:
    rng = np.random.default_rng(seed)
    simulated = simulate_image(
        _layer_sites(rng, dopants=dopants, empty=empty),
        shape=(512, 512),
        pixel_size=f"{FIELD / 512} nm",
        microscope=Microscope(electrons=30.0, distortion=0.03),
        contamination=contamination,
        seed=seed,
    )
    regions = find_lattice_regions(simulated.image)
    atoms = find_atoms(simulated.image, regions)
    found = find_lattice_sites(simulated.image, atoms, regions, n_columns=2)
    return Layer(simulated.image, regions, atoms, simulated.truth, found)


def _kinds(found: Sites, truth: Sites) -> NDArray[np.str_]:
    """Tell what stands at each place that was found; nothing where no place is near."""
    distance, near = cKDTree(positions(truth)).query(positions(found))
    kinds: NDArray[np.str_] = np.where(distance < 0.06, truth["kind"].values[near], "")
    return kinds


LAYERS = pytest.mark.parametrize(("seed", "contamination"), [(0, 0.06), (1, 0.0)])


@LAYERS
def test_sublattices_are_told_by_position_also_where_a_dopant_is_as_dim_as_sulfur(
    seed: int, contamination: float
) -> None:
    layer = _layer(seed, contamination=contamination)
    kinds = _kinds(layer.found, layer.truth)
    whole = layer.found["fit_ok"].values
    sublattice = layer.found["sublattice"].values
    assert set(kinds[whole & (sublattice == 0)]) == {"metal", "dopant"}
    assert set(kinds[whole & (sublattice == 1)]) == {"sulfur", "empty"}


@LAYERS
def test_every_place_within_the_image_is_found_once(seed: int, contamination: float) -> None:
    layer = _layer(seed, contamination=contamination)
    true, found = positions(layer.truth), positions(layer.found)
    inside = ((true > 0.2) & (true < FIELD - 0.2)).all(axis=1)
    pixel = np.rint(true[inside] * 512 / FIELD).astype(int)
    # Where regions end, some of the cells at their rim are not whole.
    analyzed = layer.regions.values[tuple(pixel.T)]
    distance, near = cKDTree(found).query(true[inside][analyzed])
    assert (distance < 0.06).mean() > 0.99
    assert len(np.unique(near[distance < 0.06])) == (distance < 0.06).sum()


def test_intensities_are_those_of_the_atoms_and_empty_places_have_none() -> None:
    layer = _layer(1)
    kinds = _kinds(layer.found, layer.truth)
    relative = layer.found["relative_intensity"].values
    medians = {kind: np.nanmedian(relative[kinds == kind]) for kind in set(kinds) - {""}}
    exponent = Microscope.z_exponent
    assert medians["metal"] == pytest.approx(1.0, abs=0.02)
    assert medians["sulfur"] == pytest.approx(2 * (16 / 42) ** exponent, abs=0.04)
    # Tails of the probe and the wandering of scan lines, which the model has not, leave a few
    # hundredths on single sites.
    assert medians["dopant"] == pytest.approx((23 / 42) ** exponent, abs=0.12)
    assert medians["empty"] == pytest.approx(0.0, abs=0.08)


def test_stated_errors_of_intensity_are_the_scatter_that_noise_makes() -> None:
    quiet = simulate_lattice(
        crystal=Crystal("rectangular", spacing="16 px", displacement=0.0), size=384, snr=8.0
    )
    found = find_lattice_sites(quiet.image, find_atoms(quiet.image), n_columns=2)
    for k in (0, 1):
        here = (found["sublattice"].values == k) & found["fit_ok"].values
        amplitude = found["amplitude"].values[here]
        scatter = (amplitude - np.median(amplitude)) / found["amplitude_error"].values[here]
        # 250 sites tell a standard deviation to 5 %; the places are known to a tenth of a pixel.
        assert scatter.std() == pytest.approx(1.0, abs=0.2)


@LAYERS
def test_dopants_and_empty_places_are_found_as_outliers(seed: int, contamination: float) -> None:
    layer = _layer(seed, contamination=contamination)
    kinds = _kinds(layer.found, layer.truth)
    for number, kind in ((0, "dopant"), (1, "empty")):
        sites = sites_from_sublattice(layer.found, sublattice=number)
        label = find_outliers(features_from_sites(sites, of="sublattice_deviation"))["label"].values
        true = kinds[layer.found["sublattice"].values == number] == kind
        assert true.sum() >= 10
        # One in twenty may be false by the setting; of 15, two are within chance.
        assert (true & (label == 1)).sum() >= (label == 1).sum() - 2
        assert (true & (label == 1)).sum() >= 0.9 * (true & (label >= 0)).sum()


def test_the_lattice_is_measured_with_its_distortion() -> None:
    layer = _layer(1)
    lengths = np.linalg.norm(layer.found.attrs["cell_vectors"], axis=1)
    # Scan calibration is off by three per cent per axis and shear.
    np.testing.assert_allclose(lengths, LATTICE_CONSTANT, rtol=0.1)
    metal = layer.truth.isel(site=np.isin(layer.truth["kind"], ["metal", "dopant"]))
    found = sites_from_sublattice(layer.found, sublattice=0)
    distance, _ = cKDTree(positions(metal)).query(positions(found)[found["fit_ok"].values])
    assert np.sqrt((distance**2).mean()) < 0.02


def test_a_cell_of_one_column_needs_no_sublattices() -> None:
    simulated = simulate_lattice(crystal=Crystal("square", spacing="14 px"), size=160)
    found = find_lattice_sites(simulated.image, find_atoms(simulated.image), n_columns=1)
    assert set(found["sublattice"].values) == {0}
    assert np.nanmedian(found["relative_intensity"]) == pytest.approx(1.0, abs=0.02)


def test_regions_are_kept(image_of_squares: Image) -> None:
    regions = xr.ones_like(image_of_squares, dtype=bool)
    regions[:, :70] = False
    atoms = find_atoms(image_of_squares, regions)
    found = find_lattice_sites(image_of_squares, atoms, regions, n_columns=1)
    assert found["x"].min() >= 69.5


def test_no_columns_is_refused(image_of_squares: Image) -> None:
    with pytest.raises(SettingError, match="n_columns=0 must be 1 or more"):
        find_lattice_sites(image_of_squares, find_atoms(image_of_squares), n_columns=0)


def test_an_image_without_order_is_refused(image_of_squares: Image) -> None:
    atoms = find_atoms(image_of_squares)
    noise = image_of_squares.copy(data=np.random.default_rng(0).normal(size=(160, 160)))
    with pytest.raises((NoLatticeError, TooFewSitesError)):
        find_lattice_sites(noise, atoms, n_columns=1)


@pytest.fixture(scope="module")
def image_of_squares() -> Image:
    return simulate_lattice(crystal=Crystal("square", spacing="14 px"), size=160).image
