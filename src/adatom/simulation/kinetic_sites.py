"""Defects that hop, turn and change on a lattice, seen frame by frame, with their true rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.numerics.groups import counts_by_group, sums_by_group
from adatom.numerics.point_groups import POINT_GROUPS
from adatom.schema import (
    Sites,
    Table,
    add_note,
    positions,
    sites_from_positions,
    table_from_columns,
)
from adatom.simulation.cells import named_cell
from adatom.simulation.kinetic_events import (
    BIRTH,
    CHANGE,
    DEATH,
    EVENTS,
    HOP,
    REFUSED,
    START,
    TURN,
    History,
    Stays,
    draw_history,
    stays_in_frames,
)
from adatom.simulation.kinetic_places import Places, places_of
from adatom.simulation.kinetics import Kinetics, rate_matrix, transition_matrix
from adatom.simulation.lattices import Crystal, build_lattice
from adatom.units import TIME, Length, Time, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

_NANOSECOND = 1e-9


class KineticSimulation(NamedTuple):
    """Simulated defects and the truth about what they do.

    Attributes
    ----------
    sites : Sites
        The defects of every frame, by frame and track: ``frame``, ``time`` in s, ``track`` (true
        identity), ``class`` and ``orientation`` (numbers), ``place`` (number of the lattice
        place). ``attrs``: ``class_names``; ``point_group``; ``frame_time`` in s; ``spacing`` of
        the places; of classes ``rate_matrix`` (1/s) and ``transition_matrix`` from a frame to
        the next, of defects that survive it; ``diffusion`` in the squared unit per s, of a
        defect that nothing stops.
    events : Table
        All that happened, by time: ``time`` in s, ``track``, ``event`` ("start", "birth", "hop",
        "turn", "change", "death", or "refused", a hop to no free place) and ``class``,
        ``orientation``, ``place``, ``y``, ``x`` after it.
    rates : Table
        One row a process: ``event``, ``class``, ``to_class``, the true ``rate`` in 1/s, how many
        ``events`` there were in the ``time_at_risk`` in s (lives of all defects of the class; for
        births the movie), and of hops ``diffusion``, ``diffusion_yy``, ``_yx``, ``_xx`` of a free
        defect, ``done``, the rate of hops that found a free place, and ``diffusion_done``, the
        diffusion of as many hops of random directions.
    """

    sites: Sites
    events: Table
    rates: Table


def simulate_kinetics(
    *,
    kinetics: Kinetics = Kinetics(),  # noqa: B008 -- frozen
    crystal: Crystal = Crystal("hexagonal", spacing="0.3153 nm"),  # noqa: B008 -- frozen
    field: Length = "20 nm",
    n_frames: int = 100,
    frame_time: Time = "1 s",
    seed: int = 0,
) -> KineticSimulation:
    """Simulate defects on a lattice by kinetic Monte Carlo, all rates and identities known.

    Time is continuous: between two frames a defect may hop and change more than once.
    Hops end at the rim of the field. A free defect diffuses with D = k a^2 / 4 on lattices of
    square, three- or sixfold symmetry, k the rate of its hops and a their length.

    Parameters
    ----------
    kinetics : Kinetics
        Classes and rates.
    crystal : Crystal
        The lattice of places, with one column in a cell: "hexagonal" is that of one
        sublattice of a 2H sheet. Its disorder does not count.
    field : length
        Height and width, in nm or px; positions have its unit.
    n_frames : int
        Seen at the times 0, 1, 2 ... of `frame_time`.
    frame_time : time
        From frame to frame.
    seed : int
        Of everything random.

    Returns
    -------
    KineticSimulation
        ``sites``, ``events`` and ``rates``.

    Raises
    ------
    SettingError
        If the lattice has several columns in a cell, does not allow the anisotropy, or has no
        room for the defects.
    TooFewSitesError
        If the field holds fewer than two places.

    Examples
    --------
    >>> kinetics = Kinetics(n_defects=20)
    >>> simulation = simulate_kinetics(kinetics=kinetics, field="6 nm", n_frames=10)
    >>> simulation.sites.sizes["site"], len(simulation.sites.attrs["transition_matrix"])
    (200, 5)
    """
    if n_frames < 1:
        msg = f"{n_frames=} must be 1 or more"
        raise SettingError(msg)
    if len(named_cell(crystal.lattice, tuple(crystal.species)).columns) > 1:
        msg = (
            f"{crystal.lattice} has several columns in a cell: defects hop on one kind of them, so "
            'name the lattice of these, as "hexagonal" for either kind of a honeycomb'
        )
        raise SettingError(msg)
    unit = "px" if field.strip().endswith("px") else "nm"
    length = length_from_setting(field, unit=unit, name="field")
    step = seconds(frame_time, name="frame_time")
    lattice_rng, rng = np.random.default_rng(seed).spawn(2)
    lattice = build_lattice(
        crystal=Crystal(
            crystal.lattice,
            spacing=crystal.spacing,
            species=crystal.species,
            rotation=crystal.rotation,
            strain=crystal.strain,
        ),
        field=(length, length),
        unit=unit,
        seed=int(lattice_rng.integers(2**31)),
    )
    places = places_of(positions(lattice), kinetics, unit=unit)
    history = draw_history(kinetics, places, duration=n_frames * step, rng=rng)
    stays = stays_in_frames(history, n_frames=n_frames, frame_time=step)
    sites = sites_of_stays(history, stays, places, frame_time=step, unit=unit)
    sites.attrs["extent"] = [0.0, length, 0.0, length]
    sites.attrs["n_frames"] = n_frames
    sites.attrs |= attributes_of_kinetics(kinetics, places, step)
    add_note(sites, f"simulated: {kinetics.n_defects} defects by kinetic Monte Carlo, {seed=}")
    return KineticSimulation(
        sites, events_table(history, places, unit), rates_table(kinetics, history, places, unit)
    )


def seconds(time: Time, /, *, name: str) -> float:
    """Give a time in s, which must be more than 0."""
    value, unit = TIME.check(time, name=name)
    if not value > 0:
        msg = f"{name}={time!r} must be more than 0"
        raise SettingError(msg)
    return value * (_NANOSECOND if unit == "ns" else 1.0)


def sites_of_stays(
    history: History, stays: Stays, places: Places, /, *, frame_time: float, unit: str
) -> Sites:
    """Make sites of the stays, by frame and track."""
    place = history.place[stays.event]
    sites = sites_from_positions(
        *places.position[place].T, unit=unit, frame=stays.frame, spacing=places.spacing
    )
    sites = sites.assign_coords(time=("site", stays.frame * frame_time, {"units": "s"}))
    sites["track"] = ("site", history.track[stays.event])
    sites["class"] = ("site", history.label[stays.event])
    sites["orientation"] = ("site", history.orientation[stays.event])
    sites["place"] = ("site", place)
    return sites


def attributes_of_kinetics(
    kinetics: Kinetics, places: Places, frame_time: float, /
) -> dict[str, object]:
    """Give what the kinetics tells of all sites."""
    group = f"C{kinetics.orientations}"
    free = [_diffusion(places, rate)[0] for rate in kinetics.of_classes("hops").tolist()]
    return {
        "class_names": list(kinetics.classes),
        **({"point_group": group} if group in POINT_GROUPS else {}),
        "frame_time": frame_time,
        "rate_matrix": rate_matrix(kinetics).tolist(),
        "transition_matrix": transition_matrix(kinetics, frame_time).tolist(),
        "diffusion": free,
    }


def _diffusion(places: Places, rate: float) -> tuple[float, float, float, float]:
    """Give the mean diffusion of a free defect, and yy, yx, xx of the tensor."""
    tensor = places.diffusion_tensor(rate)
    mean = float(np.trace(tensor)) / 2
    return mean, float(tensor[0, 0]), float(tensor[0, 1]), float(tensor[1, 1])


def events_table(history: History, places: Places, unit: str, /) -> Table:
    """List all events by time."""
    order = np.lexsort((history.track, history.time))
    place = history.place[order]
    at = places.position[place]
    at = np.where(place[:, None] < 0, np.nan, at)
    columns = {
        "time": history.time[order],
        "track": history.track[order],
        "event": np.asarray(EVENTS)[history.kind[order]],
        "class": history.label[order],
        "orientation": history.orientation[order],
        "place": place,
        "y": at[:, 0],
        "x": at[:, 1],
    }
    return table_from_columns(columns, units={"time": "s", "y": unit, "x": unit})


def rates_table(kinetics: Kinetics, history: History, places: Places, unit: str, /) -> Table:
    """List the true rate of every process beside how often it happened."""
    count = len(kinetics.classes)
    before = _labels_before(history)
    lasted = np.minimum(history.ends(), history.duration) - history.time
    alive = history.kind != DEATH
    time = sums_by_group(lasted[alive], history.label[alive], n_groups=count)
    rows: list[tuple[str, int, int, float, int]] = []
    for kind, name in ((HOP, "hops"), (TURN, "turns"), (DEATH, "deaths"), (BIRTH, "births")):
        tried = (history.kind == kind) | ((kind == HOP) & (history.kind == REFUSED))
        happened = counts_by_group(history.label[tried], n_groups=count)
        rates = kinetics.of_classes(name)
        rows += [(EVENTS[kind], k, -1, float(rates[k]), int(happened[k])) for k in range(count)]
    changes, rates = history.kind == CHANGE, kinetics.change_rates()
    pair = before[changes] * count + history.label[changes]
    happened = counts_by_group(pair, n_groups=count**2).reshape(count, count)
    rows += [
        (EVENTS[CHANGE], one, other, float(rates[one, other]), int(happened[one, other]))
        for one in range(count)
        for other in range(count)
        if rates[one, other] > 0
    ]
    event, label, to, rate, number = (np.asarray(column) for column in zip(*rows, strict=True))
    names = np.asarray([*kinetics.classes, ""])
    hops = event == "hop"
    free = np.full((4, len(rows)), np.nan)
    done, diffusion_done = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    free[:, hops] = np.transpose([_diffusion(places, value) for value in rate[hops].tolist()])
    made = counts_by_group(history.label[history.kind == HOP], n_groups=count)
    done[hops] = made / np.where(time > 0, time, np.nan)
    diffusion_done[hops] = [_diffusion(places, value)[0] for value in done[hops].tolist()]
    of_place = ("diffusion", "diffusion_yy", "diffusion_yx", "diffusion_xx", "diffusion_done")
    columns = {
        "event": event,
        "class": names[label],
        "to_class": names[to],
        "rate": rate,
        "events": number,
        "time_at_risk": np.where(event == "birth", history.duration, time[label]),
        **dict(zip(of_place, (*free, diffusion_done), strict=True)),
        "done": done,
    }
    units = {"rate": "1/s", "time_at_risk": "s", "done": "1/s"}
    return table_from_columns(columns, units=units | dict.fromkeys(of_place, f"{unit}^2/s"))


def _labels_before(history: History) -> Counts:
    """Give the class before each event; -1 before the first of a defect."""
    before = np.append(-1, history.label[:-1])[: len(history.label)]
    return np.where((history.kind == START) | (history.kind == BIRTH), -1, before)
