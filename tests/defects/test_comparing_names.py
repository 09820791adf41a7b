"""Names of defects against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.defects import compare_names
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.plotting import plot, plot_confusion
from adatom.schema import Sites, notes, sites_from_positions, table_from_columns


def _named(x: list[float], names: list[str], unit: str = "nm") -> Sites:
    sites = sites_from_positions([1.0] * len(x), x, unit=unit, spacing=0.142)
    return sites.assign(name=("site", np.array(names, dtype="U20")))


TRUTH = _named([1.0, 2.0, 3.0, 4.0], ["Si1C3", "Si1C3", "Si1C4", "V1"])
FOUND = _named([1.02, 3.01, 3.9, 6.0], ["Si1C3", "Si1C3", "", "V2"])


def test_counts_of_names_hold_missed_and_false_defects() -> None:
    confusion = compare_names(FOUND, TRUTH).confusion
    counted = set(
        zip(*(confusion[name].values.tolist() for name in ("truth", "found", "count")), strict=True)
    )
    assert counted == {
        ("Si1C3", "Si1C3", 1),
        ("Si1C3", "not found", 1),
        ("Si1C4", "Si1C3", 1),
        ("V1", "no name", 1),
        ("not in the truth", "V2", 1),
    }


def test_recall_and_precision_of_a_name_have_the_limits_of_wilson() -> None:
    table = compare_names(FOUND, TRUTH).per_name
    row = table.isel(row=table["name"].values.tolist().index("Si1C3"))
    assert (int(row["n_true"]), int(row["n_found"]), int(row["n_right"])) == (2, 2, 1)
    # Wilson's interval of 1 of 2: (1/2 + z^2/4 -+ z sqrt(1/8 + z^2/16)) / (1 + z^2/2), z = 1.96.
    assert float(row["recall_low"]) == pytest.approx(0.0945, abs=1e-4)
    assert float(row["recall_high"]) == pytest.approx(0.9055, abs=1e-4)
    last = table.isel(row=-1)
    assert (str(last["name"].item()), int(last["n_true"]), int(last["n_right"])) == ("all", 4, 1)
    assert notes(table)[0].endswith("1 not found; 1 of 4 found are not in the truth.")


def test_defects_of_several_images_are_matched_image_by_image() -> None:
    here, there = _named([1.0], ["V1"]), _named([5.0], ["V2"])
    compared = compare_names([here, there], [here, there])
    assert compared.pairs["file"].values.tolist() == [0, 1]
    assert compared.per_name["n_right"].values.tolist() == [1, 1, 2]
    swapped = compare_names([here, there], [there, here])
    assert int(swapped.per_name["n_right"].values[-1]) == 0


def test_an_image_without_defects_may_be_among_several() -> None:
    none, one = _named([], []), _named([1.0], ["V1"])
    compared = compare_names([none, one], [none, one])
    assert compared.per_name["n_true"].values.tolist() == [1, 1]


def test_the_nearest_defect_is_taken_whatever_its_name() -> None:
    found = _named([1.01, 1.1], ["V2", "Si1C3"])
    pairs = compare_names(found, _named([1.0], ["Si1C3"])).pairs
    assert pairs["found"].values[0] == "V2"


def test_a_truth_without_names_is_refused() -> None:
    with pytest.raises(KindError, match="truth have no variable 'name'"):
        compare_names(FOUND, TRUTH.drop_vars("name"))


def test_a_truth_in_pixels_is_refused_with_the_remedy() -> None:
    with pytest.raises(KindError, match="pixel_size"):
        compare_names(FOUND, _named([1.0], ["V1"], unit="px"))


def test_lists_of_unlike_length_are_refused() -> None:
    with pytest.raises(KindError, match="defects of 2 images, truth of 1"):
        compare_names([FOUND, FOUND], [TRUTH])


def test_an_empty_truth_is_refused() -> None:
    with pytest.raises(TooFewSitesError, match="nothing to compare with"):
        compare_names(FOUND, _named([], []))


def test_a_distance_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="must be positive"):
        compare_names(FOUND, TRUTH, max_distance="0 nm")


def test_the_matrix_has_what_is_right_on_its_diagonal() -> None:
    matrix, bars = plot(compare_names(FOUND, TRUTH).confusion).axes
    columns = [label.get_text() for label in matrix.get_xticklabels()]
    rows = [label.get_text() for label in matrix.get_yticklabels()]
    assert rows == ["Si1C3", "Si1C4", "V1", "not in the truth"]
    assert columns == ["Si1C3", "Si1C4", "V1", "V2", "no name", "not found"]
    numbers = {
        (rows[round(text.get_position()[1])], columns[round(text.get_position()[0])]): text
        for text in matrix.texts
    }
    assert numbers["Si1C3", "not found"].get_text() == "1"
    assert [text.get_text() for text in bars.texts] == ["1 of 2", "0 of 1", "0 of 1"]


def test_of_very_many_names_the_rarest_are_one_row() -> None:
    names = [f"{k}-{k}" for k in range(5, 45)]
    table = table_from_columns({"truth": names, "found": names, "count": np.arange(1, 41)})
    (matrix, _) = plot_confusion(table).axes
    rows = [label.get_text() for label in matrix.get_yticklabels()]
    # Sixteen rarest and the seventeenth: 1 + 2 + ... + 17.
    assert (len(rows), rows[-1], matrix.texts[-1].get_text()) == (24, "others", "153")


def test_another_table_has_no_such_matrix() -> None:
    with pytest.raises(KindError, match="need truth, found, count"):
        plot_confusion(table_from_columns({"a": [1.0]}))
