"""Round particles that lie without order: spots of one size, dark or bright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.spatial import cKDTree

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.localization.absurd import absurd_in_words, without_absurd_pixels
from adatom.localization.detection import check_not_constant
from adatom.localization.movie_frames import images_of_movie
from adatom.numerics.filters import maximum_filter
from adatom.numerics.medians import SIGMA_OF_MAD
from adatom.numerics.peaks import blob_response, local_maxima, parabolic_maxima
from adatom.numerics.spacing import nearest_distances
from adatom.schema import (
    IMAGE,
    MOVIE,
    Image,
    Movie,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Grid = NDArray[np.float32]

Contrast = Literal["auto", "bright", "dark"]

# A disc answers strongest at its radius over the root of two.
_DIAMETERS: Final = 2 * 2**0.5
# Sizes that are tried, in pixels and shares of the image, by half octaves.
_LEAST_SIGMA: Final = 1.0
_LARGEST: Final = 1 / 16
_STEP: Final = 2**0.5
# Frames by which size and contrast are settled, spread over the movie.
_SETTLED_BY: Final = 3
_SQUARE: Final = 0.02


def find_spots(
    image: Image,
    /,
    *,
    diameter: Length | None = None,
    contrast: Contrast = "auto",
    min_snr: float = 8.0,
) -> Sites:
    """Find round particles of one size, that need no order: spheres, vesicles, single molecules.

    The image is filtered for blobs of one size [1]_; spots are the local maxima
    that stand above the noise, moved to the top of the parabola through
    their neighbors, to about twice the error of a fit. The size at which spots answer
    strongest, and whether they are dark or bright, are found by the image. For atoms of a
    crystal take `find_atoms`, for particles of other shapes `find_particles`.

    Parameters
    ----------
    image : Image
        With square pixels. Loaded into memory if it is lazy.
    diameter : length, optional
        Of the spots, if it is known or one of several sizes is looked for.
    contrast : {"auto", "bright", "dark"}
        Of the spots against their ground.
    min_snr : float
        Spots whose answer is less than so many times the noise of the filtered image are left
        out. Noise alone reaches 5 once in some images; 8 leaves out what is
        far from the focus, too.

    Returns
    -------
    Sites
        With ``amplitude``, height of a Gaussian spot of that size that would answer as
        much, positive also for dark spots, in the unit of the image; and ``snr``, the answer
        over the noise. ``attrs``: ``diameter``; ``spacing``, median distance to the nearest.
        Spots within a radius of the edge, or of what was not measured, are left out; a note
        tells how many.

    Raises
    ------
    KindError
        If pixels are not square.
    NoLatticeError
        If the image is constant, or nothing stands above the noise.
    SettingError
        If `min_snr` is not positive, or `diameter` less than two pixels.

    References
    ----------
    .. [1] T. Lindeberg, Int. J. Comput. Vis. 30, 79 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:80, :90]
    >>> noise = np.random.default_rng(0).normal(0, 0.02, y.shape)
    >>> spots = noise - sum(
    ...     np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for a, b in [(20, 30), (50.5, 60), (40, 12)]
    ... )
    >>> found = find_spots(image_from_array(spots))
    >>> found["y"].values.round(1), found["x"].values.round(1)
    (array([20. , 40. , 50.5]), array([30., 12., 60.]))
    """
    IMAGE.check(image)
    search = _settled([image], diameter, contrast, min_snr)
    calm, n_absurd = without_absurd_pixels(image)
    found = _found(calm, search)
    if not len(found.place):
        raise NoLatticeError(_nothing("the image", search, min_snr))
    sites = _sites([found], [0], image, search)
    sites = sites.drop_vars("frame")
    _tell(sites, [found], search, n_absurd)
    return sites


def find_spots_in_movie(
    movie: Movie,
    /,
    *,
    diameter: Length | None = None,
    contrast: Contrast = "auto",
    min_snr: float = 8.0,
) -> Sites:
    """Find round particles in every frame of a movie, as `find_spots` does in an image.

    Size and contrast are settled by three frames spread over the movie and
    hold for all of them; the noise is that of each frame. Frames are read one
    after the other, so that a movie may be longer than memory.

    Parameters
    ----------
    movie : Movie
        With square pixels, in memory or lazy.
    diameter : length, optional
        As for `find_spots`.
    contrast : {"auto", "bright", "dark"}
        As for `find_spots`.
    min_snr : float
        As for `find_spots`.

    Returns
    -------
    Sites
        Of all frames, with ``frame``, ``time`` where the frames have times, and what
        `find_spots` gives.

    Raises
    ------
    KindError
        If pixels are not square.
    NoLatticeError
        If no frame shows a spot; frames that do not while others do are told in a note.
    SettingError
        If `min_snr` is not positive, or `diameter` less than two pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:64, :64]
    >>> frame = image_from_array(np.exp(-((y - 20) ** 2 + (x - 30) ** 2) / 8))
    >>> find_spots_in_movie(frame.expand_dims(frame=3))["frame"].values
    array([0, 1, 2])
    """
    MOVIE.check(movie)
    numbers = np.unique(np.linspace(0, movie.sizes["frame"] - 1, _SETTLED_BY).round().astype(int))
    few = [image for _, _, image in images_of_movie(movie, numbers.tolist())]
    search = _settled(few, diameter, contrast, min_snr)
    found: list[_Spots] = []
    places: list[int] = []
    n_absurd = 0
    for k, _, image in images_of_movie(movie):
        calm, n_bad = without_absurd_pixels(image)
        n_absurd += n_bad
        found.append(_found(calm, search))
        places.append(k)
    if not any(len(spots.place) for spots in found):
        raise NoLatticeError(_nothing(f"any of {len(found)} frames", search, min_snr))
    sites = _sites(found, places, movie, search)
    _tell(sites, found, search, n_absurd)
    return sites


class _Search(NamedTuple):
    """What is looked for: sigma in pixels, sign of bright or dark, least signal over noise."""

    sigma: float
    sign: float
    min_snr: float


class _Spots(NamedTuple):
    """Spots of a frame, in pixels, and how many were left out at edges."""

    place: Floats
    amplitude: Floats
    snr: Floats
    n_cut: int


def _settled(
    images: Sequence[Image], diameter: Length | None, contrast: Contrast, min_snr: float
) -> _Search:
    """Settle size and contrast: those at which the spots of all images answer strongest."""
    step = _checked_step(images[0])
    if not min_snr > 0:
        msg = f"{min_snr=} must be positive"
        raise SettingError(msg)
    if contrast not in ("auto", "bright", "dark"):
        msg = f'{contrast=} must be "auto", "bright" or "dark"'
        raise SettingError(msg)
    signs = {"auto": (1.0, -1.0), "bright": (1.0,), "dark": (-1.0,)}[contrast]
    if diameter is not None:
        told = length_from_setting(
            diameter, unit=space_unit(images[0]), pixel_size=step, name="diameter"
        )
        told /= step
        if not told >= 2:
            msg = f"{diameter=} is {told:.2g} pixels, need two or more: is it in the right unit?"
            raise SettingError(msg)
        sigmas = [told / _DIAMETERS]
    else:
        largest = max(min(images[0].shape) * _LARGEST, 2 * _LEAST_SIGMA)
        count = 1 + int(np.log(largest / _LEAST_SIGMA) / np.log(_STEP))
        sigmas = [_LEAST_SIGMA * _STEP**k for k in range(count)]
    total = np.zeros((len(signs), len(sigmas)))
    constant = None
    for image in images:
        try:
            check_not_constant(image)
        except NoLatticeError as error:
            constant = error
            continue
        calm, _ = without_absurd_pixels(image)
        pixels, _ = _filled(calm)
        for row, sign in enumerate(signs):
            total[row] += _answers(sign * pixels, sigmas, min_snr)
    if constant is not None and not total.any():
        raise constant
    best_sign, best_size = divmod(int(total.argmax()), len(sigmas))
    return _Search(sigmas[best_size], signs[best_sign], min_snr)


def _checked_step(image: Image) -> float:
    step = pixel_size(image)
    if abs(step[0] / step[1] - 1) > _SQUARE:
        msg = (
            f"pixels are {step[0]:.4g} high and {step[1]:.4g} {space_unit(image)} wide, spots need "
            "square ones: resample the image"
        )
        raise KindError(msg)
    return float(np.sqrt(step[0] * step[1]))


def _filled(image: Image) -> tuple[Grid, NDArray[np.bool_]]:
    """Fill what was not measured with the mean."""
    values = np.asarray(image.values, dtype=np.float32)
    known = np.isfinite(values)
    if known.all():
        return values, known
    mean = float(values[known].mean()) if known.any() else 0.0
    return np.where(known, values, np.float32(mean)), known


def _noise(response: NDArray[np.floating]) -> float:
    """Estimate the noise of a response, in which spots take little of the area."""
    return SIGMA_OF_MAD * float(np.median(np.abs(response - np.median(response))))


def _answers(pixels: Grid, sigmas: Sequence[float], min_snr: float) -> Floats:
    """Sum the squared answers of the spots that answer strongest at each size."""
    responses = [blob_response(pixels, sigma) for sigma in sigmas]
    around = [maximum_filter(response, 3, mode="nearest") for response in responses]
    total = np.zeros(len(sigmas))
    for k, response in enumerate(responses):
        points = local_maxima(response, above=_least(response, _noise(response), min_snr))
        at = tuple(points.T)
        own = response[at]
        for beside in (k - 1, k + 1):
            if 0 <= beside < len(sigmas):
                own = np.where(around[beside][at] > response[at], 0.0, own)
        total[k] = float((own.astype(float) ** 2).sum())
    return total


def _least(response: NDArray[np.floating], noise: float, min_snr: float) -> float:
    # Of an image without noise what rounding leaves is none.
    return max(min_snr * noise, 1e-4 * float(np.abs(response).max()))


def _found(image: Image, search: _Search) -> _Spots:
    pixels, known = _filled(image)
    response = blob_response(search.sign * pixels, search.sigma)
    if not np.ptp(pixels):
        return _Spots(np.zeros((0, 2)), np.zeros(0), np.zeros(0), 0)
    noise = max(_noise(response), float(np.finfo(np.float32).eps))
    points = _one_of_each(local_maxima(response, above=_least(response, noise, search.min_snr)))
    far = _distance_to_edges(points, known) > search.sigma * 2**0.5
    kept = points[far]
    height = response[tuple(kept.T)].astype(float)
    # A Gaussian of sigma answers a filter of sigma with half its height.
    return _Spots(parabolic_maxima(response, kept), 2 * height, height / noise, int((~far).sum()))


def _one_of_each(points: NDArray[np.intp]) -> NDArray[np.intp]:
    """Take one of the highest pixels of a plateau."""
    kept = np.ones(len(points), dtype=bool)
    pairs = cKDTree(points).query_pairs(1.5, output_type="ndarray") if len(points) else points
    kept[pairs[:, 1]] = False
    return points[kept]


def _distance_to_edges(points: NDArray[np.intp], known: NDArray[np.bool_]) -> Floats:
    """Give how far points are from what was not measured, in the image or around it."""
    size = np.array(known.shape)
    away = np.minimum(points + 1, size - points).min(axis=1, initial=int(size.max()))
    if known.all():
        return np.asarray(away, dtype=float)
    inner = scipy.ndimage.distance_transform_edt(known)
    return np.asarray(np.minimum(away, inner[tuple(points.T)]), dtype=float)


def _sites(
    found: list[_Spots], places: list[int], picture: Image | Movie, search: _Search
) -> Sites:
    step, frame = np.array(pixel_size(picture)), extent(picture)
    of_frame = np.repeat(places, [len(spots.place) for spots in found])
    place = np.concatenate([spots.place for spots in found]) * step + np.array([frame[0], frame[2]])
    names = (
        picture.coords["frame"].values
        if "frame" in picture.coords
        else np.arange(picture.sizes.get("frame", 1))
    )
    distances = [nearest_distances(spots.place)[:, 0] for spots in found if len(spots.place) > 1]
    spacing = float(np.median(np.concatenate(distances))) * float(step[0]) if distances else None
    sites = sites_from_positions(
        *place.T, unit=space_unit(picture), frame=names[of_frame], spacing=spacing, extent=frame
    )
    unit = str(picture.attrs.get("units", "1"))
    for name, units in (("amplitude", unit), ("snr", "1")):
        values = np.concatenate([getattr(spots, name) for spots in found])
        sites[name] = ("site", values, {"units": units})
    time = picture.coords.get("time")
    if time is not None and time.dims == ("frame",):
        sites["time"] = ("site", time.values[of_frame], dict(time.attrs))
    sites.attrs["diameter"] = _DIAMETERS * search.sigma * float(step[0])
    return sites


def _tell(sites: Sites, found: list[_Spots], search: _Search, n_absurd: int) -> None:
    counts = [len(spots.place) for spots in found]
    unit = space_unit(sites)
    kind = "bright" if search.sign > 0 else "dark"
    size = f"{sites.attrs['diameter']:.4g} {unit} across ({_DIAMETERS * search.sigma:.3g} pixels)"
    if len(found) == 1:
        text = (
            f"{counts[0]} {kind} spots of about {size} stand above {search.min_snr:g} times noise"
        )
    else:
        text = (
            f"{min(counts)} to {max(counts)} {kind} spots a frame, {sum(counts)} in all, of about "
            f"{size}, stand above {search.min_snr:g} times noise"
        )
    add_note(sites, f"{text}.")
    n_cut = sum(spots.n_cut for spots in found)
    if n_cut:
        add_note(
            sites,
            f"{n_cut} spots within a radius of the edge, or of what was not measured, were left "
            "out: part of them is not seen.",
        )
    without = [k for k, count in enumerate(counts) if not count]
    if without:
        named = ", ".join(map(str, without[:20])) + (", ..." if len(without) > 20 else "")
        add_note(sites, f"{len(without)} frames without a spot: {named}.")
    if n_absurd:
        add_note(sites, absurd_in_words(n_absurd))


def _nothing(where: str, search: _Search, min_snr: float) -> str:
    kind = "bright" if search.sign > 0 else "dark"
    return (
        f"no {kind} spot of about {_DIAMETERS * search.sigma:.3g} pixels in {where} stands above "
        f"{min_snr:g} times the noise: give diameter= or contrast=, or a lower min_snr="
    )
