"""Unit cells of pictures with known lattices, and the places where their content comes again."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, NoLatticeError
from adatom.localization import estimate_columns, estimate_motif, find_motifs, find_unit_cell
from adatom.schema import image_from_array, notes, positions, sites_from_positions

Floats = NDArray[np.float64]


def _points(vectors: Floats, basis: Floats, size: int) -> Floats:
    index = np.stack(np.meshgrid(*[np.arange(-40, 40)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    place = ((index[:, None] + basis) @ vectors).reshape(-1, 2) + 0.5 * size
    return np.asarray(place[((place > 0) & (place < size - 1)).all(axis=1)])


def _picture(places: Floats, heights: Floats, size: int, *, noise: float, seed: int = 0) -> Floats:
    values = np.random.default_rng(seed).normal(scale=noise, size=(size, size))
    y, x = np.mgrid[:size, :size]
    for place, height in zip(places, heights, strict=True):
        values += height * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / (2 * 2.0**2))
    return values


OBLIQUE = np.array([[3.0, 14.0], [17.5, -4.0]])


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_an_oblique_cell_is_found_within_its_error(noise: float) -> None:
    places = _points(OBLIQUE, np.zeros((1, 2)), 200)
    image = image_from_array(_picture(places, np.ones(len(places)), 200, noise=noise))
    cell = find_unit_cell(image)
    truth = np.sort(np.hypot(*OBLIQUE.T))
    for name, length in zip("ab", truth, strict=True):
        # Four standard errors, and what the smooth tops of correlations allow.
        allowed = 4 * cell[f"{name}_error"].item() + 0.02
        assert cell[name].item() == pytest.approx(length, abs=allowed)
    assert cell["area"].item() == pytest.approx(abs(np.linalg.det(OBLIQUE)), rel=0.005)


def test_like_atoms_of_unlike_height_do_not_halve_the_cell() -> None:
    # As strontium titanate along [110]: rows of heavy and light columns in turn.
    vectors = np.array([[20.0, 0.0], [0.0, 14.0]])
    heavy, light = (
        _points(vectors, np.zeros((1, 2)), 200),
        _points(vectors, np.array([[0.5, 0]]), 200),
    )
    heights = np.repeat([1.0, 0.6], [len(heavy), len(light)])
    cell = find_unit_cell(
        image_from_array(_picture(np.concatenate([heavy, light]), heights, 200, noise=0.1))
    )
    assert cell["a"].item() == pytest.approx(14, abs=0.05)
    assert cell["b"].item() == pytest.approx(20, abs=0.05)


def test_noise_has_no_cell() -> None:
    noise = np.random.default_rng(1).normal(size=(160, 160))
    cell = find_unit_cell(image_from_array(noise))
    assert np.isnan(cell["a"].item())
    assert notes(cell) == ["The image shows no lattice beyond chance."]


def test_jumping_lines_alone_are_no_lattice() -> None:
    jumps = np.random.default_rng(2).normal(size=(160, 1)) * np.ones((1, 160))
    grain = np.random.default_rng(3).normal(scale=0.1, size=(160, 160))
    assert np.isnan(find_unit_cell(image_from_array(jumps + grain))["a"].item())


def test_lengths_are_in_the_unit_of_the_picture() -> None:
    places = _points(OBLIQUE, np.zeros((1, 2)), 160)
    values = _picture(places, np.ones(len(places)), 160, noise=0.0)
    cell = find_unit_cell(image_from_array(values, pixel_size="0.02 nm"))
    assert cell["a"].attrs["units"] == "nm"
    assert cell["a"].item() == pytest.approx(0.02 * np.hypot(3, 14), rel=0.01)


def _rings(seed: int = 0, *, missing: int | None = None) -> tuple[xr.DataArray, Floats]:
    vectors = np.array([[0.0, 24.0], [24.0 * np.sqrt(3) / 2, 12.0]])
    middle = _points(vectors, np.zeros((1, 2)), 200)
    if missing is not None:
        near = int(np.argmin(np.hypot(*(middle - missing).T)))
        middle = np.delete(middle, near, axis=0)
    y, x = np.mgrid[:200, :200]
    values = np.random.default_rng(seed).normal(scale=0.5, size=(200, 200))
    for place in middle:
        values += np.exp(-((np.hypot(y - place[0], x - place[1]) - 7.0) ** 2) / 4)
    return image_from_array(values), middle


def test_rings_are_found_as_one_thing_each() -> None:
    image, middle = _rings()
    rings = find_motifs(image, find_unit_cell(image))
    inner = middle[((middle > 16) & (middle < 183)).all(axis=1)]
    found = positions(rings)
    apart = np.hypot(*(inner[:, None] - found).transpose(2, 0, 1))
    assert (apart.min(axis=1) < 1.5).all()
    assert len(found) <= len(middle)


def test_where_a_ring_is_missing_none_is_found() -> None:
    image, _ = _rings(missing=100)
    whole, _ = _rings()
    gone = find_motifs(image, find_unit_cell(image)).sizes["site"]
    assert gone == find_motifs(whole, find_unit_cell(whole)).sizes["site"] - 1


def test_the_mean_ring_is_hollow_and_less_noisy() -> None:
    image, _ = _rings()
    cell = find_unit_cell(image)
    motif = estimate_motif(image, find_motifs(image, cell), cell)
    middle = motif.sel(y=0, x=0, method="nearest").item()
    rim = [motif.sel(y=y, x=x, method="nearest").item() for y, x in ((7, 0), (-7, 0), (0, 7))]
    assert min(rim) > middle + 0.5


def test_frames_without_a_lattice_are_left_out_by_their_numbers() -> None:
    image, _ = _rings()
    other, _ = _rings(seed=5)
    noise = image.copy(data=np.random.default_rng(4).normal(size=image.shape))
    movie = xr.concat([image, noise, other], dim="frame").assign_coords(frame=[3, 4, 9])
    cells = find_unit_cell(movie)
    assert np.isnan(cells["a"].values).tolist() == [False, True, False]
    rings = find_motifs(movie, cells)
    assert np.unique(rings["frame"].values).tolist() == [3, 9]
    assert "One frame without a unit cell" in notes(rings)[0]


def test_without_any_cell_the_error_says_what_to_do() -> None:
    image = image_from_array(np.random.default_rng(1).normal(size=(160, 160)))
    with pytest.raises(NoLatticeError, match="level lines before"):
        find_motifs(image, find_unit_cell(image))


def test_cells_of_another_movie_are_refused() -> None:
    image, _ = _rings()
    movie = xr.concat([image, image], dim="frame")
    with pytest.raises(KindError, match="one row for n_frames=2"):
        find_motifs(movie, find_unit_cell(image))


def test_columns_are_folded_into_the_cell_with_the_share_of_cells_that_have_them() -> None:
    basis = np.array([[0.0, 0.0], [0.5, 0.3]])
    vectors = np.array([[24.0, 2.0], [-3.0, 30.0]])
    first, second = (_points(vectors, one[None], 300) for one in basis)
    second = second[np.random.default_rng(0).random(len(second)) < 0.6]
    place = np.concatenate([first, second])
    heights = np.repeat([2.0, 1.0], [len(first), len(second)])
    jitter = np.random.default_rng(1).normal(scale=0.2, size=place.shape)
    sites = sites_from_positions(
        *(place + jitter).T, unit="px", spacing=17.0, extent=(0.0, 299.0, 0.0, 299.0)
    )
    sites["amplitude"] = ("site", heights)
    image = image_from_array(_picture(place, heights, 300, noise=0.0))
    columns = estimate_columns(sites, find_unit_cell(image))
    assert columns.sizes["row"] == 2
    assert columns["found"].values == pytest.approx([1.0, 0.6], abs=0.12)
    assert columns["spread"].values == pytest.approx([0.2, 0.2], abs=0.05)
    offset = np.array([columns["along_a"].values[1], columns["along_b"].values[1]])
    # The vectors found may be others of the same lattice: places are compared in pixels.
    fitted = np.array([columns.attrs["a"], columns.attrs["b"]])
    difference = (offset @ fitted - basis[1] @ vectors) @ np.linalg.inv(vectors)
    assert np.abs(difference - np.rint(difference)).max() < 0.01
