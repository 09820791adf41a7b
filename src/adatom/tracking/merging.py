"""Merges and splits: tracks that end in the middle of another, or begin there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.sparse_assignment import assign_by_gain
from adatom.schema import Sites, Table, add_note, space_unit, table_from_columns
from adatom.tracking._encounters import (
    Directed,
    Encounters,
    Ends,
    MergeRate,
    directed,
    encounters_of,
    ends_of,
    log_odds,
    mirrored,
    rate_of_merges,
)
from adatom.tracking._model import LinkModel, model_from_attrs
from adatom.tracking._observed import Observed, observed_sites
from adatom.tracking.linking import LINKING
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

# Merges are believed to occur if they better the likelihood of all ends by so many times the
# logarithm of their number.
_GAIN_PER_LOG: Final = 1.5


def find_merges_and_splits(
    tracks: Sites,
    /,
    *,
    intensity: str | None = None,
    max_distance: Length | None = None,
    min_length: int = 3,
    min_probability: float = 0.5,
) -> Table:
    """Find where a track ends in the middle of another, or begins there.

    What `link_sites` leaves are tracks of which no two share a site. Here, in
    a second assignment [1]_, each end is held against the sites of other
    tracks in the frames after it, and each beginning, back in time, against those
    before it. That another track passes near an end may be chance: how often it is
    follows from the neighbors of the sites whose tracks go on, how common
    merges are, and at what distance, from all ends together. The
    odds of a merge are those of one more neighbor, at the distance of a step,
    over chance. Where merges do not make the ends of this movie much likelier
    (by one and a half times the logarithm of their number), there are none.

    Parameters
    ----------
    tracks : Sites
        From `link_sites`.
    intensity : str, optional
        Variable along ``site`` that adds up where two become one, such as an
        integrated intensity: it tells a merge from a track that passes. By default
        positions alone do.
    max_distance : length, optional
        Between the end of a track and the site in which it merges. By default six
        standard deviations of a step, or three quarters of the mean distance of sites.
    min_length : int
        Tracks of fewer sites are mostly false detections: their ends are not looked at.
    min_probability : float
        Events that are less likely are left out. Their sum tells how many
        of those listed are expected to be false.

    Returns
    -------
    Table
        A row an event, in the order of frames: ``kind``, "merge" or "split";
        ``frame``, the first in which the two are one, or two; ``track``, that which ended or
        began; ``other``, that which goes on; ``y``, ``x`` of the site that they share;
        ``distance`` from there to the end or beginning; ``n_missed``, frames in
        between; ``log_odds`` and ``probability``; ``intensity_ratio``, of the one over the
        sum of both, NaN where it is not known. ``attrs``: ``n_ends``, ``n_beginnings`` that
        were judged, ``merge_share``, ``split_share`` of them.

    Raises
    ------
    KindError
        If the sites were not linked by `link_sites`, or `intensity` is no numbers of theirs.
    SettingError
        If `min_length` is below 1 or `min_probability` not between 0 and 1.

    Notes
    -----
    Two that are one for no longer than `link_sites` lets a site be missed are linked
    across, and no event. Tracks keep their numbers: which of the two went on is but
    the likelier link.

    References
    ----------
    .. [1] K. Jaqaman et al., Nat. Methods 5, 695 (2008), for the second assignment.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import sites_from_positions
    >>> from adatom.tracking import link_sites
    >>> place = np.random.default_rng(0).uniform(0, 50, (30, 2))
    >>> y, x = np.tile(place, (10, 1)).T
    >>> sites = sites_from_positions(y, x, unit="nm", frame=np.repeat(np.arange(10), 30))
    >>> find_merges_and_splits(link_sites(sites)).sizes["row"]
    0
    """
    if min_length < 1:
        msg = f"{min_length=} must be 1 or more"
        raise SettingError(msg)
    if not 0 <= min_probability <= 1:
        msg = f"{min_probability=} must be between 0 and 1"
        raise SettingError(msg)
    observed = observed_sites(tracks, None, use_classes=False)
    if "track" not in tracks.variables or LINKING not in tracks.attrs:
        msg = "the sites are not linked: run tracking.link_sites on them first"
        raise KindError(msg)
    model, memory = model_from_attrs(tracks.attrs[LINKING])
    reach = None
    if max_distance is not None:
        reach = length_from_setting(
            max_distance,
            unit=space_unit(tracks),
            spacing=tracks.attrs.get("spacing"),
            name="max_distance",
        )
    track = tracks["track"].values[observed.site].astype(np.intp)
    forward = directed(observed, track, _intensity(tracks, intensity, observed))
    events = [
        _events(kind, seen, model, memory, reach, min_length, min_probability)
        for kind, seen in (("merge", forward), ("split", mirrored(forward)))
    ]
    return _table(events, tracks, observed, min_length)


class _Events(NamedTuple):
    """Events of one direction of time, and what they were chosen from."""

    kind: str
    seen: Directed
    ends: Ends
    found: Encounters
    chosen: Ints
    odds: Floats
    probability: Floats
    rate: MergeRate
    believed: bool


def _events(
    kind: str,
    seen: Directed,
    model: LinkModel,
    memory: int,
    reach: float | None,
    min_length: int,
    min_probability: float,
) -> _Events:
    ends = ends_of(seen, memory, min_length)
    found = encounters_of(seen, model, memory, ends.judged, reach)
    rate = rate_of_merges(found, len(ends.judged))
    believed = rate.gain > _GAIN_PER_LOG * np.log(max(len(ends.judged), 2))
    if not believed:
        none = np.zeros(0)
        return _Events(kind, seen, ends, found, none.astype(np.intp), none, none, rate, believed)
    odds = log_odds(found, rate)
    _, row = np.unique(found.end, return_inverse=True)
    terms = np.exp(np.clip(odds, -300.0, 300.0))
    # Several sites of one track are near an end: in which of them it merged is of less interest.
    _, pair = np.unique(np.stack([found.end, seen.track[found.site]]), axis=1, return_inverse=True)
    together = np.bincount(pair, weights=terms)[pair]
    probability = together / (1 + np.bincount(row, weights=terms)[row])
    # Gains are of odds of any size, so that less likely events can be asked for.
    gain = np.maximum(odds + 300.0, 1e-9)
    chosen = np.flatnonzero(
        assign_by_gain(
            row, found.site, gain, n_rows=int(row.max(initial=-1)) + 1, n_columns=len(seen.track)
        )
        & (probability >= min_probability)
    )
    return _Events(
        kind, seen, ends, found, chosen, odds[chosen], probability[chosen], rate, believed
    )


def _intensity(tracks: Sites, name: str | None, observed: Observed) -> Floats | None:
    if name is None:
        return None
    known = tracks.variables.get(name)
    if known is None or known.dims != ("site",) or known.dtype.kind not in "fiu":
        numbers = ", ".join(
            str(other)
            for other, one in tracks.variables.items()
            if one.dims == ("site",) and one.dtype.kind in "fiu"
        )
        msg = f"intensity={name!r} is no number along 'site': these sites have {numbers}"
        raise KindError(msg)
    values = known.values.astype(float)[observed.site]
    return np.where(values > 0, values, np.nan)


def _table(events: list[_Events], tracks: Sites, observed: Observed, min_length: int) -> Table:
    unit = space_unit(tracks)
    parts: dict[str, list[NDArray[np.generic]]] = {}
    for one in events:
        at = one.chosen
        last = len(observed.place) - 1
        end, site = one.found.end[at], one.found.site[at]
        first = site if one.kind == "merge" else last - end
        place = one.seen.observed.place[site]
        columns = {
            "frame": observed.frames[observed.frame_of[first]],
            "kind": np.full(len(at), one.kind),
            "track": one.seen.track[end],
            "other": one.seen.track[site],
            "y": place[:, 0],
            "x": place[:, 1],
            "distance": one.found.distance[at],
            "n_missed": one.found.missed[at],
            "log_odds": one.odds,
            "probability": one.probability,
            "intensity_ratio": one.found.ratio[at],
        }
        for name, column in columns.items():
            parts.setdefault(name, []).append(column)
    joined = {name: np.concatenate(part) for name, part in parts.items()}
    order = np.lexsort((joined["track"], joined["frame"]))
    table = table_from_columns(
        {name: column[order] for name, column in joined.items()},
        units=dict.fromkeys(("y", "x", "distance"), unit),
    )
    merges, splits = events
    table.attrs |= {
        "n_ends": len(merges.ends.judged),
        "n_beginnings": len(splits.ends.judged),
        "merge_share": merges.rate.share if merges.believed else 0.0,
        "split_share": splits.rate.share if splits.believed else 0.0,
    }
    for one, what in ((merges, "ends"), (splits, "beginnings")):
        add_note(table, _in_words(one, what, min_length))
    return table


def _in_words(events: _Events, what: str, min_length: int) -> str:
    ends, n = events.ends, len(events.chosen)
    text = f"Of {len(ends.judged)} {what} of tracks "
    if events.believed:
        expected = float((1 - events.probability).sum())
        text += f"{n} are {events.kind}s, of which {expected:.2g} are expected to be false"
    else:
        text += (
            f"none is taken for a {events.kind}: they are near other tracks no more often "
            "than by chance"
        )
    if ends.n_short:
        text += f"; {ends.n_short} of tracks of fewer than {min_length} sites were left out"
    if ends.n_late:
        edge = "end" if what == "ends" else "beginning"
        text += f"; {ends.n_late} at the {edge} of the movie tell nothing"
    return text + "."
