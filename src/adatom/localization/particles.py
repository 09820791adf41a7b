"""Particles of an image and where they point, found by a network trained for them."""

from __future__ import annotations

import numpy as np

from adatom.localization.absurd import absurd_in_words, without_absurd_pixels
from adatom.localization.choosing import usable_pixels
from adatom.localization.contrast import Contrast, contrast_of_image
from adatom.localization.detection import pixels_of_image
from adatom.localization.finding import told_spacing
from adatom.localization.leaving_out import shares_in_words
from adatom.localization.network import predict_sites_of_pixels
from adatom.localization.running import runner_of_network
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
    polygons are not.

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
        Between neighboring particles, if it is known; the network finds the
        scale by itself otherwise.

    Returns
    -------
    Sites
        With ``score``; ``class`` and ``class_probability`` (site,
        class_name) of a network with classes; ``orientation`` in deg from +x
        towards +y, from 0 to 360 / symmetry, of one with a symmetry.

    Raises
    ------
    NoLatticeError
        If the network sees nothing that it knows at any scale.

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
    image, n_absurd = without_absurd_pixels(image)
    settled = contrast_of_image(
        image, pixels_of_image(image, None, contrast="bright"), contrast=contrast
    )
    predicted = predict_sites_of_pixels(
        pixels_of_image(image, None, contrast=settled.contrast),
        usable_pixels(image, None),
        runner,
        step=pixel_size(image),
        spacing=told,
    )
    step, frame = np.array(pixel_size(image)), extent(image)
    kept = predicted.analyzed
    place = predicted.position[kept] * step + np.array([frame[0], frame[2]])
    sites = sites_from_positions(
        *place.T,
        unit=space_unit(image),
        spacing=predicted.spacing * float(np.sqrt(step.prod())),
        extent=frame,
    )
    sites["score"] = ("site", predicted.score[kept])
    sites = sites.assign(predicted.heads.of_sites(kept).variables(runner.card))
    add_note(
        sites,
        f"Found by the network {runner.card.hash[:8]} on the {runner.device}, at "
        f"{predicted.scale.factor:.3g} pixels of its picture per pixel of the image.",
    )
    add_note(sites, settled.in_words().replace("Atoms", "Particles"))
    if n_absurd:
        add_note(sites, absurd_in_words(n_absurd))
    left_out = shares_in_words(predicted.reason)
    if left_out:
        add_note(
            sites,
            f"Not analyzed: {left_out} of the image's area; {int((~kept).sum())} particles there "
            "are left out.",
        )
    return sites
