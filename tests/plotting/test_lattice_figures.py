"""Pictures of rings, grains and dislocations show what there is."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Annotation
from planted_crystals import bicrystal, edge_dislocation, planted, with_neighbors

from adatom.crystallography import assign_lattice_indices, find_dislocations, find_rings
from adatom.errors import KindError
from adatom.plotting import plot, plot_dislocations, plot_grains, plot_rings
from adatom.schema import sites_from_positions


def _labels(figure: object) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]  # type: ignore[attr-defined]


def test_rings_are_polygons_by_the_number_of_their_members() -> None:
    truth = planted("honeycomb", half_width=9.0)
    truth = truth._replace(place=truth.place + edge_dislocation(truth.place, (0.31, 0.43), 3**0.5))
    rings = find_rings(sites_from_positions(*truth.place.T, unit="nm"))
    figure = plot_rings(rings)
    drawn = {
        one.get_label(): len(one.get_paths())
        for one in figure.axes[0].collections
        if isinstance(one, PolyCollection)
    }
    kinds, counts = np.unique(rings["n_members"].values, return_counts=True)
    assert drawn == {f"rings of {k}": n for k, n in zip(kinds, counts, strict=True)}
    assert _labels(figure) == [f"{n} of {k}" for k, n in zip(kinds, counts, strict=True)]


def test_grains_are_told_with_their_number_of_sites() -> None:
    found = assign_lattice_indices(with_neighbors(bicrystal("square", 30.0, 0.02, 0)[0]))
    labels = _labels(plot_grains(found))
    sizes = np.bincount(found["grain"].values[found["grain"].values >= 0])
    assert labels[:2] == [f"grain {k}: {n} sites" for k, n in enumerate(sizes)]


def test_every_dislocation_has_an_arrow_along_its_burgers_vector() -> None:
    truth = planted("square")
    truth = truth._replace(place=truth.place + edge_dislocation(truth.place, (0.31, 0.43), 1.0))
    atoms = with_neighbors(truth)
    found = find_dislocations(atoms)
    figure = plot_dislocations(found, None, atoms)
    arrows = {(one.xyann, one.xy) for one in figure.axes[0].texts if isinstance(one, Annotation)}
    assert len(arrows) == found.sizes["site"] == 1
    ((start, end),) = arrows
    assert end[0] > start[0]
    assert end[1] == pytest.approx(start[1], abs=0.02)


def test_plot_knows_them_by_themselves() -> None:
    truth = planted("square", half_width=6.0)
    atoms = assign_lattice_indices(with_neighbors(truth))
    assert any("grain 0" in label for label in _labels(plot(atoms)))
    assert any(" of 4" in label for label in _labels(plot(find_rings(atoms))))
    assert _labels(plot(find_dislocations(atoms))) == ["0 dislocations"]


def test_sites_that_are_none_of_these_are_refused() -> None:
    sites = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    for draw in (plot_rings, plot_grains, plot_dislocations):
        with pytest.raises(KindError, match="crystallography"):
            draw(sites)
