"""From the atoms of a movie, or its images, to states on an edge and their rates."""

from __future__ import annotations

import numpy as np
from edge_scenes import edge_movie, impurities_of
from sklearn.metrics import adjusted_rand_score

from adatom.clustering import cluster_mirrored
from adatom.defects import assign_species
from adatom.descriptors import edge_environments, edge_patches
from adatom.dynamics import count_transitions, estimate_transitions
from adatom.recipes.shipped import find_recipe
from adatom.recipes.wiring import find_problems
from adatom.tracking import link_sites


def test_states_by_neighbors_are_those_of_the_truth_and_so_are_their_rates() -> None:
    made = edge_movie()
    impurities, atoms = impurities_of(made)
    found = cluster_mirrored(edge_environments(impurities, atoms))
    label, true = found.classes["label"].values, made.truth["class"].values
    seen = label >= 0
    assert found.choice.attrs["n_classes"] == 3
    assert seen.mean() > 0.95
    assert adjusted_rand_score(true[seen], label[seen]) > 0.95
    # The state beside a carbon alone has a left and a right form.
    names = np.array(made.truth.attrs["class_names"])
    of_label = np.array([np.bincount(true[label == k]).argmax() for k in range(3)])
    own = found.members["own_image"].values
    assert names[of_label[~own]].tolist() == ["beside a carbon"]
    tracks = link_sites(impurities, use_classes=False, position_error="0.7 d")
    assert np.unique(tracks["track"]).tolist() == [0, 1, 2, 3]
    matrix = estimate_transitions(count_transitions(tracks, found.classes))
    expected = np.array(made.truth.attrs["transition_matrix"])[np.ix_(of_label, of_label)]
    inside = (matrix["probability_low"].values <= expected + 0.01) & (
        matrix["probability_high"].values >= expected - 0.01
    )
    assert inside.all()
    assert matrix["rate"].attrs["units"] == "1/s"


def test_a_state_seen_in_patches_needs_no_neighbors_that_were_found() -> None:
    made = edge_movie()
    impurities, _ = impurities_of(made)
    found = cluster_mirrored(edge_patches(made.movie, impurities))
    label, true = found.classes["label"].values, made.truth["class"].values
    seen = label >= 0
    assert seen.mean() > 0.9
    assert adjusted_rand_score(true[seen], label[seen]) > 0.9


def test_species_of_a_movie_are_told_frame_by_frame() -> None:
    # An impurity that stays is not compared with itself in other frames.
    made = edge_movie()
    frames = made.atoms.isel(site=np.flatnonzero(made.atoms["frame"].values < 30))
    rng = np.random.default_rng(0)
    silicon = frames["species"].values == "Si"
    height = np.where(silicon, 4.0, 1.0) * (1 + 0.05 * rng.normal(size=len(silicon)))
    species = assign_species(frames.drop_vars("species").assign(amplitude=("site", height)))
    np.testing.assert_array_equal(species["species"].values == "Si", silicon)


def test_the_shipped_recipes_fit_together() -> None:
    for name in ("edge_states", "edge_states_of_sites"):
        assert find_problems(find_recipe(name)) == []
