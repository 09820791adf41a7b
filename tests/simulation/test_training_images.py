"""The stream of labeled images: its truth is true, its images are as varied as asked."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.spatial import KDTree

from adatom.errors import KindError, SettingError
from adatom.schema import positions
from adatom.simulation import (
    LabeledImage,
    TrainingImages,
    simulate_training_image,
    training_image_from_manifest,
)
from adatom.simulation.atom_images import LineOffsets, Probe, image_of_atoms, imaged_places
from adatom.simulation.chances import Chance
from adatom.simulation.random_detectors import Noise, noisy
from adatom.simulation.random_samples import Field, draw_amorphous, draw_crystal
from adatom.simulation.smooth_fields import draw_smooth_field
from adatom.simulation.training_images import (
    HELD_OUT,
    empty_images,
    held_out_images,
    stream_training_images,
)

QUIET = TrainingImages(
    size=160, spacing=(10.0, 14.0), width=(0.2, 0.25), snr=(500.0, 500.0), empty=0.0, dirty=0.0,
    tunneling=0.0,
)  # fmt: skip


def _many(images: TrainingImages, n_images: int, seed: int = 0) -> list[LabeledImage]:
    return list(islice(stream_training_images(images, seed), n_images))


def _told(image: LabeledImage) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(image.manifest)
    return told


def _jumping_lines(n_rows: int, jump: float) -> LineOffsets:
    rng = np.random.default_rng(8)
    return LineOffsets(*(jump * rng.standard_normal((2, n_rows))))


@pytest.mark.parametrize("jump", [0.0, 0.5])
def test_the_truth_is_the_centroid_of_the_rendered_atom_on_lines_that_jump(jump: float) -> None:
    shape, place = (64, 64), np.array([[30.3, 33.8]])
    probe = Probe(3.0, ellipticity=1.3, direction=0.7)
    lines = _jumping_lines(64, jump)
    one = np.ones(1)
    image = image_of_atoms(place, one, 1.1 * one, probe=probe, lines=lines, shape=shape)
    y, x = np.indices(shape)
    centroid = [(image * axis).sum() / image.sum() for axis in (y, x)]
    truth = imaged_places(place, 1.1 * one, probe=probe, lines=lines)[0]
    # What lies beyond four standard deviations is left out of the image.
    assert truth == pytest.approx(centroid, abs=0.01)
    if jump:
        assert np.abs(truth - place[0]).max() > 0.03


def test_an_image_is_the_sum_of_its_gaussians_and_their_tails() -> None:
    shape = (48, 40)
    places = np.array([[20.2, 15.7], [25.0, 24.0], [-3.0, 10.0]])
    peaks = np.array([1.0, 0.4, 2.0])
    probe = Probe(2.5, tail_width=6.0, tail_fraction=0.3)
    lines = LineOffsets(np.zeros(48), np.zeros(48))
    image = image_of_atoms(places, peaks, np.ones(3), probe=probe, lines=lines, shape=shape)
    y, x = np.indices(shape)
    squared = (y - places[:, 0, None, None]) ** 2 + (x - places[:, 1, None, None]) ** 2
    tail = 0.3 / 0.7 * (2.5 / 6.0) ** 2
    each = np.exp(-squared / (2 * 2.5**2)) + tail * np.exp(-squared / (2 * 6.0**2))
    # The core is cut at four standard deviations, 3.4e-4 of its peak.
    assert np.abs(image - (peaks[:, None, None] * each).sum(axis=0)).max() < 1.5e-3


def test_a_wider_axis_of_the_ellipse_points_where_it_is_told_to() -> None:
    lines = LineOffsets(np.zeros(41), np.zeros(41))
    one = np.ones(1)
    probe = Probe(3.0, ellipticity=1.5, direction=np.radians(30.0))
    image = image_of_atoms(
        np.array([[20.0, 20.0]]), one, one, probe=probe, lines=lines, shape=(41, 41)
    )
    y, x = np.indices(image.shape) - 20.0
    covariance = [(image * a * b).sum() / image.sum() for a, b in ((x, x), (x, y), (y, y))]
    angle = 0.5 * np.degrees(np.arctan2(2 * covariance[1], covariance[0] - covariance[2]))
    assert angle == pytest.approx(30.0, abs=0.5)


def test_drift_strain_and_defects_move_the_truth_along() -> None:
    chance = Chance(np.random.default_rng(12), 0.5, {})
    field = Field((160, 160), spacing=14.0, margin=30.0)
    drift = 5 * np.sin(np.linspace(0.0, 4.0, 160))
    lines = LineOffsets(0.5 * drift, drift)
    for family in ("square", "honeycomb", "tmd", "hexagonal"):
        sample = draw_crystal(chance, family=family, field=field)
        sample = sample.where((sample.roles == "regular") | (sample.roles == "substitution"))
        probe = Probe(2.0, ellipticity=1.2, direction=1.0)
        image = image_of_atoms(
            sample.places, sample.peaks, sample.widths, probe=probe, lines=lines, shape=(160, 160)
        )
        truth = imaged_places(sample.places, sample.widths, probe=probe, lines=lines)
        apart = KDTree(sample.places).query(sample.places, k=2)[0][:, 1] > 11.0
        miss = np.hypot(*_from_maximum(image, truth[apart]).T)
        # Lines drift apart by at most 0.13 px over each: atoms are sheared, not moved.
        assert np.quantile(miss, 0.95) < 0.25


def test_visible_sites_lie_on_the_maxima_of_quiet_images() -> None:
    misses = []
    for made in _many(QUIET, 10):
        sites = made.sites.isel(site=made.sites["visible"].values)
        misses.append(_from_maximum(made.image.values, positions(sites)))
    # Lines that jump, slopes and neighbors move a maximum against the centroid, at a
    # standard deviation of 2 to 3.5 px; but not all of them the same way.
    assert np.median(np.hypot(*np.concatenate(misses).T)) < 0.4
    assert np.abs(np.mean(np.concatenate(misses), axis=0)).max() < 0.12


def _from_maximum(image: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors to the highest of some places round each, in px."""
    steps = np.linspace(-2.0, 2.0, 33)
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    inner = places[((places > 3) & (places < np.array(image.shape) - 4)).all(axis=1)]
    where = inner[:, None, :] + grid
    values = map_coordinates(image, where.transpose(2, 0, 1), order=3)
    found: NDArray[np.float64] = grid[values.argmax(axis=1)]
    return found


