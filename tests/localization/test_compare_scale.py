"""A known lattice tells whether the stated scale of an image is true."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adatom.errors import AdatomWarning, NoLatticeError, SettingError
from adatom.io.affine import corrected
from adatom.io.store import read_result, write_result
from adatom.localization import ScaleComparison, compare_scale
from adatom.localization.known_lattices import LATTICES, lattice_from_text
from adatom.schema import TABLE, Image, image_from_array, notes
from adatom.simulation import (
    Crystal,
    Microscope,
    build_grain_boundary,
    simulate_image,
    simulate_lattice,
)

Waves = Mapping[tuple[float, float], float]

GRAPHENE = 0.246
HONEYCOMB: Waves = {(1, 0): 1.0, (0, 1): 1.0, (1, -1): 1.0, (1, 1): 1.0, (2, -1): 1.0, (1, -2): 1.0}
FIRST_RING: Waves = {(1, 0): 1.0, (0, 1): 1.0, (1, -1): 1.0}
STO = 0.3905


def cell_of(a: float, b: float, angle: float, rotation: float = 9.0) -> NDArray[np.float64]:
    """Give vectors (y, x) as columns: a turned from +x towards +y by a rotation."""
    first, second = np.radians([rotation, rotation + angle])
    return np.array(
        [[a * np.sin(first), b * np.sin(second)], [a * np.cos(first), b * np.cos(second)]]
    )


def picture(
    cell: NDArray[np.float64],
    waves: Waves,
    *,
    pixel_size: str = "1 px",
    shape: tuple[int, int] = (256, 256),
    noise: float = 1.0,
    seed: int = 0,
) -> Image:
    """Add cosines of known reflections; the cell is in pixels."""
    reciprocal = np.linalg.inv(cell).T
    y, x = np.mgrid[: shape[0], : shape[1]]
    values = np.random.default_rng(seed).normal(0, noise, shape)
    for index, amplitude in waves.items():
        frequency = reciprocal @ np.array(index, dtype=float)
        values += amplitude * np.cos(2 * np.pi * (frequency[0] * y + frequency[1] * x) + 0.3)
    return image_from_array(values, pixel_size=pixel_size)


def quiet(image: Image, lattice: str) -> ScaleComparison:
    """Compare without the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdatomWarning)
        return compare_scale(image, lattice=lattice)


def test_a_true_scale_agrees_and_warns_of_nothing() -> None:
    image = picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB, pixel_size="0.0123 nm")
    result = compare_scale(image)
    assert result.agrees is True
    assert result.ratio == pytest.approx(1.0, abs=5e-4)
    assert result.ratio_low < 1.0 < result.ratio_high
    assert result.ratio_high - result.ratio_low < 0.01
    assert result.a == pytest.approx(GRAPHENE, rel=1e-3)
    assert result.b == pytest.approx(GRAPHENE, rel=1e-3)
    assert result.angle == pytest.approx(120.0, abs=0.1)
    assert result.rotation == pytest.approx(9.0, abs=0.1)
    assert result.distortion < 0.2
    assert result.verdict.startswith("The stated scale agrees with graphene")


@pytest.mark.parametrize("ratio", [0.8, 0.92, 1.08, 1.25])
def test_a_wrong_scale_warns_and_tells_the_right_one(ratio: float) -> None:
    stated = GRAPHENE / 20.0 / ratio
    image = picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB, pixel_size=f"{stated} nm")
    side = "long" if ratio < 1 else "short"
    with pytest.warns(
        AdatomWarning, match=rf"lengths read .* too {side}.*Read it with pixel_size="
    ):
        result = compare_scale(image)
    assert result.agrees is False
    assert result.ratio == pytest.approx(ratio, rel=1e-3)
    again = picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB, pixel_size=result.pixel_size)
    assert compare_scale(again).agrees is True


def test_the_tolerance_is_the_users() -> None:
    image = picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB, pixel_size=f"{GRAPHENE / 20 / 1.02} nm")
    assert compare_scale(image).agrees is True
    with pytest.warns(AdatomWarning, match="2.0 %"):
        assert compare_scale(image, tolerance=0.5).agrees is False


