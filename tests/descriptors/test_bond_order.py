"""Bond-orientational order of lattices, of disorder, and of several frames."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.descriptors import estimate_bond_order
from adatom.errors import SettingError
from adatom.schema import Sites, sites_from_positions


def _hexagonal(angle: float, jitter: float, seed: int = 0) -> Sites:
    index = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    turn = np.radians([angle, angle + 60])
    place = index @ np.stack([np.sin(turn), np.cos(turn)], axis=1)
    place += np.random.default_rng(seed).normal(scale=jitter, size=place.shape)
    return sites_from_positions(*place.T, unit="nm", spacing=1.0)


def test_a_perfect_lattice_has_order_one_and_its_orientation() -> None:
    table = estimate_bond_order(_hexagonal(17.0, 0.0))
    for name in ("order", "local_order", "spacing"):
        assert table[name].item() == pytest.approx(1.0)
    assert table["orientation"].item() == pytest.approx(17.0)


def test_a_lattice_of_another_symmetry_has_none() -> None:
    assert estimate_bond_order(_hexagonal(17.0, 0.0), n_fold=4)["order"].item() < 0.1


def test_order_falls_with_disorder() -> None:
    order = [estimate_bond_order(_hexagonal(0.0, j))["order"].item() for j in (0.0, 0.05, 0.1)]
    assert order[0] > order[1] > order[2] > 0.5


def test_every_frame_has_a_row_of_its_own() -> None:
    parts = [_hexagonal(0.0, 0.0), _hexagonal(10.0, 0.1)]
    y, x = (np.concatenate([part[name].values for part in parts]) for name in "yx")
    frame = np.repeat([4, 7], [part.sizes["site"] for part in parts])
    table = estimate_bond_order(sites_from_positions(y, x, unit="nm", frame=frame, spacing=1.0))
    assert table["frame"].values.tolist() == [4, 7]
    assert table["order"].values[0] == pytest.approx(1.0)
    assert table["orientation"].values[1] == pytest.approx(10.0, abs=1.0)


def test_a_symmetry_below_two_is_refused() -> None:
    with pytest.raises(SettingError, match="n_fold=1 must be 2 or more"):
        estimate_bond_order(_hexagonal(0.0, 0.0), n_fold=1)
