"""Real mass spectra, against the numbers in their files taken out by hand."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from adatom.errors import ReadError
from adatom.io import read_spectral_map, read_table

DATA = Path(os.environ.get("ADATOM_DATA", ""))
SPECTRAL = DATA / "spectral"
TINY = SPECTRAL / "msi_metaspace_tiny/Untreated_3_434_tiny.imzML"
SPOTS = SPECTRAL / "msi_matrixtests/MatrixTests_N2.imzML"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def _numbers(path: Path, accession: str) -> list[float]:
    """Give all values of a parameter in the order of the file."""
    text = path.read_text("latin-1")
    found = re.findall(rf'<cvParam[^>]*accession="{accession}"[^>]*>', text)
    return [float(re.findall(r'value="([^"]*)"', one)[0]) for one in found]


def test_both_layouts_hold_the_same_map() -> None:
    folder = SPECTRAL / "msi_imzml_example"
    one = read_spectral_map(folder / "Example_Continuous.imzML").compute()
    other = read_spectral_map(folder / "Example_Processed.imzML").compute()
    assert one.sizes == {"y": 3, "x": 3, "mass_to_charge": 8399}
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.mass_to_charge, other.mass_to_charge)
    assert one.mass_to_charge.values[[0, -1]] == pytest.approx([100.08, 799.92], abs=5e-3)
    assert one.x.values.tolist() == [0.0, 100e3, 200e3]
    # The file tells the sum of each spectrum, row by row.
    totals = _numbers(folder / "Example_Processed.imzML", "MS:1000285")
    assert one.sum("mass_to_charge").values.ravel() == pytest.approx(totals, rel=1e-5)


def test_first_spectrum_is_that_of_the_bytes() -> None:
    folder = SPECTRAL / "msi_imzml_example"
    stored = np.fromfile(folder / "Example_Processed.ibd", "<f4", offset=16)
    found = read_spectral_map(folder / "Example_Processed.imzML")
    assert np.array_equal(found.mass_to_charge.values, stored[:8399].astype(float))
    assert np.array_equal(found[0, 0].values, stored[8399 : 2 * 8399])


def test_pixels_stored_column_by_column_keep_their_places() -> None:
    table = read_table(TINY)
    lengths = [int(length) for length in _numbers(TINY, "IMS:1000103")[::2]]
    x, y = _numbers(TINY, "IMS:1000050"), _numbers(TINY, "IMS:1000051")
    assert x[:5] == [1, 1, 1, 1, 2]
    rows = np.repeat(np.array(y, int) - 1, lengths)
    columns = np.repeat(np.array(x, int) - 1, lengths)
    assert np.array_equal(table["pixel_row"], rows)
    assert np.array_equal(table["pixel_column"], columns)
    found = read_spectral_map(TINY, mass_tolerance="0.1 Da").compute()
    assert found.sizes == {"y": 4, "x": 2, "mass_to_charge": 24811}
    assert found.mass_to_charge.values[[0, -1]] == pytest.approx([156.5, 2637.5])
    sums = np.zeros((4, 2))
    np.add.at(sums, (rows, columns), table["intensity"].values)
    assert found.sum("mass_to_charge").values == pytest.approx(sums, rel=1e-5)
    assert found.x.units == "px"


def test_peaks_fall_into_the_bin_of_their_mass() -> None:
    table = read_table(TINY)
    found = read_spectral_map(TINY, mass_tolerance="0.1 Da").compute()
    here = (table["pixel_row"].values == 2) & (table["pixel_column"].values == 1)
    edges = np.append(found.mass_to_charge.values - 0.05, found.mass_to_charge.values[-1] + 0.05)
    counted, _ = np.histogram(
        table["mass_to_charge"].values[here], edges, weights=table["intensity"].values[here]
    )
    assert found[2, 1].values == pytest.approx(counted, rel=1e-6)


def test_spots_are_a_column_of_four() -> None:
    with pytest.raises(ReadError, match="mass_tolerance="):
        read_spectral_map(SPOTS)
    found = read_spectral_map(SPOTS, mass_tolerance="0.1 Da")
    # The catalogue's "1x4 px" is x by y: positions run from y=1 to y=4.
    assert found.sizes == {"y": 4, "x": 1, "mass_to_charge": 19501}
    # The first of all lengths is of a group, which every spectrum overrules.
    lengths = _numbers(SPOTS, "IMS:1000103")[1::2]
    assert lengths == [44526, 28224, 15971, 27921]
    assert read_table(SPOTS).sizes["row"] == sum(lengths)
