"""What lies below the lines of spectra, estimated row by row and taken off."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.errors import KindError, SettingError
from adatom.numerics.baselines import (
    BaselineOf,
    arpls_weights,
    asymmetric_weights,
    baselines_of_rows,
    polynomial_baseline,
    snip_baseline,
    stiff_baseline,
)
from adatom.numerics.blocks import blocks
from adatom.numerics.channels import by_rows, channel_axis_of, length_on_axis
from adatom.numerics.line_widths import line_width_of
from adatom.numerics.measures import named_measures
from adatom.schema import FEATURES, Features, add_note

Method = Literal["arpls", "als", "snip", "polynomial"]

# Of simulated spectra with known baselines: below six widths the curve climbs into lines, beyond
# fifteen it no longer follows fluorescence that has structure of its own.
_WAVELENGTH_IN_WIDTHS: Final = 8.0
# Two widths from its middle a Gaussian has nothing left, a Lorentzian six hundredths.
_HALF_WINDOW_IN_WIDTHS: Final = 2.0
# Of the width that three quarters of the lines do not exceed.
_MARGIN: Final = 1.5
# Where no line stands out whatever rises is broad: then the baseline is stiff.
_NO_LINE_SHARE: Final = 0.25
_SAMPLE_ROWS: Final = 2048
_SAMPLE_BLOCKS: Final = 16
# A channel struck by cosmic rays in a few rows is no line.
_KEPT_SHARE: Final = 0.95


class BaselineCorrection(NamedTuple):
    """Spectra without what lies below their lines, and how much that was."""

    spectra: Features
    level: Features
    """(..., measure): mean of the baseline of each spectrum, in its unit."""


def correct_baseline(
    spectra: Features,
    /,
    *,
    method: Method = "arpls",
    line_width: str | None = None,
    order: int = 5,
    asymmetry: float = 0.01,
) -> BaselineCorrection:
    """Take off what varies slowly below the lines: fluorescence, scattering, a dark level.

    Parameters
    ----------
    spectra : Features
        Spectra of lines that stand above a smooth background, without spikes
        (`correct_spikes`). The steps of the axis may differ. NaN stay, and
        are bridged. Numpy gives numpy; dask gives dask, after a look at some
        rows where `line_width` is not told.
    method : {"arpls", "als", "snip", "polynomial"}
        How lines are kept out of the baseline. "arpls" weighs every channel
        by how likely it is noise about the baseline, which so runs through
        the middle of the noise [1]_: good unless lines cover nearly all of
        the axis. "als" weighs what is above by `asymmetry` [2]_: it needs no
        noise, and lies low in it. "snip" clips whatever is narrower than its
        window, on a scale for counts [3]_ [4]_: for many lines on steep or
        bent backgrounds, as in X-ray spectra. "polynomial" fits one to spectra
        whose lines are clipped round by round [5]_.
    line_width : text, optional
        Full width at half maximum of the broadest line that is to be kept,
        such as "40 1/cm"; of bands that touch, the width of all. The baseline
        follows what is eight times as wide; the window of "snip" reaches two
        widths to both sides. By default one and a half times what most peaks
        in the mean of a sample do not exceed, told in the notes; a quarter of
        the axis where no peak stands out.
    order : int
        Of "polynomial", which does not use `line_width`. Five follow the
        fluorescence of most samples.
    asymmetry : float
        Of "als": the smaller, the lower the baseline.

    Returns
    -------
    BaselineCorrection
        Spectra of the same dims and unit, whose values scatter about zero
        where there are no lines; and the mean of each baseline.

    Raises
    ------
    KindError
        If the measured axis has no values, fewer than five, or turns back.
    SettingError
        If the width is not above the step of the axis and below the axis,
        the order is not from 0 (a level) to 20, or the asymmetry not between 0 and 0.5.

    Notes
    -----
    Far tails of a Lorentzian line are as smooth as any background, and go
    with it: of simulated spectra of 12 lines 12 or 30 1/cm wide on 2800 1/cm
    "arpls" kept 77 to 87 % of the area of Lorentzians, and 99 to 101 % of
    that of Gaussians a hundred times as high as the noise.

    The smoother of "arpls" and "als" weighs third derivatives, where the
    papers weigh second ones, which ask a baseline to be straight at both
    ends: on bent fluorescence it then comes off its data from there. Only
    where eight widths are more than the axis second ones are weighed, and
    the baseline is nearly a straight line.

    References
    ----------
    .. [1] S.-J. Baek et al., Analyst 140, 250 (2015).
    .. [2] P. H. C. Eilers, Anal. Chem. 76, 404 (2004).
    .. [3] C. G. Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988).
    .. [4] M. Morhac and V. Matousek, Appl. Spectrosc. 62, 91 (2008).
    .. [5] J. Zhao et al., Appl. Spectrosc. 61, 1225 (2007).

    Examples
    --------
    >>> shift = np.arange(400.0, 1600.0, 2.0)
    >>> line = 100 * np.exp(-((shift - 1000) / 10) ** 2)
    >>> axis = {"wavenumber": ("wavenumber", shift, {"units": "1/cm"})}
    >>> rows = xr.DataArray([line + shift / 10], dims=("site", "wavenumber"), coords=axis)
    >>> corrected = correct_baseline(rows, line_width="20 1/cm")
    >>> float(abs(corrected.spectra - line).max()) < 0.5, corrected.level.values.round()
    (True, array([[100.]]))
    """
    FEATURES.check(spectra)
    axis, unit = channel_axis_of(spectra)
    _check(axis, str(spectra.dims[-1]), order, asymmetry)
    width = None
    if method != "polynomial":
        width = _line_width(spectra, axis, unit, line_width)
    baseline_of = _baseline_of(method, axis, width or 0.0, order, asymmetry)

    def work(rows: NDArray[Any]) -> NDArray[Any]:
        baseline = baselines_of_rows(rows, baseline_of)
        return np.hstack([rows - baseline, baseline.mean(axis=1, keepdims=True)])

    both = by_rows(spectra, work, n_columns=len(axis) + 1)
    result = spectra.copy(data=both.data[..., :-1])
    how = f"a polynomial of order {order}" if width is None else f"lines up to {width:.4g} {unit}"
    add_note(result, f"A baseline was taken off every spectrum ({method}, {how}).")
    units = {"baseline_level": str(spectra.attrs.get("units", "1"))}
    return BaselineCorrection(result, named_measures(both[..., -1:], units, name="baseline_level"))


def _check(axis: NDArray[np.float64], dim: str, order: int, asymmetry: float) -> None:
    steps = np.diff(axis)
    if len(axis) < 5 or not ((steps > 0).all() or (steps < 0).all()):
        msg = (
            f"the axis {dim!r} has {len(axis)} channels that do not all follow in one direction: "
            "a baseline needs five or more that rise, or fall, throughout"
        )
        raise KindError(msg)
    if not 0 <= order <= 20:
        msg = f"{order=} must be from 0 to 20: try 5, or method='arpls'"
        raise SettingError(msg)
    if not 0 < asymmetry < 0.5:
        msg = f"{asymmetry=} must be between 0 and 0.5, such as 0.01"
        raise SettingError(msg)


def _line_width(
    spectra: xr.DataArray, axis: NDArray[np.float64], unit: str, line_width: str | None
) -> float:
    extent = abs(axis[-1] - axis[0])
    step = extent / (len(axis) - 1)
    if line_width is not None:
        width = length_on_axis(spectra, line_width, name="line_width")
        if not step < width < extent:
            msg = (
                f"{line_width=} must be above one step of the axis, {step:.4g} {unit}, and below "
                f"all of it, {extent:.4g} {unit}"
            )
            raise SettingError(msg)
        return width
    usual = line_width_of(axis, _typical_spectrum(spectra))
    wide = extent * _NO_LINE_SHARE if usual is None else _MARGIN * usual
    return float(max(wide, 2 * step))


def _typical_spectrum(spectra: xr.DataArray) -> NDArray[np.float64]:
    """Average rows from all over the map without the highest values of every channel."""
    cut = blocks(spectra)
    # Some blocks are enough to see how wide lines are: a map on disk is not read twice for it.
    numbers = np.unique(np.linspace(0, len(cut) - 1, min(len(cut), _SAMPLE_BLOCKS)).astype(int))
    each = -(-_SAMPLE_ROWS // max(len(numbers), 1))
    parts = []
    for number in numbers:
        block = cut[int(number)]
        rows = np.concatenate([block.values, block.incomplete])
        parts.append(rows[:: max(1, len(rows) // each)])
    if not parts:
        return np.zeros(spectra.shape[-1])
    # NaN come last in order.
    ranked = np.sort(np.concatenate(parts), axis=0).astype(np.float64)
    count = np.isfinite(ranked).sum(axis=0)
    kept = np.minimum(np.maximum(1, np.round(_KEPT_SHARE * count)), count)
    low = np.where(np.arange(len(ranked))[:, None] < kept, ranked, 0.0)
    known = np.flatnonzero(count)
    if not known.size:
        return np.zeros(spectra.shape[-1])
    mean = low.sum(axis=0)[known] / kept[known]
    return np.asarray(np.interp(np.arange(spectra.shape[-1]), known, mean))


def _baseline_of(
    method: Method, axis: NDArray[np.float64], width: float, order: int, asymmetry: float
) -> BaselineOf:
    if method == "polynomial":
        return polynomial_baseline(axis, order)
    if method == "snip":
        return snip_baseline(axis, _HALF_WINDOW_IN_WIDTHS * width)
    weigh = arpls_weights if method == "arpls" else asymmetric_weights(asymmetry)
    return stiff_baseline(axis, _WAVELENGTH_IN_WIDTHS * width, weigh)
