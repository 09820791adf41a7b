"""Whether atoms are bright or dark is found without being told."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.localization import find_atoms, find_lattice_regions
from adatom.localization.contrast import NOTHING_SEEN, ContrastOfImage, contrast_of_image
from adatom.localization.detection import pixels_of_image
from adatom.schema import Image, image_from_array, notes
from adatom.simulation import Crystal, simulate_lattice


def simulated(lattice: str, spacing: float, snr: float, width: float = 0.24) -> Image:
    crystal = Crystal(lattice, spacing=f"{spacing} px", displacement=0.03)  # type: ignore[arg-type]
    return simulate_lattice(
        crystal=crystal,
        size=int(max(128, 9 * spacing)),
        width=f"{width * spacing} px",
        snr=snr,
        seed=1,
    ).image


def settled(image: Image) -> ContrastOfImage:
    return contrast_of_image(
        image, pixels_of_image(image, None, contrast="bright"), contrast="auto"
    )


@pytest.mark.parametrize("lattice", ["square", "rectangular", "hexagonal", "honeycomb"])
@pytest.mark.parametrize("width", [0.18, 0.24, 0.3])
@pytest.mark.parametrize(("spacing", "snr"), [(8, 2), (20, 10)])
def test_bright_atoms_are_never_taken_for_dark(
    lattice: str, width: float, spacing: float, snr: float
) -> None:
    assert settled(simulated(lattice, spacing, snr, width)).contrast == "bright"


@pytest.mark.parametrize("lattice", ["square", "rectangular"])
@pytest.mark.parametrize(("spacing", "snr"), [(8, 3), (14, 10), (24, 10)])
def test_dark_atoms_on_lattices_other_than_hexagonal_are_seen(
    lattice: str, spacing: float, snr: float
) -> None:
    found = settled(-simulated(lattice, spacing, snr))
    assert found.contrast == "dark"
    assert "skewness" in found.reason


def test_a_dark_hexagonal_lattice_is_taken_for_a_honeycomb_and_said_so() -> None:
    found = settled(-simulated("hexagonal", 14, 10))
    assert found.contrast == "bright"
    assert 'contrast="dark"' in found.reason


def test_the_detector_says_more_than_the_pixels() -> None:
    image = simulated("square", 14, 10)
    image.attrs["detector"] = "ABF"
    assert settled(image) == ("dark", "as ABF in its detector says")
    image.attrs["detector"] = "HAADF (10-200 mrad)"
    assert settled(image.copy(data=-image.values)).contrast == "bright"
    image.attrs.clear()
    assert settled(image.assign_attrs(title="004_ABF_movie")).contrast == "dark"


@pytest.mark.parametrize("title", ["LaBFO3", "abfall", "BFO film, ADF and BF"])
def test_names_that_only_hold_the_letters_or_both_say_nothing(title: str) -> None:
    image = simulated("square", 14, 10).assign_attrs(title=title)
    assert "skewness" in settled(image).reason


def test_what_shows_no_lattice_is_taken_for_bright() -> None:
    noise = image_from_array(np.random.default_rng(0).normal(size=(128, 128)))
    assert settled(noise).contrast == "bright"
    nothing = np.zeros(noise.shape, np.float32)
    assert contrast_of_image(noise, nothing, contrast="auto") is NOTHING_SEEN


def test_what_is_told_is_not_questioned() -> None:
    image = simulated("square", 14, 10)
    found = contrast_of_image(image, image.values, contrast="dark")
    assert found == ("dark", "as told")


def test_an_unknown_contrast_is_refused() -> None:
    with pytest.raises(SettingError, match="'auto', 'bright' or 'dark'"):
        find_atoms(simulated("square", 14, 10), contrast="grey")  # type: ignore[arg-type]


def test_the_finder_and_the_regions_say_what_they_took_it_for() -> None:
    image = -simulated("square", 14, 10)
    dark = "Atoms are taken for dark, by the skewness of the pixels"
    assert any(dark in note for note in notes(find_atoms(image)))
    assert any(dark in note for note in notes(find_lattice_regions(image)))


def test_atoms_are_taken_for_what_the_regions_were_found_with() -> None:
    image = -simulated("hexagonal", 14, 10)
    regions = find_lattice_regions(image, contrast="dark")
    found = find_atoms(image, regions)
    assert "Atoms are taken for dark, as for the regions." in notes(found)


def test_what_lies_outside_of_regions_has_no_say_in_the_contrast() -> None:
    crystal = Crystal("square", spacing="12 px", displacement=0.02)
    image = simulate_lattice(crystal=crystal, size=480, width="2.9 px", snr=8.0, seed=3).image
    corner = image.isel(y=slice(0, 120), x=slice(0, 120))
    for sign in (1, -1):
        alone = settled(sign * corner)
        bordered = (sign * image).where((image.y < 120) & (image.x < 120))
        assert settled(bordered) == alone
        assert alone.contrast == ("bright" if sign > 0 else "dark")
