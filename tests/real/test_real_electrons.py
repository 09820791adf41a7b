"""Real maps of energy losses and X-rays, from the file to classes and elements."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from adatom.clustering import choose_n_classes, cluster_poisson_mixture
from adatom.correction import (
    bins_from_channels,
    choose_channels,
    correct_spikes,
    find_edges,
    find_lines,
    maps_from_edges,
    maps_from_lines,
)
from adatom.decomposition import decompose_pca
from adatom.descriptors import compare_maps
from adatom.io import read_image, read_spectra, read_spectral_map
from adatom.recipes import open_run, run_recipe
from adatom.schema import notes

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"
COPPER = SPECTRAL / "eels_cuzn/CuZn_EELS_mapping_tutorial.hspy"
LAYERS = SPECTRAL / "eels_dm3_si/DMReader_SpectrumImage_SI-EELS.dm3"
SILVER = SPECTRAL / "eds_bcf_50x50/bcf_v2_50x50px.bcf"
SPARSE = SPECTRAL / "eds_velox_si/EMDReader_SpectrumImage_Si.emd"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@pytest.fixture(scope="module")
def copper() -> xr.DataArray:
    return correct_spikes(read_spectral_map(COPPER).compute()).spectra


@pytest.fixture(scope="module")
def layers() -> xr.DataArray:
    return correct_spikes(read_spectral_map(LAYERS).compute()).spectra


@pytest.fixture(scope="module")
def silver() -> xr.DataArray:
    spectra = read_spectral_map(SILVER).compute()
    return choose_channels(spectra, span=("150 eV", "20 keV"))


def _struck(found: xr.DataArray) -> set[tuple[int, ...]]:
    return {tuple(map(int, place[:-1])) for place in np.argwhere(found.values)}


def test_the_three_spikes_of_the_copper_map_are_found_and_no_others() -> None:
    found = correct_spikes(read_spectral_map(COPPER).compute())
    # The catalogue counts three, one of them in row 42, column 11.
    assert len(_struck(found.n_spikes)) == 3
    assert (42, 11) in _struck(found.n_spikes)


def test_the_spikes_of_the_cell_are_found_and_its_sharp_lines_are_kept() -> None:
    folder = SPECTRAL / "raman_thp1_cell"
    (file,) = folder.glob("*.mat")
    found = correct_spikes(read_spectra(file))
    struck = {place[0] for place in _struck(found.n_spikes)}
    # The catalogue counts six, such as 1350; one more has the channel of its neighbor's.
    assert {346, 639, 1188, 1310, 1350} <= struck
    assert len(struck) <= 7


@pytest.mark.parametrize("file", [SILVER, SPARSE])
def test_single_photons_are_no_spikes(file: Path) -> None:
    assert not correct_spikes(read_spectral_map(file).compute()).n_spikes.any()


def test_the_map_of_copper_follows_the_dark_field_and_that_of_zinc_less(
    copper: xr.DataArray,
) -> None:
    image = read_image(SPECTRAL / "eels_cuzn/CuZn_HAADF.hspy")
    found = maps_from_edges(copper, edges=["Cu L", "Zn L"])
    table = compare_maps(found.maps, image)
    assert table["map"].values.tolist() == ["Cu L3", "Zn L3"]
    assert table["correlation"].values[0] >= 0.78
    assert table["correlation"].values[1] < 0.5
    # Far fewer independent pixels than pixels: the map is smooth.
    assert table["n_independent"].values[0] < 200
    # The catalogue's correlation of copper with zinc is 0.37.
    r = np.corrcoef(found.maps.values.reshape(-1, 2).T)[0, 1]
    assert 0.25 < r < 0.5


def test_the_edges_of_both_maps_are_named_by_what_is_in_them(
    copper: xr.DataArray, layers: xr.DataArray
) -> None:
    assert "Cu L3" in find_edges(copper)["edge"].values
    assert {"Ti L3", "O K", "La M5"} == set(find_edges(layers)["edge"].values)


def test_a_layer_between_two_has_lanthanum_and_little_titanium(layers: xr.DataArray) -> None:
    choice = choose_n_classes(layers)
    assert choice.attrs["n_classes"] == 3
    label = cluster_poisson_mixture(layers, choice).classes["label"]
    found = maps_from_edges(layers, find_edges(layers))
    # The scan runs across the layers, six pixels wide: lines of one class each.
    steady = [np.bincount(row).max() / row.size for row in label.values]
    assert np.mean(steady) > 0.95
    means = [found.maps.where(label == k).mean(("y", "x")) for k in range(3)]
    lanthanum = max(means, key=lambda mean: float(mean.sel(element="La M5")))
    others = [mean for mean in means if mean is not lanthanum]
    for other in others:
        assert lanthanum.sel(element="La M5") > 5 * abs(other.sel(element="La M5"))
        assert lanthanum.sel(element="Ti L3") < 0.6 * other.sel(element="Ti L3")


def test_two_phases_of_a_few_hundred_counts_are_told_apart(silver: xr.DataArray) -> None:
    components = decompose_pca(
        bins_from_channels(silver, width="80 eV", join="sum"), weighting="poisson"
    )
    # The catalogue has one or two components above noise.
    assert components.model.n_above_noise == 2
    choice = choose_n_classes(silver)
    assert choice.attrs["n_classes"] == 2
    label = cluster_poisson_mixture(silver, choice).classes["label"].values
    assert np.bincount(label.ravel()).min() > 800
    # A curved boundary from the top to the bottom: each row is one phase, then the other.
    left, right = label[:, 0], label[:, -1]
    assert (left == left[0]).all()
    assert (right == right[0]).all()
    assert left[0] != right[0]


def test_the_lines_are_those_of_aluminum_silver_and_a_copper_holder(silver: xr.DataArray) -> None:
    found = find_lines(silver)
    used = set(found["line"].values[found["used"].values])
    assert {"C Ka", "O Ka", "Al Ka", "Ag La", "Cu Ka"} <= used
    assert {"Cu La", "Ag Lb"} <= set(found["line"].values) - used
    maps = maps_from_lines(silver, lines=["Al Ka", "Ag La"]).maps
    aluminum, silver_map = (maps.sel(element=name).values.ravel() for name in ("Al Ka", "Ag La"))
    # Two phases: where there is more of the one there is less of the other.
    assert np.corrcoef(aluminum, silver_map)[0, 1] < -0.8
    assert (maps.coords["y"].attrs["units"], round(float(maps.y[1]), 1)) == ("nm", 11.8)


def test_recipes_give_classes_of_many_pixels_and_maps(tmp_path: Path) -> None:
    summary = run_recipe("eels", [LAYERS], out=tmp_path / "layers", reports=False)
    assert not summary.failures
    run = open_run(tmp_path / "layers")
    label = run["found.classes"]["label"].values
    assert np.bincount(label[label >= 0]).min() > 20
    assert run["elements.maps"].dims == ("y", "x", "element")


def test_a_map_of_hardly_a_count_is_one_class_and_has_no_maps(tmp_path: Path) -> None:
    summary = run_recipe("eds", [SPARSE], out=tmp_path / "sparse", reports=False)
    assert not summary.failures
    run = open_run(tmp_path / "sparse")
    assert set(np.unique(run["found.classes"]["label"].values)) == {-1, 0}
    assert run["elements.maps"].sizes["element"] == 0
    assert "There are no maps" in notes(run["elements.maps"])[0]
