"""Commands: what they print, write and give as exit code."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adatom.cli import COMMANDS, main
from adatom.recipes import check_recipe, list_recipes, read_recipe

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def inside_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands write where tests may."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)


def test_help_lists_every_command(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert all(f"    {name} " in told for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: adatom {command}" in capsys.readouterr().out


def test_no_command_and_unknown_commands_are_wrong(capsys: Captured) -> None:
    assert main([]) == 2
    with pytest.raises(SystemExit) as ended:
        main(["rum"])
    assert ended.value.code == 2
    assert "rum" in capsys.readouterr().err


def test_python_m_adatom_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "adatom", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("adatom ")


def test_a_recipe_is_checked(recipe: Path, capsys: Captured) -> None:
    assert main(["check", str(recipe)]) == 0
    assert capsys.readouterr().out == "Windows: 1 step fits together; open inputs: image\n"
    misspelt = recipe.read_text().replace("size", "sise")
    recipe.write_text(misspelt)
    assert main(["check", str(recipe)]) == 1
    told = capsys.readouterr().out
    assert "line 6, [windows]: descriptors.window_spectra has no setting `sise`: did you" in told
    recipe.write_text(misspelt.replace("window_spectra", "window_patches"))
    assert main(["check", str(recipe)]) == 1
    told = capsys.readouterr().out
    assert "[windows]: descriptors.window_patches needs the setting `size`" in told


def test_a_run_tells_what_it_did_and_where_it_is(
    recipe: Path, image: Path, capsys: Captured
) -> None:
    assert main(["run", str(recipe), str(image), "--out", "out", "--no-report"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "results: out\n"
    told = printed.err.splitlines()
    assert told[:2] == ["image: done", "windows: done"]
    assert told[2].startswith("[1/1] image_1-")
    assert ": 2 computed, 0 from the store, " in told[2]
    assert main(["run", str(recipe), str(image), "--out", "out", "--no-report"]) == 0
    assert "windows: from the store" in capsys.readouterr().err


def test_settings_are_changed_for_a_run(recipe: Path, image: Path, capsys: Captured) -> None:
    command = ["run", str(recipe), str(image), "--out", "out", "--no-report"]
    assert main([*command, "--set", "windows.size=6 px", "--set", "image.pixel_size=1 nm"]) == 0
    kept = Path("out/recipe.toml").read_text()
    assert 'size = "6 px"  # edge' in kept
    assert 'image = { do = "io.read_image", pixel_size = "1 nm" }' in kept
    capsys.readouterr()
    for change, message in (
        ("windows.size", "write step.setting=value"),
        ("window.size=6 px", "the recipe has no [window], it has image, windows"),
        ("windows.sise=6 px", "has no setting `sise`: did you mean `size`?"),
        ("windows.size=6 eV", "has no unit of length"),
    ):
        assert main([*command, "--set", change]) == 2
        assert message in capsys.readouterr().err


def test_failures_are_listed_at_the_end_with_exit_code_one(
    recipe: Path, image: Path, tmp_path: Path, capsys: Captured
) -> None:
    broken = tmp_path / "broken.npy"
    broken.write_bytes(b"nothing")
    files = [str(broken), str(image)]
    assert main(["run", str(recipe), *files, "--out", "out", "--no-report", "--jobs", "1"]) == 1
    told = capsys.readouterr().err.splitlines()
    end = told.index("1 of 2 failed:")
    assert told[end + 1].startswith("  broken-")
    assert "broken.npy" in told[end + 1]
    trace = Path(told[end + 2].removeprefix("    traceback in "))
    assert "Traceback" in trace.read_text()


def test_patterns_are_filled_in_where_the_shell_did_not(
    recipe: Path, image: Path, capsys: Captured
) -> None:
    np.save(image.with_name("image 10.npy"), np.zeros((16, 16)))
    np.save(image.with_name("image 2.npy"), np.ones((16, 16)))
    pattern = str(image.with_name("image *.npy"))
    command = ["run", str(recipe), "--input", f"image={pattern}", "--out", "out", "--no-report"]
    assert main([*command, "--jobs", "1"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
    assert [line.split()[1].split("-")[0] for line in told] == ["image_1", "image_2", "image_10"]
    assert main(["run", str(recipe), "nothing*.npy", "--out", "out"]) == 2
    assert "no file matches 'nothing*.npy'" in capsys.readouterr().err


def test_a_missing_recipe_is_one_clear_line(image: Path, capsys: Captured) -> None:
    assert main(["run", "find_atom", str(image)]) == 2
    assert capsys.readouterr().err == (
        "adatom run: find_atom is neither a file nor a shipped recipe: did you mean `find_atoms`?\n"
    )


def test_a_run_is_repeated(recipe: Path, image: Path, capsys: Captured) -> None:
    assert main(["run", str(recipe), str(image), "--out", "out", "--no-report"]) == 0
    capsys.readouterr()
    assert main(["rerun", "out"]) == 0
    assert capsys.readouterr().out == "identical: all 2 results\n"
    np.save(image, np.zeros((16, 16), np.float32))
    assert main(["rerun", "out"]) == 1
    told = capsys.readouterr().out
    assert "changed input: " in told
    assert "different: " in told
    assert "not identical: out" in told
    assert main(["rerun", str(image.parent)]) == 2


def test_files_and_runs_are_shown(recipe: Path, image: Path, capsys: Captured) -> None:
    assert main(["show", str(image)]) == 0
    told = capsys.readouterr().out
    assert "NumPy array" in told
    assert "16 x 16" in told
    assert main(["run", str(recipe), str(image), "--out", "out", "--no-report"]) == 0
    capsys.readouterr()
    assert main(["show", "out"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Windows (finished, started ")
    assert "image    Image y 16, x 16  (io.read_image, " in told
    assert "windows  Features y " in told
    assert main(["show", "nothing.npy"]) == 2
    assert "nothing.npy" in capsys.readouterr().err


def test_a_starter_recipe_is_written_once(image: Path, capsys: Captured) -> None:
    assert main(["init", str(image)]) == 0
    assert capsys.readouterr().out == (
        f"image 1.toml is written. Read it, then:\n  adatom run 'image 1.toml' '{image}'\n"
    )
    check_recipe(read_recipe("image 1.toml"))
    assert main(["init", str(image)]) == 2
    assert "exists already: choose another name with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scan", "reader"), [((4, 5), "io.read_spectral_map"), ((40,), "io.read_spectra")]
)
def test_a_starter_recipe_for_spectra_runs(
    tmp_path: Path, capsys: Captured, scan: tuple[int, ...], reader: str
) -> None:
    rng = np.random.default_rng(0)
    spectra = rng.normal(size=(*scan, 12))
    spectra[..., : scan[-1] // 2, 3] += 30.0
    axes = [{"name": name, "unit": "nm"} for name in ("y", "x")[-len(scan) :]]
    axes.append({"name": "energy", "unit": "eV"})
    np.save(tmp_path / "scan.npy", spectra)
    (tmp_path / "scan.npy.json").write_text(json.dumps({"axes": axes}))
    assert main(["init", str(tmp_path / "scan.npy")]) == 0
    assert f'do = "{reader}"' in Path("scan.toml").read_text()
    capsys.readouterr()
    assert main(["run", "scan.toml", str(tmp_path / "scan.npy"), "--out", "out"]) == 0
    assert "report.html" in capsys.readouterr().out


def test_formats_and_recipes_are_listed(capsys: Captured) -> None:
    assert main(["formats"]) == 0
    told = capsys.readouterr().out
    assert ".dm3" in told
    assert "RosettaSciIO" in told
    assert main(["recipes"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in list_recipes())
    assert main(["recipes", "graphene_si"]) == 0
    assert "localization.find_atoms" in capsys.readouterr().out


class Terminal(io.StringIO):
    """An error channel that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar(recipe: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["run", str(recipe), str(image), "--out", "out", "--no-report"]) == 0
    assert "2/2" in terminal.getvalue()
    assert "windows" in terminal.getvalue()


