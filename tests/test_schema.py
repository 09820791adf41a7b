"""Claims about the kinds of data: what they accept, what they tell, what round trips keep."""

from __future__ import annotations

import json
import typing
from typing import Any

import ase
import dask.array
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from adatom import schema
from adatom.errors import AdatomError, KindError, UnitError
from adatom.schema import (
    CLASSES,
    DIFFRACTION_MAP,
    FEATURES,
    FORCE_CURVES,
    IMAGE,
    KINDS,
    MASK,
    MOVIE,
    SITES,
    SPECTRA,
    SPECTRAL_MAP,
    STRUCTURE,
    TABLE,
    TRANSITIONS,
    Kind,
    Sites,
)

NM = {"units": "nm"}


def image(dtype: Any = np.float32, unit: str = "nm") -> xr.DataArray:
    step = "0.1 nm" if unit == "nm" else "1 px"
    return schema.image_from_array(np.zeros((4, 5), dtype=dtype), pixel_size=step)


def movie() -> xr.DataArray:
    return xr.concat([image(), image()], dim="frame")


def spectral_map() -> xr.DataArray:
    stack = xr.concat([image(), image(), image()], dim="energy").transpose("y", "x", "energy")
    return stack.assign_coords(energy=("energy", [1.0, 2.0, 3.0], {"units": "eV"}))


def spectra() -> xr.DataArray:
    axis = {"energy": ("energy", [1.0, 2.0, 3.0], {"units": "eV"})}
    return xr.DataArray(np.zeros((2, 3)), dims=("site", "energy"), coords=axis)


def diffraction_map() -> xr.DataArray:
    patterns = image().expand_dims(k_y=2, k_x=3).transpose("y", "x", "k_y", "k_x")
    return patterns.assign_coords(
        k_y=("k_y", [0.0, 1.0], {"units": "px"}), k_x=("k_x", [0.0, 1.0, 2.0], {"units": "px"})
    )


def force_curves() -> xr.Dataset:
    force = (("site", "segment", "sample"), np.zeros((2, 2, 5)), {"units": "nN"})
    return xr.Dataset({"force": force}, coords={"segment": ["approach", "retract"]})


def sites() -> xr.Dataset:
    return schema.sites_from_positions([0.0, 1.0], [2.0, 3.0], unit="nm")


def features() -> xr.DataArray:
    return xr.DataArray(np.zeros((3, 2)), dims=("site", "feature"))


def classes() -> xr.Dataset:
    return xr.Dataset({"label": ("site", np.array([0, -1, 1]))})


def table() -> xr.Dataset:
    return schema.table_from_columns({"area": [1.0, 2.0]})


def transitions() -> xr.Dataset:
    names = {"state": ["a", "b"], "state_to": ["a", "b"]}
    return xr.Dataset({"probability": (("state", "state_to"), np.eye(2))}, coords=names)


