"""Movies of a sheet whose defects hop, turn and change at known rates, made frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
import xarray as xr

from adatom.errors import SettingError
from adatom.schema import Movie, Sites, Table, add_note, table_from_columns
from adatom.simulation.detection import counted_electrons, sloping_background
from adatom.simulation.images import electrons_per_pixel, margin_of
from adatom.simulation.kinetic_events import draw_history, stays_in_frames
from adatom.simulation.kinetic_places import places_of
from adatom.simulation.kinetic_sites import (
    attributes_of_kinetics,
    events_table,
    rates_table,
    seconds,
    sites_of_stays,
)
from adatom.simulation.microscope import Microscope
from adatom.simulation.scanning import ScanPath, random_scan
from adatom.simulation.sheet_defects import (
    Columns,
    DefectArrays,
    DefectiveSheet,
    columns_with_defects,
    defect_arrays,
    sheet_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.simulation.kinetic_events import History, Stays

    Floats = NDArray[np.float64]

# The sample is drawn back to where it was within so many frames.
_PULL: Final = 50


class KineticMovie(NamedTuple):
    """A simulated movie of moving defects and the truth about it.

    Attributes
    ----------
    movie : Movie
        In counts, lazy: a frame is made when it is asked for. ``time`` of frames in s.
    truth : Sites
        The defects of every frame, where their metal site lies in the image, at the middle of the
        exposure: as of `simulate_kinetics`, with ``angle`` of the orientation in deg, ``share`` of
        the exposure during which each was there and as told, and ``visible``: False in lost
        frames.
    events, rates : Table
        As of `simulate_kinetics`; places are those in the image of a sample that does not drift.
    frames : Table
        Of every frame ``time``, ``drift_y``, ``drift_x`` and ``lost``.
    """

    movie: Movie
    truth: Sites
    events: Table
    rates: Table
    frames: Table


def simulate_kinetic_movie(
    *,
    sheet: DefectiveSheet = DefectiveSheet(),  # noqa: B008 -- frozen
    n_frames: int = 100,
    size: int = 512,
    field: Length = "14 nm",
    microscope: Microscope = Microscope(  # noqa: B008 -- frozen
        electrons=150.0, drift="0.02 nm", distortion=0.0, jitter="0.004 nm"
    ),
    seed: int = 0,
) -> KineticMovie:
    """Simulate a movie of a sheet whose defects hop, turn and change at known rates.

    Frames are made one by one when they are read, the same bits in any order, so that a movie of
    any length goes to a file or through an analysis in little memory.

    Parameters
    ----------
    sheet : DefectiveSheet
        What the defects look like, their rates, exposure, drift and lost frames.
    n_frames : int
        Number of frames.
    size : int
        Rows and columns of a frame.
    field : length
        Height and width of a frame, in nm: 14 nm hold some 2,200 metal sites.
    microscope : Microscope
        Probe, scan and detector, anew for every frame; its drift is that within a frame. The
        default shows one missing S at some seven standard deviations of the noise.
    seed : int
        Of everything random. A longer movie begins as the shorter one with the same drift, scans
        and noise; defects have another fate.

    Returns
    -------
    KineticMovie
        ``movie`` (lazy), ``truth``, ``events``, ``rates`` and ``frames``.

    Raises
    ------
    SettingError
        If there is no frame, or no room for the defects in what all frames show.

    Examples
    --------
    >>> from adatom.simulation import Kinetics
    >>> sheet = DefectiveSheet(kinetics=Kinetics(n_defects=3))
    >>> simulation = simulate_kinetic_movie(sheet=sheet, n_frames=4, size=96, field="3.2 nm")
    >>> simulation.movie.shape, simulation.truth.sizes["site"]
    ((4, 96, 96), 12)
    """
    length = length_from_setting(field, unit="nm", name="field")
    if n_frames < 1 or size < 16 or not length > 0:
        msg = f"{n_frames=}, {size=}, {field=}: need a frame, 16 pixels and a positive length"
        raise SettingError(msg)
    step = seconds(sheet.frame_time, name="frame_time")
    exposure = sheet.exposure * step
    sample_rng, drift_rng, lost_rng, frame_rng = np.random.default_rng(seed).spawn(4)
    drift = drift_of_frames(n_frames, length_from_setting(sheet.drift, unit="nm"), drift_rng)
    rim = length_from_setting(sheet.rim, unit="nm", name="rim")
    # What all frames show, as places of a sample that has not drifted.
    inside = np.array([rim - drift.min(axis=0), length - rim - drift.max(axis=0)])
    columns = sheet_columns(
        sheet,
        field=length,
        margin=margin_of(microscope, length) + float(np.abs(drift).max()) + max(0.6, -rim),
        inside=inside,
        exponent=microscope.z_exponent,
        seed=int(sample_rng.integers(2**31)),
    )
    places = places_of(columns.position[columns.metal], sheet.kinetics, unit="nm")
    history = draw_history(sheet.kinetics, places, duration=n_frames * step, rng=sample_rng)
    at_once = stays_in_frames(history, n_frames=n_frames, frame_time=step)
    stays = stays_in_frames(history, n_frames=n_frames, frame_time=step, exposure=exposure)
    lost = lost_rng.uniform(size=n_frames) < sheet.lost
    source = FrameSource(
        (size, size),
        length / size,
        SheetScene(columns, defect_arrays(sheet, exponent=microscope.z_exponent), history, stays),
        drift,
        lost,
        microscope,
        int(frame_rng.integers(2**63)),
    )
    truth = sites_of_stays(history, at_once, places, frame_time=step, unit="nm")
    truth["share"] = ("site", _shares(at_once, stays, n_frames))
    angle = columns.angle[truth["orientation"].values]
    truth["angle"] = ("site", angle, {"units": "deg"})
    truth = sites_in_frames(truth, source)
    truth.attrs |= {"n_frames": n_frames, "exposure": exposure}
    truth.attrs |= attributes_of_kinetics(sheet.kinetics, places, step)
    movie = movie_of_frames(source, step)
    note = f"simulated: {sheet.kinetics.n_defects} defects of {''.join(sheet.species)}2, {seed=}"
    for part in (movie, truth):
        add_note(part, note)
    frames = table_from_columns(
        {
            "time": np.arange(n_frames) * step,
            "drift_y": drift[:, 0],
            "drift_x": drift[:, 1],
            "lost": lost,
        },
        units={"time": "s", "drift_y": "nm", "drift_x": "nm"},
    )
    return KineticMovie(
        movie,
        truth,
        events_table(history, places, "nm"),
        rates_table(sheet.kinetics, history, places, "nm"),
        frames,
    )


class Scene(Protocol):
    """Atoms of every frame, of a sample that does not drift."""

    def atoms(self, number: int, /) -> tuple[Floats, Floats]:
        """Give positions in nm and electrons, in those of a carbon atom, in a frame."""

    def perfect(self) -> tuple[Floats, Floats]:
        """Give the same of a sheet that fills the frame."""


@dataclass(frozen=True, eq=False)
class SheetScene:
    """Columns of a sheet, and what defects do to them.

    Attributes
    ----------
    columns, defects : Columns, DefectArrays
        The perfect sheet, and what defects do to it.
    history, stays : History, Stays
        What the defects do, and which stay is seen in which frame.
    """

    columns: Columns
    defects: DefectArrays
    history: History
    stays: Stays

    def atoms(self, number: int, /) -> tuple[Floats, Floats]:
        """Give positions and electrons of all columns in a frame."""
        first, stop = np.searchsorted(self.stays.frame, [number, number + 1])
        event = self.stays.event[first:stop]
        return columns_with_defects(
            self.columns,
            self.defects,
            place=self.history.place[event],
            label=self.history.label[event],
            orientation=self.history.orientation[event],
            share=self.stays.share[first:stop],
        )

    def perfect(self) -> tuple[Floats, Floats]:
        """Give positions and electrons of the sheet without defects."""
        return self.columns.position, self.columns.electrons


@dataclass(frozen=True, eq=False)
class FrameSource:
    """Frames of a movie that are made when they are indexed.

    Attributes
    ----------
    size : tuple of int
        Rows and columns.
    pixel : float
        In nm.
    scene : Scene
        What atoms there are.
    drift : ndarray, shape (frame, axis)
        In nm.
    lost : ndarray of bool, shape (frame,)
        Frames of a blanked beam.
    microscope : Microscope
        Of all frames.
    seed : int
        Of scans and noise; frames have streams of their own.
    """

    size: tuple[int, int]
    pixel: float
    scene: Scene
    drift: Floats
    lost: NDArray[np.bool_]
    microscope: Microscope
    seed: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns."""
        return len(self.drift), *self.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the counts."""
        return np.dtype(np.float32)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return 3

    def __getitem__(self, index: Any) -> NDArray[np.float32]:  # noqa: ANN401 -- any index of numpy
        """Make the frames that an index of numpy asks for."""
        first, *rest = index if isinstance(index, tuple) else (index,)
        numbers = np.arange(len(self.drift))[first]
        if numbers.ndim == 0:
            return np.asarray(self.frame(int(numbers))[tuple(rest)])
        frames = [self.frame(number)[tuple(rest)] for number in numbers.tolist()]
        nothing = np.empty((0, *self.size), dtype=np.float32)[(slice(None), *rest)]
        return np.asarray(np.stack(frames) if frames else nothing, dtype=np.float32)

    def lengths(self) -> dict[str, float]:
        """Give the lengths of the microscope in nm."""
        return {
            name: length_from_setting(
                getattr(self.microscope, name), unit="nm", pixel_size=self.pixel, name=name
            )
            for name in ("probe_width", "tail_width", "jitter", "drift")
        }

    def scan(self, number: int, /) -> ScanPath:
        """Give where the probe was in a frame."""
        lengths = self.lengths()
        return random_scan(
            self.size,
            self.pixel,
            jitter=lengths["jitter"],
            drift=lengths["drift"],
            distortion=self.microscope.distortion,
            rng=np.random.default_rng([self.seed, number, 0]),
        )

    def frame(self, number: int, /) -> NDArray[np.float32]:
        """Make one frame, (y, x)."""
        rng = np.random.default_rng([self.seed, number, 1])
        noise = self.microscope.readout_noise
        if self.lost[number]:
            nothing = np.zeros(self.size, dtype=np.float32)
            return counted_electrons(nothing, readout_noise=noise, rng=rng)
        position, electrons = self.scene.atoms(number)
        lattice = electrons_per_pixel(
            self.scan(number),
            position + self.drift[number],
            electrons * self.microscope.electrons,
            self.microscope,
            self.lengths(),
        )
        background = sloping_background(
            self.size,
            level=self.microscope.background * self.full_level(),
            slope=self.microscope.slope,
            # What lies over or under the sheet is the same in all frames.
            rng=np.random.default_rng([self.seed, 0, 2]),
        )
        return counted_electrons(lattice + background, readout_noise=noise, rng=rng)

    def full_level(self) -> float:
        """Give the mean electrons of a pixel of the perfect sheet."""
        position, electrons = self.scene.perfect()
        seen = ((position > 0) & (position < self.extent())).all(axis=1)
        total = float(electrons[seen].sum()) * self.microscope.electrons
        return total / (self.size[0] * self.size[1])

    def extent(self) -> float:
        """Give the height and width of a frame in nm."""
        return self.size[0] * self.pixel


def drift_of_frames(n_frames: int, step: float, rng: np.random.Generator) -> Floats:
    """Wander about the first frame, drawn back to it, (frame, axis)."""
    steps = step * rng.normal(size=(n_frames, 2))
    drift = np.zeros((n_frames, 2))
    for number in range(1, n_frames):
        drift[number] = drift[number - 1] * (1 - 1 / _PULL) + steps[number]
    return drift


def _shares(at_once: Stays, stays: Stays, n_frames: int) -> Floats:
    """Find the share of the exposure that the stays at the middle of it took."""
    key = stays.event * n_frames + stays.frame
    order = np.argsort(key)
    wanted = at_once.event * n_frames + at_once.frame
    return np.asarray(stays.share[order][np.searchsorted(key[order], wanted)])


def sites_in_frames(sites: Sites, source: FrameSource, /) -> Sites:
    """Move sites to where drift and scan put them, and leave out what is not in the image.

    They are in the order of their frames.
    """
    place = np.column_stack([sites["y"].values, sites["x"].values])
    frame = sites["frame"].values
    width = source.lengths()["probe_width"]
    bounds = np.searchsorted(frame, np.arange(len(source.drift) + 1))
    for number, drift in enumerate(source.drift):
        here = slice(bounds[number], bounds[number + 1])
        place[here] = source.scan(number).imaged_positions(place[here] + drift, width=width)
    last = source.extent() - source.pixel
    seen = ((place >= 0) & (place <= last)).all(axis=1)
    unit = {"units": "nm"}
    sites = sites.assign_coords(y=("site", place[:, 0], unit), x=("site", place[:, 1], unit))
    sites["visible"] = ("site", ~source.lost[frame])
    sites = sites.isel(site=seen)
    sites.attrs["extent"] = [0.0, last, 0.0, last]
    return sites


def movie_of_frames(source: FrameSource, frame_time: float, /) -> Movie:
    """Make a lazy movie of frames, `frame_time` in s apart."""
    import dask.array as da

    values = da.from_array(  # type: ignore[no-untyped-call]
        source,
        # Writers and finders ask for one frame after the other: none is made twice.
        chunks=(1, *source.size),
        name=False,
        meta=np.empty((0, 0, 0), dtype=source.dtype),
    )
    unit = {"units": "nm"}
    axes = {
        dim: (dim, np.arange(size) * source.pixel, unit)
        for dim, size in zip(("y", "x"), source.size, strict=True)
    }
    time = ("frame", np.arange(len(source.drift)) * frame_time, {"units": "s"})
    return xr.DataArray(
        values,
        dims=("frame", "y", "x"),
        coords={**axes, "time": time},
        name="intensity",
        attrs={"units": "counts"},
    )
