"""Fits of models to simulated curves of known parameters, and beside lmfit."""

from __future__ import annotations

from typing import Any

import lmfit
import numpy as np
import pytest
import xarray as xr

from adatom.curves import ModelFit, fit_model
from adatom.errors import KindError, SettingError
from adatom.schema import notes

Array = np.ndarray[Any, Any]

AXIS = np.linspace(480.0, 560.0, 160)
LINE = "GaussianModel(prefix='g_') + LinearModel(prefix='b_')"


def _curves(rows: Any, axis: Array = AXIS) -> xr.DataArray:
    coords = {"wavelength": ("wavelength", axis, {"units": "nm"})}
    dims = ("site", "wavelength")
    return xr.DataArray(np.asarray(rows), dims=dims, coords=coords, attrs={"units": "1"})


def _gaussian(center: Any, height: Any = 50.0, sigma: Any = 4.0, axis: Array = AXIS) -> Array:
    center, height, sigma = (np.atleast_1d(value)[:, None] for value in (center, height, sigma))
    return np.asarray(height * np.exp(-((axis - center) ** 2) / (2 * sigma**2)))


def _column(fit: ModelFit, name: str, of: str = "parameters") -> Array:
    return np.asarray(getattr(fit, of).sel(parameter=name).values)


def _measure(fit: ModelFit, name: str) -> Array:
    return np.asarray(fit.quality.sel(measure=name).values)


def _of_lmfit(name: str) -> lmfit.Model:
    models = lmfit.models
    return {
        "GaussianModel": models.GaussianModel(prefix="p_"),
        "LorentzianModel": models.LorentzianModel(prefix="p_"),
        "VoigtModel": models.VoigtModel(prefix="p_"),
        "BreitWignerModel": models.BreitWignerModel(prefix="p_"),
    }[name]


@pytest.mark.parametrize(
    "shape", ["GaussianModel", "LorentzianModel", "VoigtModel", "BreitWignerModel"]
)
def test_optimum_and_errors_are_those_of_lmfit(shape: str) -> None:
    rng = np.random.default_rng(0)
    theirs = _of_lmfit(shape) + lmfit.models.LinearModel(prefix="b_")
    truth = {"p_amplitude": 60.0, "p_center": 515.0, "p_sigma": 6.0, "b_slope": 0.05}
    truth |= {"b_intercept": 4.0, "p_q": 3.0} if shape == "BreitWignerModel" else {"b_intercept": 4}
    if shape != "BreitWignerModel":
        truth["p_amplitude"] = 600.0
    start = theirs.make_params(**truth)
    clean = theirs.eval(start, x=AXIS)
    rows = clean + 1.0 * rng.standard_normal((12, len(AXIS)))
    fit = fit_model(_curves(rows), model=f"{shape}(prefix='p_') + LinearModel(prefix='b_')")
    for number, row in enumerate(rows):
        best = theirs.fit(row, start, x=AXIS)
        for name, parameter in best.params.items():
            value = float(fit.parameters[number].sel(parameter=name))
            error = float(fit.errors[number].sel(parameter=name))
            # The same optimum to a thousandth of its error: lmfit stops there.
            assert abs(value - parameter.value) < 1e-3 * parameter.stderr + 1e-6 * abs(value), name
            assert error == pytest.approx(parameter.stderr, rel=0.02), name
        assert _measure(fit, "reduced_chi_squared")[number] == pytest.approx(best.redchi, rel=1e-5)


def test_formulas_are_fitted_as_lmfit_does() -> None:
    time = np.linspace(0.0, 30.0, 120)
    rows = 80 * np.exp(-time / np.array([[3.0], [5.0]])) + 5
    rows = rows + np.random.default_rng(1).standard_normal(rows.shape)
    formula = "amp * exp(-x / tau) + c"
    starts = ["amp ~ 50", "tau ~ 2", "c ~ 0"]
    fit = fit_model(_curves(rows, time), model=formula, parameters=starts)
    theirs = lmfit.models.ExpressionModel(formula)
    for number, row in enumerate(rows):
        best = theirs.fit(row, theirs.make_params(amp=50, tau=2, c=0), x=time)
        for name in ("amp", "tau", "c"):
            value, error = (
                float(part[number].sel(parameter=name)) for part in (fit.parameters, fit.errors)
            )
            assert value == pytest.approx(best.params[name].value, rel=1e-4)
            assert error == pytest.approx(best.params[name].stderr, rel=0.02)


def test_errors_cover_the_truth_as_often_as_they_should() -> None:
    rng = np.random.default_rng(2)
    centers = rng.uniform(510, 530, 2000)
    rows = _gaussian(centers) + 0.02 * AXIS + 3.0 * rng.standard_normal((2000, len(AXIS)))
    fit = fit_model(_curves(rows), model=LINE)
    pulls = (_column(fit, "g_center") - centers) / _column(fit, "g_center", "errors")
    # The spread of 2000 pulls is known to 1.6 %, their mean to 0.022.
    assert pulls.std() == pytest.approx(1, abs=0.06)
    assert abs(pulls.mean()) < 0.08