def test_an_image_is_made_again_from_its_manifest_bit_by_bit() -> None:
    made = simulate_training_image(images=TrainingImages(size=96), seed=5, index=7)
    again = training_image_from_manifest(made.manifest)
    assert made.image.identical(again.image)
    assert made.sites.identical(again.sites)
    assert made.lattice.identical(again.lattice)
    assert made.manifest == again.manifest


def test_each_image_of_the_stream_depends_on_its_number_alone() -> None:
    images = TrainingImages(size=64)
    later = next(stream_training_images(images, 4, start=3))
    fourth = list(islice(stream_training_images(images, 4), 4))[3]
    assert later.image.identical(fourth.image)
    other = next(stream_training_images(images, 5, start=3))
    assert not np.array_equal(other.image.values, later.image.values)


def test_images_are_finite_float32_in_px_of_the_size_that_resampling_asks_for() -> None:
    images = TrainingImages(size=64, scale=(0.6, 2.5))
    for made in _many(images, 12):
        assert made.image.dtype == np.float32
        assert np.isfinite(made.image.values).all()
        assert made.image.coords["y"].attrs["units"] == "px"
        scale = _told(made)["scale"]
        assert 0 <= made.image.shape[0] * scale - 64 < scale
        assert 6.0 <= made.sites.attrs["spacing"] * scale <= 14.0 * 1.0001


def test_images_without_lattice_have_neither_sites_nor_lattice() -> None:
    made = _many(empty_images(size=64), 30)
    assert {_told(one)["family"] for one in made} == {
        "amorphous", "noise", "contamination", "blobs", "stripes"
    }  # fmt: skip
    assert all(one.sites.sizes["site"] == 0 for one in made)
    assert not any(one.lattice.values.any() for one in made)
    dirty = [one for one in made if _told(one)["family"] == "contamination"]
    assert all(one.junk.values.any() for one in dirty)