EXAMPLES: dict[Kind, Any] = {
    IMAGE: image(),
    MOVIE: movie(),
    SPECTRAL_MAP: spectral_map(),
    SPECTRA: spectra(),
    DIFFRACTION_MAP: diffraction_map(),
    FORCE_CURVES: force_curves(),
    MASK: image().astype(bool),
    SITES: sites(),
    FEATURES: features(),
    CLASSES: classes(),
    TABLE: table(),
    TRANSITIONS: transitions(),
    STRUCTURE: ase.Atoms("C"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_accepts_its_example_and_finds_it_again(kind: Kind) -> None:
    kind.check(EXAMPLES[kind])
    assert schema.kind_of_data(EXAMPLES[kind]) is kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("foreign", [None, 3.5, "text", [1, 2], np.zeros((3, 3)), {}])
def test_no_kind_accepts_what_is_no_such_data(kind: Kind, foreign: object) -> None:
    with pytest.raises(KindError, match=f"found {type(foreign).__name__}") as caught:
        kind.check(foreign, name="the input")
    assert str(caught.value).startswith("the input is not a")
    assert kind.layout in str(caught.value)


def test_dask_inside_is_of_the_same_kind() -> None:
    lazy = schema.image_from_array(dask.array.zeros((4, 5)), pixel_size="0.1 nm")
    IMAGE.check(lazy)
    assert isinstance(lazy.data, dask.array.Array)


def test_a_spectral_map_is_features_but_features_are_no_spectral_map() -> None:
    FEATURES.check(spectral_map())
    assert FEATURES.accepts(SPECTRAL_MAP)
    assert not SPECTRAL_MAP.accepts(FEATURES)
    with pytest.raises(KindError):
        SPECTRAL_MAP.check(features())


BROKEN: list[tuple[Kind, Any, str]] = [
    (IMAGE, movie(), r"found dims \('frame', 'y', 'x'\), need \('y', 'x'\)"),
    (IMAGE, image().drop_vars("x"), "no coordinate 'x'"),
    (IMAGE, image().astype(complex), "complex"),
    (IMAGE, image().assign_coords(y=("y", np.arange(4.0))), "unit of 'y' is None"),
    (IMAGE, image().assign_coords(y=("y", np.arange(4.0), {"units": "km"})), "'km'"),
    (IMAGE, image().assign_coords(y=("y", [0.0, 1, 2, 4], NM)), "y"),
    (IMAGE, image().assign_coords(y=("y", [3.0, 2, 1, 0], NM)), "y"),
    (MOVIE, image(), "need"),
    (MASK, image(), "values are float32, need bool"),
    (SPECTRAL_MAP, spectral_map().drop_vars("energy"), "coordinate 'energy' is missing"),
    (FEATURES, features().rename(feature="neighbor"), "last dim 'neighbor' says where"),
    (FEATURES, image(), "last dim 'x' says where"),
    (FEATURES, features()[0], "need one dim or more before the last"),
    (SITES, table(), "need 'site'"),
    (SITES, sites().reset_coords("y"), "no coordinate 'y' along 'site'"),
    (SITES, sites().assign_coords(y=("site", [0.0, 1.0], {"units": "px"})), "different units"),
    (SITES, sites().assign_coords(frame=3), "'frame' is not along 'site'"),
    (CLASSES, sites(), "no variable 'label'"),
    (CLASSES, classes().astype(float), "'label' is float64, need signed integers"),
    (
        CLASSES,
        classes().assign(probability=(("class", "site"), np.zeros((2, 3)))),
        r"'probability' has dims \('class', 'site'\)",
    ),
    (TABLE, sites(), "columns .* are not along 'row' alone"),
]


@pytest.mark.parametrize(("kind", "data", "message"), BROKEN)
def test_what_lacks_something_is_told_what(kind: Kind, data: Any, message: str) -> None:
    with pytest.raises(KindError, match=message):
        kind.check(data)
    assert not kind.fits(data)


def test_annotations_name_their_kind_at_run_time() -> None:
    def step(sites: Sites, /, *, size: int) -> Sites:
        raise NotImplementedError

    hints = typing.get_type_hints(step, include_extras=True)
    assert schema.kind_of_annotation(hints["sites"]) is SITES
    assert schema.kind_of_annotation(hints["size"]) is None


def test_errors_are_built_in_errors_too() -> None:
    with pytest.raises(TypeError):
        IMAGE.check(3)
    with pytest.raises(AdatomError):
        IMAGE.check(3)


@pytest.mark.parametrize("text", ["0 nm", "-1 nm", "1 d"])
def test_a_pixel_size_must_be_a_length_of_space(text: str) -> None:
    with pytest.raises(UnitError, match="pixel_size"):
        schema.image_from_array(np.zeros((2, 2)), pixel_size=text)


def test_an_image_keeps_its_array_and_dtype() -> None:
    values = np.ones((3, 4), dtype=np.float32)
    made = schema.image_from_array(values, pixel_size="50 pm", units="nA")
    assert made.dtype == np.float32
    assert np.shares_memory(made.values, values)
    assert schema.pixel_size(made) == pytest.approx((0.05, 0.05))
    assert schema.extent(made) == pytest.approx([0.0, 0.1, 0.0, 0.15])
    assert schema.space_unit(made) == "nm"
    with pytest.raises(KindError, match=r"shape \(2, 2, 2\)"):
        schema.image_from_array(np.zeros((2, 2, 2)))


def test_one_pixel_has_no_size() -> None:
    with pytest.raises(KindError, match="axis 'y' has 1 pixel"):
        schema.pixel_size(schema.image_from_array(np.zeros((1, 4))))


def test_notes_gather_and_leave_others_alone() -> None:
    one = image()
    schema.add_note(one, "first")
    copy = one.copy()
    schema.add_note(copy, "second")
    assert schema.notes(one) == ["first"]
    assert schema.notes(copy) == ["first", "second"]
    assert schema.notes(3) == []


numbers = st.floats(allow_nan=True, allow_infinity=False, width=32)


@st.composite
def any_sites(draw: st.DrawFn) -> xr.Dataset:
    """Sites with variables of many shapes and types."""
    n = draw(st.integers(0, 6))
    place = hnp.arrays(float, n, elements=st.floats(-1e6, 1e6))
    made = schema.sites_from_positions(
        draw(place),
        draw(place),
        unit=draw(st.sampled_from(["nm", "mm", "px"])),
        frame=draw(st.none() | hnp.arrays(np.int64, n, elements=st.integers(0, 9))),
        spacing=draw(st.none() | st.floats(0.1, 10)),
        extent=draw(st.none() | st.just([0.0, 1.0, 0.0, 2.0])),
    )
    if draw(st.booleans()):
        made["score"] = ("site", draw(hnp.arrays(np.float32, n, elements=numbers)), {"units": "1"})
    if draw(st.booleans()):
        made["species"] = (
            "site",
            np.array(draw(st.lists(st.text("CSi"), min_size=n, max_size=n)), dtype="<U4"),
        )
    if draw(st.booleans()):
        made["fit_ok"] = ("site", draw(hnp.arrays(bool, n)))
    if draw(st.booleans()):
        shape = (n, draw(st.integers(1, 3)), 2)
        vectors = draw(hnp.arrays(float, shape, elements=numbers))
        made["neighbor_vector"] = (("site", "neighbor", "axis"), vectors, {"units": "nm"})
    if draw(st.booleans()):
        parts = draw(hnp.arrays(float, (n, 2), elements=numbers))
        made["composition"] = (("site", "element"), parts, {"units": "1"})
        made = made.assign_coords(element=["Al", "Li"])
    return made


@settings(deadline=None)
@given(any_sites())
def test_sites_come_back_from_their_table(made: xr.Dataset) -> None:
    flat = schema.table_from_sites(made)
    TABLE.check(flat)
    back = schema.sites_from_table(flat)
    xr.testing.assert_identical(back, made)
    for name in made.variables:
        assert back[name].dtype == made[name].dtype
        assert back[name].attrs == made[name].attrs


def test_tables_of_sites_hold_only_what_json_can_hold() -> None:
    made = sites().assign(composition=(("element", "site"), np.eye(2)), n_frames=3)
    made = made.assign_coords(element=["Al", "Li"])
    flat = schema.table_from_sites(made)
    flat.attrs = json.loads(json.dumps(flat.attrs))
    back = schema.sites_from_table(flat)
    xr.testing.assert_identical(back, made.transpose("site", ...))


@settings(deadline=None)
@given(any_sites())
def test_a_table_has_one_row_a_site_and_a_pandas_column_a_column(made: xr.Dataset) -> None:
    flat = schema.table_from_sites(made)
    frame = schema.frame_from_table(flat)
    assert len(frame) == made.sizes["site"]
    assert len(frame.columns) == len(flat.variables)
    assert f"y [{schema.space_unit(made)}]" in frame.columns


def test_positions_are_in_the_order_y_x() -> None:
    np.testing.assert_array_equal(schema.positions(sites()), [[0.0, 2.0], [1.0, 3.0]])


def test_spectra_along_time_are_spectra_and_features_without_an_axis_are_not() -> None:
    streak = spectra().rename(site="time").assign_coords(time=("time", [0.0, 1.0], {"units": "ns"}))
    assert schema.kind_of_data(streak) is SPECTRA
    assert FEATURES.accepts(SPECTRA)
    with pytest.raises(KindError, match="coordinate 'time' is missing or has no unit"):
        SPECTRA.check(spectra().rename(site="time"))
    with pytest.raises(KindError, match="coordinate 'feature' is missing or has no unit"):
        SPECTRA.check(features())


def test_force_curves_need_units_and_names_of_segments() -> None:
    curves = force_curves()
    with pytest.raises(KindError, match="no coordinate 'segment' with the names"):
        FORCE_CURVES.check(curves.drop_vars("segment"))
    del curves["force"].attrs["units"]
    with pytest.raises(KindError, match="'force' has no unit"):
        FORCE_CURVES.check(curves)
