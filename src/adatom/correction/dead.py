"""Channels and pixels of a detector that do not measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import dask.array
import numpy as np
import xarray as xr

from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import Block, Blocks, blocks
from adatom.numerics.channels import by_rows, channel_axis_of, value_on_axis
from adatom.numerics.folds import fold
from adatom.schema import FEATURES, MASK, SPECTRAL_MAP, Features, Mask, SpectralMap, add_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fill = Literal["interpolate", "nan"]

# Fewer counts may be absent by chance: of 25 expected none comes once in 10^11 times.
_SURE_COUNTS: Final = 25.0
_LEAST_ROWS: Final = 8
# Channels on both sides that say what a channel should have.
_BESIDE: Final = 4


class DeadPixelCorrection(NamedTuple):
    """A map without its dead pixels, and where they are."""

    spectra: SpectralMap
    alive: Mask
    """True where a pixel measured."""


def correct_stuck_channels(
    spectra: Features, /, *, known: list[str] | None = None, fill: Fill = "interpolate"
) -> Features:
    """Replace channels that do not measure: known ones, else those stuck in all rows.

    A channel is stuck if it has one value in all rows while channels around
    it vary; stuck at zero counts only if those around it let 25 counts or
    more be expected, so that the empty end of an X-ray spectrum is none.

    Parameters
    ----------
    spectra : Features
        Numpy gives numpy; dask gives dask, read once to find them.
    known : list of text, optional
        Such as ["712 eV"]: the channels nearest to these, and no others.
    fill : {"interpolate", "nan"}
        On the straight line between the nearest good channels, or NaN. Rows
        with NaN take no part in most fits, so the line is the default.

    Returns
    -------
    Features
        A note names the channels.

    Raises
    ------
    SettingError
        If no channel is left.
    UnitError
        If a known one is in another unit than the axis.

    Examples
    --------
    >>> energy = ("energy", np.arange(9.0), {"units": "eV"})
    >>> values = np.random.default_rng(0).poisson(90.0, (20, 9)).astype(float)
    >>> values[:, 4] = 7
    >>> rows = xr.DataArray(values, dims=("site", "energy"), coords={"energy": energy})
    >>> bool((correct_stuck_channels(rows)[:, 4] == (rows[:, 3] + rows[:, 5]) / 2).all())
    True
    """
    FEATURES.check(spectra)
    axis, unit = channel_axis_of(spectra)
    if known is None:
        dead = _stuck_channels(blocks(spectra))
    else:
        dead = np.zeros(axis.size, dtype=bool)
        for text in known:
            dead[np.argmin(np.abs(axis - value_on_axis(text, unit, name="known")))] = True
    if dead.all():
        msg = f"all {axis.size} channels are stuck: there is nothing to analyze"
        raise SettingError(msg)
    result = _filled_channels(spectra, axis, dead, fill) if dead.any() else spectra.copy()
    places = ", ".join(f"{value:.6g}" for value in axis[dead])
    how = "interpolated" if fill == "interpolate" else "set to NaN"
    add_note(
        result,
        f"{int(dead.sum())} channels were {how}: {places} {unit}."
        if dead.any()
        else f"None of {axis.size} channels is stuck.",
    )
    return result


def correct_dead_pixels(
    spectra: SpectralMap, alive: Mask | None = None, /, *, fill: Fill = "nan"
) -> DeadPixelCorrection:
    """Set aside pixels that do not measure: known ones, else those of one value throughout.

    A pixel without any count is dead only if its neighbors let 25 counts or
    more be expected, so that vacuum in an X-ray map is not.

    Parameters
    ----------
    spectra : SpectralMap
        Numpy gives numpy; dask gives dask, read once to find them.
    alive : Mask, optional
        False where a pixel is known to be dead; then no others are sought.
    fill : {"nan", "interpolate"}
        NaN, so that no analysis takes them for measured; or the mean of
        those of the eight neighbors that are alive, NaN where none is.

    Returns
    -------
    DeadPixelCorrection

    Raises
    ------
    KindError
        If the mask is not of these pixels.

    Examples
    --------
    >>> axes = {n: (n, np.arange(3.0), {"units": "nm"}) for n in ("y", "x")}
    >>> axes["energy"] = ("energy", np.arange(8.0), {"units": "eV"})
    >>> counts = np.random.default_rng(0).poisson(9.0, (3, 3, 8)).astype(float)
    >>> counts[1, 1] = 0
    >>> spectra = xr.DataArray(counts, dims=("y", "x", "energy"), coords=axes)
    >>> found = correct_dead_pixels(spectra)
    >>> int((~found.alive).sum()), int(found.spectra.isnull().sum())
    (1, 8)
    """
    SPECTRAL_MAP.check(spectra)
    if alive is not None:
        MASK.check(alive, name="alive")
        if alive.shape != spectra.shape[:2]:
            msg = f"the mask is {dict(alive.sizes)}, the map {dict(spectra.sizes)}"
            raise KindError(msg)
        good = np.asarray(alive.values)
    else:
        good = ~_dead_pixels(spectra)
    result = spectra.astype(np.result_type(spectra.dtype, np.float32))
    if not good.all():
        result = _filled_pixels(result, good, fill)
    n_dead = int((~good).sum())
    how = "took the mean of their neighbors" if fill == "interpolate" else "are NaN"
    add_note(
        result,
        f"{n_dead} of {good.size} pixels are dead and {how}."
        if n_dead
        else f"None of {good.size} pixels is dead.",
    )
    coords = {name: spectra.coords[name] for name in ("y", "x")}
    mask = xr.DataArray(good, dims=("y", "x"), coords=coords, name="alive")
    return DeadPixelCorrection(result, mask)


class _Ranges(NamedTuple):
    """Least and largest value and sum of every channel, and how many rows that is of."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    total: NDArray[np.float64]
    n_rows: int


