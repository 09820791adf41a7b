"""adatom train: runs, resumes and leaves a network in files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adatom.cli import main
from adatom.cli.train import recipe_from_network
from adatom.errors import RecipeError
from adatom.networks import Architecture, TrainedNetwork, Trainer
from adatom.numerics.exported_network import ExportedNetwork
from adatom.recipes.recipe import parse_recipe

pytest.importorskip("torch", reason="networks need torch: pip install 'adatom[train]'")

pytestmark = pytest.mark.network

_RECIPE = """
title = "A tiny finder"
seed = 1

[network]
do = "pipelines.train_finder()"
images = { size = 64 }
architecture = { width = 4 }
pictures = { crop = 32, n_judged = 2 }

[network.training]
n_steps = 6
batch_size = 2
n_steps_per_score = 2
n_threads = 1
precision = "float32"

[curve]
do = "networks.table_from_training(network)"

[example]
do = "simulation.simulate_training_image()"
images = { size = 64, empty = 0.0 }

[comparison]
do = "pipelines.compare_finder(example.image, example.sites, network)"

[exported]
do = "networks.export_network(network)"
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the recipe of a training that takes a second."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(_RECIPE, encoding="utf-8")
    return path


def test_a_training_leaves_weights_an_exported_network_and_a_report(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(recipe), "--out", "run"]) == 0
    told = capsys.readouterr()
    results = Path("run/results")
    network = TrainedNetwork.load(results / "network.safetensors")
    exported = ExportedNetwork.load(results / "exported.onnx")
    assert network.card.n_steps == 6
    assert exported.card.scores["f1"] == network.card.scores["f1"]
    assert (results / "pictures" / "curve.png").is_file()
    assert (results / "pictures" / "comparison-comparison.png").is_file()
    assert (results / "report.html").is_file()
    assert "network: run/results/network.safetensors" in told.out
    assert "6 of 6, 0 s left" in told.err
    # What it needed to go on is removed.
    assert not Path("run/store/unfinished").exists()
    # The same command again has nothing to train.
    assert main(["train", str(recipe), "--out", "run"]) == 0
    assert "0 computed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_and_gives_the_same_network(recipe: Path) -> None:
    long = ["--set", "network.training.n_steps=30", "--no-report"]
    command = [sys.executable, "-m", "adatom", "train", str(recipe), "--out", "run", *long]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        unfinished = Path("run/store/unfinished")
        while child.poll() is None and not list(unfinished.glob("*/checkpoint.safetensors")):
            pass
        child.kill()
    assert list(unfinished.glob("*/checkpoint.safetensors"))
    assert main(["train", str(recipe), "--out", "run", *long]) == 0
    assert main(["train", str(recipe), "--out", "other", *long]) == 0
    one, other = (Path(run) / "results/network.safetensors" for run in ("run", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_a_training_may_start_from_a_file_of_weights(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = Trainer(Architecture(width=4), seed=9).untrained()
    start.save(tmp_path / "mine.safetensors")
    command = ["train", str(recipe), "--from", "mine.safetensors", "--out", "run", "--no-report"]
    assert main(command) == 0
    place = next(Path("run").glob("mine-*/network.safetensors"))
    assert TrainedNetwork.load(place).card.started_from == start.card.sha256
    assert f"network: {place}" in capsys.readouterr().out
    # What it started from was there already, and is not told as a result.
    assert not place.with_name("start.safetensors").exists()


def test_a_training_that_is_stopped_says_how_to_go_on(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adatom.recipes.runs.run_recipe", stop)
    assert main(["train", str(recipe)]) == 130
    assert "the same command again goes on where the training was" in capsys.readouterr().err


def test_weights_that_do_not_come_with_adatom_are_told(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(recipe), "--from", "galactic"]) == 2
    assert "galactic is neither a file nor the name of shipped weights" in capsys.readouterr().err


def test_a_recipe_that_trains_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "find_atoms"]) == 2
    assert "trains nothing: adatom run find_atoms" in capsys.readouterr().err


def test_an_input_for_the_weights_is_put_beside_others_or_first() -> None:
    alone, name = recipe_from_network(parse_recipe(_RECIPE))
    assert name == "start"
    assert [call.name for call in alone.inputs] == ["start"]
    assert alone.steps[0].data == ("start",)
    with_image = _RECIPE.replace("[network]", '[inputs]\nimage = "io.read_image"\n\n[network]', 1)
    both, _ = recipe_from_network(parse_recipe(with_image))
    assert [call.name for call in both.inputs] == ["start", "image"]


def test_weights_go_to_the_input_that_a_recipe_has_for_them() -> None:
    own = _RECIPE.replace("[network]", '[inputs]\nmine = "networks.read_network"\n\n[network]', 1)
    recipe = parse_recipe(own)
    assert recipe_from_network(recipe) == (recipe, "mine")
    several = own.replace("[inputs]", '[inputs]\nother = "networks.read_network"', 1)
    with pytest.raises(RecipeError, match=r"reads several networks \(other, mine\)"):
        recipe_from_network(parse_recipe(several))


def test_weights_that_are_given_twice_are_told(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(recipe)
    command = ["train", str(recipe), "--from", weights, "--input", f"start={weights}"]
    assert main(command) == 2
    assert "weights are given twice" in capsys.readouterr().err


def test_the_shipped_recipe_fits_together() -> None:
    assert main(["check", "train_finder"]) == 0


def test_training_is_not_loaded_by_the_command_line() -> None:
    code = (
        "import sys; from adatom.cli import main; main(['recipes']); print('torch' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert told.stdout.endswith("False\n")
