"""Operations of a point group act on scores as they do on the patches themselves."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.numerics.disc_harmonics import disc_harmonics, mirror_axis_of, turned_axis
from adatom.numerics.point_groups import POINT_GROUPS, group_matrices, product_table, subgroups_of
from adatom.numerics.turned_subspace import turned_subspace

AXIS = 0.2
Y, X = np.mgrid[-12:13, -12:13].astype(float)
BLOBS = ((0.3, 5.0, 1.0, 2.0), (2.2, 7.0, 0.5, 2.0), (4.0, 3.0, 0.7, 1.5))


def _picture(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.zeros(Y.shape)
    for angle, distance, height, width in BLOBS:
        y, x = matrix @ [distance * np.sin(angle), distance * np.cos(angle)]
        values += height * np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * width**2))
    return values.ravel()


@pytest.mark.parametrize("group", POINT_GROUPS)
def test_scores_of_a_turned_patch_are_the_turned_scores(group: str) -> None:
    rng = np.random.default_rng(0)
    matrices = group_matrices(group, AXIS)
    pictures = np.array([_picture(matrix) for matrix in matrices])
    waves = turned_axis(disc_harmonics((25, 25), (1.0, 1.0)), AXIS)
    # One orientation is rare: the subspace must hold all alike.
    drawn = np.minimum(rng.integers(2 * len(matrices), size=400), len(matrices) - 1)
    rows = (pictures[drawn] + 0.05 * rng.normal(size=(400, 625))) @ waves.operator.T
    found = turned_subspace(waves, rows.mean(axis=0), np.cov(rows.T), 400, group=group, n_most=20)
    scores = (pictures @ waves.operator.T - found.mean) @ found.basis.T
    for operation, score in zip(found.operations, scores, strict=True):
        np.testing.assert_allclose(operation @ scores[0], score, atol=2e-3)
        np.testing.assert_allclose(operation @ operation.T, np.eye(len(operation)), atol=1e-12)
    np.testing.assert_allclose(found.basis @ found.basis.T, np.eye(len(found.basis)), atol=1e-12)


def test_products_of_operations_are_those_of_the_group() -> None:
    rng = np.random.default_rng(1)
    waves = disc_harmonics((15, 15), (1.0, 1.0))
    rows = rng.normal(size=(300, 225)) @ waves.operator.T
    found = turned_subspace(waves, rows.mean(axis=0), np.cov(rows.T), 300, group="C6v", n_most=20)
    table = product_table(group_matrices("C6v"))
    products = found.operations[:, None] @ found.operations[None]
    np.testing.assert_allclose(products, found.operations[table], atol=1e-12)


def test_white_noise_stays_white_but_for_what_the_spline_damps() -> None:
    waves = disc_harmonics((25, 25), (1.0, 1.0))
    variances = (waves.operator**2).sum(axis=1)
    # The innermost rings have few pixels, the finest waves are damped between pixels.
    assert 0.7 < np.median(variances) < 1.05


def test_the_mirror_line_of_a_mean_is_found_to_a_tenth_of_a_degree() -> None:
    waves = disc_harmonics((25, 25), (1.0, 1.0))
    mean = np.mean([_picture(matrix) for matrix in group_matrices("C3v", AXIS)], axis=0)
    found = mirror_axis_of(waves, waves.operator @ mean, 3)
    assert found == pytest.approx(AXIS, abs=np.radians(0.1))
    round_mean = np.exp(-(Y**2 + X**2) / 20).ravel()
    assert mirror_axis_of(waves, waves.operator @ round_mean, 3) == pytest.approx(0, abs=0.6)


def test_large_patches_are_read_off_fewer_rings() -> None:
    waves = disc_harmonics((81, 81), (1.0, 1.0))
    assert len(waves.radius) == 24
    assert waves.spacing > 1.5
    flat = waves.operator @ np.ones(81 * 81)
    assert np.abs(flat[waves.order > 0]).max() < 1e-8


def test_subgroups_of_a_hexagon() -> None:
    found = subgroups_of(product_table(group_matrices("C6v")))
    # 1 of order 12, C6 and two C3v, three C2v, C3, C2 and six mirrors, 1.
    assert [len(one) for one in found] == [12, 6, 6, 6, 4, 4, 4, 3, *[2] * 7, 1]
