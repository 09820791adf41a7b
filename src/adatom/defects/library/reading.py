"""Rows of a library read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adatom.defects.library.ase_rows import structure_of_row
from adatom.defects.library.packing import DefectRow, defects_of_rows
from adatom.defects.library.pictures import get_array, get_window
from adatom.errors import StoreError
from adatom.schema import image_from_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from adatom.defects.library.opening import Library
    from adatom.defects.records import Defects
    from adatom.schema import Image, Structure

_ROW_COLUMNS: Final = (
    "name", "kind", "class_key", "formula", "chirality", "orientation", "extent_nm", "confidence",
    "y_nm", "x_nm", "n_core", "n_neighbors", "n_missing", "members", "bonds",
)  # fmt: skip
# SQLite takes at most some 32,000 values in one statement.
_AT_ONCE: Final = 10_000


@dataclass(frozen=True)
class StoredDefect:
    """A defect as it stands in a library.

    Attributes
    ----------
    id : int
        Number of its row, and of the row of the ASE database.
    row : DefectRow
        What is known of it; lengths in nm.
    image : mapping
        What is known of its image and of how it was analyzed.
    library : Library
        Where it stands.
    """

    id: int
    row: DefectRow
    image: Mapping[str, Any]
    library: Library

    @property
    def found(self) -> Defects:
        """The defect, its members and bonds, in nm."""
        return defects_of_rows([self.row], attrs=attrs_of_image(self.image))

    @property
    def structure(self) -> Structure:
        """Its atoms in angstrom, its center in the origin, y up; missing atoms as X."""
        return structure_of_row(self.row)

    def patch(self, *, size_nm: float = 1.6) -> Image | None:
        """Cut a square out of its image, the defect in the middle; NaN beyond the edge.

        Parameters
        ----------
        size_nm : float
            Side. The default shows a ring of the crystal around a defect of a few atoms.

        Returns
        -------
        Image or None
            None where the library keeps no image.
        """
        return patch_of_row(self.library, self.row, self.image, size_nm=size_nm)


def patch_of_row(
    library: Library, row: DefectRow, image: Mapping[str, Any], /, *, size_nm: float
) -> Image | None:
    """Cut a square around a defect out of its image."""
    if not image["pixels"] or library.store is None:
        return None
    steps = [float(image["step_y_nm"]), float(image["step_x_nm"])]
    half = [max(1, round(size_nm / step / 2)) for step in steps]
    middle = [
        round((place - float(image[f"origin_{dim}"])) / step)
        for place, dim, step in zip((row.y, row.x), "yx", steps, strict=True)
    ]
    sizes = (int(image["height"]), int(image["width"]))
    whole = [slice(max(0, m - h), min(n, m + h + 1)) for m, h, n in zip(middle, half, sizes)]
    patch = np.full((2 * half[0] + 1, 2 * half[1] + 1), np.nan, dtype=np.float32)
    inside = [
        slice(part.start - m + h, part.stop - m + h) for part, m, h in zip(whole, middle, half)
    ]
    if all(part.stop > part.start for part in whole):
        patch[tuple(inside)] = get_window(library.store, image["pixels"], whole[0], whole[1])
    return _with_axes(image_from_array(patch, pixel_size="1 nm"), steps, (0.0, 0.0))


def _with_axes(image: Image, steps: Sequence[float], origin: Sequence[float]) -> Image:
    return image.assign_coords(
        {
            dim: (dim, first + step * np.arange(image.sizes[dim]), {"units": "nm"})
            for dim, step, first in zip("yx", steps, origin, strict=True)
        }
    )


def image_of_facts(library: Library, image: Mapping[str, Any], /) -> Image | None:
    """Read the whole image of an analysis, None where the library keeps none."""
    if not image["pixels"] or library.store is None:
        return None
    values = get_array(library.store, image["pixels"], "image")
    steps = (float(image["step_y_nm"]), float(image["step_x_nm"]))
    origin = (float(image["origin_y"]), float(image["origin_x"]))
    made = _with_axes(image_from_array(values, pixel_size="1 nm"), steps, origin)
    return made.assign_attrs(source=image["source"])


def attrs_of_image(image: Mapping[str, Any], /) -> dict[str, Any]:
    """Give the attributes of defects of an image, lengths in nm."""
    known = {"spacing": image["spacing_nm"], "area": image["area_nm2"]}
    attrs = {
        "host": image["host"],
        "nm_per_unit": 1.0,
        "scale_from": image["scale_from"],
        "source": image["source"],
        **{key: value for key, value in known.items() if value is not None},
    }
    told = json.loads(image["notes"])
    return {**attrs, "notes": told} if told else attrs


def read_defect(library: Library, number: int, /) -> StoredDefect:
    """Read one row.

    Raises
    ------
    StoreError
        If there is none of this number.
    """
    found = list(read_defects(library, [number]))
    if not found:
        msg = f"there is no defect {number} in {library!r}: `adatom library search` lists them"
        raise StoreError(msg)
    return found[0]


def read_defects(library: Library, numbers: Sequence[int], /) -> Iterator[StoredDefect]:
    """Read rows in the order of their numbers given; those that are not there are left out."""
    images: dict[int, Mapping[str, Any]] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        some = [int(number) for number in numbers[start : start + _AT_ONCE]]
        marks = ", ".join("?" * len(some))
        told = library.session.rows(
            f"SELECT id, image_id, {', '.join(_ROW_COLUMNS)} "  # noqa: S608 -- names of ours
            f"FROM adatom_defects WHERE id IN ({marks})",
            some,
        )
        rows = {number: (image_id, row_of_values(values)) for number, image_id, *values in told}
        for number in some:
            if number not in rows:
                continue
            image_id, row = rows[number]
            if image_id not in images:
                images[image_id] = read_image_facts(library, image_id)
            yield StoredDefect(number, row, images[image_id], library)


def row_of_values(values: Sequence[Any], /) -> DefectRow:
    """Make a row of what its columns hold."""
    told: dict[str, Any] = dict(zip(_ROW_COLUMNS, values, strict=True))
    plain: dict[str, Any] = {key: told[key] for key in ("name", "kind", "class_key", "formula")}
    for key in ("chirality", "n_core", "n_neighbors", "n_missing"):
        plain[key] = int(told[key])
    return DefectRow(
        **plain,
        orientation=_real(told["orientation"]),
        extent=_real(told["extent_nm"]),
        confidence=_real(told["confidence"]),
        y=float(told["y_nm"]),
        x=float(told["x_nm"]),
        members=_packed(told["members"], 8),
        bonds=_packed(told["bonds"], 4),
    )


def _real(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _packed(value: object, n_columns: int) -> np.ndarray[Any, Any]:
    if not isinstance(value, bytes) or len(value) % (8 * n_columns):
        msg = "atoms or bonds of a defect are damaged: restore a copy of the library"
        raise StoreError(msg)
    return np.frombuffer(value, dtype="<f8").reshape(-1, n_columns).astype(np.float64)


def rows_of_image(library: Library, image_id: int, /) -> list[tuple[int, DefectRow]]:
    """Read all defects of an analysis, in their order."""
    told = library.session.rows(
        f"SELECT id, {', '.join(_ROW_COLUMNS)} FROM adatom_defects "  # noqa: S608
        "WHERE image_id = ? ORDER BY number",
        (image_id,),
    )
    return [(number, row_of_values(values)) for number, *values in told]


_FACT_COLUMNS: Final = (
    "id", "image_hash", "analysis_key", "is_current", "source", "source_sha256", "height", "width",
    "origin_y", "origin_x", "step_y_nm", "step_x_nm", "unit", "nm_per_unit", "scale_from", "host",
    "spacing_nm", "area_nm2", "n_defects", "pixels", "recipe", "recipe_sha256", "version",
    "added", "notes",
)  # fmt: skip


def read_image_facts(library: Library, image_id: int, /) -> dict[str, Any]:
    """Read what is known of an image and its analysis."""
    return next(iter(_image_facts(library, "WHERE id = ?", (image_id,))))


def read_all_image_facts(library: Library, /, *, only_current: bool = True) -> list[dict[str, Any]]:
    """Read what is known of all images."""
    return _image_facts(library, "WHERE is_current = 1" if only_current else "", ())


def _image_facts(library: Library, where: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    told = library.session.rows(
        f"SELECT {', '.join(_FACT_COLUMNS)} FROM adatom_images {where} ORDER BY id",  # noqa: S608
        values,
    )
    return [dict(zip(_FACT_COLUMNS, row, strict=True)) for row in told]
