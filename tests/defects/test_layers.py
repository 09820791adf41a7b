"""Vacancies, antisites and foreign atoms of layers are found at their places and named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from layer_truth import Score, named_places, scores, sulfide
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from adatom.defects import assign_column_species, count_columns, find_lattice_defects
from adatom.defects.records import check_defects
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Sites, positions, sites_from_positions

BOND = 0.182


def layer(
    n: int = 14,
    *,
    empty: Sequence[int] = (),
    half: Sequence[int] = (),
    noise: float = 0.02,
    seed: int = 0,
) -> Sites:
    """Make a honeycomb of Mo (1) and S2 (0.41) with noise, and some S or none at places."""
    i, j = np.indices((n, n)).reshape(2, -1)
    a, b = np.array([0.0, np.sqrt(3) * BOND]), np.array([1.5 * BOND, np.sqrt(3) / 2 * BOND])
    corner = i[:, None] * a + j[:, None] * b
    place = np.concatenate([corner, corner + np.array([BOND / 2, np.sqrt(3) / 2 * BOND])])
    height = np.repeat([1.0, 0.41], n * n)
    height[list(half)] *= 0.5
    height[list(empty)] = 0.01
    height += np.random.default_rng(seed).normal(0, noise, len(height))
    sites = sites_from_positions(place[:, 0], place[:, 1], unit="nm", spacing=BOND)
    sites["sublattice"] = ("site", np.repeat([0, 1], n * n))
    sites["relative_intensity"] = ("site", height)
    sites["relative_intensity_error"] = ("site", np.full(len(height), noise))
    return sites


def test_a_perfect_layer_has_no_defects() -> None:
    found = find_lattice_defects(assign_column_species(layer(), host="MoS2"))
    check_defects(*found)
    assert found.defects.sizes["site"] == 0


def test_a_vacancy_has_its_atoms_and_bonds() -> None:
    sulfur = 14 * 14 + 100
    found = find_lattice_defects(assign_column_species(layer(half=(sulfur,)), host="MoS2"))
    assert found.defects["name"].values.tolist() == ["V_S"]
    assert found.defects["kind"].values.tolist() == ["vacancy"]
    # The S that is left, the S that is not, and three Mo around.
    assert sorted(found.members["species"].values) == ["Mo", "Mo", "Mo", "S", "X"]
    assert found.bonds.sizes["row"] == 3
    assert found.bonds["length"].values == pytest.approx(BOND, rel=1e-6)


def test_vacancies_that_share_an_atom_are_one_defect_and_others_are_not() -> None:
    first, beside, far = 14 * 14 + 5 * 14 + 5, 14 * 14 + 5 * 14 + 6, 14 * 14 + 9 * 14 + 9
    named = assign_column_species(layer(half=(first, beside, far)), host="MoS2")
    assert sorted(find_lattice_defects(named).defects["name"].values) == ["2 V_S", "V_S"]


def test_a_missing_metal_and_sulfur_beside_it_are_a_complex() -> None:
    sites = layer(empty=(5 * 14 + 5,))
    apart = np.hypot(*(sites[k].values - sites[k].values[5 * 14 + 5] for k in "yx"))
    sulfur = int(np.flatnonzero((sites["sublattice"].values == 1) & (apart < 1.2 * BOND))[0])
    sites["relative_intensity"].values[sulfur] *= 0.5
    named = assign_column_species(sites, host="MoS2")
    assert find_lattice_defects(named).defects["name"].values.tolist() == ["V_Mo+V_S"]


@pytest.mark.parametrize(
    ("brightness", "name", "kind"), [(1.0, "Mo_S2", "antisite"), (0.91, "Se_S", "substitution")]
)
def test_the_hosts_own_metal_is_an_antisite_and_selenium_a_substitution(
    brightness: float, name: str, kind: str
) -> None:
    sites = layer()
    sites["relative_intensity"].values[14 * 14 + 100] = brightness
    told = ["Se"] if name == "Se_S" else []
    found = find_lattice_defects(assign_column_species(sites, host="MoS2", chalcogens=told))
    assert found.defects["name"].values.tolist() == [name]
    assert found.defects["kind"].values.tolist() == [kind]


def test_turned_and_mirrored_defects_are_of_one_class() -> None:
    sites = layer(half=(14 * 14 + 100,))
    turned = sites.assign_coords(y=("site", sites["x"].values, sites["y"].attrs),
                                 x=("site", sites["y"].values, sites["x"].attrs))  # fmt: skip
    keys = [
        find_lattice_defects(assign_column_species(one, host="MoS2")).defects["class_key"].values[0]
        for one in (sites, turned)
    ]
    assert keys[0] == keys[1]


# Noise normal and with the tails of Student's t. One S is 3.4 deviations darker than two at 0.06:
# of the most probable names without the rule 8 % are wrong, 12 % with tails.
@pytest.mark.parametrize(("noise", "freedom", "n_vacancies"), [(0.06, 1e6, 100), (0.04, 5.0, 30)])
def test_of_what_is_listed_few_are_there_by_chance(
    noise: float, freedom: float, n_vacancies: int
) -> None:
    n_listed, n_right, n_planted = 0, 0, 0
    for seed in range(4):
        rng = np.random.default_rng(100 + seed)
        planted = 24 * 24 + rng.choice(24 * 24, n_vacancies, replace=False)
        sites = layer(24, half=planted.tolist(), noise=0.0)
        brightness = sites["relative_intensity"].values
        brightness += noise * rng.standard_t(freedom, len(brightness))
        sites["relative_intensity_error"].values[:] = noise
        listed = _listed(sites, false_discovery=0.05)
        n_listed += len(listed)
        n_right += int(np.isin(listed, planted).sum())
        n_planted += n_vacancies
    # Twice what was asked: the tails are not those that the mixture has.
    assert n_listed - n_right <= 0.1 * n_listed
    assert n_right >= 0.5 * n_planted


def test_more_is_listed_where_more_may_be_wrong() -> None:
    planted = range(24 * 24, 2 * 24 * 24, 6)
    sites = layer(24, half=planted, noise=0.06)
    few, many = (_listed(sites, false_discovery=share) for share in (0.001, 0.2))
    assert set(few.tolist()) < set(many.tolist())


def _listed(sites: Sites, *, false_discovery: float) -> NDArray[np.int64]:
    """Give the places where an atom is missing or another one stands."""
    named = assign_column_species(sites, host="MoS2")
    members = find_lattice_defects(named, false_discovery=false_discovery).members
    odd = positions(members)[members["role"].values != "neighbor"]
    return np.unique(cKDTree(positions(sites)).query(odd)[1]).astype(np.int64)


def test_counts_have_intervals_and_say_what_was_converted() -> None:
    sites = layer()
    chalcogen = np.flatnonzero(sites["sublattice"].values == 1)
    # S and Se together are 2.22 times as bright as two S, by their numbers to the power 1.64.
    sites["relative_intensity"].values[chalcogen[:180]] *= 2.22
    counts = count_columns(assign_column_species(sites, host="MoS2", chalcogens=["Se"]))
    row = int(np.flatnonzero(counts["column"].values == "SSe")[0])
    # One or two in a thousand lie three deviations from the mean, where the Mo on an S2 place is.
    assert counts["count"].values[row] == pytest.approx(180, abs=2)
    assert counts["share_low"].values[row] < 180 / 196 < counts["share_high"].values[row]
    assert "partially converted" in counts.attrs["statement"]


@pytest.mark.parametrize("electrons", [300.0])
def test_planted_vacancies_are_found_from_the_image(electrons: float) -> None:
    simulation = sulfide(electrons=electrons, seed=31, size=384)
    found = scores(simulation, named_places(simulation))
    for name in ("V_S", "V_Mo"):
        score = found.get(name, Score(0, 0, 0))
        assert score.planted >= 3
        assert score.right >= 0.85 * score.planted, (name, score)
        assert score.right >= 0.85 * score.found, (name, score)
    # Of Se on S, what is brighter than most looks like Mo there, or like two Se.
    assert found["Se_S"].right >= 0.85 * found["Se_S"].found


def test_hosts_and_elements_must_be_ones() -> None:
    with pytest.raises(SettingError, match="write it as 'MoS2'"):
        assign_column_species(layer(), host="graphene")
    with pytest.raises(SettingError, match="no chalcogen"):
        assign_column_species(layer(), host="MoC2")
    with pytest.raises(SettingError, match=r"must be a list of elements, such as \['Te'\]"):
        assign_column_species(layer(), host="MoS2", chalcogens="Te")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="not the host's S"):
        assign_column_species(layer(), host="MoS2", chalcogens=["S"])


def test_sites_without_places_are_told_what_they_lack() -> None:
    with pytest.raises(KindError, match="lack relative_intensity"):
        assign_column_species(layer().drop_vars("relative_intensity"), host="MoS2")
    with pytest.raises(TooFewSitesError, match="12 each are needed"):
        assign_column_species(layer(3), host="MoS2")
    with pytest.raises(KindError, match="assign_column_species"):
        find_lattice_defects(layer())
