"""From a movie file to classes, tracks, D and transitions by one recipe, against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.metrics import adjusted_rand_score

from adatom.io import write_file
from adatom.recipes import Run, open_run, run_recipe
from adatom.schema import positions
from adatom.simulation import DefectiveSheet, KineticMovie, Kinetics, simulate_kinetic_movie

KINETICS = Kinetics(
    classes=("Mo for W, S2 missing", "W missing", "W on W"),
    n_defects=14,
    hops=(0.08, 0.08, 0.08),
    turns=(0.05, 0.05, 0.05),
    changes=((0.0, 0.06, 0.0), (0.05, 0.0, 0.0), (0.0, 0.0, 0.0)),
)
N_FRAMES = 24


@pytest.fixture(scope="module")
def made() -> KineticMovie:
    sheet = DefectiveSheet(kinetics=KINETICS, lost=0.08)
    return simulate_kinetic_movie(sheet=sheet, n_frames=N_FRAMES, size=224, field="6.2 nm", seed=5)


@pytest.fixture(scope="module")
def run(made: KineticMovie, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("dynamics")
    write_file(made.movie, folder / "movie.zarr")
    summary = run_recipe("defect_dynamics", [folder / "movie.zarr"], out=folder / "run")
    assert not summary.failures
    return open_run(folder / "run")


def test_lost_frames_are_named_and_tracks_go_on_across_them(made: KineticMovie, run: Run) -> None:
    counts = run["departures.counts"]
    lost = made.frames["lost"].values
    assert lost.any()
    assert ((counts["reason"].values != "") == lost).all()
    assert run["tracks"]["track"].values.max() + 1 <= KINETICS.n_defects + 3


def test_classes_are_found_whatever_the_orientation(made: KineticMovie, run: Run) -> None:
    sites, truth = run["departures.sites"], made.truth
    label = run["classes.classes"]["label"].values
    mine = np.full(len(label), -1)
    for frame in np.unique(sites["frame"].values):
        true, here = (np.flatnonzero(one["frame"].values == frame) for one in (truth, sites))
        distance, nearest = cKDTree(positions(sites)[here]).query(positions(truth)[true])
        mine[here[nearest[distance < 0.1]]] = true[distance < 0.1]
    seen = truth["visible"].values.sum()
    assert (mine >= 0).sum() >= 0.98 * seen
    assert (mine >= 0).sum() >= 0.96 * len(mine)
    true_class = truth["class"].values[mine[mine >= 0]]
    assert adjusted_rand_score(true_class, label[mine >= 0]) > 0.93
    # Turned members have the orientation of the truth, but for one constant of each class.
    known = (mine >= 0) & (label >= 0)
    angle = run["classes.orientations"]["angle"].values[known]
    for one in np.unique(label[known]):
        own = (label[known] == one) & np.isfinite(angle)
        off = (angle[own] - truth["angle"].values[mine[known][own]]) % 360
        counts = np.bincount(np.rint(off / 120).astype(int) % 3, minlength=3)
        assert counts.max() > 0.9 * counts.sum()


def test_d_and_transitions_hold_the_truth(made: KineticMovie, run: Run) -> None:
    hops = made.rates["event"].values == "hop"
    weights = made.rates["time_at_risk"].values[hops]
    true = float(np.average(made.rates["diffusion_done"].values[hops], weights=weights))
    row = run["hops.classes"].isel(row=0)
    assert float(row["diffusion_low"]) < true < float(row["diffusion_high"])
    # The third class, the brightest, changes into none.
    matrix = run["transitions"]
    stays = np.diag(matrix["probability"].values)
    assert stays.max() > 0.97
    assert run["kinetics"] is not None


def test_the_report_opens_with_the_answers(run: Run) -> None:
    text = next(iter(run.items.values())).report.read_text()
    for part in ("D of all tracks is", "D of class 1 is", "3 classes chosen", "Orientations:"):
        assert part in text
    assert "inf frames" not in text
