"""Adding what was found in an image: all of it or nothing, and nothing twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

import adatom
from adatom.defects.library.ase_rows import (
    AseRows,
    planar_atoms,
    set_current,
)
from adatom.defects.library.geometry import measures_of_row, shape_of_atoms
from adatom.defects.library.packing import (
    DefectRow,
    check_found,
    key_of_rows,
    nm_per_unit,
    rows_of_defects,
)
from adatom.defects.library.pictures import hash_of_image, put_arrays
from adatom.defects.library.sessions import insertion
from adatom.errors import KindError
from adatom.numerics.origins import current_origin
from adatom.schema import IMAGE, notes, pixel_size, space_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from adatom.defects.library.opening import Library
    from adatom.defects.library.sessions import Session
    from adatom.defects.records import Defects
    from adatom.schema import Image

State = Literal["new", "known", "replaced"]

_IMAGE_COLUMNS: Final = (
    "image_hash", "analysis_key", "is_current", "source", "source_sha256", "height", "width",
    "origin_y", "origin_x", "step_y_nm", "step_x_nm", "unit", "nm_per_unit", "scale_from",
    "host", "spacing_nm", "area_nm2", "n_defects", "pixels", "recipe", "recipe_sha256", "version",
    "added", "notes",
)  # fmt: skip
_DEFECT_COLUMNS: Final = (
    "id", "image_id", "number", "is_current", "name", "kind", "class_key", "formula", "chirality",
    "orientation", "extent_nm", "confidence", "y_nm", "x_nm", "n_core", "n_neighbors",
    "n_missing", "members", "bonds",
)  # fmt: skip


@dataclass(frozen=True)
class Analysis:
    """What was found in one image, ready to be written.

    Attributes
    ----------
    facts : mapping
        Columns of the table of images.
    rows : sequence of DefectRow
        Its defects, in their order.
    """

    facts: Mapping[str, Any]
    rows: Sequence[DefectRow]

    @property
    def image_hash(self) -> str:
        """Hash of the image."""
        return str(self.facts["image_hash"])

    @property
    def key(self) -> str:
        """Hash of what was found in it."""
        return str(self.facts["analysis_key"])


@dataclass(frozen=True)
class Added:
    """What adding did.

    Attributes
    ----------
    state : {"new", "known", "replaced"}
        Whether the image is new, was there with the same defects, or was
        there with others, which are kept as an older analysis.
    n_defects : int
        Found in the image.
    image_hash, analysis_key : str
        Of the image and of what was found in it.
    """

    state: State
    n_defects: int
    image_hash: str
    analysis_key: str


def add_defects(
    library: Library,
    found: Defects,
    image: Image | None = None,
    /,
    *,
    source: str | None = None,
    keep_image: bool = True,
) -> Added:
    """Add the defects of an image in one transaction.

    An image is known by the values of its pixels, an analysis by what it
    found. The same analysis again changes nothing. Another one of the same
    image, as by other settings, takes the place of the one before: that is
    kept, marked as not current, and is no longer searched and counted.

    Parameters
    ----------
    library : Library
        Opened for writing.
    found : Defects
        From `find_defects`, of one image.
    image : Image, optional
        The image as read. Where it is left out, the defects alone tell
        whether it is there already.
    source : str, optional
        Name of the file; by default what the image says.
    keep_image : bool
        Whether to keep the pixels.

    Raises
    ------
    KindError
        If these are no defects of one image, or have no scale.
    StoreError
        If the library cannot be written.
    """
    analysis = analysis_of_defects(found, image, source=source)
    if image is not None and keep_image and library.store is not None:
        pixels = put_arrays(library.store, {"image": np.asarray(image.values)})
        analysis = Analysis({**analysis.facts, "pixels": pixels}, analysis.rows)
    return write_analysis(library, analysis)


def analysis_of_defects(
    found: Defects, image: Image | None = None, /, *, source: str | None = None
) -> Analysis:
    """Make ready what is to be written."""
    whole = check_found(found)
    if image is not None:
        IMAGE.check(image)
        _check_units(image, whole.defects)
    rows, scale = rows_of_defects(whole), nm_per_unit(whole.defects)
    attrs, origin = whole.defects.attrs, current_origin()
    host = str(attrs.get("host", ""))
    key = key_of_rows(rows, host, scale)
    hashes = list(origin.files.values())
    area = attrs.get("area")
    spacing = attrs.get("spacing")
    facts = {
        "image_hash": key if image is None else hash_of_image(np.asarray(image.values)),
        "analysis_key": key,
        "is_current": 1,
        "source": source or _source(image, whole.defects),
        "source_sha256": hashes[0] if len(hashes) == 1 else "",
        **_frame_facts(image, scale),
        "unit": space_unit(whole.defects),
        "nm_per_unit": scale,
        "scale_from": str(attrs.get("scale_from", "")),
        "host": host,
        "spacing_nm": None if spacing is None else float(spacing) * scale,
        "area_nm2": None if area is None else float(area) * scale**2,
        "n_defects": len(rows),
        "pixels": "",
        "recipe": origin.recipe,
        "recipe_sha256": origin.recipe_sha256,
        "version": adatom.__version__,
        "added": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": json.dumps(notes(whole.defects)),
    }
    return Analysis(facts, rows)


def _check_units(image: xr.DataArray, defects: xr.Dataset) -> None:
    """Refuse an image whose places are not those of the defects."""
    if space_unit(image) != space_unit(defects):
        msg = (
            f"the image is in {space_unit(image)}, its defects are in {space_unit(defects)}: give "
            "the image in which they were found"
        )
        raise KindError(msg)


def _source(image: xr.DataArray | None, defects: xr.Dataset) -> str:
    for data in (image, defects):
        if data is not None and data.attrs.get("source"):
            return str(data.attrs["source"])
    names = list(current_origin().files)
    return names[0] if len(names) == 1 else ""


def _frame_facts(image: xr.DataArray | None, scale: float) -> dict[str, Any]:
    if image is None:
        empty = ("height", "width", "origin_y", "origin_x", "step_y_nm", "step_x_nm")
        return dict.fromkeys(empty)
    step_y, step_x = pixel_size(image)
    return {
        "height": image.sizes["y"],
        "width": image.sizes["x"],
        "origin_y": float(image.y.values[0]) * scale,
        "origin_x": float(image.x.values[0]) * scale,
        "step_y_nm": step_y * scale,
        "step_x_nm": step_x * scale,
    }


def write_analysis(library: Library, analysis: Analysis, /, *, current: bool = True) -> Added:
    """Write an analysis in one transaction.

    Parameters
    ----------
    library : Library
    analysis : Analysis
    current : bool
        Whether it takes the place of one that is there; else that stays.
    """
    session = library.session
    with session.transaction():
        session.lock(analysis.image_hash)
        state = _write(library, session, analysis, current=current)
    return Added(state, len(analysis.rows), analysis.image_hash, analysis.key)


def _write(library: Library, session: Session, analysis: Analysis, *, current: bool) -> State:
    known = session.rows(
        "SELECT id, analysis_key, is_current FROM adatom_images WHERE image_hash = ?",
        (analysis.image_hash,),
    )
    own = [(number, is_current) for number, key, is_current in known if key == analysis.key]
    if own and (own[0][1] or not current):
        return "known"
    if current:
        for number, _, is_current in known:
            if is_current:
                set_current(session, number, 0)
    if own:
        set_current(session, own[0][0], 1)
        return "replaced"
    is_current = int(current or not known)
    _insert(library, session, analysis, is_current)
    return "replaced" if known else "new"


def _insert(library: Library, session: Session, analysis: Analysis, is_current: int) -> None:
    facts = {**analysis.facts, "is_current": is_current}
    image_id = session.new_ids("adatom_images", 1)[0]
    session.many(
        insertion("adatom_images", ("id", *_IMAGE_COLUMNS)),
        [(image_id, *(facts[name] for name in _IMAGE_COLUMNS))],
    )
    rows = analysis.rows
    numbers = session.new_ids("systems", len(rows)) if rows else []
    ase_rows = AseRows(library.place)
    for place, (number, row) in enumerate(zip(numbers, rows, strict=True)):
        ase_rows.add(
            number,
            planar_atoms(row),
            _ase_values(row, facts),
            unique=f"{analysis.image_hash} {analysis.key} {place}",
        )
    ase_rows.write(session)
    session.many(
        insertion("adatom_defects", _DEFECT_COLUMNS),
        [
            _defect_values(number, image_id, place, is_current, row)
            for place, (number, row) in enumerate(zip(numbers, rows, strict=True))
        ],
    )
    _insert_measures(session, numbers, rows)


def _ase_values(row: DefectRow, facts: Mapping[str, Any]) -> dict[str, str | float]:
    """Give keys by which ASE finds a row; text must not look like a number."""
    texts = {
        "name": row.name,
        "kind": row.kind,
        "host": facts["host"],
        "class_key": f"class-{row.class_key}",
        "image": f"image-{facts['image_hash'][:16]}",
    }
    values: dict[str, str | float] = {"adatom": "defect", "current": int(facts["is_current"])}
    values |= {key: _not_a_number(text) for key, text in texts.items() if text}
    numbers = {"confidence": row.confidence, "extent": row.extent}
    return values | {key: number for key, number in numbers.items() if np.isfinite(number)}


@lru_cache(maxsize=4096)
def _not_a_number(text: str) -> str:
    from ase.db.core import convert_str_to_int_float_bool_or_str

    value = convert_str_to_int_float_bool_or_str(text)  # type: ignore[no-untyped-call]
    return text if isinstance(value, str) else f"name-{text}"


def _defect_values(
    number: int, image_id: int, place: int, is_current: int, row: DefectRow
) -> tuple[Any, ...]:
    return (
        number, image_id, place, is_current, row.name, row.kind, row.class_key, row.formula,
        row.chirality, _real(row.orientation), _real(row.extent), _real(row.confidence),
        row.y, row.x, row.n_core, row.n_neighbors, row.n_missing,
        row.members.astype("<f8").tobytes(), row.bonds.astype("<f8").tobytes(),
    )  # fmt: skip


def _real(value: float) -> float | None:
    """NaN has no place in a database: what is not known is left out."""
    return float(value) if np.isfinite(value) else None


def _insert_measures(session: Session, numbers: Sequence[int], rows: Sequence[DefectRow]) -> None:
    session.many(
        "INSERT INTO adatom_formulas (formula) VALUES (?) ON CONFLICT DO NOTHING",
        [(formula,) for formula in sorted({row.formula for row in rows})],
    )
    session.many(
        "INSERT INTO adatom_geometry (defect_id, what, number, smallest, mean, largest) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            (number, *measure)
            for number, row in zip(numbers, rows, strict=True)
            for measure in measures_of_row(row)
        ],
    )
    session.many(
        "INSERT INTO adatom_shapes (defect_id, places) VALUES (?, ?)",
        [
            (number, shape_of_atoms(row.numbers, row.places).astype("<f4").tobytes())
            for number, row in zip(numbers, rows, strict=True)
        ],
    )
