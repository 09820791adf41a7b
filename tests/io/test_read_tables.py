"""Tables of text, boxes and tracks become sites and tables, with their units."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from written_sites import BOXES, SITES

from adatom.errors import ReadError, SettingError, UnitError
from adatom.io import read_contents, read_data, read_sites, read_table
from adatom.schema import SITES as SITES_KIND
from adatom.schema import notes


def _file(folder: Path, text: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_units_in_brackets_become_those_of_the_house(tmp_path: Path) -> None:
    sites = read_sites(_file(tmp_path, "y [pm],x (um),width [pm],T [K]\n500,0.002,50,300\n"))
    assert sites.y.item() == pytest.approx(0.5)
    assert sites.x.item() == pytest.approx(2.0)
    assert sites["width"].item() == pytest.approx(0.05)
    assert {sites[name].units for name in ("y", "x", "width")} == {"nm"}
    assert sites["T"].units == "K"
    assert "the unit 'K' of column 'T' is not known" in notes(sites)


def test_percent_is_no_angle(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "sample,Al [%]\nA1,20\n"))
    assert table["Al"].item() == 20.0
    assert table["Al"].units == "%"


def test_columns_named_by_an_index_keep_it(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, '"v[0, 1]",w\n1,2\n'))
    assert set(table) == {"v[0, 1]", "w"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("a;b\n1,5;2,25\n", "utf-8"),
        ("a\tb\n1,5\t2,25\n", "utf-8"),
        ("a,b\n1.5,2.25\n", "utf-8"),
        ("  a   b\n 1.5  2.25\n", "utf-8"),
        ("# taken today\n\na,b\n# half way\n1.5,2.25\n", "utf-8"),
        ("a,b\r\n1.5,2.25\r\n", "utf-8-sig"),
        ("a,b\n1.5,2.25\n", "utf-16"),
    ],
)
def test_separators_decimals_comments_and_encodings_are_found(
    tmp_path: Path, text: str, encoding: str
) -> None:
    table = read_table(_file(tmp_path, text, encoding=encoding))
    assert {name: column.values.tolist() for name, column in table.items()} == {
        "a": [1.5],
        "b": [2.25],
    }


def test_latin_1_of_older_programs_is_read(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "h [µm],place\n2,Gießen\n", encoding="latin-1"))
    assert table["h"].item() == 2000.0
    assert table["place"].item() == "Gießen"


def test_tables_without_a_header_number_their_columns(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "1,0.5,Si\n2,0.25,C\n"))
    assert list(table) == ["column_0", "column_1", "column_2"]
    assert table["column_0"].dtype == np.int64
    assert table["column_2"].values.tolist() == ["Si", "C"]
    assert "it does not name its columns" in notes(table)


def test_names_in_a_comment_of_numpy_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "saved.txt"
    np.savetxt(path, [[1.0, 2.0], [3.0, 4.0]], header="y x")
    assert read_sites(path).x.values.tolist() == [2.0, 4.0]


def test_short_lines_are_filled_and_told(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "0,cubic,8.2,8.2\n1,1,13.5\n"))
    assert np.isnan(table["column_3"].values[1])
    assert "lines have 3 to 4 fields: what a line lacks is empty or NaN" in notes(table)


def test_a_text_that_only_looks_like_columns_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, "Report of today\nby me and you\n1 2 3\n", "report.txt")
    with pytest.raises(ReadError, match="no table"):
        read_table(path)


def test_text_called_na_stays_text(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "species,n\nNA,1\nNa,2\n"))
    assert table["species"].values.tolist() == ["NA", "Na"]


def test_bytes_called_csv_are_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"a,b\n\0\0\0\x01")
    with pytest.raises(ReadError, match="not text"):
        read_table(tmp_path / "table.csv")


def test_positions_without_unit_are_in_px_and_scale_as_said(tmp_path: Path) -> None:
    path = _file(tmp_path, "x,y,frame,particle,mass\n10,20,0,3,7.5\n30,40,1,3,8\n")
    sites = read_sites(path)
    assert sites.x.units == "px"
    assert any("taken as px" in note for note in notes(sites))
    assert sites.coords["frame"].dtype == sites.coords["track"].dtype == np.int64
    scaled = read_sites(path, pixel_size="0.5 nm")
    assert scaled.y.values.tolist() == [10.0, 20.0]
    assert scaled.y.units == "nm"
    assert scaled["mass"].values.tolist() == [7.5, 8.0]


def test_lengths_are_not_scaled_again(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="in nm already: leave pixel_size out"):
        read_sites(_file(tmp_path, "y [nm],x [nm]\n1,2\n"), pixel_size="0.5 nm")
    with pytest.raises(UnitError, match="positive length"):
        read_sites(_file(tmp_path, "y,x\n1,2\n"), pixel_size="2 d")


def test_columns_are_named_by_hand(tmp_path: Path) -> None:
    path = _file(tmp_path, "5,6,Si,9\n7,8,C,9\n")
    sites = read_sites(path, columns="x [nm], y [nm], species, _")
    assert sites.x.values.tolist() == [5.0, 7.0]
    assert sites["species"].values.tolist() == ["Si", "C"]
    assert "column_3" not in sites
    with pytest.raises(ReadError, match="names 2 columns, it has 4"):
        read_sites(path, columns="x, y")
    with pytest.raises(SettingError, match="every column once"):
        read_sites(path, columns="x, y, x, y")


def test_a_table_without_positions_says_how_to_name_them(tmp_path: Path) -> None:
    path = _file(tmp_path, "row,column\n1,2\n")
    with pytest.raises(ReadError, match=r"names no column y or x, but|holds no sites"):
        read_sites(path)
    assert read_sites(path, columns="y, x").y.item() == 1.0


def test_columns_of_an_array_are_named_by_hand(tmp_path: Path) -> None:
    np.save(tmp_path / "found.npy", np.array([[3.0, 5.0, 1.0], [4.0, 6.0, 0.0], [5.0, 7.0, 1.0]]))
    sites = read_sites(tmp_path / "found.npy", columns="y, x, class", pixel_size="10 pm")
    assert sites.x.values.tolist() == pytest.approx([0.05, 0.06, 0.07])
    assert sites["class"].values.tolist() == [1, 0, 1]
    with pytest.raises(ReadError, match=r"shape \(3, 3\).*names 2"):
        read_sites(tmp_path / "found.npy", columns="y, x")


def test_spots_of_trackmate_carry_tracks_times_and_units(tmp_path: Path) -> None:
    path = SITES["trackmate"](tmp_path)
    sites = read_sites(path)
    assert sites.x.values.tolist() == [1500.0, 1750.0, 4000.0]
    assert sites.x.units == "nm"
    assert sites["track"].values.tolist() == [4, 4, -1]
    assert sites["frame"].values.tolist() == [0, 1, 1]
    assert sites["time"].values.tolist() == [0.0, 2.0, 2.0]
    assert sites["time"].units == "s"
    assert sites["quality"].values.tolist() == [3.5, 4.5, 1.5]


def test_exported_tracks_of_trackmate_are_sites(tmp_path: Path) -> None:
    sites = read_sites(SITES["trackmate-tracks"](tmp_path))
    assert sites["track"].values.tolist() == [0, 0, 1]
    assert sites.y.values.tolist() == [2.0, 2.5, 8.0]
    assert sites["time"].values.tolist() == [0.0, 0.5, 0.5]


def test_csv_of_trackmate_has_three_more_header_lines(tmp_path: Path) -> None:
    text = (
        "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_T,FRAME\n"
        "Label,Spot ID,Track ID,Quality,X,Y,T,Frame\n"
        "Label,Spot ID,Track ID,Quality,X,Y,T,Frame\n"
        ",,,(quality),(micron),(micron),(sec),\n"
        "ID7,7,4,3.5,1.5,0.25,0.0,0\nID9,9,,1.5,4.0,2.0,2.0,1\n"
    )
    sites = read_sites(_file(tmp_path, text))
    assert sites.y.values.tolist() == [250.0, 2000.0]
    assert sites["track"].values.tolist() == [4, -1]
    assert sites["frame"].values.tolist() == [0, 1]
    assert sites["time"].units == "s"


def test_corners_of_boxes_become_centers_of_pixels(tmp_path: Path) -> None:
    sites = read_sites(SITES["boxes"](tmp_path))
    # Rows 2 to 6 and columns 4 to 6 are covered; a circle is told by its center.
    assert sites.y.values.tolist() == [4.0, 7.5]
    assert sites.x.values.tolist() == [5.0, 9.5]
    assert sites["height"].values.tolist() == [5.0, 4.0]
    assert sites["image"].values.tolist() == ["a.png", "a.png"]
    assert sites["kind"].values.tolist() == ["vacancy", "dopant"]


def test_boxes_are_the_same_in_all_forms_of_the_annotator(tmp_path: Path) -> None:
    rows = [
        (image["filename"], json.dumps(region["shape_attributes"]), '{"kind": "x"}')
        for image in BOXES.values()
        for region in image["regions"]
    ]
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    header = "filename,region_shape_attributes,region_attributes"
    table = _file(tmp_path, "\n".join([header, *quoted]) + "\n")
    project = _file(tmp_path, json.dumps({"_via_img_metadata": BOXES}), "project.json")
    for path in (table, project):
        sites = read_sites(path)
        assert sites.y.values.tolist() == [4.0, 7.5]
        assert sites["width"].values.tolist() == [3.0, 4.0]


def test_low_and_high_edges_of_boxes_become_centers(tmp_path: Path) -> None:
    text = "image,xmin,ymin,xmax,ymax,class\na.png,4,2,7,7,vacancy\n"
    sites = read_sites(_file(tmp_path, text))
    assert (sites.y.item(), sites.x.item()) == (4.0, 5.0)


def test_metadata_without_boxes_are_refused_as_json(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"material": "graphene"}', "about.json")
    with pytest.raises(ReadError, match="JSON text"):
        read_data(path)


def test_entities_in_xml_are_refused(tmp_path: Path) -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE TrackMate [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        "<TrackMate><Model>&b;</Model></TrackMate>"
    )
    with pytest.raises(ReadError, match="declares a document type"):
        read_sites(_file(tmp_path, bomb, "bomb.xml"))


def test_contents_list_columns_and_units(tmp_path: Path) -> None:
    contents = read_contents(_file(tmp_path, "y [nm],x [nm],species\n1,2,Si\n"))
    assert contents["kind"].item() == "sites"
    assert contents["axes"].item() == "y, x, species"
    assert contents["shape"].item() == "1 rows"


def test_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    sites = read_sites(_file(tmp_path, "y [nm],x [nm]\n"))
    assert SITES_KIND.fits(sites)
    assert sites.sizes["site"] == 0


@pytest.mark.parametrize("text", ["hello world\n", "see my\nlab book\n"])
def test_notes_of_a_user_are_no_table_even_where_lines_have_as_many_words(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "note.txt").write_text(text)
    with pytest.raises(ReadError, match=r"a text without a number in its first \d lines\. Give"):
        read_table(tmp_path / "note.txt")


def test_a_column_called_as_the_rows_are_is_renamed_and_that_is_told(tmp_path: Path) -> None:
    table = read_table(_file(tmp_path, "row,value\n7,1.5\n7,2.5\n"))
    assert table["row_number"].values.tolist() == [7, 7]
    assert "row" not in table.coords
    assert any("'row_number'" in note for note in notes(table))
