"""Runs: one folder an item, resumed, recomputed only where something changed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from adatom.errors import RecipeError, SettingError, StoreError
from adatom.recipes import open_run, parse_recipe, repeat_run, run_recipe
from adatom.recipes.runs import RunSummary
from adatom.schema import table_from_columns

RECIPE = parse_recipe(
    """
title = "Trial"
[inputs]
image = "io.read_image"
[bright]
do = "trial.brighten(image)"
factor = 2.0
[sites]
do = "trial.bright_pixels(bright)"
above = 1.0
[found]
do = "trial.measure(sites)"
[number]
do = "trial.count(found.n_bright)"
seed = 5
""",
    name="trial",
)


def run(paths: list[Path], out: Path, **settings: object) -> RunSummary:
    options = {"n_processes": 1, "reports": False, **settings}
    return run_recipe(RECIPE, paths, out=out, **options)  # type: ignore[arg-type]


def computed(log: Path) -> list[str]:
    """Give what was computed since the last look."""
    names = log.read_text().split()
    log.write_text("")
    return names


def test_results_are_those_of_the_functions(images: list[Path], tmp_path: Path) -> None:
    run(images[:1], tmp_path / "run")
    opened = open_run(tmp_path / "run")
    values = np.load(images[0])
    assert np.array_equal(opened["image"].values, values)
    assert np.array_equal(opened["bright"].values, values * 2)
    n_bright = int((values * 2 > 1).sum())
    assert opened["found.sites"].sizes["site"] == n_bright
    assert opened["found.n_bright"] == n_bright
    assert opened["number"] == n_bright + 5
    assert type(opened["found"]).__name__ == "Measured"


def test_every_item_has_a_folder_named_by_file_and_content(
    images: list[Path], tmp_path: Path
) -> None:
    summary = run(images[:2], tmp_path / "run")
    digest = open_run(tmp_path / "run").record["items"][0]["inputs"]["image"]["sha256"]
    assert summary.outcomes[0].name == f"image_0-{digest[:8]}"
    folder = tmp_path / "run" / summary.outcomes[0].name
    results = json.loads((folder / "results.json").read_text())["results"]
    assert list(results) == ["image", "bright", "sites", "found", "number"]


def test_nothing_is_computed_twice(images: list[Path], tmp_path: Path, log: Path) -> None:
    first = run(images, tmp_path / "run")
    assert len(computed(log)) == 4 * 5
    second = run(images, tmp_path / "run")
    assert computed(log) == []
    assert [outcome.keys for outcome in first.outcomes] == [o.keys for o in second.outcomes]
    assert {outcome.n_reused for outcome in second.outcomes} == {5}


def test_a_changed_setting_recomputes_what_depends_on_it(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    run(images[:1], tmp_path / "run")
    computed(log)
    run(images[:1], tmp_path / "run", changes={"sites.above": "1.5"})
    assert computed(log) == ["bright_pixels", "measure", "count"]
    run(images[:1], tmp_path / "run", changes={"number.seed": "6"})
    assert computed(log) == ["count"]
    run(images[:1], tmp_path / "run", changes={"sites.above": "1.5"})
    assert computed(log) == []
    assert "above = 1.5" in (tmp_path / "run" / "recipe.toml").read_text()


def test_a_step_whose_result_did_not_change_does_not_hide_the_change(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    # The default written out is the same setting, not another one.
    run(images[:1], tmp_path / "run")
    computed(log)
    run(images[:1], tmp_path / "run", changes={"bright.mode": "linear", "bright.pause": "0"})
    assert computed(log) == []


def test_a_changed_file_is_computed_anew_into_a_folder_of_its_own(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    run(images[:1], tmp_path / "run")
    computed(log)
    np.save(images[0], np.load(images[0])[::-1])
    run(images[:1], tmp_path / "run")
    assert len(computed(log)) == 4
    assert len(list((tmp_path / "run").glob("image_0-*"))) == 2


def test_a_changed_calibration_beside_a_file_counts_as_a_change(
    images: list[Path], tmp_path: Path
) -> None:
    first = run(images[:1], tmp_path / "run")
    images[0].with_suffix(".json").write_text('{"pixel_size": "0.1 nm"}')
    second = run(images[:1], tmp_path / "run")
    assert first.outcomes[0].keys["image"] != second.outcomes[0].keys["image"]
    assert open_run(tmp_path / "run")["image"].x.units == "nm"


def test_a_failing_file_does_not_stop_the_others(images: list[Path], tmp_path: Path) -> None:
    recipe = parse_recipe(
        '[inputs]\nimage = "io.read_image"\n[dim]\ndo = "trial.refuse(image)"\nabove = 3.5\n'
    )
    images[1].write_bytes(b"no image")
    missing = tmp_path / "missing.npy"
    out = tmp_path / "run"
    summary = run_recipe(recipe, [*images, missing], out=out, reports=False, n_processes=1)
    assert [bool(outcome.error) for outcome in summary.outcomes] == [
        False, True, False, True, True, True,
    ]  # fmt: skip
    assert not summary.is_good
    errors = [outcome.error for outcome in summary.failures]
    assert errors[0].startswith("[image] io.read_image: ")
    assert "image_1.npy" in errors[0]
    assert errors[1] == "[dim] trial.refuse: the image reaches 4.0, above=3.5"
    assert errors[3] == f"{missing} cannot be read: there is no such file"
    trace = (out / summary.failures[1].name / "error.txt").read_text()
    assert "Traceback" in trace
    assert "adatom_trial_steps.py" in trace


def test_an_unforeseen_error_is_named_by_its_type(images: list[Path], tmp_path: Path) -> None:
    recipe = parse_recipe(
        '[inputs]\nimage = "io.read_image"\n[a]\ndo = "trial.brighten(image, other)"\n'
        '[b]\ndo = "trial.draw()"\n[other]\ndo = "trial.pixels(image)"\n'.replace(", other", "")
        + '[bad]\ndo = "trial.draw()"\nsize = -1\n'
    )
    summary = run_recipe(recipe, images[:1], out=tmp_path / "run", reports=False)
    assert summary.outcomes[0].error == (
        "[bad] trial.draw: ValueError: negative dimensions are not allowed"
    )


def test_a_failed_item_goes_on_where_it_failed(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    text = """
[inputs]
image = "io.read_image"
[bright]
do = "trial.brighten(image)"
[dim]
do = "trial.refuse(bright)"
above = 1.0
"""
    out = tmp_path / "run"
    first = run_recipe(parse_recipe(text), images[:1], out=out, reports=False)
    assert first.failures
    computed(log)
    changes = {"dim.above": "100"}
    second = run_recipe(parse_recipe(text), images[:1], out=out, changes=changes, reports=False)
    assert second.is_good
    assert computed(log) == ["refuse"]
    assert not (out / second.outcomes[0].name / "error.txt").exists()


def test_files_in_parallel_give_the_same_as_one_after_the_other(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_trial_steps(monkeypatch)
    one = run(images, tmp_path / "one")
    many = run(images, tmp_path / "many", n_processes=2)
    assert many.is_good
    assert [outcome.keys for outcome in one.outcomes] == [o.keys for o in many.outcomes]
    assert stored(tmp_path / "one") == stored(tmp_path / "many")


def with_trial_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes started from here find the trial steps."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(part for part in sys.path if part))


def test_a_finished_run_starts_no_processes(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(images, tmp_path / "run")
    monkeypatch.setattr("adatom.recipes.runs.run_jobs", None)
    again = run(images, tmp_path / "run", n_processes=2)
    assert {outcome.n_reused for outcome in again.outcomes} == {5}


def stored(run_folder: Path) -> dict[str, object]:
    """Give the hashes of all stored files by key."""
    manifests = (run_folder / "store").glob("??/*/manifest.json")
    return {path.parent.name: json.loads(path.read_text())["files"] for path in manifests}


def test_a_process_that_dies_fails_its_own_file_only(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_trial_steps(monkeypatch)
    recipe = parse_recipe(
        '[inputs]\nimage = "io.read_image"\n[a]\ndo = "trial.crash(image)"\nabove = 4.5\n'
    )
    order = [images[4], *images[:2]]
    summary = run_recipe(recipe, order, out=tmp_path / "run", n_processes=2, reports=False)
    assert [bool(outcome.error) for outcome in summary.outcomes] == [True, False, False]
    assert summary.failures[0].error == (
        "its process was ended by the system, most likely for want of memory"
    )


def test_collecting_steps_run_once_after_all_files_in_their_order(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    collecting = parse_recipe(
        RECIPE.text
        + '[sums]\ndo = "trial.sum_up(found.table)"\ncollect = true\n'
        + '[more]\ndo = "trial.sum_up(found.table, sums)"\ncollect = true\n'
    )
    out = tmp_path / "run"
    order = [images[3], images[0]]
    run_recipe(collecting, order, out=out, n_processes=1, reports=False)
    assert computed(log).count("sum_up") == 2
    expected = []
    for path in order:
        bright = np.load(path) * np.float32(2)
        expected.append(float(bright[bright > 1].astype(float).sum()))
    opened = open_run(out)
    assert opened["sums"]["sum"].values == pytest.approx(expected, rel=1e-12)
    assert opened.collected is not None
    assert list(opened.collected) == ["sums", "more"]
    run_recipe(collecting, order, out=out, n_processes=1, reports=False)
    assert computed(log) == []


def test_what_failed_is_left_out_of_what_is_collected(images: list[Path], tmp_path: Path) -> None:
    collecting = parse_recipe(
        RECIPE.text + '[sums]\ndo = "trial.sum_up(found.table)"\ncollect = true\n'
    )
    images[0].write_bytes(b"")
    summary = run_recipe(collecting, images[:3], out=tmp_path / "run", n_processes=1, reports=False)
    assert len(summary.failures) == 1
    assert open_run(tmp_path / "run")["sums"].sizes["row"] == 2


def test_reports_of_what_is_collected_name_the_files(tmp_path: Path) -> None:
    recipe = parse_recipe(
        '[inputs]\nimage = "io.read_image"\n'
        '[quantiles]\ndo = "descriptors.window_quantiles(image)"\n'
        '[all]\ndo = "descriptors.features_from_files(quantiles)"\ncollect = true\n'
        '[found]\ndo = "clustering.cluster_kmeans(all)"\nn_classes = 2\ncollect = true\n'
    )
    rng = np.random.default_rng(0)
    paths = [tmp_path / name for name in ("calm.npy", "torn.npy", "wild.npy", "other/calm.npy")]
    paths[3].parent.mkdir()
    for path, spread in zip(paths, (1, 1, 50, 50), strict=True):
        np.save(path, rng.normal(100, spread, (32, 32)))
    paths[1].write_bytes(b"")
    run_recipe(recipe, paths, out=tmp_path / "run", n_processes=1)
    (members,) = (tmp_path / "run" / "collected" / "tables").glob("found-classes-2.csv")
    rows = [line.split(",") for line in members.read_text().splitlines()]
    assert rows[0][:2] == ["file", "label"]
    names = [row[0] for row in rows[1:]]
    # Two files of one name are told by their folders in the run.
    assert names[1] == "wild.npy"
    assert [name.rpartition("-")[0] for name in (names[0], names[2])] == ["calm", "calm"]
    assert all((tmp_path / "run" / name).is_dir() for name in (names[0], names[2]))
    # The result itself counts files, as those that failed are left out.
    assert open_run(tmp_path / "run")["found.classes"]["file"].values.tolist() == [0, 1, 2]


def test_a_recipe_without_inputs_runs_once(tmp_path: Path) -> None:
    recipe = parse_recipe('[numbers]\ndo = "trial.draw()"\n', name="draw")
    run_recipe(recipe, out=tmp_path / "run", seed=3, reports=False)
    opened = open_run(tmp_path / "run")
    expected = table_from_columns({"value": np.random.default_rng(3).random(4)})
    assert opened["numbers"].identical(expected)
    assert "seed = 3" in (tmp_path / "run" / "recipe.toml").read_text()


def test_several_inputs_are_paired_in_order(images: list[Path], tmp_path: Path) -> None:
    recipe = parse_recipe(
        '[inputs]\nimage = "io.read_image"\ndark = "io.read_image"\n'
        '[sum]\ndo = "trial.brighten(image, dark)"\nfactor = 1.0\n'
    )
    out = tmp_path / "run"
    run_recipe(
        recipe, images[:2], out=out, inputs={"dark": [images[4]]}, reports=False, n_processes=1
    )
    second = list(open_run(out).items.values())[1]
    assert np.array_equal(second["sum"].values, np.load(images[1]) + np.load(images[4]))
    with pytest.raises(RecipeError, match="image has 3, dark has 2"):
        run_recipe(
            recipe, images[:3], out=out, inputs={"dark": images[:2]}, reports=False, n_processes=1
        )
    with pytest.raises(RecipeError, match="no file for the input `dark`"):
        run_recipe(recipe, images[:3], out=out, reports=False, n_processes=1)
    with pytest.raises(RecipeError, match="the recipe has no input `flat`: it has image, dark"):
        run_recipe(
            recipe, images[:3], out=out, inputs={"flat": images}, reports=False, n_processes=1
        )


def test_equal_files_of_equal_names_each_have_a_folder(images: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other" / images[0].name
    other.parent.mkdir()
    shutil.copy(images[0], other)
    summary = run([images[0], other, images[0]], tmp_path / "run")
    names = [outcome.name for outcome in summary.outcomes]
    assert len(names) == 2
    assert names[1] == f"{names[0]}-2"


def test_a_folder_of_something_else_is_not_written_to(images: list[Path]) -> None:
    with pytest.raises(StoreError, match="exists and is not the folder of a run"):
        run(images[:1], images[0].parent)


@pytest.mark.parametrize("own", ["recipe.toml", "store/own.npy"])
def test_a_recipe_or_a_store_of_somebody_else_is_left_alone(
    own: str, images: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    (folder / own).parent.mkdir(parents=True)
    (folder / own).write_text("mine")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="exists and is not the folder of a run"):
        run(images[:1], folder)
    assert (folder / own).read_text() == "mine"


def test_a_run_that_was_killed_before_its_record_goes_on(
    images: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    run(images[:1], out)
    for path in out.iterdir():
        if path.name not in ("store", "recipe.toml"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run(images[:1], out).outcomes[0].n_computed == 0


def test_links_in_a_circle_fail_their_own_item_only(images: list[Path], tmp_path: Path) -> None:
    circle, link = tmp_path / "circle.npy", tmp_path / "link.npy"
    circle.symlink_to(circle)
    link.symlink_to(images[0])
    summary = run([circle, images[0], link], tmp_path / "run")
    assert [bool(outcome.error) for outcome in summary.outcomes] == [True, False, False]


def test_a_copy_under_another_name_is_shown_by_its_own_name(
    images: list[Path], tmp_path: Path
) -> None:
    copy = tmp_path / "copy.npy"
    shutil.copy(images[0], copy)
    run([images[0], copy], tmp_path / "run")
    items = open_run(tmp_path / "run").items.values()
    assert [item["image"].attrs["source"] for item in items] == [images[0].name, "copy.npy"]


def test_a_failing_item_leaves_no_report_of_an_earlier_run(
    images: list[Path], tmp_path: Path
) -> None:
    first = run(images[:1], tmp_path / "run", reports=True)
    assert first.reports
    second = run(images[:1], tmp_path / "run", changes={"image.pixel_size": "-1 nm"}, reports=True)
    assert not second.reports
    folder = tmp_path / "run" / second.outcomes[0].name
    assert [path.name for path in folder.iterdir()] == ["error.txt"]


def test_a_number_of_processes_below_one_is_refused(images: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="n_processes=0 must be 1 or more"):
        run(images[:1], tmp_path / "run", n_processes=0)
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_does_not_fit_writes_nothing(images: list[Path], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean `factor`"):
        run_recipe(RECIPE, images, out=tmp_path / "run", changes={"bright.faktor": "2"})
    assert not (tmp_path / "run").exists()


def test_a_damaged_result_is_made_again_with_a_warning(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    out = tmp_path / "run"
    first = run(images[:1], out)
    computed(log)
    key = first.outcomes[0].keys["sites"]
    next((out / "store" / key[:2] / key).rglob("*.zarr/*/c/0")).write_bytes(b"damage")
    second = run(images[:1], out)
    assert computed(log) == ["bright_pixels"]
    assert "a stored result is damaged and made anew" in " ".join(second.outcomes[0].warnings)
    assert repeat_run(out).is_identical


def test_warnings_are_kept_with_the_result_and_those_of_libraries_marked(
    images: list[Path], tmp_path: Path
) -> None:
    recipe = parse_recipe('[inputs]\nimage = "io.read_image"\n[a]\ndo = "trial.warn(image)"\n')
    expected = (
        "[a] the image is small: crop less",
        "[a] RuntimeWarning: divide by zero",
    )
    for _ in range(2):
        summary = run_recipe(recipe, images[:1], out=tmp_path / "run", reports=False)
        assert summary.outcomes[0].warnings == expected


def test_the_record_of_a_result_lets_another_person_repeat_it(
    images: list[Path], tmp_path: Path
) -> None:
    run(images[:1], tmp_path / "run")
    (item,) = open_run(tmp_path / "run").items.values()
    origin = item.provenance()["results"]["bright"]
    assert origin["step"] == "trial.brighten"
    assert origin["settings"] == {
        "factor": 2.0,
        "mode": "linear",
        "tuning": {"class": "Tuning", "power": 1.0, "width": "1 px"},
        "pause": 0.0,
    }
    assert origin["libraries"]["numpy"] == np.__version__
    assert origin["seconds"] >= 0
    assert origin["peak_memory"] > 1e6
    assert origin["machine"]["n_cpus"] == os.cpu_count()
    assert item.provenance()["inputs"]["image"]["path"] == str(images[0].resolve())


def test_a_run_repeats_identically(images: list[Path], tmp_path: Path, log: Path) -> None:
    images[1].write_bytes(b"no image")
    run(images[:3], tmp_path / "run")
    computed(log)
    found = repeat_run(tmp_path / "run", n_processes=1)
    assert found.is_identical
    assert found.n_results == 10
    # Computed indeed, not looked up.
    assert len(computed(log)) == 8


def test_a_result_that_comes_out_differently_is_told(images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(images[:1], out)
    # The same key with other contents, as a library of another rounding would give.
    recipe = RECIPE.text.replace("factor = 2.0", "factor = 2.5")
    (out / "recipe.toml").write_text(recipe)
    found = repeat_run(out)
    assert not found.is_identical
    assert any("bright" in line and "values of" in line for line in found.differences)
    assert any("number was" in line for line in found.differences)
    assert not any(": image" in line for line in found.differences)


def test_changed_and_vanished_inputs_are_told(images: list[Path], tmp_path: Path) -> None:
    run(images[:3], tmp_path / "run")
    np.save(images[0], np.zeros((4, 4)))
    images[1].unlink()
    found = repeat_run(tmp_path / "run", n_processes=1)
    assert not found.is_identical
    assert found.changed_inputs == (
        f"{images[0]} has changed since (input `image`)",
        f"{images[1]} is gone (input `image`)",
    )


def test_a_run_folder_may_be_moved_with_and_without_its_files(
    images: list[Path], tmp_path: Path, log: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    images[0].parent.rename(here / "images")
    run([here / "images" / "image_0.npy"], here / "run")
    expected = open_run(here / "run")["found.table"]
    (here / "run").rename(tmp_path / "moved")
    assert open_run(tmp_path / "moved")["found.table"].identical(expected)
    assert repeat_run(tmp_path / "moved").is_identical
    (tmp_path / "moved").rename(here / "run")
    here.rename(tmp_path / "there")
    assert repeat_run(tmp_path / "there" / "run").is_identical
    computed(log)
    run([tmp_path / "there" / "images" / "image_0.npy"], tmp_path / "there" / "run")
    assert computed(log) == []


def test_what_fails_again_is_identical_wherever_it_is_repeated(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images[1].write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    near = [path.relative_to(tmp_path) for path in images[:2]]
    run([*near, Path("missing.npy")], tmp_path / "run")
    found = repeat_run("run", n_processes=1)
    assert found.is_identical
    assert found.n_results == 5
    np.save(images[1], np.ones((4, 4)))
    found = repeat_run("run", n_processes=1)
    assert any("was: [image] io.read_image" in line for line in found.differences)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"items": 3}', '{"items": [{}]}'])
def test_a_damaged_record_is_named(content: str, images: list[Path], tmp_path: Path) -> None:
    run(images[:1], tmp_path / "run")
    (tmp_path / "run" / "provenance.json").write_text(content)
    with pytest.raises(StoreError, match=r"provenance\.json is damaged .*: run the recipe again"):
        open_run(tmp_path / "run")


def test_names_that_are_not_there_are_told(images: list[Path], tmp_path: Path) -> None:
    run(images[:2], tmp_path / "run")
    opened = open_run(tmp_path / "run")
    with pytest.raises(RecipeError, match=r"this run has 2 items, take one by run\.items"):
        _ = opened["sites"]
    item = next(iter(opened.items.values()))
    with pytest.raises(RecipeError, match="has no result `site`: did you mean `sites`"):
        _ = item["site"]
    with pytest.raises(RecipeError, match=r"`found` of .* has no field `tables`"):
        _ = item["found.tables"]
    with pytest.raises(StoreError, match="is not the folder of a run"):
        open_run(images[0].parent)


def test_a_failing_report_does_not_cost_the_results(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import adatom.report

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(adatom.report, "write_report", broken, raising=False)
    summary = run(images[:1], tmp_path / "run", reports=True)
    assert not summary.is_good
    assert summary.outcomes[0].report_error == "the report failed: ZeroDivisionError: "
    assert open_run(tmp_path / "run")["number"] > 0
    trace = tmp_path / "run" / summary.outcomes[0].name / "report_error.txt"
    assert "ZeroDivisionError" in trace.read_text()
    calls = []

    def works(record: object, folder: Path) -> Path:
        calls.append(record)
        (folder / "report.html").write_text("report")
        return folder / "report.html"

    monkeypatch.setattr(adatom.report, "write_report", works, raising=False)
    assert run(images[:1], tmp_path / "run", reports=True).is_good
    assert run(images[:1], tmp_path / "run", reports=True).is_good
    assert len(calls) == 1
