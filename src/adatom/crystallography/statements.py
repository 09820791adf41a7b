"""What symmetry says of classes, in tables and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.crystallography.components import squared_distances
from adatom.crystallography.orbits import Orbits, purity
from adatom.numerics.groups import counts_by_group, means_by_group
from adatom.numerics.point_groups import group_of_matrices, hermann_mauguin
from adatom.schema import Table, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.crystallography.aligned import AlignedVectors
    from adatom.crystallography.breaking_test import Breaking
    from adatom.crystallography.variant_fits import Fitted
    from adatom.crystallography.variant_labels import Labels
    from adatom.crystallography.variant_models import VariantModel

# Of pairs one cell apart, as many change to the same other class; walls take the rest.
_EXCHANGED: Final = 0.75


def classes_exchanged(fitted: Fitted, /) -> NDArray[np.int64]:
    """Give a number to every set of classes that a translation by one cell exchanges.

    Such classes are the cells of a superlattice, not variants.
    """
    n = len(fitted.orbits.means)
    root = np.arange(n)
    if len(fitted.field.characters) == 1 or fitted.orbits.n_populated < 2:
        return root
    return joined_by_steps(fitted, root)


def joined_by_steps(fitted: Fitted, root: NDArray[np.int64], /) -> NDArray[np.int64]:
    """Join classes that most cells exchange with their neighbors along i or along j."""
    orbits, label = fitted.orbits, fitted.label
    for step in ((1, 0), (0, 1)):
        to = fitted.field.grid.partners(step)
        pairs = (to >= 0) & (label >= 0)
        pairs &= label[to] >= 0
        share = purity(label[pairs], label[to[pairs]], len(orbits.means))
        for k in range(orbits.n_populated):
            most = int(np.nan_to_num(share[k]).argmax())
            if most != k and share[k, most] >= _EXCHANGED:
                root[root == root[most]] = root[k]
    # What a translation does to classes, its image does to theirs.
    for image in orbits.image:
        for k in range(orbits.n_populated):
            for other in np.flatnonzero(root[: orbits.n_populated] == root[k]):
                # k and other are exchanged, so are their images.
                root[root == root[image[other]]] = root[image[k]]
    return np.asarray(np.unique(root, return_inverse=True)[1], dtype=np.int64)


def merged_phases(orbits: Orbits, exchanged: NDArray[np.int64], /) -> NDArray[np.int64]:
    """Give the phase of every class: orbits of which a translation exchanges classes are one."""
    root = np.arange(int(orbits.orbit.max()) + 1)
    for number in np.unique(exchanged):
        together = np.unique(root[orbits.orbit[exchanged == number]])
        root[np.isin(root, together)] = together.min()
    phases = np.unique(root, return_inverse=True)[1]
    return np.asarray(phases[orbits.orbit], dtype=np.int64)


def operations_table(fitted: Fitted, model: VariantModel, /) -> Table:
    """Give for every operation where it brings each class, and the purity of that."""
    orbits, window = fitted.orbits, fitted.window
    rows = window.rows - orbits.affine
    goal = orbits.means @ window.whitening.T
    plain = squared_distances(rows @ window.whitening.T, goal).argmin(axis=1)
    purities, images = [], []
    for number, acting in enumerate(fitted.actions):
        moved = squared_distances(rows @ acting.T @ window.whitening.T, goal).argmin(axis=1)
        share = purity(plain, moved, len(goal))
        populated = np.arange(orbits.n_populated)
        purities.append(float(np.nanmin(share[populated, orbits.image[number, populated]])))
        images.append(" ".join(map(str, orbits.image[number])))
    return table_from_columns(
        {
            "operation": [each.name for each in model.star.operations],
            "purity": purities,
            "images": images,
        }
    )


def phase_table(
    aligned: AlignedVectors,
    model: VariantModel,
    labels: Labels,
    unit: str,
    p_value: NDArray[np.float64],
    level: float,
    exchanged: NDArray[np.int64],
    breaking: Breaking,
    /,
) -> Table:
    """Give a row a phase: variants, symmetry, sites, and by how much symmetry is broken."""
    # Operations that leave a class, or the cells that a translation exchanges, as they are.
    kept = np.stack([exchanged[image] == exchanged for image in model.image])
    n_phases = int(model.phase.max()) + 1
    counts = counts_by_group(labels.label, n_groups=len(model.means))
    total = max(1, int(counts.sum()))
    columns: dict[str, list[float | int | str]] = {}
    for phase in range(n_phases):
        classes = np.flatnonzero(model.phase == phase)
        group = group_of_matrices(list(model.matrices[kept[:, classes[0]]]))
        populated = classes[classes < model.n_classes]
        n_sites = int(counts[classes].sum())
        n_classes, n_populated = (len(np.unique(exchanged[k])) for k in (classes, populated))
        row: dict[str, float | int | str] = {
            "phase": phase,
            "verdict": _verdict(n_classes, n_populated, len(populated), len(classes)),
            "n_variants": n_classes,
            "n_populated": n_populated,
            "n_translation": len(populated) // max(1, n_populated),
            "point_group": hermann_mauguin(group),
            "schoenflies": group,
            "p_value": float(p_value[phase]),
            "n_sites": n_sites,
            "fraction": n_sites / total,
            "symmetry_breaking": float(breaking.size[classes[0]]) * aligned.spacing,
            "symmetry_breaking_error": float(breaking.error[classes[0]]) * aligned.spacing,
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    units = dict.fromkeys(("symmetry_breaking", "symmetry_breaking_error"), unit)
    table = table_from_columns(columns, units=units)
    table.attrs["level"] = level
    table.attrs["parent"] = hermann_mauguin(model.point_group)
    return table


def _verdict(n_classes: int, n_populated: int, n_found: int, n_all: int) -> str:
    if n_found < n_all and n_populated < n_classes:
        return "orbit incomplete"
    return "non-ferroic" if n_classes == 1 else "ferroic"


def members_table(
    aligned: AlignedVectors,
    model: VariantModel,
    labels: Labels,
    unit: str,
    exchanged: NDArray[np.int64],
    /,
) -> Table:
    """Give a row a class: its phase, sites, mean displacement of the center, and rotation."""
    n = model.n_classes
    counts = counts_by_group(labels.label, n_groups=n)
    finite = np.where(np.isfinite(labels.rotation), labels.label, -1)
    turned = np.degrees(means_by_group(np.nan_to_num(labels.rotation), finite, n_groups=n))
    spread = np.degrees(
        np.sqrt(means_by_group(np.nan_to_num(labels.rotation) ** 2, finite, n_groups=n))
    )
    center = -model.means[:n].mean(axis=1) * aligned.spacing
    return table_from_columns(
        {
            "variant": np.arange(n),
            "phase": model.phase[:n],
            "translation_set": exchanged[:n],
            "n_sites": counts,
            "fraction": counts / max(1, counts.sum()),
            "displacement_y": center[:, 0],
            "displacement_x": center[:, 1],
            "rotation": turned,
            "rotation_spread": np.sqrt(np.maximum(spread**2 - turned**2, 0)),
        },
        units={"displacement_y": unit, "displacement_x": unit}
        | dict.fromkeys(("rotation", "rotation_spread"), "deg"),
    )


def statement_of(table: Table, /) -> str:
    """Say in words what the table of phases says."""
    parts = []
    for row in range(table.sizes["row"]):
        at = table.isel(row=row)
        n, populated = int(at["n_variants"]), int(at["n_populated"])
        verdict, p = str(at["verdict"].values), float(at["p_value"])
        told = [f"phase {int(at['phase'])}: "]
        told.append("non-ferroic" if verdict == "non-ferroic" else "ferroic")
        if verdict == "ferroic":
            told.append(f", {n} variants")
        elif verdict == "orbit incomplete":
            told[-1] = f"{populated} of {n} variants present"
        told.append(f", point group {at['point_group'].values} in projection")
        if verdict != "non-ferroic":
            told.append(f"; orbit {'complete' if verdict == 'ferroic' else 'incomplete'}")
        if (cells := int(at["n_translation"])) > 1:
            told.append(
                f"; {cells} classes exchanged by translation: a cell {cells} times as large"
            )
        told.append(" (p is not known)" if np.isnan(p) else f" (p = {p:.2g})")
        parts.append("".join(told))
    return "; ".join(parts)
