"""A sheet under the beam: what is missing, moves and grows is told for every frame."""

from __future__ import annotations

import numpy as np
import pytest

from adatom.errors import SettingError
from adatom.schema import positions
from adatom.simulation import BeamDamage, DefectMovie, Microscope, simulate_defect_movie

STILL = BeamDamage(
    dopants=0.05, vacancies=0.08, drift="0 nm", hop=0.0, rate=0.0, holes=0, disorder=0.0
)
SHARP = Microscope(electrons=3000, drift="0 nm", distortion=0.0, jitter="0 nm")


def _movie(damage: BeamDamage, *, n_frames: int = 4, seed: int = 1) -> DefectMovie:
    return simulate_defect_movie(
        damage=damage, n_frames=n_frames, size=96, field="2.8 nm", microscope=SHARP, seed=seed
    )


def _counts(movie: DefectMovie) -> list[int]:
    frames = movie.truth.frame.values
    return [int((frames == number).sum()) for number in range(movie.movie.sizes["frame"])]


def test_what_is_missing_is_dark_and_what_is_added_is_bright() -> None:
    made = _movie(BeamDamage(**{**vars(STILL), "vacancies": 0.1, "adatoms": 0.1}))
    pixel = float(made.movie.x[1])
    first = made.truth.isel(site=made.truth.frame.values == 0)
    atoms = made.atoms.isel(site=made.atoms.frame.values == 0)
    row, column = np.rint(positions(first).T / pixel).astype(int)
    bright = made.movie.values[0][row, column]
    all_row, all_column = np.rint(positions(atoms).T / pixel).astype(int)
    everywhere = made.movie.values[0][all_row, all_column]
    added = (first["class"] == "Mo on Mo").values
    sulfur = (first["class"] == "one S missing").values
    assert added.any()
    assert sulfur.any()
    assert bright[added].min() > np.quantile(everywhere, 0.9)
    full = (atoms["class"] == "S2").values
    # Half of the atoms, and the same light from the neighbors.
    assert bright[sulfur].mean() < 0.8 * everywhere[full].mean()


def test_a_sheet_that_nothing_happens_to_keeps_its_defects() -> None:
    made = _movie(STILL)
    columns = [
        made.truth["column"].values[made.truth.frame.values == number].tolist()
        for number in range(4)
    ]
    assert columns[0]
    assert all(other == columns[0] for other in columns)


def test_the_beam_makes_defects_and_near_others_more_of_them() -> None:
    slow = _movie(BeamDamage(**{**vars(STILL), "rate": 0.01, "growth": 0.0}), n_frames=8)
    fast = _movie(BeamDamage(**{**vars(STILL), "rate": 0.01, "growth": 20.0}), n_frames=8)
    assert _counts(slow)[-1] > _counts(slow)[0]
    assert _counts(fast)[-1] > 1.5 * _counts(slow)[-1]


def test_hopping_moves_vacancies_without_making_any() -> None:
    made = _movie(BeamDamage(**{**vars(STILL), "hop": 0.8, "vacancies": 0.05, "dopants": 0.0}))
    empty = [
        2 * int((made.atoms["class"].values[made.atoms.frame.values == k] == "S2").sum())
        for k in range(4)
    ]
    # Vacancies may leave the frame or come in: by less than the number of those that are there.
    assert max(empty) - min(empty) <= 8
    first, last = (
        set(made.truth["column"].values[made.truth.frame.values == k].tolist()) for k in (0, 3)
    )
    assert len(first & last) < 0.7 * len(first)


def test_holes_open_in_the_second_half_and_hold_no_defects() -> None:
    made = _movie(BeamDamage(**{**vars(STILL), "holes": 1, "hole_radius": "0.6 nm"}), n_frames=5)
    shares = made.intact.mean(dim=("y", "x")).values
    assert (shares[:3] == 1).all()
    assert shares[4] < shares[3] < 1
    # A disc of 0.6 nm in a field of 2.8 nm, to the width of a column.
    assert 1 - shares[4] == pytest.approx(np.pi * 0.6**2 / 2.8**2, rel=0.25)
    dark = made.movie.values[4][~made.intact.values[4]].mean()
    assert dark < 0.6 * made.movie.values[4][made.intact.values[4]].mean()
    pixel = float(made.movie.x[1])
    last = made.truth.isel(site=made.truth.frame.values == 4)
    row, column = np.rint(positions(last).T / pixel).astype(int)
    assert made.intact.values[4][row, column].all()


def test_truth_lies_where_the_drifting_atoms_are() -> None:
    made = _movie(BeamDamage(**{**vars(STILL), "drift": "0.2 nm", "adatoms": 0.05}))
    pixel = float(made.movie.x[1])
    for number in range(4):
        here = made.truth.frame.values == number
        added = made.truth.isel(site=here & (made.truth["class"].values == "Mo on Mo"))
        row, column = np.rint(positions(added).T / pixel).astype(int)
        inner = (np.minimum(row, column) > 2) & (np.maximum(row, column) < 93)
        for y, x in zip(row[inner].tolist(), column[inner].tolist(), strict=True):
            around = made.movie.values[number, y - 2 : y + 3, x - 2 : x + 3]
            top = np.unravel_index(int(around.argmax()), around.shape)
            # Within a pixel of the brightest one of its surroundings.
            assert np.abs(np.array(top) - 2).max() <= 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"rate": 2.0}, r"rate=2.0 is a share or a probability"),
        ({"disorder": -1.0}, r"disorder=-1.0 must be 0 or more"),
        ({"drift": "-1 nm"}, r"drift='-1 nm' must be 0 or more"),
    ],
)
def test_impossible_damage_is_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        BeamDamage(**setting)  # type: ignore[arg-type]


def test_a_movie_of_one_frame_is_refused() -> None:
    with pytest.raises(SettingError, match=r"n_frames=1"):
        simulate_defect_movie(n_frames=1)
