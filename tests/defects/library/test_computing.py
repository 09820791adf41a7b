"""Defects of a library are computed, whatever kills the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from simulated_defects import simulated_defects

from adatom.cli import main
from adatom.defects.calculators import Calculator
from adatom.defects.library import (
    DefectQuery,
    Library,
    add_defects,
    open_library,
    read_calculated_structure,
    read_calculation_array,
    read_calculations,
    search_library,
    store_calculation,
)
from adatom.defects.library.computing import Computation, compute_library
from adatom.defects.library.jobs import (
    MOST_STARTS,
    add_jobs,
    claim_job,
    count_jobs,
    fail_job,
    failures,
    finish_job,
    name_of_process,
    release_jobs,
)
from adatom.defects.library.opening import ase_database
from adatom.errors import SettingError

TERSOFF = Computation(Calculator("tersoff"), max_force=2.0)


def test_every_class_is_computed_once_and_kept(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3", "V1", "Si1C3"], seed=1))
    summary = compute_library(library, computation=TERSOFF)
    assert (summary.n_wanted, summary.n_computed, summary.failed) == (2, 2, [])
    found = {len(read_calculated_structure(library, one.id)): one
             for one in read_calculations(library)}  # fmt: skip
    assert sorted(found) == [31, 32]
    silicon = found[32]
    assert silicon.calculator == "tersoff"
    assert silicon.results["theory"] == "potential"
    assert silicon.results["lengths_nm"]["C-Si"][1] == pytest.approx(0.176, abs=2e-3)
    lengths = read_calculation_array(library, silicon, "bond_length")
    np.testing.assert_allclose(lengths, 0.176, atol=3e-3)
    assert np.isfinite([silicon.energy, silicon.formation_energy, silicon.rmsd]).all()
    # Nothing is left to do, and doing it again changes nothing.
    assert compute_library(library, computation=TERSOFF).n_wanted == 0
    assert len(read_calculations(library)) == 2


def test_what_was_computed_is_searched(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3", "V1", "Si1C3"], seed=1))
    compute_library(library, computation=TERSOFF)
    energy = {one.results.get("buckling_nm") is None: one.formation_energy
              for one in read_calculations(library)}[False]  # fmt: skip
    for computed in (
        {"Si-C": (0.17, 0.18)},
        {"formation_energy": (energy - 0.1, energy + 0.1)},
        {"buckling": (0.05, 0.3)},
    ):
        # Also the second one of the class, which was not computed itself.
        found = search_library(library, DefectQuery(computed=computed))
        assert found["name"].values.tolist() == ["Si1C3", "Si1C3"]
    assert search_library(library, DefectQuery(computed={"Si-C": (0.2, 0.3)})).sizes["row"] == 0
    with pytest.raises(SettingError, match=r"computed='mass' is none of energy"):
        search_library(library, DefectQuery(computed={"mass": (0, 1)}))


def test_a_defect_that_cannot_be_computed_does_not_stop_the_others(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3", "V1", "Si2C6"], seed=1))
    # The two silicon atoms need more than the 4 x 4 cells that hold the others.
    small = Computation(Calculator("tersoff"), cell=4, max_steps=1)
    summary = compute_library(library, computation=small)
    assert summary.n_computed == 2
    (number, error), = summary.failed  # fmt: skip
    assert number == 3
    assert "take cell=" in error
    # Only asked for it is tried again.
    assert compute_library(library, computation=small).n_computed == 0
    assert len(compute_library(library, computation=small, retry=True).failed) == 1


def test_a_job_goes_to_one_process_only(library: Library) -> None:
    add_jobs(library, [1, 2], "key")
    first, second = name_of_process(), name_of_process()
    one, other = claim_job(library, "key", first), claim_job(library, "key", second)
    assert one is not None
    assert other is not None
    assert (one.defect_id, other.defect_id) == (1, 2)
    assert claim_job(library, "key", second) is None
    finish_job(library, one, first)
    release_jobs(library, second)
    assert count_jobs(library, "key") == (1, 0, 0)


_CLAIMING = """
import sys, time
from adatom.defects.library import open_library
from adatom.defects.library.jobs import claim_job, name_of_process, signs_of_life
owner = name_of_process()
with open_library(sys.argv[1]) as library, signs_of_life(library, owner):
    print(claim_job(library, "key", owner) is not None, flush=True)
    time.sleep(600)
