"""Reports on defects open with what was found and a picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from adatom.defects import Defects, find_defects
from adatom.report import RunRecord, StepRecord, write_report
from adatom.report.defect_words import defect_sentences
from adatom.report.lineage import Lineage
from adatom.report.pictures import main_picture, pictures_of
from adatom.schema import image_from_array, table_from_columns
from adatom.simulation import Flake, build_graphene


def graphene(threefold: float, vacancies: float = 0.0) -> dict[str, Any]:
    flake = Flake(threefold=threefold, fourfold=0.0, vacancies=vacancies, divacancies=0.0)
    atoms = build_graphene(flake=flake, field=(4.0, 4.0), seed=3).atoms
    atoms.attrs["extent"] = [0.0, 4.0, 0.0, 4.0]
    image = image_from_array(np.zeros((200, 200)), pixel_size="0.02 nm")
    return {"image": image, "atoms": atoms, "found": find_defects(atoms)}


def record(image: Any, atoms: Any, found: Defects) -> RunRecord:
    steps = (
        StepRecord("image", "io.read_image", (), {}, "", {"": image}, ""),
        StepRecord("atoms", "localization.find_atoms", ("image",), {}, "", {"": atoms}, ""),
        StepRecord(
            "found", "defects.find_defects", ("atoms", "image"), {}, "", found._asdict(), ""
        ),
    )
    return RunRecord("Test", "", steps)


def lineage_of(*results: Any) -> Lineage:
    steps = tuple(
        StepRecord(f"step_{k}", "defects.x", (), {}, "", {"": one}, "")
        for k, one in enumerate(results)
    )
    return Lineage(RunRecord("Test", "", steps))


def with_names(found: Defects, names: list[str], confidence: float = 0.9) -> Defects:
    n = len(names)
    defects = found.defects.isel(site=np.zeros(n, dtype=int)).assign(
        name=("site", np.array(names)), confidence=("site", np.full(n, confidence))
    )
    return found._replace(defects=defects)


def test_defects_are_counted_by_name_the_most_frequent_first() -> None:
    made = graphene(0.006)
    made["found"] = with_names(made["found"], ["V1", *["Si1C3"] * 3, ""])
    (told,) = defect_sentences(Lineage(record(**made)))
    assert told == "5 defects in 16 nm²: 3 Si1C3, 1 V1 and 1 unnamed (substitution)."


def test_a_single_defect_is_told_by_its_name_alone() -> None:
    made = graphene(0.006)
    made["found"] = with_names(made["found"], ["Si3C6"])
    (told,) = defect_sentences(Lineage(record(**made)))
    assert told.startswith("1 defect in ")
    assert told.endswith("nm²: Si3C6.")


def test_doubtful_defects_are_told_as_such() -> None:
    made = graphene(0.006)
    made["found"] = with_names(made["found"], ["V1", "V1"], confidence=0.01)
    (told,) = defect_sentences(Lineage(record(**made)))
    assert told.endswith("2 V1; 2 doubtful (confidence below 0.1).")


def test_where_only_the_surest_are_listed_the_sentence_says_so() -> None:
    found = with_names(graphene(0.006)["found"], ["V_S", "V_S"])
    step = StepRecord(
        "found", "defects.find_lattice_defects", (), {"false_discovery": 0.05}, "",
        found._asdict(), "",
    )  # fmt: skip
    (told,) = defect_sentences(Lineage(RunRecord("Test", "", (step,))))
    assert told.endswith("2 V_S; only the surest are listed, 5 % of them by chance.")


def test_of_many_sorts_the_rest_is_counted() -> None:
    made = graphene(0.006)
    made["found"] = with_names(made["found"], [f"Si{k}C{k}" for k in range(1, 12)])
    (told,) = defect_sentences(Lineage(record(**made)))
    assert told.endswith("and 3 of 3 other sorts.")


def test_no_defects_are_told_and_the_atoms_open_the_report() -> None:
    lineage = Lineage(record(**graphene(0.0)))
    (told,) = defect_sentences(lineage)
    assert told.startswith("No defects in ")
    opening = main_picture(lineage)
    assert opening is not None
    assert opening.name == "atoms"


def test_the_statement_on_columns_is_said_in_sentences() -> None:
    table = table_from_columns({"sublattice": ["Mo"], "column": ["Mo"], "share": [1.0]})
    table.attrs["statement"] = "places of Mo: Mo 100.0 %; Se make 50 % of the chalcogen"
    assert defect_sentences(lineage_of(table)) == [
        "Places of Mo: Mo 100.0 %.",
        "Se make 50 % of the chalcogen.",
    ]


def test_defects_have_one_picture_and_it_opens_the_report() -> None:
    lineage = Lineage(record(**graphene(0.006, 0.004)))
    pictures = [
        one.name
        for result in lineage.results.values()
        if result.name.startswith("found")
        for one in pictures_of(lineage, result)
    ]
    assert pictures == ["found-defects"]
    opening = main_picture(lineage)
    assert opening is not None
    assert opening.name == "found-defects"
    assert "over the image" in opening.caption


def test_the_page_opens_with_the_sentence(tmp_path: Path) -> None:
    page = write_report(record(**graphene(0.006)), tmp_path).read_text(encoding="utf-8")
    summary = page[page.index('id="summary"') :]
    assert summary.index("defects in") < summary.index("atoms found")
    assert (tmp_path / "pictures/found-defects.png").exists()