def test_show_tells_axes_units_facts_and_draws_the_file(tmp_path: Path, capsys: Captured) -> None:
    bright_corner = np.zeros((40, 40), np.float32)
    bright_corner[:20, :20] = 9.0
    np.save(tmp_path / "corner.npy", bright_corner)
    (tmp_path / "corner.npy.json").write_text('{"pixel_size": "0.5 nm", "title": "corner"}')
    picture = tmp_path / "corner.png"
    assert main(["show", str(tmp_path / "corner.npy"), "--picture", str(picture)]) == 0
    told = capsys.readouterr().out
    assert "corner  image  40 x 40  float32" in told
    assert "  Image y 40, x 40\n  y: 0 to 19.5 nm (40)\n" in told
    assert "  title: corner\n" in told
    assert "  note: the scale was taken from corner.npy.json" in told
    drawn = [line.strip()[1:-1] for line in told.splitlines() if line.startswith("  |")]
    assert set(drawn[0]) == {"@", " "}
    assert drawn[0].startswith("@")
    assert set(drawn[-1]) == {" "}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_show_of_colors_and_complex_numbers_shows_how_bright_they_are(
    tmp_path: Path, capsys: Captured
) -> None:
    colors = np.zeros((20, 20, 3), np.uint8)
    colors[:10, :, 1] = 200
    Image.fromarray(colors).save(tmp_path / "green.png")
    np.save(tmp_path / "waves.npy", np.full((20, 20), 3 + 4j))
    np.savez(tmp_path / "both.npz", left=np.full((20, 20), 3 + 4j), right=np.eye(20))
    assert main(["show", str(tmp_path / "green.png")]) == 0
    assert "note: the luminance was computed from a color picture" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "waves.npy")]) == 0
    assert "Image y 20, x 20" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "both.npz"), "--dataset", "left"]) == 0
    assert "Image y 20, x 20" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "both.npz"), "--dataset", "7"]) == 2


def test_show_of_several_datasets_shows_the_first_or_the_one_asked_for(
    tmp_path: Path, capsys: Captured
) -> None:
    np.savez(tmp_path / "two.npz", left=np.eye(30), right=np.eye(20))
    assert main(["show", str(tmp_path / "two.npz")]) == 0
    assert "the first of several (--dataset shows another)" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "two.npz"), "--dataset", "right"]) == 0
    assert "Image y 20, x 20" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "two.npz"), "--dataset", "middle"]) == 2
    assert "holds no dataset='middle'" in capsys.readouterr().err
