"""Recipes of movies on simulated ones of known motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adatom.io import write_file
from adatom.recipes import open_run, run_recipe
from adatom.schema import image_from_array


def test_particles_of_a_movie_give_their_d(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n_frames, side = 60, 192
    # A grid with room to move, steps of 0.7 px an axis and a drift of 0.2 px a frame.
    start = np.stack(np.divmod(np.arange(36), 6), axis=1) * 28.0 + 26
    place = start + np.cumsum(rng.normal(0, 0.7, (n_frames, 36, 2)), axis=0)
    place[..., 1] += 0.2 * np.arange(n_frames)[:, None]
    y, x = np.mgrid[:side, :side]
    frames = rng.normal(100, 1.0, (n_frames, side, side))
    for frame, points in zip(frames, place, strict=True):
        for a, b in points:
            near = np.s_[max(int(a) - 8, 0) : int(a) + 10, max(int(b) - 8, 0) : int(b) + 10]
            frame[near] -= 30 * np.exp(-((y[near] - a) ** 2 + (x[near] - b) ** 2) / 8)
    image = image_from_array(frames[0], pixel_size="100 nm")
    movie = image.expand_dims(frame=n_frames).copy(data=frames.astype(np.float32))
    movie = movie.assign_coords(time=("frame", 0.05 * np.arange(n_frames), {"units": "s"}))
    write_file(movie, tmp_path / "movie.nc")
    summary = run_recipe(
        "particle_diffusion", [tmp_path / "movie.nc"], out=tmp_path / "run", reports=False
    )
    assert not summary.failures
    run = open_run(tmp_path / "run")
    row = run["diffusion.classes"].isel(row=0)
    # 0.7^2 / 2 px^2 a frame.
    truth = 0.49 / 2 * 100**2 / 0.05
    assert row["diffusion"].attrs["units"] == "nm^2/s"
    assert float(row["diffusion_low"]) < truth < float(row["diffusion_high"])
    drift = run["still.drift"].isel(row=-1)
    assert abs(float(drift["x"]) - 59 * 20) < 4 * float(drift["x_error"])
