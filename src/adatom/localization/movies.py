"""Atoms of all frames of a movie, found frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError, NoLatticeError
from adatom.localization.absurd import absurd_in_words, without_absurd_pixels
from adatom.localization.choosing import (
    DEFAULT_METHOD,
    Method,
    runner_of_method,
    usable_pixels,
)
from adatom.localization.contrast import NOTHING_SEEN, Contrast, ContrastOfImage, contrast_of_image
from adatom.localization.detection import pixels_of_image
from adatom.localization.finding import Search, sites_of_image, told_spacing, warn_of_doubt
from adatom.localization.movie_frames import images_of_movie
from adatom.localization.network import squared_pixels
from adatom.localization.network_scale import NetworkScale, find_network_scale
from adatom.localization.running import Runner
from adatom.localization.seeing import LEAST_CONFIDENCE
from adatom.numerics.exported_network import ExportedNetwork
from adatom.schema import (
    MASK,
    MOVIE,
    Image,
    Mask,
    Movie,
    Sites,
    add_note,
    extent,
    pixel_size,
)
from adatom.units import Length

# Frames by which contrast and scale are settled, spread over the movie: a
# movie may begin or end with a frame that shows nothing.
_SETTLED_BY = 3


def find_atoms_in_movie(
    movie: Movie,
    regions: Mask | None = None,
    trained: ExportedNetwork | None = None,
    /,
    *,
    method: Method = DEFAULT_METHOD,
    contrast: Contrast = "auto",
    spacing: Length | None = None,
    network: str | None = None,
) -> Sites:
    """Find the atoms in every frame of a movie, as `find_atoms` does in an image.

    Contrast, and the scale at which a network looks, are settled by three
    frames spread over the movie and hold for all of them; everything else is
    found for each frame by itself. Frames are read one after the other, so
    that a movie may be longer than memory.

    Parameters
    ----------
    movie : Movie
        In memory or lazy, of any number of frames.
    regions : Mask, optional
        True where to look, (y, x) for all frames or (frame, y, x); by
        default where a lattice is seen, in each frame.
    trained : ExportedNetwork, optional
        A network of one's own, as `networks.export_network` gives it.
    method : {"classical", "network"}
        As for `find_atoms`.
    contrast : {"auto", "bright", "dark"}
        As for `find_atoms`.
    spacing : length, optional
        Distance between neighbors if it is known, as for `find_atoms`.
    network : str, optional
        File of an exported network to use; by default the shipped one.

    Returns
    -------
    Sites
        Of all frames, with ``frame``, ``time`` if the movie has it, and what `find_atoms`
        gives, but ``sublattice``, which not every frame may show. ``attrs``:
        ``spacing`` (median of the frames) and ``extent``.

    Raises
    ------
    NoLatticeError
        If no frame shows a lattice; frames that do not while others do give
        no sites and are told in a note.
    ReadError
        If the file of the network cannot be used.

    Warns
    -----
    AdatomWarning
        If the network is hardly sure of the scale in most frames.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> frame = image_from_array(np.cos(y) + np.cos(x))
    >>> movie = frame.expand_dims(frame=2)
    >>> np.bincount(find_atoms_in_movie(movie).frame).tolist()
    [81, 81]
    """
    MOVIE.check(movie)
    if regions is not None:
        _check_regions(regions, movie)
    runner = runner_of_method(method, trained, network)
    first = next(_frames(movie, regions, [0])).image
    told = None if spacing is None else told_spacing(spacing, first)
    search = settled_search(movie, regions, runner, contrast=contrast, spacing=told)
    found: list[Sites] = []
    without: list[int] = []
    n_absurd = 0
    for frame in _frames(movie, regions, range(movie.sizes["frame"])):
        n_absurd += frame.n_absurd
        try:
            sites = sites_of_image(frame.image, frame.regions, search)
        except NoLatticeError:
            without.append(frame.number)
            continue
        found.append(_in_frame(sites, frame.number))
    if not found:
        msg = (
            f"none of {len(without)} frames shows a lattice: if atoms can be seen, give their "
            "distance as spacing=, or average frames"
        )
        raise NoLatticeError(msg)
    joined = _joined(found, without, movie, search)
    if n_absurd:
        add_note(joined, f"In all frames, {absurd_in_words(n_absurd)}")
    confidences = [sites.attrs.get("scale_confidence", np.nan) for sites in found]
    warn_of_doubt(joined, float(np.median(confidences)), of="most frames")
    return joined


class _Frame(NamedTuple):
    """A frame as it is searched, and how many of its pixels were taken for not measured."""

    number: int
    image: Image
    regions: Mask | None
    n_absurd: int


def _frames(movie: Movie, regions: Mask | None, numbers: range | list[int]) -> Iterator[_Frame]:
    """Read frames one by one, with their numbers and regions."""
    for k, number, image in images_of_movie(movie, numbers):
        mask = regions
        if regions is not None and "frame" in regions.dims:
            mask = regions.isel(frame=k, drop=True)
        calm, n_absurd = without_absurd_pixels(image)
        yield _Frame(number, calm, mask, n_absurd)


def settled_search(
    movie: Movie,
    regions: Mask | None,
    runner: Runner | None,
    *,
    contrast: Contrast,
    spacing: float | None,
) -> Search:
    """Settle contrast and scale by a few frames: the contrast of most, the most confident scale."""
    numbers = np.unique(np.linspace(0, movie.sizes["frame"] - 1, _SETTLED_BY).round().astype(int))
    chosen: list[ContrastOfImage] = []
    pixels, usable = [], []
    for _, image, mask, _ in _frames(movie, regions, numbers.tolist()):
        try:
            pixels.append(pixels_of_image(image, mask, contrast="bright"))
        except NoLatticeError:
            continue
        usable.append(usable_pixels(image, mask))
        chosen.append(contrast_of_image(image, pixels[-1], mask, contrast=contrast))
    if not chosen:
        msg = "the frames that were looked at hold no finite pixel within regions"
        raise NoLatticeError(msg)
    # Frames that show nothing have no say unless all of them do.
    seen = [one for one in chosen if one is not NOTHING_SEEN] or chosen
    dark, bright = ([one for one in seen if one.contrast == c] for c in ("dark", "bright"))
    settled = max(bright, dark, key=len)[0]
    search = Search(runner, settled, spacing)
    if runner is None or spacing is not None:
        return search
    sign = 1 if settled.contrast == "bright" else -1
    scales: list[NetworkScale] = []
    for values, known in zip(pixels, usable, strict=True):
        square = squared_pixels(sign * values, known, pixel_size(movie))
        scales.append(find_network_scale(square.pixels, square.usable, runner))
    best = max(scales, key=lambda scale: scale.confidence)
    # Where these frames show nothing every frame seeks its own.
    return search._replace(scale=best if best.confidence >= LEAST_CONFIDENCE else None)


def _check_regions(regions: Mask, movie: Movie) -> None:
    MASK.check(regions, name="regions")
    needed = movie.shape if "frame" in regions.dims else movie.shape[1:]
    if regions.shape != needed:
        msg = f"regions of shape {regions.shape} do not cover a movie of shape {movie.shape}"
        raise KindError(msg)


def _in_frame(sites: Sites, number: int) -> Sites:
    sites = sites.drop_vars("sublattice", errors="ignore")
    return sites.assign_coords(frame=("site", np.full(sites.sizes["site"], number)))


def _times(joined: Sites, movie: Movie) -> tuple[str, np.ndarray, dict[str, object]]:
    """Give the time of the frame of each site."""
    names = movie.coords["frame"].values if "frame" in movie.coords else np.arange(len(movie))
    rank = np.searchsorted(names, joined["frame"].values)
    time = movie.coords["time"]
    return "site", time.values[rank], dict(time.attrs)


def _joined(found: list[Sites], without: list[int], movie: Movie, search: Search) -> Sites:
    counts = [sites.sizes["site"] for sites in found]
    spacing = float(np.median([sites.attrs["spacing"] for sites in found]))
    joined = xr.concat(found, dim="site", combine_attrs="override")
    joined.attrs = {"spacing": spacing, "extent": extent(movie)}
    if "time" in movie.coords and movie.coords["time"].dims == ("frame",):
        joined = joined.assign_coords(time=_times(joined, movie))
    what = "classically"
    if search.runner is not None:
        what = f"by the network {search.runner.card.hash[:8]} on the {search.runner.device}"
    if search.scale is not None:
        what += f", at {search.scale.factor:.3g} pixels of its picture per pixel of the movie"
    add_note(
        joined,
        f"Found {what}: {min(counts)} to {max(counts)} sites a frame, {sum(counts)} in all.",
    )
    add_note(joined, search.contrast.in_words())
    if without:
        named = ", ".join(map(str, without[:20])) + (", ..." if len(without) > 20 else "")
        add_note(joined, f"{len(without)} frames without a lattice have no sites: {named}.")
    return joined
