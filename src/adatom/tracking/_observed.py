"""Sites as linking sees them: in one order, frame by frame, with times, errors and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.schema import CLASSES, SITES, Classes, Sites, positions, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# A classifier is never surer than this.
_LEAST_PROBABILITY: Final = 1e-3
# Changes between more classes than this cannot be estimated from the links of a movie.
MOST_CLASSES: Final = 64
# In sizes of the median variance: a failed fit must not widen the search for all.
_LARGEST_VARIANCE: Final = 25.0


@dataclass(frozen=True)
class Observed:
    """Sites with finite positions, by frame, then y, then x.

    Attributes
    ----------
    site : ndarray of int, shape (n,)
        Which site each is.
    place : ndarray, shape (n, 2)
    start : ndarray of int, shape (frame + 1,)
        Frame f holds ``start[f]`` to ``start[f + 1]``.
    frames : ndarray of int, shape (frame,)
        Numbers of the frames that hold sites.
    step : int
        Difference of the numbers of consecutive frames.
    times : ndarray, shape (frame,)
        In `time_unit`.
    time_unit : str
        "frame" where no times are known.
    covariance : ndarray, shape (n, 2, 2), optional
        NaN where the error of a position is not known.
    posterior : ndarray, shape (n, class), optional
        NaN where not classified.
    area : float
        Of the field, in the unit of the sites squared.
    """

    site: Ints
    place: Floats
    start: Ints
    frames: Ints
    step: int
    times: Floats
    time_unit: str
    covariance: Floats | None
    posterior: Floats | None
    area: float

    @property
    def n_frames(self) -> int:
        """How many frames hold sites."""
        return len(self.frames)

    @property
    def frame_of(self) -> Ints:
        """Frame, counted from zero, of every site."""
        return np.repeat(np.arange(self.n_frames), np.diff(self.start))

    @property
    def density(self) -> float:
        """Sites in a frame and unit of area."""
        return len(self.place) / max(self.n_frames, 1) / self.area

    @property
    def time_step(self) -> float:
        """Typical time from a frame to the next."""
        if self.n_frames < 2:
            return 1.0
        per_frame = np.diff(self.times) / np.diff(self.frames)
        return float(np.median(per_frame)) * self.step


def observed_sites(
    sites: Sites, classes: Classes | None, /, *, use_classes: bool = True
) -> Observed:
    """Put sites into the order in which they are linked.

    Raises
    ------
    KindError
        If the sites have no frames, or classes are of other sites.
    SettingError
        If times do not increase with the frames.
    """
    SITES.check(sites)
    if "frame" not in sites.coords:
        msg = (
            "the sites have no 'frame', by which they are linked: find them with "
            "localization.find_atoms_in_movie, or give frame= to sites_from_positions"
        )
        raise KindError(msg)
    place = positions(sites)
    frame = sites.coords["frame"].values
    usable = np.flatnonzero(np.isfinite(place).all(axis=1))
    posterior = _posterior(sites, classes) if use_classes else None
    covariance = _covariance(sites)
    # The last keys decide where sites lie on one another.
    keys = [place[usable, 1], place[usable, 0], frame[usable]]
    if posterior is not None:
        keys.insert(0, np.nan_to_num(posterior[usable]) @ np.arange(posterior.shape[1]))
    order = usable[np.lexsort(keys)]
    frames, start = np.unique(frame[order], return_index=True)
    step = int(np.percentile(np.diff(frames), 50, method="lower")) if len(frames) > 1 else 1
    times, unit = _times(sites, order, start, frames)
    return Observed(
        site=order,
        place=place[order],
        start=np.append(start, len(order)).astype(np.intp),
        frames=frames.astype(np.intp),
        step=step,
        times=times,
        time_unit=unit,
        covariance=None if covariance is None else covariance[order],
        posterior=None if posterior is None else posterior[order],
        area=_area(sites, place[order]),
    )


def _times(sites: Sites, order: Ints, start: Ints, frames: Ints) -> tuple[Floats, str]:
    known = sites.variables.get("time")
    unit = None if known is None else known.attrs.get("units")
    if known is None or known.dims != ("site",) or unit not in {"s", "ns"}:
        return frames.astype(float), "frame"
    times = known.values.astype(float)[order][start]
    bad = np.flatnonzero(~(np.diff(times) > 0))
    if bad.size:
        at = int(bad[0])
        msg = (
            f"time is {times[at]:.6g} {unit} in frame {frames[at]} and {times[at + 1]:.6g} {unit} "
            f"in frame {frames[at + 1]}: it must increase; correct it or drop 'time' from the sites"
        )
        raise SettingError(msg)
    return times, str(unit)


def _covariance(sites: Sites) -> Floats | None:
    known = sites.variables.get("covariance")
    if known is None or known.shape[1:] != (2, 2) or known.dims[0] != "site":
        return None
    covariance = known.values.astype(float)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    sound = np.isfinite(covariance).all(axis=(1, 2)) & (variance > 0).all(axis=1)
    if not sound.any():
        return None
    mean = variance.mean(axis=1)
    limit = _LARGEST_VARIANCE * np.median(mean[sound])
    shrink = np.minimum(1.0, limit / np.where(sound, mean, 1.0))
    found: Floats = np.where(sound[:, None, None], covariance * shrink[:, None, None], np.nan)
    return found


def _posterior(sites: Sites, classes: Classes | None) -> Floats | None:
    """Give the probability of each class, from classes, labels or names; NaN: not classified."""
    told = sites if classes is None else classes
    n_sites = sites.sizes["site"]
    if classes is not None:
        CLASSES.check(classes)
        if classes["label"].dims != ("site",) or classes.sizes["site"] != n_sites:
            msg = (
                f"classes have dims {dict(classes['label'].sizes)}, the sites {n_sites} along "
                "'site': give the classes of these sites"
            )
            raise KindError(msg)
    labels = told.variables.get("label")
    if labels is not None and labels.dims == ("site",) and labels.dtype.kind == "i":
        label = labels.values
    elif classes is None and "class" in sites.variables and sites["class"].dims == ("site",):
        _, label = np.unique(sites["class"].values.astype(str), return_inverse=True)
    else:
        return None
    known = told.variables.get("probability")
    if known is not None and known.dims == ("site", "class"):
        posterior = known.values.astype(float)
        posterior = np.where((label >= 0)[:, None], posterior, np.nan)
    else:
        if not (label >= 0).any():
            return None
        _, dense = np.unique(np.where(label < 0, -1, label), return_inverse=True)
        dense = dense - int((label < 0).any())
        posterior = np.eye(int(dense.max()) + 1)[dense]
        posterior[dense < 0] = np.nan
    if not 1 < posterior.shape[1] <= MOST_CLASSES:
        return None
    clipped = np.clip(posterior, _LEAST_PROBABILITY, None)
    total: Floats = clipped / clipped.sum(axis=1, keepdims=True)
    return total


def _area(sites: Sites, place: Floats) -> float:
    stored = sites.attrs.get("extent")
    if stored is not None:
        low_y, high_y, low_x, high_x = (float(value) for value in stored)
        area = (high_y - low_y) * (high_x - low_x)
        if area > 0:
            return area
    if len(place) > 1:
        height, width = np.ptp(place, axis=0)
        # Sites on a line have a field as well.
        longest = max(height, width)
        if longest > 0:
            return float(max(height, 0.1 * longest) * max(width, 0.1 * longest))
    return 1.0


def unit_of_diffusion(sites: Sites, time_unit: str, /) -> str:
    """Name the unit of a diffusion coefficient of these sites."""
    return f"{space_unit(sites)}^2/{time_unit}"
