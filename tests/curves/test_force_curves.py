"""Force curves against simulated ones, of which everything is known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from adatom.correction import correct_deflection, correct_force_baseline, correct_separation
from adatom.curves import (
    Tip,
    estimate_adhesion,
    estimate_sensitivity,
    estimate_stiffness,
    features_from_curves,
    find_contact,
    fit_indentation,
    map_from_sites,
)
from adatom.errors import KindError, SettingError
from adatom.simulation import Cantilever, ForceSimulation, Soft, simulate_force_curves

TIP = Tip(radius="50 nm")
SOFT = Soft(adhesion=(0.0, 0.0))


def _simulated(sample: Soft = SOFT, *, seed: int = 0) -> ForceSimulation:
    return simulate_force_curves(shape=(5, 6), sample=sample, seed=seed)


def _ready(curves: xr.Dataset) -> xr.Dataset:
    level = correct_force_baseline(correct_deflection(curves)).curves
    return correct_separation(level, find_contact(level))


def _of(found: xr.DataArray, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(found.sel(measure=name).values)


def test_offset_tilt_and_noise_of_the_free_cantilever_are_found() -> None:
    simulated = _simulated()
    found = correct_force_baseline(correct_deflection(simulated.curves))
    # 0.002 nm/nm and 0.2 nm of a cantilever of 0.1 N/m; 340 samples over 400 nm tell the tilt to
    # 1e-5 and the noise to 6 %.
    np.testing.assert_allclose(_of(found.baseline, "tilt_approach"), 2e-4, atol=4e-5)
    np.testing.assert_allclose(_of(found.baseline, "noise_retract"), 0.02, rtol=0.2)
    free = found.curves["force"].where(found.curves["height"] > 100)
    # 250 samples of 0.02 nN have a mean within 0.004 nN.
    assert float(abs(free.mean("sample")).max()) < 0.006


@pytest.mark.parametrize("sample", [SOFT, Soft(), Soft(young_modulus=(1e5, 2e4))])
def test_contacts_lie_within_twice_their_stated_errors(sample: Soft) -> None:
    simulated = _simulated(sample)
    found = find_contact(correct_deflection(simulated.curves))
    assert (_of(found, "fault") == 0).all()
    off = _of(found, "contact_height") - _of(simulated.truth, "contact_height")
    within = np.abs(off) <= 2 * _of(found, "contact_height_error")
    # The docstring says five in six; of 30 curves 20 or more are then within in 99 of 100 runs.
    assert within.sum() >= 20
    # And the contact is known to three samples of the ramp (1.2 nm) in nearly all of them.
    assert np.quantile(np.abs(off), 0.8) < 3.6


def test_the_modulus_by_hertz_is_right_within_two_per_cent_and_its_error() -> None:
    simulated = _simulated()
    found = fit_indentation(_ready(simulated.curves), tip=TIP)
    truth = _of(simulated.truth, "young_modulus")
    np.testing.assert_allclose(_of(found, "young_modulus"), truth, rtol=0.02)
    z = (_of(found, "young_modulus") - truth) / _of(found, "young_modulus_error")
    # Of 30 curves: the scatter is that of the errors stated, and the mean is off by less than it.
    assert 0.6 < z.std() < 1.5
    assert abs(z.mean()) < 0.6


def test_the_modulus_of_an_adhesive_sample_needs_dmt() -> None:
    simulated = _simulated(Soft())
    curves = _ready(simulated.curves)
    truth = _of(simulated.truth, "young_modulus")
    dmt = fit_indentation(curves, tip=TIP, adhesion=True, segment="retract")
    np.testing.assert_allclose(_of(dmt, "young_modulus"), truth, rtol=0.03)
    hertz = fit_indentation(curves, tip=TIP)
    assert (_of(hertz, "young_modulus") > 1.05 * truth).all()


def test_a_cone_and_a_pyramid_give_the_modulus_of_their_law() -> None:
    separation = np.linspace(100.0, -80.0, 400)
    angle = np.tan(np.deg2rad(20.0))
    for shape, factor in (("cone", 2 / np.pi), ("pyramid", 0.7453)):
        force = factor * angle * 5e-3 / 0.91 * np.clip(-separation, 0, None) ** 2
        curves = _plain(force, separation=separation)
        tip = Tip(shape=shape, half_angle="20 deg")  # type: ignore[arg-type]
        found = fit_indentation(curves, tip=tip, poisson_ratio=0.3)
        assert _of(found, "young_modulus")[0] == pytest.approx(5000.0, rel=1e-4)


def test_adhesion_is_fitted_for_spheres_only() -> None:
    with pytest.raises(SettingError, match=r"the law of a sphere \(DMT\), the tip is a cone"):
        fit_indentation(_ready(_simulated().curves), tip=Tip(shape="cone"), adhesion=True)


def test_a_depth_limit_keeps_a_hard_ground_out() -> None:
    separation = np.linspace(100.0, -80.0, 800)
    depth = np.clip(-separation, 0, None)
    force = 4 / 3 * 1e-3 / 0.75 * 10 * depth**1.5 + np.clip(depth - 40, 0, None) ** 2
    curves = _plain(force, separation=separation)
    shallow = fit_indentation(curves, tip=Tip(radius="100 nm"), max_depth="35 nm")
    assert _of(shallow, "young_modulus")[0] == pytest.approx(1000.0, rel=1e-3)
    assert _of(shallow, "depth")[0] == pytest.approx(35, abs=0.5)


def test_a_sample_too_stiff_for_the_cantilever_has_no_modulus() -> None:
    simulated = _simulated(Soft(young_modulus=(2e6, 2e6), adhesion=(0.0, 0.0)))
    found = fit_indentation(_ready(simulated.curves), tip=TIP)
    assert (_of(found, "fault") == 4).all()
    assert np.isnan(_of(found, "young_modulus")).all()
    assert found.attrs["faults"][4] == "too stiff"


def test_pull_off_forces_are_right_within_their_errors() -> None:
    simulated = _simulated(Soft())
    found = estimate_adhesion(_ready(simulated.curves))
    off = _of(found, "adhesion_force") - _of(simulated.truth, "adhesion_force")
    # The lowest of several samples near the pull-off is one to two deviations low.
    assert np.abs(off).max() < 4 * _of(found, "adhesion_force_error").max()
    none = estimate_adhesion(_ready(_simulated().curves))
    assert (_of(none, "adhesion_force") == 0).all()


def test_the_energy_of_a_linear_rupture_is_its_triangle() -> None:
    separation = np.linspace(-5.0, 60.0, 1301)
    force = np.where(
        separation < 0, -separation - 2, np.where(separation < 20, separation / 10 - 2, 0)
    )
    curves = _plain(force, separation=separation, segment="retract")
    found = estimate_adhesion(curves)
    # 2 nN over 20 nm, and the triangle of 2 nN over 2 nm before zero separation.
    assert _of(found, "adhesion_energy")[0] == pytest.approx(22.0, rel=0.02)
    assert _of(found, "rupture_length")[0] == pytest.approx(20.0, abs=0.5)


def test_stiffness_in_series_with_the_cantilever_is_told_apart() -> None:
    height = np.linspace(60.0, -60.0, 1200)
    spring, contact = 0.2, 0.6
    slope = spring * contact / (spring + contact)
    force = slope * np.clip(-height, 0, None) + np.random.default_rng(0).normal(0, 0.02, 1200)
    curves = _plain(force, height=height, separation=height + force / spring, segment="retract")
    curves.attrs["spring_constant"] = spring
    found = estimate_stiffness(curves)
    assert abs(_of(found, "stiffness")[0] - contact) < 3 * _of(found, "stiffness_error")[0]
    rigid = curves.assign_attrs(spring_constant=slope)
    assert np.isnan(_of(estimate_stiffness(rigid), "stiffness")[0])
    assert _of(estimate_stiffness(rigid), "fault")[0] == 0
    wrong = estimate_stiffness(curves.assign_attrs(spring_constant=slope / 1.3))
    assert wrong.attrs["faults"][int(_of(wrong, "fault")[0])] == "steeper than the cantilever"


def test_the_sensitivity_of_a_stiff_sample_calibrates_other_curves() -> None:
    stiff = _simulated(Soft(young_modulus=(1e9, 1e9), adhesion=(0.0, 0.0))).curves
    reference = estimate_sensitivity(stiff)
    # 40 nm/V, and 0.2 nm of noise over 100 nm and 200 samples.
    np.testing.assert_allclose(_of(reference, "sensitivity"), 40.0, rtol=0.004)
    curves = _simulated().curves
    del curves.attrs["deflection_sensitivity"]
    with pytest.raises(SettingError, match="no sensitivity is known"):
        correct_deflection(curves)
    found = correct_deflection(curves, reference)
    assert found.attrs["deflection_sensitivity"] == pytest.approx(40.0, rel=0.002)


def test_a_known_sensitivity_is_exchanged_and_an_unknown_one_is_not() -> None:
    curves = correct_deflection(_simulated().curves)
    doubled = correct_deflection(curves, sensitivity=80.0)
    np.testing.assert_allclose(doubled["force"], 2 * curves["force"])
    del curves.attrs["deflection_sensitivity"]
    with pytest.raises(SettingError, match="leave the sensitivity out"):
        correct_deflection(curves, sensitivity=80.0)


def test_curves_without_contact_or_baseline_are_flagged_and_not_fitted() -> None:
    height = np.linspace(100.0, 0.0, 500)
    noise = np.random.default_rng(0).normal(0, 0.01, 500)
    flat = _plain(noise, height=height)
    pressed = _plain(0.05 * (120 - height) + noise, height=height)
    short = _plain(noise[:10], height=height[:10])
    for curves, fault in ((flat, 1), (pressed, 2), (short, 3)):
        found = find_contact(curves)
        assert _of(found, "fault")[0] == fault
        assert np.isnan(_of(found, "contact_height")[0])
        ready = correct_separation(curves.assign_attrs(spring_constant=0.1), found)
        assert np.isnan(_of(fit_indentation(ready, tip=TIP), "young_modulus")[0])
        assert np.isnan(_of(estimate_adhesion(ready, segment="approach"), "adhesion_force")[0])


def test_constant_curves_have_no_contact() -> None:
    constant = _plain(np.full(200, 0.3), height=np.linspace(10, 0, 200))
    assert _of(find_contact(constant), "fault")[0] == 1


def test_dask_gives_the_same_bits_and_stays_lazy() -> None:
    curves = _simulated().curves
    lazy = curves.chunk(site=4)
    found, expected = _ready(lazy), _ready(curves)
    assert hasattr(found["separation"].data, "dask")
    xr.testing.assert_identical(found.compute(), expected)
    lazy_fit = fit_indentation(found, tip=TIP)
    assert hasattr(lazy_fit.data, "dask")
    xr.testing.assert_identical(lazy_fit.compute(), fit_indentation(expected, tip=TIP))


def test_aligned_curves_of_two_materials_fall_into_two_classes_on_the_map() -> None:
    from adatom.clustering import cluster_kmeans

    simulated = _simulated(Soft())
    rows = map_from_sites(features_from_curves(_ready(simulated.curves), span=("-30 nm", "100 nm")))
    assert rows.dims == ("y", "x", "separation")
    labels = cluster_kmeans(rows, n_classes=2).classes["label"].values
    assert (labels[:, :3] == labels[0, 0]).all()
    assert (labels[:, 3:] == 1 - labels[0, 0]).all()


def test_approach_and_retract_are_one_row_in_the_order_of_the_measurement() -> None:
    found = features_from_curves(_ready(_simulated(Soft()).curves), n_samples=50)
    axis = found["separation"].values
    assert (np.diff(axis[:50]) < 0).all()
    assert (np.diff(axis[50:]) > 0).all()
    # Only the retract hangs on.
    assert float(found[:, 50:].min()) < 3 * float(found[:, :50].min()) < 0


def test_places_that_do_not_fill_a_grid_stay_sites_and_say_why() -> None:
    features = find_contact(correct_deflection(_simulated().curves))
    extract = map_from_sites(features.isel(site=slice(12)))
    assert extract.dims == ("site", "measure")
    assert "they are 12 of a grid of 5 x 6" in extract.attrs["notes"][-1]
    del features.attrs["grid_shape"]
    scattered = map_from_sites(features.isel(site=slice(29)))
    assert "29 places do not fill a grid of 5 x 6" in scattered.attrs["notes"][-1]
    without = map_from_sites(features.drop_vars(["y", "x"]))
    assert "not known" in without.attrs["notes"][-1]


def test_a_contact_of_other_curves_is_refused() -> None:
    curves = correct_deflection(_simulated().curves)
    with pytest.raises(KindError, match=r"give what curves\.find_contact found in these curves"):
        correct_separation(curves, find_contact(curves).isel(site=slice(3)))
    with pytest.raises(KindError, match=r"no separation.*correct_separation makes it"):
        estimate_adhesion(curves)


def test_a_simulation_is_in_equilibrium_and_its_seed_decides() -> None:
    quiet = Cantilever(noise=0.0, offset=0.0, tilt=0.0)
    one = simulate_force_curves(shape=(1, 2), cantilever=quiet, sample=SOFT, seed=1)
    again = simulate_force_curves(shape=(1, 2), cantilever=quiet, sample=SOFT, seed=1)
    xr.testing.assert_identical(one.curves, again.curves)
    bent = 40.0 * one.curves["deflection"][0, 0]
    depth = -(one.curves["height"][0, 0] - one.truth.values[0, 0] + bent)
    law = 4 / 3 * 500e-6 / 0.75 * 50**0.5 * np.clip(depth, 0, None) ** 1.5
    np.testing.assert_allclose(0.1 * bent, law, atol=1e-4)


def _plain(
    force: object, *, height: object = None, separation: object = None, segment: str = "approach"
) -> xr.Dataset:
    """Make one curve of one segment."""
    dims = ("site", "segment", "sample")
    channels = {"force": (force, "nN"), "height": (height, "nm"), "separation": (separation, "nm")}
    return xr.Dataset(
        {
            name: (dims, np.asarray(values, float)[None, None], {"units": unit})
            for name, (values, unit) in channels.items()
            if values is not None
        },
        coords={"segment": [segment]},
    )
