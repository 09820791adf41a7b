"""Pictures of turned classes show each class once, and count its orientations."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from turned_patches import planted_patches

from adatom.clustering import TurnedClustering, cluster_turned_patches
from adatom.errors import KindError
from adatom.plotting import plot, plot_classes, plot_turned_classes


@pytest.fixture(scope="module")
def found() -> TurnedClustering:
    planted = planted_patches("C3", n=240, classes=(0, 4), seed=3)
    return cluster_turned_patches(planted.patches, symmetry="C3", n_classes=2)


def _texts(figure: object) -> str:
    return " ".join(t.get_text() for axes in figure.axes for t in axes.texts)  # type: ignore[attr-defined]


def test_bars_count_the_members_of_each_orientation(found: TurnedClustering) -> None:
    figure = plot_turned_classes(found.means, found.classes, found.orientations)
    told = _texts(figure)
    assert len(figure.axes) == 4
    for count in found.orientations["count"].values:
        assert str(count) in told
    assert "no orientation" in told
    assert "120°" in told


def test_only_a_class_with_an_orientation_has_an_arrow(found: TurnedClustering) -> None:
    figure = plot(found.means)
    arrows = [sum(t.arrow_patch is not None for t in axes.texts if hasattr(t, "arrow_patch"))
              for axes in figure.axes]  # fmt: skip
    assert arrows == np.isfinite(found.means["direction"].values).astype(int).tolist()


def test_a_map_of_orientations_names_their_angles(found: TurnedClustering) -> None:
    legend = plot_classes(found.orientations).axes[0].figure.legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    assert names[1].startswith("120 deg:")
    assert names[-1].startswith("no orientation:")


def test_plain_means_are_refused() -> None:
    means = xr.DataArray(np.zeros((1, 9)), dims=("class", "feature"))
    with pytest.raises(KindError, match="have no direction"):
        plot_turned_classes(means)


def test_orientations_of_other_patches_are_refused(found: TurnedClustering) -> None:
    with pytest.raises(KindError, match="240 labels, 10 orientations"):
        plot_turned_classes(found.means, found.classes, found.orientations.isel(site=slice(10)))
