"""The shipped network and the contrast by itself on shared real images, with nothing told."""

from __future__ import annotations

import os
import warnings
from functools import cache

import pytest
from real_figures import figures_of_sites
from resolved_images import ResolvedImage, resolved_images

from adatom.errors import AdatomWarning, NoLatticeError
from adatom.localization import find_atoms, find_lattice_sites
from adatom.localization.contrast import contrast_of_image
from adatom.localization.detection import pixels_of_image
from adatom.localization.shipped import has_shipped_network
from adatom.schema import Sites

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)
shipped = pytest.mark.skipif(not has_shipped_network(), reason="no network is shipped")


DARK = {"test_ABF_cropped", "stem_abf_data_imagestack"}


@cache
def _by_name(name: str) -> ResolvedImage:
    found = [shown for shown in resolved_images() if shown.name.endswith(name)]
    assert len(found) == 1, name
    return found[0]


@cache
def _found(name: str) -> Sites:
    return find_atoms(_by_name(name).read(), method="network")


def _figures(name: str) -> dict[str, float]:
    return figures_of_sites(_by_name(name), _by_name(name).read(), _found(name))


@pytest.mark.parametrize(
    "name",
    [
        "G-GrainBoundary-4nm",
        "G-Si-2nm",
        "G-dimSi",
        "MoS2_stem_Exp-001-5",
        "SuperScan (HAADF) 12_corrected",
        "test_ADF_cropped",
        "test_ABF_cropped",
        "simulated_nanoparticle",
        "stem_abf_data_imagestack",
        "Cropped_PTO-SRO_Aligned",
        "673K",
        "SrTiO3",
    ],
)
def test_bright_and_dark_atoms_are_told_by_the_pixels_alone(name: str) -> None:
    image = _by_name(name).read()
    # Neither the title nor the name of the file may help.
    image.attrs.clear()
    pixels = pixels_of_image(image, None, contrast="bright")
    found = contrast_of_image(image, pixels, contrast="auto")
    assert found.contrast == ("dark" if name in DARK else "bright")


@shipped
@pytest.mark.parametrize(("name", "least"), [("G-GrainBoundary-4nm", 0.98), ("G-Si-2nm", 0.97)])
def test_graphene_is_found_as_published(name: str, least: float) -> None:
    assert _figures(name)["f1"] >= least


@shipped
def test_strontium_titanate_is_found_to_the_last_column() -> None:
    figures = _figures("STO_ADF")
    assert figures["recall"] >= 0.99
    assert figures["precision"] >= 0.99


@shipped
def test_a_superlattice_gives_both_sublattices() -> None:
    figures = _figures("Cropped_PTO-SRO_Aligned")
    assert figures["A sites"] >= 0.98
    assert figures["brighter matched"] >= 0.98


@shipped
def test_marked_chalcogen_sites_are_found() -> None:
    assert _figures("stem_wsete_sim_stemlearning/simulated/0/input")["marked found"] >= 0.97


@shipped
def test_dark_columns_are_found_in_bright_field() -> None:
    assert _figures("test_ABF_cropped")["lattice"] > 0.8


@shipped
def test_molecules_in_deep_noise_are_found_by_their_period() -> None:
    shown = _by_name("CoMTPP/0/input")
    image = shown.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdatomWarning)
        found = find_atoms(image, method="network")
    every = find_lattice_sites(image, found, n_columns=1)
    figures = figures_of_sites(shown, image, every)
    assert figures["found"] >= 0.8
    assert figures["unmatched"] < 0.1 * every.sizes["site"]


@shipped
def test_molecules_of_which_nothing_can_be_seen_are_refused() -> None:
    with pytest.raises(NoLatticeError):
        find_atoms(_by_name("CuPcCl/original/0/input").read(), method="network")
