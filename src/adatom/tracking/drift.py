"""What all sites of a movie move together, found and taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from adatom.errors import KindError, SettingError
from adatom.schema import Sites, Table, add_note, space_unit, table_from_columns
from adatom.tracking._observed import Observed, observed_sites
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Method = Literal["auto", "tracks", "voting"]

# In mean distances of sites.
_REACH: Final = 10.0
_BINS: Final = (0.1, 0.25, 0.5)
_PARTNERS_WITHIN: Final = 0.5
# Sites that vote: more tell no more.
_VOTERS: Final = 300
# Chance is the mean of so many bins around.
_AROUND: Final = 21
# Votes above chance, in standard deviations.
_CLEAR: Final = 6.0
# Of displacements with nearly as many votes as the best the smallest is taken.
_NEARLY: Final = 0.85
_LEAST_COMMON: Final = 3
_ROUNDS: Final = 3
_OUTLYING: Final = 3.0


class DriftRemoval(NamedTuple):
    """Sites without their common motion, and that motion.

    Attributes
    ----------
    sites : Sites
        With ``y`` and ``x`` less the drift; ``y_raw`` and ``x_raw`` as they were.
    drift : Table
        A row a frame: ``frame``; ``y``, ``x``, the drift since the first frame;
        ``y_error``, ``x_error``, its standard errors; ``n_common``, how many
        sites the frame has in common with the one before.
    """

    sites: Sites
    drift: Table


class _Shift(NamedTuple):
    """Displacement from one frame to the next."""

    shift: Floats
    error: Floats
    n_common: int


_UNKNOWN: Final = _Shift(np.zeros(2), np.full(2, np.nan), 0)


def remove_drift(
    sites: Sites, /, *, method: Method = "auto", max_drift: Length | None = None
) -> DriftRemoval:
    """Take off what all sites of a movie move together.

    Before linking, every pair of a site and one of the next frame votes for
    the displacement that would bring the one onto the other; that with the
    most votes is the drift, which may be larger than the distance of
    sites. It is refined by the sites that match one another then, as the mean of
    their displacements without outlying ones. Where tracks are known, the
    displacements are theirs.

    Parameters
    ----------
    sites : Sites
        With ``frame``, of two frames or more.
    method : {"auto", "tracks", "voting"}
        By tracks if the sites have ``track``, else by voting.
    max_drift : length, optional
        No larger displacement from one frame to the next is sought by
        voting. By default ten mean distances of sites, or half of the field.

    Returns
    -------
    DriftRemoval
        Sites, in the same order, and a table of the drift.

    Raises
    ------
    KindError
        If sites have no ``frame``, or no ``track`` where that is to be used.
    SettingError
        If `max_drift` is not positive.

    Notes
    -----
    In a crystal any lattice vector brings most sites onto others: the
    smallest displacement is taken, so that a drift of more than half a
    lattice vector a frame is not seen, unless defects alone are given. The
    mean also holds what the sites move by chance, of the order of their step by
    the root of their number, which adds up over the frames; the errors tell it.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> y, x = np.random.default_rng(0).uniform(0, 9, (2, 30))
    >>> sites = sites_from_positions(
    ...     np.append(y, y + 3), np.append(x, x), unit="nm", frame=np.repeat([0, 1], 30)
    ... )
    >>> remove_drift(sites).drift["y"].values.round(6)
    array([0., 3.])
    """
    observed = observed_sites(sites, None, use_classes=False)
    if method not in ("auto", "tracks", "voting"):
        msg = f'{method=} must be "auto", "tracks" or "voting"'
        raise SettingError(msg)
    has_tracks = "track" in sites.variables
    if method == "tracks" and not has_tracks:
        msg = "the sites have no 'track': run tracking.link_sites first, or take method=\"voting\""
        raise KindError(msg)
    reach = None
    if max_drift is not None:
        reach = length_from_setting(
            max_drift, unit=space_unit(sites), spacing=sites.attrs.get("spacing"), name="max_drift"
        )
        if not reach > 0:
            msg = f"{max_drift=} must be positive"
            raise SettingError(msg)
    if has_tracks and method != "voting":
        steps = _of_tracks(observed, sites["track"].values[observed.site])
    else:
        steps = _of_votes(observed, reach)
    return _taken_off(sites, observed, steps)


def _of_tracks(observed: Observed, track: NDArray[np.integer]) -> list[_Shift]:
    """Take the displacements of sites that follow one another in a track."""
    steps = []
    for f in range(1, observed.n_frames):
        one, two = (np.arange(observed.start[k], observed.start[k + 1]) for k in (f - 1, f))
        common, i, j = np.intersect1d(track[one], track[two], return_indices=True)
        keep = common >= 0
        moved = observed.place[two[j[keep]]] - observed.place[one[i[keep]]]
        steps.append(_center(moved))
    return steps


def _of_votes(observed: Observed, reach: float | None) -> list[_Shift]:
    spacing = 1 / np.sqrt(max(observed.density, 1e-300))
    if reach is None:
        field = float(np.ptp(observed.place, axis=0).max()) if len(observed.place) else 1.0
        reach = min(_REACH * spacing, max(0.5 * field, spacing))
    steps = []
    for f in range(1, observed.n_frames):
        one, two = (observed.place[observed.start[k] : observed.start[k + 1]] for k in (f - 1, f))
        steps.append(_between(one, two, reach, spacing))
    return steps


def _between(one: Floats, two: Floats, reach: float, spacing: float) -> _Shift:
    """Find the displacement of one frame to the next: votes, then the sites that match."""
    if min(len(one), len(two)) < _LEAST_COMMON:
        return _UNKNOWN
    shift = _voted(one, two, reach, spacing)
    if shift is None:
        return _UNKNOWN
    found = _UNKNOWN
    for _ in range(_ROUNDS):
        found = _center(_matched(one, two, shift, _PARTNERS_WITHIN * spacing))
        if found.n_common < _LEAST_COMMON:
            return _UNKNOWN
        shift = found.shift
    return found


def _matched(one: Floats, two: Floats, shift: Floats, within: float) -> Floats:
    """Give the displacements of sites that are nearest to one another once shifted."""
    moved = one + shift
    distance, partner = cKDTree(two).query(moved, distance_upper_bound=within)
    _, back = cKDTree(moved).query(two)
    i = np.flatnonzero(np.isfinite(distance))
    i = i[back[partner[i]] == i]
    return np.asarray(two[partner[i]] - one[i])


def _voted(one: Floats, two: Floats, reach: float, spacing: float) -> Floats | None:
    """Find the displacement with the most votes above chance, over a few sizes of bins."""
    # Sites are in order of y, so that every k-th are from all over the field.
    voters = one[:: max(1, len(one) // _VOTERS)]
    near = cKDTree(voters).sparse_distance_matrix(cKDTree(two), reach, output_type="ndarray")
    moved = two[near["j"]] - voters[near["i"]]
    best: tuple[float, Floats, float] | None = None
    for width in (size * spacing for size in _BINS):
        half = int(np.ceil(reach / width)) + 1
        side = 2 * half + 1
        bins = np.rint(moved / width).astype(np.intp) + half
        votes = np.bincount(bins @ np.array([side, 1]), minlength=side**2)
        raw = votes.reshape(side, side).astype(float)
        chance = 9 * uniform_filter(raw, min(_AROUND, side), mode="nearest")
        above = 9 * uniform_filter(raw, 3, mode="constant") - chance
        clear = float((above / np.sqrt(chance + 1)).max())
        if best is None or clear > best[0]:
            high = np.argwhere(above >= _NEARLY * above.max()) - half
            least = high[np.argmin((high**2).sum(axis=1))] * width
            best = clear, least, width
    if best is None or best[0] < _needed(len(voters)):
        return None
    return _climbed(moved, best[1], 1.5 * best[2])


def _needed(n_voters: int) -> float:
    """Tell how clear votes must be; few sites cannot have many."""
    return min(_CLEAR, 0.5 * n_voters / 2**0.5)


def _climbed(moved: Floats, start: Floats, radius: float) -> Floats:
    """Move to the middle of the votes around, until it stays."""
    away = moved - start
    moved = moved[(np.abs(away[:, 0]) < 5 * radius) & (np.abs(away[:, 1]) < 5 * radius)]
    place = start
    for _ in range(20):
        away = moved - place
        near = (np.abs(away[:, 0]) <= radius) & (np.abs(away[:, 1]) <= radius)
        if not near.any():
            break
        following = moved[near].mean(axis=0)
        if np.abs(following - place).max() < 1e-6 * radius:
            break
        place = following
    return place


def _center(moved: Floats) -> _Shift:
    """Average displacements without outlying ones."""
    if len(moved) < _LEAST_COMMON:
        return _UNKNOWN._replace(n_common=len(moved))
    middle = np.median(moved, axis=0)
    spread = 1.4826 * np.median(np.abs(moved - middle), axis=0)
    keep = np.flatnonzero((np.abs(moved - middle) <= _OUTLYING * spread + 1e-12).all(axis=1))
    kept = moved[keep] if len(keep) >= _LEAST_COMMON else moved
    return _Shift(kept.mean(axis=0), kept.std(axis=0, ddof=1) / np.sqrt(len(kept)), len(moved))


def _taken_off(sites: Sites, observed: Observed, steps: list[_Shift]) -> DriftRemoval:
    unit = space_unit(sites)
    none = np.zeros((min(observed.n_frames, 1), 2))
    drift = np.cumsum(np.concatenate([none, *(one.shift[None] for one in steps)]), axis=0)
    squares = np.concatenate([none, *(one.error[None] ** 2 for one in steps)])
    # Where it is not known it is not less uncertain later.
    error = np.sqrt(np.cumsum(squares, axis=0))
    corrected = sites.copy()
    for axis, name in enumerate(("y", "x")):
        raw = sites.coords[name]
        values = raw.values.astype(float).copy()
        values[observed.site] -= drift[observed.frame_of, axis]
        corrected = corrected.assign_coords({name: ("site", values, dict(raw.attrs))})
        if f"{name}_raw" not in sites.variables:
            corrected[f"{name}_raw"] = ("site", raw.values, {"units": unit})
    unknown = [
        int(observed.frames[f + 1]) for f, one in enumerate(steps) if one.n_common < _LEAST_COMMON
    ]
    if unknown:
        shown = ", ".join(map(str, unknown[:8])) + (" ..." if len(unknown) > 8 else "")
        add_note(
            corrected,
            f"{len(unknown)} frames have too few sites in common with the frame before to tell a "
            f"drift, and were left where they are: {shown}",
        )
    n_common = [0, *(one.n_common for one in steps)][: observed.n_frames]
    table = table_from_columns(
        {
            "frame": observed.frames, "y": drift[:, 0], "x": drift[:, 1],
            "y_error": error[:, 0], "x_error": error[:, 1],
            "n_common": np.array(n_common, dtype=np.int64),
        },
        units=dict.fromkeys(("y", "x", "y_error", "x_error"), unit),
    )  # fmt: skip
    return DriftRemoval(corrected, table)
