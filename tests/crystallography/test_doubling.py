"""Doubled cells are found along the right axis, and antiphase boundaries where they run."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from planted_domains import planted

from adatom.crystallography import find_doubling, find_variants
from adatom.errors import KindError, SettingError
from adatom.schema import Sites, positions, sites_from_positions


@pytest.mark.parametrize("noise", [0.03, 0.05])
@pytest.mark.parametrize(
    ("case", "axis"), [("doubled i", "i"), ("doubled j", "j"), ("checkerboard", "checkerboard")]
)
def test_doubling_is_along_the_right_axis(case: str, axis: str, noise: float) -> None:
    truth = planted(case, noise=noise, seed=2)
    found = find_variants(truth.sites)
    doubling = find_doubling(truth.sites, found.variants)
    assert doubling.statement["doubled"].values.tolist() == [axis]
    assert doubling.statement["p_value"].item() == pytest.approx(0.01)
    assert doubling.boundaries.sizes["site"] == 0
    # Classes that a translation exchanges are no ferroic variants.
    assert "exchanged by translation" in found.statement.attrs["statement"]
    assert found.statement["n_translation"].item() == 2
    assert found.statement["n_populated"].item() == 1


@pytest.mark.parametrize("noise", [0.03, 0.05])
@pytest.mark.parametrize(("case", "axis"), [("antiphase", 0), ("antiphase j", 1)])
def test_antiphase_boundaries_are_within_one_cell(case: str, axis: int, noise: float) -> None:
    truth = planted(case, noise=noise, drift=0.0, angle=0.0, seed=4)
    doubling = find_doubling(truth.sites, find_variants(truth.sites).variants)
    place = positions(truth.sites)[:, axis]
    index = truth.sites["lattice_index"].values[:, axis]
    side = (truth.domain + index) % 2
    level = (
        place[side == side[place.argmin()]].max() + place[side != side[place.argmin()]].min()
    ) / 2
    off = np.abs(positions(doubling.boundaries)[:, axis] - level)
    assert len(off) > 40
    # Corners at the edges of the frame, where a site has three cells around, may be cut.
    assert np.mean(off < 1.0) > 0.97
    label = doubling.antiphase["label"].values
    inner = truth.inner
    agreement = np.mean(label[inner] == side[inner])
    assert max(agreement, 1 - agreement) > 0.995


def test_variants_side_by_side_are_no_doubled_cell() -> None:
    truth = planted("polar", noise=0.02)
    doubling = find_doubling(truth.sites, find_variants(truth.sites).variants)
    assert set(doubling.statement["doubled"].values) == {"no"}
    assert (doubling.antiphase["label"].values == -1).all()
    assert doubling.statement.attrs["statement"] == "no cell is doubled"


def _grid(n: int = 16) -> tuple[Sites, NDArray[np.int64], NDArray[np.int64]]:
    i, j = np.indices((n, n)).reshape(2, -1)
    sites = sites_from_positions(i, j, unit="nm")
    sites["lattice_index"] = (("site", "direction"), np.stack([i, j], axis=1))
    sites["sublattice"] = sites["grain"] = ("site", np.zeros(n * n, int))
    return sites, i, j


def test_a_cell_doubled_both_ways_has_four_classes() -> None:
    sites, i, j = _grid()
    doubling = find_doubling(sites, xr.Dataset({"label": ("site", 2 * (i % 2) + j % 2)}))
    assert doubling.statement["doubled"].values.tolist() == ["i and j"]
    assert doubling.statement["classes"].values.tolist() == ["0 1 2 3"]


def test_labels_at_random_alternate_along_nothing() -> None:
    sites, i, _ = _grid()
    label = np.random.default_rng(0).integers(2, size=len(i))
    doubling = find_doubling(sites, xr.Dataset({"label": ("site", label)}))
    assert set(doubling.statement["doubled"].values) == {"no"}


def test_single_misjudged_cells_are_no_boundary() -> None:
    sites, i, _ = _grid()
    label = i % 2
    label[100] = 1 - label[100]
    doubling = find_doubling(sites, xr.Dataset({"label": ("site", label)}))
    assert doubling.boundaries.sizes["site"] == 0
    assert "1 single cells outvoted" in doubling.antiphase.attrs["notes"][0]


def test_no_label_at_all_is_no_doubling() -> None:
    sites, i, _ = _grid()
    doubling = find_doubling(sites, xr.Dataset({"label": ("site", np.full(len(i), -1))}))
    assert doubling.statement.sizes["row"] == 0


def test_what_does_not_belong_together_is_refused() -> None:
    sites, i, _ = _grid()
    classes = xr.Dataset({"label": ("site", i)})
    with pytest.raises(KindError, match="need a label for each of 256 sites"):
        find_doubling(sites, classes.isel(site=slice(5)))
    with pytest.raises(KindError, match=r"run crystallography\.assign_lattice_indices"):
        find_doubling(sites.drop_vars("grain"), classes)
    with pytest.raises(SettingError, match="level=2"):
        find_doubling(sites, classes, level=2.0)
