"""Where the highest line of every spectrum stands and how wide it is, without a model."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from adatom.curves.expressions import Floats
from adatom.errors import SettingError
from adatom.numerics.channels import by_rows, channel_axis_of, channels_in
from adatom.numerics.medians import SIGMA_OF_MAD, medians_of_rows
from adatom.schema import FEATURES, Features, add_note

Method = Literal["moments", "parabola"]

_PARAMETERS: Final = ("position", "fwhm", "height")


def locate_line(
    spectra: Features,
    /,
    *,
    window: tuple[str, str] | None = None,
    method: Method = "moments",
    threshold: float = 5.0,
) -> Features:
    """Locate the highest line of every spectrum: position, width and height.

    For maps with one sharp line, whose shift tells strain or composition.
    Where lines overlap or errors are needed, use ``fit_model``.

    Parameters
    ----------
    spectra : Features
        Without background (``correct_baseline``) and spikes. Numpy gives
        numpy; dask gives dask. The steps of the axis may differ.
    window : tuple of two texts, optional
        Such as ("356 nm", "359 nm"): where the line is sought; all of the
        axis by default.
    method : {"moments", "parabola"}
        "moments" takes the center of mass of what rises above half of the
        height, which uses all of the line's top; "parabola" the summit of a
        parabola through the three highest channels, for lines of few channels
        or with a shoulder.
    threshold : float
        The line must be so many times as high as the noise, which is taken
        from the differences of channels. Five: of a thousand channels none
        is as high by chance.

    Returns
    -------
    Features
        (..., parameter): position and full width at half maximum in the unit
        of the axis, height in that of the spectra. All NaN where no line
        rises above the threshold, and where the line is cut above half of
        its height, by an end of the window or by channels that are NaN.

    Raises
    ------
    SettingError
        If fewer than five channels lie in the window, or the threshold is
        not above zero.

    Examples
    --------
    >>> import xarray as xr
    >>> x = np.arange(40.0)
    >>> axis = {"wavelength": ("wavelength", x, {"units": "nm"})}
    >>> row = xr.DataArray([np.exp(-(((x - 20.3) / 3) ** 2))], dims=("site", "wavelength"),
    ...     coords=axis, attrs={"units": "1"})
    >>> locate_line(row).sel(parameter="position").values.round(1)
    array([20.3])
    """
    FEATURES.check(spectra)
    if not threshold > 0:
        msg = f"{threshold=} must be above zero, such as 5"
        raise SettingError(msg)
    axis, unit = channel_axis_of(spectra)
    inside = np.ones(len(axis), dtype=bool)
    if window is not None:
        inside = channels_in(spectra, window, name="window", at_least=5)
    along = axis[inside]
    if len(along) < 5:
        msg = f"the axis has {len(along)} channels, a line needs five or more"
        raise SettingError(msg)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        return _lines(along, rows[:, inside].astype(np.float64), method, threshold)

    found = by_rows(spectra, work, n_columns=len(_PARAMETERS)).rename(measure="parameter")
    units = [unit, unit, str(spectra.attrs.get("units", ""))]
    found = found.assign_coords(parameter=list(_PARAMETERS), unit=("parameter", units))
    found.name = "line"
    ends = f"{along.min():.6g} to {along.max():.6g} {unit}"
    add_note(found, f"The highest line from {ends}, by {method}; NaN below {threshold:g} noises.")
    return found


def _lines(axis: Floats, rows: Floats, method: Method, threshold: float) -> Floats:
    every, last = np.arange(len(rows)), len(axis) - 1
    measured = np.isfinite(rows)
    filled = np.where(measured, rows, -np.inf)
    # The summit may be at no end: three channels are needed about it.
    top = np.clip(filled.argmax(axis=1), 1, last - 1)
    filled = np.where(measured, rows, 0.0)
    summit, height = _parabolas(axis, filled, top)
    half = height[:, None] / 2
    number = np.arange(len(axis))
    low = (filled < half) | ~measured
    left = np.where(low & (number < top[:, None]), number, -1).max(axis=1)
    right = np.where(low & (number > top[:, None]), number, last + 1).min(axis=1)
    good = (height > threshold * _noise(rows)) & (left >= 0) & (right <= last)
    left, right = np.where(good, left, 0), np.where(good, right, last)
    good &= measured[every, left] & measured[every, right] & measured[every, top]
    sides = [
        _crossing(axis, filled, every, below, above, half[:, 0])
        for below, above in ((left, left + 1), (right, right - 1))
    ]
    position = summit
    if method == "moments":
        within = (number > left[:, None]) & (number < right[:, None])
        excess = np.where(within, filled - half, 0.0) * np.abs(np.gradient(axis))
        with np.errstate(invalid="ignore", divide="ignore"):
            position = (excess * axis).sum(axis=1) / excess.sum(axis=1)
    found = np.stack([position, np.abs(sides[1] - sides[0]), height], axis=1)
    return np.where(good[:, None], found, np.nan)


def _noise(rows: Floats) -> Floats:
    """Take the noise of every row from second differences, which do not see slopes."""
    middle = medians_of_rows(np.abs(np.diff(rows, 2, axis=1)))
    return np.where(np.isnan(middle), np.inf, SIGMA_OF_MAD * middle / np.sqrt(6))


def _parabolas(axis: Floats, rows: Floats, top: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Give summits and heights of parabolas through three channels, at the middle if flat."""
    every = np.arange(len(rows))
    before, after = axis[top - 1] - axis[top], axis[top + 1] - axis[top]
    middle = rows[every, top]
    first = (rows[every, top - 1] - middle) / before
    second = (rows[every, top + 1] - middle) / after
    bend = (second - first) / (after - before)
    slope = first - bend * before
    bent = bend < 0
    shift = np.where(bent, -slope / (2 * np.where(bent, bend, 1.0)), 0.0)
    low, high = np.minimum(before, after), np.maximum(before, after)
    shift = np.clip(shift, low, high)
    return axis[top] + shift, middle + slope * shift + bend * shift**2


def _crossing(
    axis: Floats,
    rows: Floats,
    every: NDArray[np.intp],
    below: NDArray[np.intp],
    above: NDArray[np.intp],
    level: Floats,
) -> Floats:
    """Interpolate where rows cross a level between two neighboring channels."""
    rise = rows[every, above] - rows[every, below]
    share = (level - rows[every, below]) / np.where(rise > 0, rise, 1.0)
    return np.asarray(axis[below] + share * (axis[above] - axis[below]))
