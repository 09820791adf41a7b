"""Impurities of a movie in a report: a strip of frames, the mean of all, gaps and hops in words."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.localization.impurities import MovieImpurities
from adatom.plotting import plot_impurities, plot_tracks
from adatom.report.files import file_stem
from adatom.report.picture import Picture
from adatom.report.words import count_text, number_text
from adatom.schema import MOVIE, SITES, TABLE, notes

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Lineage, Result
    from adatom.report.records import StepRecord

# Tracks whose gaps are told one by one.
_FEW: Final = 3
_LISTED: Final = 12


def is_impurities(step: StepRecord, /) -> bool:
    """Tell whether a step found impurities of a movie."""
    return set(step.results) == set(MovieImpurities._fields)


def impurity_pictures(lineage: Lineage, result: Result, /) -> list[Picture]:
    """Draw what was found and left out in one strip; the mean is drawn below the tracks."""
    movie = lineage.origin(result.step, MOVIE)
    if movie is None or not result.name.endswith(".seen"):
        return []
    found = MovieImpurities(**result.step.results)
    caption = (
        f"{result.step.name}: frames of the movie, spread over it and some in which spots were "
        "left out; rings are impurities, other marks are spots that were taken for none."
    )
    draw = partial(plot_impurities, found.seen, movie.value, found.left_out)
    return [Picture(file_stem(result.step.name), caption, draw)]


def track_pictures(lineage: Lineage, result: Result, /) -> list[Picture]:
    """Draw tracks of impurities over the mean of the frames, whose drift is taken off."""
    origin = lineage.origin(result.step, SITES)
    if origin is None or not is_impurities(origin.step):
        return []
    caption = (
        f"{result.name}: tracks over the mean of all frames, the drift of the lattice taken off, "
        "colored by the frame."
    )
    mean = MovieImpurities(**origin.step.results).mean
    return [Picture(file_stem(result.name), caption, partial(plot_tracks, result.value, mean))]


def impurity_sentences(lineage: Lineage, /) -> list[str]:
    """Say what was found on which lattice, where tracks have gaps, and how often they hop."""
    told: list[str] = []
    for result in lineage.results.values():
        if result.kind is SITES and is_impurities(result.step):
            if result.name.endswith(".sites"):
                told.append(str(result.step.results["verdict"]))
        elif result.kind is SITES and result.step.step == "tracking.link_sites":
            origin = lineage.origin(result.step, SITES)
            if origin is not None and is_impurities(origin.step):
                told += gap_sentences(result.value, origin.step.results["frames"])
        elif result.kind is TABLE and is_hop_summary(result.value):
            told += hop_sentences(result.value)
    return told


def is_hop_summary(table: xr.Dataset, /) -> bool:
    """Tell whether a table holds hops of classes, as `dynamics.count_hops` gives them."""
    return {"n_hops", "rate", "rate_low", "rate_high", "mean_length"} <= set(table)


def gap_sentences(tracks: xr.Dataset, frames: xr.Dataset, /) -> list[str]:
    """Say in which frames the longest tracks are seen, and in which of these they are missed."""
    track, frame = tracks["track"].values, tracks.coords["frame"].values
    names, counts = np.unique(track[track >= 0], return_counts=True)
    told = []
    for name in names[np.argsort(-counts, kind="stable")][:_FEW]:
        mine = np.sort(frame[track == name])
        between = frames["frame"].values
        between = between[(between >= mine[0]) & (between <= mine[-1])]
        missed = np.setdiff1d(between, mine)
        seen = f"Track {name} is seen in {len(mine)} of the {frames.sizes['row']} frames"
        seen += f", from frame {mine[0]} to {mine[-1]}"
        if len(missed):
            listed = ", ".join(map(str, missed[:_LISTED]))
            more = ", ..." if len(missed) > _LISTED else ""
            told.append(
                f"{seen}; it is missed in {count_text(len(missed), 'frame')}: {listed}{more}."
            )
        else:
            told.append(f"{seen}, without a gap.")
    if len(names) > _FEW:
        told.append(f"{len(names) - _FEW} more tracks are shorter.")
    return told


def hop_sentences(table: xr.Dataset, /) -> list[str]:
    """Say how many hops there are and at what rate, with its interval."""
    one = table.isel(row=0)
    time_unit = str(table["time"].attrs.get("units", "frame"))
    unit = str(table["mean_length"].attrs.get("units", ""))
    n = int(one["n_hops"])
    what = f"{count_text(int(one['n_tracks']), 'track')}"
    if not np.isfinite(float(one["rate"])):
        return [f"The rate of hops of {what} is not known: nothing was watched for a time."]
    rate, low, high = (
        number_text(float(one[name]), digits=3) for name in ("rate", "rate_low", "rate_high")
    )
    watched = number_text(float(one["time"]), digits=4)
    plural = "s" if time_unit == "frame" and float(one["time"]) != 1 else ""
    said = (
        f"{count_text(n, 'hop')} of {what} in {watched} {time_unit}{plural}: {rate} per "
        f"{time_unit} ({low} to {high}, 95 % of Poisson counts)"
    )
    if n:
        length = number_text(float(one["mean_length"]), digits=3)
        said += f", {length} {unit} long (root mean square)"
    return [f"{said}.", *_remarks(table)]


def _remarks(table: xr.Dataset) -> list[str]:
    """Repeat what the step notes of the kind of hops, which changes what the rate means."""
    about = ("lead to a nearest point", "have a direction", "times a frame:")
    return [note for note in notes(table) if any(words in note for words in about)]
