"""Particles of an image and where they point, found by a network trained for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adatom.errors import NoLatticeError
from adatom.localization.absurd import absurd_in_words, without_absurd_pixels
from adatom.localization.choosing import usable_pixels
from adatom.localization.contrast import Contrast, contrast_of_image
from adatom.localization.detection import check_not_constant, pixels_of_image
from adatom.localization.finding import told_spacing
from adatom.localization.heads import SiteHeads, heads_at_cells
from adatom.localization.network import squared_pixels
from adatom.localization.network_scale import NetworkScale
from adatom.localization.particle_scale import UNSURE, find_particle_scale
from adatom.localization.running import Runner, runner_of_network
from adatom.localization.seeing import view_of_image
from adatom.numerics.exported_network import ExportedNetwork
from adatom.schema import (
    IMAGE,
    Image,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)
from adatom.units import Length

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_particles(
    image: Image,
    network: ExportedNetwork,
    /,
    *,
    contrast: Contrast = "bright",
    spacing: Length | None = None,
) -> Sites:
    """Find particles by a network of one's own, with class and orientation if it tells them.

    Places are those of the network, without a fit of Gaussians, which rods and
    polygons are not. Particles may lie without order and as sparsely as they
    like: the scale is taken at which the network sees the same particles as at
    those next to it, half an octave nearer and farther. Nothing that is
    measured is left out.

    Parameters
    ----------
    image : Image
        Loaded into memory if it is lazy.
    network : ExportedNetwork
        As `networks.export_network` gives it of what
        `pipelines.train_particle_finder` has trained.
    contrast : {"bright", "dark", "auto"}
        Particles stand up from their ground in most microscopes.
    spacing : length, optional
        Tells the scale, if the one that is found cuts particles into pieces or
        joins them: the distance of neighbors that are not crowded, about one
        and a half lengths of a particle. The network finds it by itself
        otherwise.

    Returns
    -------
    Sites
        With ``score``; ``class`` and ``class_probability`` (site,
        class_name) of a network with classes; ``orientation`` in deg from +x
        towards +y, from 0 to 360 / symmetry, of one with a symmetry.
        ``attrs``: ``spacing``, the usual distance of neighbors, unless there is
        only one particle; ``scale_confidence``, from 0 to 1, how well the
        scales agree, NaN if `spacing` is told. A note says so where it is low.

    Raises
    ------
    NoLatticeError
        If the image is constant, or the network sees nothing that it knows.
    SettingError
        If the spacing is less than two pixels.

    Examples
    --------
    >>> from adatom.io import read_image, read_network  # doctest: +SKIP
    >>> rods = read_image("rods.spm")  # doctest: +SKIP
    >>> found = find_particles(rods, read_network("rods.onnx"))  # doctest: +SKIP
    >>> found["orientation"].values.round()  # doctest: +SKIP
    array([ 12., 174.,  95.])
    """
    IMAGE.check(image)
    told = None if spacing is None else told_spacing(spacing, image)
    runner = runner_of_network(network)
    check_not_constant(image)
    image, n_absurd = without_absurd_pixels(image)
    settled = contrast_of_image(
        image, pixels_of_image(image, None, contrast="bright"), contrast=contrast
    )
    found = _found_in_pixels(
        pixels_of_image(image, None, contrast=settled.contrast),
        usable_pixels(image, None),
        runner,
        step=pixel_size(image),
        spacing=told,
    )
    step, frame = np.array(pixel_size(image)), extent(image)
    place = found.position * step + np.array([frame[0], frame[2]])
    single = not np.isfinite(found.spacing)
    sites = sites_from_positions(
        *place.T,
        unit=space_unit(image),
        spacing=None if single else found.spacing * float(np.sqrt(step.prod())),
        extent=frame,
    )
    sites["score"] = ("site", found.score)
    sites = sites.assign(found.heads.variables(runner.card))
    sites.attrs["scale_confidence"] = found.scale.confidence
    add_note(
        sites,
        f"Found by the network {runner.card.hash[:8]} on the {runner.device}, at "
        f"{found.scale.factor:.3g} pixels of its picture per pixel of the image, "
        f"{_why(found.scale)}.",
    )
    add_note(sites, settled.in_words().replace("Atoms", "Particles"))
    if n_absurd:
        add_note(sites, absurd_in_words(n_absurd))
    unmeasured = float(1 - usable_pixels(image, None).mean())
    if unmeasured:
        add_note(sites, f"Not analyzed: {unmeasured:.1%} not measured of the image's area.")
    return sites


class _Found(NamedTuple):
    """Particles where the image is measured, in its pixels."""

    position: NDArray[np.float64]
    score: NDArray[np.float64]
    heads: SiteHeads
    spacing: float
    scale: NetworkScale


def _found_in_pixels(
    pixels: NDArray[np.float32],
    usable: NDArray[np.bool_],
    runner: Runner,
    *,
    step: tuple[float, float],
    spacing: float | None,
) -> _Found:
    square = squared_pixels(pixels, usable, step)
    scale = find_particle_scale(square.pixels, square.usable, runner, spacing=spacing)
    view = view_of_image(square.pixels, square.usable, runner, factor=scale.factor)
    row, column = np.rint(view.position).astype(int).T
    measured = square.usable[row, column]
    if not measured.any():
        raise NoLatticeError(_nothing_seen(scale))
    position = (view.position[measured] + 0.5) / np.array(square.factors) - 0.5
    return _Found(
        np.clip(position, 0, np.array(pixels.shape) - 1),
        view.score[measured],
        heads_at_cells(view.maps, view.in_cells(runner.card.stride)).of_sites(measured),
        view.spacing,
        scale,
    )


def _nothing_seen(scale: NetworkScale) -> str:
    where = (
        f"at any of {scale.n_tried} scales"
        if scale.n_tried
        else "at the scale that spacing= tells; is it that of neighbors, in the right unit?"
    )
    return (
        f"the network sees no particle that it knows {where}: if particles can be seen, give "
        'their distance as spacing=, try contrast="dark", or train on images more like this one'
    )


def _why(scale: NetworkScale) -> str:
    """Say by what the scale was taken, and what to do where it is doubtful."""
    if not scale.n_tried:
        return "as spacing= tells"
    chosen = (
        f"at which of {scale.n_tried} scales it agrees best with those next to it "
        f"(confidence {scale.confidence:.2f})"
    )
    if scale.confidence > UNSURE:
        return chosen
    return (
        f"{chosen}; that is little: look whether particles are cut into pieces or joined, and if "
        "so tell spacing=, which is about one and a half times the length of a particle"
    )
