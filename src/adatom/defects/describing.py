"""Defects of a sheet as tables: where each is, what it is called, its members and bonds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adatom.defects.drafts import Draft
from adatom.defects.grouping import CORE, GONE, NEIGHBOR
from adatom.defects.naming import orientation_of_defect
from adatom.defects.records import ROLES, Defects, check_defects
from adatom.defects.sheet_atoms import SheetAtoms
from adatom.defects.sheets import Sheet
from adatom.numerics.plane_graphs import key_of_graph
from adatom.schema import (
    Mask,
    Sites,
    Table,
    add_note,
    pixel_size,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]


def described_defects(
    sites: Sites,
    regions: Mask | None,
    atoms: SheetAtoms,
    drafts: list[Draft],
    sheet: Sheet,
    /,
    *,
    n_left_out: int,
) -> Defects:
    """Give the defects of drafts, with places and lengths in the unit of the sites."""
    unit, bond = space_unit(sites), atoms.bond
    attrs = _attributes(sites, regions, bond, sheet)
    defects = _defect_sites(drafts, atoms, unit, attrs, sites.attrs.get("extent"))
    node = np.concatenate([draft.node for draft in drafts]) if drafts else _none()
    role = np.concatenate([draft.role for draft in drafts]) if drafts else _none()
    sizes = np.array([len(draft.node) for draft in drafts], dtype=np.int64)
    members = sites_from_positions(
        *(atoms.place[node] * bond).T, unit=unit, spacing=bond, extent=sites.attrs.get("extent")
    )
    members["defect"] = ("site", np.repeat(np.arange(len(drafts)), sizes))
    members["species"] = ("site", atoms.species[node].astype("<U2"))
    members["role"] = ("site", np.array(ROLES)[role])
    members["atom"] = ("site", atoms.atom[node])
    members["species_probability"] = ("site", atoms.chance[node])
    for name in ("y_error", "x_error"):
        members[name] = ("site", atoms.error[node] * bond, {"units": unit})
    bonds = _bond_table(drafts, atoms, sizes, unit)
    _tell(defects, atoms, n_left_out)
    check_defects(defects, members, bonds)
    return Defects(defects, members, bonds)


def _none() -> Ints:
    return np.zeros(0, dtype=np.int64)


def _attributes(
    sites: Sites, regions: Mask | None, bond: float, sheet: Sheet
) -> dict[str, float | str]:
    unit = space_unit(sites)
    scale = {"nm": 1.0, "mm": 1e6}.get(unit, sheet.bond / bond)
    attrs: dict[str, float | str] = {
        "host": sheet.name,
        "nm_per_unit": scale,
        "scale_from": "host lattice" if unit == "px" else "file",
        "spacing": bond,
    }
    frame = sites.attrs.get("extent")
    if regions is not None:
        attrs["area"] = float(regions.values.sum() * np.prod(pixel_size(regions)))
    elif frame is not None:
        attrs["area"] = float((frame[1] - frame[0]) * (frame[3] - frame[2]))
    return attrs


def _defect_sites(
    drafts: list[Draft],
    atoms: SheetAtoms,
    unit: str,
    attrs: dict[str, float | str],
    frame: list[float] | None,
) -> Sites:
    rows = [_row(draft, atoms) for draft in drafts]
    middle = np.array([row["middle"] for row in rows], dtype=float).reshape(-1, 2) * atoms.bond
    defects = sites_from_positions(*middle.T, unit=unit, extent=frame)
    for name in ("name", "kind", "class_key"):
        # As long as the longest: a chain of rings, as along a boundary, has a long name.
        defects[name] = ("site", np.array([row[name] for row in rows], dtype=np.str_))
    for name in ("chirality", "n_core", "n_neighbors", "n_missing"):
        defects[name] = ("site", np.array([row[name] for row in rows], dtype=np.int64))
    for name, its_unit in (("orientation", "deg"), ("extent", unit), ("confidence", "1")):
        numbers = np.array([row[name] for row in rows], dtype=float)
        defects[name] = ("site", numbers * (atoms.bond if name == "extent" else 1.0))
        defects[name].attrs["units"] = its_unit
    defects.attrs.update(attrs)
    return defects


def _row(draft: Draft, atoms: SheetAtoms) -> dict[str, Any]:
    place = atoms.place[draft.node]
    inner = place[draft.role != NEIGHBOR]
    number = {int(node): k for k, node in enumerate(draft.node)}
    edges = np.array(
        [[number[int(a)], number[int(b)]] for a, b in atoms.pairs[draft.pairs]], dtype=np.int64
    ).reshape(-1, 2)
    key = key_of_graph(place, [str(name) for name in atoms.species[draft.node]], edges)
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    return {
        "middle": inner.mean(axis=0),
        "name": draft.name.name,
        "kind": draft.name.kind,
        "class_key": key.key,
        "chirality": key.chirality,
        "orientation": orientation_of_defect(inner, place[draft.role == NEIGHBOR]),
        "extent": float(apart.max()),
        "confidence": draft.confidence,
        "n_core": int((draft.role == CORE).sum()),
        "n_neighbors": int((draft.role == NEIGHBOR).sum()),
        "n_missing": int((draft.role == GONE).sum()),
    }


def _bond_table(drafts: list[Draft], atoms: SheetAtoms, sizes: Ints, unit: str) -> Table:
    first, second = [_none()], [_none()]
    start = np.cumsum(sizes) - sizes
    for draft, offset in zip(drafts, start, strict=True):
        order = np.argsort(draft.node)
        ends = atoms.pairs[draft.pairs]
        at = order[np.searchsorted(draft.node[order], ends)] + offset
        first.append(at[:, 0])
        second.append(at[:, 1])
    node = np.concatenate([_none(), *(draft.node for draft in drafts)])
    one, two = node[np.concatenate(first)], node[np.concatenate(second)]
    length = np.linalg.norm(atoms.place[one] - atoms.place[two], axis=1)
    error = np.hypot(atoms.error[one], atoms.error[two])
    return table_from_columns(
        {
            "first": np.concatenate(first),
            "second": np.concatenate(second),
            "length": length * atoms.bond,
            "length_error": error * atoms.bond,
        },
        units={"length": unit, "length_error": unit},
    )


def _tell(defects: Sites, atoms: SheetAtoms, n_left_out: int) -> None:
    names, counts = np.unique(
        [name or f"unnamed {kind}" for name, kind in
         zip(defects["name"].values, defects["kind"].values, strict=True)],
        return_counts=True,
    )  # fmt: skip
    listed = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
    inferred = int(((atoms.atom < 0) & ~atoms.missing).sum())
    add_note(
        defects,
        f"{defects.sizes['site']} defects: {listed or 'none'}; bonds of the host "
        f"{atoms.bond:.4g} {space_unit(defects)}; {inferred} atoms overlooked by the finder were "
        f"added, {atoms.n_no_atom} sites without an atom left out; {n_left_out} departures left "
        "out that have no ordered sheet around them, or are rings that no sheet has.",
    )