def test_an_image_without_scale_gets_one() -> None:
    result = compare_scale(picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB))
    assert result.agrees is None
    assert float(result.pixel_size.split()[0]) == pytest.approx(GRAPHENE / 20, rel=1e-3)
    assert result.a == pytest.approx(20.0, rel=1e-3)
    assert result.verdict.startswith("By the lattice of graphene a pixel is 0.0123")


@pytest.mark.parametrize("rotation", [0.0, 17.0, 44.0, 90.0])
def test_the_affine_matrix_makes_the_lattice_what_it_is(rotation: float) -> None:
    scan = np.array([[1.05, 0.03], [0.08, 0.97]])
    cell = scan @ cell_of(20.0, 20.0, 120.0, rotation)
    result = compare_scale(picture(cell, HONEYCOMB))
    matrix = np.reshape(result.affine, (2, 2))
    np.testing.assert_allclose(matrix, matrix.T)
    assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-4)
    true = float(result.pixel_size.split()[0]) * matrix @ cell
    ideal = cell_of(GRAPHENE, GRAPHENE, 120.0)
    # Lengths and angles are those of the ideal cell, whatever the rotation.
    np.testing.assert_allclose(true.T @ true, ideal.T @ ideal, atol=2e-3 * GRAPHENE**2)
    stretches = np.linalg.svd(np.linalg.inv(scan), compute_uv=False)
    assert result.distortion == pytest.approx(100 * (stretches[0] / stretches[1] - 1), abs=0.3)


def test_a_distorted_image_read_as_told_is_no_longer_distorted() -> None:
    cell = np.array([[1.06, 0.0], [0.07, 0.96]]) @ cell_of(20.0, 20.0, 120.0)
    image = picture(cell, HONEYCOMB, pixel_size="0.0123 nm", noise=0.3)
    with pytest.warns(AdatomWarning, match=r"read .* % longer than those across.*affine=\("):
        result = compare_scale(image)
    values = image.values
    step = result.pixel_size
    again = compare_scale(corrected(image_from_array(values, pixel_size=step), result.affine))
    assert again.agrees is True
    assert again.ratio == pytest.approx(1.0, abs=1e-3)
    assert again.distortion < 0.3


def test_lengths_read_too_long_along_the_stated_direction() -> None:
    # Stretched by a tenth along 30 deg.
    along = np.array([np.sin(np.radians(30)), np.cos(np.radians(30))])
    scan = np.eye(2) + 0.1 * np.outer(along, along)
    result = compare_scale(picture(scan @ cell_of(20.0, 20.0, 120.0), HONEYCOMB))
    assert result.distortion_angle == pytest.approx(30.0, abs=2.0)
    assert result.distortion == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize("first", [0.5, 1.0, 4.0])
def test_a_honeycomb_is_not_mistaken_whichever_of_its_rings_is_strong(first: float) -> None:
    # Two atoms in the cell make the second ring twice as strong as the first; the first is weaker
    # in no image than half of it.
    waves = {key: first if sum(map(abs, key)) <= 1 or key == (1, -1) else 1.0 for key in HONEYCOMB}
    result = compare_scale(picture(cell_of(20.0, 20.0, 120.0), waves))
    assert result.a == pytest.approx(20.0, rel=2e-3)


def test_a_superstructure_does_not_make_the_cell_larger() -> None:
    # sqrt(3) x sqrt(3), as around defects of graphite: a third of the height of the lattice.
    third: Waves = {(1 / 3, 1 / 3): 0.33, (2 / 3, -1 / 3): 0.33, (1 / 3, -2 / 3): 0.33}
    result = compare_scale(picture(cell_of(20.0, 20.0, 120.0), {**FIRST_RING, **third}))
    assert result.a == pytest.approx(20.0, rel=2e-3)


def test_a_strong_superstructure_is_told_by_the_stated_scale() -> None:
    third: Waves = {(1 / 3, 1 / 3): 0.9, (2 / 3, -1 / 3): 0.9, (1 / 3, -2 / 3): 0.9}
    image = picture(cell_of(20.0, 20.0, 120.0), {**FIRST_RING, **third}, pixel_size="0.013 nm")
    assert quiet(image, "graphene").ratio == pytest.approx(0.0123 / 0.013, rel=2e-3)


