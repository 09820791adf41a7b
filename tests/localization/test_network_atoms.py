"""Atoms found by a network, from the image alone.

The network of these tests answers to blobs of one width. What is tested is
all that a trained one does not do: the scale, the tiles, the way back to
pixels, what is left out.
"""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr
from tiny_networks import blob_network

from adatom.errors import AdatomWarning, KindError, NoLatticeError, ReadError, SettingError
from adatom.localization import compare_sites, find_atoms, find_lattice_regions, find_particles
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.memory import memory_of_machine
from adatom.schema import SITES, Image, image_from_array, notes
from adatom.simulation import Crystal, Simulation, simulate_lattice


@pytest.fixture(scope="module")
def network() -> ExportedNetwork:
    return blob_network()


@cache
def simulated(lattice: str, spacing: float, *, snr: float = 8.0, seed: int = 1) -> Simulation:
    crystal = Crystal(lattice, spacing=f"{spacing} px", displacement=0.02)  # type: ignore[arg-type]
    return simulate_lattice(
        crystal=crystal,
        size=int(max(128, 11 * spacing)),
        width=f"{0.24 * spacing} px",
        snr=snr,
        seed=seed,
    )


def found_in(image: Image, network: ExportedNetwork, **settings: object) -> xr.Dataset:
    return find_atoms(image, None, network, method="network", **settings)  # type: ignore[arg-type]


def f1_of(found: xr.Dataset, truth: xr.Dataset) -> float:
    return float(compare_sites(found, truth).scores["f1"][0])


@pytest.mark.parametrize("lattice", ["square", "hexagonal", "honeycomb", "rectangular"])
@pytest.mark.parametrize("spacing", [6, 17, 40])
def test_the_scale_is_found_for_every_lattice(
    lattice: str, spacing: float, network: ExportedNetwork
) -> None:
    simulation = simulated(lattice, spacing)
    found = found_in(simulation.image, network)
    SITES.check(found)
    assert f1_of(found, simulation.truth) > 0.98
    assert found.attrs["spacing"] == pytest.approx(spacing, rel=0.04)


def test_positions_are_refined(network: ExportedNetwork) -> None:
    simulation = simulated("square", 17)
    errors = compare_sites(found_in(simulation.image, network), simulation.truth).scores
    # The bound by noise is sigma / (SNR sqrt(2 pi sigma^2 / 2)) = 0.14 px at sigma 4.1, SNR 8.
    assert float(errors["rmse"][0]) < 0.3


@pytest.mark.parametrize("angle", [7.0, 21.0, 45.0])
def test_a_rotated_image_gives_the_same_atoms(angle: float, network: ExportedNetwork) -> None:
    image = simulated("square", 14, snr=12).image
    turned = scipy.ndimage.rotate(image.values, angle, reshape=False, mode="reflect", order=1)
    middle = (np.array(image.shape) - 1) / 2
    found = found_in(image, network)
    again = found_in(image_from_array(turned), network)
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    offset = np.stack([again.y.values, again.x.values], axis=1) - middle
    back = offset @ np.array([[cosine, -sine], [sine, cosine]]) + middle
    inner = (np.hypot(*offset.T) < 50).nonzero()[0]
    place = np.stack([found.y.values, found.x.values], axis=1)
    nearest = np.linalg.norm(back[inner, None] - place[None], axis=-1).min(axis=1)
    assert np.mean(nearest < 2) > 0.97


def test_a_told_spacing_skips_the_search(network: ExportedNetwork) -> None:
    simulation = simulated("square", 17)
    found = found_in(simulation.image, network, spacing="17 px")
    assert f1_of(found, simulation.truth) > 0.98
    assert "as told by the spacing" in notes(found)[0]


def test_pixels_that_are_not_square_are_made_so(network: ExportedNetwork) -> None:
    simulation = simulated("square", 20, snr=12)
    every_second = simulation.image.isel(x=slice(None, None, 2))
    found = found_in(every_second, network)
    assert f1_of(found, simulation.truth) > 0.97
    assert found.attrs["spacing"] == pytest.approx(20, rel=0.04)


def test_values_of_any_unit_and_sign_give_the_same_sites(network: ExportedNetwork) -> None:
    image = simulated("hexagonal", 12).image
    found = found_in(image, network)
    other = found_in(image.copy(data=(3e-12 * image.values - 5e-9).astype(np.float64)), network)
    assert other.sizes == found.sizes
    assert f1_of(other, found) == 1
    assert float(compare_sites(other, found).scores["rmse"][0]) < 0.01


def test_the_result_says_by_what_network_on_what_and_at_which_scale(
    network: ExportedNetwork,
) -> None:
    found = found_in(simulated("square", 14).image, network)
    told = " ".join(notes(found))
    assert f"network {network.card.hash[:8]} on the CPU" in told
    assert "pixels of its picture per pixel of the image, the best of" in told
    assert 0 < found.attrs["scale_confidence"] <= 1
    assert {"score", "amplitude", "width", "covariance", "fit_quality", "fit_ok"} <= set(found)


