"""A trained network on a labeled image: what it finds, what it misses."""

from __future__ import annotations

import numpy as np

from adatom.errors import KindError
from adatom.localization.comparing import SiteComparison, compare_sites
from adatom.networks.detection import sites_of_maps
from adatom.networks.pictures import padded, picture_from_image
from adatom.networks.weights import TrainedNetwork, check_network
from adatom.schema import (
    IMAGE,
    SITES,
    Image,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)


def compare_finder(image: Image, truth: Sites, network: TrainedNetwork, /) -> SiteComparison:
    """Compare what a trained network finds in a labeled image with its true sites.

    The network looks once, at the scale that the true spacing tells, and its
    sites are not refined: what is compared is the network alone, before
    `localization.find_atoms` finds the scale and refines the sites.

    Parameters
    ----------
    image : Image
        Such as one of `simulation.simulate_training_image`.
    truth : Sites
        With ``attrs["spacing"]``; those that are not ``visible`` are ignored.
    network : TrainedNetwork
        Its threshold is that of its card.

    Returns
    -------
    SiteComparison
        As of `localization.compare_sites`.

    Raises
    ------
    KindError
        If the true sites tell no spacing.
    TooFewSitesError
        If there are no true sites.

    Examples
    --------
    >>> from adatom.networks import Architecture, Trainer
    >>> from adatom.simulation import TrainingImages, simulate_training_image
    >>> made = simulate_training_image(images=TrainingImages(size=64, empty=0.0), seed=2)
    >>> untrained = Trainer(Architecture(width=4)).untrained()
    >>> comparison = compare_finder(made.image, made.sites, untrained)
    >>> float(comparison.scores["recall"][0])
    0.0
    """
    IMAGE.check(image)
    SITES.check(truth, name="truth")
    check_network(network)
    if not np.isfinite(truth.attrs.get("spacing", np.nan)):
        msg = 'true sites have no attrs["spacing"]: give it, in the unit of the sites'
        raise KindError(msg)
    from adatom.networks.predicting import predictor_of_network

    labeled = picture_from_image(image, truth)
    whole = padded(labeled, (0, 0))
    maps = predictor_of_network(network)(whole.picture[None, None])[0]
    place, score = sites_of_maps(maps, least=network.card.threshold)
    shape = np.array(labeled.picture.shape)
    inside = (place < shape - 0.5).all(axis=1)
    pixel = (place[inside] + 0.5) * (np.array(image.shape) / shape) - 0.5
    origin = np.array([image.coords["y"].values[0], image.coords["x"].values[0]], dtype=float)
    found = sites_from_positions(
        *(pixel * pixel_size(image) + origin).T,
        unit=space_unit(image),
        spacing=float(truth.attrs["spacing"]),
        extent=extent(image),
    )
    found["score"] = ("site", score[inside])
    add_note(found, f"by the network {network.card.sha256[:8]} at the true scale, not refined")
    return compare_sites(found, truth)
