"""Claims about crystals by name, and those that no one has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase.build import bulk, graphene, mx2
from ase.spacegroup import crystal as ase_crystal
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import Sites, positions
from adatom.simulation import (
    Crystal,
    Microscope,
    build_lattice,
    simulate_image,
    simulate_lattice,
    sites_from_structure,
)
from adatom.simulation.cells import LATTICES, materials_of, named_cell
from adatom.simulation.crystals import crystal_positions, random_cell

FIELD = (5.0, 5.0)


def perovskite(a: float) -> Any:
    places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return ase_crystal(["Sr", "Ti", "O"], places, spacegroup=221, cellpar=[a, a, a, 90, 90, 90])


def layered_perovskite(a: float) -> Any:
    places = [(0, 0, 0.355), (0, 0, 0), (0, 0.5, 0), (0, 0, 0.157)]
    cell = [a, a, 3.25 * a, 90, 90, 90]
    return ase_crystal(["Sr", "Ti", "O", "O"], places, spacegroup=139, cellpar=cell)


def bronze(a: float) -> Any:
    # Sr0.5Ba0.5Nb2O6 after P. B. Jamieson et al., J. Chem. Phys. 48, 5048 (1968), flattened:
    # P4bm, metal and equatorial oxygen planes at z = 0, tunnels and apical oxygen at 1/2.
    places: dict[str, list[tuple[float, float, float]]] = {
        "Nb": [(0, 0.5, 0), (0.0746, 0.2114, 0)],
        "Sr": [(0, 0, 0.5)],
        "Ba": [(0.1707, 0.6707, 0.5)],
        "O": [
            *[(0, 0.5, 0.5), (0.0746, 0.2114, 0.5)],
            *[(0.3434, 0.0068, 0), (0.1393, 0.0692, 0), (0.2831, 0.7831, 0)],
        ],
    }
    symbols = [symbol for symbol, some in places.items() for _ in some]
    every = [place for some in places.values() for place in some]
    return ase_crystal(symbols, every, spacegroup=100, cellpar=[a, a, 3.94, 90, 90, 90])


# ASE is not typed.
_graphene: Any = graphene
_mx2: Any = mx2
CUBIC = {"cubic": True}
# Structures as ASE builds them, and the axis along which the lattice of that name is seen.
STRUCTURES: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "honeycomb": (_graphene(a=2.46, vacuum=5), (0, 0, 1)),
    "hbn": (_graphene("BN", a=2.504, vacuum=5), (0, 0, 1)),
    "tmd": (_mx2("MoS2", "2H", a=3.16, thickness=3.19, vacuum=5), (0, 0, 1)),
    "tmd_1t": (_mx2("TiSe2", "1T", a=3.54, thickness=3.2, vacuum=5), (0, 0, 1)),
    "fcc_100": (bulk("Au", "fcc", a=4.078, **CUBIC), (0, 0, 1)),
    "fcc_110": (bulk("Au", "fcc", a=4.078, **CUBIC), (1, 1, 0)),
    "fcc_111": (bulk("Au", "fcc", a=4.078, **CUBIC), (1, 1, 1)),
    "bcc_100": (bulk("Fe", "bcc", a=2.866, **CUBIC), (0, 1, 0)),
    "bcc_110": (bulk("Fe", "bcc", a=2.866, **CUBIC), (0, 1, 1)),
    "rocksalt_100": (bulk("MgO", "rocksalt", a=4.212, **CUBIC), (1, 0, 0)),
    "rocksalt_110": (bulk("MgO", "rocksalt", a=4.212, **CUBIC), (1, -1, 0)),
    "zincblende_100": (bulk("GaAs", "zincblende", a=5.653, **CUBIC), (0, 0, 1)),
    "zincblende_110": (bulk("GaAs", "zincblende", a=5.653, **CUBIC), (1, 1, 0)),
    "wurtzite_110": (
        bulk("GaN", "wurtzite", a=3.189, c=3.189 * np.sqrt(8 / 3), u=0.375),
        (1, 0, 0),
    ),
    "perovskite_100": (perovskite(3.905), (0, 0, 1)),
    "perovskite_110": (perovskite(3.905), (1, 1, 0)),
    "ruddlesden_popper": (layered_perovskite(3.88), (1, 0, 0)),
    "tungsten_bronze": (bronze(12.46), (0, 0, 1)),
}


def surroundings(sites: Sites, radius: float = 0.5) -> dict[str, list[tuple[str, float]]]:
    """Give the classes and distances that columns of each class have round them."""
    places, classes = positions(sites), sites["class"].values.astype(str)
    tree = KDTree(places)
    inner = ((places > radius) & (places < np.array(FIELD) - radius)).all(axis=1)
    found: dict[str, list[tuple[str, float]]] = {}
    for name in sorted(set(classes.tolist())):
        rounds = [
            sorted(
                (str(classes[other]), round(float(np.hypot(*(places[other] - places[site]))), 3))
                for other in tree.query_ball_point(places[site], radius)
            )
            for site in np.flatnonzero(inner & (classes == name)).tolist()
        ]
        # Columns of one class may be at several places of the cell: the first in order.
        found[name] = min(rounds)
    return found


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_crystal_by_name_is_the_structure_seen_along_its_axis(name: str) -> None:
    structure, axis = STRUCTURES[name]
    seen = sites_from_structure(structure, zone_axis=axis, field=FIELD)
    built = build_lattice(crystal=Crystal(name, spacing="1 d"), field=FIELD, unit="nm")  # type: ignore[arg-type]
    ours, theirs = surroundings(built), surroundings(seen)
    assert list(ours) == list(theirs)
    for one, other in zip(ours.values(), theirs.values(), strict=True):
        assert [name for name, _ in one] == [name for name, _ in other]
        assert [r for _, r in one] == pytest.approx([r for _, r in other], abs=0.002)


@pytest.mark.parametrize(("crystal", "a"), [(("Mo", "S"), 0.316), (("W", "Se"), 0.3282)])
def test_a_metal_of_a_dichalcogenide_has_three_pairs_of_chalcogens_round_it(
    crystal: tuple[str, str], a: float
) -> None:
    settings = Crystal("tmd", spacing="1 d", species=crystal)
    sites = build_lattice(crystal=settings, field=FIELD, unit="nm", margin=0.5)
    metal, chalcogen = (sites.isel(site=sites["species"].values == name) for name in crystal)
    inside = metal.isel(site=((positions(metal) > 0) & (positions(metal) < 5)).all(axis=1))
    distance, _ = KDTree(positions(chalcogen)).query(positions(inside), k=4)
    np.testing.assert_allclose(distance[:, :3], a / np.sqrt(3), rtol=1e-9)
    # The next are as far beyond as across a hexagon.
    np.testing.assert_allclose(distance[:, 3], 2 * a / np.sqrt(3), rtol=1e-9)
    assert set(chalcogen["occupancy"].values.tolist()) == {2.0}
    assert set(chalcogen["class"].values.tolist()) == {f"{crystal[1]}2"}


def test_lattice_constants_are_those_of_the_materials() -> None:
    # Columns of rock salt along [100] are half a constant apart, cells of a
    # perovskite along [110] are sqrt(2) higher than wide.
    assert named_cell("rocksalt_100").distance == pytest.approx(0.4212 / 2)
    cell = named_cell("perovskite_110")
    height, width = (np.hypot(*vector) * cell.distance for vector in cell.vectors)
    assert height == pytest.approx(0.3905)
    assert height / width == pytest.approx(np.sqrt(2))
    assert named_cell("fcc_111").distance == pytest.approx(0.4078 / np.sqrt(6))
    assert named_cell("zincblende_110", ("Si", "Si")).distance == pytest.approx(0.5431 / 4)


def test_niobium_of_a_tungsten_bronze_has_four_oxygen_columns_round_it() -> None:
    crystal = Crystal("tungsten_bronze", spacing="1 d")
    sites = build_lattice(crystal=crystal, field=FIELD, unit="nm", margin=0.5)
    names, n = np.unique(named_cell("tungsten_bronze").classes, return_counts=True)
    assert dict(zip(names.tolist(), n.tolist(), strict=True)) == {
        "Ba": 4, "NbO": 10, "O": 20, "Sr": 2,
    }  # fmt: skip
    places, classes = positions(sites), sites["class"].values
    inside = ((places > 0) & (places < 5)).all(axis=1)
    near, _ = KDTree(places[classes == "O"]).query(places[inside & (classes == "NbO")], k=5)
    # Nb-O bonds of about 0.195 nm, next ones beyond the octahedron.
    assert (near[:, :4] > 0.19).all()
    assert (near[:, :4] < 0.205).all()
    assert (near[:, 4] > 0.3).all()


@pytest.mark.parametrize("name", LATTICES)
def test_every_lattice_is_laid_out_without_gaps_and_at_its_spacing(name: str) -> None:
    def laid_out(margin: float) -> np.ndarray:
        return crystal_positions(
            name,
            10.0,
            field=(150.0, 90.0),
            margin=margin,
            rotation=33.0,
            rng=np.random.default_rng(4),
        ).position

    few, many = laid_out(0.0), laid_out(400.0)
    inside = ((many >= 0) & (many <= [150.0, 90.0])).all(axis=1)
    assert len(few) == inside.sum()
    np.testing.assert_allclose(np.sort(few, axis=0), np.sort(many[inside], axis=0), atol=1e-9)
    cell = named_cell(name)
    density = len(cell.places) / abs(np.linalg.det(cell.vectors)) / 100
    # Of some thousand cells those cut by the border are a few percent.
    assert len(many) == pytest.approx(density * 950 * 890, rel=0.03)
    assert KDTree(many).query(many, k=2)[0][:, 1].min() == pytest.approx(10.0)


def test_a_mixed_column_is_as_bright_as_its_atoms_together() -> None:
    z = np.array([38, 22, 8]) ** 1.64
    expected = {"Sr": z[0], "TiO": z[1] + z[2], "O": z[2]}
    crystal = Crystal("perovskite_100", spacing="1 d")
    sites = build_lattice(crystal=crystal, field=(2.0, 2.0), unit="nm", margin=0.8)
    even = Microscope(jitter="0 nm", drift="0 nm", distortion=0.0)
    truth = simulate_image(sites, shape=(64, 64), pixel_size="0.03 nm", microscope=even).truth
    bare = simulate_lattice(crystal=Crystal("perovskite_100", spacing="30 px")).truth
    for name, brightness in expected.items():
        for one in (truth, bare):
            amplitude = one["amplitude"].values[one["class"].values == name]
            strongest = one["amplitude"].values.max()
            np.testing.assert_allclose(amplitude / strongest, brightness / z[0], rtol=1e-6)


def test_random_cells_keep_their_columns_apart_and_leave_no_wide_holes() -> None:
    rng = np.random.default_rng(11)
    numbers = set()
    for _ in range(100):
        cell = random_cell(rng)
        numbers.add(len(cell.places))
        sites = crystal_positions(
            cell, 1.0, field=(15.0, 15.0), margin=0.0, rotation=9.0, rng=rng
        ).position
        assert KDTree(sites).query(sites, k=2)[0][:, 1].min() == pytest.approx(1.0)
        probes = rng.uniform(3.0, 12.0, (400, 2))
        assert KDTree(sites).query(probes)[0].max() < 2.2
    assert numbers == {1, 2, 3, 4, 5, 6}


def test_the_same_random_numbers_give_the_same_cell() -> None:
    one, other = (random_cell(np.random.default_rng(6)) for _ in range(2))
    assert (one.vectors, one.places, one.columns) == (other.vectors, other.places, other.columns)


@pytest.mark.parametrize("name", LATTICES)
def test_every_material_of_a_lattice_makes_a_cell(name: str) -> None:
    for elements in materials_of(name):
        cell = named_cell(name, elements)
        assert set(cell.counts()[0]) == set(elements)
        assert np.isnan(cell.distance) or 0.08 < cell.distance < 0.4


def test_crystals_refuse_elements_that_do_not_fit() -> None:
    with pytest.raises(SettingError, match="are 1 elements, tmd has 2"):
        Crystal("tmd", species=("W",))
    with pytest.raises(SettingError, match="species 'Wx' is no element"):
        Crystal("tmd", species=("Wx", "S"))
    with pytest.raises(SettingError, match="square of no material has no known distance"):
        build_lattice(crystal=Crystal("square", spacing="1 d"), unit="nm", field=(1.0, 1.0))
    with pytest.raises(SettingError, match="tmd of W, Te has no known distance"):
        build_lattice(
            crystal=Crystal("tmd", spacing="1 d", species=("W", "Te")), unit="nm", field=(1.0, 1.0)
        )
