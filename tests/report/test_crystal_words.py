"""The first lines of a report answer what recipes of local crystallography ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from adatom.recipes.steps import find_step
from adatom.report import RunRecord, StepRecord
from adatom.report.crystal_words import crystal_sentences
from adatom.report.lineage import Lineage
from adatom.report.pictures import main_result
from adatom.report.words import summary_sentences
from adatom.schema import Table, sites_from_positions, table_from_columns


def _lineage(*steps: tuple[str, dict[str, Any], tuple[str, ...]]) -> Lineage:
    records = tuple(
        StepRecord(name, f"crystallography.{name}", data, {}, "", results, name)
        for name, results, data in steps
    )
    return Lineage(RunRecord("Test", "", records))


def _statement(verdict: str, p_value: float) -> Table:
    table = table_from_columns(
        {
            "phase": [0],
            "verdict": [verdict],
            "n_variants": [4],
            "n_populated": [4],
            "n_sites": [80],
            "point_group": ["m"],
            "p_value": [p_value],
        }
    )
    table.attrs.update(level=0.05, parent="4mm")
    return table


def _variants(verdict: str, p_value: float = 0.01) -> dict[str, Any]:
    members = table_from_columns(
        {
            "phase": np.zeros(4, int),
            "displacement_y": [0.03, -0.03, 0.0, 0.0],
            "displacement_x": [0.0, 0.0, 0.03, -0.03],
        },
        units={"displacement_y": "nm", "displacement_x": "nm"},
    )
    label = xr.Dataset({"label": ("site", np.arange(80) % 4)})
    phases = xr.Dataset({"label": ("site", np.zeros(80, int))})
    return {
        "variants": label,
        "phases": phases,
        "statement": _statement(verdict, p_value),
        "members": members,
    }


def test_ferroic_domains_open_with_the_verdict_and_the_displacement() -> None:
    told = crystal_sentences(_lineage(("domains", _variants("ferroic"), ())))
    assert told[0].startswith("Phase 0 (80 cells): ferroic, 4 variants displaced by 30 pm")
    assert "orbit complete" in told[0]


def test_cells_that_are_all_alike_are_not_called_proven_non_ferroic() -> None:
    told = crystal_sentences(_lineage(("domains", _variants("non-ferroic", 1.0), ())))
    assert "no ferroic variants can be told apart" in told[0]
    assert "(a single domain)" in told[0]
    assert "p = 1" not in told[0]


def test_a_departure_that_may_be_chance_is_called_so() -> None:
    told = crystal_sentences(_lineage(("domains", _variants("orbit incomplete", 0.84), ())))
    assert "may be chance (p = 0.84)" in told[0]


def test_the_map_of_domains_opens_the_report_not_that_of_phases() -> None:
    lineage = _lineage(("domains", _variants("ferroic"), ()))
    main = main_result(lineage)
    assert main is not None
    assert main.name == "domains.variants"
    assert not any("members" in sentence for sentence in summary_sentences(lineage))


def test_walls_between_domains_are_told_from_boundaries_between_phases() -> None:
    found = _variants("ferroic")
    found["members"]["phase"] = ("row", [0, 0, 0, 1])
    walls = table_from_columns(
        {
            "boundary": [0, 1],
            "class_first": [0, 2],
            "class_second": [1, 3],
            "length": [5.0, 3.0],
            "length_error": [0.3, 0.2],
            "is_closed": [False, False],
        },
        units={"length": "nm", "length_error": "nm"},
    )
    lineage = _lineage(("domains", found, ()), ("walls", {"table": walls}, ("domains.variants",)))
    told = crystal_sentences(lineage)
    assert "Domain walls: 5.00 ± 0.30 nm in 1 line." in told
    assert "Boundaries between phases: 3.00 ± 0.20 nm in 1 line." in told


def test_grains_are_told_with_their_misorientation_and_rings() -> None:
    grains = table_from_columns(
        {"grain": [0, 1], "length_i": [0.24, 0.24], "length_j": [0.24] * 2, "orientation": [1, 34]}
    )
    boundaries = table_from_columns(
        {
            "grain": [0],
            "other_grain": [1],
            "misorientation": [27.368],
            "misorientation_error": [0.057],
        }
    )
    rings = sites_from_positions([0.0, 1, 2, 3], [0.0, 0, 0, 0], unit="nm")
    rings = rings.assign(
        n_members=("site", [5, 6, 6, 7]), corner=(("site", "member"), np.zeros((4, 7), int))
    )
    results = {"grains": grains, "boundaries": boundaries}
    told = crystal_sentences(_lineage(("grains", results, ()), ("rings", {"": rings}, ())))
    assert told[0].startswith("2 grains, turned against one another: 0 and 1 by 27.368 ± 0.057 deg")
    assert told[1] == "Rings: 1 of five and 1 of seven among 2 of six."


def test_one_class_that_fills_the_image_has_no_interval_of_fractions() -> None:
    nan = float("nan")
    fractions = table_from_columns(
        {"class": [0], "fraction": [1.0], "fraction_low": [nan], "fraction_high": [nan]}
    )
    assert crystal_sentences(_lineage(("fractions", {"": fractions}, ()))) == []


def test_a_structure_that_does_not_fit_is_said_not_to() -> None:
    def told(matched: int, absent: int, extra: int) -> str:
        row: dict[str, Any] = {
            "n_matched": [matched],
            "n_not_found": [absent],
            "n_not_in_structure": [extra],
            "rms": [0.0016],
        }
        table = table_from_columns(row, units={"rms": "nm"})
        return crystal_sentences(_lineage(("compared", {"summary": table}, ())))[0]

    assert told(4, 12, 14).startswith("The structure does not fit: only 4 of the 16 columns")
    assert told(16, 0, 0) == (
        "The structure fits: 16 of the 16 columns of the structure match, 1.6 pm (rms) from "
        "their places."
    )


def test_a_superlattice_is_told_with_its_share_and_the_defects() -> None:
    label = xr.Dataset(
        {"label": (("y", "x"), np.eye(2, dtype=int))},
        attrs={"class_names": ["lattice", "superlattice"]},
    )
    defects = sites_from_positions([0.0, 1.0], [0.0, 1.0], unit="nm")
    lineage = _lineage(("pattern", {"classes": label, "defects": defects}, ()))
    share, count = crystal_sentences(lineage)
    assert share == "The superlattice covers 50 % of the image."
    assert count.startswith("2 defects")


def test_what_a_step_did_is_told_without_marks_of_references() -> None:
    assert find_step("crystallography.estimate_polarization").summary == (
        "Estimate how far columns stand from the centers of their cages."
    )
