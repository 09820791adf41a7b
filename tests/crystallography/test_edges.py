"""Edges are found where a sheet ends, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from edge_scenes import BOND, edge_movie, found_atoms, graphene, where
from scipy.spatial import KDTree

from adatom.crystallography import find_edge_impurities, find_edges
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import image_from_array, notes, positions, sites_from_positions
from adatom.simulation import (
    Edges,
    EdgeSheet,
    Kinetics,
    Microscope,
    simulate_edge_movie,
    simulate_image,
)


@pytest.mark.parametrize("rotation", [0.0, 30.0])
def test_a_straight_edge_has_its_length_and_direction(rotation: float) -> None:
    # At 0 deg rows along x end in a zigzag edge, at 30 deg in an armchair one.
    sheet = graphene(rotation=rotation)
    half = where(sheet, sheet["y"] < 3.0)
    edges = find_edges(half)
    assert edges.table.sizes["row"] == 1
    # The line ends at the last atoms whose vacuum is seen: less than two spacings from the border.
    assert 5.0 - 4 * BOND < edges.table["length"].item() < 5.02
    angle = edges.table["direction"].item()
    assert min(angle, 180 - angle) < 1.0
    np.testing.assert_allclose(edges.lines["normal"].sel(axis="y"), 1.0, atol=0.1)
    assert edges.table["roughness"].item() < 0.5 * BOND


def test_the_border_of_the_frame_is_no_edge() -> None:
    edges = find_edges(graphene())
    assert edges.table.sizes["row"] == 0
    assert edges.lines.sizes["site"] == 0
    assert (edges.sites["edge"] == -1).all()
    assert np.isnan(edges.sites["edge_distance"]).all()
    assert notes(edges.table) == ["0 edges, 0 of holes."]


def test_a_hole_is_told_from_the_outer_edge_and_missing_atoms_from_holes() -> None:
    sheet = graphene()
    hole = np.hypot(sheet["y"] - 1.6, sheet["x"] - 2.5) < 0.7
    near = np.hypot(sheet["y"] - 2.4, sheet["x"] - 1.2)
    keep = (sheet["y"] < 3.4) & ~hole & (near > near.min())
    table = find_edges(where(sheet, keep)).table
    assert table["is_hole"].values.tolist() == [True, False] or table[
        "is_hole"
    ].values.tolist() == [
        False,
        True,
    ]
    ring = table.isel(row=int(np.argmax(table["is_hole"].values)))
    assert bool(ring["is_closed"])
    # The outermost atoms stand on the rim or up to a bond outside of it.
    assert np.pi * 0.65**2 < float(ring["area"]) < np.pi * (0.7 + BOND) ** 2
    assert 2 * np.pi * 0.6 < float(ring["length"]) < 2 * np.pi * (0.7 + BOND)


def test_an_island_has_a_closed_edge_with_its_normal_outward() -> None:
    sheet = graphene()
    near = np.hypot(sheet["y"].values - 2.5, sheet["x"].values - 2.5) < 1.2
    island = where(sheet, xr.DataArray(near, dims="site"))
    edges = find_edges(island)
    assert edges.table["is_closed"].values.tolist() == [True]
    assert edges.table["is_hole"].values.tolist() == [False]
    out = positions(edges.lines) - 2.5
    assert ((out * edges.lines["normal"].values).sum(axis=1) > 0.5).all()


@pytest.mark.parametrize(
    ("along", "roughness"), [((1, 0), "0 nm"), ((1, 1), "0 nm"), ((1, 0), "0.25 nm")]
)
def test_zigzag_armchair_and_rough_edges_are_found_with_some_atoms_missed(
    along: tuple[int, int], roughness: str
) -> None:
    shape = Edges(vacuum=0.4, along=along, roughness=roughness)
    sheet = EdgeSheet(edges=shape, kinetics=Kinetics(classes=("in line",), n_defects=2, hops=(),
                      turns=(), changes=(), orientations=2))  # fmt: skip
    made = simulate_edge_movie(sheet=sheet, n_frames=3, size=64, field="6 nm", seed=2)
    atoms = found_atoms(made, missed=0.02)
    lines = find_edges(atoms).lines
    for number in range(3):
        true = where(made.atoms, (made.atoms["frame"] == number) & made.atoms["at_edge"])
        place = positions(true)
        inner = place[((place > 0.4) & (place < 5.5)).all(axis=1)]
        line = positions(where(lines, lines["frame"] == number))
        # The second row of teeth lies half a bond behind the first, waves are smoothed.
        assert (KDTree(line).query(inner)[0] < 2 * BOND).mean() > 0.9
        assert (KDTree(place).query(line)[0] < 2 * BOND).mean() > 0.9


def test_beside_what_was_not_analyzed_is_no_edge() -> None:
    sheet = graphene()
    half = where(sheet, sheet["y"] < 3.0)
    image = image_from_array(np.ones((50, 50)), pixel_size="0.1 nm")
    regions = (image.y < 3.1) & (image.x < 99)
    assert find_edges(half, None, regions).table.sizes["row"] == 0
    clear = xr.ones_like(image, dtype=bool)
    assert find_edges(half, None, clear).table.sizes["row"] == 1


def test_a_part_of_the_sheet_in_which_no_atoms_were_found_is_no_edge() -> None:
    sheet = graphene()
    half = where(sheet, sheet["y"] < 3.6)
    microscope = Microscope(distortion=0.0, drift="0 nm")
    image = simulate_image(
        half, shape=(125, 125), pixel_size="0.04 nm", microscope=microscope, seed=1
    ).image
    found = where(half, half["x"] < 3.5)
    assert find_edges(found).table.sizes["row"] == 1
    with_image = find_edges(found, image)
    direction = float(with_image.table["direction"][0])
    assert min(direction, 180 - direction) < 5.0
    assert float(with_image.table["darkness"][0]) > 0.7
    assert with_image.table["length"].item() < 3.7


def test_impurities_have_directions_along_the_edge_and_outward() -> None:
    made = edge_movie()
    atoms = found_atoms(made)
    found = find_edge_impurities(atoms, find_edges(atoms).lines)
    # All of them, since all are on the edge; in the order of the sites.
    assert found.sizes["site"] == made.truth.sizes["site"]
    np.testing.assert_array_equal(atoms["species"].values[found["site_number"].values], "Si")
    tangent, normal = found["edge_tangent"].values, found["edge_normal"].values
    np.testing.assert_allclose((tangent * normal).sum(axis=1), 0.0, atol=1e-12)
    # Turned from +x towards +y: the same hand for all.
    np.testing.assert_allclose(tangent[:, 1] * normal[:, 0] - tangent[:, 0] * normal[:, 1], 1.0)
    assert np.abs(found["edge_distance"].values).max() < 1.5 * BOND
    # A straight edge has one direction, which the impurities hardly turn.
    spread = np.degrees(np.arccos(np.clip(normal @ normal.mean(axis=0), -1, 1)))
    assert np.median(spread) < 5.0


def test_sites_without_spacing_or_species_are_refused_with_what_to_do() -> None:
    sheet = graphene()
    lines = find_edges(where(sheet, sheet["y"] < 3.0)).lines
    with pytest.raises(KindError, match="run defects"):
        find_edge_impurities(sheet.drop_vars("species"), lines)
    with pytest.raises(KindError, match="give the lines of"):
        find_edge_impurities(sheet, sheet)
    with pytest.raises(SettingError, match="C is what the sheet is made of"):
        find_edge_impurities(sheet, lines, impurities=["C"])
    del sheet.attrs["spacing"]
    with pytest.raises(KindError, match="no attrs\\['spacing'\\]"):
        find_edges(sheet)
    with pytest.raises(TooFewSitesError, match="there are no sites"):
        find_edges(sites_from_positions([], [], unit="nm", spacing=1.0))


def test_a_length_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="reach is 0 nm, it must be positive"):
        find_edges(graphene(), reach="0 d")