def test_reflections_forbidden_by_glides_do_not_make_the_cell_smaller() -> None:
    # p2gg: no odd reflections on the axes.
    waves: Waves = {(1, 1): 1.0, (1, -1): 1.0, (2, 0): 0.8, (0, 2): 0.8, (2, 1): 0.7, (1, 2): 0.7}
    cell = cell_of(40.0, 30.0, 90.0)
    result = compare_scale(picture(cell, waves), lattice="rectangular 0.8 x 0.6 nm")
    assert (result.a, result.b) == pytest.approx((40.0, 30.0), rel=2e-3)
    assert float(result.pixel_size.split()[0]) == pytest.approx(0.02, rel=2e-3)


def test_a_centered_cell_is_told_by_reflections_of_even_sum() -> None:
    # The three strongest of Si [110]: 111, 220, 113.
    waves: Waves = {(1, 1): 1.0, (1, -1): 1.0, (0, 2): 0.7, (3, 1): 0.4, (3, -1): 0.4, (4, 0): 0.3}
    side = 50.0
    result = compare_scale(
        picture(cell_of(side, side / np.sqrt(2), 90.0), waves), lattice="Si [110]"
    )
    assert result.a == pytest.approx(side, rel=2e-3)
    assert float(result.pixel_size.split()[0]) == pytest.approx(0.5431 / side, rel=2e-3)


PEROVSKITE: Waves = {(2, 0): 1.0, (0, 1): 1.0, (2, 1): 0.7, (2, -1): 0.7, (4, 0): 0.3}


def test_weak_reflections_of_alternating_columns_are_seen() -> None:
    weak: Waves = {(1, 0): 0.3, (1, 1): 0.3, (1, -1): 0.3}
    cell = cell_of(42.0, 42.0 / np.sqrt(2), 90.0)
    result = compare_scale(picture(cell, {**PEROVSKITE, **weak}), lattice="SrTiO3 [110]")
    assert result.a == pytest.approx(42.0, rel=2e-3)


def test_columns_that_look_just_alike_are_told_apart_by_the_stated_scale() -> None:
    # Without odd reflections the cell looks like one of the same shape, smaller by sqrt(2).
    cell = cell_of(42.0, 42.0 / np.sqrt(2), 90.0)
    image = picture(cell, PEROVSKITE, pixel_size=f"{1.05 * STO / 42} nm")
    assert quiet(image, "SrTiO3 [110]").ratio == pytest.approx(1 / 1.05, rel=2e-3)


def test_of_two_grains_the_stronger_counts_and_a_note_tells() -> None:
    strong = picture(cell_of(20.0, 20.0, 120.0, 5.0), FIRST_RING, noise=0.5)
    weak = picture(cell_of(20.0, 20.0, 120.0, 27.0), FIRST_RING, noise=0.5, seed=1)
    image = strong.copy(data=np.hstack([strong.values[:, :135], weak.values[:, 135:]]))
    result = compare_scale(image)
    assert result.a == pytest.approx(20.0, rel=0.01)
    assert result.rotation == pytest.approx(5.0, abs=1.0)
    assert any(
        "is not of this lattice: another grain" in note for note in notes(result.reflections)
    )


def test_a_grain_boundary_of_graphene_is_measured() -> None:
    still = Microscope(jitter="0 nm", drift="0 nm", distortion=0.0)
    sites = build_grain_boundary(misorientation=21.8, field=(5.0, 5.0), margin=0.5)
    scan = simulate_image(sites, shape=(400, 400), pixel_size="0.0125 nm", microscope=still, seed=3)
    result = compare_scale(scan.image)
    assert result.agrees is True
    assert result.ratio == pytest.approx(1.0, abs=0.015)


