"""Edges of a sheet and the states of impurities on them, told in sentences and pictures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from adatom.plotting import plot_edge_states, plot_edges
from adatom.plotting.edges import is_edge_line, is_edge_state
from adatom.report.files import file_stem
from adatom.report.picture import Picture
from adatom.report.words import count_text, list_text, number_text
from adatom.schema import CLASSES, FEATURES, SITES, TABLE

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Lineage, Result

_EDGE = {"edge_tangent", "edge_normal", "edge_distance"}


def is_edge_table(table: xr.Dataset, /) -> bool:
    """Tell whether a table lists edges."""
    return {"edge", "length", "roughness", "is_hole"} <= set(table)


def is_mirror_table(table: xr.Dataset, /) -> bool:
    """Tell whether a table lists classes under a mirror."""
    return {"class", "count", "own_image", "mirrored_share"} <= set(table)


def edge_sentences(lineage: Lineage, /) -> list[str]:
    """Say which edges were found, what is on them, and in which states."""
    told = []
    for result in lineage.results.values():
        if result.kind is TABLE and is_edge_table(result.value):
            told += _edges(result.value)
        elif result.kind is SITES and result.step.step == "crystallography.find_edge_impurities":
            told += _impurities(result.value)
        elif result.kind is TABLE and is_mirror_table(result.value):
            told += _states(result.value)
    return told


def _edges(table: xr.Dataset) -> list[str]:
    if not table.sizes["row"]:
        return ["No edge was found: the sheet goes on to the border wherever it was seen."]
    hole = table["is_hole"].values.astype(bool)
    unit = str(table["length"].attrs.get("units", ""))
    frames = len(np.unique(table["frame"].values)) if "frame" in table else 1
    parts = []
    for mine, what in ((~hole, "edge"), (hole, "edge of a hole")):
        if mine.any():
            length = float(table["length"].values[mine].sum()) / frames
            rough = float(np.median(table["roughness"].values[mine]))
            count = int(mine.sum()) / frames
            often = count_text(int(count), what) if count.is_integer() else f"{count:.2g} {what}s"
            often = often.replace("edge of a holes", "edges of holes")
            parts.append(
                f"{often}, together {number_text(length, digits=3)} {unit} long and rough by "
                f"{number_text(rough, digits=2)} {unit}"
            )
    where = f" in each of {frames} frames, on average" if frames > 1 else ""
    return [f"The sheet has {list_text(parts)}{where}."]


def _impurities(sites: xr.Dataset) -> list[str]:
    n = sites.sizes["site"]
    if not n:
        return ["No impurity lies on an edge."]
    if "frame" in sites.coords:
        per_frame = n / len(np.unique(sites["frame"].values))
        return [f"{n} times an impurity was seen on the edge, {per_frame:.2g} in a frame."]
    return [f"{count_text(n, 'impurity').replace('impuritys', 'impurities')} on the edge."]


def _states(table: xr.Dataset) -> list[str]:
    n = table.sizes["row"]
    total = int(table["count"].values.sum())
    shares = [
        f"{number} ({100 * float(share):.0f} %)"
        for number, share in zip(table["class"].values, table["share"].values, strict=True)
    ]
    told = [f"{count_text(n, 'state')}, by their share of {total}: {', '.join(shares)}."]
    own = table["own_image"].values.astype(bool)
    numbers = table["class"].values
    if own.any():
        named = list_text([str(k) for k in numbers[own]])
        is_own = "is its own mirror image" if own.sum() == 1 else "are their own mirror images"
        told.append(f"{'State' if own.sum() == 1 else 'States'} {named} {is_own}.")
    told += [
        f"State {k} has a left and a right form: {100 * float(share):.0f} % are the rarer one."
        for k, share in zip(numbers[~own], table["mirrored_share"].values[~own], strict=True)
    ]
    return told


def edge_pictures(
    lineage: Lineage, result: Result, ground: xr.DataArray | None, /
) -> list[Picture] | None:
    """List the pictures of what belongs to edges; None for all other results."""
    name, value = file_stem(result.name), result.value
    if result.kind is SITES and is_edge_line(value):
        if not value.sizes["site"]:
            return []
        caption = f"{result.name}: edges; along the border of the frame there is none."
        return [Picture(name, caption, partial(plot_edges, value, None, ground))]
    if result.step.step in {"crystallography.find_edges", "descriptors.edge_patches",
                            "descriptors.edge_environments"}:  # fmt: skip
        # The lines show the edges, the states what lies around impurities.
        return []
    if result.kind is SITES and result.step.step == "crystallography.find_edge_impurities":
        return _impurity_pictures(lineage, result, None, ground)
    if result.step.step != "clustering.cluster_mirrored":
        return None
    if result.kind is CLASSES:
        impurities = lineage.origin(result.step, SITES)
        if impurities is None or not set(impurities.value.variables) >= _EDGE:
            return None
        return _impurity_pictures(lineage, impurities, result, ground)
    if result.kind is FEATURES and is_edge_state(value):
        members = result.step.results.get("members")
        caption = (
            f"{result.name}: the mean of each state, members that are mirrored turned back; the "
            "edge runs from left to right, vacuum is above."
        )
        return [Picture(name, caption, partial(plot_edge_states, value, members))]
    if result.kind is TABLE and is_mirror_table(value):
        return []
    return None


def _impurity_pictures(
    lineage: Lineage, impurities: Result, classes: Result | None, ground: xr.DataArray | None
) -> list[Picture]:
    lines = next(
        (
            one
            for one in lineage.origins(impurities.step)
            if one.kind is SITES and is_edge_line(one.value)
        ),
        None,
    )
    if lines is None or not impurities.value.sizes["site"]:
        return []
    shown = classes or impurities
    what = "impurities on the edge, by their state" if classes else "impurities on the edge"
    caption = f"{shown.name}: {what}; arrows point outward, bars run along the edge."
    draw = partial(
        plot_edges, lines.value, impurities.value, ground, classes.value if classes else None
    )
    return [Picture(file_stem(shown.name), caption, draw)]
