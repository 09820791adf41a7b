"""Round particles of simulated images: places, size, contrast, and what is not analyzed."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.localization import find_spots, find_spots_in_movie
from adatom.numerics.matching import match_points
from adatom.schema import image_from_array, positions

Floats = NDArray[np.float64]


def spots(
    place: Floats, *, sigma: float, height: float = 1.0, noise: float = 0.05, seed: int = 0
) -> Floats:
    """Draw Gaussian spots on a sloping ground."""
    y, x = np.mgrid[:160, :200]
    image = np.random.default_rng(seed).normal(0, noise, y.shape) + 0.005 * x
    for a, b in place:
        image += height * np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * sigma**2))
    return np.asarray(image)


def scattered(n: int, *, apart: float, seed: int = 0) -> Floats:
    """Put points at random, none nearer to another than told."""
    rng = np.random.default_rng(seed)
    found: list[Floats] = []
    while len(found) < n:
        one = rng.uniform((12, 12), (148, 188))
        if all(np.hypot(*(one - other)) > apart for other in found):
            found.append(one)
    return np.array(found)


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0])
@pytest.mark.parametrize("height", [1.0, -1.0])
def test_size_contrast_and_places_are_found(sigma: float, height: float) -> None:
    place = scattered(20, apart=6 * sigma)
    found = find_spots(image_from_array(spots(place, sigma=sigma, height=height)))
    pairs = match_points(place, positions(found), max_distance=1.0)
    assert len(pairs.left) == len(place) == found.sizes["site"]
    error = positions(found)[pairs.right] - place[pairs.left]
    # The bound of a fit is noise / (height root pi) = 0.03 px; filters reach about twice that.
    assert np.sqrt((error**2).mean()) < 0.08
    assert found.attrs["diameter"] == pytest.approx(2 * 2**0.5 * sigma, rel=0.2)
    assert np.median(found["amplitude"].values) == pytest.approx(1.0, rel=0.15)
    assert ("bright" if height > 0 else "dark") in found.attrs["notes"][0]


def test_a_told_diameter_leaves_other_sizes_weak() -> None:
    small, large = np.array([[40.0, 50.0], [40.0, 120.0]]), np.array([[110.0, 90.0]])
    image = image_from_array(spots(small, sigma=1.5) + spots(large, sigma=8.0, seed=1))
    found = find_spots(image, diameter="24 px", contrast="bright", min_snr=20)
    assert positions(found) == pytest.approx(large, abs=1.0)
    fine = find_spots(image, diameter="4 px", contrast="bright")
    assert positions(fine) == pytest.approx(small, abs=0.3)


def test_noise_holds_no_spots() -> None:
    with pytest.raises(NoLatticeError, match="stands above 8 times the noise"):
        find_spots(image_from_array(spots(np.zeros((0, 2)), sigma=1.0)))
    with pytest.raises(NoLatticeError, match="all pixels of the image have the value 1"):
        find_spots(image_from_array(np.ones((30, 30))))


def test_spots_at_edges_and_beside_gaps_are_left_out_and_told() -> None:
    place = np.array([[60.0, 60.0], [1.0, 100.0], [80.0, 120.0]])
    values = spots(place, sigma=2.0)
    values[70:90, 122:140] = np.nan
    found = find_spots(image_from_array(values), diameter="5.7 px", contrast="bright")
    assert positions(found) == pytest.approx(place[:1], abs=0.2)
    assert any("2 spots within a radius" in note for note in found.attrs["notes"])


def test_flat_tops_are_one_spot_each() -> None:
    values = np.zeros((60, 60))
    values[20:30, 20:30] = 1.0
    values[40:50, 30:40] = 1.0
    found = find_spots(image_from_array(values), contrast="bright", diameter="10 px")
    assert found.sizes["site"] == 2


def _movie(n_frames: int = 5) -> tuple[xr.DataArray, Floats]:
    place = scattered(12, apart=15)
    frames = [spots(place + 0.3 * k, sigma=2.0, seed=k) for k in range(n_frames)]
    movie = image_from_array(frames[0], pixel_size="0.5 nm").expand_dims(frame=n_frames)
    movie = movie.copy(data=np.stack(frames).astype(np.float32))
    return movie.assign_coords(time=("frame", 0.1 * np.arange(n_frames), {"units": "s"})), place


def test_a_movie_gives_frames_and_times_and_each_frame_as_by_itself() -> None:
    movie, place = _movie()
    found = find_spots_in_movie(movie)
    assert np.bincount(found["frame"].values).tolist() == [12] * 5
    assert found["time"].values == pytest.approx(0.1 * found["frame"].values)
    assert found["time"].attrs["units"] == "s"
    last = found.isel(site=found["frame"].values == 4)
    pairs = match_points(0.5 * (place + 1.2), positions(last), max_distance=0.2)
    assert len(pairs.left) == 12
    alone = find_spots(movie.isel(frame=4, drop=True), contrast="bright", diameter="5.66 px")
    assert positions(alone) == pytest.approx(positions(last), abs=0.02)


@pytest.mark.parametrize("chunks", [(1, 160, 200), (3, 160, 200), (5, 40, 50)])
def test_lazy_movies_give_the_same(chunks: tuple[int, int, int]) -> None:
    movie, _ = _movie()
    lazy = movie.copy(data=da.from_array(movie.values, chunks=chunks))  # type: ignore[no-untyped-call]
    assert find_spots_in_movie(lazy).identical(find_spots_in_movie(movie))


def test_large_chunks_of_a_video_are_held_once() -> None:
    # Of this size a chunk would not be held if its columns were counted twice over.
    reads = []

    def block(block_id: tuple[int, ...]) -> NDArray[np.float32]:
        reads.append(block_id)
        return np.stack([spots(np.array([[80.0, 90.0]]), sigma=2.0)] * 16).astype(np.float32)

    data = da.map_blocks(  # type: ignore[no-untyped-call]
        block, chunks=((16, 16), (160,), (200,)), dtype=np.float32, meta=np.zeros(0, np.float32)
    )
    movie = image_from_array(np.zeros((160, 200))).expand_dims(frame=32).copy(data=data)
    assert find_spots_in_movie(movie).sizes["site"] == 32
    # Once each for size and contrast, which three frames settle, then once each.
    assert len(reads) == 4


def test_frames_without_spots_are_told() -> None:
    movie, _ = _movie()
    values = movie.values.copy()
    values[1] = np.random.default_rng(9).normal(0, 0.05, values[1].shape)
    found = find_spots_in_movie(movie.copy(data=values))
    assert 1 not in found["frame"].values
    assert any("1 frames without a spot: 1." in note for note in found.attrs["notes"])


def test_what_does_not_fit_is_refused() -> None:
    image = image_from_array(spots(np.array([[80.0, 90.0]]), sigma=2.0))
    with pytest.raises(SettingError, match=r"diameter='1 px' is 1 pixels, need two"):
        find_spots(image, diameter="1 px")
    with pytest.raises(SettingError, match="min_snr=0 must be positive"):
        find_spots(image, min_snr=0)
    oblong = image.assign_coords(x=2 * image["x"].values)
    oblong["x"].attrs |= image["x"].attrs
    with pytest.raises(KindError, match="spots need square ones"):
        find_spots(oblong)
