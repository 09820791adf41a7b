"""Finders of atoms and of defects know the same sheets."""

from __future__ import annotations

import ast
from pathlib import Path

import adatom
from adatom.defects.sheets import SHEETS
from adatom.numerics.sheet_bonds import SHEET_BONDS


def test_the_bond_of_a_sheet_stands_in_one_place() -> None:
    assert {name: sheet.bond for name, sheet in SHEETS.items()} == SHEET_BONDS
    holding = [
        path.stem
        for path in Path(adatom.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in SHEET_BONDS.values()
    ]
    assert holding == ["sheet_bonds"]
