"""Runs killed at random moments resume, and end as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from adatom.recipes import open_run, read_recipe, run_recipe
from adatom.recipes.cache import ResultStore

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

# Pauses stretch the steps, so that kills fall into them as well as between.
TEXT = """\
[inputs]
image = "io.read_image"
[bright]
do = "trial.brighten(image)"
pause = 0.02
[sites]
do = "trial.bright_pixels(bright)"
[found]
do = "trial.measure(sites)"
pause = 0.02
[again]
do = "trial.measure(found.sites)"
[sums]
do = "trial.sum_up(found.table)"
collect = true
"""
N_RESULTS = 5 * 5 + 1
PATIENCE = 120.0


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    return path


def start(recipe: Path, images: Sequence[Path], out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "adatom", "run", recipe, *images, "--out", out, *options]
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def n_stored(out: Path) -> int:
    return len(list((out / "store").glob("??/*/manifest.json")))


def kill_at_random(
    process: subprocess.Popen[str], out: Path, moment: random.Random, *, everyone: bool
) -> bool:
    """Kill a run some results later, and tell whether it was still running."""
    wanted = n_stored(out) + moment.randint(0, 1)
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and n_stored(out) < wanted and time.monotonic() < deadline:
        time.sleep(0.002)
    # With nothing to wait for, kill it anywhere in its start as well.
    time.sleep(moment.uniform(0, 0.08) if wanted else moment.uniform(0, 2))
    is_running = process.poll() is None
    if everyone and is_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    wait_for_workers(process.pid)
    return is_running


def wait_for_workers(group: int) -> None:
    """Wait until no process of a group is left; workers end with their parent."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("processes of a killed run live on")


def assert_store_is_whole(out: Path) -> None:
    # A damaged result would warn, and warnings are errors here.
    store = ResultStore(out / "store")
    for manifest in (out / "store").glob("??/*"):
        stored = store.find(manifest.name)
        assert stored is not None
        stored.load()


def contents(out: Path) -> dict[tuple[str, str], object]:
    """Give the hashes of the files of every result, by item and name."""
    found: dict[tuple[str, str], object] = {}
    for path in out.glob("*/results.json"):
        for name, result in json.loads(path.read_text())["results"].items():
            key = result["key"]
            manifest = (out / "store" / key[:2] / key / "manifest.json").read_text()
            found[path.parent.name, name] = json.loads(manifest)["files"]
    return found


def series(n_kills: int, recipe: Path, images: Sequence[Path], out: Path, *options: str) -> None:
    moment, killed = random.Random(), 0  # noqa: S311 -- moments, no secrets
    while killed < n_kills:
        process = start(recipe, images, out, *options)
        if kill_at_random(process, out, moment, everyone=killed % 2 == 0):
            killed += 1
        else:
            shutil.rmtree(out)
        assert_store_is_whole(out)
    process = start(recipe, images, out, *options)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told


def assert_as_undisturbed(recipe: Path, images: Sequence[Path], out: Path, calm: Path) -> None:
    summary = run_recipe(read_recipe(recipe), images, out=calm, reports=False, n_processes=1)
    assert summary.is_good
    assert len(contents(calm)) == N_RESULTS
    assert contents(out) == contents(calm)
    assert list(open_run(out).items) == [outcome.name for outcome in summary.outcomes]
    assert list((out / "store" / "drafts").iterdir()) == []


def test_a_run_killed_three_times_ends_as_an_undisturbed_one(
    recipe: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    series(3, recipe, images, out, "--no-report", "--jobs", "1")
    assert_as_undisturbed(recipe, images, out, tmp_path / "calm")


def test_two_runs_into_one_folder_at_once_do_not_disturb_one_another(
    recipe: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    both = [start(recipe, images, out, "--no-report", "--jobs", "1") for _ in range(2)]
    told = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert_as_undisturbed(recipe, images, out, tmp_path / "calm")


@pytest.mark.slow
def test_a_run_killed_twenty_times_ends_as_an_undisturbed_one(
    recipe: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    series(20, recipe, images, out, "--no-report", "--jobs", "2")
    assert_as_undisturbed(recipe, images, out, tmp_path / "calm")


@pytest.mark.slow
def test_a_run_killed_while_it_writes_reports_ends_with_all_of_them(
    recipe: Path, images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    moment = random.Random()  # noqa: S311 -- no secrets
    for _ in range(5):
        process = start(recipe, images, out, "--jobs", "2")
        deadline = time.monotonic() + moment.uniform(2, 12)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        wait_for_workers(process.pid)
    process = start(recipe, images, out, "--jobs", "2")
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert len(list(out.glob("image_*/report.html"))) == 5
    for report in out.glob("image_*/report.html"):
        assert report.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert_as_undisturbed(recipe, images, out, tmp_path / "calm")
