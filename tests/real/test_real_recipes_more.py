"""Shipped recipes on real pictures of surfaces, proteins and a complex oxide: is it the physics?"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import cKDTree

from adatom.io import read_image
from adatom.recipes import Run, open_run, run_recipe
from adatom.schema import positions

DATA = Path(os.environ.get("ADATOM_DATA", ""))
BRONZE = DATA / "imaging/singleorigin"
GRAPHITE = DATA / "imaging/scilink_misc/GH_stm.tif"
MOVIE = DATA / "imaging/hsafm_playnano/asd_sample_0.asd"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


@cache
def _run(name: str, file: Path) -> Run:
    out = Path(mkdtemp(prefix="adatom-real-"))
    summary = run_recipe(name, [file], out=out, n_processes=1, reports=False)
    assert summary.is_good, summary.failures
    return open_run(out)


@cache
def _bronze() -> Run:
    file = next(BRONZE.glob("BSSN_DPC_images/*.tif"))
    # A part of the image holds some forty cells: enough, and many times as quick.
    part = Path(mkdtemp(prefix="adatom-bronze-")) / "part.npy"
    np.save(part, read_image(file).values[300:940, 300:940])
    return _run("tungsten_bronze", part)


def _columns_by_cif() -> NDArray[np.float64]:
    """Project the heavy columns along [110]: fractions along c and along a / sqrt(2)."""
    from ase.io import read

    structure: Any = read(BRONZE / "BSSN5137.cif", format="cif")
    heavy = np.array(structure.get_chemical_symbols()) != "O"
    x, y, z = structure.get_scaled_positions()[heavy].T
    columns = np.unique(np.round(np.stack([z % 1, (x - y) % 1], axis=1), 2) % 1, axis=0)
    return np.asarray(columns)


def _apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    difference = one[:, None] - other
    return np.asarray(difference - np.rint(difference))


def test_the_cell_of_the_bronze_is_that_of_its_cif_seen_along_110() -> None:
    cell = _bronze()["cell"]
    # The CIF has a = 12.58761 and c = 3.96220 angstrom; along [110] a cell is
    # c by a / sqrt(2) and rectangular. The scan distorts that by some percent.
    ratio = cell["b"].item() / cell["a"].item()
    assert ratio == pytest.approx(12.58761 / np.sqrt(2) / 3.96220, rel=0.035)
    assert cell["angle"].item() == pytest.approx(90, abs=2)


def test_all_heavy_columns_of_the_cif_are_found_where_they_are_and_no_others() -> None:
    columns, expected = _bronze()["columns"], _columns_by_cif()
    often = columns["found"].values > 0.8
    found = np.stack([columns["along_a"].values, columns["along_b"].values], axis=1)[often]
    assert len(found) == len(expected) == 9
    # The brightest column found is the origin: it is the one with two Ba and two O, at 0, 1/2.
    apart = _apart(found, expected - np.array([0.0, 0.5]))
    nearest = np.abs(apart).max(axis=2).argmin(axis=1)
    assert sorted(nearest.tolist()) == list(range(9))
    offset = apart[np.arange(9), nearest] * [3.9622, 8.9008]
    # In angstrom; neighboring columns are 2 to 2.3 angstrom apart.
    assert np.hypot(*offset.T).max() < 0.25


def test_the_columns_of_the_bronze_are_told_apart_by_their_classes() -> None:
    columns = _bronze()["columns"]
    often = columns["found"].values > 0.8
    assert len(np.unique(columns["class"].values[often])) == 9
    # One sort of column, A2 with two Ba, is displaced differently in different cells.
    share = np.sort(columns["class_share"].values[often])
    assert share[1] > 0.95


def test_the_lattice_of_graphite_has_the_line_spacings_of_its_spectrum() -> None:
    cell = _run("graphite_stm", GRAPHITE)["cell"]
    a, b = (np.array([cell[f"{v}_y"].item(), cell[f"{v}_x"].item()]) for v in "ab")
    area = abs(a[0] * b[1] - a[1] * b[0])
    spacings = sorted(area / np.hypot(*v) for v in (a, b, a - b if a @ b > 0 else a + b))
    # Read off the power spectrum for the catalogue: 15.5 to 16.6 px.
    assert 15.2 < spacings[0] < spacings[2] < 16.9


def test_scattering_patterns_surround_the_defects_of_graphite() -> None:
    run = _run("graphite_stm", GRAPHITE)
    label = run["found.classes"]["label"]
    usual = int(np.bincount(label.values.ravel()).argmax())
    assert (label.sel(y=slice(0, 280)).values == usual).mean() > 0.95
    # Vacancies, seen by eye as triangles (row, column).
    by_eye = [
        (573, 104), (521, 625), (651, 782), (834, 1121), (938, 1069), (873, 821),
        (1016, 704), (1108, 652), (1212, 638), (1082, 912), (1173, 990),
    ]  # fmt: skip
    there = [int(label.sel(y=y, x=x, method="nearest")) != usual for y, x in by_eye]
    assert np.mean(there) > 0.9


def test_the_pattern_around_defects_is_the_root_three_superlattice() -> None:
    run = _run("graphite_stm", GRAPHITE)
    cell, means = run["cell"], run["means"]
    vectors = np.array([[cell[f"{v}_{axis}"].item() for axis in "yx"] for v in "ab"])
    first, second = np.linalg.inv(vectors).T
    # Of a cell of 60 deg, a* and b* are 120 deg apart: K points are thirds between neighbors.
    points = [(2 * first + second) / 3, (first + 2 * second) / 3, (first - second) / 3]
    frequency = np.stack([means["frequency_y"].values, means["frequency_x"].values], axis=1)
    usual = int(np.bincount(run["found.classes"]["label"].values.ravel()).argmax())
    around = 1 if usual == 0 else 0

    def height(k: int, point: NDArray[np.float64]) -> float:
        near = np.minimum(np.hypot(*(frequency - point).T), np.hypot(*(frequency + point).T)) < (
            1.5 / 112
        )
        return float(means.values[k][near].max())

    superlattice = [np.mean([height(k, point) for point in points]) for k in (usual, around)]
    lattice = [np.mean([height(k, point) for point in (first, second)]) for k in (usual, around)]
    assert superlattice[1] / lattice[1] > 2 * superlattice[0] / lattice[0]


def test_frames_that_left_the_range_are_left_out_with_their_reasons() -> None:
    frames = _run("protein_lattice", MOVIE)["chosen.frames"]
    left_out = frames["frame"].values[~frames["used"].values.astype(bool)]
    assert left_out.tolist() == list(range(22, 32))
    assert "saturated" in str(frames["reason"].values[27])
    assert "constant" in str(frames["reason"].values[28])


def _pitch_by_spectrum() -> float:
    """Give the lattice constant of a hexagonal lattice from the first ring of a power spectrum."""
    raw = np.frombuffer(MOVIE.read_bytes()[174:], dtype=np.uint8).reshape(32, 32 + 80000)
    frames = raw[:8, 32:].copy().view("<i2").reshape(8, 200, 200).astype(float)
    frames -= np.median(frames, axis=2, keepdims=True)
    power = np.abs(np.fft.fft2(frames * np.outer(np.hanning(200), np.hanning(200)), (800, 800)))
    mean = (power**2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(800, 0.5)[:, None], np.fft.fftfreq(800, 0.5)[None, :])
    smooth = gaussian_filter(mean, 3, mode="wrap")
    peak = (smooth == maximum_filter(smooth, 9, mode="wrap")) & (frequency > 1 / 25)
    peak &= (frequency < 1 / 10) & (smooth > 0.3 * smooth[peak].max())
    return float(2 / np.sqrt(3) / frequency[peak].mean())


def test_the_protein_lattice_is_hexagonal_and_the_same_in_every_frame() -> None:
    cells = _run("protein_lattice", MOVIE)["cells"]
    a, b, angle = (cells[name].values for name in ("a", "b", "angle"))
    assert np.isfinite(a).all()
    # A crystal does not change within 22 s; the slow axis drifts by a percent or two.
    assert np.ptp(np.sqrt(cells["area"].values)) / np.median(a) < 0.02
    assert (b / a).max() < 1.03
    assert np.abs(angle - 60).max() < 3
    assert np.sqrt(np.median(a) * np.median(b)) == pytest.approx(_pitch_by_spectrum(), rel=0.04)


def test_nearly_every_ring_of_a_good_frame_is_found_on_a_hexagonal_lattice() -> None:
    run = _run("protein_lattice", MOVIE)
    rings, pitch = run["rings"], float(np.median(run["cells"]["a"]))
    number = rings["frame"].values
    room = 100 * 100 / float(np.median(run["cells"]["area"]))
    for frame in range(17):
        place = positions(rings)[number == frame]
        # Rings cut by the edge are not sought.
        assert 0.7 * room < len(place) < 1.02 * room
        apart = cKDTree(place).query(place, k=2)[0][:, 1]
        assert np.median(apart) == pytest.approx(pitch, rel=0.06)
        assert _bond_order(place, pitch) > 0.85


def _bond_order(place: NDArray[np.float64], pitch: float) -> float:
    """Give the bond-orientational order of all bonds of a frame: 1 on a hexagonal lattice."""
    pairs = cKDTree(place).query_pairs(1.25 * pitch, output_type="ndarray")
    y, x = (place[pairs[:, 1]] - place[pairs[:, 0]]).T
    return float(np.abs(np.exp(6j * np.arctan2(y, x)).mean()))
