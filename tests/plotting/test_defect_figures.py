"""Pictures of defects show every atom by its element, what is missing, and what it is called."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from adatom.defects import Defects, find_defects
from adatom.errors import KindError
from adatom.plotting import plot_defects
from adatom.schema import image_from_array, sites_from_positions
from adatom.simulation import Flake, build_graphene


def found(flake: Flake, side: float = 4.0) -> Defects:
    return find_defects(build_graphene(flake=flake, field=(side, side), seed=3).atoms)


@pytest.fixture(scope="module")
def mixed() -> Defects:
    """Silicon and single vacancies, none of which share an atom."""
    defects = found(Flake(threefold=0.006, fourfold=0.004, vacancies=0.004, divacancies=0.0))
    assert {"Si1C3", "Si1C4", "V1"} <= set(defects.defects["name"].values)
    return defects


def names_of(figure: Figure) -> list[str]:
    return sorted(text.get_text() for text in figure.axes[0].texts)


def places_of(figure: Figure, label: str) -> NDArray[np.float64]:
    marks = [one for one in figure.axes[0].collections if one.get_label() == label]
    return np.concatenate([np.asarray(one.get_offsets()) for one in marks])


def test_the_legend_counts_the_members_of_every_species(mixed: Defects) -> None:
    (legend,) = plot_defects(mixed).legends
    species, counts = np.unique(mixed.members["species"].values, return_counts=True)
    told = [
        f"{'missing' if name == 'X' else name}: {n}"
        for name, n in zip(species, counts, strict=True)
    ]
    assert sorted(text.get_text() for text in legend.get_texts()) == sorted(told)


def test_missing_atoms_are_crosses_at_their_places(mixed: Defects) -> None:
    figure = plot_defects(mixed)
    gone = mixed.members["species"].values == "X"
    crosses = places_of(figure, "missing")
    assert gone.any()
    assert crosses == pytest.approx(np.c_[mixed.members["x"], mixed.members["y"]][gone])
    (drawn,) = (one for one in figure.axes[0].collections if one.get_label() == "missing")
    assert isinstance(drawn, PathCollection)


def test_every_atom_has_one_ring_in_the_color_of_its_element(mixed: Defects) -> None:
    figure = plot_defects(mixed)
    place = np.c_[mixed.members["x"], mixed.members["y"]]
    for name in ("Si", "C"):
        own = place[mixed.members["species"].values == name]
        drawn = places_of(figure, name)
        assert np.array(sorted(drawn.tolist())) == pytest.approx(np.array(sorted(own.tolist())))


def test_bonds_end_at_the_rims_of_their_atoms(mixed: Defects) -> None:
    figure = plot_defects(mixed)
    lines = [
        one
        for one in figure.axes[0].collections
        if isinstance(one, LineCollection) and np.all(np.asarray(one.get_edgecolor()) == 1.0)
    ]
    segments = np.concatenate([np.array(one.get_segments()) for one in lines])
    length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    assert len(length) == mixed.bonds.sizes["row"]
    assert np.all(length < mixed.bonds["length"].values.max())
    assert np.all(length > 0.3 * mixed.bonds["length"].values.min())


def test_every_defect_that_stands_alone_has_its_name(mixed: Defects) -> None:
    assert names_of(plot_defects(mixed)) == sorted(mixed.defects["name"].values)


def test_a_defect_without_a_name_has_its_kind() -> None:
    one = found(Flake(threefold=0.004, fourfold=0.0, vacancies=0.0, divacancies=0.0))
    defects = one.defects.assign(name=("site", np.full(one.defects.sizes["site"], "")))
    assert set(names_of(plot_defects(one._replace(defects=defects)))) == {"substitution"}


def test_of_names_on_one_another_the_surer_is_written() -> None:
    one = found(Flake(threefold=0.004, fourfold=0.0, vacancies=0.0, divacancies=0.0))
    first = one.defects.isel(site=[0, 0]).assign(
        name=("site", ["doubtful", "sure"]), confidence=("site", [0.3, 0.9])
    )
    members = one.members.isel(site=np.flatnonzero(one.members["defect"].values == 0))
    twice = one._replace(
        defects=first,
        members=members.isel(site=np.tile(np.arange(members.sizes["site"]), 2)).assign(
            defect=("site", np.repeat([0, 1], members.sizes["site"]))
        ),
        bonds=one.bonds.isel(row=slice(0)),
    )
    assert names_of(plot_defects(twice)) == ["sure"]


def test_names_of_doubtful_defects_are_gray() -> None:
    one = found(Flake(threefold=0.004, fourfold=0.0, vacancies=0.0, divacancies=0.0))
    n = one.defects.sizes["site"]
    shown = []
    for confidence in (0.05, 0.5):
        defects = one.defects.assign(confidence=("site", np.full(n, confidence)))
        texts = plot_defects(one._replace(defects=defects)).axes[0].texts
        shown.append({to_hex(text.get_color()) for text in texts})
    assert shown == [{"#b0b5bb"}, {"#ffffff"}]


def test_names_at_the_border_stay_inside_of_the_image() -> None:
    one = found(Flake(threefold=0.01, fourfold=0.0, vacancies=0.0, divacancies=0.0))
    image = image_from_array(np.zeros((200, 200)), pixel_size="0.02 nm")
    figure = plot_defects(one, image)
    (left, right), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        box = text.get_window_extent().transformed(figure.axes[0].transData.inverted())
        assert left <= box.x0 <= box.x1 <= right
        assert top <= min(box.y0, box.y1) <= max(box.y0, box.y1) <= bottom


def test_no_defects_are_an_image_without_marks() -> None:
    none = found(Flake(threefold=0.0, fourfold=0.0, vacancies=0.0, divacancies=0.0), side=2.0)
    figure = plot_defects(none, image_from_array(np.zeros((100, 100)), pixel_size="0.02 nm"))
    assert names_of(figure) == []
    assert not figure.legends


def test_what_is_no_defects_is_refused(mixed: Defects) -> None:
    sites = sites_from_positions([0.0], [0.0], unit="nm")
    with pytest.raises(KindError, match="these are no defects: defects lacks name"):
        plot_defects(mixed._replace(defects=sites))
