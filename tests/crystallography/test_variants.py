"""Planted phases and variants are told apart by symmetry, and perfect crystals are left whole."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from planted_domains import Planted, planted, stated

from adatom.crystallography import (
    VariantModel,
    Variants,
    assign_lattice_indices,
    assign_variants,
    find_variants,
)
from adatom.crystallography.aligned import aligned_vectors
from adatom.crystallography.breaking_test import _measured_inside, _sizes
from adatom.crystallography.cell_fields import sampled_field, whole_field
from adatom.crystallography.variant_fits import FIT_SITES, fit_classes
from adatom.crystallography.variant_labels import label_sites
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError, SettingError, StoreError, TooFewSitesError
from adatom.numerics.scores import adjusted_rand_index
from adatom.schema import notes, sites_from_positions

ONE = "1 non-ferroic"
STATED = {
    "square": ONE,
    "honeycomb": ONE,
    "two grains": ONE,
    "two honeycomb grains": ONE,
    "ferroelastic": "2 of 2 ferroic",
    "rotated twins": "2 of 2 ferroic",
    "tetragonal twins": "2 of 2 ferroic",
    "polar": "4 of 4 ferroic",
    "polar and parent": "4 of 4 ferroic, 1 non-ferroic",
    "second phase": "1 non-ferroic, 1 non-ferroic",
}


def _ari(truth: Planted, found: Variants) -> float:
    label = found.variants["label"].values
    held = truth.inner & (label >= 0)
    assert held[truth.inner].mean() > 0.99
    return adjusted_rand_index(truth.domain[held], label[held])


@pytest.mark.parametrize("noise", [0.02, 0.05])
@pytest.mark.parametrize("case", STATED)
def test_what_is_planted_is_found(case: str, noise: float) -> None:
    truth = planted(case, noise=noise, seed=1)
    found = find_variants(truth.sites)
    assert stated(found.statement) == STATED[case]
    assert _ari(truth, found) >= (0.99 if noise < 0.05 else 0.95)
    assert found.operations["purity"].values.min() >= 0.95


def test_walls_of_opposite_displacements_are_not_taken_for_the_parent() -> None:
    truth = planted("polar and parent", noise=0.03, seed=5)
    label = find_variants(truth.sites).variants["label"].values
    # Everywhere, also at walls, of which windows of 3 x 3 cells are the width.
    assert adjusted_rand_index(truth.domain, label) > 0.94


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_grains_turned_by_25_degrees_have_a_star_each(seed: int) -> None:
    sites = planted("two grains", noise=0.03, seed=seed).sites
    assert len(sites.attrs["stars"]) == 2
    # No slot is of the next shell, 1.41 long.
    assert np.linalg.norm(sites.attrs["stars"], axis=2).max() < 1.1


def test_a_square_lattice_with_a_tenth_of_noise_is_one_phase() -> None:
    assert stated(find_variants(planted("square", noise=0.1).sites).statement) == ONE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "noise"), [("square", 0.03), ("square", 0.1), ("honeycomb", 0.05)]
)
def test_noise_breaks_no_symmetry(case: str, noise: float) -> None:
    """Of 100 at 5 %, more than 11 would come by chance once in 230 times."""
    claims, low = 0, 0
    for seed in range(100):
        statement = find_variants(planted(case, size=30, noise=noise, seed=seed).sites).statement
        claims += stated(statement) != ONE
        low += float(statement["p_value"].values.min()) <= 0.05
    assert claims <= 11
    assert low <= 11


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case, told in STATED.items() if told != ONE])
@pytest.mark.parametrize("noise", [0.03, 0.05])
def test_nineteen_of_twenty_seeds_are_right(case: str, noise: float) -> None:
    right = 0
    for seed in range(20):
        truth = planted(case, noise=noise, seed=seed)
        found = find_variants(truth.sites)
        least = 0.99 if noise < 0.05 else 0.95
        right += stated(found.statement) == STATED[case] and _ari(truth, found) >= least
    assert right >= 19


def test_the_statement_says_it_in_words() -> None:
    found = find_variants(planted("polar", noise=0.02).sites)
    assert found.statement.attrs["statement"] == (
        "phase 0: ferroic, 4 variants, point group m in projection; orbit complete (p = 0.01)"
    )
    assert any("like cells" in note or "single cells" in note for note in notes(found.variants))


def test_absent_variants_make_the_orbit_incomplete_not_non_ferroic() -> None:
    truth = planted("polar", noise=0.02, seed=3)
    kept = np.flatnonzero(truth.domain < 2)
    sites = truth.sites.isel(site=kept)
    found = find_variants(sites)
    assert stated(found.statement) == "2 of 4 orbit incomplete"
    assert "2 of 4 variants present" in found.statement.attrs["statement"]
    # Images that hold no sites are named all the same.
    assert found.model.means.shape[0] == 4
    assert found.model.n_classes == 2


def test_variants_are_displaced_by_what_was_planted() -> None:
    truth = planted("polar", noise=0.02)
    found = find_variants(truth.sites)
    size, error = (
        found.statement[name].item() for name in ("symmetry_breaking", "symmetry_breaking_error")
    )
    assert abs(size - 0.15) < max(4 * error, 0.003)
    assert 1e-4 < error < 3e-3
    moved = np.hypot(found.members["displacement_y"], found.members["displacement_x"])
    np.testing.assert_allclose(moved, 0.15, atol=0.004)


def test_the_error_of_the_broken_symmetry_is_that_over_seeds() -> None:
    """The spread of 40 pulls is 1 within 0.25, at two standard deviations."""
    pulls = []
    for seed in range(40):
        statement = find_variants(
            planted("rotated twins", size=30, noise=0.03, drift=0.0, seed=seed).sites
        ).statement
        # Slots of four, of which two move by 0.06 less the rotation of 0.03 each: 0.03 all.
        off = statement["symmetry_breaking"].item() - 0.03
        pulls.append(off / statement["symmetry_breaking_error"].item())
    assert 0.75 < np.sqrt(np.mean(np.square(pulls))) < 1.25


def test_classes_are_measured_inside_of_domains_where_walls_do_not_shorten_them() -> None:
    by_inside: list[float] = []
    by_all: list[float] = []
    for seed in range(8):
        truth = planted("polar", size=40, noise=0.05, drift=0.0, seed=seed)
        aligned = aligned_vectors(truth.sites, None)
        index = truth.sites["lattice_index"].values.astype(np.int64)
        fitted = fit_classes(aligned, index, max_classes=8, averaging=3, seed=0)
        parent = np.mean(fitted.actions, axis=0)
        means, orbits, members = _measured_inside(fitted)
        sampled = sampled_field(aligned, index, n_sites=FIT_SITES, seed=0).sites
        # In cells from the nearest wall; windows reach 1.5 cells.
        wall = truth.wall[sampled][fitted.window.sites]
        assert (wall[np.any(members, axis=0)] < 1).sum() <= 2
        for sizes, found in (
            (by_inside, _sizes(means, orbits, parent)),
            (by_all, _sizes(fitted.window.means, fitted.orbits, parent)),
        ):
            sizes.append(found[0] / 2 * aligned.spacing)
    # Planted are 0.15, of which each film tells 0.0023; walls take 0.002 of the mean of all sites.
    assert abs(np.mean(by_inside) - 0.15) < 0.0012
    assert np.mean(by_all) < np.mean(by_inside) - 0.001


def test_the_rotation_of_twins_is_reported_apart() -> None:
    truth = planted("rotated twins", noise=0.02, drift=0.0)
    turned = find_variants(truth.sites).members["rotation"].values
    # A shear of 0.06 is a strain of 0.03 and a rotation of 0.03 rad, to either side.
    assert abs(turned[0] - turned[1]) == pytest.approx(np.degrees(0.06), abs=0.3)


def test_another_image_is_labeled_with_the_same_numbers() -> None:
    first = planted("polar", noise=0.02, seed=0)
    model = find_variants(first.sites).model
    later = planted("polar", noise=0.03, seed=9)
    label = assign_variants(later.sites, model)["label"].values
    of_first = assign_variants(first.sites, model)["label"].values
    number = {k: np.bincount(of_first[first.domain == k]).argmax() for k in range(4)}
    expected = np.array([number[k] for k in later.domain])
    assert (label == expected)[later.inner].mean() > 0.99


def test_a_model_survives_storage_and_pickling() -> None:
    truth = planted("ferroelastic", size=30, noise=0.02)
    model = find_variants(truth.sites).model
    label = assign_variants(truth.sites, model)["label"].values
    for again in (
        VariantModel.from_dataset(model.to_dataset()),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(assign_variants(truth.sites, again)["label"].values, label)
    with pytest.raises(StoreError, match="need 'VariantModel'"):
        VariantModel.from_dataset(model.to_dataset().assign_attrs(model="KMeansModel"))
    with pytest.raises(StoreError, match="lacks 'means'"):
        VariantModel.from_dataset(model.to_dataset().drop_vars("means"))


def test_indices_found_by_the_program_serve_as_well() -> None:
    truth = planted("polar", noise=0.03)
    names = ["lattice_index", "sublattice", "grain"]
    bare = truth.sites.drop_vars(names)
    own = assign_lattice_indices(neighbor_vectors(bare))
    found = find_variants(bare.assign({name: own[name] for name in names}))
    assert stated(found.statement) == "4 of 4 ferroic"
    assert _ari(truth, found) >= 0.99


def test_the_order_of_sites_does_not_matter() -> None:
    truth = planted("ferroelastic", size=40, noise=0.03)
    names = ["lattice_index", "sublattice", "grain"]
    order = np.random.default_rng(0).permutation(truth.sites.sizes["site"])
    mixed = neighbor_vectors(truth.sites.drop_vars(names).isel(site=order))
    mixed = mixed.assign({name: truth.sites[name].isel(site=order) for name in names})
    one = find_variants(truth.sites).variants["label"].values
    other = find_variants(mixed).variants["label"].values
    # Noise is drawn in the order of sites, so that a site between two may change.
    assert adjusted_rand_index(one[order], other) > 0.999


def test_a_lower_group_sees_fewer_variants() -> None:
    truth = planted("polar", noise=0.02)
    found = find_variants(truth.sites, point_group="C2v")
    # Without the four-fold axis, displacements along y and along x are two phases.
    assert stated(found.statement) == "2 of 2 ferroic, 2 of 2 ferroic"


def test_what_is_missing_is_named() -> None:
    sites = planted("square", size=12).sites
    with pytest.raises(KindError, match=r"run descriptors\.neighbor_vectors"):
        find_variants(sites.drop_vars("neighbor_vector"))
    with pytest.raises(KindError, match=r"run crystallography\.assign_lattice_indices"):
        find_variants(sites.drop_vars("lattice_index"))
    with pytest.raises(SettingError, match="has not the symmetry point_group='C6v', but C4v"):
        find_variants(sites, point_group="C6v")
    with pytest.raises(SettingError, match="is none of C1, C2"):
        find_variants(sites, point_group="D4h")
    with pytest.raises(SettingError, match="averaging=2 must be 1, 3, 5 or 7"):
        find_variants(sites, averaging=2)
    with pytest.raises(SettingError, match="max_classes=0"):
        find_variants(sites, max_classes=0)
    with pytest.raises(SettingError, match="level=5"):
        find_variants(sites, level=5.0)
    with pytest.raises(TooFewSitesError, match="need 40 or more"):
        find_variants(planted("square", size=5).sites)


def test_a_model_of_other_neighbors_is_refused() -> None:
    model = find_variants(planted("square", size=20).sites).model
    with pytest.raises(KindError, match="sites have 3 neighbors each, the model was made for 4"):
        assign_variants(planted("honeycomb", size=20).sites, model)


def test_sites_without_an_index_are_not_labeled() -> None:
    truth = planted("square", size=30)
    truth.sites["grain"][:7] = -1
    found = find_variants(truth.sites)
    assert (found.variants["label"].values[:7] == -1).all()
    assert (found.variants["label"].values[7:] == 0).all()
    assert any("7 sites without lattice index" in note for note in notes(found.variants))


def test_frames_are_labeled_together() -> None:
    parts = [planted("ferroelastic", size=30, noise=0.02, seed=seed).sites for seed in (0, 1)]
    y, x = (np.concatenate([part.coords[name].values for part in parts]) for name in "yx")
    frame = np.repeat([3, 8], [part.sizes["site"] for part in parts])
    sites = neighbor_vectors(sites_from_positions(y, x, unit="nm", frame=frame))
    for name in ("lattice_index", "sublattice", "grain"):
        both = np.concatenate([part[name].values for part in parts])
        sites[name] = (parts[0][name].dims, both)
    found = find_variants(sites)
    assert stated(found.statement) == "2 of 2 ferroic"
    domain = np.concatenate(
        [planted("ferroelastic", size=30, noise=0.02, seed=seed).domain for seed in (0, 1)]
    )
    assert adjusted_rand_index(domain, found.variants["label"].values) > 0.9


def test_frames_may_drift_differently() -> None:
    """Three frames of a polar crystal, each sheared in its own way, have the same four variants."""
    size = 24
    i, j = np.indices((size, size)).reshape(2, -1)
    quarter = 2 * (i // 12) + j // 12
    push = 0.15 * np.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])[quarter]
    rng = np.random.default_rng(0)
    centers: list[NDArray[np.float64]] = []
    cages: list[NDArray[np.float64]] = []
    for shear in ([[0.03, 0.0], [0.0, -0.03]], [[0.0, 0.03], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]):
        drift = np.eye(2) + np.array(shear)
        for made, place in (
            (cages, np.stack([i, j], axis=1).astype(float)),
            (centers, np.stack([i, j], axis=1) + 0.5 + push),
        ):
            made.append(place @ drift.T + rng.normal(0, 0.02, place.shape))
    frame = np.repeat([2, 3, 7], size**2)
    center, cage = (
        sites_from_positions(*np.concatenate(parts).T, unit="nm", frame=frame)
        for parts in (centers, cages)
    )
    sites = neighbor_vectors(center, cage, n_neighbors=4)
    sites["lattice_index"] = (("site", "direction"), np.tile(np.stack([i, j], axis=1), (3, 1)))
    sites["sublattice"] = ("site", np.zeros(len(frame), int))
    sites["grain"] = ("site", np.repeat([0, 1, 2], size**2))
    found = find_variants(sites)
    assert stated(found.statement) == "4 of 4 ferroic"
    label = found.variants["label"].values
    number = {k: np.bincount(label[: size**2][quarter == k]).argmax() for k in range(4)}
    # Away from walls and edges; the numbers are those of the first frame in all.
    inner = (np.abs(i - 11.5) > 2) & (np.abs(j - 11.5) > 2)
    right = label == np.array([number[k] for k in np.tile(quarter, 3)])
    assert right[np.tile(inner, 3)].mean() > 0.99


def test_drift_is_taken_off_once_where_one_cell_is_averaged() -> None:
    sites = planted("polar and parent", size=30, noise=0.03, seed=0).sites
    model = find_variants(sites, averaging=1).model
    aligned = aligned_vectors(sites, None, star=model.star)
    shear = model.slots @ np.array([[0.03, 0.02], [0.02, -0.03]])
    drifted = replace(aligned, deviation=aligned.deviation + shear)
    before, after = (
        label_sites(each, whole_field(each, sites["lattice_index"].values), model, seed=0)
        for each in (aligned, drifted)
    )
    # Also beside vacancies, where the vectors of the single cell decide.
    assert not np.isfinite(before.means).all()
    np.testing.assert_allclose(after.means, before.means, atol=1e-3)
    assert (after.label == before.label).all()


def test_sites_seen_against_others_need_no_spacing() -> None:
    sites = planted("polar", size=30, noise=0.02).sites
    del sites.attrs["spacing"]
    assert stated(find_variants(sites).statement) == "4 of 4 ferroic"


@pytest.mark.parametrize(
    ("case", "noise", "seed"),
    [("rotated twins", 0.05, 4), ("rotated twins", 0.05, 15), ("antiphase", 0.03, 19)],
)
def test_means_over_walls_are_no_classes(case: str, noise: float, seed: int) -> None:
    # In windows of five cells, walls of these crystals once were classes of their own.
    found = find_variants(planted(case, size=32, noise=noise, seed=seed).sites)
    assert found.variants["label"].values.max() == 1


def test_a_narrow_parent_between_opposite_variants_that_fills_windows_stays() -> None:
    found = find_variants(planted("polar and parent", size=60, noise=0.05, seed=0).sites)
    assert stated(found.statement) == "4 of 4 ferroic, 1 non-ferroic"


@pytest.mark.parametrize("failed", ["cages that the frame cuts", "centers"])
def test_columns_whose_fit_failed_do_not_count(failed: str) -> None:
    """Their place is that of the finder: of columns that the frame cuts its very edge."""
    rng = np.random.default_rng(3)
    i, j = (axis.ravel() for axis in np.indices((30, 30)))
    cage = np.indices((31, 31)).reshape(2, -1).T - 0.5
    wrong = {
        "cages that the frame cuts": (np.zeros(900, dtype=bool), cage[:, 0] < 0),
        "centers": (rng.random(900) < 0.02, np.zeros(961, dtype=bool)),
    }[failed]
    # Two domains, of which one looks up where the cage is cut.
    center = np.stack([i + np.where(j < 14, 0.15, -0.15), j.astype(float)], axis=1)
    made = []
    for place, off in zip((center, cage), wrong, strict=True):
        moved = place + rng.normal(0, 0.02, place.shape)
        moved[off, 0] += 0.3
        made.append(sites_from_positions(*moved.T, unit="nm"))
        made[-1]["fit_ok"] = ("site", ~off)
    sites = neighbor_vectors(made[0], made[1], n_neighbors=4)
    sites["lattice_index"] = (("site", "direction"), np.stack([i, j], axis=1))
    sites["sublattice"] = sites["grain"] = ("site", np.zeros(900, dtype=np.int64))
    label = find_variants(sites).variants["label"].values
    assert ((label == label[(i == 15) & (j == 5)]) == (j < 14)).mean() > 0.997
    assert set(label) == {0, 1}
