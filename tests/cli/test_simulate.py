"""``adatom simulate``: image files with their truth beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adatom.cli import main
from adatom.io import read_image, read_movie, read_sites, read_table
from adatom.schema import positions
from adatom.simulation import FilmSimulation, OxideSimulation, simulate_film, simulate_oxide

Captured = pytest.CaptureFixture[str]

SMALL = ("--size", "64", "--field", "2 nm")
CUBE = """cube
1.0
3.9 0 0
0 3.9 0
0 0 3.9
Sr Ti
1 1
Direct
0 0 0
0.5 0.5 0.5
"""


@pytest.fixture(autouse=True)
def inside_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands write where tests may."""
    monkeypatch.chdir(tmp_path)


def test_a_lattice_becomes_an_image_with_its_truth_and_pictures(capsys: Captured) -> None:
    assert main(["simulate", "tmd", *SMALL, "--vacancies", "0.1", "--seed", "2"]) == 0
    assert capsys.readouterr().out.startswith("tmd.tif: ")
    image, truth = read_image("tmd.tif"), read_sites("tmd_truth.csv")
    assert image.shape == (64, 64)
    assert float(image.x[1]) == pytest.approx(2 / 64)
    assert set(truth["class"].values.tolist()) == {"Mo", "S2", "S2 less S"}
    # Atoms are where the image is bright.
    at = image.sel(y=truth.y, x=truth.x, method="nearest")
    assert float(at[truth["class"].values == "Mo"].mean()) > 1.5 * float(image.mean())
    assert read_sites("tmd_vacancies.csv").sizes["site"] > 0
    assert Path("tmd.png").stat().st_size > 1000
    assert Path("tmd_truth.png").stat().st_size > 1000


@pytest.mark.parametrize("ending", ["nc", "zarr", "hspy"])
def test_images_are_written_in_the_format_of_their_ending(ending: str) -> None:
    command = ["simulate", "honeycomb", *SMALL, "--out", f"sheet.{ending}", "--no-pictures"]
    assert main(command) == 0
    assert read_image(f"sheet.{ending}").shape == (64, 64)
    assert not Path("sheet.png").exists()
    assert not Path("sheet_vacancies.csv").exists()


def test_a_structure_file_becomes_an_image() -> None:
    Path("POSCAR").write_text(CUBE)
    command = ["simulate", "POSCAR", *SMALL, "--no-pictures", "--out", "cube.tif"]
    assert main([*command, "--set", "sample.zone_axis=[1, 1, 0]"]) == 0
    truth = read_sites("cube_truth.csv")
    assert set(truth["class"].values.tolist()) == {"Sr", "Ti"}
    assert truth.attrs["spacing"] == pytest.approx(0.195)


def test_many_images_are_of_one_seed_after_the_other() -> None:
    command = ["simulate", "fcc_110", *SMALL, "--no-pictures"]
    assert main([*command, "--n", "3", "--seed", "5"]) == 0
    assert main([*command, "--seed", "6", "--out", "alone.tif"]) == 0
    np.testing.assert_array_equal(read_image("fcc_110-001.tif"), read_image("alone.tif"))
    assert Path("fcc_110-002_truth.csv").is_file()


def test_settings_come_from_a_file_and_the_command_changes_them() -> None:
    Path("cell").mkdir()
    Path("cell/POSCAR").write_text(CUBE)
    Path("cell/series.toml").write_text(
        'what = "POSCAR"\nsize = 64\nfield = "2 nm"\nn_images = 2\n'
        "[sample]\nrotation = 30.0\nedges = { vacuum = 0.4 }\n[microscope]\nelectrons = 20\n"
    )
    command = ["simulate", "cell/series.toml", "--out", "s.nc", "--no-pictures"]
    assert main([*command, "--n", "1", "--set", "sample.edges.vacuum=.2"]) == 0
    truth = read_sites("s_truth.csv")
    assert "at_edge" in truth
    strontium = positions(truth)[truth["class"].values == "Sr"]
    step = strontium[:, None] - strontium[None]
    near = step[np.abs(np.hypot(*step.transpose(2, 0, 1)) - 0.39) < 0.02]
    angles = np.degrees(np.arctan2(near[:, 0], near[:, 1])) % 90
    assert np.median(angles) == pytest.approx(30, abs=1.5)


def test_graphene_has_defects_of_its_own() -> None:
    command = ["simulate", "graphene", "--size", "64", "--field", "3 nm", "--no-pictures"]
    assert main([*command, "--set", "flake.threefold=0.01"]) == 0
    assert "Si-C3" in read_sites("graphene_truth.csv")["class"].values


