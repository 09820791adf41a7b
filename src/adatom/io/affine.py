"""Positions corrected by a matrix: new pixel sizes where these do, else new pixels."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
import xarray as xr

from adatom.errors import SettingError
from adatom.schema import add_note, pixel_size, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Affine = tuple[float, float, float, float]
"""yy, yx, xy, xx of the matrix from stated positions (y, x) to true ones."""

_Map = TypeVar("_Map", bound=xr.DataArray)

# Beyond this no scan is distorted; a mistyped number would ask for huge frames.
_MOST_STRETCH: Final = 100.0
# A frame may grow by so much; a rotation by 45 deg of a long strip grows more and is refused.
_MOST_GROWTH: Final = 16.0
# A cubic spline forgets by a factor of 3.7 a pixel.
_ROOM: Final = 12
_NOT_A_MATRIX: Final = (
    "is not four numbers yy, yx, xy, xx of the matrix from stated positions (y, x) to true ones: "
    "write (1.02, 0.0, 0.0, 0.98), or take it from localization.compare_scale"
)


def corrected(read: _Map, affine: Affine | None, /) -> _Map:
    """Give maps their true positions: of an image, a movie or a spectral map.

    A diagonal matrix changes the pixel sizes and no value. Any other one asks
    for new pixels: cubic splines on square pixels as large as the true ones
    are on average, on a frame that holds the whole image; beyond the image is
    NaN. Movies and spectral maps stay lazy, frame by frame and channels in
    blocks.

    Parameters
    ----------
    read : Image, Movie or SpectralMap
        With the scale of the file or of ``pixel_size``; not changed.
    affine : tuple of four floats, optional
        yy, yx, xy, xx of the matrix from stated positions (y, x) to true
        ones; left out, `read` comes back as it is.

    Returns
    -------
    Image, Movie or SpectralMap
        With ``attrs["affine"]`` and a note. ``attrs["affine_origin"]`` says
        where the first pixel of the file came to lie, if the frame is new.

    Raises
    ------
    SettingError
        If the matrix is not one of a scan: not of four finite numbers,
        mirrored, singular, or stretched beyond all measure.
    """
    if affine is None:
        return read
    matrix = checked_matrix(affine)
    result = _rescaled(read, matrix) if _is_diagonal(matrix) else _resampled(read, matrix)
    result.attrs["affine"] = [float(value) for value in matrix.ravel()]
    return result


def checked_matrix(affine: object, /) -> Floats:
    """Give the matrix, or raise an error that shows a correct one."""
    try:
        values = np.asarray(affine, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (4,) or not np.isfinite(values).all():
        msg = f"{affine=} {_NOT_A_MATRIX}"
        raise SettingError(msg)
    matrix = values.reshape(2, 2)
    stretches = np.linalg.svd(matrix, compute_uv=False)
    if not np.linalg.det(matrix) > 0:
        msg = f"{affine=} is singular or mirrors the image: its determinant must be positive"
        raise SettingError(msg)
    if stretches[0] > _MOST_STRETCH * stretches[1]:
        msg = f"{affine=} stretches one direction {stretches[0] / stretches[1]:.3g} times another"
        raise SettingError(msg)
    return matrix


def _is_diagonal(matrix: Floats) -> bool:
    return bool(matrix[0, 1] == 0 and matrix[1, 0] == 0 and (np.diag(matrix) > 0).all())


def _rescaled(read: _Map, matrix: Floats) -> _Map:
    """Change the pixel sizes: no value changes."""
    result = read.copy(deep=False)
    result.attrs = dict(read.attrs)
    for dim, factor in zip(("y", "x"), np.diag(matrix), strict=True):
        axis = read.coords[dim]
        result.coords[dim] = (dim, axis.values * factor, dict(axis.attrs))
    add_note(
        result,
        f"affine={tuple(matrix.ravel().tolist())} changed the pixel size to "
        f"{_steps_text(result)}; no value was changed",
    )
    return result


def _steps_text(data: xr.DataArray) -> str:
    unit = space_unit(data)
    if min(data.sizes["y"], data.sizes["x"]) < 2:
        return f"another one in {unit}"
    y, x = pixel_size(data)
    return f"{y:.6g} x {x:.6g} {unit} (y x x)"


class _Frame(NamedTuple):
    """The frame of new pixels, and where each of them lies among the old ones.

    Attributes
    ----------
    old_shape, shape : tuple of two int
    step : float
        Of the new pixels.
    start : ndarray of two floats
        True position of the first new pixel, where that of the first old one is zero.
    to_old, first_old : ndarray
        New indices to old ones: ``first_old + to_old @ index``.
    """

    old_shape: tuple[int, int]
    shape: tuple[int, int]
    step: float
    start: Floats
    to_old: Floats
    first_old: Floats


def _frame_of(read: xr.DataArray, matrix: Floats) -> _Frame:
    """Lay a frame of square pixels around the whole image."""
    old_shape = (read.sizes["y"], read.sizes["x"])
    forward = matrix @ np.diag(pixel_size(read))
    step = float(np.sqrt(np.linalg.det(forward)))
    ends = np.array(list(product(*((0.0, size - 1.0) for size in old_shape)))) @ forward.T
    start = ends.min(axis=0)
    rows, columns = np.ceil((ends.max(axis=0) - start) / step - 1e-6).astype(int).tolist()
    back = np.asarray(np.linalg.inv(forward), dtype=float)
    return _Frame(old_shape, (rows + 1, columns + 1), step, start, back * step, back @ start)


def _resampled(read: _Map, matrix: Floats) -> _Map:
    """Lay the pixels anew."""
    if min(read.sizes["y"], read.sizes["x"]) < 2:
        msg = (
            f"affine={tuple(matrix.ravel().tolist())} shears or rotates, which needs two rows and "
            f"two columns of pixels: found {read.sizes['y']} x {read.sizes['x']}"
        )
        raise SettingError(msg)
    frame = _frame_of(read, matrix)
    if frame.shape[0] * frame.shape[1] > _MOST_GROWTH * frame.old_shape[0] * frame.old_shape[1]:
        msg = (
            f"affine={tuple(matrix.ravel().tolist())} would make a frame of {frame.shape[0]} x "
            f"{frame.shape[1]} pixels of an image of {frame.old_shape[0]} x {frame.old_shape[1]}: "
            "correct stretch and shear only, and leave the rotation out"
        )
        raise SettingError(msg)
    dtype = np.result_type(read.dtype, np.float32) if read.dtype.kind == "f" else np.dtype("f4")
    values = _new_values(read, frame, dtype)
    coords: dict[Any, Any] = dict(read.coords)
    for axis, dim in enumerate(("y", "x")):
        along = np.arange(frame.shape[axis]) * frame.step
        coords[dim] = (dim, along, {"units": space_unit(read)})
    result = xr.DataArray(
        values, dims=read.dims, coords=coords, name=read.name, attrs=dict(read.attrs)
    )
    result.attrs["affine_origin"] = [float(-value) for value in frame.start]
    add_note(result, _told(read, matrix, frame, dtype))
    return result  # type: ignore[return-value]


def _told(read: xr.DataArray, matrix: Floats, frame: _Frame, dtype: np.dtype[Any]) -> str:
    rows, columns = frame.shape
    note = (
        f"affine={tuple(matrix.ravel().tolist())} laid the pixels anew, by cubic splines: "
        f"{rows} x {columns} square ones of {frame.step:.6g} {space_unit(read)} in place of "
        f"{frame.old_shape[0]} x {frame.old_shape[1]}; beyond the image is NaN, and noise of "
        "neighboring pixels is no longer independent"
    )
    return note if read.dtype == dtype else f"{note}; {read.dtype} became {dtype}"


def _new_values(read: xr.DataArray, frame: _Frame, dtype: np.dtype[Any]) -> Any:  # noqa: ANN401
    """Resample y and x of all frames or channels; lazily what is lazy."""
    y = read.dims.index("y")
    work = partial(_resample_block, y=y, frame=frame, dtype=dtype)
    if not hasattr(read.data, "dask"):
        return work(read.values)
    # Whole pictures in a block, and as many of them as memory holds well.
    cut = {axis: -1 if axis in (y, y + 1) else "auto" for axis in range(read.ndim)}
    whole = read.data.rechunk(cut)
    chunks = (*whole.chunks[:y], *((size,) for size in frame.shape), *whole.chunks[y + 2 :])
    return whole.map_blocks(
        work, dtype=dtype, chunks=chunks, meta=np.empty((0,) * read.ndim, dtype)
    )


def _resample_block(
    block: NDArray[Any], *, y: int, frame: _Frame, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Resample the pictures of a block: y and x lie side by side from axis `y` on."""
    if 0 in block.shape:
        return np.empty(block.shape, dtype)
    pictures = np.moveaxis(block, (y, y + 1), (-2, -1))
    result = np.empty((*pictures.shape[:-2], *frame.shape), dtype)
    for index in np.ndindex(pictures.shape[:-2]):
        result[index] = _resample(pictures[index], frame)
    return np.moveaxis(result, (-2, -1), (y, y + 1))


