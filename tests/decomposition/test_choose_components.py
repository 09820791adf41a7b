"""The number of components that a map shows."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.decomposition import choose_n_components, fit_pca
from adatom.errors import SettingError
from adatom.schema import TABLE, notes
from adatom.simulation import simulate_eels_map


def test_six_materials_have_six_components_of_counts_and_no_more_than_five_without_weights() -> (
    None
):
    spectra = simulate_eels_map(size=96, n_channels=512, seed=1).spectra
    table = choose_n_components(spectra, weighting="poisson")
    TABLE.check(table)
    assert table.attrs["n_components"] == 6
    assert table["above_noise"].values.sum() == 6
    assert fit_pca(spectra, weighting="poisson").n_components == 6
    plain = choose_n_components(spectra)
    # The mean is taken off; the chemical shift may lie below the noise of the strongest channels.
    assert plain.attrs["n_components"] in (4, 5)
    # The background falls by a factor of forty, and the noise of counts with it.
    assert plain.attrs["n_above_white_noise"] > 10


def test_the_table_holds_what_a_scree_plot_needs() -> None:
    rng = np.random.default_rng(0)
    rows = xr.DataArray(
        rng.normal(size=(400, 1)) * np.ones(50) + rng.normal(size=(400, 50)),
        dims=("site", "feature"),
    )
    table = choose_n_components(rows, max_components=10)
    assert table.sizes["row"] == 10
    assert (table["variance"].values[:1] > table["noise"].values[:1]).all()
    assert (table["variance"].values[1:] < table["noise"].values[1:]).all()
    assert "component 0 has" in table.attrs["reason"]
    with pytest.raises(SettingError, match="max_components=0 must be 1 or more"):
        choose_n_components(rows, max_components=0)


def test_where_all_components_are_signal_the_note_says_so() -> None:
    line = np.arange(20.0)
    rows = xr.DataArray(np.stack([line, line**2], axis=1), dims=("site", "feature"))
    table = choose_n_components(rows)
    if table.attrs["n_components"] == 2:
        assert notes(table) == [
            "all components rise above noise: there is none to compare them with"
        ]
    else:
        assert notes(table) == []