def test_scores_are_calibrated_by_the_card(network: ExportedNetwork) -> None:
    card = dataclasses.replace(network.card, calibration=((0.5, 0.1), (1.0, 0.2)))
    found = found_in(simulated("square", 14).image, ExportedNetwork(network.graph, card))
    assert ((found["score"] >= 0.1) & (found["score"] <= 0.2)).all()


def _unsure(network: ExportedNetwork) -> ExportedNetwork:
    """Give the network with scores near 0.1, and so a confidence."""
    card = dataclasses.replace(network.card, calibration=((0.5, 0.08), (1.0, 0.12)))
    return ExportedNetwork(network.graph, card)


def test_a_network_that_is_hardly_sure_says_what_to_look_at(network: ExportedNetwork) -> None:
    image = simulated("square", 14).image
    doubt = r"scale of the image \(confidence 0\.1.* apart: look whether .* tell .* spacing="
    with pytest.warns(AdatomWarning, match=doubt) as caught:
        found_in(image, _unsure(network))
    # The line that called the step, which is in this file.
    assert caught[0].filename == __file__


def test_a_told_spacing_leaves_no_doubt(network: ExportedNetwork) -> None:
    # Warnings are errors here.
    found_in(simulated("square", 14).image, _unsure(network), spacing="14 px")


def test_a_file_of_a_network_is_taken(network: ExportedNetwork, tmp_path: Path) -> None:
    network.save(tmp_path / "mine.onnx")
    image = simulated("square", 14).image
    by_file = find_atoms(image, method="network", network=str(tmp_path / "mine.onnx"))
    xr.testing.assert_identical(by_file, found_in(image, network))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ReadError, match=r"nowhere\.onnx"):
        find_atoms(simulated("square", 14).image, method="network", network="nowhere.onnx")


def test_a_network_for_the_classical_method_is_refused(network: ExportedNetwork) -> None:
    with pytest.raises(SettingError, match='set method="network"'):
        find_atoms(simulated("square", 14).image, None, network, method="classical")


def test_what_is_no_exported_network_is_named() -> None:
    image = simulated("square", 14).image
    needed = r"need an ExportedNetwork.*io\.read_network"
    with pytest.raises(KindError, match=needed):
        find_atoms(image, None, "mine.onnx", method="network")  # type: ignore[arg-type]
    with pytest.raises(KindError, match=needed):
        find_particles(image, None)  # type: ignore[arg-type]


def test_a_wrong_spacing_is_asked_for(network: ExportedNetwork) -> None:
    with pytest.raises(NoLatticeError, match=r"scale that spacing= tells; is it that of neigh"):
        found_in(simulated("square", 17).image, network, spacing="1000 px")


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(SettingError, match="use 'classical' or 'network'"):
        find_atoms(simulated("square", 14).image, method="magic")  # type: ignore[arg-type]


def test_noise_is_no_lattice(network: ExportedNetwork) -> None:
    noise = np.random.default_rng(3).normal(size=(200, 200))
    with pytest.raises(NoLatticeError, match=r"at any of \d+ scales.*spacing=.*classical"):
        found_in(image_from_array(noise), network)


def test_a_constant_image_is_no_lattice(network: ExportedNetwork) -> None:
    with pytest.raises(NoLatticeError, match="all pixels of the image have the value 7"):
        found_in(image_from_array(np.full((128, 128), 7.0)), network)


def _with_a_hole() -> tuple[Image, np.ndarray]:
    crystal = Crystal("square", spacing="12 px", displacement=0.02)
    simulation = simulate_lattice(crystal=crystal, size=240, width="3 px", snr=12, seed=2)
    y, x = np.mgrid[:240, :240]
    hole = np.hypot(y - 110, x - 130) < 70
    noise = np.random.default_rng(4).normal(scale=0.02, size=hole.shape)
    low = float(np.quantile(simulation.image, 0.001))
    values = np.where(hole, low + noise, simulation.image.values)
    return simulation.image.copy(data=values), hole


def test_a_hole_is_left_out_as_empty(network: ExportedNetwork) -> None:
    image, hole = _with_a_hole()
    mask = find_lattice_regions(image, network, method="network")
    names = mask.coords["reason"].attrs["names"]
    empty = mask.coords["reason"].values == names.index("empty")
    # This network looks 8 pixels of its picture far, and lets the rim of the hole pass.
    assert hole[empty].all()
    assert empty.sum() > 0.55 * hole.sum()
    assert "empty" in notes(mask)[0]
    assert "disordered" not in notes(mask)[0]


def test_unmeasured_pixels_are_left_out_and_hold_no_sites(network: ExportedNetwork) -> None:
    image = simulated("square", 12, snr=12).image.astype(float)
    image[:, :40] = np.nan
    mask = find_lattice_regions(image, network, method="network")
    assert not mask[:, :40].any()
    assert mask.attrs["left_out"]["not measured"] == pytest.approx(40 / image.shape[1])
    found = found_in(image, network)
    # Atoms up to a sigma (3 px) beyond the border show their flank.
    assert found.x.min() > 40 - 3.5
    assert f1_of(found, found_in(image[:, 40:], network)) > 0.97