def _resample(picture: NDArray[Any], frame: _Frame) -> Floats:
    import scipy.ndimage

    values = np.asarray(picture, dtype=float)
    known = np.isfinite(values)
    filled = values if known.all() else np.where(known, values, _level(values, known))
    # Splines bend at the edge; continued by its point reflection a picture has none there.
    room = min(_ROOM, *(size - 1 for size in values.shape))
    filled = np.pad(filled, room, mode="reflect", reflect_type="odd")
    back: dict[str, Any] = {"matrix": frame.to_old, "output_shape": frame.shape}
    result = scipy.ndimage.affine_transform(
        filled, offset=frame.first_old + room, **back, order=3, mode="nearest"
    )
    inside = _inside(frame)
    if not known.all():
        # What leans on a pixel that was not measured is not measured.
        blind = scipy.ndimage.affine_transform(
            (~known).astype(float), offset=frame.first_old, **back, order=1, mode="nearest"
        )
        inside &= blind < 1e-6
    return np.where(inside, result, np.nan)


def _level(values: Floats, known: NDArray[np.bool_]) -> float:
    return float(values[known].mean()) if known.any() else 0.0


def _inside(frame: _Frame) -> NDArray[np.bool_]:
    """Tell which new pixels lie on the old image, a pixel's half beyond its centers left out."""
    rows, columns = (np.arange(size, dtype=float) for size in frame.shape)
    inside = np.ones(frame.shape, dtype=bool)
    for axis, size in enumerate(frame.old_shape):
        place = (
            frame.first_old[axis]
            + frame.to_old[axis, 0] * rows[:, None]
            + frame.to_old[axis, 1] * columns[None, :]
        )
        inside &= (place >= -1e-6) & (place <= size - 1 + 1e-6)
    return inside
