"""Every way of clustering and decomposing meets spectra that are not as they should be."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import xarray as xr

from adatom import clustering, decomposition
from adatom.errors import AdatomError
from adatom.schema import FEATURES, kind_of_annotation

Array = np.ndarray[Any, Any]
Step = Callable[..., Any]

SHAPE = (12, 11)
GAPS = [(0, 0), (5, 5), (11, 10)]


def _steps() -> Iterator[tuple[str, Step]]:
    """Give all steps that take features and learn classes or components from them alone."""
    for stage in (clustering, decomposition):
        for name in stage.__all__:
            function = getattr(stage, name)
            verb = name.partition("_")[0]
            # Mixtures around sites are no spectra: tests/clustering/test_phase_number.py.
            if name == "choose_n_phases":
                continue
            # Nor are patches, of which turns and mirrors are told: test_turned_patches.py and
            # test_mirrored.py beside it.
            if name in {"cluster_turned_patches", "cluster_mirrored"}:
                continue
            if inspect.isfunction(function) and verb in {"fit", "cluster", "choose", "decompose"}:
                yield name, function
    yield "find_endmembers", decomposition.find_endmembers


STEPS = dict(_steps())
COUNTS = ("nmf", "poisson")
"""Parts of the names of what needs values that are not negative."""

every_step = pytest.mark.parametrize("name", sorted(STEPS))


def settings_of(step: Step, number: int) -> dict[str, Any]:
    parameters = inspect.signature(step).parameters
    asked = {"n_classes", "n_components", "n_endmembers"} & set(parameters)
    if "n_classes" in asked:
        asked = {"n_classes"}
    given: dict[str, Any] = dict.fromkeys(asked, number)
    if "max_classes" in parameters:
        given["max_classes"] = 3
    if "n_resamples" in parameters:
        given["n_resamples"] = 4
    return given


def spectra(shape: tuple[int, int] = SHAPE, seed: int = 0) -> xr.DataArray:
    """Give counts of two materials that mix, each pure somewhere."""
    rng = np.random.default_rng(seed)
    share = np.clip(np.linspace(-0.5, 1.5, shape[1]), 0, 1)[None, :, None] * np.ones((*shape, 1))
    lines = np.array([[10.0, 50, 200, 50, 10, 20, 30], [90.0, 20, 20, 20, 90, 150, 30]])
    mean = (1 - share) * lines[0] + share * lines[1]
    axes = {
        dim: (dim, np.arange(float(n)), {"units": "nm"})
        for dim, n in zip(("y", "x"), shape, strict=True)
    }
    energy = ("energy", np.arange(7.0), {"units": "eV"})
    return xr.DataArray(
        rng.poisson(mean).astype(float),
        dims=("y", "x", "energy"),
        coords={**axes, "energy": energy},
        attrs={"units": "1"},
    )


def run(name: str, features: xr.DataArray, number: int = 2) -> list[Any]:
    before = features.copy(deep=True)
    try:
        result = STEPS[name](features, **settings_of(STEPS[name], number))
    finally:
        xr.testing.assert_identical(features, before)
    return list(leaves(result))


def leaves(result: Any) -> Iterator[Any]:
    if isinstance(result, tuple):
        for part in result:
            yield from leaves(part)
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        for field in dataclasses.fields(result):
            yield from leaves(getattr(result, field.name))
    else:
        yield result


def assert_sound(results: list[Any], known: Array) -> None:
    """Hold results to this: known where measured, and only there."""
    for part in results:
        if isinstance(part, xr.Dataset) and "label" in part:
            label = part["label"].values
            assert (label[~known] == -1).all()
            assert label.max() < part.sizes["class"]
            assert int(part["count"].sum()) == np.count_nonzero(label >= 0)
            if "probability" in part:
                total = part["probability"].sum("class").values[known]
                np.testing.assert_allclose(total, 1.0, atol=1e-4)
        elif isinstance(part, xr.DataArray) and part.dims[:2] == ("y", "x"):
            assert np.isfinite(part.values[known]).all()
            assert np.isnan(part.values[~known]).all()
        elif isinstance(part, xr.DataArray):
            assert np.isfinite(part.values).all()
        elif isinstance(part, np.ndarray):
            assert np.isfinite(part).all()


ALL_KNOWN = np.ones(SHAPE, dtype=bool)


def test_the_steps_that_are_tried_take_features_first() -> None:
    assert len(STEPS) >= 13
    for step in STEPS.values():
        first = next(iter(inspect.signature(step, eval_str=True).parameters.values()))
        assert kind_of_annotation(first.annotation) is FEATURES


@every_step
def test_usual_spectra_give_sound_results(name: str) -> None:
    assert_sound(run(name, spectra()), ALL_KNOWN)


@every_step
def test_rows_with_nan_take_no_part(name: str) -> None:
    features, known = spectra(), ALL_KNOWN.copy()
    for place in GAPS:
        features.values[place] = np.nan
        known[place] = False
    assert_sound(run(name, features), known)


@every_step
@pytest.mark.parametrize("empty", [np.nan, np.inf])
def test_what_is_measured_nowhere_is_refused(name: str, empty: float) -> None:
    features = spectra()
    with pytest.raises(AdatomError, match="measured"):
        run(name, features * 0.0 + empty)


@every_step
def test_gaps_change_nothing_for_the_others(name: str) -> None:
    """The same rows with a gap row between them: same classes, same components."""
    whole = spectra().stack(site=("y", "x")).transpose("site", "energy").reset_index("site")
    whole = whole.drop_vars(["y", "x", "site"], errors="ignore")
    gap = whole.isel(site=[0]) * np.nan
    with_gap = xr.concat(
        [whole.isel(site=slice(0, 50)), gap, whole.isel(site=slice(50, None))], "site"
    )
    one, other = run(name, whole), run(name, with_gap)
    for first, second in zip(one, other, strict=True):
        if isinstance(first, xr.Dataset) and "label" in first:
            np.testing.assert_array_equal(np.delete(second["label"].values, 50), first["label"])
        elif isinstance(first, xr.DataArray) and first.dims[0] == "site":
            np.testing.assert_allclose(np.delete(second.values, 50, axis=0), first, atol=1e-6)
        elif isinstance(first, np.ndarray):
            np.testing.assert_allclose(second, first, rtol=1e-6, atol=1e-9)


@every_step
def test_negative_values_are_values_unless_counts_are_needed(name: str) -> None:
    features = spectra() - 60.0
    if any(part in name for part in COUNTS):
        with pytest.raises(AdatomError, match=r"negative|counts"):
            run(name, features)
    else:
        assert_sound(run(name, features), ALL_KNOWN)


@every_step
def test_pixels_that_are_all_zero_are_measured(name: str) -> None:
    features, known = spectra(), ALL_KNOWN.copy()
    features[3:6, 2:9] = 0.0
    if name.endswith("poisson_mixture"):
        # Its classes are shapes whatever the intensity: without a count there is none.
        known[3:6, 2:9] = False
    assert_sound(run(name, features), known)


@every_step
def test_channels_that_are_constant_or_zero_change_nothing(name: str) -> None:
    features = spectra()
    features[..., 2], features[..., 5] = 7.0, 0.0
    assert_sound(run(name, features), ALL_KNOWN)


@every_step
def test_a_map_of_one_pixel_is_told_to_be_too_small(name: str) -> None:
    features = spectra()[:1, :1]
    with pytest.raises(AdatomError, match=r"row|measured"):
        run(name, features)


@every_step
def test_one_row_or_column_of_pixels_is_a_map(name: str) -> None:
    line = spectra((1, 60))
    assert_sound(run(name, line), np.ones((1, 60), dtype=bool))


@every_step
def test_a_map_of_one_spectrum_is_no_crash(name: str) -> None:
    features = spectra() * 0.0 + np.array([5.0, 1, 2, 8, 3, 1, 4])
    with suppress(AdatomError):
        assert_sound(run(name, features), ALL_KNOWN)


@every_step
def test_more_classes_than_distinct_spectra_are_refused_or_found_empty(name: str) -> None:
    features = spectra() * 0.0 + np.array([5.0, 1, 2, 8, 3, 1, 4])
    features[:, 6:] = features[0, 0].values[::-1]
    results: list[Any] = []
    with suppress(AdatomError):
        results = run(name, features, number=4)
    assert_sound(results, ALL_KNOWN)
    for part in results:
        if isinstance(part, xr.Dataset) and "label" in part:
            label = part["label"].values
            # The two spectra are never put together.
            assert not set(label[:, :6].ravel()) & set(label[:, 6:].ravel()) - {-1}


@every_step
def test_values_of_any_size_are_clustered_and_decomposed_alike(name: str) -> None:
    """Currents are in nanoamperes or counts in millions: no threshold may be absolute."""
    features = spectra()
    for scale in (1e-9, 1e6):
        assert_sound(run(name, features * scale), ALL_KNOWN)


CONSTRAINTS = ("none", "nonnegative", "sum_to_one")


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_abundances_of_odd_spectra_keep_their_bounds(constraint: Any) -> None:
    pure = decomposition.find_endmembers(spectra(), n_endmembers=2).spectra
    features = spectra() - 60.0
    features[0, 0], features[2, 2] = 0.0, np.nan
    known = ALL_KNOWN.copy()
    known[2, 2] = False
    before = features.copy(deep=True)
    for step in (decomposition.estimate_abundances, decomposition.estimate_abundance_intervals):
        found = step(features, pure, constraint=constraint)
        assert_sound(list(found), known)
        shares = found.abundances.values[known]
        if constraint != "none":
            assert shares.min() >= 0
        if constraint == "sum_to_one":
            np.testing.assert_allclose(shares.sum(axis=-1), 1.0, atol=1e-9)
    xr.testing.assert_identical(features, before)


def test_abundances_of_a_single_pixel_are_those_of_it_in_a_map() -> None:
    pure = decomposition.find_endmembers(spectra(), n_endmembers=2).spectra
    whole = decomposition.estimate_abundances(spectra(), pure).abundances
    alone = decomposition.estimate_abundances(spectra()[4:5, 3:4], pure).abundances
    np.testing.assert_allclose(alone, whole[4:5, 3:4], rtol=1e-12)
