"""Images of tunneling microscopes show where states are."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from adatom.defects import Calculator, build_impurity, simulate_tunneling
from adatom.defects.tunneling import _image_on_cell, _resampled
from adatom.errors import SettingError

needs_gpaw = pytest.mark.skipif(find_spec("gpaw") is None, reason="needs GPAW: pip install gpaw")


def test_the_tip_follows_a_density_that_falls_off() -> None:
    # A density exp(-(z - bump) / 0.05) over planes 0.02 nm apart: the tip follows the bump.
    planes = np.arange(100) * 0.02
    bump = 0.02 * np.sin(np.linspace(0, 2 * np.pi, 12, endpoint=False))[:, None] * np.ones(8)
    density = np.exp(-(planes - bump[..., None]) / 0.05)
    heights = _image_on_cell(density, 0.9, 2.0, "constant current")
    np.testing.assert_allclose(heights - heights.mean(), bump - bump.mean(), atol=1e-9)
    flat = _image_on_cell(density, 0.9, 2.0, "constant height")
    np.testing.assert_allclose(flat, np.exp(-(0.9 - bump) / 0.05), rtol=1e-9)


def test_the_picture_of_a_cell_is_turned_upright_with_y_down() -> None:
    lattice = np.array([[1.0, 0.0], [0.0, 2.0]])
    values = np.zeros((10, 20))
    # Near the upper edge of the cell, y up, stands near the upper edge of the image.
    values[3, 18] = 1.0
    image = _resampled(values, lattice, 0.1)
    assert image.shape == (20, 10)
    assert divmod(int(np.argmax(image)), 10) == (2, 3)


@needs_gpaw
@pytest.mark.slow
def test_filled_states_of_graphene_are_over_its_bonds_and_atoms_not_over_its_holes() -> None:
    from ase.build import graphene

    sheet: Any = graphene(vacuum=5.0)  # type: ignore[no-untyped-call]
    sheet.pbc = True
    calculator = Calculator("gpaw", settings={"h": 0.2, "kpts": [6, 6, 1]})
    image = simulate_tunneling(
        sheet, calculator=calculator, bias=-2.0, distance="0.2 nm", mode="constant height",
        pixel_size="0.01 nm",
    )  # fmt: skip
    lattice = sheet.cell.array[:2, :2] / 10.0
    depth = lattice[1, 1]

    def at(x: float, y: float) -> float:
        row = round((depth - y % depth) / 0.01) % image.sizes["y"]
        return float(image.values[row, round(x / 0.01) % image.sizes["x"]])

    atoms = [at(*place) for place in sheet.positions[:, :2] / 10.0]
    hole = at(*(2.0 * sheet.positions[1, :2] / 10.0))
    assert atoms[0] == pytest.approx(atoms[1], rel=0.1)
    assert min(atoms) > 1.5 * hole


def test_a_calculator_without_waves_is_refused() -> None:
    with pytest.raises(SettingError, match="'gfn1-xtb' gives no wave functions here: take gpaw"):
        simulate_tunneling(build_impurity("Si"), calculator=Calculator())


def test_a_tip_beyond_the_cell_asks_for_more_vacuum() -> None:
    with pytest.raises(SettingError, match="beyond the cell: more vacuum"):
        simulate_tunneling(build_impurity("Si"), distance="1 nm")
