"""How good the sites of a shared real image are, by whatever is known of that image."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from real_truth import (
    GOLD,
    GRAPHENE,
    MOLECULES,
    SELENIDE,
    STO_CELL,
    SUPERLATTICE,
    LatticeFit,
    brighter_half,
    dot_scores,
    drawn_regions,
    inner,
    inside,
    marked_centers,
    published_a_sites,
    published_defects,
    published_gold,
    published_graphene,
    selenide_sites,
    share_found,
)
from resolved_images import ResolvedImage

from adatom.localization import compare_sites
from adatom.numerics.matching import match_points
from adatom.numerics.order import recurrence
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import Image, Sites, extent, pixel_size, positions, space_unit

Figures = dict[str, float]

# The metal columns of WSe(Te) are 9.5 px from the marked sites and must not count as them.
_SELENIDE_REACH = 0.35 * 9.5
# Of sites whose truth was decoded by others' networks, in spacings.
_SHARE_OF_SPACING = 0.4


def figures_of_sites(shown: ResolvedImage, image: Image, found: Sites) -> Figures:
    """Give the lattice consistency of found sites, and what is known by publication or by eye.

    ``lattice``: mean recurrence of the surroundings, 1 on a perfect lattice,
    0.2 by chance. ``d/known``: spacing over that of the literature.
    ``on contamination``, ``on film``, ``on empty``: shares of the sites in drawn regions.
    """
    spacing = float(found.attrs["spacing"])
    figures = {"spacing": spacing, "lattice": _lattice(found)}
    if shown.spacing is not None and space_unit(image) == "nm":
        figures["d/known"] = spacing / shown.spacing
    figures |= _published(shown, image, found)
    place = _in_pixels(found, image)
    for kind, polygons in drawn_regions(shown.name).items():
        figures[f"on {kind}"] = inside(place, polygons).sum() / max(len(place), 1)
    return figures


def _lattice(found: Sites) -> float:
    if not found.sizes["site"]:
        return float("nan")
    order = recurrence(
        positions(found), tolerance=0.2 * found.attrs["spacing"], extent=found.attrs["extent"]
    )
    return float(np.nanmean(order)) if np.isfinite(order).any() else float("nan")


def _in_pixels(found: Sites, image: Image) -> NDArray[np.float64]:
    frame = extent(image)
    place = (positions(found) - np.array([frame[0], frame[2]])) / np.array(pixel_size(image))
    return np.asarray(place)


def _published(shown: ResolvedImage, image: Image, found: Sites) -> Figures:
    path, place = shown.path, _in_pixels(found, image)
    if (GRAPHENE / f"{path.stem}-coord.npy").exists():
        scores = compare_sites(found, published_graphene(path.stem, image)).scores
        return {name: float(scores[name][0]) for name in ("f1", "precision", "recall")}
    if path.stem == "STO_ADF":
        shorter = STO_CELL[0] / 2
        shares = LatticeFit(found, STO_CELL).recall_and_precision(
            found, max_distance=0.15 * shorter, edge=shorter / 2
        )
        return {"recall": float(shares[0]), "precision": float(shares[1])}
    if path.parent == SUPERLATTICE:
        return _superlattice(image, found)
    if path.parent == SELENIDE:
        return _selenide(place)
    if path.is_relative_to(MOLECULES):
        (label,) = path.parent.glob("label_*.tif")
        score = found["score"].values if "score" in found else np.ones(len(place))
        return dot_scores(place, score, marked_centers(label))._asdict()
    if "graphene_defect_library" in path.parts and shown.spacing:
        reach = _SHARE_OF_SPACING * shown.spacing / pixel_size(image)[0]
        return {"defect atoms": _share_within(place, published_defects(path), reach)}
    if path == GOLD:
        truth = published_gold()
        reach = _SHARE_OF_SPACING * pooled_spacing(truth)
        return {"columns": _share_within(place, truth, reach)}
    return {}


def _superlattice(image: Image, found: Sites) -> Figures:
    truth, reach = published_a_sites(image), 4 * pixel_size(image)[0]
    figures = {"A sites": share_found(found, truth, max_distance=reach)}
    if "sublattice" in found:
        # Nearer to the frame's edge than half a spacing nothing was published.
        bright = inner(brighter_half(found), 0.5 * truth.attrs["spacing"])
        figures["brighter matched"] = share_found(truth, bright, max_distance=reach)
    return figures


def _selenide(place: NDArray[np.float64]) -> Figures:
    """Share of the marked sites that hold an atom that were found, and of the empty ones."""
    return {
        "marked found": _share_within(place, selenide_sites("Se", "TeSe", "2Te"), _SELENIDE_REACH),
        "vacancies found": _share_within(place, selenide_sites("vacancy"), _SELENIDE_REACH),
    }


def _share_within(
    place: NDArray[np.float64], truth: NDArray[np.float64], max_distance: float
) -> float:
    return len(match_points(place, truth, max_distance=max_distance).right) / len(truth)


def text_of_figures(figures: Figures, /, *, leave_out: Iterable[str] = ()) -> str:
    """Write figures in one line: counts whole, others with three digits."""
    return " ".join(
        f"{name}={value:.0f}" if isinstance(value, int) else f"{name}={value:.3f}"
        for name, value in figures.items()
        if name not in set(leave_out)
    )