def test_about_as_many_images_are_empty_as_asked_for() -> None:
    images = TrainingImages(size=16, spacing=(6.0, 6.0), empty=0.3)
    empty = [_told(one)["empty"] for one in _many(images, 100)]
    # Three standard deviations of a binomial of 100 and 0.3.
    assert abs(np.mean(empty) - 0.3) < 0.14


def test_sites_in_sight_lie_on_the_lattice_and_all_of_the_lattice_bears_sites() -> None:
    images = TrainingImages(size=128, families=("square", "honeycomb"), empty=0.0, dirty=1.0)
    for made in _many(images, 12):
        sites, spacing = made.sites, made.sites.attrs["spacing"]
        seen = positions(sites)[sites["visible"].values]
        off = distance_transform_edt(~made.lattice.values) if made.lattice.values.any() else None
        if off is not None and len(seen):
            row, column = np.rint(seen).astype(int).T
            # Vacuum and film begin between two atoms.
            assert off[row, column].max() < spacing
        inside = np.argwhere(made.lattice.values)
        if len(inside):
            reach = KDTree(positions(sites)).query(inside)[0]
            assert np.quantile(reach, 0.99) < 2.5 * spacing


def test_opaque_junk_hides_the_lattice_and_thin_film_does_not() -> None:
    images = TrainingImages(
        size=128, spacing=(9.0, 12.0), width=(0.2, 0.25), snr=(40.0, 40.0), empty=0.0, dirty=1.0,
        tunneling=0.0, families=("square", "hexagonal"),
    )  # fmt: skip
    contrast: dict[bool, list[float]] = {True: [], False: []}
    for made in _many(images, 25, seed=1):
        if "contamination" not in _told(made):
            continue
        sites = made.sites
        for covered in (True, False):
            chosen = sites["covered"].values if covered else sites["visible"].values
            if chosen.sum() > 20:
                contrast[covered].append(_signal(made.image.values, positions(sites)[chosen]))
    assert min(map(len, contrast.values())) >= 5
    # Mean height of a site over what lies round it, by the spread of these heights.
    assert np.median(contrast[True]) < 1.2
    assert np.median(contrast[False]) > 2.5


def _signal(image: NDArray[np.float32], places: NDArray[np.float64]) -> float:
    turn = np.linspace(0.0, 2 * np.pi, 9)[:-1]
    ring = places[:, None] + 5.0 * np.stack([np.sin(turn), np.cos(turn)], axis=-1)
    at = map_coordinates(image, places.T, order=1, mode="nearest")
    round_it = map_coordinates(image, ring.transpose(2, 0, 1), order=1, mode="nearest")
    height = at - round_it.mean(axis=1)
    return float(height.mean() / height.std())


@pytest.mark.parametrize("counted", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("length", "along"), [(0.0, False), (0.8, False), (1.5, True)])
def test_noise_is_as_strong_as_asked_for(counted: float, length: float, along: bool) -> None:
    rng = np.random.default_rng(3)
    flat = np.full((200, 200), 1.7, dtype=np.float32)
    image = noisy(rng, flat, Noise(counted, length, along), sigma=0.4, level=1.7)
    # Some 40,000 pixels, a twentieth of them independent when smoothed.
    assert image.std() == pytest.approx(0.4, rel=0.03)
    assert image.mean() == pytest.approx(1.7, abs=0.02)


def test_the_signal_of_each_site_is_told_against_the_noise_of_its_pixel() -> None:
    made = simulate_training_image(images=QUIET, seed=1)
    regular = made.sites["snr"].values[made.sites["class"].values == "regular"]
    assert 100 < np.median(regular) < 2500


def test_clarity_is_what_the_best_filter_gains_in_white_noise() -> None:
    images = TrainingImages(
        size=128, spacing=(10.0, 10.0), width=(0.25, 0.25), snr=(3.0, 3.0), families=("square",),
        empty=0.0, dirty=0.0, tunneling=1.0,
    )  # fmt: skip
    quiet = [made for made in _many(images, 30) if _told(made)["trouble"] < 0.1]
    ratios = [np.median(made.sites["clarity"] / made.sites["snr"]) for made in quiet]
    # A difference of Gaussians of s and 2 s leaves 0.3 of an atom of standard deviation s,
    # and 0.189 / s of the noise: for s = 2.5 px, 4.0 as against 4.4 of the best filter.
    # Noise of tunneling images is the same everywhere.
    assert np.median(ratios) == pytest.approx(4.0, rel=0.1)


