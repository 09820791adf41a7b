"""The atlas of a library says of every class how often it is and what it looks like."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from adatom.defects import ClassCard, Computed, Drawing, Estimate
from adatom.report import write_atlas
from adatom.schema import image_from_array


def card(
    name: str = "Si1C3", count: float = 12.0, key: str = "0123456789abcdef", host: str = "graphene"
) -> ClassCard:
    """Make a card with everything on it: Si with three C around, blurred on 48 pixels."""
    angle = np.radians([90.0, 210.0, 330.0])
    places = np.vstack([np.zeros(2), 0.175 * np.stack([np.sin(angle), np.cos(angle)], axis=1)])
    axis = (np.arange(48) - 23.5) * 0.0125
    across = (axis[:, None, None] - places[:, 0]) ** 2 + (axis[None, :, None] - places[:, 1]) ** 2
    seen = (np.exp(-across / 0.004) * np.array([4.0, 1.0, 1.0, 1.0])).sum(axis=2)
    noise = np.random.default_rng(0)
    examples = tuple(
        image_from_array(seen + noise.normal(0, 0.3, seen.shape), pixel_size="0.0125 nm")
        for _ in range(6)
    )
    energy = np.linspace(-8, 6, 200)
    return ClassCard(
        name=name,
        class_key=key,
        host=host,
        count=Estimate(count, 0.6 * count, 1.5 * count),
        density=Estimate(0.05, 0.03, 0.08),
        n_images=5,
        mean_image=image_from_array(seen, pixel_size="0.0125 nm"),
        examples=examples,
        captions=tuple(f"image_{k}.tif, 0.97" for k in range(6)),
        drawing=Drawing(
            places,
            ("Si", "C", "C", "C"),
            ("core", "neighbor", "neighbor", "neighbor"),
            np.array([[0, 1], [0, 2], [0, 3]]),
        ),
        bond_lengths={"C-Si": noise.normal(0.172, 0.006, 36)},
        computed=(
            Computed(
                "GFN1-xTB (tblite), tight binding",
                3.21,
                {"C-Si": np.array([0.1735])},
                energy,
                10 + 5 * np.sin(energy),
            ),
        ),
    )


def test_every_class_is_told_with_its_figures(tmp_path: Path) -> None:
    place = write_atlas([card(), card("", 1.0)], tmp_path / "atlas.html")
    text = place.read_text(encoding="utf-8")
    assert "13 defects of 2 classes, 1 of them with a name. Most are Si1C3: 12 (92 %)" in text
    assert "unnamed 012345" in text
    assert "formation energy 3.21 eV" in text
    assert "C-Si: 0.17" in text
    assert text.count("data:image/png") == 2


def test_an_empty_library_has_a_page(tmp_path: Path) -> None:
    text = write_atlas([], tmp_path / "atlas.html").read_text(encoding="utf-8")
    assert "The library holds no defects." in text


def test_names_cannot_write_into_the_page(tmp_path: Path) -> None:
    place = write_atlas([card("<script>alert(1)</script>")], tmp_path / "atlas.html")
    assert "<script>" not in place.read_text(encoding="utf-8")


def test_classes_of_one_name_are_told_apart_by_key_and_host(tmp_path: Path) -> None:
    cards = [
        card(key="0123456789abcdef"),
        card(key="0123456789ffffff"),
        card(key="0123456789ffffff", host="WSe2"),
        card("V1", key="fedcba9876543210"),
    ]
    text = write_atlas(cards, tmp_path / "atlas.html").read_text(encoding="utf-8")
    rows = [re.findall(r"<td>(.*?)</td>", row)[:3] for row in re.findall(r"<tr>(.*?)</tr>", text)]
    # Eight digits would be the same for three of them.
    assert rows[1:5] == [
        ["Si1C3", "0123456789a", "graphene"],
        ["Si1C3", "0123456789f", "graphene"],
        ["Si1C3", "0123456789f", "WSe2"],
        ["V1", "fedcba98765", "graphene"],
    ]
    heads = re.findall(r"<h2 id=.class-\d.>(.*?)<a", text)
    assert heads == [
        "Si1C3, class 0123456789a",
        "Si1C3, class 0123456789f, in graphene",
        "Si1C3, class 0123456789f, in WSe2",
        "V1",
    ]