"""


def test_the_job_of_a_living_process_is_left_and_of_a_killed_one_taken_over(
    library: Library,
) -> None:
    add_jobs(library, [7], "key")
    with subprocess.Popen(
        [sys.executable, "-c", _CLAIMING, library.place],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert claim_job(library, "key", name_of_process()) is None
        other.kill()
        other.wait()
        assert claim_job(library, "key", name_of_process()) is not None


def test_the_name_of_a_process_leads_to_no_other_file(library: Library, tmp_path: Path) -> None:
    add_jobs(library, [7], "key")
    kept = tmp_path / "kept.lock"
    kept.write_bytes(b"")
    owner = f"{name_of_process().split(':')[0]}:1:../..{tmp_path}/kept"
    assert claim_job(library, "key", owner) is not None
    assert claim_job(library, "key", name_of_process()) is None
    assert kept.exists()


def test_the_job_of_a_silent_process_elsewhere_is_taken_over_after_its_lease(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_jobs(library, [7], "key")
    assert claim_job(library, "key", "elsewhere:1:a") is not None
    assert claim_job(library, "key", name_of_process()) is None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1000.0)
    assert claim_job(library, "key", name_of_process()) is not None


def test_the_failure_of_a_job_that_was_taken_over_does_not_count(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1))
    add_jobs(library, [1], "key")
    mine, other = name_of_process(), name_of_process()
    job = claim_job(library, "key", mine)
    assert job is not None
    library.session.execute("UPDATE adatom_jobs SET lease_ends = 0")
    assert claim_job(library, "key", other) == job
    fail_job(library, job, mine, "too late")
    assert failures(library, "key") == []
    fail_job(library, job, other, "in time")
    assert failures(library, "key") == [(1, "in time")]


def test_an_energy_that_is_not_known_is_no_key_of_ase(library: Library) -> None:
    add_defects(library, simulated_defects(["Si1C3"], seed=1))
    number = store_calculation(
        library, 1, calculator="tersoff", settings={}, version="1", formation_energy=float("nan")
    )
    row = ase_database(library.place).get(id=number)
    assert "formation_energy" not in row.key_value_pairs


def test_a_job_over_which_processes_die_is_given_up(library: Library) -> None:
    add_jobs(library, [7], "key")
    session = library.session
    for _ in range(MOST_STARTS):
        assert claim_job(library, "key", "elsewhere:1:a") is not None
        session.execute("UPDATE adatom_jobs SET lease_ends = 0.0")
    assert claim_job(library, "key", name_of_process()) is None
    assert failures(library, "key") == [(7, f"its process died {MOST_STARTS} times: more memory?")]


def _calculations(place: str) -> list[tuple[object, ...]]:
    with open_library(place) as library:
        return [
            (one.defect_id, round(one.energy, 3), round(one.formation_energy, 3))
            for one in sorted(read_calculations(library), key=lambda one: one.defect_id)
        ]


@pytest.mark.slow
def test_a_killed_command_goes_on_and_ends_with_the_same_rows(tmp_path: Path) -> None:
    places = [str(tmp_path / name / "defects.db") for name in ("killed", "whole")]
    for place in places:
        with open_library(place, create=True) as library:
            add_defects(library, simulated_defects(["Si1C3", "Si1C4", "V1", "Si2C6"], seed=1))

    def command(place: str) -> list[str]:
        return [sys.executable, "-m", "adatom", "library", "compute", place, "--calculator",
                "tersoff", "--max-force", "0.1"]  # fmt: skip

    subprocess.run(command(places[1]), check=True, capture_output=True)
    for seconds in (6.0, 8.0):
        with subprocess.Popen(
            command(places[0]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(seconds)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
    subprocess.run(command(places[0]), check=True, capture_output=True)
    killed, whole = _calculations(places[0]), _calculations(places[1])
    assert [row[0] for row in killed] == [row[0] for row in whole] == [1, 2, 3, 4]
    # A relaxation that went on forgot the curvature it had learnt, and ends as near as the
    # forces allow.
    np.testing.assert_allclose(
        np.array([row[1:] for row in killed], float),
        np.array([row[1:] for row in whole], float),
        atol=5e-3,
    )


def test_the_command_tells_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tblite", None)
    monkeypatch.setitem(sys.modules, "tblite.interface", None)
    place = str(tmp_path / "defects.db")
    with open_library(place, create=True) as library:
        add_defects(library, simulated_defects(["Si1C3"], seed=1))
    assert main(["library", "compute", place]) == 2
    told = capsys.readouterr().err.strip()
    assert len(told.splitlines()) == 1
    assert "pip install 'adatom[dft]'" in told


def test_the_command_computes_and_searches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "defects.db")
    with open_library(place, create=True) as library:
        add_defects(library, simulated_defects(["Si1C3"], seed=1))
    given = ["library", "compute", place, "--calculator", "tersoff", "--max-force", "2"]
    assert main(given) == 0
    assert "1 of 1 defects computed" in capsys.readouterr().out
    assert main(["library", "search", place, "--computed", "Si-C=0.17..0.18"]) == 0
    assert "Si1C3" in capsys.readouterr().out
    assert main(["library", "search", place, "--computed", "Si-C=0.2..0.3"]) == 1


@pytest.mark.slow
def test_two_workers_of_dask_compute_what_one_process_does(tmp_path: Path) -> None:
    places = [str(tmp_path / name / "defects.db") for name in ("workers", "alone")]
    for place, more in zip(places, (["--workers", "2"], []), strict=True):
        with open_library(place, create=True) as library:
            add_defects(library, simulated_defects(["Si1C3", "V1"], seed=1))
        command = [sys.executable, "-m", "adatom", "library", "compute", place, "--calculator",
                   "tersoff", *more]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    assert _calculations(places[0]) == _calculations(places[1])
