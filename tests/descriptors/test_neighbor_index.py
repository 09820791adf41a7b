"""Which neighbor fills each slot is told, whatever the order of the sites."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from adatom.descriptors import neighbor_vectors
from adatom.schema import positions, sites_from_positions


def _shuffled_square(seed: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = (axis.ravel().astype(float) for axis in np.mgrid[:9, :11])
    order = np.random.default_rng(seed).permutation(len(y))
    return y[order], x[order]


def test_the_neighbor_with_that_number_is_where_the_vector_points() -> None:
    y, x = _shuffled_square(0)
    sites = sites_from_positions(y, x, unit="px")
    found = neighbor_vectors(sites)
    index, vector = found["neighbor_index"].values, found["neighbor_vector"].values
    filled = found["slot_state"].values == 0
    place = positions(found)
    assert_allclose((place[index] - place[:, None])[filled], vector[filled])
    assert_array_equal(index < 0, ~filled)


def test_numbers_are_of_the_other_sites_where_these_were_given() -> None:
    y, x = _shuffled_square(1)
    sites = sites_from_positions(y, x, unit="px")
    others = sites_from_positions(y + 0.5, x + 0.5, unit="px")
    found = neighbor_vectors(sites, others)
    index, vector = found["neighbor_index"].values, found["neighbor_vector"].values
    filled = index >= 0
    to = positions(others)[index] - positions(found)[:, None]
    assert_allclose(to[filled], vector[filled])


def test_neighbors_whose_fit_failed_are_told() -> None:
    y, x = _shuffled_square(2)
    sites = sites_from_positions(y, x, unit="px")
    others = sites_from_positions(y + 0.5, x + 0.5, unit="px")
    others["fit_ok"] = ("site", np.random.default_rng(0).random(len(y)) > 0.3)
    found = neighbor_vectors(sites, others)
    good, index = found["neighbor_fit_ok"].values, found["neighbor_index"].values
    assert_array_equal(good[index >= 0], others["fit_ok"].values[index[index >= 0]])
    assert not good[index < 0].any()
    # Fitted or not is that of the neighbors last sought.
    assert "neighbor_fit_ok" not in neighbor_vectors(found, others.drop_vars("fit_ok"))
