"""The dose of frames."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.correction import estimate_dose
from adatom.errors import KindError, SettingError
from adatom.schema import Movie, image_from_array, notes


def movie(n_frames: int = 4, *, pixel_size: str = "0.1 nm") -> Movie:
    return image_from_array(np.zeros((50, 100)), pixel_size=pixel_size).expand_dims(frame=n_frames)


def test_dose_is_current_by_time_over_charge_and_area() -> None:
    table = estimate_dose(movie(), current="20 pA", frame_time="0.5 s")
    # 20 pA are 1.2483e8 electrons a second, on 5 nm x 10 nm.
    rate = 20e-12 / 1.602176634e-19 / 50
    np.testing.assert_allclose(table["dose_rate"], rate)
    np.testing.assert_allclose(table["total_dose"], rate * 0.5 * np.arange(1, 5))
    assert table["dose"].attrs["units"] == "e/nm^2"
    assert table["dose_rate"].attrs["units"] == "e/(nm^2 s)"


def test_times_of_the_file_tell_how_long_frames_took() -> None:
    timed = movie().assign_coords(time=("frame", [0.0, 2.0, 4.0, 6.0], {"units": "s"}))
    table = estimate_dose(timed, current="1 nA")
    assert set(table["exposure"].values) == {2.0}
    assert "by the times in the file" in notes(table)[0]
    with pytest.raises(SettingError, match="longer than the 2 s between frames"):
        estimate_dose(timed, current="1 nA", frame_time="3 s")


def test_frames_that_were_left_out_were_on_the_sample_all_the_same() -> None:
    chosen = movie(3).assign_coords(frame=[0, 1, 5])
    table = estimate_dose(chosen, current="1 nA", frame_time="1 s", pause="1 s")
    per_second = float(table["dose_rate"][0])
    np.testing.assert_allclose(table["total_dose"] / per_second, [1, 3, 11])
    assert "3 frames that the movie lacks" in notes(table)[1]


def test_nothing_is_invented() -> None:
    with pytest.raises(KindError, match="nothing tells how long a frame took"):
        estimate_dose(movie(), current="20 pA")
    with pytest.raises(KindError, match="has no scale"):
        estimate_dose(movie(pixel_size="1 px"), current="20 pA", frame_time="1 s")
    with pytest.raises(SettingError, match="positive current"):
        estimate_dose(movie(), current="20 nm", frame_time="1 s")


def test_a_larger_field_thins_the_dose() -> None:
    plain = estimate_dose(movie(), current="20 pA", frame_time="1 s")
    wide = estimate_dose(movie(), current="20 pA", frame_time="1 s", field=[10.0, 10.0])
    xr.testing.assert_allclose(wide["dose"] * 2, plain["dose"])
