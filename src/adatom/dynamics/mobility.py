"""Local D over the field, with errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.dynamics.increments import increments_of
from adatom.dynamics.msd import tell_frame_time
from adatom.dynamics.trajectories import trajectories_of
from adatom.errors import SettingError
from adatom.schema import Image, Sites
from adatom.units import Length, Time, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST: Final = 10


class Mobility(NamedTuple):
    """Maps (y, x) of D, of its standard error, and of the number of increments."""

    diffusion: Image
    error: Image
    n_increments: Image


def estimate_mobility(
    tracks: Sites, /, *, bin_size: Length, frame_time: Time | None = None
) -> Mobility:
    """Map local D over the field.

    Increments count where their middle is. What localization error and blur
    add to their squares is the same all over the field, and is told by the
    products of all successive increments [1]_.

    Parameters
    ----------
    tracks : Sites
        With ``frame`` and ``track`` along ``site``, drift taken off.
    bin_size : length
        Side of a bin. Some steps wide or wider: what a track does in one bin
        is otherwise counted in the next. A hundred increments tell D to a tenth
        and what the localization error adds.
    frame_time : time, optional
        As for `estimate_diffusion`.

    Returns
    -------
    Mobility
        ``diffusion`` and ``error``, NaN where a bin has fewer than ten
        increments, and ``n_increments``. The error is that of free motion.

    Raises
    ------
    KindError
        If the sites have no frame or track, or a track is twice in a frame.
    SettingError
        If the bins are not smaller than the field.

    References
    ----------
    .. [1] C. L. Vestergaard et al., Phys. Rev. E 89, 022726 (2014).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> steps = np.random.default_rng(0).normal(size=(2, 50, 100))
    >>> y, x = np.cumsum(steps, axis=2).reshape(2, -1)
    >>> tracks = sites_from_positions(y, x, unit="nm", frame=np.tile(np.arange(100), 50))
    >>> tracks["track"] = ("site", np.repeat(np.arange(50), 100))
    >>> float(estimate_mobility(tracks, bin_size="10 nm").diffusion.median().round(1))
    0.5
    """
    trajectories = trajectories_of(tracks, frame_time=frame_time)
    size = length_from_setting(
        bin_size, unit=trajectories.unit, spacing=tracks.attrs.get("spacing"), name="bin_size"
    )
    low, shape = _field(tracks, trajectories.position, size, bin_size)
    increments = increments_of(trajectories)
    middle = trajectories.position[increments.start] + increments.step / 2
    place = _bins(middle, low, size, shape)
    n = shape[0] * shape[1]
    count = np.bincount(place, minlength=n)
    squares = np.bincount(place, (increments.step**2).sum(axis=1), n)
    frames = np.bincount(place, increments.frames, n)
    products = (increments.step[increments.first] * increments.step[increments.first + 1]).sum(1)
    common = _Common.of(products)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = squares / count
        time = 4 * trajectories.step * frames / count
        value = (mean - common.offset) / time
        # Of two axes; increments that share a site are correlated by the offset.
        variance = mean**2 * (1 + 2 * (common.offset / 2 / mean) ** 2) / count
        error = np.sqrt(variance + common.error**2) / time
    few = count < _FEWEST
    unit = f"{trajectories.unit}^2/{trajectories.time_unit}"
    coords = {
        dim: (dim, low[k] + size * (np.arange(shape[k]) + 0.5), {"units": trajectories.unit})
        for k, dim in enumerate(("y", "x"))
    }

    def image(values: NDArray[np.float64], name: str, units: str) -> Image:
        return xr.DataArray(
            values.reshape(shape), dims=("y", "x"), coords=coords, name=name, attrs={"units": units}
        )

    diffusion = image(np.where(few, np.nan, value), "diffusion", unit)
    tell_frame_time(diffusion, trajectories)
    return Mobility(
        diffusion,
        image(np.where(few, np.nan, error), "diffusion_error", unit),
        image(count.astype(np.float64), "increments", "1"),
    )


class _Common(NamedTuple):
    """What is added to the mean square of increments everywhere, with its standard error."""

    offset: float
    error: float

    @classmethod
    def of(cls, products: NDArray[np.float64]) -> _Common:
        """Estimate it from products of successive increments: nothing is added without any."""
        if len(products) < _FEWEST:
            return cls(0.0, 0.0)
        return cls(-2 * float(products.mean()), 2 * float(products.std()) / len(products) ** 0.5)


def _field(
    tracks: Sites, points: NDArray[np.float64], size: float, told: Length
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Give the corner of the field and the number of bins along y and x."""
    bounds = tracks.attrs.get("extent")
    if bounds is None:
        low, high = points.min(axis=0), points.max(axis=0)
    else:
        low, high = np.array(bounds[::2], dtype=float), np.array(bounds[1::2], dtype=float)
    if not 0 < size < (high - low).max():
        span = ", ".join(f"{one:.4g}" for one in high - low)
        msg = f"bin_size={told!r} must be smaller than the field, which is {span} along y, x"
        raise SettingError(msg)
    rows, columns = np.maximum(np.ceil((high - low) / size - 1e-9), 1).astype(int).tolist()
    return low, (rows, columns)


def _bins(
    points: NDArray[np.float64], low: NDArray[np.float64], size: float, shape: tuple[int, int]
) -> NDArray[np.int64]:
    cell = np.floor((points - low) / size).astype(np.int64)
    # What is fitted just beyond the edge is of the bin at the edge.
    cell = np.clip(cell, 0, np.array(shape) - 1)
    return np.asarray(cell[:, 0] * shape[1] + cell[:, 1])
