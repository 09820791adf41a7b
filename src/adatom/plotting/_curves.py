"""Curves over the measured axis: lines, loops, stems of peak lists, decays on a log scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator

from adatom.plotting._canvas import (
    FAINT,
    INK,
    plain_text,
    style_axes,
    text_style,
    write_numbers_out,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Steps of an axis differ by more than this factor: its channels are peaks, not samples.
_PEAKS: Final = 20.0
# So do the steps from one peak to the next, by whatever: those of a profile are like their
# neighbors, on a time-of-flight axis as well, where they grow slowly.
_UNEVEN: Final = 0.1
# Counts are read on a log scale where most are this many times less than the highest: of a decay,
# and of X-ray lines on next to nothing.
_LOG_RANGES: Final = {"time": 20.0, "energy": 100.0}


@dataclass(frozen=True)
class CurveAxis:
    """The measured axis of features, as it is drawn.

    Attributes
    ----------
    values : array
        In the order in which they were measured: a voltage that goes up and
        down draws a loop.
    label : str
        Name and unit.
    has_stems : bool
        Whether the channels are peaks, such as of a mass spectrum, that no
        line joins.
    log_range : float
        By how much the highest value stands above the middle one where the
        scale is to be logarithmic.
    """

    values: NDArray[np.float64]
    label: str
    has_stems: bool = False
    log_range: float = float("inf")

    @property
    def is_loop(self) -> bool:
        """Whether the axis turns back."""
        steps = np.diff(self.values)
        return bool((steps > 0).any() and (steps < 0).any())


def curve_axis(features: xr.DataArray, /) -> CurveAxis:
    """Find how the last dim of features is drawn; channels without an axis are counted."""
    dim = str(features.dims[-1])
    axis = features.coords.get(dim)
    if axis is None or axis.dtype.kind not in "fiu":
        return CurveAxis(np.arange(features.shape[-1], dtype=float), plain_text(dim))
    values = axis.values.astype(float)
    unit = str(axis.attrs.get("units", "1"))
    label = plain_text(
        dim.replace("_", " ") if unit == "1" else f"{dim.replace('_', ' ')} [{unit}]"
    )
    steps = np.abs(np.diff(values))
    peaks = unit == "Da" and _is_of_peaks(np.maximum(steps, 1e-12))
    return CurveAxis(values, label, has_stems=peaks, log_range=_LOG_RANGES.get(dim, np.inf))


def _is_of_peaks(steps: NDArray[np.float64]) -> bool:
    """Tell whether an axis holds picked peaks or bins with gaps, no samples of a profile."""
    if not steps.size:
        return False
    changes = np.abs(np.diff(np.log(steps)))
    uneven = changes.size > 0 and np.median(changes) > _UNEVEN
    return bool(uneven or steps.max() > _PEAKS * np.median(steps))


def is_curve(features: xr.DataArray, /) -> bool:
    """Tell whether a row of features is a curve over an axis with numbers and a unit."""
    axis = features.coords.get(features.dims[-1])
    return axis is not None and axis.dtype.kind in "fiu" and "units" in axis.attrs


def draw_curve(
    axes: Axes,
    axis: CurveAxis,
    row: NDArray[np.floating],
    /,
    **style: Any,  # noqa: ANN401 -- whatever matplotlib takes of a line
) -> None:
    """Draw one row over the axis."""
    if not axis.has_stems:
        axes.plot(axis.values, row, **style)
        return
    width = style.pop("linewidth", 1.0)
    axes.vlines(
        axis.values,
        0.0,
        row,
        colors=style.get("color", INK),
        linewidth=width,
        label=style.get("label", ""),
        alpha=style.get("alpha"),
    )


def draw_band(
    axes: Axes,
    axis: CurveAxis,
    low: NDArray[np.floating],
    high: NDArray[np.floating],
    /,
    *,
    color: str,
    alpha: float = 0.22,
) -> None:
    """Shade between two rows; not of loops and stems, where bands would hide one another."""
    if not axis.has_stems and not axis.is_loop:
        axes.fill_between(axis.values, low, high, color=color, alpha=alpha, linewidth=0)


def finish_curves(
    axes: Axes,
    axis: CurveAxis,
    /,
    *,
    y_label: str = "",
    title: str = "",
    shown: NDArray[np.floating] | None = None,
    small: bool = False,
) -> None:
    """Style axes with curves; counts, given in `shown`, get a log scale where they need it."""
    style_axes(axes)
    if shown is not None and _falls_far(shown, axis.log_range):
        axes.set_yscale("log")
        positive = shown[np.isfinite(shown) & (shown > 0)]
        axes.set_ylim(max(positive.min(), positive.max() * 1e-5) * 0.7, positive.max() * 1.5)
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_major_formatter(LogFormatterSciNotation())
        axes.minorticks_off()
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4 if small else 6))
        write_numbers_out(axes.yaxis)
    write_numbers_out(axes.xaxis)
    width = axes.get_window_extent().width / axes.figure.dpi
    axes.xaxis.set_major_locator(MaxNLocator(8 if width > 4 else 4))
    size = 7 if small else 8
    axes.set_xlabel(axis.label, **text_style(size=size))
    if y_label:
        axes.set_ylabel(y_label, **text_style(size=size))
    if title:
        axes.set_title(title, loc="left", pad=4, **text_style(size=8))


def _falls_far(rows: NDArray[np.floating], log_range: float) -> bool:
    known = rows[np.isfinite(rows)]
    if known.size == 0 or known.min() < 0:
        return False
    positive = known[known > 0]
    return bool(positive.size) and bool(positive.max() > log_range * np.median(positive))


def curve_legend(axes: Axes, /, *, outside: bool = False) -> None:
    """Write the names of the curves, beside the axes if asked."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02)} if outside else {}
    drawn = axes.legend(
        frameon=False,
        prop={"family": "DejaVu Sans", "size": 7.5},
        labelcolor=INK,
        handlelength=1.4,
        borderaxespad=0.2,
        **place,
    )
    for text in drawn.get_texts():
        text.set_parse_math(False)


def quiet_note(axes: Axes, text: str, /) -> None:
    """Write a remark in the upper right corner of axes."""
    axes.text(
        0.99,
        0.98,
        text,
        transform=axes.transAxes,
        ha="right",
        va="top",
        **text_style(size=7, color=FAINT),
    )
