from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adatom.numerics.groups import counts_by_group, means_by_group, sums_by_group
from adatom.numerics.scores import (
    adjusted_rand_index,
    agreement,
    best_matching,
    confusion_counts,
)

labellings = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


def test_no_rows_sum_to_zero_in_every_group() -> None:
    sums = sums_by_group(np.empty((0, 3)), [], n_groups=2)
    assert np.array_equal(sums, np.zeros((2, 3)))


def test_sums_leave_out_negative_groups_and_keep_further_dims() -> None:
    values = np.arange(24.0).reshape(4, 3, 2)
    sums = sums_by_group(values, [1, -1, 1, 0], n_groups=3)
    assert np.array_equal(sums, [values[3], values[0] + values[2], np.zeros((3, 2))])


def test_float32_rows_are_summed_in_float64() -> None:
    ones = np.full(300_000, 0.1, dtype=np.float32)
    total = sums_by_group(ones, np.zeros(len(ones), dtype=int), n_groups=1)[0]
    assert total == pytest.approx(float(np.float32(0.1)) * len(ones), rel=1e-9)


def test_a_group_without_rows_has_no_mean() -> None:
    means = means_by_group([1.0, 3.0], [0, 0], n_groups=2)
    assert means[0] == 2
    assert np.isnan(means[1])
    assert counts_by_group([0, 0], n_groups=2).tolist() == [2, 0]


def test_unequal_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="3 rows of values, 2 group numbers"):
        sums_by_group([1.0, 2.0, 3.0], [0, 1], n_groups=2)
    with pytest.raises(ValueError, match="3 labels cannot be compared with 2"):
        confusion_counts([1, 2, 3], [1, 2])


@given(labellings)
def test_adjusted_rand_index_is_that_of_counting_pairs(
    two: tuple[list[int], list[int]],
) -> None:
    a, b = two
    pairs = list(itertools.combinations(range(len(a)), 2))
    same_a = np.array([a[i] == a[j] for i, j in pairs])
    same_b = np.array([b[i] == b[j] for i, j in pairs])
    both, expected = (same_a & same_b).sum(), same_a.sum() * same_b.sum() / len(pairs)
    most = (same_a.sum() + same_b.sum()) / 2
    truth = 1.0 if most == expected else (both - expected) / (most - expected)
    assert adjusted_rand_index(a, b) == pytest.approx(truth, abs=1e-12)


@given(labellings, st.permutations(range(4)))
def test_names_of_labels_do_not_matter(two: tuple[list[int], list[int]], names: list[int]) -> None:
    a, b = two
    renamed = [names[label] for label in b]
    assert adjusted_rand_index(a, renamed) == pytest.approx(adjusted_rand_index(a, b))
    assert agreement(a, renamed) == agreement(a, b)
    assert adjusted_rand_index(a, [names[label] for label in a]) == pytest.approx(1)


@given(labellings)
def test_best_matching_is_the_best_of_all_permutations(two: tuple[list[int], list[int]]) -> None:
    a, b = np.array(two[0]), np.array(two[1])
    most = max(
        (np.array(permutation)[a] == b).mean() for permutation in itertools.permutations(range(4))
    )
    assert agreement(a, b) == pytest.approx(most)


def test_more_rows_than_columns_leave_some_without_partner() -> None:
    assert best_matching([[5, 0], [4, 0], [0, 3]]).tolist() == [0, -1, 1]
