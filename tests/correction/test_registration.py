"""Frames brought onto one another, against movies whose drift is known."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from adatom.correction import mean_from_frames, register_frames
from adatom.errors import KindError, SettingError
from adatom.schema import Movie, notes

SIZE = 96


def scene(seed: int = 0, side: int = 220, *, lattice: float = 0.0, spots: float = 1.0) -> NDArray:  # type: ignore[type-arg]
    """Make a plane of random spots, and of a square lattice of 9 pixels; unit variance each."""
    rng = np.random.default_rng(seed)
    random = gaussian_filter(rng.normal(size=(side, side)), 2.5)
    y, x = np.mgrid[:side, :side] * (2 * np.pi / 9)
    waves = np.cos(0.97 * y + 0.26 * x) + np.cos(-0.26 * y + 0.97 * x)
    return np.asarray(spline_filter(spots * random / random.std() + lattice * waves))


def frame_of(plane: NDArray, shift: NDArray, noise: float, rng: np.random.Generator) -> NDArray:  # type: ignore[type-arg]
    """Cut a frame; the sample has moved by a shift (axis), or line by line (line, axis)."""
    lines = np.broadcast_to(shift, (SIZE, 2))
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    middle = (plane.shape[0] - SIZE) / 2
    at = np.stack([y - lines[:, :1] + middle, x - lines[:, 1:] + middle])
    cut = map_coordinates(plane, at, order=3, prefilter=False)
    return np.asarray(cut + rng.normal(scale=noise, size=cut.shape))


def movie_of(frames: list[NDArray], *, pixel: float = 0.02) -> Movie:  # type: ignore[type-arg]
    axis = np.arange(float(SIZE)) * pixel
    coords = {dim: (dim, axis, {"units": "nm"}) for dim in ("y", "x")}
    return xr.DataArray(np.array(frames), dims=("frame", "y", "x"), coords=coords)


def simulated(
    shifts: NDArray,  # type: ignore[type-arg]
    *,
    noise: float = 0.5,
    lattice: float = 0.0,
    spots: float = 1.0,
    pattern: float = 0.0,
    seed: int = 1,
) -> Movie:
    rng = np.random.default_rng(seed)
    plane = scene(lattice=lattice, spots=spots)
    fixed = pattern * rng.normal(size=(SIZE, SIZE))
    return movie_of([frame_of(plane, shift, noise, rng) + fixed for shift in shifts])


def off(found: xr.Dataset, shifts: NDArray) -> NDArray:  # type: ignore[type-arg]
    """Give errors of shifts in pixels, about their mean."""
    got = np.column_stack([found["shift_y"], found["shift_x"]]) / 0.02
    away = got - (shifts - shifts[0])
    return np.asarray(away - away.mean(axis=0))


def walk(n: int, step: float, seed: int = 3) -> NDArray:  # type: ignore[type-arg]
    steps = np.random.default_rng(seed).normal(scale=step, size=(n, 2))
    return np.cumsum(steps - steps.mean(axis=0), axis=0)


def test_shifts_are_right_to_their_errors() -> None:
    shifts = walk(20, 2.0)
    found = register_frames(simulated(shifts, noise=1.0))
    away = off(found.shifts, shifts)
    error = np.column_stack([found.shifts["error_y"], found.shifts["error_x"]]) / 0.02
    # 40 numbers of which one standard deviation is known to a ninth.
    assert 0.7 < np.sqrt(np.mean((away / error) ** 2)) < 1.4
    assert np.abs(away).max() < 0.1


def test_errors_do_not_add_up_along_the_movie() -> None:
    shifts = walk(40, 1.0)
    away = off(register_frames(simulated(shifts, noise=1.0)).shifts, shifts)
    ends = np.concatenate([away[:5], away[-5:]])
    assert np.sqrt(np.mean(ends**2)) < 2 * np.sqrt(np.mean(away[10:30] ** 2))


def test_fixed_pattern_of_pixels_does_not_hold_frames_back() -> None:
    shifts = walk(16, 1.5)
    with_pattern = off(register_frames(simulated(shifts, pattern=1.0)).shifts, shifts)
    assert np.sqrt(np.mean(with_pattern**2)) < 0.08


def test_drift_of_several_lattice_vectors_is_found_where_more_than_the_lattice_shows() -> None:
    shifts = walk(12, 15.0, seed=5)
    assert np.abs(np.diff(shifts, axis=0)).max() > 2 * 9
    movie = simulated(shifts, lattice=0.7, spots=0.7)
    assert np.abs(off(register_frames(movie).shifts, shifts)).max() < 0.1


def test_lattice_vectors_that_nothing_tells_apart_are_told() -> None:
    shifts = walk(10, 1.0)
    found = register_frames(simulated(shifts, lattice=1.0, spots=0.0))
    assert (found.shifts["margin"].values < 3).sum() > 5
    assert any("fit alike" in line for line in notes(found.movie))
    # Small steps are still right, since the nearest match is taken.
    assert np.abs(off(found.shifts, shifts)).max() < 0.1
    # By phases, since nothing but a lattice is there.
    assert set(found.shifts["method"].values) == {"lattice"}


def test_phases_of_a_lattice_are_more_exact_than_the_whole_frame() -> None:
    shifts = walk(12, 1.0)
    movie = simulated(shifts, lattice=0.3, spots=0.6, noise=2.0)
    phases = register_frames(movie, method="lattice").shifts
    away = off(phases, shifts)
    error = np.column_stack([phases["error_y"], phases["error_x"]]) / 0.02
    # Spots beside the lattice do not move its phases by more than noise does.
    assert np.sqrt(np.mean(away**2)) < 2 * np.median(error)


def test_a_frame_that_shows_something_else_is_not_placed() -> None:
    shifts = walk(9, 1.5)
    movie = simulated(shifts)
    movie[4] = np.random.default_rng(9).normal(size=(SIZE, SIZE))
    found = register_frames(movie)
    assert found.shifts["method"].values[4] == "not found"
    assert np.isnan(found.movie[4].values).all()
    assert any("Not found, and NaN: frames 4" in line for line in notes(found.movie))
    keep = np.arange(9) != 4
    assert np.abs(off(found.shifts.isel(row=keep), shifts[keep])).max() < 0.1


def test_frames_lie_on_one_another_and_nothing_is_cut() -> None:
    shifts = walk(8, 3.0)
    movie = simulated(shifts, noise=0.05)
    found = register_frames(movie)
    assert found.movie.chunks is not None
    assert found.movie.shape[1] > SIZE
    values = found.movie.values
    whole = np.isfinite(values).all(axis=0)
    # Noise of 0.05 remains of a scene of unit variance; unregistered it is the scene.
    assert np.std(values[:, whole], axis=0).mean() < 0.08
    # Of every frame all but the last fraction of a pixel is on the grid.
    assert (np.isfinite(values).sum(axis=(1, 2)) >= (SIZE - 1) ** 2).all()
    # The first frame lies as it was.
    y0 = round(-float(found.movie.y[0]) / 0.02)
    x0 = round(-float(found.movie.x[0]) / 0.02)
    np.testing.assert_allclose(values[0, y0 : y0 + SIZE, x0 : x0 + SIZE], movie[0], atol=1e-6)


def test_edges_are_kept_or_common_where_asked() -> None:
    shifts = np.array([[0.0, 0.0], [3.0, -2.0], [5.0, 1.0]])
    movie = simulated(shifts)
    assert register_frames(movie, edges="keep").movie.shape == movie.shape
    common = register_frames(movie, edges="common").movie
    assert np.isfinite(common.values).all()
    # Up to a fraction of a pixel is lost at either end.
    assert abs(common.shape[1] - (SIZE - 5)) <= 1
    assert abs(common.shape[2] - (SIZE - 3)) <= 1
    assert "common to all frames" in notes(common)[-1]


def test_the_mean_of_registered_frames_is_sharp() -> None:
    shifts = walk(10, 2.0)
    movie = simulated(shifts, noise=0.5)
    mean = mean_from_frames(register_frames(movie).movie)
    inside = mean.n_frames.values == 10
    # Scene of unit variance, and a tenth of the variance of the noise, less by the splines.
    assert mean.image.values[inside].std() == pytest.approx(1.0, abs=0.15)
    assert mean_from_frames(movie).image.values.std() < 0.8
    assert np.median(mean.error.values[inside]) < 0.5 / 10**0.5


def test_lines_follow_the_drift_within_frames() -> None:
    rng = np.random.default_rng(4)
    plane = scene()
    y = np.linspace(-1, 1, SIZE)
    paths = []
    for _ in range(10):
        a, b, c = rng.normal(scale=1.5, size=(3, 2))
        paths.append(a + b * y[:, None] + 0.7 * c * (y[:, None] ** 2 - 1 / 3))
    movie = movie_of([frame_of(plane, path, 0.1, rng) for path in paths])
    rigid, lines = (register_frames(movie, method=method) for method in ("rigid", "rows"))
    true = np.array(paths)
    # What all frames share from line to line cannot be known.
    true = true - (true - true.mean(axis=1, keepdims=True)).mean(axis=0)
    got = np.stack([lines.lines[f"shift_{d}"].values.reshape(10, SIZE) for d in ("y", "x")], -1)
    away = got / 0.02 - true
    away -= away.mean(axis=(0, 1))
    assert np.sqrt(np.mean(away**2)) < 0.12
    error = np.stack([lines.lines[f"error_{d}"].values.reshape(10, SIZE) for d in ("y", "x")], -1)
    assert 0.4 < np.sqrt(np.mean((away / (error / 0.02)) ** 2)) < 2.5

    def left(movie: Movie) -> float:
        values = movie.values
        whole = np.isfinite(values).all(axis=0)
        return float(np.std(values[:, whole], axis=0).mean())

    assert left(lines.movie) < 0.6 * left(rigid.movie)


def test_lazy_movies_give_the_same() -> None:
    movie = simulated(walk(5, 1.0))
    lazy = movie.copy(data=dask.array.from_array(movie.values, chunks=(2, 50, 96)))  # type: ignore[no-untyped-call]
    one, two = register_frames(movie), register_frames(lazy)
    xr.testing.assert_identical(one.shifts, two.shifts)
    np.testing.assert_array_equal(one.movie.values, two.movie.values)


def test_gaps_within_frames_stay_gaps() -> None:
    movie = simulated(walk(6, 1.0))
    movie[:, 40:50, 20:30] = np.nan
    found = register_frames(movie)
    assert np.abs(off(found.shifts, walk(6, 1.0))).max() < 0.1
    assert np.isnan(found.movie.values).sum() > 6 * 100


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"method": "affine"}, SettingError, "must be"),
        ({"max_shift": "0 nm"}, SettingError, "positive"),
        ({"edges": "cut"}, SettingError, "edges='cut' must be"),
    ],
)
def test_what_cannot_be_is_told(settings: dict[str, str], error: type, told: str) -> None:
    with pytest.raises(error, match=told):
        register_frames(simulated(walk(3, 1.0)), **settings)  # type: ignore[arg-type]


def test_one_frame_and_noise_are_refused() -> None:
    movie = simulated(walk(3, 1.0))
    with pytest.raises(KindError, match="needs 2 or more"):
        register_frames(movie[:1])
    noise = movie.copy(data=np.random.default_rng(0).normal(size=movie.shape))
    with pytest.raises(KindError, match="no two of 3 frames match"):
        register_frames(noise)