def test_regions_choose_the_grain() -> None:
    left = picture(cell_of(20.0, 20.0, 120.0, 5.0), FIRST_RING, noise=0.5)
    right = picture(cell_of(24.0, 24.0, 120.0, 27.0), FIRST_RING, noise=0.5, seed=1)
    image = left.copy(data=np.hstack([left.values[:, :140], right.values[:, 140:]]))
    regions = image.copy(data=np.broadcast_to(np.arange(256) >= 140, image.shape))
    regions.attrs.clear()
    assert compare_scale(image, regions).a == pytest.approx(24.0, rel=0.01)


def test_offsets_of_scan_lines_and_missing_pixels_do_no_harm() -> None:
    image = picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB)
    rng = np.random.default_rng(5)
    values = image.values + 3.0 * rng.normal(size=256).cumsum()[:, None] / 16
    values[:, :30] = np.nan
    values[100:120, 60:90] = np.nan
    assert compare_scale(image.copy(data=values)).a == pytest.approx(20.0, rel=3e-3)


@pytest.mark.parametrize(
    ("lattice", "spacing", "true"),
    [("honeycomb", "14 px", GRAPHENE / 3**0.5 / 14), ("rectangular", "20 px", STO / 40)],
)
def test_the_interval_holds_the_truth(lattice: str, spacing: str, true: float) -> None:
    name = "graphene" if lattice == "honeycomb" else "SrTiO3 [110]"
    within, width = [], []
    for seed in range(10):
        crystal = Crystal(lattice, spacing=spacing, rotation=8.3 * seed, displacement=0.02)  # type: ignore[arg-type]
        image = simulate_lattice(crystal=crystal, size=256, snr=4.0, seed=seed).image
        result = compare_scale(image, lattice=name)
        within.append(result.ratio_low <= true <= result.ratio_high)
        width.append(result.ratio_high / result.ratio_low - 1)
    # 95 % are expected at the least: parts of an image are measured less well than the whole.
    assert sum(within) >= 9
    assert np.median(width) < 0.03


def test_a_large_image_is_measured_to_its_own_fine_bins() -> None:
    # Reflections are sought in windows of 512 pixels, whose bins are eight times as wide.
    image = picture(cell_of(20.0, 20.0, 120.0), FIRST_RING, shape=(4096, 300))
    result = compare_scale(image)
    assert result.a == pytest.approx(20.0, rel=3e-4)
    tall = picture(cell_of(20.9, 20.9, 120.0, 0.0), FIRST_RING, shape=(900, 4096), noise=0.2)
    assert compare_scale(tall).a == pytest.approx(20.9, rel=1e-4)


def test_another_lattice_is_refused_with_what_was_seen() -> None:
    square = picture(cell_of(20.0, 20.0, 90.0), {(1, 0): 1.0, (0, 1): 1.0, (1, 1): 0.7})
    with pytest.raises(
        NoLatticeError, match=r"periods of (20|19.\d+).* none that lattice='graphene'"
    ):
        compare_scale(square)
    hexagonal = picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB)
    with pytest.raises(NoLatticeError, match=r"none that lattice='square 0\.4 nm' has"):
        compare_scale(hexagonal, lattice="square 0.4 nm")


def test_noise_has_no_lattice() -> None:
    noise = image_from_array(np.random.default_rng(0).normal(size=(200, 200)))
    with pytest.raises(NoLatticeError, match="a lattice needs 2 or more: choose a part"):
        compare_scale(noise)


def test_named_lattices_have_the_planes_of_their_crystals() -> None:
    # Plane spacings a / sqrt(h2 + k2 + l2) of the first reflections along each direction.
    planes = {
        "SrTiO3 [100]": (0.3905, (1, 0, 0)),
        "SrTiO3 [110]": (0.3905, (1, 0, 0)),
        "Si [100]": (0.54310, (2, 2, 0)),
        "Si [110]": (0.54310, (1, 1, 1)),
        "Si [111]": (0.54310, (2, 2, 0)),
        "Au [100]": (0.40783, (2, 0, 0)),
        "Au [110]": (0.40783, (1, 1, 1)),
        "Au [111]": (0.40783, (2, 2, 0)),
    }
    for name, (side, plane) in planes.items():
        reciprocal = np.linalg.inv(lattice_from_text(name).primitive).T
        indices = np.array([(h, k) for h in range(-3, 4) for k in range(-3, 4) if h or k])
        shortest = np.linalg.norm(indices @ reciprocal.T, axis=1).min()
        assert 1 / shortest == pytest.approx(side / np.linalg.norm(plane), rel=1e-6), name


