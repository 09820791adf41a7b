"""How sites of a movie move and what they turn into, told in sentences and pictures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from adatom.plotting.displacements import (
    is_jump_lengths,
    is_msd,
    is_waits,
    plot_jump_lengths,
    plot_msd,
    plot_waiting_times,
)
from adatom.plotting.drift import is_drift, plot_drift
from adatom.report.files import file_stem
from adatom.report.picture import Picture
from adatom.report.words import count_text, number_text
from adatom.schema import TABLE, notes

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Lineage, Result

_MOTIONS = {
    "free": "free motion",
    "confined": "confined motion",
    "persistent": "motion that keeps its direction",
}


def dynamics_sentences(lineage: Lineage, /) -> list[str]:
    """Say how far links can be trusted, D with its interval, and what the tests say."""
    told = []
    for result in lineage.results.values():
        if result.kind is not TABLE:
            continue
        if is_drift(result.value) or is_sightings(result.value):
            told += notes(result.value)[-3:]
        elif is_link_summary(result.value):
            told += _links_sentence(result.value)
        elif is_diffusion(result.value):
            told += _diffusion_sentences(result.value)
        elif is_chain_tests(result.value):
            told += [
                f"{test[0].upper()}{test[1:]}: {verdict}."
                for test, verdict in zip(
                    result.value["test"].values.astype(str),
                    result.value["verdict"].values.astype(str),
                    strict=True,
                )
            ]
    return told


def dynamics_pictures(lineage: Lineage, result: Result, /) -> list[Picture]:
    """List the pictures of a table of displacements, hops or waits."""
    name, table = file_stem(result.name), result.value
    if is_drift(table):
        caption = (
            f"{result.name}: how far the sample has moved since the first frame, with standard "
            "errors; rings mark frames in which another shift, such as one by a lattice vector, "
            "fits nearly alike."
        )
        return [Picture(name, caption, partial(plot_drift, table))]
    if is_msd(table):
        found = next((one.value for one in lineage.of_kind(TABLE) if is_diffusion(one.value)), None)
        caption = (
            f"{result.name}: mean squared displacements by the time between two sights of a track; "
            "the band holds 95 % of draws of the tracks."
        )
        if found is not None:
            caption = f"{caption} The line is free motion with the D that was found."
        return [Picture(name, caption, partial(plot_msd, table, found))]
    if is_jump_lengths(table):
        caption = f"{result.name}: how long the hops are, with the limits of 95 % of the counts."
        return [Picture(name, caption, partial(plot_jump_lengths, table))]
    if is_waits(table):
        caption = (
            f"{result.name}: the share of rests that last longer; dashed, hops without memory."
        )
        return [Picture(name, caption, partial(plot_waiting_times, table))]
    return []


def is_diffusion(table: xr.Dataset, /) -> bool:
    """Tell whether a table holds D of classes, as `dynamics.estimate_diffusion` gives it."""
    return {"diffusion", "diffusion_low", "diffusion_high", "motion", "free_p"} <= set(table)


def is_sightings(table: xr.Dataset, /) -> bool:
    """Tell whether a table counts how often tracks were seen."""
    return {"track", "n_seen", "n_shown", "scatter_y", "scatter_x"} <= set(table)


def is_chain_tests(table: xr.Dataset, /) -> bool:
    """Tell whether a table holds the verdicts on a chain."""
    return {"test", "p_value", "verdict"} <= set(table)


def is_link_summary(table: xr.Dataset, /) -> bool:
    """Tell whether a table sums up how far links can be trusted."""
    return set(table) == {"quantity", "value", "error"} and (
        "expected share wrong" in table["quantity"].values.astype(str)
    )


def _links_sentence(summary: xr.Dataset) -> list[str]:
    value = dict(zip(summary["quantity"].values.astype(str), summary["value"].values, strict=True))
    wrong = float(value["expected share wrong"])
    if not np.isfinite(wrong):
        return []
    return [f"Of the links {100 * wrong:.2g} % are expected to be wrong."]


def _diffusion_sentences(table: xr.Dataset) -> list[str]:
    unit = str(table["diffusion"].attrs.get("units", "")).replace("^2", "²")
    names = [str(name) for name in table.attrs.get("class_names", [])]
    told = []
    for row in range(table.sizes["row"]):
        one = table.isel(row=row)
        number = int(one["class"])
        whose = names[number] if 0 <= number < len(names) else f"class {number}"
        # Integers are named by themselves.
        whose = "all tracks" if number < 0 else f"class {whose}" if whose.isdigit() else whose
        if not np.isfinite(float(one["diffusion"])):
            told.append(f"D of {whose} is not known: too few steps.")
            continue
        d, low, high = (
            number_text(float(one[name]), digits=3)
            for name in ("diffusion", "diffusion_low", "diffusion_high")
        )
        motion = str(one["motion"].item())
        judged = f"; this is {_MOTIONS.get(motion, motion)}" if motion else ""
        chance = float(one["free_p"])
        if judged and np.isfinite(chance):
            judged += f" (p of free motion {chance:.2g})"
        lag = int(table.attrs.get("lag", 1))
        over = f" over increments of {lag} frames" if lag > 1 else ""
        told.append(
            f"D of {whose} is {d} {unit} ({low} to {high}){over}, from "
            f"{count_text(int(one['n_tracks']), 'track')}{judged}."
        )
    return told
