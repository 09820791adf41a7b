"""Figures of what is told of sites: colors about zero, errors, arrows."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.quiver import Quiver

from adatom.errors import KindError, SettingError
from adatom.plotting import plot_displacements, plot_site_profiles, plot_site_quantity
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
    assert len(open_marks.get_offsets()) == 1
    assert len(colored.get_offsets()) == 47
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
        part for part in plot_displacements(sites).axes[0].collections if isinstance(part, Quiver)
    )
    assert (gray.N, clear.N) == (12, 36)


def test_quantities_are_those_along_sites() -> None:
    sites = _sites()
    assert quantities_of(sites) == ["rotation"]
    with pytest.raises(KindError, match="carry no such number"):
        plot_site_quantity(sites, quantity="strain_yy")
    with pytest.raises(KindError, match="estimate_polarization first"):
        plot_displacements(sites)
