"""How far links can be trusted: near the limit, ambiguous, wrong in simulations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from adatom.errors import KindError, SettingError
from adatom.numerics.sparse_assignment import runner_up_losses
from adatom.schema import Sites, Table, add_note, space_unit, table_from_columns
from adatom.tracking._frames import link_frames, linked_candidates
from adatom.tracking._model import LinkModel, model_from_attrs
from adatom.tracking._observed import Observed, observed_sites
from adatom.tracking.linking import LINKING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

NEAR_LIMIT: Final = 0.8
"""A link longer than this share of the range is near the limit."""
AMBIGUOUS: Final = 20.0
"""A link is ambiguous if the next best assignment is less than so many times less likely."""
# Margins above it say no more: the next best is a thousand times less likely.
_CERTAIN: Final = float(np.log(1000.0))
# Frames after which simulated sites start anew where they were observed, so that neighbors stay
# as near to one another as they are.
_BLOCK: Final = 20
_SITES: Final = 40_000


class LinkQuality(NamedTuple):
    """How far links can be trusted.

    Attributes
    ----------
    summary : Table
        A row a figure: ``quantity``, ``value``, ``error``.
    lengths : Table
        ``length``, in sites, and ``n_tracks`` of it.
    sites : Sites
        With, for each that continues a track, ``link_distance``;
        ``link_range``, beyond which there is no link; ``link_margin``, the
        logarithm of how many times less likely the best assignment without
        this link is, 6.9 where it is more than a thousand times.
    """

    summary: Table
    lengths: Table
    sites: Sites


def assess_links(sites: Sites, /, *, n_simulations: int = 3, seed: int = 0) -> LinkQuality:
    """Tell how far the links of `link_sites` can be trusted.

    A link is *near the limit* if it is longer than 0.8 of the range: many such
    say that longer steps were cut off, and that diffusion is found too slow.
    It is *ambiguous* if the best assignment without it is less than 20 times
    less likely. *Wrong* and *lost* links are expected from simulations: in
    blocks of 20 frames, the tracks start where they were observed, take
    steps as they were estimated, are missed in the same frames, and are
    linked anew. False detections that were linked by chance are not among
    them: where many sites are in tracks of one, more links are wrong.

    Parameters
    ----------
    sites : Sites
        From `link_sites`.
    n_simulations : int
        How often to simulate; of long movies about 40,000 sites of the middle each time.
    seed : int
        Of the simulations.

    Returns
    -------
    LinkQuality
        Figures, lengths of tracks, and the margin of each link.

    Raises
    ------
    KindError
        If the sites were not linked by `link_sites`.
    SettingError
        If `n_simulations` is less than 1.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> from adatom.tracking import link_sites
    >>> y, x = [0.0, 9.0, 0.1, 9.1, 0.0, 9.2], [0.0, 9.0, 0.2, 9.1, 0.1, 9.0]
    >>> sites = sites_from_positions(y, x, unit="nm", frame=[0, 0, 1, 1, 2, 2])
    >>> assess_links(link_sites(sites)).lengths["length"].values
    array([3])
    """
    if n_simulations < 1:
        msg = f"{n_simulations=} must be 1 or more"
        raise SettingError(msg)
    observed = observed_sites(sites, None)
    if "track" not in sites.variables or LINKING not in sites.attrs:
        msg = "the sites are not linked: run tracking.link_sites on them first"
        raise KindError(msg)
    model, memory = model_from_attrs(sites.attrs[LINKING])
    if model.change is not None and (
        observed.posterior is None or observed.posterior.shape[1] != len(model.change)
    ):
        # Linked with classes that the sites do not carry.
        model = replace(model, change=None, prior=None)
    elif model.change is None:
        observed = replace(observed, posterior=None)
    track = sites["track"].values[observed.site]
    previous = _previous(track)
    distance, reach, margin = _links(observed, model, memory, previous)
    wrong, lost, n_simulated = _simulated(
        observed, model, memory, previous, n_simulations=n_simulations, seed=seed
    )
    assessed = _with_links(sites, observed, distance, reach, margin)
    length = np.unique(np.bincount(track[track >= 0]), return_counts=True)
    lengths = table_from_columns({"length": length[0], "n_tracks": length[1]})
    frame = observed.frame_of
    linked = np.flatnonzero(previous >= 0)
    gaps = observed.frames[frame[linked]] - observed.frames[frame[previous[linked]]]
    known = np.isfinite(margin[linked])
    shares = {
        "share over missed frames": _share(gaps > observed.step),
        "share near the limit": _share(distance[linked] > NEAR_LIMIT * reach[linked]),
        "share ambiguous": _share(margin[linked][known] < np.log(AMBIGUOUS)),
        "expected share wrong": _share_of(wrong, n_simulated),
        "expected share lost": _share_of(lost, n_simulated),
        "share of tracks of one site": _share(np.bincount(track[track >= 0]) == 1),
    }
    counts = {
        "sites": len(observed.site),
        "tracks": int(np.unique(track[track >= 0]).size),
        "links": len(linked),
    }
    summary = table_from_columns(
        {
            "quantity": [*counts, *shares],
            "value": [*map(float, counts.values()), *(value for value, _ in shares.values())],
            "error": [*(0.0 for _ in counts), *(error for _, error in shares.values())],
        }
    )
    add_note(assessed, _in_words(shares))
    return LinkQuality(summary, lengths, assessed)


def _previous(track: NDArray[np.integer]) -> Ints:
    """Give for each site, in the order of frames, that before it in its track."""
    previous = np.full(len(track), -1, dtype=np.intp)
    order = np.argsort(track, kind="stable")
    one, two = order[:-1], order[1:]
    same = (track[one] == track[two]) & (track[one] >= 0)
    previous[two[same]] = one[same]
    return previous


def _links(
    observed: Observed, model: LinkModel, memory: int, previous: Ints
) -> tuple[Floats, Floats, Floats]:
    """Give distance, range and margin of the link that leads to each site."""
    columns = np.full((3, len(previous)), np.nan)
    for here, chosen in linked_candidates(observed, model, memory, previous):
        found = here.found
        loss = runner_up_losses(found.row, found.column, found.gain, chosen, limit=_CERTAIN)
        site = found.column[chosen] + here.first_site
        columns[:, site] = found.distance[chosen], found.reach[chosen], loss[chosen]
    linked = np.flatnonzero(previous >= 0)
    step = observed.place[linked] - observed.place[previous[linked]]
    columns[0, linked] = np.linalg.norm(step, axis=1)
    return columns[0], columns[1], columns[2]


def _simulated(
    observed: Observed,
    model: LinkModel,
    memory: int,
    previous: Ints,
    *,
    n_simulations: int,
    seed: int,
) -> tuple[int, int, int]:
    """Count wrong and lost links, and all, of tracks that move as was estimated."""
    part, true = _middle(observed, memory, previous)
    rng = np.random.default_rng(seed)
    wrong = lost = total = 0
    for _ in range(n_simulations):
        moved = replace(part, place=_moved(part, model, true, rng))
        found = link_frames(moved, model, memory)
        wrong += int(((found >= 0) & (found != true)).sum())
        lost += int(((true >= 0) & (found != true)).sum())
        total += int((true >= 0).sum())
    return wrong, lost, total


def _middle(observed: Observed, memory: int, previous: Ints) -> tuple[Observed, Ints]:
    """Take the middle of a long movie, in blocks that no track can bridge."""
    per_frame = max(len(observed.place) / max(observed.n_frames, 1), 1.0)
    n_frames = min(observed.n_frames, max(_BLOCK, int(_SITES / per_frame)))
    first = (observed.n_frames - n_frames) // 2
    begin, stop = (int(observed.start[k]) for k in (first, first + n_frames))
    block = np.arange(n_frames) // _BLOCK
    part = replace(
        observed,
        site=observed.site[begin:stop],
        place=observed.place[begin:stop],
        start=observed.start[first : first + n_frames + 1] - begin,
        frames=observed.frames[first : first + n_frames] + block * (memory + 2) * observed.step,
        times=observed.times[first : first + n_frames] + block * (memory + 2) * observed.time_step,
        covariance=None if observed.covariance is None else observed.covariance[begin:stop],
        posterior=None if observed.posterior is None else observed.posterior[begin:stop],
    )
    true = previous[begin:stop] - begin
    of_site = block[part.frame_of]
    outside = (true < 0) | (of_site[np.maximum(true, 0)] != of_site)
    return part, np.where(outside, -1, true)


def _moved(part: Observed, model: LinkModel, true: Ints, rng: np.random.Generator) -> Floats:
    """Let each track start where it was and move by chance."""
    linked = true >= 0
    dt = np.zeros(len(true))
    time = part.times[part.frame_of]
    dt[linked] = time[linked] - time[true[linked]]
    variance = np.zeros(len(true))
    for value in np.unique(dt[linked]):
        mine = np.flatnonzero(dt == value)
        weight = model.steps.weights(float(value))
        motion = rng.choice(len(weight), size=len(mine), p=weight / weight.sum())
        variance[mine] = model.steps.variances(float(value))[motion]
    step = rng.normal(size=part.place.shape) * np.sqrt(variance)[:, None]
    place = part.place.copy()
    # Sites are in the order of frames, so that all before a frame are done.
    for f in range(1, part.n_frames):
        here = np.arange(part.start[f], part.start[f + 1])
        here = here[linked[here]]
        place[here] = place[true[here]] + step[here]
    return place + _errors(part, model, rng)


def _errors(part: Observed, model: LinkModel, rng: np.random.Generator) -> Floats:
    unit = rng.normal(size=part.place.shape)
    if part.covariance is None:
        return model.steps.error * unit
    own = model.steps.error**2 * np.eye(2)
    covariance = np.where(np.isfinite(part.covariance), part.covariance, own)
    root = np.linalg.cholesky(covariance + 1e-300 * np.eye(2))
    return np.asarray((root @ unit[..., None])[..., 0])


def _share(chosen: NDArray[np.bool_]) -> tuple[float, float]:
    return _share_of(int(chosen.sum()), chosen.size)


def _share_of(count: int, total: int) -> tuple[float, float]:
    """Give a share and its standard error, that of none or all being that of half a case."""
    if not total:
        return np.nan, np.nan
    smoothed = (count + 0.5) / (total + 1)
    return count / total, float(np.sqrt(smoothed * (1 - smoothed) / total))


def _with_links(
    sites: Sites, observed: Observed, distance: Floats, reach: Floats, margin: Floats
) -> Sites:
    out = sites.copy()
    columns = {"link_distance": distance, "link_range": reach, "link_margin": margin}
    for name, values in columns.items():
        whole = np.full(sites.sizes["site"], np.nan)
        whole[observed.site] = values
        unit = "1" if name == "link_margin" else space_unit(sites)
        out[name] = ("site", whole, {"units": unit})
    return out


def _in_words(shares: dict[str, tuple[float, float]]) -> str:
    percent = {name: 100 * value for name, (value, _) in shares.items()}
    return (
        f"Of the links {percent['expected share wrong']:.2g} % are expected to be wrong by "
        f"simulation, {percent['share ambiguous']:.2g} % are ambiguous and "
        f"{percent['share near the limit']:.2g} % near the limit of the range"
    )