def test_a_film_comes_with_its_cells_and_its_domains_as_drawn(capsys: Captured) -> None:
    command = ["simulate", "film", "--size", "96", "--field", "3 nm", "--set", "film.steps=0"]
    assert main([*command, "--seed", "3"]) == 0
    assert "classes of pixels in film_drawn.tif" in capsys.readouterr().out
    image, drawn = read_image("film.tif"), read_image("film_drawn.tif")
    cells = read_sites("film_cells.csv")
    assert image.shape == drawn.shape == (96, 96)
    assert set(read_sites("film_truth.csv")["class"].values) == {"Bi", "FeO", "Sr", "TiO"}
    assert set(cells["class"].values) == {"FeO", "TiO"}
    # The map tells the domain of all cells but those within the error of a hand from a border.
    at = drawn.sel(y=cells.y, x=cells.x, method="nearest")
    inside = np.abs(cells["wall_distance"].values) > 0.6
    inside &= np.abs(cells.y.values - 2.25) > 0.6
    assert inside.sum() > 10
    np.testing.assert_array_equal(at.values[inside], cells["domain"].values[inside])
    assert Path("film_drawn.png").stat().st_size > 1000


def test_an_oxide_comes_with_the_phase_of_every_pixel() -> None:
    command = ["simulate", "oxide", "--size", "96", "--field", "4 nm", "--out", "o.nc"]
    assert main([*command, "--set", "oxide.waviness=0 nm", "--no-pictures"]) == 0
    regions, truth = read_image("o_regions.nc"), read_sites("o_truth.csv")
    np.testing.assert_array_equal(
        regions.sel(y=truth.y, x=truth.x, method="nearest"), truth["phase"]
    )
    assert set(truth["phase"].values) == {0, 1}
    assert not Path("o_regions.png").exists()


@pytest.mark.parametrize(("what", "step"), [("film", simulate_film), ("oxide", simulate_oxide)])
def test_the_command_and_the_step_make_the_same_image(
    what: str, step: Callable[..., FilmSimulation | OxideSimulation]
) -> None:
    assert main(["simulate", what, *SMALL, "--seed", "4", "--no-pictures", "--out", "w.nc"]) == 0
    made = step(size=64, field="2 nm", seed=4)
    np.testing.assert_array_equal(read_image("w.nc"), made.image)


def test_all_lattices_are_listed(capsys: Captured) -> None:
    assert main(["simulate", "list"]) == 0
    assert {"graphene", "film", "oxide", "tmd", "tungsten_bronze"} <= set(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tmdd"], "'tmdd' is no lattice, and there is no such file: did you mean `tmd`?"),
        (["square"], "square of no material has no known distance"),
        (["tmd", "--size", "many"], "size='many' is text, need a whole number"),
        (["tmd", "--n", "0"], "n_images=0 must be a whole number, 1 or more"),
        (["tmd", "--set", "sample.strian.xx=1"], "sample has no setting `strian`: did you mean"),
        (["tmd", "--set", "sizes=3"], "has no setting `sizes`: did you mean `size`?"),
        (["tmd", "--set", "size"], "write key=value"),
        (["tmd", "--set", "what.is=3"], "'what' is a value, not a table"),
        (["oxide", "--contamination", "0.1"], "`contamination`, which --contamination would"),
        (["film", "--spacing", "0.3 nm"], "`sample`, which --spacing and --vacancies would change"),
        (["none.toml"], "cannot read none.toml"),
        (["tmd", *SMALL, "--out", "no/such.tif"], "there is no folder"),
        (["tmd", *SMALL, "--out", "tmd.png"], "no Image is written to .png"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    arguments: list[str], message: str, capsys: Captured
) -> None:
    assert main(["simulate", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_nothing_is_overwritten_unless_told(capsys: Captured) -> None:
    command = ["simulate", "tmd", *SMALL, "--no-pictures"]
    assert main(command) == 0
    assert main(command) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0


def test_a_movie_of_moving_defects_comes_with_all_that_happens(capsys: Captured) -> None:
    command = ["simulate", "movie", "--size", "96", "--field", "3.2 nm", "--frames", "5"]
    assert main([*command, "--set", "sheet.kinetics.n_defects=4", "--out", "ws2.zarr"]) == 0
    assert "20 sites in ws2_truth.csv, " in capsys.readouterr().out
    movie, truth = read_movie("ws2.zarr"), read_sites("ws2_truth.csv")
    assert movie.shape == (5, 96, 96)
    assert movie["time"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert sorted(set(truth["track"].values.tolist())) == [0, 1, 2, 3]
    assert read_table("ws2_frames.csv")["lost"].values.tolist() == [False] * 5
    assert {"hop", "change"} <= set(read_table("ws2_rates.csv")["event"].values.tolist())
    assert read_table("ws2_events.csv").sizes["row"] >= 4
    assert Path("ws2.png").stat().st_size > 1000
    assert Path("ws2_truth.png").stat().st_size > 1000


def test_an_image_has_no_frames(capsys: Captured) -> None:
    assert main(["simulate", "tmd", *SMALL, "--frames", "5"]) == 2
    assert "has no setting `n_frames`, which --frames would change" in capsys.readouterr().err
