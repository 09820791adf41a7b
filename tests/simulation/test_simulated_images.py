"""Claims about simulated images and the truth that comes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import binary_dilation
from scipy.optimize import least_squares

from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import IMAGE, MASK, SITES, notes, positions, sites_from_positions
from adatom.simulation import (
    Crystal,
    Flake,
    Microscope,
    Simulation,
    simulate_graphene,
    simulate_image,
    simulate_lattice,
)

PIXEL = 0.02
# One Gaussian an atom, no noise source but counting, no scan error.
BARE = Microscope(
    probe_width="0.06 nm",
    tail_fraction=0.0,
    background=0.0,
    readout_noise=0.0,
    jitter="0 nm",
    drift="0 nm",
    distortion=0.0,
)


def isolated_atoms(species: str = "C") -> xr.Dataset:
    """Nine atoms, farther apart than a Gaussian reaches, at odd places."""
    rng = np.random.default_rng(5)
    y, x = np.meshgrid([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], indexing="ij")
    jog = rng.uniform(-0.1, 0.1, (2, 9))
    sites = sites_from_positions(y.ravel() + jog[0], x.ravel() + jog[1], unit="nm", spacing=1.0)
    sites["species"] = ("site", np.full(9, species))
    return sites


def imaged(sites: xr.Dataset, microscope: Microscope, seed: int = 3) -> Simulation:
    return simulate_image(
        sites, shape=(200, 200), pixel_size=f"{PIXEL} nm", microscope=microscope, seed=seed
    )


def centroids(image: xr.DataArray, sites: xr.Dataset) -> np.ndarray:
    """Centers of mass (site, axis) of square windows half the spacing of the atoms wide."""
    values = image.values.astype(float)
    y, x = image.y.values[:, None], image.x.values[None, :]
    found = []
    for place in positions(sites):
        window = values * (abs(y - place[0]) < 0.4) * (abs(x - place[1]) < 0.4)
        found.append([(window * y).sum() / window.sum(), (window * x).sum() / window.sum()])
    return np.array(found)


def test_images_masks_and_truth_are_of_their_kinds() -> None:
    simulation = simulate_graphene(size=96, field="2.5 nm", flake=Flake(0, 0, 0, 0))
    for image in (simulation.image, simulation.expected):
        IMAGE.check(image)
        assert image.dtype == np.float32
        assert image.attrs["units"] == "counts"
        assert image.x.attrs["units"] == "nm"
        assert float(image.x[1]) == pytest.approx(2.5 / 96)
    MASK.check(simulation.clean)
    SITES.check(simulation.truth)
    SITES.check(simulation.vacancies)
    assert simulation.vacancies.sizes["site"] == 0
    assert notes(simulation.image) == ["simulated: graphene with Si and vacancies, seed=0"]


def test_without_scan_errors_atoms_are_where_they_were_put() -> None:
    sites = isolated_atoms()
    simulation = imaged(sites, BARE)
    np.testing.assert_allclose(positions(simulation.truth), positions(sites), atol=1e-12)
    # A hundredth of a pixel is asked; float32 leaves a thousandth of that.
    found = centroids(simulation.expected, simulation.truth)
    np.testing.assert_allclose(found, positions(sites), atol=1e-4 * PIXEL)


@pytest.mark.parametrize(
    "scan",
    [
        {"drift": "0.4 nm"},
        {"distortion": 0.03},
        {"jitter": "0.01 nm"},
        {"drift": "0.3 nm", "distortion": 0.02, "jitter": "0.01 nm"},
    ],
    ids=["drift", "distortion", "jitter", "all"],
)
def test_scan_errors_move_truth_exactly_as_they_move_atoms(scan: dict[str, object]) -> None:
    sites = isolated_atoms()
    simulation = imaged(sites, replace(BARE, **scan))  # type: ignore[arg-type]
    truth = simulation.truth
    assert truth.sizes["site"] == 9
    moved = np.abs(positions(truth) - positions(sites)).max()
    assert moved > 0.1 * PIXEL, "the scan error is too small for this test to mean anything"
    np.testing.assert_allclose(
        centroids(simulation.expected, truth), positions(truth), atol=0.01 * PIXEL
    )


def test_a_fitted_gaussian_has_the_position_width_and_amplitude_of_the_truth() -> None:
    simulation = imaged(isolated_atoms("Si"), BARE)
    image, site = simulation.expected, simulation.truth.isel(site=4)
    y, x = image.y.values[:, None], image.x.values[None, :]

    def residual(p: np.ndarray) -> np.ndarray:
        model = p[3] * np.exp(-((y - p[0]) ** 2 + (x - p[1]) ** 2) / (2 * p[2] ** 2))
        near = (abs(y - p[0]) < 0.3) & (abs(x - p[1]) < 0.3)
        misfit: np.ndarray = ((model - image.values) * near).ravel()
        return misfit

    start = [float(site.y) + 0.01, float(site.x) - 0.01, 0.05, 30.0]
    fit = least_squares(residual, start, x_scale=[0.01, 0.01, 0.01, 10.0]).x
    want = [float(site[name]) for name in ("y", "x", "width", "amplitude")]
    np.testing.assert_allclose(fit, want, rtol=1e-5)


def test_electrons_per_atom_do_not_depend_on_pixels_and_grow_as_the_power_of_z() -> None:
    carbon = imaged(isolated_atoms("C"), BARE).expected.values.sum(dtype=float)
    silicon = imaged(isolated_atoms("Si"), BARE).expected.values.sum(dtype=float)
    assert carbon == pytest.approx(9 * BARE.electrons, rel=1e-4)
    assert silicon / carbon == pytest.approx((14 / 6) ** 1.64, rel=1e-4)
    coarse = simulate_image(
        isolated_atoms(), shape=(100, 100), pixel_size="0.04 nm", microscope=BARE
    )
    assert coarse.expected.values.sum(dtype=float) == pytest.approx(carbon, rel=1e-3)


def test_tails_move_electrons_outwards_but_lose_none() -> None:
    tails = replace(BARE, tail_fraction=0.3, tail_width="0.12 nm")
    sites = isolated_atoms()
    sharp, broad = imaged(sites, BARE).expected, imaged(sites, tails).expected
    assert float(broad.sum()) == pytest.approx(float(sharp.sum()), rel=1e-4)
    assert float(broad.max()) < 0.8 * float(sharp.max())


def test_occupancy_multiplies_the_intensity() -> None:
    sites = isolated_atoms()
    sites["occupancy"] = ("site", np.array([2.0, *[1.0] * 7, 0.0]))
    assert imaged(sites, BARE).expected.values.sum(dtype=float) == pytest.approx(
        9 * BARE.electrons, rel=1e-4
    )


def test_counts_are_poisson_distributed() -> None:
    simulation = simulate_graphene(
        size=256, field="3 nm", microscope=replace(Microscope(), readout_noise=0.0)
    )
    expected = simulation.expected.values.astype(float)
    counts = simulation.image.values.astype(float)
    assert (counts == np.rint(counts)).all()
    # Mean and variance of 65,536 standardised counts: standard errors 0.004 and 0.006.
    z = (counts - expected) / np.sqrt(expected)
    assert abs(z.mean()) < 0.02
    assert z.var() == pytest.approx(1.0, abs=0.03)


def test_readout_noise_adds_its_variance() -> None:
    noisy = simulate_graphene(
        size=256, field="3 nm", microscope=replace(Microscope(), readout_noise=2.0)
    )
    difference = noisy.image.values.astype(float) - noisy.expected.values
    excess = difference.var() - noisy.expected.values.mean(dtype=float)
    assert excess == pytest.approx(4.0, rel=0.1)


def test_the_noise_of_a_lattice_is_its_amplitude_over_snr() -> None:
    simulation = simulate_lattice(snr=8.0, seed=2)
    noise = simulation.image.values - simulation.expected.values
    assert noise.std() == pytest.approx(1 / 8, rel=0.01)
    np.testing.assert_allclose(
        simulate_lattice(snr=np.inf).image.values, simulate_lattice().expected.values
    )


def test_a_two_species_lattice_has_the_brightness_of_its_elements() -> None:
    truth = simulate_lattice(crystal=Crystal("rectangular", spacing="24 px")).truth
    by_name = {
        name: float(truth["amplitude"].values[truth["species"].values == name].mean())
        for name in ("Sr", "Ti")
    }
    assert by_name["Sr"] == 1.0
    assert by_name["Ti"] == pytest.approx((22 / 38) ** 1.64)
    assert (truth["sublattice"].values == (truth["species"].values == "Ti")).all()


def test_one_seed_makes_one_image_and_another_makes_another() -> None:
    first, again, other = (simulate_graphene(size=64, field="2.6 nm", seed=s) for s in (4, 4, 5))
    for one, same in zip(first, again, strict=True):
        xr.testing.assert_identical(one, same)
    assert not np.array_equal(first.image.values, other.image.values)


def test_another_dose_leaves_the_sample_and_the_scan_as_they_are() -> None:
    low = simulate_graphene(size=64, field="2.6 nm")
    high = simulate_graphene(
        size=64, field="2.6 nm", microscope=replace(Microscope(), electrons=5000.0)
    )
    xr.testing.assert_identical(low.truth.drop_vars("amplitude"), high.truth.drop_vars("amplitude"))
    xr.testing.assert_identical(low.clean, high.clean)


def test_contamination_covers_its_share_and_hides_its_sites() -> None:
    simulation = simulate_graphene(size=256, contamination=0.2, seed=1)
    clean = simulation.clean.values
    assert 1 - clean.mean() == pytest.approx(0.2, abs=0.03)
    rows, columns = np.rint(positions(simulation.truth).T / float(simulation.image.x[1])).astype(
        int
    )
    np.testing.assert_array_equal(simulation.truth["visible"].values, clean[rows, columns])
    hidden = 1 - simulation.truth["visible"].values.mean()
    assert hidden == pytest.approx(0.2, abs=0.04)


def test_a_clean_image_is_not_touched_by_the_film_beside_it() -> None:
    with_film = simulate_graphene(size=256, contamination=0.2, seed=1)
    without = simulate_graphene(size=256, contamination=0.0, seed=1)
    added = with_film.expected.values - without.expected.values
    assert without.clean.values.all()
    # Farther from the film than the tails of the probe reach (0.65 nm, 28 px).
    far = ~binary_dilation(~with_film.clean.values, iterations=30)
    assert far.mean() > 0.3
    assert np.abs(added[far]).max() < 1e-2 * without.expected.values.mean()
    assert added[~with_film.clean.values].mean() > without.expected.values.mean()


def test_the_truth_ends_at_the_image_and_says_so() -> None:
    truth = simulate_graphene(size=128, field="3 nm").truth
    y_min, y_max, x_min, x_max = truth.attrs["extent"]
    assert (y_min, x_min) == (0.0, 0.0)
    assert y_max == x_max == pytest.approx(3.0 * 127 / 128)
    assert truth.y.values.min() >= y_min
    assert truth.x.values.max() <= x_max


def test_lattices_do_not_darken_towards_the_edge() -> None:
    expected = simulate_lattice(crystal=Crystal("square", spacing="12 px")).expected.values
    inner = expected[60:-60, 60:-60].mean()
    for edge in (expected[:12], expected[-12:], expected[:, :12], expected[:, -12:]):
        assert edge.mean() == pytest.approx(inner, rel=0.05)


def test_images_of_any_shape_can_be_made() -> None:
    simulation = simulate_image(isolated_atoms(), shape=(37, 150), pixel_size="0.03 nm")
    assert simulation.image.shape == (37, 150)
    assert simulation.clean.shape == (37, 150)


def test_input_is_not_changed() -> None:
    sites = isolated_atoms()
    before = sites.copy(deep=True)
    imaged(sites, Microscope())
    xr.testing.assert_identical(sites, before)


def test_sites_without_species_or_scale_say_what_is_needed() -> None:
    with pytest.raises(KindError, match="carry no 'species'"):
        simulate_image(sites_from_positions([1.0], [1.0], unit="nm"))
    with pytest.raises(UnitError, match="sites are in px"):
        simulate_image(sites_from_positions([1.0], [1.0], unit="px"))
    with pytest.raises(SettingError, match="species 'Xx' are no elements"):
        simulate_image(isolated_atoms("Xx"))


def test_impossible_images_are_refused_by_name() -> None:
    with pytest.raises(SettingError, match="size=1"):
        simulate_graphene(size=1)
    with pytest.raises(SettingError, match="snr=0"):
        simulate_lattice(snr=0)
    with pytest.raises(SettingError, match=r"contamination=1\.5 is the share"):
        simulate_graphene(contamination=1.5)
    with pytest.raises(SettingError, match="shape="):
        simulate_image(isolated_atoms(), shape=(0, 5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"probe_width": "0 nm"}, "probe_width='0 nm' must be positive"),
        ({"jitter": "1 d"}, "the microscope knows no lattice"),
        ({"tail_fraction": 1.0}, r"tail_fraction=1\.0 is a share"),
        ({"electrons": 0.0}, r"electrons=0\.0 must be more than 0"),
        ({"readout_noise": -1.0}, r"readout_noise=-1\.0 must be 0 or more"),
        ({"slope": 2.0}, r"slope=2\.0 must lie between"),
    ],
)
def test_a_microscope_refuses_settings_that_no_instrument_has(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        Microscope(**settings)  # type: ignore[arg-type]