def test_counts_are_fitted_without_bias_and_with_errors_that_cover() -> None:
    rng = np.random.default_rng(3)
    rows = rng.poisson(np.repeat(_gaussian(520.0, height=20.0), 1500, axis=0) + 2.0).astype(float)
    model = "GaussianModel(prefix='g_') + ConstantModel()"
    fit = fit_model(_curves(rows), model=model, weights="poisson")
    for name, truth in {"g_center": 520.0, "g_height": 20.0, "c": 2.0, "g_sigma": 4.0}.items():
        pulls = (_column(fit, name) - truth) / _column(fit, name, "errors")
        # Weights of measured counts would be off by half a standard deviation and more.
        assert abs(pulls.mean()) < 0.15, name
        assert pulls.std() == pytest.approx(1, abs=0.08), name
    assert _measure(fit, "reduced_chi_squared").mean() == pytest.approx(1, abs=0.02)


def test_every_curve_starts_at_the_class_that_it_resembles() -> None:
    rng = np.random.default_rng(4)
    centers = np.repeat([495.0, 520.0, 545.0], 40)
    rows = _gaussian(centers, sigma=1.5) + rng.standard_normal((120, len(AXIS)))
    classes = xr.Dataset({"label": ("site", np.repeat([0, 1, 2], 40))})
    fit = fit_model(_curves(rows), classes, model="GaussianModel(prefix='g_')")
    # Far from one another: none of the three could be reached from the mean of all.
    assert _measure(fit, "fit_ok").all()
    assert np.abs(_column(fit, "g_center") - centers).max() < 0.3
    assert fit.class_curves.shape == (3, len(AXIS))


def test_means_of_classes_do_as_well_as_classes() -> None:
    rows = _curves(_gaussian([510.0, 512.0, 530.0]) + 1)
    classes = xr.Dataset({"label": ("site", [0, 0, 1])})
    means = xr.concat([rows[:2].mean("site"), rows[2]], "class")
    by_classes, by_means = (fit_model(rows, start, model=LINE) for start in (classes, means))
    np.testing.assert_allclose(by_classes.parameters, by_means.parameters, rtol=1e-6)


def test_a_class_without_members_keeps_its_number_and_has_no_fit() -> None:
    rows = _curves(_gaussian([510.0, 512.0, 530.0]) + 1)
    fit = fit_model(rows, xr.Dataset({"label": ("site", [0, 0, 2])}), model=LINE)
    centers = fit.class_parameters.sel(parameter="g_center").values
    np.testing.assert_allclose(centers, [511.0, np.nan, 530.0], atol=0.1)
    assert np.isnan(fit.class_curves.values[1]).all()
    assert _measure(fit, "fit_ok").all()


def test_constraints_bind_and_fixed_parameters_stay() -> None:
    rng = np.random.default_rng(5)
    rows = _gaussian([505.0] * 5) + _gaussian([535.0] * 5, 20.0)
    rows = rows + rng.standard_normal(rows.shape)
    fit = fit_model(
        _curves(rows),
        model="GaussianModel(prefix='g_') + GaussianModel(prefix='h_') + LinearModel(prefix='b_')",
        parameters=["h_sigma = 2 * g_sigma / 2", "b_slope = 0", "h_center = g_center + 30"],
    )
    for of in ("parameters", "errors"):
        np.testing.assert_allclose(_column(fit, "h_sigma", of), _column(fit, "g_sigma", of))
        np.testing.assert_array_equal(_column(fit, "b_slope", of), 0.0)
    np.testing.assert_allclose(_column(fit, "h_center"), _column(fit, "g_center") + 30)


def test_a_parameter_at_its_bound_is_told_and_has_no_error() -> None:
    rng = np.random.default_rng(6)
    rows = _gaussian([520.0] * 4) + rng.standard_normal((4, len(AXIS)))
    fit = fit_model(_curves(rows), model=LINE, parameters=["g_sigma < 3"])
    np.testing.assert_array_equal(_column(fit, "g_sigma"), 3.0)
    assert np.isnan(_column(fit, "g_sigma", "errors")).all()
    assert np.isfinite(_column(fit, "g_center", "errors")).all()
    np.testing.assert_array_equal(_measure(fit, "state"), 1)
    assert _measure(fit, "fit_ok").all()


def test_a_share_between_two_shapes_finds_its_bounds() -> None:
    """Of a pure Gaussian the Lorentzian share of a pseudo-Voigt line is zero, or hardly more."""
    rows = _gaussian(np.full(50, 520.0)) + np.random.default_rng(7).standard_normal((50, len(AXIS)))
    fit = fit_model(_curves(rows), model="PseudoVoigtModel(prefix='v_')")
    shares = _column(fit, "v_fraction")
    assert _measure(fit, "fit_ok").all()
    assert (shares >= 0).all()
    assert 0.2 < (shares == 0).mean() < 0.8


