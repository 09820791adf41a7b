"""Real boxes, compositions and structures, against their own files read by other means."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from adatom.errors import ReadError
from adatom.io import read_data, read_image, read_sites, read_structure, read_table

DATA = Path(os.environ.get("ADATOM_DATA", ""))
IMAGING, SPECTRAL = DATA / "imaging", DATA / "spectral"
BOXES = IMAGING / "stm_wse2_mlstm"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


def test_boxes_of_a_table_are_told_by_their_centers() -> None:
    sites = read_sites(BOXES / "annotations.csv")
    with (BOXES / "annotations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sites.sizes["site"] == len(rows) == 550
    corners = np.array([[float(row[name]) for name in ("y", "x")] for row in rows])
    sizes = np.array([[float(row[name]) for name in ("height", "width")] for row in rows])
    centers = np.stack([sites.y.values, sites.x.values], axis=-1)
    # The middle of pixels corner ... corner + size - 1.
    assert np.array_equal(centers, corners + (sizes - 1) / 2)
    assert sites["image"].values.tolist() == [row["filename"] for row in rows]
    assert sites["label"].values.tolist() == [row["label"] for row in rows]
    assert len(set(sites["image"].values.tolist())) == 24
    assert sites.y.units == "px"


def test_boxes_of_the_annotator_are_all_there() -> None:
    sites = read_sites(BOXES / "annotations.json")
    tree = json.loads((BOXES / "annotations.json").read_text())
    assert sites.sizes["site"] == sum(len(one["regions"]) for one in tree.values()) == 612
    assert len(tree) == 37
    names, counts = np.unique(sites["Defect_Type"].values, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "SBT": 264, "LBP": 116, "LDP": 89, "SDT": 71, "LDT": 27, "SDP": 26, "LBT": 18, "SBP": 1,
    }  # fmt: skip


def test_boxes_lie_where_their_image_shows_something() -> None:
    sites = read_sites(BOXES / "annotations.json")
    contrasts = []
    for name in sorted(set(sites["image"].values.tolist())):
        if not (BOXES / name).exists():
            continue
        pixels = read_image(BOXES / name, channel="luminance").values.astype(float)
        here = sites.isel(site=sites["image"].values == name)
        for y, x, height, width in zip(
            here.y.values, here.x.values, here["height"].values, here["width"].values, strict=True
        ):
            rows = slice(int(y - (height - 1) / 2), int(y + (height + 1) / 2))
            columns = slice(int(x - (width - 1) / 2), int(x + (width + 1) / 2))
            mirrored = pixels.T if pixels.shape[0] == pixels.shape[1] else pixels
            inside, swapped = pixels[rows, columns], mirrored[rows, columns]
            if inside.size and swapped.size:
                contrasts.append((inside.std(), swapped.std()))
    inside_std, swapped_std = np.mean(contrasts, axis=0)
    # Boxes enclose defects, so grey varies more in them than at mirrored places.
    assert inside_std > 1.1 * swapped_std


def test_phase_fractions_without_a_header_sum_to_one() -> None:
    table = read_table(SPECTRAL / "combi_alfelio/sol.csv")
    assert list(table) == [f"column_{number}" for number in range(7)]
    fractions = sum(table[f"column_{number}"].values for number in range(1, 7))
    assert fractions == pytest.approx(np.ones(231), abs=1e-5)


def test_a_comment_is_no_header() -> None:
    table = read_table(SPECTRAL / "combi_alfelio/composition_derived.csv")
    assert table.sizes["row"] == 231
    total = np.sum([table[f"column_{number}"].values for number in (1, 2, 3)], axis=0)
    assert total.tolist() == [100] * 231
    assert table.attrs["comments"][0].startswith("sample,Al_at_pct")


def test_lists_of_reflections_keep_all_lines() -> None:
    path = SPECTRAL / "combi_alfelio/sticks.csv"
    table = read_table(path)
    assert table.sizes["row"] == len(path.read_text().splitlines())
    assert "AlFe2O4_Fd-3mS" in table["column_1"].values


@pytest.mark.parametrize("name", ["POSCAR_general", "POSCAR_adv_general"])
def test_structures_without_an_ending_are_known(name: str) -> None:
    atoms = read_structure(IMAGING / "atomai_tests/utils/test_data" / name)
    symbols = list(atoms.symbols)
    assert (symbols.count("C"), symbols.count("Si")) == (2021, 22)
    assert atoms.cell.lengths()[0] == pytest.approx(86.0 if "adv" in name else 85.057, abs=1e-3)


def test_a_bronze_has_its_cell_and_tells_of_shared_sites() -> None:
    atoms = read_structure(IMAGING / "singleorigin/BSSN5137.cif")
    assert atoms.cell.lengths() == pytest.approx([12.58761, 12.58761, 3.9622])
    # Ten metal columns M and thirty O a cell, six of A.
    symbols = list(atoms.symbols)
    assert (symbols.count("Nb"), symbols.count("O"), symbols.count("Ba")) == (10, 30, 6)
    assert "several elements share" in atoms.info["notes"]


def test_positions_of_arrays_lie_on_their_atoms() -> None:
    place = IMAGING / "temul/publication_examples/PTO_supercrystal_hadjimichael/data"
    image = read_image(place / "Cropped_PTO-SRO_Aligned.hspy").values
    sites = read_sites(place / "atom_positions1.npy", columns="x, y")
    rows, columns = (np.round(sites[name].values).astype(int) for name in ("y", "x"))
    assert sites.sizes["site"] == 465
    assert rows.max() < image.shape[0]
    assert columns.max() < image.shape[1]
    assert image[rows, columns].mean() > image.mean() + 2 * image.std()


@pytest.mark.parametrize(
    "name",
    [
        "mos2_scilink/nanoparticles.json",
        "movte_scilink/oxide_catalyst.json",
        "scilink_misc/bfo_tem.json",
        "scilink_misc/GH_stm.json",
    ],
)
def test_metadata_without_arrays_are_told_apart_from_boxes(name: str) -> None:
    with pytest.raises(ReadError, match="JSON text"):
        read_data(IMAGING / name)
