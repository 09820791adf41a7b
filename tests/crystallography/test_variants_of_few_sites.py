"""Too few sites, foreign models and odd seeds are refused with what is needed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.crystallography import assign_lattice_indices, assign_variants, find_variants
from adatom.descriptors import neighbor_vectors
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import Sites, sites_from_positions


def _square(n: int) -> Sites:
    y, x = np.indices((n, n)).reshape(2, -1) * 1.0
    return assign_lattice_indices(neighbor_vectors(sites_from_positions(y, x, unit="nm")))


def test_a_few_sites_hold_no_variants() -> None:
    with pytest.raises(TooFewSitesError, match="variants need"):
        find_variants(_square(3))


def test_sites_none_of_which_is_indexed_are_told() -> None:
    sites = _square(8)
    sites["grain"] = ("site", np.full(64, -1))
    with pytest.raises(TooFewSitesError, match="0 of 64 sites have a lattice index"):
        find_variants(sites)


def test_a_seed_below_zero_and_a_foreign_model_are_refused() -> None:
    with pytest.raises(SettingError, match="seed=-1"):
        find_variants(_square(8), seed=-1)
    with pytest.raises(KindError, match="not a VariantModel"):
        assign_variants(_square(8), None)  # type: ignore[arg-type]


def _polar(
    n: int, noise: float, *, push: float = 0.15, bend: float = 0.0, vacancies: float = 0.0
) -> Sites:
    """Give the centers of one polar domain with their cage, in a scan that may be bent."""
    rng = np.random.default_rng(1)
    y, x = np.indices((n, n)).reshape(2, -1) * 1.0

    def seen(y: NDArray[np.float64], x: NDArray[np.float64]) -> Sites:
        x = x + bend * np.sin(2 * np.pi * y / n)
        y, x = (part + rng.normal(0, noise, part.shape) for part in (y, x))
        there = rng.random(y.shape) >= vacancies
        return sites_from_positions(y[there], x[there], unit="nm")

    cage, centers = seen(y, x), seen(y + 0.5 + push, x + 0.5)
    own = assign_lattice_indices(neighbor_vectors(centers))
    return neighbor_vectors(own, cage, n_neighbors=4)


@pytest.mark.parametrize("noise", [0.03, 0.05])
def test_a_single_polar_domain_is_one_of_four_variants(noise: float) -> None:
    statement = find_variants(_polar(30, noise)).statement
    assert statement["verdict"].values.tolist() == ["orbit incomplete"]
    assert statement["n_variants"].values.tolist() == [4]
    assert statement["p_value"].item() == pytest.approx(0.01)


def test_positions_without_noise_are_told_as_others() -> None:
    statement = find_variants(_polar(12, 0.0, push=0.1)).statement
    assert statement["p_value"].item() == pytest.approx(0.01)


def test_what_cannot_be_tested_is_noted() -> None:
    # A scan bent by far more than the noise, of few cells: none is near the mean.
    statement = find_variants(_polar(9, 0.001, push=0.1, bend=0.3, vacancies=0.06)).statement
    assert np.isnan(statement["p_value"].values).all()
    assert "p is not known" in statement.attrs["statement"]
    notes = " ".join(statement.attrs["notes"])
    assert "p of phase 0 is not known" in notes
    assert "take a larger region" in notes
