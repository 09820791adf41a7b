"""Too few sites, foreign models and odd seeds are refused with what is needed."""

import numpy as np
import pytest

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
