"""Departures from the lattice in every frame of a movie, with the pictures around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.defects import find_departures
from adatom.descriptors import site_patches
from adatom.errors import KindError, NoLatticeError, SettingError, TooFewSitesError
from adatom.localization import find_atoms, find_lattice_sites
from adatom.localization.absurd import without_absurd_pixels
from adatom.localization.contrast import Contrast
from adatom.localization.movies import settled_search
from adatom.numerics.frame_work import work_on_frames
from adatom.numerics.readers import Reader, reader_of
from adatom.schema import (
    MASK,
    MOVIE,
    Features,
    Image,
    Mask,
    Movie,
    Sites,
    Table,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
    table_from_columns,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.generic]]

# Frames by which the contrast is settled, spread over the movie.
_SETTLED_BY: Final = 3
_OF_SITES: Final = ("departure", "sublattice", "amplitude", "relative_intensity")
_NAMED: Final = 20


class MovieDepartures(NamedTuple):
    """Where the frames of a movie depart from their lattice.

    Attributes
    ----------
    sites : Sites
        With ``frame``, ``time`` where the movie has times, ``departure`` in
        standard deviations, ``sublattice``, ``amplitude`` and ``relative_intensity`` of the
        place (see `localization.find_lattice_sites`).
    patches : Features
        The picture around each of them (site, feature), as of `descriptors.site_patches`.
    counts : Table
        Of every frame the ``places`` of its lattice, of which those at the edge are not
        ``judged``, ``departures``, and for frames without a lattice the ``reason``.
    """

    sites: Sites
    patches: Features
    counts: Table


def find_departures_in_movie(
    movie: Movie,
    regions: Mask | None = None,
    /,
    *,
    n_columns: int,
    size: Length = "3 d",
    false_departures: float = 0.5,
    contrast: Contrast = "auto",
) -> MovieDepartures:
    """Find where each frame of a movie departs from its lattice: defects, whatever they are.

    In every frame atoms are found, the places of the lattice follow from them, as
    drift and scan bend it, and the picture around each place is compared with that
    around its like: `localization.find_atoms`, `localization.find_lattice_sites`,
    `descriptors.site_patches` and `defects.find_departures`, frame by frame. A
    defect lies at a place of the lattice, so that a hop is one of its vectors. No
    network and no label is needed; where most of the lattice is gone, see
    `find_defects_in_movie`.

    Frames are read one after the other; in a recipe the work goes on where it was stopped.

    Parameters
    ----------
    movie : Movie
        In memory or lazy.
    regions : Mask, optional
        True where to look, (y, x) for all frames.
    n_columns : int
        Columns of atoms in the primitive cell, as seen along the beam: 2 for graphene,
        MoS2 or WS2.
    size : length
        Of the pictures around places; d is the distance of nearest columns.
    false_departures : float
        How many departures noise may cause in a frame.
    contrast : {"auto", "bright", "dark"}
        Of atoms; by default as most of three frames show it, for all of them.

    Returns
    -------
    MovieDepartures
        ``sites``, ``patches`` and ``counts``.

    Raises
    ------
    NoLatticeError
        If no frame shows a lattice.

    Examples
    --------
    >>> from adatom.simulation import DefectiveSheet, Kinetics, simulate_kinetic_movie
    >>> sheet = DefectiveSheet(kinetics=Kinetics(n_defects=3))
    >>> made = simulate_kinetic_movie(sheet=sheet, n_frames=2, size=160, field="4.4 nm", seed=1)
    >>> found = find_departures_in_movie(made.movie, n_columns=2, false_departures=0.01)
    >>> found.counts["departures"].values
    array([3, 3])
    """
    MOVIE.check(movie)
    if regions is not None:
        MASK.check(regions, name="regions")
        if regions.shape != movie.shape[1:]:
            msg = f"regions of shape {regions.shape} do not cover frames of {movie.shape[1:]}"
            raise KindError(msg)
    if n_columns < 1:
        msg = f"{n_columns=} must be 1 or more"
        raise SettingError(msg)
    is_bright = (
        settled_search(movie, regions, None, contrast=contrast, spacing=None).contrast.contrast
        == "bright"
    )
    look = _Look(movie, reader_of(movie.data), regions, is_bright, n_columns)
    width = length_from_setting(
        size, unit=space_unit(movie), pixel_size=min(pixel_size(movie)),
        spacing=look.spacing(), name="size",
    )  # fmt: skip

    def work(number: int) -> Arrays:
        image = look.frame(number)
        try:
            places = look.places(image)
            patches = site_patches(image, places, size=f"{width!r} {space_unit(movie)}")
            found = find_departures(places, patches, false_departures=false_departures)
        except (NoLatticeError, TooFewSitesError) as error:
            return {"reason": np.array(str(error))}
        # The lattice's place is the center about which a defect can be turned.
        around = site_patches(image, found, size=f"{width!r} {space_unit(movie)}")
        return _arrays(places, found, around)

    frames = list(work_on_frames(movie.sizes["frame"], work))
    return _joined(look, frames)


class _Look(NamedTuple):
    """How the frames of a movie are looked at."""

    movie: Movie
    read: Reader
    """Of the whole movie, so that chunks of several frames are computed once."""
    regions: Mask | None
    is_bright: bool
    n_columns: int

    def frame(self, number: int) -> Image:
        """Read one frame."""
        # The last axis is always read whole.
        values = self.read((slice(number, number + 1), slice(0, self.movie.shape[1])))
        place = {dim: self.movie.coords[dim] for dim in ("y", "x")}
        attrs = dict(self.movie.attrs)
        image = xr.DataArray(np.asarray(values)[0], dims=("y", "x"), coords=place, attrs=attrs)
        return without_absurd_pixels(image)[0]

    def places(self, image: Image) -> Sites:
        """Find all places of the lattice."""
        # A lattice is measured by columns that are bright.
        shown = image if self.is_bright else (-image).assign_attrs(image.attrs)
        atoms = find_atoms(shown, self.regions, method="classical", contrast="bright")
        return find_lattice_sites(shown, atoms, self.regions, n_columns=self.n_columns)

    def spacing(self) -> float:
        """Give the distance of nearest columns: the median of a few frames that show them."""
        last = self.movie.sizes["frame"] - 1
        numbers = np.unique(np.linspace(0, last, _SETTLED_BY).round().astype(int))
        seen: list[float] = []
        reason = ""
        # All others only where none of these shows a lattice.
        for some in (numbers.tolist(), range(last + 1)):
            for number in some:
                try:
                    seen.append(float(self.places(self.frame(number)).attrs["spacing"]))
                except (NoLatticeError, TooFewSitesError) as error:
                    reason = str(error)
                if len(seen) == _SETTLED_BY:
                    break
            if seen:
                break
        if not seen:
            msg = f"none of {last + 1} frames shows a lattice of {self.n_columns} columns: {reason}"
            raise NoLatticeError(msg)
        return float(np.median(seen))


def _arrays(places: Sites, found: Sites, patches: Features) -> Arrays:
    arrays = {name: found[name].values for name in _OF_SITES}
    return {
        **arrays,
        "y": found["y"].values,
        "x": found["x"].values,
        "patch": patches.values.astype(np.float32),
        "missing": patches["missing"].values,
        "patch_y": patches["patch_y"].values,
        "patch_x": patches["patch_x"].values,
        "patch_shape": np.array(patches.attrs["patch_shape"]),
        "spacing": np.array(places.attrs["spacing"]),
        "places": np.array(places.sizes["site"]),
        "judged": np.array(found.attrs["n_judged"]),
    }


def _joined(look: _Look, frames: list[Arrays]) -> MovieDepartures:
    movie, unit = look.movie, space_unit(look.movie)
    seen = [one for one in frames if "y" in one]
    names = movie.coords["frame"].values if "frame" in movie.coords else np.arange(len(frames))
    n_found = np.array([len(one["y"]) if "y" in one else 0 for one in frames])
    joined = {
        name: np.concatenate([one[name] for one in seen])
        for name in ("y", "x", "patch", "missing", *_OF_SITES)
    }
    number = np.repeat(np.arange(len(frames)), n_found)
    spacing = float(np.median([float(one["spacing"]) for one in seen]))
    sites = sites_from_positions(
        joined["y"], joined["x"], unit=unit, frame=names[number], spacing=spacing,
        extent=extent(movie),
    )  # fmt: skip
    if "time" in movie.coords:
        time = movie.coords["time"]
        sites = sites.assign_coords(time=("site", time.values[number], dict(time.attrs)))
    intensity = {"units": str(movie.attrs.get("units", "1"))}
    for name in _OF_SITES:
        attrs = {"sublattice": {}, "amplitude": intensity}.get(name, {"units": "1"})
        sites[name] = ("site", joined[name], attrs)
    counts = _counts(frames, names, n_found)
    _tell(sites, counts)
    return MovieDepartures(sites, _patches(sites, joined, seen[0], movie), counts)


def _patches(sites: Sites, joined: Arrays, one: Arrays, movie: Movie) -> Features:
    units = {"units": space_unit(movie)}
    places = {name: sites.coords[name].variable for name in ("y", "x", "frame")}
    return xr.DataArray(
        joined["patch"],
        dims=("site", "feature"),
        coords={
            **places,
            "patch_y": ("feature", one["patch_y"], units),
            "patch_x": ("feature", one["patch_x"], units),
            "missing": ("site", joined["missing"], {"units": "1"}),
        },
        name="patch",
        attrs={
            "units": str(movie.attrs.get("units", "1")),
            "patch_shape": one["patch_shape"].tolist(),
            "extent": extent(movie),
        },
    )


def _counts(frames: list[Arrays], names: NDArray[np.generic], n_found: NDArray[np.int64]) -> Table:
    return table_from_columns(
        {
            "frame": names,
            **{
                name: np.array([int(one.get(name, np.array(0))) for one in frames])
                for name in ("places", "judged")
            },
            "departures": n_found,
            "reason": np.array([str(one.get("reason", np.array(""))) for one in frames]),
        }
    )


def _tell(sites: Sites, counts: Table) -> None:
    number = counts["departures"].values
    add_note(
        sites,
        f"{int(number.sum())} departures from the lattice in {len(number)} frames, "
        f"{int(number.min())} to {int(number.max())} in one",
    )
    without = counts["frame"].values[counts["reason"].values != ""]
    if len(without):
        named = ", ".join(map(str, without[:_NAMED])) + (", ..." if len(without) > _NAMED else "")
        add_note(
            sites,
            f"{len(without)} frames show no lattice and have no sites: {named}; "
            "the column `reason` of the counts says why",
        )
