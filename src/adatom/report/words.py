"""Results told in words and key figures."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.plotting.cells import has_cells
from adatom.plotting.columns import has_columns
from adatom.plotting.domains import is_region_map
from adatom.plotting.turned_classes import is_orientations
from adatom.schema import (
    CLASSES,
    FORCE_CURVES,
    IMAGE,
    MASK,
    MOVIE,
    SITES,
    SPECTRA,
    SPECTRAL_MAP,
    TABLE,
    pixel_size,
    space_unit,
)
from adatom.units import shown_length_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import xarray as xr

    from adatom.report.lineage import Lineage, Result
    from adatom.report.records import StepRecord


@dataclass(frozen=True)
class Figure:
    """A key figure: "617", "atoms found"."""

    value: str
    name: str


def number_text(value: object, /, *, digits: int = 4) -> str:
    """Write a number for reading; what was not measured is a dash.

    Examples
    --------
    >>> number_text(0.14213), number_text(float("nan")), number_text(12345)
    ('0.1421', '–', '12345')
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return "\N{EN DASH}"
        if number.is_integer() and abs(number) < 1e6:
            return str(int(number))
        return f"{number:.{digits}g}"
    return str(value)


def value_text(value: object, /) -> str:
    """Write a setting as a recipe would."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return ", ".join(f"{name} = {value_text(one)}" for name, one in fields)
    if isinstance(value, dict):
        name = value.get("class")
        if isinstance(name, str):
            return f"{name}({value_text({k: v for k, v in value.items() if k != 'class'})})"
        return ", ".join(f"{name} = {value_text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return number_text(value, digits=12)


def bytes_text(n_bytes: int, /) -> str:
    """Write a size in bytes.

    Examples
    --------
    >>> bytes_text(2_500_000)
    '2.5 MB'
    """
    size, unit = float(n_bytes), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}" if unit != "bytes" else f"{n_bytes} bytes"


def seconds_text(seconds: float | None, /) -> str:
    """Write a duration."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def list_text(parts: Sequence[object], /) -> str:
    """Join words: "a, b and c"."""
    words = [str(part) for part in parts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def count_text(count: int, noun: str, /) -> str:
    """Write "1 class", "3 classes", "617 atoms".

    Examples
    --------
    >>> count_text(1, "class"), count_text(2, "class")
    ('1 class', '2 classes')
    """
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("um"):
        return f"{count} {noun.removesuffix('um')}a"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def field_text(data: xr.DataArray, /) -> str:
    """Write the size of a map, width first: "4.0 x 4.0 nm"."""
    unit = space_unit(data)
    if min(data.sizes["y"], data.sizes["x"]) < 2:
        return f"{data.sizes['x']} x {data.sizes['y']} px"
    step_y, step_x = pixel_size(data)
    if unit == "px" and step_x == step_y == 1:
        return f"{data.sizes['x']} x {data.sizes['y']} px"
    width, height = step_x * data.sizes["x"], step_y * data.sizes["y"]
    factor, shown = shown_length_unit(max(width, height), unit)
    return f"{_two_digits(width / factor)} x {_two_digits(height / factor)} {shown}"


def _two_digits(value: float) -> str:
    return (
        f"{value:.1f}" if 1 <= value < 100 else f"{value:.0f}" if value >= 100 else f"{value:.2g}"
    )


def shape_text(value: Any, /) -> str:  # noqa: ANN401 -- any result
    """Say how large a result is."""
    if hasattr(value, "sizes"):
        sizes = ", ".join(f"{dim} {size}" for dim, size in value.sizes.items())
        dtype = f", {value.dtype}" if hasattr(value, "dtype") else ""
        return f"{sizes}{dtype}"
    return type(value).__name__


def found_sites(lineage: Lineage, /) -> Result | None:
    """Find the sites that the run is about: found in an image, not simulated or read."""
    sites = lineage.of_kind(SITES)
    found = [one for one in sites if one.step.step.startswith("localization.")]
    return next(iter(found or sites), None)


def sites_noun(step: StepRecord, /) -> str:
    """Call sites atoms where the step does."""
    return "atom" if "atom" in step.step.rpartition(".")[2] else "site"


def summary_sentences(lineage: Lineage, /) -> list[str]:
    """Tell in a few sentences what the run found."""
    sentences = []
    sites = found_sites(lineage)
    if sites is not None:
        sentences += _sites_sentences(lineage, sites)
    else:
        sentences += _maps_sentences(lineage)
    sentences += [
        _region_sentence(mask.value)
        for mask in lineage.of_kind(MASK)
        if not mask.step.step.startswith(("simulation.", "correction.", "clustering.", "networks."))
    ]
    sentences += [
        _frames_sentence(table.value)
        for table in lineage.of_kind(TABLE)
        if {"frame", "used", "reason"} <= set(table.value)
    ]
    sentences += [_cell_sentence(table.value) for table in cell_tables(lineage)]
    sentences += [
        _columns_sentence(table.value)
        for table in lineage.of_kind(TABLE)
        if has_columns(table.value)
    ]
    variances = [
        table for table in lineage.of_kind(TABLE) if {"variance", "above_noise"} <= set(table.value)
    ]
    sentences += _named_sentences(variances, _variance_sentence)
    sentences += _named_sentences(choices(lineage), _choice_sentence)
    untold = [one for one in clusterings(lineage) if not has_statement(one)]
    sentences += _named_sentences(untold, _class_sentence)
    turned = [one for one in lineage.of_kind(CLASSES) if is_orientations(one.value)]
    sentences += _named_sentences(turned, _orientation_sentence)
    return sentences + _score_sentences(lineage)


def _named_sentences(results: list[Result], sentence: Callable[[Any], str]) -> list[str]:
    """Tell results one by one, with their names where there are several."""
    named = len(results) > 1
    return [
        f"{one.name}: {sentence(one.value)}" if named else sentence(one.value) for one in results
    ]


def clusterings(lineage: Lineage, /) -> list[Result]:
    """Give the classes that were found, without those that judge them."""
    return [
        one
        for one in lineage.of_kind(CLASSES)
        if "expert" not in one.value
        and "n_classes" not in one.value["label"].dims
        and not is_region_map(one.value)
        and not is_orientations(one.value)
    ]


def has_statement(result: Result, /) -> bool:
    """Tell whether classes come with a table that says which are variants of what phase."""
    return "verdict" in result.step.results.get("statement", ())


def choices(lineage: Lineage, /) -> list[Result]:
    """Give the tables in which a number of classes was chosen."""
    return [table for table in lineage.of_kind(TABLE) if "n_classes" in table.value.attrs]


def _frames_sentence(frames: xr.Dataset) -> str:
    used = frames["used"].values.astype(bool)
    if used.all():
        return f"All {used.size} frames were used."
    left_out = list_text(frames["frame"].values[~used].tolist()[:_MAX_COUNTS])
    more = " and others" if (~used).sum() > _MAX_COUNTS else ""
    return f"{used.sum()} of {used.size} frames were used; left out: {left_out}{more}."


def cell_tables(lineage: Lineage, /) -> list[Result]:
    """Give the tables of unit cells."""
    return [table for table in lineage.of_kind(TABLE) if has_cells(table.value)]


def _cell_sentence(cells: xr.Dataset) -> str:
    """Tell the unit cell, or the usual one of a movie and how much it varies."""
    found = np.isfinite(cells["a"].values)
    if not found.any():
        return "No unit cell stands out of chance."
    unit = cells["a"].attrs.get("units", "1")
    parts = []
    for name, text, of in (("a", "a =", unit), ("b", "b =", unit), ("angle", "angle", "deg")):
        values = cells[name].values[found]
        error = float(values.std(ddof=1)) if len(values) > 1 else cells[f"{name}_error"].values[0]
        parts.append(f"{text} {with_error(float(np.median(values)), float(error))} {of}")
    if cells.sizes["row"] == 1:
        return f"Unit cell: {', '.join(parts)}."
    return (
        f"Unit cell in {found.sum()} of {len(found)} frames (median, and the standard deviation "
        f"from frame to frame): {', '.join(parts)}."
    )


def _columns_sentence(columns: xr.Dataset) -> str:
    often = int((columns["found"].values > _IN_MOST_CELLS).sum())
    rest = columns.sizes["row"] - often
    more = f" and {rest} in some of the cells" if rest else ""
    return f"{count_text(often, 'column')} in every cell{more}."


def with_error(value: float, error: float) -> str:
    """Write a number as far as its error allows: "17.8 ± 0.1".

    Examples
    --------
    >>> with_error(17.8063, 0.1166), with_error(141.697, 0.038)
    ('17.81 ± 0.12', '141.697 ± 0.038')
    """
    if not (math.isfinite(error) and error > 0):
        return number_text(value)
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _sites_sentences(lineage: Lineage, sites: Result) -> list[str]:
    noun = sites_noun(sites.step)
    count = count_text(sites.value.sizes["site"], noun)
    image = lineage.origin(sites.step, IMAGE, MOVIE)
    place = f" in {field_text(image.value)}" if image is not None else ""
    if "frame" in sites.value.coords:
        n_frames = len(np.unique(sites.value["frame"].values))
        place = f" in {count_text(n_frames, 'frame')} of {place[4:]}" if place else place
    spacing = sites.value.attrs.get("spacing")
    apart = (
        f", most neighbors {number_text(float(spacing), digits=3)} {space_unit(sites.value)} apart"
        if spacing
        else ""
    )
    sentences = [f"{count} found{place}{apart}."]
    if "fit_ok" in sites.value:
        failed = int((~sites.value["fit_ok"].values.astype(bool)).sum())
        if failed:
            told = "The fit of 1 of them" if failed == 1 else f"The fits of {failed} of them"
            sentences.append(f"{told} failed: the position is the finder's.")
    return sentences


def _maps_sentences(lineage: Lineage) -> list[str]:
    """Tell how large the data are that the run began with."""
    for result in lineage.results.values():
        value = result.value
        if result.kind in (IMAGE, MOVIE):
            return [f"{result.kind.name} of {field_text(value)}."]
        if result.kind is SPECTRAL_MAP:
            size = field_text(value)
            over = "" if size.endswith("px") else f" over {size}"
            pixels = f"{value.sizes['x']} x {value.sizes['y']} spectra"
            return [f"{pixels}{over}, {_channels_text(value)}."]
        if result.kind is SPECTRA:
            return [f"{count_text(len(value), 'spectrum')}, {_channels_text(value)}."]
        if result.kind is FORCE_CURVES:
            return [f"{count_text(value.sizes['site'], 'force curve')}."]
    return []


def _channels_text(spectra: xr.DataArray) -> str:
    """Write how many channels spectra have, and over which range."""
    axis = spectra.coords[spectra.dims[-1]]
    unit = str(axis.attrs.get("units", "1"))
    count = count_text(spectra.shape[-1], "channel")
    if axis.dtype.kind not in "fiu":
        return count
    low, high = (number_text(float(end), digits=5) for end in (axis.min(), axis.max()))
    return f"{count} from {low} to {high}{'' if unit == '1' else f' {unit}'}"


def _variance_sentence(table: xr.Dataset) -> str:
    above = int(table["above_noise"].values.astype(bool).sum())
    # The table may hold fewer, if it was told how many to keep.
    all_above = max(above, int(table.attrs.get("n_above_noise", above)))
    verb = "rises" if all_above == 1 else "rise"
    told = f"{count_text(all_above, 'component')} {verb} above the noise"
    if "share" not in table:
        return f"{told}."
    share = 100 * float(table["share"].values[:above].sum())
    if all_above > above:
        return f"{told}; the {above} that were kept have {share:.3g} % of the variance."
    return f"{told}, with {share:.3g} % of the variance."


def _region_sentence(mask: xr.DataArray) -> str:
    left_out = 100 * (1 - float(mask.mean()))
    if left_out == 0:
        return "The whole area was analyzed."
    return f"{left_out:.1f} % of the area was left out of the analysis."


def class_counts(classes: xr.Dataset, /) -> tuple[dict[int, int], int]:
    """Count the members of each class, and those without a class."""
    labels, counts = np.unique(classes["label"].values, return_counts=True)
    members = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    unclassified = sum(members.pop(label) for label in list(members) if label < 0)
    return members, unclassified


def _class_sentence(classes: xr.Dataset) -> str:
    members, unclassified = class_counts(classes)
    outliers = members.pop(int(classes.attrs.get("outlier_class", -2)), 0)
    if not members:
        return "Nothing was classified."
    if classes["label"].dims[-2:] == ("y", "x"):
        return _share_sentence(members, classes["label"].size)
    shown = list(members.values())[:_MAX_COUNTS]
    more = f" and {len(members) - len(shown)} smaller ones" if len(members) > len(shown) else ""
    parts = [f"{count_text(len(members), 'class')}: {list_text(shown)}{more} members"]
    if outliers:
        parts.append(count_text(outliers, "outlier"))
    if unclassified:
        parts.append(f"{unclassified} not classified")
    return f"{'; '.join(parts)}."


def _orientation_sentence(orientations: xr.Dataset) -> str:
    """Tell how often each orientation occurs, by its angle."""
    members, without = class_counts(orientations)
    names = orientations.attrs["class_names"]
    if not members:
        return "No class has an orientation."
    told = list_text([f"{count} at {names[label]}" for label, count in members.items()])
    told = told.replace("at mirrored at", "mirrored at")
    rest = f"; {without} without one" if without else ""
    return f"Orientations: {told}{rest}."


def _share_sentence(members: dict[int, int], total: int) -> str:
    """Tell which share of a map each class has: nobody counts pixels."""
    shares = [f"{100 * count / total:.3g} %" for count in members.values()]
    shown = list_text(shares[:_MAX_COUNTS])
    more = " and others" if len(shares) > _MAX_COUNTS else ""
    return f"{count_text(len(members), 'class')}: {shown}{more} of the map."


def _choice_sentence(table: xr.Dataset) -> str:
    reason = str(table.attrs.get("reason", "")).strip().rstrip(".")
    number = count_text(int(table.attrs["n_classes"]), "class")
    return f"{number} chosen: {reason}." if reason else f"{number} chosen."


def key_figures(lineage: Lineage, /) -> list[Figure]:
    """Pick the numbers that stand in large print."""
    figures = []
    sites = found_sites(lineage)
    if sites is not None:
        noun = sites_noun(sites.step)
        figures.append(Figure(str(sites.value.sizes["site"]), f"{noun}s found"))
        if sites.value.attrs.get("spacing"):
            spacing = number_text(float(sites.value.attrs["spacing"]), digits=3)
            figures.append(Figure(f"{spacing} {space_unit(sites.value)}", "between most neighbors"))
        image = lineage.origin(sites.step, IMAGE, MOVIE)
        if image is not None:
            figures.append(Figure(field_text(image.value), "field of view"))
    for result in clusterings(lineage)[-1:]:
        members, unclassified = class_counts(result.value)
        outliers = members.pop(int(result.value.attrs.get("outlier_class", -2)), 0)
        noun = "phase" if has_statement(result) else "class"
        figures.append(Figure(*count_text(len(members), noun).split(" ", 1)))
        if outliers:
            figures.append(Figure(str(outliers), "outliers" if outliers != 1 else "outlier"))
        if unclassified:
            figures.append(Figure(str(unclassified), "not classified"))
    return figures + _scores(lineage)


# More counts in a sentence are not read.
_MAX_COUNTS: Final = 12
# A column missing here and there is still one of every cell: sites are missed too.
_IN_MOST_CELLS: Final = 0.9
_SCORES: Final = {
    "f1": "F1 against the truth",
    "adjusted_rand_index": "adjusted Rand index",
    "accuracy": "accuracy",
}


def _scores(lineage: Lineage) -> list[Figure]:
    """Pick the scores of comparisons from tables of one row."""
    return [
        Figure(number_text(float(table.value[column].item()), digits=3), text)
        for table in lineage.of_kind(TABLE)
        # How well classes are sets of equivalent columns is no score of the run.
        if table.value.sizes["row"] == 1 and "n_orbits" not in table.value
        for column, text in _SCORES.items()
        if column in table.value
    ]


def _score_sentences(lineage: Lineage) -> list[str]:
    sentences = []
    for table in lineage.of_kind(TABLE):
        if {"n_true", "n_matched", "n_found", "f1"} <= set(table.value):
            row = {str(name): table.value[name].item() for name in table.value}
            false = int(row["n_found"] - row["n_matched"])
            sentences.append(
                f"{int(row['n_matched'])} of {int(row['n_true'])} true sites were found and "
                f"{false} false ones (precision {row['precision']:.3f}, "
                f"recall {row['recall']:.3f}, F1 {row['f1']:.3f})."
            )
    return sentences


def settings_text(settings: Mapping[str, Any], /) -> list[tuple[str, str]]:
    """List the settings that have a value."""
    return [(name, value_text(one)) for name, one in settings.items() if one is not None]
