"""Claims about structures projected along the beam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.io import read_structure
from adatom.schema import SITES, notes, positions
from adatom.simulation import Microscope, simulate_image, sites_from_structure

FIELD = (4.0, 4.0)


def titanate() -> Any:
    places = np.array([(0, 0, 0), (1, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)]) * 1.9525
    return Atoms("SrTiO3", places, cell=[3.905] * 3, pbc=True)


def triclinic() -> Any:
    cell = [[3.1, 0.2, -0.4], [0.9, 4.2, 0.3], [-0.5, 0.8, 5.3]]
    # No two lie over one another along an axis of small numbers, as round places may.
    places = [(0.137, 0.211, 0.318), (0.612, 0.493, 0.107), (0.291, 0.823, 0.754)]
    return Atoms("SrTiO", scaled_positions=places, cell=cell, pbc=True)


AXIS = st.tuples(*[st.integers(-4, 4)] * 3).filter(any)


@settings(max_examples=40, deadline=None)
@given(axis=AXIS)
def test_along_any_axis_a_period_holds_each_atom_once(axis: tuple[int, int, int]) -> None:
    structure = triclinic()
    sites = sites_from_structure(structure, zone_axis=axis, field=(1.0, 1.0), tolerance="0 nm")
    # Area across the beam times the period along it is the volume, whatever the axis.
    area = abs(np.linalg.det(sites.attrs["cell_vectors"]))
    along = np.linalg.norm(np.asarray(axis) @ structure.cell.array) / 10 / np.gcd.reduce(axis)
    assert area * along == pytest.approx(structure.get_volume() / 1000, rel=1e-6)
    assert notes(sites)[0].startswith(f"3 atoms seen along [{axis[0]} {axis[1]} {axis[2]}]: 3")


@settings(max_examples=20, deadline=None)
@given(axis=AXIS, rotation=st.floats(-180, 180))
def test_columns_repeat_by_the_vectors_of_the_cell(
    axis: tuple[int, int, int], rotation: float
) -> None:
    sites = sites_from_structure(
        triclinic(), zone_axis=axis, rotation=rotation, field=(1.0, 1.0), margin=2.0
    )
    places = positions(sites)
    inner = places[((places > -0.5) & (places < 1.5)).all(axis=1)]
    for vector in sites.attrs["cell_vectors"]:
        if np.hypot(*vector) < 1.5:
            assert KDTree(places).query(inner + vector)[0].max() < 1e-9


def test_the_axis_points_to_the_viewer_and_a_along_x() -> None:
    # a along x, b upwards and so to smaller y, c towards the viewer.
    corner = Atoms("CNO", [(0, 0, 0), (1, 0, 0), (0, 1, 0)], cell=[8, 8, 8], pbc=True)
    for axis, up in (((0, 0, 1), -1.0), ((0, 0, -1), 1.0)):
        sites = sites_from_structure(corner, zone_axis=axis, field=(0.5, 0.5))
        step = {
            name: positions(sites)[sites["species"].values == name][0] - positions(sites)[0]
            for name in ("N", "O")
        }
        first = positions(sites)[sites["species"].values == "C"][0] - positions(sites)[0]
        np.testing.assert_allclose(step["N"] - first, [0.0, 0.1], atol=1e-12)
        np.testing.assert_allclose(step["O"] - first, [up * 0.1, 0.0], atol=1e-12)


def test_rotation_runs_from_x_towards_y() -> None:
    sites = sites_from_structure(titanate(), rotation=25.0, field=FIELD)
    strontium = positions(sites)[sites["class"].values == "Sr"]
    step = strontium[:, None] - strontium[None]
    neighbor = step[np.isclose(np.hypot(*step.transpose(2, 0, 1)), 0.3905)]
    angles = np.degrees(np.arctan2(neighbor[:, 0], neighbor[:, 1])) % 90
    np.testing.assert_allclose(angles, 25.0, atol=1e-6)


def test_columns_say_what_they_hold() -> None:
    sites = sites_from_structure(titanate(), field=FIELD, periods=4)
    SITES.check(sites)
    counts = (sites["composition"] * sites["occupancy"]).sel(element=["Sr", "Ti", "O"]).values
    classes = sites["class"].values
    for name, held in {"Sr": [4, 0, 0], "TiO": [0, 4, 4], "O": [0, 0, 4]}.items():
        np.testing.assert_allclose(counts[classes == name], [held] * (classes == name).sum())
    assert set(sites["species"].values[classes == "TiO"].tolist()) == {"Ti"}
    assert sites.attrs["spacing"] == pytest.approx(0.19525)


def test_a_frame_of_a_simulation_keeps_its_displacements() -> None:
    frame = titanate() * (6, 6, 8)
    perfect = frame.get_positions()
    rng = np.random.default_rng(3)
    frame.positions += rng.normal(0.0, 0.08, perfect.shape)
    sites = sites_from_structure(frame, field=(2.343, 2.343))
    # One period along the beam is eight cells, named by what they share.
    assert set(sites["class"].values.tolist()) == {"Sr", "TiO", "O"}
    assert set(sites["occupancy"].values.tolist()) == {8.0, 16.0}
    # 8 atoms a column: means vary by the eighth, the rest of the variance is their spread.
    strontium = sites.isel(site=sites["class"].values == "Sr")
    spread = strontium["spread"].values
    assert np.sqrt((spread**2).mean()) == pytest.approx(0.008 * np.sqrt(7 / 8), rel=0.1)
    offsets = positions(strontium) / 0.3905
    offsets = (offsets - offsets[0] + 0.5) % 1.0 - 0.5
    assert offsets.std() * 0.3905 == pytest.approx(0.008 / np.sqrt(8), rel=0.25)


def test_a_column_across_the_border_of_the_cell_is_one() -> None:
    # Two atoms either side of the border in x, 0.02 nm apart.
    pair = Atoms("C2", [(0.1, 2, 0), (7.9, 2, 2)], cell=[8, 8, 4], pbc=True)
    sites = sites_from_structure(pair, field=(1.5, 1.5))
    assert set(sites["occupancy"].values.tolist()) == {2.0}
    np.testing.assert_allclose(sites["spread"].values, 0.01 / np.sqrt(2))


def test_the_tolerance_is_the_radius_of_a_column() -> None:
    row = Atoms("C5", [(0.4 * k, 0, 0) for k in range(5)], cell=[20, 20, 4], pbc=True)
    for tolerance, n_columns in (("0 nm", 5), ("0.03 nm", 5), ("0.05 nm", 2), ("0.09 nm", 1)):
        sites = sites_from_structure(row, field=(2.0, 2.0), tolerance=tolerance)
        assert f"{n_columns} columns in" in notes(sites)[0]


def test_a_crowd_of_atoms_does_not_become_one_column() -> None:
    rng = np.random.default_rng(1)
    crowd = Atoms("C2000", rng.uniform(0, 30, (2000, 3)), cell=[30] * 3, pbc=True)
    sites = sites_from_structure(crowd, field=(3.0, 3.0))
    assert sites.sizes["site"] > 700
    assert sites["spread"].values.max() < 0.05


def test_what_is_not_periodic_lies_in_the_middle() -> None:
    ring = molecule("C6H6")  # type: ignore[no-untyped-call]
    sites = sites_from_structure(ring, field=(3.0, 2.0))
    assert sites.sizes["site"] == 12
    np.testing.assert_allclose(positions(sites).mean(axis=0), [1.5, 1.0], atol=1e-9)
    assert "cell_vectors" not in sites.attrs
    few = sites_from_structure(ring, field=(0.3, 0.3))
    assert few.sizes["site"] < 12
    assert "of which" in notes(few)[0]
    assert "beyond the field" in notes(few)[0]


def test_shared_and_partly_empty_sites_count_by_their_shares(tmp_path: Path) -> None:
    path = tmp_path / "shared.cif"
    rows = "Ba1 Ba 0 0 0 0.5\nSr1 Sr 0 0 0 0.4\nTi1 Ti 0.5 0.5 0.5 1\nO1 O 0.5 0.5 0 1\n"
    keys = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    path.write_text(
        "data_x\n"
        + "".join(f"_cell_length_{axis} 3.9\n" for axis in "abc")
        + "".join(f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
        + "_space_group_IT_number 221\n_space_group_name_H-M_alt 'P m -3 m'\n"
        + "loop_\n"
        + "".join(f"_atom_site_{key}\n" for key in keys)
        + rows
    )
    sites = sites_from_structure(read_structure(path), field=(2.0, 2.0))
    shared = sites.isel(site=sites["class"].values == "Ba0.5Sr0.4")
    assert shared.sizes["site"] > 20
    np.testing.assert_allclose(shared["occupancy"].values, 0.9)
    np.testing.assert_allclose(shared["composition"].sel(element="Ba").values, 5 / 9)


def test_a_frame_of_a_trajectory_is_read_and_seen(tmp_path: Path) -> None:
    from ase.io import write

    frames = [titanate() * (n, 1, 1) for n in (1, 2, 3)]
    write(tmp_path / "run.extxyz", frames)
    structure = read_structure(tmp_path / "run.extxyz", dataset="2")
    assert notes(sites_from_structure(structure))[0].startswith("15 atoms")


def test_columns_whose_atoms_stray_look_broader() -> None:
    pair = Atoms("C2", [(-0.4, 0, 0), (0.4, 0, 0)])
    bare = Microscope(
        probe_width="0.06 nm",
        tail_fraction=0.0,
        background=0.0,
        jitter="0 nm",
        drift="0 nm",
        distortion=0.0,
    )
    sites = sites_from_structure(pair, field=(2.0, 2.0), tolerance="0.1 nm")
    spread = 0.04 / np.sqrt(2)
    np.testing.assert_allclose(sites["spread"].values, spread)
    simulation = simulate_image(
        sites, shape=(200, 200), pixel_size="0.01 nm", microscope=bare, seed=1
    )
    values = simulation.expected.values.astype(float)
    y, x = simulation.expected.y.values, simulation.expected.x.values
    (at,) = positions(simulation.truth)
    total = values.sum()
    variance = (values * ((y[:, None] - at[0]) ** 2 + (x - at[1]) ** 2)).sum() / total / 2
    assert np.sqrt(variance) == pytest.approx(np.hypot(0.06, spread), rel=1e-3)
    assert float(simulation.truth["width"][0]) == pytest.approx(np.hypot(0.06, spread))
    assert total == pytest.approx(2 * bare.electrons, rel=1e-3)


def test_structures_that_cannot_be_seen_say_why() -> None:
    slab = bulk("Au", "fcc", a=4.08, cubic=True)
    slab.pbc = (True, True, False)
    with pytest.raises(SettingError, match=r"repeats along a, b only, not across this beam"):
        sites_from_structure(slab, zone_axis=(1, 1, 0))
    assert sites_from_structure(slab).sizes["site"] > 0
    with pytest.raises(SettingError, match="holds no atoms"):
        sites_from_structure(Atoms())
    with pytest.raises(SettingError, match="atoms of 'X', which is no element"):
        sites_from_structure(Atoms("X"))
    with pytest.raises(SettingError, match=r"atom 1 of the structure is at \[nan"):
        sites_from_structure(Atoms("C2", [(0, 0, 0), (np.nan, 0, 0)]))
    with pytest.raises(SettingError, match=r"zone_axis=\(0, 0, 0\) is no direction"):
        sites_from_structure(slab, zone_axis=(0, 0, 0))
    with pytest.raises(SettingError, match="columns, 20000000 at most"):
        sites_from_structure(titanate(), field=(1e4, 1e4))
    with pytest.raises(SettingError, match="periods=0 must be 1 or more"):
        sites_from_structure(titanate(), periods=0)