def test_no_image_is_noisier_than_its_atoms_can_be_told() -> None:
    images = TrainingImages(size=16, spacing=(6.0, 6.0), width=(0.13, 0.13), snr=(0.1, 0.1))
    for told in map(_told, _many(images, 20)):
        assert told["snr"] * told["probe"]["width_px"] * np.sqrt(np.pi) > 1.49


def test_structures_of_the_test_set_are_in_no_training() -> None:
    assert not set(TrainingImages().families) & {*HELD_OUT, "rectangular"}
    assert set(held_out_images().families) == set(HELD_OUT)
    low, share = held_out_images().spacing[0], held_out_images().width[0]
    assert low * share >= 2.0


def test_a_smooth_field_is_the_same_at_pixels_and_at_places() -> None:
    field = draw_smooth_field(np.random.default_rng(2), (50, 90), detail=3.0)
    y, x = np.array([0, 20, 49]), np.array([3, 70, 89])
    at = field.at(np.stack([y, x], axis=1).astype(float))
    assert at == pytest.approx(field.pixels()[y, x], abs=1e-4)
    assert 0.6 < field.pixels().std() < 1.6


def test_an_amorphous_film_has_distances_but_no_lattice() -> None:
    field = Field((200, 200), spacing=10.0, margin=0.0)
    film = draw_amorphous(Chance(np.random.default_rng(6), 0.5, {}), field=field)
    crystal = draw_crystal(Chance(np.random.default_rng(8), 0.0, {}), family="square", field=field)
    assert _sharpest_reflection(crystal.places) > 100
    # That of N random phases rises to about the logarithm of how many are compared.
    assert _sharpest_reflection(film.places) < 25
    assert np.quantile(KDTree(film.places).query(film.places, k=2)[0][:, 1], 0.1) > 5.0


def _sharpest_reflection(places: NDArray[np.float64]) -> float:
    k = np.linspace(-1.1, 1.1, 177) * 2 * np.pi / 10.0
    down, right = (np.exp(1j * np.outer(k, axis)) for axis in places.T)
    power = np.abs(down @ right.T) ** 2 / len(places)
    power[np.hypot(k[:, None], k) < 0.4 * 2 * np.pi / 10.0] = 0
    return float(power.max())


def test_an_image_does_not_darken_towards_its_edges() -> None:
    chance = Chance(np.random.default_rng(1), 0.0, {})
    probe = Probe(3.0, tail_width=12.0, tail_fraction=0.5)
    field = Field((120, 120), spacing=10.0, margin=12.0 + 20.0 + probe.tail_reach())
    sample = draw_crystal(chance, family="hexagonal", field=field)
    lines = LineOffsets(np.zeros(120), np.zeros(120))
    image = image_of_atoms(
        sample.places, sample.peaks, sample.widths, probe=probe, lines=lines, shape=(120, 120)
    )
    edge, middle = image[:, :10].mean(), image[40:80, 40:80].mean()
    # The tails are cut at 2.5 of their standard deviations, on one side.
    assert edge == pytest.approx(middle, rel=0.02)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(SettingError, match=r"seed=-1 and index=0 must be 0 or more"):
        simulate_training_image(seed=-1)


@pytest.mark.parametrize("text", ["", "{}", '{"images": {"size": 3}, "seed": 0, "index": 0}'])
def test_a_text_that_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(KindError, match="no manifest of a labeled image"):
        training_image_from_manifest(text)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"size": 8}, r"size=8 must be 16 or more"),
        ({"spacing": (9.0, 6.0)}, r"spacing=\(9.0, 6.0\) must be a range"),
        ({"empty": 1.2}, r"empty=1.2 is a share"),
        ({"families": ("squares",)}, r"families=\('squares',\) must be one or more of square"),
    ],
)
def test_settings_that_make_no_image_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        TrainingImages(**setting)