def test_curves_without_a_line_are_flagged_and_give_no_number() -> None:
    rows = np.vstack([_gaussian([520.0, 522.0]) + 1, np.zeros((1, len(AXIS)))])
    rows[:2] += np.random.default_rng(8).standard_normal((2, len(AXIS)))
    fit = fit_model(_curves(rows), _two_classes(), model="GaussianModel(prefix='g_')")
    np.testing.assert_array_equal(_measure(fit, "fit_ok"), [1, 1, 0])
    assert np.isnan(fit.parameters.values[2]).all()
    (told,) = notes(fit.parameters)
    assert told.startswith("Of 3 curves: 2 fitted; 1 ")


def _two_classes() -> xr.Dataset:
    return xr.Dataset({"label": ("site", [0, 0, -1])})


def test_lines_in_mere_noise_have_little_significance() -> None:
    rng = np.random.default_rng(10)
    noise = rng.standard_normal((300, len(AXIS)))
    fit = fit_model(_curves(np.vstack([_gaussian([520.0]), noise])), _one_line(), model=LINE)
    significance = _column(fit, "g_significance")
    told = np.abs(_column(fit, "g_amplitude")) / _column(fit, "g_amplitude", "errors")
    np.testing.assert_array_equal(significance, told)
    assert significance[0] > 100
    # Of some forty places for a line among 160 channels the best is at three.
    assert np.nanmax(significance[1:]) < 5


def _one_line() -> xr.Dataset:
    return xr.Dataset({"label": ("site", [0] + [-1] * 300)})


def test_gaps_are_left_out_and_too_few_channels_are_told() -> None:
    rows = _gaussian([520.0, 520.0, 520.0]) + 0.1 * AXIS
    rows = rows + np.random.default_rng(9).standard_normal(rows.shape)
    rows[1, 60:70] = np.nan
    rows[2, 4:] = np.nan
    fit = fit_model(_curves(rows), model=LINE)
    kept = np.isfinite(rows[1])
    alone = fit_model(_curves(rows[1:2, kept], AXIS[kept]), model=LINE)
    np.testing.assert_allclose(fit.parameters[1], alone.parameters[0], rtol=1e-6)
    np.testing.assert_array_equal(_measure(fit, "state"), [0, 0, 5])
    assert fit.quality.attrs["states"][5] == "too few channels measured"


@pytest.mark.parametrize("axis", [AXIS[::-1], 480 + 80 * np.linspace(0, 1, 160) ** 1.5])
def test_any_axis_will_do(axis: Array) -> None:
    fit = fit_model(_curves(_gaussian([515.0, 525.0], axis=axis) + 2, axis), model=LINE)
    np.testing.assert_allclose(_column(fit, "g_center"), [515.0, 525.0], rtol=1e-6)


def test_a_range_leaves_out_what_else_is_there() -> None:
    rows = _curves(_gaussian([505.0]) + _gaussian([540.0], 500.0))
    fit = fit_model(rows, model="GaussianModel()", fit_range=("490 nm", "515 nm"))
    assert _column(fit, "center")[0] == pytest.approx(505, abs=0.01)
    assert np.isfinite(fit.class_curves.values[0]).tolist() == (
        ((AXIS >= 490) & (AXIS <= 515)).tolist()
    )


def test_parameters_carry_their_units_and_float32_stays() -> None:
    fit = fit_model(_curves(_gaussian([515.0, 525.0]) + 2).astype(np.float32), model=LINE)
    units = dict(zip(fit.parameters.parameter.values, fit.parameters.unit.values, strict=True))
    assert units == {
        "g_amplitude": "nm", "g_center": "nm", "g_sigma": "nm", "b_slope": "1/nm",
        "b_intercept": "1", "g_fwhm": "nm", "g_height": "1",
        "g_significance": "1",
    }  # fmt: skip
    assert {part.dtype for part in fit} == {np.dtype(np.float32)}


def test_overlapping_lines_start_on_both_sides_of_their_common_peak() -> None:
    rows = _gaussian([515.0], sigma=5.0) + _gaussian([524.0], 30.0, 5.0)
    fit = fit_model(
        _curves(rows + 0.1 * np.random.default_rng(1).standard_normal(rows.shape)),
        model="GaussianModel(prefix='g_') + GaussianModel(prefix='h_')",
    )
    centers = sorted([_column(fit, "g_center")[0], _column(fit, "h_center")[0]])
    assert centers == pytest.approx([515.0, 524.0], abs=0.3)


def test_a_model_that_fits_no_mean_asks_for_starts() -> None:
    with pytest.raises(SettingError, match="the model fits no mean of a class"):
        fit_model(_curves(np.full((3, 160), np.nan)), model=LINE)


def test_classes_of_other_places_are_refused() -> None:
    with pytest.raises(KindError, match="must be of the same places"):
        fit_model(_curves(_gaussian([515.0])), _two_classes(), model=LINE)
    with pytest.raises(KindError, match="need one row a class and 160 channels"):
        fit_model(_curves(_gaussian([515.0])), _curves(np.ones((2, 3)), AXIS[:3]), model=LINE)