def test_every_named_lattice_is_found_in_a_picture_of_itself() -> None:
    for known in LATTICES:
        side = 0.014 if known.lengths[0] > 0.2 else 0.009
        image = picture(known.cell / side, _first_rings(known.name), noise=0.5)
        result = compare_scale(image, lattice=known.name)
        assert float(result.pixel_size.split()[0]) == pytest.approx(side, rel=3e-3), known.name


def _first_rings(name: str) -> Waves:
    if name.endswith("[110]") and not name.startswith("Sr"):
        return {(1, 1): 1.0, (1, -1): 1.0, (0, 2): 0.7, (2, 0): 0.5}
    if name.endswith("[100]") or name.startswith("Sr"):
        return {(1, 0): 1.0, (0, 1): 1.0, (1, 1): 0.7, (1, -1): 0.7}
    return HONEYCOMB


@pytest.mark.parametrize(
    ("text", "lengths", "angle", "centered"),
    [
        ("hexagonal 0.316 nm", (0.316, 0.316), 120.0, False),
        ("hexagonal 3.16 angstrom", (0.316, 0.316), 120.0, False),
        ("square 390.5 pm", (0.3905, 0.3905), 90.0, False),
        ("rectangular 0.3905 x 0.2761 nm", (0.3905, 0.2761), 90.0, False),
        ("centered 0.543x0.384 nm", (0.543, 0.384), 90.0, True),
        ("oblique 0.3 x 0.4 nm 100 deg", (0.3, 0.4), 100.0, False),
    ],
)
def test_lattices_may_be_told_in_words(
    text: str, lengths: tuple[float, float], angle: float, *, centered: bool
) -> None:
    found = lattice_from_text(text)
    assert found.lengths == pytest.approx(lengths)
    assert (found.angle, found.centered) == (angle, centered)


@pytest.mark.parametrize("text", ["STO [100]", "sto[100]", "SrTiO3 <100>", "srtio3 100"])
def test_names_are_understood_as_people_write_them(text: str) -> None:
    assert lattice_from_text(text).name == "SrTiO3 [100]"
    assert lattice_from_text("HOPG").name == "graphite"
    assert lattice_from_text("mos2").name == "MoS2"
    assert lattice_from_text("gold [111]").name == "Au [111]"


@pytest.mark.parametrize(
    "text",
    [
        "unobtainium",
        "SrTiO3",
        "hexagonal 0.3",
        "hexagonal 0.3 x 0.4 nm",
        "rectangular 0.3 nm",
        "square 0 nm",
        "square 1.2.3 nm",
        "oblique 0.3 x 0.4 nm",
        "oblique 0.3 x 0.4 nm 180 deg",
        "square 0.3 eV",
    ],
)
def test_a_lattice_that_is_not_told_in_full_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SettingError, match=r'"rectangular 0.3905 x 0.2761 nm"'):
        lattice_from_text(text)


def test_a_tolerance_must_be_a_share_in_percent() -> None:
    with pytest.raises(SettingError, match=r"tolerance=-1\.0 is a share in percent"):
        compare_scale(picture(cell_of(20, 20, 120), HONEYCOMB), tolerance=-1.0)


def test_the_result_can_be_stored_and_says_from_which_reflections_it_comes(tmp_path: Path) -> None:
    result = compare_scale(picture(cell_of(20.0, 20.0, 120.0), HONEYCOMB))
    TABLE.check(result.reflections)
    seen = {
        tuple(sorted(map(abs, pair)))
        for pair in zip(*(result.reflections[n].values.tolist() for n in "hk"), strict=True)
    }
    assert seen == {(0, 1), (1, 1), (1, 2)}
    assert float(result.reflections["residual"].max()) < 1e-3
    write_result(result, tmp_path / "result")
    back = read_result(tmp_path / "result")
    assert back._replace(reflections=0) == result._replace(reflections=0)  # type: ignore[arg-type]
    assert back.reflections.identical(result.reflections)
