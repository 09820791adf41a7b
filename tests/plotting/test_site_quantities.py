"""Figures of what is told of sites: colors about zero, errors, arrows."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver

from adatom import plotting
from adatom.errors import KindError, SettingError
from adatom.plotting import plot_site_profiles, plot_site_quantity, plot_vector_field
from adatom.plotting.strain import quantities_of
from adatom.schema import Sites, sites_from_positions


def _sites() -> Sites:
    y, x = (axis.ravel() for axis in np.mgrid[:6.0, :8.0])
    sites = sites_from_positions(y, x, unit="nm", spacing=1.0)
    rotation = 0.5 * (x - 3.0)
    rotation[0] = np.nan
    sites["rotation"] = ("site", rotation, {"units": "deg"})
    sites["rotation_error"] = ("site", np.full(48, 0.25), {"units": "deg"})
    return sites


def test_rotation_is_drawn_about_zero_and_open_where_it_is_not_known() -> None:
    figure = plot_site_quantity(_sites(), quantity="rotation")
    open_marks, colored = (
        part for part in figure.axes[0].collections if isinstance(part, PathCollection)
    )
    assert np.shape(open_marks.get_offsets()) == (1, 2)
    assert np.shape(colored.get_offsets()) == (47, 2)
    low, high = colored.get_clim()
    assert low == pytest.approx(-high)


def test_the_typical_error_stands_below_the_map_and_the_unit_at_the_bar() -> None:
    figure = plot_site_quantity(_sites(), quantity="rotation")
    words = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert "typical error (1 standard deviation): 0.25 deg" in words
    assert any(axes.get_ylabel() == "rotation [deg]" for axes in figure.axes)


def test_profiles_have_a_panel_for_each_quantity_and_bars() -> None:
    sites = _sites()
    sites["strain_xx"] = ("site", np.zeros(48), {"units": "1"})
    figure = plot_site_profiles(sites, quantities=["rotation", "strain_xx"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["rotation [deg]", "strain xx"]
    assert "one standard deviation" in figure.axes[1].get_xlabel()
    with pytest.raises(SettingError, match="must be 'x' or 'y'"):
        plot_site_profiles(sites, quantities=["rotation"], along="z")


def test_displacements_within_their_error_are_gray_arrows_of_their_own() -> None:
    sites = _sites()
    moved = np.where(np.arange(48) < 12, 0.01, 0.1)
    for name, numbers in (("y", np.zeros(48)), ("x", moved), ("magnitude_error", 0.02 + 0 * moved)):
        sites[f"displacement_{name}"] = ("site", numbers, {"units": "nm"})
    gray, clear = (
        [part for part in plot_vector_field(sites).axes[0].collections if isinstance(part, Quiver)]
        # Below each lies its rim.
    )[1::2]
    assert (gray.N, clear.N) == (12, 36)


def test_quantities_are_those_along_sites() -> None:
    sites = _sites()
    assert quantities_of(sites) == ["rotation"]
    with pytest.raises(KindError, match="carry no such number"):
        plot_site_quantity(sites, quantity="strain_yy")
    with pytest.raises(KindError, match=r"those of crystallography\.estimate_polarization"):
        plot_vector_field(sites)


def test_profiles_of_a_quantity_that_is_not_there_name_those_that_are() -> None:
    sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    sites["rotation"] = ("site", [-1.0, 1.0], {"units": "deg"})
    with pytest.raises(KindError, match="sites carry no strain_xx along 'site', only rotation"):
        plotting.plot_site_profiles(sites, quantities=["strain_xx", "rotation"])


def test_classes_without_neighbors_are_drawn_without_arrows() -> None:
    sites = sites_from_positions([0.0, 1.0], [0.0, 0.0], unit="nm", spacing=1.0)
    sites["neighbor_vector"] = (("site", "neighbor", "axis"), np.full((2, 1, 2), np.nan))
    classes = xr.Dataset({"label": ("site", np.array([0, 1]))})
    assert len(plotting.plot_class_displacements(sites, classes).axes) == 2


@pytest.mark.parametrize("plot", ["boundary_profile", "boundary_directions", "fractions"])
def test_what_is_no_table_is_refused(plot: str) -> None:
    with pytest.raises(KindError, match="found NoneType"):
        getattr(plotting, f"plot_{plot}")(None)
