"""Movies of foreign atoms on the edge of graphene that change their states at known rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import SettingError
from adatom.schema import Movie, Sites, Table, add_note, sites_from_positions, table_from_columns
from adatom.simulation.edge_states import EdgeScene, EdgeSheet, bonds_in, edged_sheet
from adatom.simulation.graphene import BOND
from adatom.simulation.images import margin_of
from adatom.simulation.kinetic_events import draw_history, stays_in_frames
from adatom.simulation.kinetic_movies import (
    FrameSource,
    drift_of_frames,
    movie_of_frames,
    sites_in_frames,
)
from adatom.simulation.kinetic_sites import (
    attributes_of_kinetics,
    events_table,
    rates_table,
    seconds,
    sites_of_stays,
)
from adatom.simulation.microscope import Microscope
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.simulation.kinetic_events import Stays


class EdgeMovie(NamedTuple):
    """A simulated movie of an edge and the truth about it.

    Attributes
    ----------
    movie : Movie
        In counts, lazy: a frame is made when it is asked for. ``time`` of frames in s.
    truth : Sites
        The foreign atoms of every frame, where they are in the image: ``frame``, ``time``,
        ``track``, ``class``, ``orientation`` (1: the mirror image), ``place``, ``visible``
        (False in lost frames). ``attrs`` as of `simulate_kinetics`: ``class_names``,
        ``transition_matrix`` from frame to frame ...
    atoms : Sites
        All atoms of every frame, with ``species`` and ``at_edge``: those of the sheet that lack a
        neighbor at its edge.
    events, rates : Table
        As of `simulate_kinetics`.
    frames : Table
        Of every frame ``time``, ``drift_y``, ``drift_x`` and ``lost``.
    """

    movie: Movie
    truth: Sites
    atoms: Sites
    events: Table
    rates: Table
    frames: Table


def simulate_edge_movie(
    *,
    sheet: EdgeSheet = EdgeSheet(),  # noqa: B008 -- frozen
    n_frames: int = 40,
    size: int = 256,
    field: Length = "6 nm",
    microscope: Microscope = Microscope(  # noqa: B008 -- frozen
        electrons=600.0, drift="0.02 nm", distortion=0.0, jitter="0.004 nm"
    ),
    seed: int = 0,
) -> EdgeMovie:
    """Simulate a movie of foreign atoms on the edge of graphene with known states and rates.

    Parameters
    ----------
    sheet : EdgeSheet
        The edge, what the states look like, their rates, drift and lost frames.
    n_frames : int
        Number of frames.
    size : int
        Rows and columns of a frame.
    field : length
        Height and width of a frame, in nm.
    microscope : Microscope
        Probe, scan and detector, anew for every frame.
    seed : int
        Of everything random.

    Returns
    -------
    EdgeMovie
        ``movie`` (lazy), ``truth``, ``atoms``, ``events``, ``rates`` and ``frames``.

    Raises
    ------
    SettingError
        If there is no frame, or no room for the foreign atoms on the edge.

    Examples
    --------
    >>> made = simulate_edge_movie(n_frames=3, size=64)
    >>> made.movie.shape, made.truth.attrs["class_names"]
    ((3, 64, 64), ['in line', 'beside a carbon', 'in the row behind'])
    """
    length = length_from_setting(field, unit="nm", name="field")
    if n_frames < 1 or size < 16 or not length > 0:
        msg = f"{n_frames=}, {size=}, {field=}: need a frame, 16 pixels and a positive length"
        raise SettingError(msg)
    step = seconds(sheet.frame_time, name="frame_time")
    sample_rng, drift_rng, lost_rng, frame_rng = np.random.default_rng(seed).spawn(4)
    drift = drift_of_frames(n_frames, length_from_setting(sheet.drift, unit="nm"), drift_rng)
    rim = length_from_setting(sheet.rim, unit="nm", name="rim")
    inside = np.array([rim - drift.min(axis=0), length - rim - drift.max(axis=0)])
    laid_out = edged_sheet(
        sheet,
        field=length,
        margin=margin_of(microscope, length) + float(np.abs(drift).max()) + 6 * BOND,
        inside=inside,
        seed=int(sample_rng.integers(2**31)),
    )
    places = laid_out.places
    history = draw_history(sheet.kinetics, places, duration=n_frames * step, rng=sample_rng)
    stays = stays_in_frames(history, n_frames=n_frames, frame_time=step)
    frame_seed = int(frame_rng.integers(2**63))
    scene = EdgeScene(sheet, laid_out, history, stays, microscope.z_exponent, frame_seed)
    lost = lost_rng.uniform(size=n_frames) < sheet.lost
    source = FrameSource((size, size), length / size, scene, drift, lost, microscope, frame_seed)
    movie = movie_of_frames(source, step)
    atoms, first = _atoms(source, scene, step)
    truth = sites_of_stays(history, stays, places, frame_time=step, unit="nm")
    truth = _where_they_are(truth, atoms, first, stays)
    truth.attrs |= {"n_frames": n_frames} | attributes_of_kinetics(sheet.kinetics, places, step)
    truth.attrs.pop("diffusion")
    truth, atoms = sites_in_frames(truth, source), sites_in_frames(atoms, source)
    for part in (movie, truth):
        add_note(
            part,
            f"simulated: {sheet.kinetics.n_defects} {sheet.element} on an edge of graphene, "
            f"{seed=}",
        )
    frames = {"time": np.arange(n_frames) * step, "lost": lost}
    frames |= {"drift_y": drift[:, 0], "drift_x": drift[:, 1]}
    units = {"time": "s", "drift_y": "nm", "drift_x": "nm"}
    return EdgeMovie(
        movie,
        truth,
        atoms,
        events_table(history, places, "nm"),
        rates_table(sheet.kinetics, history, places, "nm"),
        table_from_columns(frames, units=units),
    )


def _atoms(source: FrameSource, scene: EdgeScene, step: float) -> tuple[Sites, NDArray[np.int64]]:
    """List the atoms of all frames of a sample that does not drift, and where frames begin."""
    parts = [scene.named_atoms(number) for number in range(len(source.drift))]
    place = np.concatenate([part[0] for part in parts])
    foreign = np.concatenate([part[1] for part in parts])
    counts = [len(part[0]) for part in parts]
    frame = np.repeat(np.arange(len(parts)), counts)
    atoms = sites_from_positions(*place.T, unit="nm", frame=frame, spacing=float(BOND))
    atoms = atoms.assign_coords(time=("site", frame * step, {"units": "s"}))
    atoms["species"] = ("site", np.where(foreign, scene.sheet.element, "C"))
    at_edge = np.concatenate([_at_edge(scene, part[0]) for part in parts])
    atoms["at_edge"] = ("site", at_edge)
    return atoms, np.concatenate([[0], np.cumsum(counts)])


def _at_edge(scene: EdgeScene, place: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which atoms stand where the sheet has fewer than three bonds, not where it was cut."""
    low, high = (f(scene.laid_out.perfect, axis=0) for f in (np.min, np.max))
    count = np.bincount(bonds_in(place).ravel(), minlength=len(place))
    inner = ((place > low + 3 * BOND) & (place < high - 3 * BOND)).all(axis=1)
    return np.asarray((count < 3) & inner)


def _where_they_are(truth: Sites, atoms: Sites, first: NDArray[np.int64], stays: Stays) -> Sites:
    """Put foreign atoms where they stand, which is beside the place that they belong to."""
    frame = stays.frame
    rank = np.arange(len(frame)) - np.searchsorted(frame, frame)
    row = first[frame] + rank
    unit = {"units": "nm"}
    return truth.assign_coords(
        y=("site", atoms["y"].values[row], unit), x=("site", atoms["x"].values[row], unit)
    )
