"""The truth of a simulated edge is that of its images and of its rates."""

from __future__ import annotations

import numpy as np
import pytest
from edge_scenes import edge_movie
from scipy.linalg import expm
from scipy.spatial import KDTree

from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation import Edges, EdgeSheet, EdgeState, Kinetics, simulate_edge_movie


def test_frames_are_the_same_bits_in_any_order() -> None:
    made = edge_movie()
    assert made.movie.shape == (40, 128, 128)
    whole = made.movie.isel(frame=slice(3, 6)).values
    np.testing.assert_array_equal(made.movie.isel(frame=4).values, whole[1])


def test_foreign_atoms_are_where_the_image_is_brightest() -> None:
    made = edge_movie()
    image = made.movie.isel(frame=0)
    top = np.unravel_index(int(image.values.argmax()), image.shape)
    peak = [float(image[axis][k]) for axis, k in zip("yx", top, strict=True)]
    first = positions(made.truth.isel(site=np.flatnonzero(made.truth["frame"].values == 0)))
    assert np.linalg.norm(first - peak, axis=1).min() < 0.08


def test_truth_and_atoms_tell_of_the_same_foreign_atoms() -> None:
    made = edge_movie()
    silicon = made.atoms.isel(site=np.flatnonzero(made.atoms["species"].values == "Si"))
    np.testing.assert_array_equal(positions(silicon), positions(made.truth))
    np.testing.assert_array_equal(silicon["frame"], made.truth["frame"])


@pytest.mark.parametrize(
    ("name", "bonds"), [("in line", 2), ("beside a carbon", 3), ("in the row behind", 3)]
)
def test_every_state_has_its_bonds(name: str, bonds: int) -> None:
    made = edge_movie()
    number = made.truth.attrs["class_names"].index(name)
    row = int(np.flatnonzero(made.truth["class"].values == number)[0])
    frame = made.truth["frame"].values[row]
    here = positions(made.atoms.isel(site=np.flatnonzero(made.atoms["frame"].values == frame)))
    near = KDTree(here).query_ball_point(positions(made.truth)[row], 0.2)
    assert len(near) - 1 == bonds


def test_states_change_at_the_rates_that_were_told() -> None:
    rates = ((0.0, 0.3), (0.2, 0.0))
    kinetics = Kinetics(classes=("in line", "beside a carbon"), n_defects=6, hops=(), turns=(),
                        changes=rates, orientations=2, closest="0.7 nm")  # fmt: skip
    sheet = EdgeSheet(kinetics=kinetics, drift="0 nm")
    made = simulate_edge_movie(sheet=sheet, n_frames=300, size=16, field="8 nm", seed=1)
    label = made.truth["class"].values.reshape(300, 6)
    counts = np.zeros((2, 2))
    np.add.at(counts, (label[:-1].ravel(), label[1:].ravel()), 1)
    true = expm(np.array([[-0.3, 0.3], [0.2, -0.2]]))
    np.testing.assert_allclose(made.truth.attrs["transition_matrix"], true)
    found = counts / counts.sum(axis=1, keepdims=True)
    # Four standard errors of some 700 visits of either state.
    np.testing.assert_allclose(found, true, atol=4 * np.sqrt(0.25 / counts.sum(axis=1).min()))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingError, match="leaves no edge"):
        EdgeSheet(edges=Edges())
    with pytest.raises(SettingError, match="which 0 of the `states`"):
        EdgeSheet(states=(EdgeState("another", (0.0, 0.0)),))
    with pytest.raises(SettingError, match="found room on"):
        simulate_edge_movie(sheet=EdgeSheet(kinetics=Kinetics(
            classes=("in line",), n_defects=99, hops=(), turns=(), changes=(), orientations=2,
        )), n_frames=1, size=16)  # fmt: skip
