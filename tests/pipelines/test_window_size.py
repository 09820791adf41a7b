"""The size of windows is found, and maps by windows of it show two phases where they are."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom import clustering, decomposition, descriptors, simulation
from adatom.errors import AdatomWarning, SettingError
from adatom.pipelines import choose_window_size
from adatom.schema import Image, image_from_array, sites_from_positions

PIXEL = 0.03


def two_phases(
    seed: int, *, electrons: float, n_pixels: int = 384
) -> tuple[Image, NDArray[np.int64]]:
    """Simulate a square and a hexagonal lattice of one atom distance, with a wavy border."""
    field = n_pixels * PIXEL
    turn = np.random.default_rng(seed).uniform(0, np.pi)

    def phase(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        down, across = y - field / 2, x - field / 2
        along = down * np.cos(turn) - across * np.sin(turn)
        height = down * np.sin(turn) + across * np.cos(turn)
        return np.asarray(height > 0.06 * field * np.sin(2 * np.pi * along / field))

    parts = []
    for number, kind in enumerate(("square", "hexagonal")):
        crystal = simulation.Crystal(kind, spacing="0.28 nm", displacement=0.03)  # type: ignore[arg-type]
        sites = simulation.build_lattice(
            crystal=crystal, field=(field, field), unit="nm", margin=1.0, seed=10 * seed + number
        )
        inside = phase(sites["y"].values, sites["x"].values) == bool(number)
        parts.append(np.column_stack([sites["y"].values, sites["x"].values])[inside])
    places = np.concatenate(parts)
    sites = sites_from_positions(places[:, 0], places[:, 1], unit="nm")
    sites["species"] = ("site", np.full(len(places), "Sr"))
    simulated = simulation.simulate_image(
        sites,
        shape=(n_pixels, n_pixels),
        pixel_size=f"{PIXEL} nm",
        microscope=simulation.Microscope(electrons=electrons, drift="0 nm", distortion=0.0),
        seed=seed,
    )
    y, x = np.mgrid[:n_pixels, :n_pixels] * PIXEL
    return simulated.image, phase(y, x).astype(np.int64)


def share_right(label: NDArray[np.int32], truth: NDArray[np.int64]) -> float:
    same = float((label == truth).mean())
    return max(same, float((label == 1 - truth).mean()))


@pytest.mark.parametrize("electrons", [4.0, 200.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_two_phases_are_mapped_without_atoms(seed: int, electrons: float) -> None:
    image, truth = two_phases(seed, electrons=electrons)
    size = choose_window_size(image)
    windows = descriptors.window_spectra(image, size)
    scores = decomposition.decompose_nmf(windows, n_components=2).scores
    found = clustering.classes_from_windows(clustering.classes_from_scores(scores), image)
    # 99.2 % were seen; 95 % is asked for.
    assert share_right(found["label"].values, truth) > 0.98


def test_the_phases_of_a_disordered_oxide_are_mapped_without_atoms() -> None:
    simulated = simulation.simulate_oxide(size=512, field="10 nm", seed=5)
    windows = descriptors.window_spectra(simulated.image, size="2.4 nm")
    scores = decomposition.decompose_nmf(windows, n_components=2).scores
    phases = clustering.classes_from_scores(scores)
    found = clustering.classes_from_windows(phases, simulated.image)
    # Of 15 nm, 98 to 99 % were right with the size that is chosen, and with 1.6 and 2.4 nm.
    assert share_right(found["label"].values, simulated.regions["label"].values) > 0.95


def test_the_choice_is_the_smallest_of_the_sizes_that_agree() -> None:
    image, _ = two_phases(2, electrons=50.0)
    table = choose_window_size(image)
    sizes = table["window_size"].values
    np.testing.assert_allclose(sizes[1:] / sizes[:-1], np.sqrt(2), rtol=0.03)
    agreement = table["agreement"].values[:-1]
    chosen = float(table.attrs["window_size"].split()[0])
    first = int((agreement >= agreement.max() - 0.02).argmax())
    assert chosen == pytest.approx(sizes[first], rel=1e-4)
    assert table["window_size"].attrs["units"] == "nm"
    # Four periods of either lattice, of which the coarser is the square one.
    assert sizes[0] == pytest.approx(4 * 0.28, rel=0.1)


def test_spectra_take_size_and_shortest_wave_from_the_choice_unless_told() -> None:
    image, _ = two_phases(2, electrons=50.0, n_pixels=192)
    choice = choose_window_size(image)
    own = descriptors.window_spectra(image, choice)
    told = descriptors.window_spectra(
        image,
        size=choice.attrs["window_size"],
        shortest_period=choice.attrs["shortest_period"],
    )
    np.testing.assert_array_equal(own, told)
    assert descriptors.window_spectra(image, choice, size="0.96 nm").attrs["window_shape"] == [
        32,
        32,
    ]


def test_impossible_searches_are_refused() -> None:
    image = image_from_array(np.random.default_rng(0).normal(size=(40, 40)))
    with pytest.raises(SettingError, match="n_classes=1"):
        choose_window_size(image, n_classes=1)
    with pytest.raises(SettingError, match="no two sizes to compare"):
        choose_window_size(image, smallest="36 px")
    with pytest.raises(SettingError, match=r"largest='50 px' is 50 .* has 40: .* '40 px' or less"):
        choose_window_size(image, largest="50 px")


@pytest.mark.parametrize("kind", ["square", "hexagonal"])
def test_windows_of_one_phase_are_warned_of(kind: Literal["square", "hexagonal"]) -> None:
    crystal = simulation.Crystal(kind, spacing="9 px")
    image = simulation.simulate_lattice(crystal=crystal, seed=1).image
    with pytest.warns(AdatomWarning, match=r"agree by 0\.\d+ at most .* need not be 2 patterns"):
        choose_window_size(image)