def _stuck_channels(cut: Blocks) -> NDArray[np.bool_]:
    def step(block: Block) -> _Ranges:
        rows = block.values
        if not len(rows):
            none = np.zeros(rows.shape[1])
            return _Ranges(none + np.inf, none - np.inf, none, 0)
        ends = rows.min(axis=0).astype(float), rows.max(axis=0).astype(float)
        return _Ranges(*ends, rows.sum(axis=0, dtype=np.float64), len(rows))

    ranges = fold(cut, step, _merged)
    if ranges.n_rows < _LEAST_ROWS:
        return np.zeros(cut.n_columns, dtype=bool)
    constant = ranges.low == ranges.high
    beside = [np.roll(np.arange(cut.n_columns), k) for k in range(-_BESIDE, _BESIDE + 1) if k]
    around = np.stack(beside)
    # Rolled round the ends, the farther side only adds channels to compare with.
    varies = np.median(~constant[around], axis=0) > 0.5
    expected = np.median(ranges.total[around], axis=0)
    return np.asarray(constant & varies & ((ranges.low != 0) | (expected >= _SURE_COUNTS)))


def _merged(first: _Ranges, second: _Ranges) -> _Ranges:
    return _Ranges(
        np.minimum(first.low, second.low),
        np.maximum(first.high, second.high),
        first.total + second.total,
        first.n_rows + second.n_rows,
    )


def _filled_channels(
    spectra: xr.DataArray, axis: NDArray[np.float64], dead: NDArray[np.bool_], fill: Fill
) -> xr.DataArray:
    good = np.flatnonzero(~dead)
    holes = np.flatnonzero(dead)
    right = np.clip(np.searchsorted(good, holes), 0, good.size - 1)
    left = np.clip(right - 1, 0, good.size - 1)
    # Beyond the last good channel there is one side only.
    left = np.where(good[right] < holes, right, left)
    a, b = axis[good[left]], axis[good[right]]
    share = np.clip(np.where(a == b, 0.0, (axis[holes] - a) / np.where(a == b, 1.0, b - a)), 0, 1)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        line = wide[:, good[left]] * (1 - share) + wide[:, good[right]] * share
        wide[:, holes] = line if fill == "interpolate" else np.nan
        return wide

    return by_rows(spectra, work)


def _dead_pixels(spectra: xr.DataArray) -> NDArray[np.bool_]:
    def measured(rows: NDArray[Any]) -> NDArray[Any]:
        wide = rows.astype(np.float64)
        known = np.isfinite(wide).any(axis=1)
        safe = np.where(np.isfinite(wide), wide, 0.0)
        constant = safe.min(axis=1) == safe.max(axis=1)
        return np.stack([~known | constant, np.where(known, safe.sum(axis=1), np.nan)], axis=1)

    # One channel alone is constant in itself.
    if spectra.shape[-1] < 2:
        return np.asarray(~np.isfinite(spectra.values[..., 0]))
    found = by_rows(spectra, measured, n_columns=2).values
    suspect, total = found[..., 0] > 0, found[..., 1].astype(np.float64)
    measures = np.isfinite(total)
    expected, _ = _mean_of_neighbors(total[..., None], ~suspect)
    silent = measures & (total == 0)
    return np.asarray(suspect & (~silent | (np.nan_to_num(expected[..., 0]) >= _SURE_COUNTS)))


def _mean_of_neighbors(
    values: NDArray[Any], good: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average the good ones of the eight neighbors of every pixel: means, and how many."""
    n_y, n_x = good.shape
    padded = np.zeros((n_y + 2, n_x + 2, values.shape[-1]))
    padded[1:-1, 1:-1] = np.where(good[..., None], values, 0.0)
    counted = np.pad(good.astype(np.int64), 1)
    total, number = np.zeros(values.shape), np.zeros(good.shape, dtype=np.int64)
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                total += padded[dy : dy + n_y, dx : dx + n_x]
                number += counted[dy : dy + n_y, dx : dx + n_x]
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / number[..., None], number


def _filled_pixels(spectra: xr.DataArray, good: NDArray[np.bool_], fill: Fill) -> xr.DataArray:
    values: Any = spectra.data
    holes = xr.DataArray(good, dims=("y", "x"))
    if fill == "nan":
        return spectra.where(holes)
    if hasattr(values, "dask"):
        # A dead pixel at the rim of a chunk takes from the next one.
        whole = values.rechunk({2: -1})
        da: Any = dask.array
        mask = da.from_array(good[..., None].astype(np.float32), chunks=(*whole.chunks[:2], 1))
        made = da.map_overlap(
            _filled_block, whole, mask, depth={0: 1, 1: 1, 2: 0}, boundary=np.nan,
            allow_rechunk=True, dtype=whole.dtype, align_arrays=True, meta=np.empty((0, 0, 0)),
        )  # fmt: skip
        return spectra.copy(data=made)
    return spectra.copy(data=_filled_block(np.asarray(values), good[..., None]))


def _filled_block(block: NDArray[Any], good: NDArray[Any]) -> NDArray[Any]:
    """Fill pixels that are not good, line by line so that memory holds three of them."""
    made = block.copy()
    measured = good[..., 0] == 1
    for y in np.flatnonzero(~measured.all(axis=1)).tolist():
        first = max(0, y - 1)
        lines = slice(first, y + 2)
        near = block[lines].astype(np.float64)
        alive = measured[lines] & np.isfinite(near).all(axis=-1)
        means, _ = _mean_of_neighbors(near, alive)
        holes = ~measured[y]
        made[y, holes] = means[y - first, holes]
    return made
