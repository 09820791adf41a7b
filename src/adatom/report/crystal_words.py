"""What local crystallography found, told in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.plotting.lattice import has_dislocations, has_rings
from adatom.plotting.walls import is_fractions
from adatom.report.words import count_text, list_text, with_error
from adatom.schema import SITES, TABLE
from adatom.units import shown_length_unit

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

    from adatom.report.lineage import Lineage, Result

# More are not read in a sentence.
_MAX_NAMED: Final = 4
_MAX_FRACTIONS: Final = 12
# Strain by which nine of ten sites differ at most: outliers of a fit do not count.
_OUTER: Final = (0.05, 0.95)
_NUMBERS: Final = {3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}


def crystal_sentences(lineage: Lineage, /) -> list[str]:
    """Answer what the recipes of local crystallography ask, in the order of the run."""
    told: list[str] = []
    for result in lineage.results.values():
        for fits, sentences in _SENTENCES:
            if fits(result):
                told += sentences(lineage, result)
    return told


def is_statement(result: Result, /) -> bool:
    """Tell whether a table says of phases whether they are ferroic."""
    return result.kind is TABLE and {"verdict", "n_variants", "n_populated"} <= set(result.value)


def _statement(_: Lineage, result: Result) -> list[str]:
    table: xr.Dataset = result.value
    members = result.step.results.get("members")
    level = float(table.attrs.get("level", 0.05))
    return [_phase(table.isel(row=row), members, level) for row in range(table.sizes["row"])]


def _phase(row: xr.Dataset, members: xr.Dataset | None, level: float) -> str:
    verdict, p = str(row["verdict"].values), float(row["p_value"])
    n, seen, cells = (int(row[name]) for name in ("n_variants", "n_populated", "n_sites"))
    phase = f"Phase {int(row['phase'])} ({count_text(cells, 'cell')})"
    group = f"point group {row['point_group'].values} in projection"
    if verdict == "non-ferroic":
        return (
            f"{phase}: no ferroic variants can be told apart: no group of cells differs from the "
            "rest beyond the noise. So would a displacement look that all cells share (a single "
            "domain), that is too small, or that changes slowly from place to place."
        )
    if p > level:
        return (
            f"{phase}: not ferroic as far as can be told, {group}; its departure from the "
            f"symmetry of the parent ({row.attrs.get('parent', 'other phases')}) may be chance "
            f"(p = {p:.2g})."
        )
    moved = _displacement(members, int(row["phase"]))
    if verdict == "ferroic":
        return (
            f"{phase}: ferroic, {n} variants{moved}, {group}; orbit complete: the symmetry turns "
            f"each into the others, and all are there (p = {p:.2g})."
        )
    return (
        f"{phase}: {seen} of {n} variants{moved}, {group}; orbit incomplete: the image does "
        f"not show the others (p = {p:.2g})."
    )


def _displacement(members: xr.Dataset | None, phase: int) -> str:
    """Tell how far the centers of the variants of a phase stand off."""
    if members is None or not {"displacement_y", "displacement_x"} <= set(members):
        return ""
    here = members["phase"].values == phase
    far = np.hypot(*(members[f"displacement_{axis}"].values[here] for axis in "yx"))
    unit = str(members["displacement_y"].attrs.get("units", "px"))
    return f" displaced by {_length(float(far.mean()), unit)}" if here.any() else ""


def _length(value: float, unit: str) -> str:
    factor, shown = shown_length_unit(value, unit)
    return f"{value / factor:.3g} {shown}"


def _grains(_: Lineage, result: Result) -> list[str]:
    boundaries = result.step.results.get("boundaries")
    told = count_text(result.value.sizes["row"], "grain")
    if boundaries is None or not boundaries.sizes["row"]:
        return [f"{told}."]
    shown = [
        f"{first} and {second} by {with_error(float(angle), float(error))} deg"
        for first, second, angle, error in zip(
            *(
                boundaries[name].values[:_MAX_NAMED]
                for name in ("grain", "other_grain", "misorientation", "misorientation_error")
            ),
            strict=True,
        )
    ]
    more = boundaries.sizes["row"] - len(shown)
    rest = f", and {more} more pairs" if more else ""
    turned = f"{told}, turned against one another: {list_text(shown)}{rest}"
    return [f"{turned} (error of the fit alone: distortion of the scan adds to it)."]


def _rings(_: Lineage, result: Result) -> list[str]:
    members, counts = np.unique(result.value["n_members"].values, return_counts=True)
    if not len(members):
        return []
    usual = int(members[counts.argmax()])
    parts = [
        f"{count} of {_NUMBERS.get(int(n), int(n))}"
        for n, count in zip(members, counts, strict=True)
        if n != usual
    ]
    among = f"{counts.max()} of {_NUMBERS.get(usual, usual)}"
    return [f"Rings: {list_text(parts)} among {among}." if parts else f"Rings: {among}, no others."]


def _dislocations(_: Lineage, result: Result) -> list[str]:
    n = result.value.sizes["site"]
    found = count_text(n, "dislocation") if n else "No dislocations"
    return [f"{found} within grains (boundaries of more than some 14 deg are told by rings)."]


def _strain(_: Lineage, result: Result) -> list[str]:
    sites: xr.Dataset = result.value
    parts = []
    for name in ("strain_yy", "strain_xx", "strain_xy", "rotation"):
        values = sites[name].values[np.isfinite(sites[name].values)]
        if not values.size:
            return []
        error = float(np.nanmedian(sites[f"{name}_error"].values))
        by, unit = (1.0, "deg") if name == "rotation" else (100.0, "%")
        low, high = by * np.quantile(values, _OUTER)
        parts.append(
            f"{name.replace('_', ' ')} {low:+.2g} to {high:+.2g} {unit} (error {by * error:.2g})"
        )
    return [f"Nine of ten sites within: {', '.join(parts)}."]


def _displaced(_: Lineage, result: Result) -> list[str]:
    sites: xr.Dataset = result.value
    far = sites["displacement_magnitude"].values
    low = sites["displacement_magnitude_lower"].values
    known = np.isfinite(far) & np.isfinite(low)
    if not known.any():
        return ["No displacement could be measured: no cage is whole."]
    unit = str(sites["displacement_magnitude"].attrs.get("units", "px"))
    median, share = float(np.median(far[known])), 100 * (low[known] > 0).mean()
    told = f"Off the centers of their cages by {_length(median, unit)} in median; {share:.0f} %"
    return [f"{told} of {known.sum()} beyond their noise (a tilt of the crystal moves all alike)."]


def _regions(lineage: Lineage, result: Result) -> list[str]:
    table: xr.Dataset = result.value
    phase = _phase_of_class(lineage, result)
    if phase is None or not table.sizes["row"]:
        found = count_text(table.sizes["row"], "connected region")
    else:
        numbers, counts = np.unique(phase[table["class"].values], return_counts=True)
        found = list_text(
            [
                f"{count_text(int(n), 'domain')} of phase {k}"
                for k, n in zip(numbers, counts, strict=True)
            ]
        )
    if table.sizes["row"] < 2:
        # That there are no variants was said before.
        return [] if phase is not None else [f"{found}."]
    largest = with_error(float(table["area"][0]), float(table["area_error"][0]))
    cut = int(table["is_cut"].values.sum())
    border = f"; {cut} of all cut by the border of the image" if cut else ""
    return [f"{found}; the largest has {largest} {table['area'].attrs['units']}{border}."]


def _boundaries(lineage: Lineage, result: Result) -> list[str]:
    table: xr.Dataset = result.value
    if not table.sizes["row"]:
        return []
    length, error = table["length"].values, table["length_error"].values
    unit = str(table["length"].attrs["units"])
    phase = _phase_of_class(lineage, result)
    kinds = {"Boundaries": np.ones(len(length), bool)}
    if phase is not None:
        first, second = (phase[table[f"class_{one}"].values] for one in ("first", "second"))
        kinds = {"Domain walls": first == second, "Boundaries between phases": first != second}
    return [
        f"{kind}: {with_error(float(length[here].sum()), float(np.hypot.reduce(error[here])))} "
        f"{unit} in {count_text(int(here.sum()), 'line')}."
        for kind, here in kinds.items()
        if here.any()
    ]


def _phase_of_class(lineage: Lineage, result: Result) -> np.ndarray[Any, Any] | None:
    """Find the phase of each class, where boundaries are those of variants."""
    for name in result.step.data:
        origin = lineage.results.get(name)
        members = origin.step.results.get("members") if origin else None
        if members is not None and name.endswith(".variants") and "phase" in members:
            return np.asarray(members["phase"].values)
    return None


def _fractions(_: Lineage, result: Result) -> list[str]:
    table: xr.Dataset = result.value
    rows = zip(
        *(table[f"fraction{end}"].values for end in ("", "_low", "_high")),
        strict=True,
    )
    parts = [
        f"{100 * mean:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
        if math.isfinite(low)
        else f"{100 * mean:.0f} %"
        for mean, low, high in rows
    ][:_MAX_FRACTIONS]
    if len(parts) < 2:
        # One class fills everything that was seen; of the rest of the material that says nothing.
        return []
    return [f"Fractions of the material: {list_text(parts)}."]


def _compared(_: Lineage, result: Result) -> list[str]:
    table: xr.Dataset = result.value
    matched, absent, extra = (
        int(table[name].item()) for name in ("n_matched", "n_not_found", "n_not_in_structure")
    )
    of = f"{matched} of the {count_text(matched + absent, 'column')} of the structure"
    if absent + extra > matched:
        told = f"The structure does not fit: only {of} match, {extra} that were found are not in it"
        return [
            f"{told}. Is it this crystal, along this zone axis (zone_axis of sites_from_structure)?"
        ]
    unit = str(table["rms"].attrs.get("units", "px"))
    place = f"{_length(float(table['rms'].item()), unit)} (rms) from their places"
    others = f"; {extra} that were found are not in it" if extra else ""
    return [f"The structure fits: {of} match, {place}{others}."]


def _superlattice(_: Lineage, result: Result) -> list[str]:
    names = list(result.value.attrs.get("class_names", ()))
    label = result.value["label"].values
    share = 100 * float((label == names.index("superlattice")).mean())
    told = [f"The superlattice covers {share:.0f} % of the image."]
    defects = result.step.results.get("defects")
    if defects is not None:
        n = count_text(defects.sizes["site"], "defect")
        told.append(f"{n}, where the image departs from the lattice; two that touch may be one.")
    return told


def _is_table_with(*names: str) -> Callable[[Result], bool]:
    return lambda result: result.kind is TABLE and set(names) <= set(result.value)


def _are_sites_with(*names: str) -> Callable[[Result], bool]:
    return lambda result: result.kind is SITES and set(names) <= set(result.value)


def _is_superlattice(result: Result) -> bool:
    return "label" in getattr(result.value, "data_vars", ()) and "superlattice" in (
        result.value.attrs.get("class_names", ())
    )


_SENTENCES: Final[list[tuple[Callable[[Result], bool], Callable[[Lineage, Result], list[str]]]]] = [
    (is_statement, _statement),
    (_is_table_with("length_i", "length_j", "orientation"), _grains),
    (lambda result: result.kind is SITES and has_rings(result.value), _rings),
    (lambda result: result.kind is SITES and has_dislocations(result.value), _dislocations),
    (_are_sites_with("strain_yy", "strain_yy_error", "rotation_error"), _strain),
    (
        _are_sites_with("displacement_magnitude", "displacement_magnitude_lower"),
        _displaced,
    ),
    (_is_table_with("region", "perimeter", "is_cut"), _regions),
    (_is_table_with("boundary", "length", "is_closed"), _boundaries),
    (lambda result: result.kind is TABLE and is_fractions(result.value), _fractions),
    (_is_table_with("n_matched", "n_not_found", "n_not_in_structure"), _compared),
    (_is_superlattice, _superlattice),
]