def test_sites_outside_of_given_regions_are_not_given(network: ExportedNetwork) -> None:
    image = simulated("square", 12, snr=12).image
    regions = xr.ones_like(image, dtype=bool)
    regions[:, :64] = False
    found = find_atoms(image, regions, network, method="network")
    assert found.x.min() > 60
    said = " ".join(notes(found))
    assert "as by regions" in said
    assert "not measured" not in said


def test_given_regions_alone_say_where_sites_are_left_out(network: ExportedNetwork) -> None:
    image, _ = _with_a_hole()
    everywhere = xr.ones_like(image, dtype=bool)
    within = find_atoms(image, everywhere, network, method="network")
    by_itself = find_atoms(image, None, network, method="network")
    assert not any("Not analyzed" in note for note in notes(within))
    # What the network leaves out by itself is around the hole: the rest is the same.
    assert within.sizes["site"] >= by_itself.sizes["site"]
    assert f1_of(by_itself, within) > 0.9


def test_a_corner_of_a_large_image_is_analyzed_as_if_it_were_the_image(
    network: ExportedNetwork,
) -> None:
    crystal = Crystal("square", spacing="12 px", displacement=0.02)
    image = simulate_lattice(crystal=crystal, size=480, width="2.9 px", snr=8.0, seed=3).image
    corner = {"y": slice(0, 120), "x": slice(0, 120)}
    regions = xr.zeros_like(image, dtype=bool)
    regions[corner] = True
    alone = found_in(image.isel(corner), network)
    told = find_atoms(image, regions, network, method="network")
    measured = found_in(image.where(regions), network)
    # But for sites at the border, whose surroundings differ.
    assert f1_of(told, alone) > 0.9
    assert f1_of(measured, alone) > 0.9


def test_a_spacing_below_two_pixels_is_a_mistake(network: ExportedNetwork) -> None:
    with pytest.raises(SettingError, match=r"spacing is 0\.05 pixels.*need 2 or more"):
        found_in(simulated("square", 17).image, network, spacing="0.05 px")


def test_a_picture_beyond_the_memory_is_refused_before_it_is_made(
    network: ExportedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = simulated("square", 17).image
    # 187 pixels for 2.2 between atoms where the network wants 9.2: 0.6 megapixels of 60 bytes.
    monkeypatch.setattr("adatom.localization.network.memory_of_machine", lambda: 3e7)
    too_much = r"are to become \d+ x \d+, 4\.17 for each, .* 0\.036\d* GB .* has 0\.03 GB: cut"
    with pytest.raises(SettingError, match=too_much):
        found_in(image, network, spacing="2.2 px")


def test_the_memory_of_a_machine_is_some_gigabytes_or_unknown() -> None:
    assert memory_of_machine() > 2**28


def test_unmeasured_pixels_are_told_by_both_methods(network: ExportedNetwork) -> None:
    image = simulated("square", 12, snr=12).image.astype(float)
    image[60:63, :] = np.nan
    for mask in (
        find_lattice_regions(image, method="classical"),
        find_lattice_regions(image, network, method="network"),
    ):
        assert not mask[60:63].any()
        assert mask.attrs["left_out"]["not measured"] == pytest.approx(3 / image.shape[0])


def test_particles_that_are_left_out_are_told(network: ExportedNetwork) -> None:
    image = simulated("square", 12, snr=12).image.astype(float)
    image[:, :40] = np.nan
    told = " ".join(notes(find_particles(image, network)))
    assert "Particles are taken for bright, as told." in told
    assert "not measured of the image's area" in told


def test_dark_atoms_are_found_without_being_told(network: ExportedNetwork) -> None:
    simulation = simulated("square", 17, snr=12)
    found = found_in(-simulation.image, network)
    assert f1_of(found, simulation.truth) > 0.98
    assert (found["amplitude"].dropna("site") < 0).all()
    assert any("Atoms are taken for dark" in note for note in notes(found))


def test_larger_images_take_the_same_path(
    network: ExportedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = simulated("hexagonal", 40).image
    whole = found_in(image, network, spacing="40 px")
    from adatom.localization import running

    monkeypatch.setattr(running, "LARGEST_TILE", 10_000)
    xr.testing.assert_identical(found_in(image, network, spacing="40 px"), whole)


def test_every_pair_of_neighbors_is_one_site_each(network: ExportedNetwork) -> None:
    found = found_in(simulated("honeycomb", 14).image, network)
    place = np.stack([found.y.values, found.x.values], axis=1)
    pairs = itertools.combinations(range(len(place)), 2)
    assert min(float(np.linalg.norm(place[i] - place[j])) for i, j in pairs) > 7
