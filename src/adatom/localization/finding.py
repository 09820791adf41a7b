"""Atoms of an image, found without being told their size, classically or by a network."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.errors import AdatomWarning, SettingError
from adatom.localization.absurd import absurd_in_words, without_absurd_pixels
from adatom.localization.choosing import (
    DEFAULT_METHOD,
    Method,
    runner_of_method,
    usable_pixels,
)
from adatom.localization.contrast import Contrast, ContrastOfImage, contrast_of_image
from adatom.localization.detection import check_not_constant, find_peaks, pixels_of_image
from adatom.localization.leaving_out import shares_in_words
from adatom.localization.network import Prediction, predict_sites_of_pixels
from adatom.localization.network_scale import NetworkScale
from adatom.localization.refinement import refine_singly
from adatom.localization.regions import find_lattice
from adatom.localization.running import Runner
from adatom.localization.seeing import FAIR_CONFIDENCE
from adatom.localization.sublattices import alternating_sublattices
from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.peaks import blob_response
from adatom.schema import (
    IMAGE,
    Image,
    Mask,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

# No two columns of a crystal are seen nearer to one another than this share of
# the usual distance between neighbors: they are one atom with a broad foot.
ONE_ATOM = 0.5
# Sigma of a typical atom in distances between neighbors.
_USUAL_WIDTH = 0.25


def find_atoms(
    image: Image,
    regions: Mask | None = None,
    trained: ExportedNetwork | None = None,
    /,
    *,
    method: Method = DEFAULT_METHOD,
    contrast: Contrast = "auto",
    spacing: Length | None = None,
    network: str | None = None,
) -> Sites:
    """Find the atoms of an image; no size, no threshold and no scale is needed.

    Classically, the strongest ring of the radial power spectrum gives the
    period p. What repeats itself within windows of seven periods predicts
    where atoms are, the pixels tell whether they are there; both are weighed
    by their uncertainties. The ring is not the distance between neighbors
    (honeycomb 0.67 p, square p, hexagonal 1.15 p): that is measured on the
    sites found.

    A network looks at the image at several scales, which the rings of the
    spectrum suggest, and the one of which it is most confident is taken. It
    knows atoms by what they and their surroundings look like, so that it
    needs no lattice that goes on, and says where it sees none.

    Single pixels of absurd values, as of hot pixels, are taken for not
    measured; a note tells how many.

    Parameters
    ----------
    image : Image
        Any size; loaded into memory if it is lazy.
    regions : Mask, optional
        True where to look, and nowhere else; by default where a lattice is
        seen, by the same method.
    trained : ExportedNetwork, optional
        A network of one's own, as `networks.export_network` gives it.
    method : {"classical", "network"}
        Both need nothing but the image.
    contrast : {"auto", "bright", "dark"}
        Atoms are brighter than their surroundings (HAADF, ADF) or darker
        (bright field, ABF). By default as the image's detector or title
        says, else by the skewness of the lattice's pixels; what may be a
        honeycomb is taken for bright.
    spacing : length, optional
        Distance between neighbors if it is known, to choose among several
        rings of the spectrum (by default the strongest one is taken), or
        among scales for a network (by default as above).
    network : str, optional
        File of an exported network to use; by default the shipped one.

    Returns
    -------
    Sites
        Refined positions with what `refine_sites` gives, ``score``, and
        ``sublattice`` where brighter columns (0) alternate with dimmer ones
        (1). A network with classes or a symmetry adds ``class``,
        ``class_probability`` (site, class_name) and ``orientation`` in deg.
        ``attrs``: ``spacing``, ``extent``; classically ``period`` and
        ``period_confidence`` (probability that noise alone would not show so
        strong a ring); by a network ``scale_confidence`` (0 to 1).

    Raises
    ------
    NoLatticeError
        If the spectrum shows no ring above the noise, or the surroundings of
        the peaks do not repeat, as in amorphous images or noise; or if the
        network sees no lattice that it knows.
    ReadError
        If the file of the network cannot be used.
    SettingError
        If a network is given for the classical method, or the picture that
        it needs, large where atoms are few pixels apart, is beyond the memory.

    Warns
    -----
    AdatomWarning
        If the network is hardly sure of the scale at which it found them.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:96, :96] * (2 * np.pi / 12)
    >>> sites = find_atoms(image_from_array(np.cos(y) + np.cos(x), pixel_size="0.01 nm"))
    >>> sites.sizes["site"], round(sites.attrs["spacing"], 2)
    (81, 0.12)
    """
    IMAGE.check(image)
    told = None if spacing is None else told_spacing(spacing, image)
    runner = runner_of_method(method, trained, network)
    sites = refine_sought(seek_atoms(image, regions, runner, contrast=contrast, spacing=told))
    warn_of_doubt(sites, sites.attrs.get("scale_confidence", np.nan), of="the image")
    return sites


class Search(NamedTuple):
    """How atoms are sought, in one image or in all frames of a movie.

    Attributes
    ----------
    runner : Runner or None
        The network, none for the classical method.
    contrast : ContrastOfImage
    spacing : float, optional
        Between neighbors in mean pixels, where it is known.
    scale : NetworkScale, optional
        At which the network looks, where it is known.
    """

    runner: Runner | None
    contrast: ContrastOfImage
    spacing: float | None = None
    scale: NetworkScale | None = None


def sites_of_image(image: Image, regions: Mask | None, search: Search, /) -> Sites:
    """Find the atoms of one image, as `find_atoms` does, when everything is settled."""
    return _sites(image, _found(image, regions, search), search)


class Sought(NamedTuple):
    """Atoms before they are refined, and how they were sought."""

    image: Image
    found: Found
    search: Search
    n_absurd: int


def seek_atoms(
    image: Image,
    regions: Mask | None,
    runner: Runner | None,
    /,
    *,
    contrast: Contrast = "auto",
    spacing: float | None = None,
) -> Sought:
    """Find atoms as `find_atoms` does, up to where they are refined; `spacing` in mean pixels."""
    check_not_constant(image)
    image, n_absurd = without_absurd_pixels(image)
    pixels = pixels_of_image(image, regions, contrast="bright")
    settled = contrast_of_image(image, pixels, regions, contrast=contrast)
    search = Search(runner, settled, spacing)
    return Sought(image, _found(image, regions, search), search, n_absurd)


def refine_sought(sought: Sought, /) -> Sites:
    """Refine atoms that were sought."""
    sites = _sites(sought.image, sought.found, sought.search)
    if sought.n_absurd:
        add_note(sites, absurd_in_words(sought.n_absurd))
    return sites


def _found(image: Image, regions: Mask | None, search: Search) -> Found:
    contrast = search.contrast.contrast
    pixels = pixels_of_image(image, regions, contrast=contrast)
    if search.runner is None:
        return _found_classically(pixels, image, regions, search)
    predicted = predict_sites_of_pixels(
        pixels,
        usable_pixels(image, regions),
        search.runner,
        step=pixel_size(image),
        spacing=search.spacing,
        scale=search.scale,
        told_where=regions is not None,
    )
    where = None if regions is None else np.asarray(regions.values)
    notes = _notes_of_network(predicted, search.runner, where)
    return _found_by_network(predicted, pixels, search.runner, notes)


class Found(NamedTuple):
    """Sites on the pixel grid, before they are refined.

    Attributes
    ----------
    position : ndarray, shape (site, 2)
        Row and column in pixels.
    height : ndarray, shape (site,)
        How bright, relative to others.
    score : ndarray, shape (site,)
    spacing : float
        Between neighbors, in mean pixels.
    lengths : dict
        More attributes, in mean pixels.
    numbers : dict
        More attributes without a unit.
    notes : list of str
        What was done and left out.
    variables : dict
        More variables of the sites, such as their class.
    """

    position: NDArray[np.float64]
    height: NDArray[np.float64]
    score: NDArray[np.float64]
    spacing: float
    lengths: dict[str, float]
    numbers: dict[str, float]
    notes: list[str]
    variables: dict[str, Any]


def told_spacing(spacing: Length, image: Image, /) -> float:
    """Give a distance between neighbors in mean pixels."""
    unit_of_pixel = float(np.sqrt(np.prod(pixel_size(image))))
    length = length_from_setting(
        spacing, unit=space_unit(image), pixel_size=unit_of_pixel, name="spacing"
    )
    if not length > 0:
        msg = f"{spacing=} must be positive"
        raise SettingError(msg)
    return length / unit_of_pixel


def warn_of_doubt(sites: Sites, confidence: float, /, *, of: str) -> None:
    """Warn the caller of a step where its network is hardly sure; NaN where the scale was told."""
    if confidence < FAIR_CONFIDENCE:
        msg = (
            f"the network is hardly sure of the scale of {of} (confidence {confidence:.2f}, below "
            f"{FAIR_CONFIDENCE}), at which atoms are {sites.attrs['spacing']:.3g} "
            f"{space_unit(sites)} apart: look whether the sites lie on atoms (plotting.plot_sites "
            "shows them on the image); if they do not, tell the distance as spacing="
        )
        warnings.warn(msg, AdatomWarning, stacklevel=3)


def _refined_singly(image: Image, sites: Sites) -> tuple[Sites, NDArray[np.intp]]:
    """Refine; of two sites that came to lie on one atom only the brighter is kept."""
    distance = ONE_ATOM * float(sites.attrs["spacing"])
    refined, kept = refine_singly(image, sites, apart=distance)
    if kept.size < sites.sizes["site"]:
        add_note(
            refined,
            f"{sites.sizes['site'] - kept.size} peaks on the flank of a brighter atom, which the "
            "fit moved onto it, are left out.",
        )
    return refined, kept


def _found_classically(
    pixels: NDArray[np.float32], image: Image, regions: Mask | None, search: Search
) -> Found:
    if regions is None:
        lattice = find_lattice(pixels, spacing=search.spacing)
        found = lattice.found
        usable = ~(lattice.disordered | lattice.empty)
    else:
        found = find_peaks(pixels, spacing=search.spacing)
        usable = np.asarray(regions.values)
    row, column = np.rint(found.position).astype(int).T
    within = usable[row, column]
    unit = float(np.sqrt(np.prod(pixel_size(image))))
    period = f"a period of {found.scale.period * unit:.4g} {space_unit(image)}"
    confidence = f"confidence {found.scale.confidence:.3f}"
    notes = [f"The strongest ring of the power spectrum has {period} ({confidence})."]
    if not within.all():
        notes.append(f"{int((~within).sum())} peaks where there is no lattice are left out.")
    return Found(
        found.position[within],
        found.height[within],
        found.score[within],
        found.spacing,
        {"period": found.scale.period},
        {"period_confidence": found.scale.confidence},
        notes,
        {},
    )


def _found_by_network(
    predicted: Prediction, pixels: NDArray[np.float32], runner: Runner, notes: list[str]
) -> Found:
    response = blob_response(pixels, max(0.7, _USUAL_WIDTH * predicted.spacing))
    row, column = np.rint(predicted.position).astype(int).T
    within = predicted.analyzed
    height = response[row, column].astype(float)
    return Found(
        predicted.position[within],
        height[within],
        predicted.score[within],
        predicted.spacing,
        {},
        {"scale_confidence": predicted.scale.confidence},
        notes,
        predicted.heads.of_sites(within).variables(runner.card),
    )


def _notes_of_network(
    predicted: Prediction, runner: Runner, regions: NDArray[np.bool_] | None
) -> list[str]:
    scale = predicted.scale
    how = (
        "as told by the spacing"
        if scale.n_tried == 0
        else f"the best of {scale.n_tried} (confidence {scale.confidence:.2f})"
    )
    what = f"the network {runner.card.hash[:8]} on the {runner.device}"
    where = f"{scale.factor:.3g} pixels of its picture per pixel of the image, {how}"
    notes = [f"Found by {what}, at {where}."]
    left_out = shares_in_words(predicted.reason)
    if regions is not None and not regions.all():
        notes.append(f"Not analyzed: {1 - regions.mean():.1%} of the image's area, as by regions.")
    elif regions is None and left_out:
        notes.append(f"Not analyzed: {left_out} of the image's area.")
    outside = int((~predicted.analyzed).sum())
    if outside:
        notes.append(f"{outside} sites there are left out.")
    return notes


def _sites(image: Image, found: Found, search: Search) -> Sites:
    step = np.array(pixel_size(image))
    frame = extent(image)
    unit = float(np.sqrt(step.prod()))
    place = found.position * step + np.array([frame[0], frame[2]])
    sites = sites_from_positions(
        place[:, 0],
        place[:, 1],
        unit=space_unit(image),
        spacing=found.spacing * unit,
        extent=frame,
    )
    sites["score"] = ("site", found.score)
    sites = sites.assign(found.variables)
    sites.attrs.update({name: length * unit for name, length in found.lengths.items()})
    sites.attrs.update(found.numbers)
    for note in found.notes:
        add_note(sites, note)
    add_note(sites, search.contrast.in_words())
    refined, kept = _refined_singly(image, sites)
    position, height = found.position[kept], found.height[kept]
    sublattice = alternating_sublattices(position, height, spacing=found.spacing)
    if sublattice is not None:
        refined["sublattice"] = ("site", sublattice)
        bright = int((sublattice == 0).sum())
        add_note(
            refined, f"Two sublattices: {bright} brighter sites, {len(height) - bright} dimmer."
        )
    return refined
