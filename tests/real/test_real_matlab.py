"""MATLAB files of public data, against the catalogue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from adatom.io import read_contents, read_spectra, read_spectral_map
from adatom.io.folding import folded_signal
from adatom.io.opening import open_file
from adatom.io.signals import RawSignal
from adatom.schema import notes, pixel_size

SPECTRAL = Path(os.environ.get("ADATOM_DATA", "")) / "spectral"
SAMSON = SPECTRAL / "samson/samson_dataset.mat"
MOFFETT = SPECTRAL / "moffett/Moffett_vca.mat"
CELL = SPECTRAL / "raman_thp1_cell/3D THP1 map 001 L5 (B+R) (Sub BG).mat"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _folded(path: Path, dataset: str, grid: str) -> np.ndarray[Any, Any]:
    raw = open_file(path)
    signal = next(part for part in raw.parts if part.name == dataset)
    assert isinstance(signal, RawSignal)
    found: np.ndarray[Any, Any] = folded_signal(path, signal, grid=grid).values.compute()
    return found


@pytest.mark.parametrize(
    ("path", "shapes"),
    [
        (SAMSON, {"A": "3 x 9025", "M": "156 x 3", "M1": "156 x 3", "Y": "156 x 9025"}),
        (SPECTRAL / "samson/spectral_library_samson.mat",
         {"A": "156 x 105", "lib1": "156 x 30", "lib2": "156 x 30", "lib3": "156 x 45"}),
        (SPECTRAL / "urban_library/spectral_library_urban.mat",
         {"A": "162 x 651", "lib1": "162 x 69", "lib2": "162 x 100", "lib3": "162 x 115",
          "lib4": "162 x 118", "lib5": "162 x 85", "lib6": "162 x 164"}),
        (MOFFETT, {"Y": "189 x 2500", "A0": "3 x 2500", "M0": "189 x 3", "A_VCA": "50 x 50 x 3"}),
        (CELL, {"Struct_3DTHP1map001L5BRSubBG": "1600 x 500"}),
    ],
    ids=lambda given: getattr(given, "name", ""),
)  # fmt: skip
def test_arrays_have_the_shapes_of_the_catalogue(path: Path, shapes: dict[str, str]) -> None:
    table = read_contents(path)
    found = dict(zip(table["name"].values, table["shape"].values, strict=True))
    assert {name: found.get(name) for name in shapes} == shapes


def test_samson_folds_down_the_columns() -> None:
    """Trap 2: only so does water, by its own truth, lie where the scene is dark."""
    scene = _folded(SAMSON, "Y", "95 x 95 column-major")
    plain = scipy.io.loadmat(SAMSON)
    np.testing.assert_array_equal(scene[..., 7], plain["Y"][7].reshape(95, 95, order="F"))
    water = plain["A"][2].reshape(95, 95, order="F")
    other = _folded(SAMSON, "Y", "95 x 95 row-major")
    # -0.79 and -0.35 when this was written.
    assert np.corrcoef(water.ravel(), scene.mean(axis=2).ravel())[0, 1] < -0.7
    assert abs(np.corrcoef(water.ravel(), other.mean(axis=2).ravel())[0, 1]) < 0.5


def test_the_library_of_samson_names_its_materials() -> None:
    library = SPECTRAL / "samson/spectral_library_samson.mat"
    spectra = read_spectra(library, dataset="lib3")
    names = spectra.attrs["variables"]
    assert [names[f"material_names[{k}]"] for k in range(3)] == ["Soil", "Tree", "Water"]


def test_moffett_tells_its_pixels_and_folds_row_by_row() -> None:
    spectra = read_spectra(MOFFETT, dataset="Y")
    assert spectra.shape == (2500, 189)
    assert any('grid="50 x 50 row-major"' in note or "row-major" in note for note in notes(spectra))
    abundances = _folded(MOFFETT, "A0", "50 x 50 row-major")
    own = read_spectral_map(MOFFETT, dataset="A_VCA")
    assert own.dims == ("y", "x", "channel")
    np.testing.assert_array_equal(abundances, own.values)
    assert spectra.attrs["variables"]["L"] == 203


def test_the_raman_map_of_a_cell_has_its_axis_and_its_steps() -> None:
    spectra = read_spectra(CELL)
    assert spectra.dims == ("site", "wavenumber")
    assert spectra.shape == (1600, 500)
    assert spectra.dtype == np.float32
    assert spectra.wavenumber.attrs["units"] == "1/cm"
    assert spectra.wavenumber.values[[0, -1]] == pytest.approx([501.265, 1802.466], abs=0.01)
    assert spectra.attrs["grid_shape"] == [40, 40]
    assert any("does not say" in note for note in notes(spectra))
    # A spike of the catalogue.
    assert spectra.values[1350].max() == pytest.approx(1598, abs=1)


def test_folded_the_cell_is_25_micrometers_wide() -> None:
    from adatom.io.draft import Draft
    from adatom.io.kinds import map_from_draft
    from adatom.io.layout import layout_of_signal

    raw = open_file(CELL)
    (signal,) = raw.parts
    assert isinstance(signal, RawSignal)
    folded = folded_signal(CELL, signal, grid="40 x 40 column-major")
    draft = Draft(raw, folded, layout_of_signal(folded))
    cell = map_from_draft(draft, channel=None, pixel_size=None)
    assert pixel_size(cell) == pytest.approx((625, 625))
    lipids = cell.sel(wavenumber=1440, method="nearest").values
    assert lipids[12:28, 10:28].mean() > 5 * lipids[:5].mean()
