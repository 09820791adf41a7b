"""Claims about images by multislice; abTEM does the work, so they need it."""

from __future__ import annotations

import doctest
import sys
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import xarray as xr
from ase import Atoms
from ase.build import bulk

from adatom import simulation
from adatom.errors import MissingExtraError, SettingError
from adatom.schema import IMAGE, SITES, notes, positions
from adatom.simulation import Multislice, Optics, electron_waves, simulate_multislice

needs_abtem = pytest.mark.skipif(find_spec("abtem") is None, reason="needs abtem")
# A coarse grid: these tests ask about places and ratios, not about absolute intensities.
QUICK = Multislice(configurations=1, displacement="0 nm", largest_angle="80 mrad")
DARK = Optics(semiangle="20 mrad", inner="40 mrad", outer="80 mrad", source_size="0.03 nm")


def on_a_sheet(symbols: str, places: list[tuple[float, float]], side: float = 12.0) -> Atoms:
    """Atoms in one plane of a periodic cell, x and y in angstroms."""
    return Atoms(
        symbols, positions=[(*place, 0.0) for place in places], cell=[side, side, 5], pbc=True
    )


def silicon() -> Any:
    """Silicon along [001], in a cell of 1.086 nm."""
    return bulk("Si", cubic=True).repeat((2, 2, 1))  # type: ignore[no-untyped-call]


@needs_abtem
def test_columns_are_brightest_where_the_truth_says_in_any_field_and_pixel_size() -> None:
    atoms = on_a_sheet("MoS", [(3.1, 4.7), (8.4, 9.2)])
    made = simulate_multislice(
        atoms, field=("2.4 nm", "1.8 nm"), pixel_size="0.013 nm", optics=DARK, multislice=QUICK
    )
    IMAGE.check(made.image)
    SITES.check(made.truth)
    assert made.image.shape == (185, 138)
    # Two cells down, one and a half across.
    assert made.truth.sizes["site"] == 2 * 2 + 2 * 1
    molybdenum = made.truth.isel(site=np.flatnonzero(made.truth["species"].values == "Mo"))
    np.testing.assert_allclose(
        np.unique(positions(molybdenum).round(6), axis=0),
        [[0.47, 0.31], [0.47, 1.51], [1.67, 0.31], [1.67, 1.51]],
    )
    around = made.expected.sel(y=slice(0.3, 0.64), x=slice(0.15, 0.47))
    weight = around - around.min()
    assert float((weight * around.y).sum() / weight.sum()) == pytest.approx(0.47, abs=0.003)
    assert float((weight * around.x).sum() / weight.sum()) == pytest.approx(0.31, abs=0.003)


@needs_abtem
def test_one_probe_at_a_time_and_prism_give_the_same_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crystal = silicon()
    optics = replace(DARK, defocus="3 nm", spherical_aberration="0.001 mm")
    made = {}
    for algorithm in ("multislice", "PRISM"):
        monkeypatch.setattr(
            electron_waves, "_cheaper_algorithm", lambda *_, algorithm=algorithm: algorithm
        )
        made[algorithm] = simulate_multislice(crystal, optics=optics, multislice=QUICK).expected
        assert f"simulated by {algorithm}:" in notes(made[algorithm])[0]
    apart = made["multislice"] - made["PRISM"]
    # Waves are of single precision.
    assert float(abs(apart).max()) < 1e-4 * float(made["PRISM"].std())


@needs_abtem
def test_a_cut_with_its_margin_shows_what_the_periodic_cell_shows() -> None:
    crystal = silicon()
    settings = {"field": ("1 nm", "1 nm"), "pixel_size": "0.02 nm", "optics": DARK}
    whole = simulate_multislice(crystal, multislice=QUICK, **settings)  # type: ignore[arg-type]
    oblique = crystal.copy()
    oblique.cell[1] += oblique.cell[0]
    cut = simulate_multislice(oblique, multislice=QUICK, **settings)  # type: ignore[arg-type]
    assert "in a cut of" in notes(cut.image)[0]
    np.testing.assert_allclose(positions(cut.truth), positions(whole.truth), atol=1e-9)
    apart = cut.expected - whole.expected
    # Two boxes sample the rings of the detector at other angles.
    assert float(abs(apart).max()) < 0.07 * float(whole.expected.max())


@needs_abtem
def test_columns_that_are_alike_in_the_crystal_are_alike_in_the_image() -> None:
    # Where a column lies between the points of the grid must not matter, without vibrations
    # that would hide it: the columns differ by their heights alone.
    crystal = silicon()
    static = Multislice(configurations=1, displacement="0 nm")
    made = simulate_multislice(
        crystal, pixel_size="0.01 nm", optics=Optics(inner="70 mrad"), multislice=static
    )
    amplitude = made.truth["amplitude"].values
    assert amplitude.max() / amplitude.min() < 1.06


@needs_abtem
def test_underfocus_moves_the_sharpest_plane_into_the_sample() -> None:
    # A gold atom 10 nm below a carbon atom that marks the entrance.
    atoms = Atoms("CAu", positions=[(2, 2, 0), (8, 8, 100)], cell=[12, 12, 102], pbc=True)
    coarse = replace(QUICK, slice_thickness="2 nm")
    height = {
        defocus: float(
            simulate_multislice(
                atoms, optics=replace(DARK, defocus=defocus), multislice=coarse
            ).expected.max()
        )
        for defocus in ("-10 nm", "0 nm", "10 nm")
    }
    assert height["10 nm"] > 1.2 * height["0 nm"] > 1.2 * height["-10 nm"]


