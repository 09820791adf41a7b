"""Hops on a lattice and between rests are counted, with lengths, waits and D."""

from __future__ import annotations

import numpy as np
import pytest
from brownian_tracks import lattice_walks, tracks_of

from adatom.dynamics import count_hops
from adatom.dynamics.hops import poisson_interval
from adatom.errors import KindError, TooFewSitesError
from adatom.schema import Sites, notes, sites_from_positions


def _lattice(unit: str = "nm") -> Sites:
    line = np.arange(-40, 41.0)
    y, x = np.meshgrid(line, line, indexing="ij")
    return sites_from_positions(y.ravel(), x.ravel(), unit=unit)


def test_the_interval_of_a_count_is_exact() -> None:
    # Tables of Garwood.
    assert poisson_interval(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


@pytest.mark.parametrize("given", [True, False])
def test_rate_and_d_of_hops_are_found(given: bool) -> None:
    rng = np.random.default_rng(0)
    tracks = tracks_of(lattice_walks(200, 200, rng, rate=0.02, error=0.1))
    lattice = (_lattice(),) if given else ()
    found = count_hops(tracks, *lattice, frame_time="2 s").classes.isel(row=0)
    # 800 hops tell the rate to 3.5 %; of some rests the second frame is too soon to be seen.
    assert float(found["rate"]) == pytest.approx(0.01, rel=0.1)
    assert float(found["diffusion"]) == pytest.approx(0.01 / 4, rel=0.1)
    assert float(found["mean_length"]) == pytest.approx(1.0, rel=0.05)
    assert found["rate"].attrs["units"] == "1/s"
    assert found["diffusion"].attrs["units"] == "nm^2/s"


def test_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(1)
    lattice = _lattice()
    held = []
    for _ in range(60):
        tracks = tracks_of(lattice_walks(10, 100, rng, rate=0.03, error=0.08))
        found = count_hops(tracks, lattice).classes.isel(row=0)
        held.append(float(found["diffusion_low"]) <= 0.03 / 4 <= float(found["diffusion_high"]))
    assert sum(held) >= 51


@pytest.mark.parametrize("given", [True, False])
def test_noise_makes_no_hops(given: bool) -> None:
    tracks = tracks_of(lattice_walks(200, 200, np.random.default_rng(2), rate=0.0, error=0.1))
    found = count_hops(tracks, *((_lattice(),) if given else ())).classes.isel(row=0)
    # Of resting tracks one in a hundred may show a jump.
    assert int(found["n_hops"]) <= (0 if given else 4)
    if given:
        assert float(found["diffusion_low"]) == 0
        # 3.689 over 200 tracks of 199 frames, a quarter of a^2.
        assert float(found["diffusion_high"]) == pytest.approx(3.689 / (200 * 199) / 4, rel=1e-3)


def test_a_hop_has_its_place_its_frames_and_its_wait() -> None:
    x = np.array([0.0, 0.02, 1.03, 1.0, 0.5, 0.98, 2.0, 2.01])
    frame = np.array([0, 1, 4, 5, 6, 7, 9, 10])
    tracks = sites_from_positions(np.zeros(8), x, unit="nm", frame=frame)
    tracks["track"] = ("site", np.full(8, 3))
    hops = count_hops(tracks, _lattice(), frame_time="1 s").hops
    assert hops["track"].values.tolist() == [3, 3]
    assert hops["frame"].values.tolist() == [1, 7]
    assert hops["frame_after"].values.tolist() == [4, 9]
    assert hops["x_after"].values.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(hops["wait"].values, [np.nan, 5.0])
    assert hops["length"].values.tolist() == [1.0, 1.0]


def test_waits_without_memory_are_as_expected() -> None:
    tracks = tracks_of(lattice_walks(400, 200, np.random.default_rng(3), rate=0.03, error=0.05))
    waits = count_hops(tracks, _lattice()).waits
    seen = np.interp([10, 20, 40, 80], waits["wait"].values, waits["survival"].values)
    # The interpolation is within a frame, of a rate of 0.03.
    np.testing.assert_allclose(seen, np.exp(-0.03 * np.array([10, 20, 40, 80])), atol=0.04)


def test_short_jumps_can_be_left_out() -> None:
    tracks = tracks_of(lattice_walks(20, 100, np.random.default_rng(4), rate=0.05, error=0.05))
    assert count_hops(tracks, _lattice(), min_length="1.2 nm").classes["n_hops"].item() < 10
    assert count_hops(tracks, _lattice()).classes["n_hops"].item() > 50


def test_classes_are_counted_apart() -> None:
    rng = np.random.default_rng(5)
    fast = lattice_walks(30, 200, rng, rate=0.05, error=0.05)
    slow = lattice_walks(30, 200, rng, rate=0.005, error=0.05)
    tracks = tracks_of(np.concatenate([fast, slow]))
    tracks["kind"] = ("site", np.where(tracks["track"].values < 30, "fast", "slow"))
    found = count_hops(tracks, _lattice(), by="kind").classes
    assert found.attrs["class_names"] == ["fast", "slow"]
    assert found["n_hops"].values[1:].sum() == found["n_hops"].values[0]
    assert found["rate"].values[1:] == pytest.approx([0.05, 0.005], rel=0.35)


def test_many_hops_a_frame_are_told() -> None:
    tracks = tracks_of(lattice_walks(20, 50, np.random.default_rng(6), rate=0.6, error=0.02))
    found = count_hops(tracks, _lattice()).classes
    assert any("times a frame" in note for note in found.attrs["notes"])


def test_lattices_that_do_not_fit_are_refused() -> None:
    tracks = tracks_of(lattice_walks(3, 9, np.random.default_rng(7), rate=0.1, error=0.0))
    with pytest.raises(KindError, match="lattice is in px, the tracks are in nm"):
        count_hops(tracks, _lattice("px"))
    with pytest.raises(TooFewSitesError, match="has 1 points, need 2"):
        count_hops(tracks, _lattice().isel(site=[0]))


def test_tracks_that_never_move_make_no_trouble() -> None:
    tracks = tracks_of(np.zeros((3, 9, 2)))
    found = count_hops(tracks)
    assert found.classes["n_hops"].item() == 0
    assert found.waits.sizes["row"] == 0


def test_hops_one_way_are_told_from_hops_without_a_direction() -> None:
    lattice = sites_from_positions([0.0] * 40, np.arange(40.0), unit="nm")
    rng = np.random.default_rng(0)
    ways = {"driven": np.arange(20.0), "free": 20 + np.cumsum(rng.choice([-1.0, 1.0], 20))}
    said = {}
    for name, x in ways.items():
        tracks = sites_from_positions(np.zeros(20), x, unit="nm", frame=range(20))
        tracks["track"] = ("site", np.zeros(20, dtype=int))
        said[name] = " ".join(notes(count_hops(tracks, lattice).classes))
    # 19 steps of 1 in a row: exp(-19^2 / 19).
    assert "together they lead 19 nm" in said["driven"]
    assert "probability of 6e-09" in said["driven"]
    assert "have a direction" not in said["free"]


def test_hops_beyond_the_nearest_points_are_counted() -> None:
    lattice = sites_from_positions([0.0] * 9, np.arange(9.0), unit="nm")
    x = [0.0, 1.0, 3.0, 4.0]
    tracks = sites_from_positions(np.zeros(4), x, unit="nm", frame=range(4))
    tracks["track"] = ("site", np.zeros(4, dtype=int))
    told = notes(count_hops(tracks, lattice).classes)
    assert any(text.startswith("2 of 3 hops lead to a nearest point, 1 farther") for text in told)
