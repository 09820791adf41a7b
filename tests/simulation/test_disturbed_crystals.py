"""Claims about point defects, strain, grains, edges and layers of any crystal."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial import Delaunay, KDTree

from adatom.errors import KindError, SettingError, UnitError
from adatom.schema import Sites, notes, positions, sites_from_positions
from adatom.simulation import (
    Crystal,
    Disorder,
    Edges,
    Grains,
    Sample,
    Strain,
    apply_disorder,
    apply_edges,
    apply_strain,
    build_bilayer,
    build_grains,
    build_lattice,
    columns_from_sites,
    simulate_image,
    simulate_sample,
)
from adatom.simulation.cells import LatticeName
from adatom.simulation.columns import column_counts


def lattice(name: LatticeName = "tmd", size: float = 300.0, **settings: float) -> Sites:
    crystal = Crystal(name, spacing="10 px", **settings)  # type: ignore[arg-type]
    return build_lattice(crystal=crystal, field=(size, size))


def n_atoms(sites: Sites) -> dict[str, float]:
    elements, counts = column_counts(sites)
    return dict(zip(elements, counts.sum(axis=0).tolist(), strict=True))


def test_defects_are_as_many_as_asked_and_named() -> None:
    sites = lattice()
    n = sites.sizes["site"]
    disorder = Disorder(
        vacancies=0.03, empty_columns=0.01, substitutions=0.02, substitute="W", antisites=0.01
    )
    atoms, vacancies = apply_disorder(sites, disorder=disorder, seed=5)
    classes = Counter(atoms["class"].values.tolist())
    missing = Counter(vacancies["class"].values.tolist())
    assert classes["W for Mo"] + classes["W for S"] == round(0.02 * n)
    assert classes["S2 for Mo"] + classes["Mo for S2"] == round(0.01 * n)
    # A chalcogen column that lacks an atom is still there, a metal is gone.
    assert missing["V(S)"] == classes["S2 less S"] > 0
    assert missing.total() == round(0.03 * n) + round(0.01 * n)
    assert atoms.sizes["site"] == n - missing["V(Mo)"] - missing["V(S2)"]
    assert f"{n} columns were given" in notes(atoms)[0]


def test_every_missing_atom_is_listed_where_it_was() -> None:
    sites = lattice("perovskite_100")
    disorder = Disorder(vacancies=0.1, empty_columns=0.05)
    atoms, vacancies = apply_disorder(sites, disorder=disorder, seed=2)
    before, after = n_atoms(sites), n_atoms(atoms)
    gone = {name: before[name] - after[name] for name in before}
    listed = dict.fromkeys(before, 0)
    for name in vacancies["class"].values.tolist():
        for element in re.findall(r"[A-Z][a-z]?", name[2:-1]):
            listed[element] += 1
    assert gone == pytest.approx(listed)
    assert KDTree(positions(sites)).query(positions(vacancies))[0].max() < 1e-9


def test_a_column_that_lost_an_atom_is_dimmer_by_it() -> None:
    atoms, _ = apply_disorder(lattice(), disorder=Disorder(vacancies=0.05), seed=1)
    short = atoms.isel(site=atoms["class"].values == "S2 less S")
    np.testing.assert_allclose(short["occupancy"].values, 1.0)
    full = atoms.isel(site=atoms["class"].values == "S2")
    np.testing.assert_allclose(full["occupancy"].values, 2.0)


def test_adatoms_lie_on_columns_bridges_and_hollows() -> None:
    sites = lattice("honeycomb")
    disorder = Disorder(adatoms=0.1, interstitials=0.02)
    atoms, _ = apply_disorder(sites, disorder=disorder, seed=3)
    places, classes = positions(atoms), atoms["class"].values
    carbon = KDTree(positions(sites))

    def distances(name: str) -> np.ndarray:
        found: np.ndarray = carbon.query(places[classes == name])[0]
        assert len(found) > 5, name
        return found

    np.testing.assert_allclose(distances("Si on bridge"), 5.0)
    # The middle of a hexagon is a bond away from its corners.
    np.testing.assert_allclose(distances("Si in hollow"), 10.0)
    np.testing.assert_allclose(distances("C interstitial"), 10.0)
    on_top = atoms.isel(site=classes == "Si on C")
    np.testing.assert_allclose(on_top["occupancy"].values, 2.0)
    assert set(on_top["species"].values.tolist()) == {"Si"}
    assert n_atoms(atoms)["Si"] == round(0.1 * sites.sizes["site"])
    assert KDTree(places).query(places, k=2)[0][:, 1].min() > 4.9


def test_displacements_are_as_large_as_asked_and_leave_defects_where_they_are() -> None:
    sites = lattice(size=600.0)
    still, holes = apply_disorder(sites, disorder=Disorder(vacancies=0.02), seed=4)
    disorder = Disorder(vacancies=0.02, displacement="0.4 px")
    moved, same_holes = apply_disorder(sites, disorder=disorder, seed=4)
    step = positions(moved) - positions(still)
    np.testing.assert_allclose(step.std(axis=0), 0.4, rtol=0.05)
    np.testing.assert_array_equal(positions(holes), positions(same_holes))
    np.testing.assert_array_equal(still["class"].values, moved["class"].values)


def test_disorder_refuses_what_cannot_be() -> None:
    with pytest.raises(SettingError, match="an antisite needs two kinds"):
        apply_disorder(lattice("square"), disorder=Disorder(antisites=0.1))
    with pytest.raises(SettingError, match=r"vacancies=1\.5 is a share"):
        Disorder(vacancies=1.5)
    with pytest.raises(SettingError, match="at most 1"):
        Disorder(vacancies=0.6, substitutions=0.6)
    with pytest.raises(SettingError, match="'Xx' is no element"):
        Disorder(adatom="Xx")
    with pytest.raises(SettingError, match=r"columns without a defect, there are \d:"):
        apply_disorder(lattice("square"), disorder=Disorder(vacancies=0.995, adatoms=0.5))
    with pytest.raises(KindError, match="no 'species'"):
        apply_disorder(sites_from_positions([0.0], [0.0], unit="px"))


def test_even_strain_is_the_tensor_asked_for() -> None:
    sites = lattice("square", rotation=0.0)
    out = apply_strain(sites, strain=Strain(xx=0.03, yy=-0.01, xy=0.02))
    tensor = np.array([[-0.01, 0.02], [0.02, 0.03]])
    change = positions(out) - positions(sites)
    np.testing.assert_allclose(
        change - change[0], (positions(sites) - positions(sites)[0]) @ tensor, atol=1e-9
    )
    np.testing.assert_allclose(out["strain"].sel(component="xx").values, 0.03)
    np.testing.assert_allclose(out["strain"].sel(component="xy").values, 0.02)
    np.testing.assert_allclose(out["lattice_rotation"].values, 0.0)
    assert positions(out).mean(axis=0) == pytest.approx(positions(sites).mean(axis=0), abs=0.5)


def test_wavy_strain_is_what_neighbors_show() -> None:
    sites = lattice("square", size=400.0, rotation=0.0)
    strain = Strain(waviness=0.02, wavelength="40 d")
    out = apply_strain(sites, strain=strain, seed=2)
    before, after = positions(sites), positions(out)
    pairs = KDTree(before).query_pairs(10.01, output_type="ndarray")
    step = before[pairs[:, 1]] - before[pairs[:, 0]]
    change = (after[pairs[:, 1]] - after[pairs[:, 0]] - step) / 10.0
    along_x = np.abs(step[:, 1]) > 5
    both = out["strain"].values[pairs].mean(axis=1)
    turn = np.radians(out["lattice_rotation"].values[pairs].mean(axis=1))
    sign = np.sign(step[along_x, 1])
    # A step of a twentieth of the shortest wave: the mean of both ends is right to
    # the third of the square of half its phase, a percent.
    np.testing.assert_allclose(change[along_x, 1] * sign, both[along_x, 0], atol=5e-4)
    np.testing.assert_allclose(
        change[along_x, 0] * sign, both[along_x, 2] + turn[along_x], atol=5e-4
    )
    assert out["strain"].sel(component="xx").values.std() == pytest.approx(0.02, rel=0.4)


def test_each_dislocation_is_a_pair_of_five_and_seven_neighbors() -> None:
    crystal = Crystal("hexagonal", spacing="10 px")
    sites = build_lattice(crystal=crystal, field=(500.0, 500.0), margin=60.0)
    for seed, n_lines in ((3, 4), (5, 1)):
        out = apply_strain(sites, strain=Strain(dislocations=n_lines), seed=seed)
        places = positions(out)
        inner = ((places > 10) & (places < 490)).all(axis=1)
        neighbors = np.bincount(Delaunay(places).simplices.ravel(), minlength=len(places))
        found = Counter(neighbors[inner].tolist())
        assert found[5] == found[7] == n_lines
        assert set(found) == {5, 6, 7}


def test_strain_refuses_dislocations_of_an_unknown_cell() -> None:
    sites = lattice("square")
    del sites.attrs["cell_vectors"]
    with pytest.raises(SettingError, match="do not tell their cell"):
        apply_strain(sites, strain=Strain(dislocations=1))
    with pytest.raises(SettingError, match=r"xx=0\.7 must lie"):
        Strain(xx=0.7)


def grain_angles(sites: Sites, fold: int) -> list[float]:
    """Mean orientation of each grain in deg, by its steps between nearest columns."""
    angles = []
    for number in range(int(sites["grain"].max()) + 1):
        places = positions(sites)[sites["grain"].values == number]
        pairs = KDTree(places).query_pairs(10.05, output_type="ndarray")
        step = places[pairs[:, 1]] - places[pairs[:, 0]]
        turns = np.exp(1j * fold * np.arctan2(step[:, 0], step[:, 1]))
        angles.append(float(np.degrees(np.angle(turns.mean())) / fold))
    return angles


def test_grains_are_turned_as_they_tell_and_keep_apart() -> None:
    crystal = Crystal("hexagonal", spacing="10 px")
    sites = build_grains(crystal=crystal, grains=Grains(n_grains=4), field=(400.0, 400.0), seed=1)
    told = [
        float(sites["rotation"].values[sites["grain"].values == number][0]) for number in range(4)
    ]
    off = (np.array(grain_angles(sites, 6)) - told + 30) % 60 - 30
    np.testing.assert_allclose(off, 0.0, atol=1e-6)
    distance = KDTree(positions(sites)).query(positions(sites), k=2)[0][:, 1]
    assert distance.min() >= 7.5
    np.testing.assert_allclose(distance[~sites["at_boundary"].values], 10.0)
    assert 0.02 < float(sites["at_boundary"].mean()) < 0.3


def test_two_grains_differ_by_their_misorientation() -> None:
    crystal = Crystal("square", spacing="10 px", rotation=5.0)
    grains = Grains(misorientation=12.0)
    sites = build_grains(crystal=crystal, grains=grains, field=(300.0, 300.0), seed=0)
    first, second = grain_angles(sites, 4)
    assert second - first == pytest.approx(12.0)
    assert (first + second) / 2 == pytest.approx(5.0)


def test_a_twin_is_its_own_mirror_image() -> None:
    field = (200.0, 200.0)
    crystal = Crystal("fcc_110", spacing="10 px", rotation=20.0)
    sites = build_grains(crystal=crystal, grains=Grains(twin=(0, 1)), field=field, margin=50.0)
    along = np.array(sites.attrs["cell_vectors"][1])
    along /= np.hypot(*along)
    across = np.array([along[1], -along[0]])
    places = positions(sites)
    height = (places - 100.0) @ across
    mirrored = places - 2 * height[:, None] * across
    near = np.hypot(*(mirrored - 100.0).T) < 90
    assert KDTree(places).query(mirrored[near])[0].max() < 1e-6
    # Coherent: neighbors across the boundary are as far as in the crystal.
    np.testing.assert_allclose(KDTree(places).query(places[near], k=2)[0][:, 1], 10.0)
    assert not notes(sites)


def test_an_edge_takes_its_share_and_follows_the_lattice() -> None:
    sites = lattice("honeycomb", size=400.0)
    edges = Edges(vacuum=0.4, along=(1, 0))
    left = apply_edges(sites, edges=edges, seed=2)
    assert left.sizes["site"] == pytest.approx(0.6 * sites.sizes["site"], rel=0.04)
    along = np.array(sites.attrs["cell_vectors"][0])
    height = positions(left) @ np.array([along[1], -along[0]]) / np.hypot(*along)
    rim = height[left["at_edge"].values]
    # A zigzag edge: its atoms stand on two lines half a bond apart.
    assert np.ptp(rim) < 5.0 + 1e-6
    n_bonds = [len(n) - 1 for n in KDTree(positions(left)).query_ball_point(positions(left), 10.1)]
    inside = ((positions(left) > 15) & (positions(left) < 385)).all(axis=1)
    at_edge = left["at_edge"].values[inside]
    assert (np.array(n_bonds)[inside][~at_edge] == 3).all()
    assert (np.array(n_bonds)[inside][at_edge] < 3).all()
    assert "columns taken away" in notes(left)[0]


def test_holes_and_rough_edges_are_empty() -> None:
    sites = lattice("square", size=400.0)
    holed = apply_edges(sites, edges=Edges(holes=3, hole_radius="4 d"), seed=1)
    taken = sites.sizes["site"] - holed.sizes["site"]
    # Radii vary by 30 %, shapes hardly change the area; holes may overlap or lie at the rim.
    assert 0.2 < taken / (3 * np.pi * 16) < 1.8
    rough = apply_edges(sites, edges=Edges(vacuum=0.5, roughness="2 d"), seed=1)
    straight = apply_edges(sites, edges=Edges(vacuum=0.5), seed=1)
    assert rough["at_edge"].sum() > straight["at_edge"].sum()
    with pytest.raises(SettingError, match=r"vacuum=1\.0 is a share"):
        Edges(vacuum=1.0)
    del sites.attrs["cell_vectors"]
    with pytest.raises(SettingError, match="these sites do not tell"):
        apply_edges(sites, edges=Edges(vacuum=0.5, along=(1, 0)))


def test_a_bilayer_holds_both_sheets_and_columns_all_their_atoms() -> None:
    lower = Crystal("tmd", spacing="10 px", rotation=3.0)
    upper = Crystal("honeycomb", spacing="8 px", rotation=14.0)
    sites = build_bilayer(lower=lower, upper=upper, field=(300.0, 300.0), seed=4)
    layers = [sites.isel(site=sites["layer"].values == layer) for layer in (0, 1)]
    assert [set(n_atoms(layer)) for layer in layers] == [{"Mo", "S"}, {"C"}]
    assert sites.attrs["spacing"] == 8.0
    columns = columns_from_sites(sites, tolerance="2 px")
    assert n_atoms(columns) == pytest.approx(n_atoms(sites))
    assert KDTree(positions(columns)).query(positions(columns), k=2)[0][:, 1].min() > 1.0
    joined = columns.isel(site=columns["class"].values == "Mo + C")
    assert joined.sizes["site"] > 3
    assert set(joined["species"].values.tolist()) == {"Mo"}
    assert (joined["spread"].values > 0).all()
    # Molybdenum outshines carbon and so hardly moves.
    metal = positions(layers[0])[layers[0]["class"].values == "Mo"]
    assert KDTree(metal).query(positions(joined))[0].max() < 0.1


def test_twisted_sheets_repeat_as_a_moire_does() -> None:
    # Twisted by 5 deg, a sheet of period a has a moire of period a / (2 sin 2.5 deg).
    lower, upper = (Crystal("hexagonal", spacing="10 px", rotation=turn) for turn in (0.0, 5.0))
    sites = build_bilayer(lower=lower, upper=upper, field=(400.0, 400.0), seed=1)
    places, layer = positions(sites), sites["layer"].values
    gap = KDTree(places[layer == 1]).query(places[layer == 0])[0]
    on_top = places[layer == 0][gap < 1.2]
    period = 10.0 / (2 * np.sin(np.radians(2.5)))
    distance = np.hypot(*(on_top[:, None] - on_top[None]).transpose(2, 0, 1))
    assert not ((distance > 3 * 10) & (distance < period - 3 * 10)).any()
    assert ((distance > period - 10) & (distance < period + 10)).any()


def test_a_sample_is_imaged_with_its_vacancies_listed() -> None:
    sample = Sample(disorder=Disorder(empty_columns=0.05))
    simulation = simulate_sample(sample=sample, size=256, field="3 nm", seed=3)
    holes = simulation.vacancies
    assert holes.sizes["site"] > 3
    image = simulation.expected

    def brightness(sites: Sites, name: str) -> float:
        some = sites.isel(site=sites["class"].values == name)
        return float(image.sel(y=some.y, x=some.x, method="nearest").mean())

    assert brightness(holes, "V(Mo)") < 0.6 * brightness(simulation.truth, "Mo")
    assert notes(simulation.image) == ["simulated: tmd, seed=3"]


def test_strain_and_edges_of_a_sample_leave_the_others_as_they_are() -> None:
    disorder = Disorder(vacancies=0.05)
    plain = simulate_sample(sample=Sample(disorder=disorder), size=64, field="2 nm")
    contaminated = simulate_sample(
        sample=Sample(disorder=disorder), size=64, field="2 nm", contamination=0.2
    )
    np.testing.assert_array_equal(positions(plain.truth), positions(contaminated.truth))
    wavy = Sample(strain=Strain(waviness=0.05, wavelength="5 d"))
    truth = simulate_sample(sample=wavy, size=64, field="2 nm").truth
    # Room for the strain beyond the image: no side of it is bare.
    assert truth.sizes["site"] == pytest.approx(
        simulate_sample(size=64, field="2 nm").truth.sizes["site"], rel=0.2
    )
    assert {"displacement", "strain", "lattice_rotation"} <= set(truth.data_vars)


def test_settings_that_a_sample_would_not_use_are_refused() -> None:
    gold = Atoms("Au", cell=[3, 3, 3], pbc=True)
    with pytest.raises(SettingError, match="'grains' is for a crystal by name"):
        simulate_sample(gold, sample=Sample(grains=Grains()), size=32)
    with pytest.raises(SettingError, match="'zone_axis' is for a structure"):
        simulate_sample(sample=Sample(zone_axis=(1, 1, 0)), size=32)


def test_vacancies_of_an_image_are_in_its_unit() -> None:
    sites = build_lattice(crystal=Crystal(spacing="0.3 nm"), field=(1.0, 1.0), unit="nm")
    with pytest.raises(UnitError, match="vacancies are in px, sites in nm"):
        simulate_image(sites, sites_from_positions([1.0], [1.0], unit="px"))