@needs_abtem
def test_atoms_are_pits_in_bright_field_and_hidden_columns_are_told() -> None:
    cell = Atoms(
        "SrTiO3",
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
        cell=[3.905] * 3,
        pbc=True,
    )
    block = cell.repeat((3, 3, 6))  # type: ignore[no-untyped-call]
    sharp = replace(DARK, energy="100 keV", semiangle="28 mrad")
    blurred = replace(sharp, source_size="0.07 nm")
    bright_field = replace(sharp, inner="14 mrad", outer="28 mrad")
    dark, bright = (
        simulate_multislice(block, optics=optics, multislice=QUICK)
        for optics in (blurred, bright_field)
    )
    visible = {
        (kind, species): float(
            made.truth["visible"].values[made.truth["species"] == species].mean()
        )
        for kind, made in (("dark", dark), ("bright", bright))
        for species in ("Sr", "Ti", "O")
    }
    # Oxygen scatters too little to be seen beside titanium in the dark field of a broad source.
    assert visible["dark", "O"] == 0
    assert visible["dark", "Sr"] == visible["dark", "Ti"] == 1
    assert visible["bright", "O"] == visible["bright", "Ti"] == visible["bright", "Sr"] == 1
    assert "columns have no peak of their own" in notes(dark.truth)[0]
    strontium = bright.truth["species"].values == "Sr"
    assert float(bright.truth["amplitude"].values[strontium].max()) < float(bright.expected.mean())


@needs_abtem
def test_the_truth_follows_the_vibrations_that_the_image_shows() -> None:
    atoms = on_a_sheet("Mo4", [(3, 3), (9, 3), (3, 9), (9, 9)])
    shaken = replace(QUICK, displacement="0.02 nm", configurations=2)
    made = simulate_multislice(atoms, optics=DARK, multislice=shaken, seed=4)
    places = positions(made.truth)
    moved = places - np.round((places - 0.3) / 0.6) * 0.6 - 0.3
    assert abs(moved).max() > 0.01
    for place in places[(abs(places - 0.9) < 0.7).all(axis=1) & (places > 0.2).all(axis=1)]:
        near = made.expected.sel(
            y=slice(place[0] - 0.2, place[0] + 0.2), x=slice(place[1] - 0.2, place[1] + 0.2)
        )
        weight = near - near.min()
        center = [float((weight * near[axis]).sum() / weight.sum()) for axis in ("y", "x")]
        # Windows of whole pixels cut the tails by half a pixel more on one side.
        np.testing.assert_allclose(center, place, atol=0.008)


@needs_abtem
def test_the_same_seed_gives_the_same_bits_and_leaves_the_structure_as_it_is() -> None:
    atoms = on_a_sheet("MoS", [(3.1, 4.7), (8.4, 9.2)])
    before = atoms.copy()  # type: ignore[no-untyped-call]
    settings = {"optics": DARK, "multislice": replace(QUICK, displacement="0.01 nm"), "dose": 1e5}
    one, two, other = (
        simulate_multislice(atoms, seed=seed, **settings)  # type: ignore[arg-type]
        for seed in (1, 1, 2)
    )
    for left, right in zip(one, two, strict=True):
        xr.testing.assert_identical(left, right)
    assert not other.expected.equals(one.expected)
    assert atoms == before


@needs_abtem
def test_the_examples_of_the_steps_run() -> None:
    # They are skipped with the others, which run without abTEM as well.
    text = simulation.simulate_multislice.__doc__ or ""
    assert "+SKIP" in text
    test = doctest.DocTestParser().get_doctest(
        text.replace("# doctest: +SKIP", ""), vars(sys.modules[__name__]).copy(), "example", None, 0
    )
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_without_abtem_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "abtem", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'adatom\[multislice\]'"):
        simulate_multislice(bulk("Si", cubic=True))


@needs_abtem
def test_a_cell_that_is_too_small_for_a_probe_is_refused_with_a_remedy() -> None:
    with pytest.raises(SettingError, match=r"structure.repeat\(\(3, 3, 1\)\)"):
        simulate_multislice(bulk("Si", cubic=True))


@needs_abtem
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dose": 0.0}, "dose=0.0 must be more than 0"),
        ({"pixel_size": "0 nm"}, "must be positive"),
        ({"field": ("0.01 nm", "2 nm")}, "needs 2 or more"),
    ],
)
def test_settings_that_make_no_image_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        simulate_multislice(silicon(), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Optics(inner="90 mrad", outer="80 mrad"), "takes in nothing"),
        (lambda: Optics(semiangle="0 mrad"), "semiangle='0 mrad' must lie between"),
        (lambda: Optics(energy="0 keV"), "must be more than 0"),
        (lambda: Optics(source_size="2 px"), "knows neither pixels nor lattice"),
        (lambda: Multislice(configurations=0), "configurations=0 must be 1 or more"),
        (lambda: Multislice(largest_angle="2 mrad"), "between 10 and 400 mrad"),
        (lambda: Multislice(slice_thickness="0 nm"), "must be more than 0"),
    ],
)
def test_settings_of_no_microscope_are_refused(make: object, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        make()  # type: ignore[operator]


def test_the_wavelength_is_that_of_relativistic_electrons() -> None:
    # Kirkland, Advanced Computing in Electron Microscopy, table 2.2 (100 kV: 0.0370 angstrom).
    assert Optics(energy="100 keV").wavelength == pytest.approx(0.0037014, rel=1e-4)
    assert Optics(energy="60 keV").wavelength == pytest.approx(0.0048661, rel=1e-4)
