"""Impurities of a crystal in every frame of a movie, placed on its lattice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr
from scipy import ndimage

from adatom.errors import SettingError
from adatom.localization.known_lattices import PlaneLattice, lattice_from_text
from adatom.localization.movie_lattice import (
    MovieLattice,
    find_movie_lattice,
    frames_of_movie,
    scatter,
)
from adatom.numerics.bright_spots import Spots, find_bright_spots
from adatom.schema import (
    MOVIE,
    Image,
    Movie,
    Sites,
    Table,
    add_note,
    pixel_size,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# An atom is dark around it but for the tails of the probe, a tenth of its height; contamination
# is bright all over. Between these shares it is not clear which.
_CLEAR: Final = 0.15
_HAZY: Final = 0.25
# In distances between columns.
_NEAR: Final = 3.0
# Standard deviations of surroundings that are contaminated.
_EXTENDED: Final = 7.0
# Of the distance between columns: nearer to the border a spot may be the flank of one beyond it.
_BORDER: Final = 0.5
# Farther from its column than this share of the distance, a place is none of the lattice.
_OFF: Final = 1 / 3
# Of the cell's vectors: a lattice that moves more from frame to frame may have moved by another.
_FAR: Final = 0.35
_LISTED: Final = 20


class MovieImpurities(NamedTuple):
    """Impurities of a movie, and the lattice on which they sit.

    Attributes
    ----------
    verdict : str
        What was found, in some sentences.
    sites : Sites
        Impurities of all frames, in nm of the lattice: the drift of the
        lattice is taken off. With ``frame``, ``score``, ``contrast`` (over that
        of the host's columns), ``haze`` (how bright the surroundings are, as a share of
        the height), ``position_error`` and ``off_column``, the distance from the
        nearest column.
    seen : Sites
        The same where they are in their frames, in the unit of the movie.
    left_out : Sites
        Spots that were taken for none, in the unit of the movie, with the
        reason ``why``: "contamination", "border" or "no lattice".
    lattice : Sites
        Columns of the host in nm, over the area of all frames.
    mean : Image
        Mean of the frames in nm, drift taken off.
    frames : Table
        A row a frame: ``pixel_size`` by the lattice (NaN where it was not measured),
        ``drift_y``, ``drift_x``, ``lattice_power`` over noise, ``n_impurities``,
        ``n_contamination``, ``n_border``, ``contaminated`` (share of the frame) and ``doubt``.
    """

    verdict: str
    sites: Sites
    seen: Sites
    left_out: Sites
    lattice: Sites
    mean: Image
    frames: Table


def find_impurities_in_movie(
    movie: Movie,
    /,
    *,
    lattice: str = "graphene",
    min_score: float = 6.0,
    min_contrast: float = 2.0,
) -> MovieImpurities:
    """Find impurities brighter than a crystal's columns in every frame, on its lattice.

    Columns of the host need not be seen one by one: the waves of the lattice
    give the scale, and their phases how far it drifted from frame to frame
    (up to whole vectors of the lattice, of which the least is taken) and
    where its columns are. Impurities are spots as small as a column that
    stand out from the local maxima of their frame; spots with bright
    surroundings are contamination.

    Parameters
    ----------
    movie : Movie
        Bright atoms on dark. In px it gets its scale by the lattice; a stated
        scale is kept, and the verdict says how far the lattice disagrees. In
        memory or lazy; read frame by frame, three times.
    lattice : str
        Of the host, as for `compare_scale`.
    min_score : float
        Standard deviations of the frame's local maxima that a spot stands
        above the median of them. Noise reaches some 4.5.
    min_contrast : float
        How far a spot stands above its surroundings, over how far columns of
        the host do. Silicon in graphene has 4 where columns are apart in a
        dark field, and more where they blur into one another.

    Returns
    -------
    MovieImpurities

    Raises
    ------
    NoLatticeError
        If no frame shows the lattice.
    SettingError
        If the lattice is not known or a limit is not positive.

    Examples
    --------
    >>> from adatom.simulation import Crystal, simulate_lattice
    >>> crystal = Crystal("honeycomb", spacing="9 px")
    >>> frame = simulate_lattice(crystal=crystal, size=128, snr=20.0).image
    >>> frame[60:64, 60:64] += 4 * float(frame.max())
    >>> found = find_impurities_in_movie(frame.expand_dims(frame=3))
    >>> found.sites.frame.values
    array([0, 1, 2])
    """
    MOVIE.check(movie)
    for name, value in (("min_score", min_score), ("min_contrast", min_contrast)):
        if not value > 0:
            msg = f"{name}={value} must be above 0"
            raise SettingError(msg)
    known = lattice_from_text(lattice)
    unit = space_unit(movie)
    step = np.array(pixel_size(movie)) * (1e6 if unit == "mm" else 1.0)
    host = find_movie_lattice(movie, known, None if unit == "px" else step)
    by_lattice = float(np.nanmedian(host.step))
    scale = np.full(2, by_lattice) if unit == "px" else step
    gathered = _gathered(movie, host, min_score, min_contrast)
    frames = _frames_table(movie, host, gathered, scale)
    sites, seen = _as_sites(movie, gathered, host, scale)
    result = MovieImpurities(
        verdict="",
        sites=sites,
        seen=seen,
        left_out=_left_out(movie, gathered),
        lattice=_columns(movie, host, scale),
        mean=_mean(movie, host, scale),
        frames=frames,
    )
    said = _verdict(result, host, known, unit, step)
    return result._replace(verdict=" ".join(said))


class _Frame(NamedTuple):
    """Spots of a frame, sorted: which are impurities, and why others are none."""

    number: int
    spots: Spots
    why: NDArray[np.str_]


def _gathered(
    movie: Movie, host: MovieLattice, min_score: float, min_contrast: float
) -> list[_Frame]:
    gathered = []
    numbers = np.arange(movie.sizes["frame"])
    middle = (np.array(movie.shape[1:]) - 1) / 2
    low, high = np.zeros(2), np.array(movie.shape[1:]) - 1.0
    for k, image in zip(numbers, frames_of_movie(movie, numbers), strict=True):
        values = np.asarray(image.values, dtype=np.float64)
        shift = host.shift[k]
        has_lattice = bool(np.isfinite(shift).all())
        moved = shift if has_lattice else np.zeros(2)
        columns = host.points(low - moved, high - moved, middle) + moved
        spots = find_bright_spots(
            values,
            columns if has_lattice else columns[:0],
            host.distance,
            least=min_score,
            brightest=_EXTENDED,
        )
        near = np.minimum(spots.place, high - spots.place).min(axis=1, initial=np.inf)
        why = np.full(len(near), "", dtype="U13")
        why[near < _BORDER * host.distance] = "border"
        if not has_lattice:
            why[:] = "no lattice"
        why[_is_contamination(spots, host.distance)] = "contamination"
        bright = (spots.height >= min_contrast * spots.host) | (why != "")
        kept = spots._replace(
            **{
                name: getattr(spots, name)[bright]
                for name in ("place", "height", "score", "error", "around", "haze")
            }
        )
        # Only the share of the frame is told, not its picture, which would fill memory.
        share = np.array([[spots.extended.mean()]])
        gathered.append(_Frame(int(k), kept._replace(extended=share), why[bright]))
    return gathered


def _is_contamination(spots: Spots, distance: float) -> NDArray[np.bool_]:
    """Tell spots in contamination, or so near to it that they cannot be told from a part of it."""
    hazy = spots.haze >= _HAZY
    near = hazy.copy()
    if hazy.any():
        apart = np.linalg.norm(spots.place[:, None] - spots.place[None, hazy], axis=-1)
        near |= apart.min(axis=1) < _NEAR * distance
        if spots.extended.any():
            away = ndimage.distance_transform_edt(~spots.extended)
            near |= away[tuple(np.rint(spots.place).astype(int).T)] < _NEAR * distance
    return np.asarray(near)


def _names(movie: Movie) -> NDArray[np.int64]:
    if "frame" in movie.coords:
        return np.asarray(movie.coords["frame"].values, dtype=np.int64)
    return np.arange(movie.sizes["frame"])


def _corner(movie: Movie) -> Floats:
    return np.array([float(movie.coords[dim][0]) for dim in ("y", "x")])


def _as_sites(
    movie: Movie, gathered: list[_Frame], host: MovieLattice, scale: Floats
) -> tuple[Sites, Sites]:
    """Give impurities on the lattice and as they are seen."""
    from scipy.spatial import cKDTree

    is_one = [frame.why == "" for frame in gathered]
    place = np.concatenate([f.spots.place[k] for f, k in zip(gathered, is_one, strict=True)])
    number = np.concatenate(
        [np.full(k.sum(), f.number) for f, k in zip(gathered, is_one, strict=True)]
    ).astype(np.int64)
    still = place - host.shift[number]
    middle = (np.array(movie.shape[1:]) - 1) / 2
    off = np.zeros(0)
    if len(still):
        pad = 2 * host.distance
        points = host.points(still.min(axis=0) - pad, still.max(axis=0) + pad, middle)
        off = cKDTree(points * scale).query(still * scale)[0]
    unit = space_unit(movie)
    corner = _corner(movie)
    frame = _names(movie)[number]
    sites = sites_from_positions(*(still * scale).T, unit="nm", frame=frame)
    own = np.array(pixel_size(movie))
    seen = sites_from_positions(
        *(place * own + corner).T,
        unit=unit,
        frame=frame,
    )
    values = {
        "score": [f.spots.score[k] for f, k in zip(gathered, is_one, strict=True)],
        "contrast": [
            f.spots.height[k] / f.spots.host for f, k in zip(gathered, is_one, strict=True)
        ],
        "haze": [f.spots.haze[k] for f, k in zip(gathered, is_one, strict=True)],
    }
    for name, parts in values.items():
        sites[name] = ("site", np.concatenate(parts), {"units": "1"})
        seen[name] = ("site", np.concatenate(parts), {"units": "1"})
    error = np.concatenate([f.spots.error[k] for f, k in zip(gathered, is_one, strict=True)])
    sites["position_error"] = ("site", error * float(scale.mean()), {"units": "nm"})
    sites["off_column"] = ("site", off, {"units": "nm"})
    return sites, seen


def _left_out(movie: Movie, gathered: list[_Frame]) -> Sites:
    place = np.concatenate([f.spots.place[f.why != ""] for f in gathered])
    number = np.concatenate([np.full((f.why != "").sum(), f.number) for f in gathered])
    at = place * np.array(pixel_size(movie)) + _corner(movie)
    sites = sites_from_positions(
        *at.T, unit=space_unit(movie), frame=_names(movie)[number.astype(np.int64)]
    )
    sites["why"] = ("site", np.concatenate([f.why[f.why != ""] for f in gathered]))
    for name in ("score", "haze"):
        values = np.concatenate([getattr(f.spots, name)[f.why != ""] for f in gathered])
        sites[name] = ("site", values, {"units": "1"})
    return sites


def _area(movie: Movie, host: MovieLattice) -> tuple[Floats, Floats]:
    """Give the corners of the area that frames cover, drift taken off."""
    high = np.array(movie.shape[1:]) - 1.0
    return np.floor(-np.nanmax(host.shift, axis=0)), np.ceil(high - np.nanmin(host.shift, axis=0))


def _columns(movie: Movie, host: MovieLattice, scale: Floats) -> Sites:
    low, high = _area(movie, host)
    middle = (np.array(movie.shape[1:]) - 1) / 2
    points = host.points(low - host.distance, high + host.distance, middle)
    return sites_from_positions(
        *(points * scale).T, unit="nm", spacing=host.distance * float(scale.mean())
    )


def _mean(movie: Movie, host: MovieLattice, scale: Floats) -> Image:
    """Give the mean of frames as they lie on the lattice, NaN where none of them was."""
    low, high = _area(movie, host)
    size = (high - low).astype(int) + 1
    total, count = np.zeros(size), np.zeros(size)
    numbers = np.flatnonzero(np.isfinite(host.shift).all(axis=1))
    for k, image in zip(numbers, frames_of_movie(movie, numbers), strict=True):
        values = np.asarray(image.values, dtype=np.float64)
        known = np.isfinite(values)
        # Pixel p of the mean is pixel p + low + shift of the frame.
        move = low + host.shift[k]
        filled = np.where(known, values, 0.0)
        grid = np.eye(2)
        seen = ndimage.affine_transform(
            known.astype(float), grid, move, output_shape=tuple(size), order=1, cval=0.0
        )
        part = ndimage.affine_transform(
            filled, grid, move, output_shape=tuple(size), order=1, cval=0.0
        )
        whole = seen > 0.999
        total[whole] += part[whole]
        count[whole] += 1
    least = max(1, len(numbers) // 5)
    mean = np.where(count >= least, total / np.maximum(count, 1), np.nan).astype(np.float32)
    attrs = {"units": movie.attrs.get("units", "1")}
    coords = {
        dim: (dim, (low[k] + np.arange(size[k])) * scale[k], {"units": "nm"})
        for k, dim in enumerate(("y", "x"))
    }
    image = xr.DataArray(mean, dims=("y", "x"), coords=coords, attrs=attrs, name=movie.name)
    add_note(
        image,
        f"Mean of {len(numbers)} frames, the drift of the lattice taken off; places that fewer "
        f"than {least} of them show are left open.",
    )
    return image


def _frames_table(movie: Movie, host: MovieLattice, gathered: list[_Frame], scale: Floats) -> Table:
    n = len(gathered)
    step = np.full(n, np.nan)
    step[host.measured] = host.step
    doubt = [_doubt(frame, host) for frame in gathered]
    columns = {
        "frame": _names(movie),
        "pixel_size": step,
        "drift_y": host.shift[:, 0] * scale[0],
        "drift_x": host.shift[:, 1] * scale[1],
        "lattice_power": host.power,
        "n_impurities": np.array([(f.why == "").sum() for f in gathered]),
        "n_contamination": np.array([(f.why == "contamination").sum() for f in gathered]),
        "n_border": np.array([(f.why == "border").sum() for f in gathered]),
        "contaminated": np.array([float(f.spots.extended[0, 0]) for f in gathered]),
        "doubt": np.array(doubt),
    }
    return table_from_columns(
        columns, units=dict.fromkeys(("pixel_size", "drift_y", "drift_x"), "nm")
    )


def _doubt(frame: _Frame, host: MovieLattice) -> str:
    """Say what is not sure of a frame, or nothing."""
    said = []
    hazy = (frame.spots.haze >= _CLEAR) & (frame.spots.haze < _HAZY) & (frame.why == "")
    if hazy.any():
        said.append(f"{hazy.sum()} of the impurities may be contamination")
    if not np.isfinite(host.shift[frame.number]).all():
        said.append("no lattice is seen")
    elif frame.number and np.isfinite(host.shift[frame.number - 1]).all():
        part = host.matrix.T @ (host.shift[frame.number] - host.shift[frame.number - 1])
        if np.abs(part).max() > _FAR:
            said.append("the drift may be off by a vector of the lattice")
    return "; ".join(said)


def _verdict(
    result: MovieImpurities, host: MovieLattice, known: PlaneLattice, unit: str, step: Floats
) -> list[str]:
    frames = result.frames
    n = frames.sizes["row"]
    number = frames["frame"].values
    own = float(np.nanmedian(host.step))
    n_fits = int(np.isfinite(host.step).sum())
    scale = (
        f"By the lattice of {known.name} a pixel is {own:.5g} nm, the median of {n_fits} frames "
        f"with a scatter of {100 * scatter(host.step) / own:.2g} %."
    )
    if unit != "px":
        apart = 100 * (float(np.sqrt(step.prod())) / own - 1)
        scale += f" The stated scale, which is kept, reads {apart:+.2g} % against it."
    said = [scale]
    counts = frames["n_impurities"].values
    total = int(counts.sum())
    most = int(counts.max(initial=0))
    said.append(
        f"{total} impurities are in {int((counts > 0).sum())} of {n} frames, up to {most} a frame."
        + (
            f" None is seen in frames {_listed(number[counts == 0])}."
            if (counts == 0).any()
            else ""
        )
    )
    for column, what in (
        (
            "n_contamination",
            "with bright surroundings, or beside such, were taken for contamination",
        ),
        ("n_border", "cut by the border were left out"),
    ):
        some = frames[column].values
        if some.any():
            said.append(f"{int(some.sum())} spots {what}, in frames {_listed(number[some > 0])}.")
    if result.sites.sizes["site"]:
        off = result.sites["off_column"].values
        share = float((off <= _OFF * result.lattice.attrs["spacing"]).mean())
        area = abs(float(np.linalg.det(host.cell))) / len(host.columns)
        chance = np.pi * (_OFF * host.distance) ** 2 / area
        said.append(
            f"Impurities lie {1e3 * float(np.median(off)):.2g} pm from a column of the host "
            f"(median), {share:.0%} of them within a third of the distance between "
            f"columns, where {min(chance, 1.0):.0%} would lie by chance."
        )
    drift = np.hypot(*np.diff(host.shift, axis=0).T)
    if np.isfinite(drift).any():
        said.append(
            f"The lattice moves {float(np.nanmedian(drift)) * own:.2g} nm from frame to frame "
            f"(median; at most {float(np.nanmax(drift)) * own:.2g} nm); whole vectors of the "
            "lattice cannot be told, the least motion is taken."
        )
    doubt = frames["doubt"].values.astype(str)
    said += [f"Frame {k}: {text}." for k, text in zip(number, doubt, strict=True) if text]
    return said


def _listed(numbers: NDArray[np.int64]) -> str:
    return ", ".join(map(str, numbers[:_LISTED])) + (", ..." if len(numbers) > _LISTED else "")
