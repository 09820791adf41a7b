"""Scales of shared real images, against the lattices that are in them."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest
from real_truth import GRAPHENE, IMAGING, STO_CELL, SUPERLATTICE

from adatom.errors import AdatomWarning, NoLatticeError
from adatom.io import read_image
from adatom.io.affine import corrected
from adatom.localization import ScaleComparison, compare_scale

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)

WS2 = "ws2_janus_dyck/Partially converted images/SuperScan (HAADF) {}_corrected.tif"
WSE2 = "ws2_janus_dyck/Fully converted images/SuperScan (HAADF) 14_corrected.tif"
STO = "atomap/history/STO_ADF.hdf5"


def compared(path: str, lattice: str, **settings: Any) -> ScaleComparison:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdatomWarning)
        return compare_scale(read_image(IMAGING / path, **settings), lattice=lattice)


def line_spacings(result: ScaleComparison) -> np.ndarray:
    """Give the three shortest periods as lengths of a hexagonal cell, in the stated unit."""
    turn = np.radians(result.angle)
    cell = np.array([[result.a, 0.0], [result.b * np.cos(turn), result.b * np.sin(turn)]])
    reciprocal = np.linalg.inv(cell).T
    three = [reciprocal[0], reciprocal[1], reciprocal[0] - reciprocal[1]]
    return np.sort(2 / np.sqrt(3) / np.linalg.norm(three, axis=1))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    # From peaks of the Fourier transform on the pixel grid, which are rounded to a bin of 2 nm
    # or 4 nm: a bin is 5 to 10 % of the period.
    [
        ("G-GrainBoundary-4nm", 0.238, 0.249),
        ("G-Si-2nm", 0.250, 0.254),
        ("G-Si-4fold", 0.243, 0.250),
    ],
)
def test_graphene_scales_agree(name: str, low: float, high: float) -> None:
    result = compare_scale(read_image(GRAPHENE / f"{name}.hdf5"))
    assert result.agrees is True
    spacings = line_spacings(result)
    np.testing.assert_allclose(spacings.mean(), (low + high) / 2, rtol=0.015)
    assert spacings[0] > low - 0.005
    assert spacings[-1] < high + 0.005


def test_of_a_grain_boundary_one_grain_is_measured() -> None:
    result = compare_scale(read_image(GRAPHENE / "G-GrainBoundary-4nm.hdf5"))
    assert any("another grain" in note for note in result.reflections.attrs["notes"])


@pytest.mark.parametrize(
    ("number", "spacings"),
    [(8, (32.6, 34.1, 32.3)), (10, (31.8, 32.4, 32.4)), (12, (30.2, 31.9, 30.6))],
)
def test_scales_of_converted_monolayers_are_too_small_by_5_to_15_percent(
    number: int, spacings: tuple[float, ...]
) -> None:
    with pytest.warns(AdatomWarning, match="too short"):
        result = compare_scale(read_image(IMAGING / WS2.format(number)), lattice="WS2")
    assert result.agrees is False
    assert 1.04 < result.ratio < 1.16
    # Line spacings known in px, of a tag of 128 px/nm.
    mine = line_spacings(result) * np.sqrt(3) / 2 * 128
    np.testing.assert_allclose(mine.mean(), np.mean(spacings), rtol=0.015)
    low, high = sorted(
        0.3153 / (2 / np.sqrt(3) * np.mean(spacings) / 128) * np.array([0.985, 1.015])
    )
    assert low < result.ratio < high


def test_a_converted_monolayer_without_scale_gets_one_and_is_distorted() -> None:
    result = compared(WSE2, "WSe2")
    assert result.agrees is None
    # Mean of the three line spacings known: 34.8 px.
    assert float(result.pixel_size.split()[0]) == pytest.approx(
        0.3282 * np.sqrt(3) / 2 / np.mean([36.4, 32.8, 33.5]), rel=0.02
    )
    assert 10 < result.distortion < 16


@pytest.mark.parametrize(
    ("name", "low", "high"), [("000-2", 0.291, 0.335), ("001-5", 0.314, 0.353)]
)
def test_scans_of_mos2_are_distorted(name: str, low: float, high: float) -> None:
    image = read_image(IMAGING / f"mos2_scilink/MoS2_stem_Exp-{name}.npy")
    with pytest.warns(AdatomWarning, match=r"longer than those across.*affine="):
        result = compare_scale(image, lattice="MoS2")
    assert result.agrees is False
    spacings = line_spacings(result)
    np.testing.assert_allclose(spacings[[0, -1]], (low, high), rtol=0.02)
    assert 10 < result.distortion < 20
    # Read again as told, the three directions agree with each other and with MoS2.
    path = IMAGING / f"mos2_scilink/MoS2_stem_Exp-{name}.npy"
    again = corrected(read_image(path, pixel_size=result.pixel_size), result.affine)
    check = compare_scale(again, lattice="MoS2")
    assert check.agrees is True
    np.testing.assert_allclose(line_spacings(check), 0.316, rtol=0.015)


def test_a_superlattice_reads_8_percent_too_small() -> None:
    image = read_image(SUPERLATTICE / "Cropped_PTO-SRO_Aligned.hspy")
    with pytest.warns(AdatomWarning, match="too short"):
        result = compare_scale(image, lattice="square 0.395 nm")
    # Rows of A sites are 24 px apart by published positions, of 0.014997 nm.
    assert result.a == pytest.approx(24 * 0.014997, rel=0.02)
    assert 1.06 < result.ratio < 1.11


def test_strontium_titanate_is_right_to_half_a_percent() -> None:
    result = compared(STO, "SrTiO3 [110]", pixel_size="0.009326 nm")
    assert result.agrees is True
    assert result.ratio == pytest.approx(1.0, abs=0.003)
    assert (result.a / 0.009326, result.b / 0.009326) == pytest.approx(STO_CELL, rel=1e-3)
    assert result.angle == pytest.approx(90.0, abs=0.25)
    without = compared(STO, "SrTiO3 [110]")
    assert float(without.pixel_size.split()[0]) == pytest.approx(0.009326, rel=0.003)


def test_graphite_is_measured_in_spite_of_its_scattering_patterns() -> None:
    # The patterns of sqrt(3) x sqrt(3) around defects would make the cell 28 px long.
    result = compared("scilink_misc/GH_stm.tif", "graphite")
    spacings = line_spacings(result) * np.sqrt(3) / 2
    assert spacings[0] > 15.2
    assert spacings[-1] < 16.9


def test_strontium_titanate_is_no_graphene() -> None:
    with pytest.raises(NoLatticeError, match="none that lattice='graphene' has"):
        compared("stem_misc_aistem/SrTiO3.jpg", "graphene", channel="luminance")
