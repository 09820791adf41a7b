"""Pages of a library of defects: its atlas, what a search finds, a class, a defect."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from markupsafe import Markup

import adatom
from adatom.defects.library.calculations import read_calculations
from adatom.defects.library.cards import (
    calculator_name,
    cards_of_classes,
    find_class,
    list_classes,
)
from adatom.defects.library.queries import DefectQuery
from adatom.defects.library.reading import StoredDefect, read_defects
from adatom.defects.library.searching import search_library
from adatom.defects.records import KINDS
from adatom.errors import StoreError
from adatom.explorer.addresses import FIELDS, Asked, address
from adatom.plotting.contact_sheet import plot_contact_sheet
from adatom.plotting.defects_on_image import plot_defects
from adatom.report.atlas import Rows, ShownFigure, shown_cards, shown_figure, table_of_cards
from adatom.report.page import page_template
from adatom.report.words import number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adatom.defects.class_cards import ClassCard
    from adatom.defects.library.cards import ClassCount
    from adatom.defects.library.opening import Library
    from adatom.schema import Image, Sites, Table

CLASSES_A_PAGE: Final = 6
"""A figure of a class takes about a second."""
DEFECTS_A_PAGE: Final = 24
"""Three rows of a contact sheet."""
_N_CLASSES: Final = (
    "SELECT COUNT(*) FROM (SELECT 1 AS one FROM adatom_defects d JOIN adatom_images i "
    "ON i.id = d.image_id WHERE d.is_current = 1 GROUP BY i.host, d.class_key) classes"
)
_MOST_CALCULATIONS: Final = 20
_UNKNOWN: Final = "\N{EN DASH}"


class MissingPageError(LookupError):
    """There is no such page in this library; the text says what there is none of."""


@dataclass(frozen=True)
class _Section:
    """A part of a page."""

    anchor: str
    title: str
    told: str | Markup = ""
    picture: ShownFigure | None = None
    table: Rows | None = None


@dataclass(frozen=True)
class _Place:
    """Which page of a list this is; addresses of those before and after."""

    told: str
    before: str
    after: str


@dataclass(frozen=True)
class _Page:
    """What a page holds."""

    title: str
    verdict: str | Markup
    sections: Sequence[_Section] = ()
    place: _Place | None = None
    texts: dict[str, str] = field(default_factory=dict)


def page_of_library(library: Library, asked: Asked, /, *, title: str) -> str:
    """Write the page that is asked for.

    Parameters
    ----------
    library : Library
        Only read.
    asked : Asked
    title : str
        Of the library.

    Raises
    ------
    MissingPageError
        If there is no such class, defect, or page of a list.
    SettingError
        If a search cannot be understood.
    StoreError
        If the library cannot be read.
    """
    makers = {"/": _atlas, "/search": _search, "/class": _class, "/defect": _defect}
    return _written(makers[asked.page](library, asked), title)


def page_of_error(told: str, /, *, title: str, heading: str) -> str:
    """Write a page that says what went wrong, with the form to search again."""
    return _written(_Page(heading, told), title)


def _written(page: _Page, title: str) -> str:
    return page_template("library.html.j2").render(
        library=title,
        page=page,
        fields=list(FIELDS),
        kinds=KINDS,
        version=adatom.__version__,
    )


def _atlas(library: Library, asked: Asked) -> _Page:
    offset = (asked.number - 1) * CLASSES_A_PAGE
    classes = list_classes(library, limit=CLASSES_A_PAGE, offset=offset)
    n_defects, n_classes, n_images = _sizes(library)
    if not classes and asked.number > 1:
        raise MissingPageError(_no_page(asked.number, n_classes, CLASSES_A_PAGE))
    sections, table = _cards(library, classes)
    shown = [] if table is None else [_Section("classes", "Classes", table=table)]
    return _Page(
        "Atlas",
        f"{n_defects} defects of {n_classes} classes in {n_images} images.",
        [*shown, *sections],
        place=_place(asked, n_classes, CLASSES_A_PAGE),
    )


def _sizes(library: Library) -> tuple[int, int, int]:
    questions = (
        "SELECT COUNT(*) FROM adatom_defects WHERE is_current = 1",
        _N_CLASSES,
        "SELECT COUNT(*) FROM adatom_images WHERE is_current = 1",
    )
    n_defects, n_classes, n_images = (int(library.session.rows(one)[0][0]) for one in questions)
    return n_defects, n_classes, n_images


def _cards(library: Library, classes: Sequence[ClassCount]) -> tuple[list[_Section], Rows | None]:
    """Give a section for every class, and the table of all; where pictures are lost, that is told.

    One class whose pictures are lost does not take the page of all others away.
    """
    cards: list[ClassCard] = []
    lost: list[_Section] = []
    for one in classes:
        try:
            cards += cards_of_classes(library, [one])
        except StoreError:
            told = "Its pictures or calculations are lost or damaged: `adatom library check` tells."
            lost.append(_Section(f"lost-{len(lost)}", f"class {one.class_key}", told))
    sections = [
        _Section(
            shown.anchor,
            shown.title,
            Markup("{} {}").format(shown.told, _members_link(card)),
            shown.picture,
        )
        for shown, card in zip(shown_cards(cards), cards, strict=True)
    ]
    if not cards:
        return lost, None
    table = table_of_cards(cards)
    linked = tuple(
        (_link(address("/class", host=card.host, key=card.class_key), row[0]), *row[1:])
        for card, row in zip(cards, table.rows, strict=True)
    )
    return [*sections, *lost], Rows(table.caption, table.columns, linked)


def _members_link(card: ClassCard) -> Markup:
    where = {"class": card.class_key, **({"host": card.host} if card.host else {})}
    return _link(address("/search", **where), "All its defects")


def _link(to: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(to, text)


def _search(library: Library, asked: Asked) -> _Page:
    given = {FIELDS[key]: text for key, text in asked.texts.items() if key in FIELDS}
    query = DefectQuery(**given, min_confidence=asked.confidence)  # type: ignore[arg-type]
    offset = (asked.number - 1) * DEFECTS_A_PAGE
    found = search_library(library, query, limit=DEFECTS_A_PAGE, offset=offset)
    n_found = int(found.attrs["n_found"])
    if not found.sizes["row"]:
        if asked.number > 1:
            raise MissingPageError(_no_page(asked.number, n_found, DEFECTS_A_PAGE))
        return _Page("Search", "No defect fulfils this.", texts=asked.texts)
    defects = list(read_defects(library, found["id"].values.tolist()))
    sections = [
        _Section("found", "Found", table=_found_table(found)),
        _Section("sheet", "Side by side", picture=_sheet(defects)),
    ]
    return _Page(
        "Search",
        f"{n_found} defects found.",
        sections,
        texts=asked.texts,
        place=_place(asked, n_found, DEFECTS_A_PAGE),
    )


def _found_table(found: Table) -> Rows:
    columns = ("id", "name", "kind", "formula", "host", "confidence", "extent", "source")
    rows = [
        tuple(_cell(found[name].values[k].item()) for name in columns)
        for k in range(found.sizes["row"])
    ]
    linked = tuple((_link(f"/defect/{row[0]}", row[0]), *row[1:]) for row in rows)
    return Rows("Defects", tuple("extent in nm" if c == "extent" else c for c in columns), linked)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number_text(value, digits=3) if math.isfinite(value) else _UNKNOWN
    return str(value) or _UNKNOWN


def _sheet(defects: Sequence[StoredDefect]) -> ShownFigure:
    patches, members = [_patch(one) for one in defects], [_members(one) for one in defects]
    titles = [f"{one.id}  {one.row.name or one.row.class_key[:8]}" for one in defects]
    figure = plot_contact_sheet(patches, titles, members=members)
    lost = sum(patch is None for patch in patches)
    told = f" Of {lost} the library has no image." if lost else ""
    return shown_figure(figure, f"Number and name of each; atoms as found.{told}", "")


def _patch(one: StoredDefect) -> Image | None:
    try:
        return one.patch()
    except StoreError:
        return None


def _members(one: StoredDefect) -> Sites:
    return one.found.members


def _class(library: Library, asked: Asked) -> _Page:
    host, key = asked.texts.get("host", ""), asked.texts.get("key", "")
    one = find_class(library, host, key)
    if one is None:
        msg = f"The library holds no class {key!r} of the host {host!r}: the atlas lists all."
        raise MissingPageError(msg)
    sections, table = _cards(library, [one])
    shown = [] if table is None else [_Section("figures", "How often", table=table)]
    return _Page(f"Class {key}", f"Defects of {host}.", [*sections, *shown])


def _defect(library: Library, asked: Asked) -> _Page:
    found = list(read_defects(library, [asked.number]))
    if not found:
        msg = f"The library holds no defect {asked.number}: a search lists those that it holds."
        raise MissingPageError(msg)
    (one,) = found
    row, image = one.row, one.image
    of_class = {"host": str(image["host"]), "key": row.class_key}
    old = "" if image["is_current"] else " This is an older analysis of its image."
    verdict = Markup("{} in {}, of {}.{}").format(
        row.kind, image["host"], _link(address("/class", **of_class), f"class {row.class_key}"), old
    )
    sections = [
        _Section("picture", "Picture", picture=_picture(one)),
        _Section("facts", "What is known", table=_facts(one)),
        _Section("atoms", "Atoms", table=_atoms(one)),
    ]
    measures = _measures(library, one.id)
    if measures.rows:
        sections.append(_Section("geometry", "Bonds and angles", table=measures))
    computed = _calculations(library, one.id)
    if computed.rows:
        sections.append(_Section("computed", "Computed", table=computed))
    return _Page(f"Defect {one.id}: {row.name or 'without a name'}", verdict, sections)


def _picture(one: StoredDefect) -> ShownFigure:
    """Draw the defect over its image, where it is in it."""
    patch = _patch(one)
    if patch is None:
        told = "Atoms and bonds as found; the library has no image of them."
        return shown_figure(plot_defects(one.found), told, "")
    places = {}
    for dim, at in (("y", one.row.y), ("x", one.row.x)):
        origin, step = float(one.image[f"origin_{dim}"]), float(one.image[f"step_{dim}_nm"])
        first = round((at - origin) / step) - patch.sizes[dim] // 2
        places[dim] = (dim, origin + step * (first + np.arange(patch.sizes[dim])), {"units": "nm"})
    # Beyond the edge of the image there is nothing to show.
    seen = patch.assign_coords(places).dropna("y", how="all").dropna("x", how="all")
    figure = plot_defects(one.found, seen if min(seen.shape) > 1 else None)
    return shown_figure(figure, "Atoms and bonds as found, over the image.", "")


def _facts(one: StoredDefect) -> Rows:
    row, image = one.row, one.image
    told: list[tuple[str, Any]] = [
        ("formula", row.formula),
        ("confidence", row.confidence),
        ("extent in nm", row.extent),
        ("y, x in nm", f"{_cell(row.y)}, {_cell(row.x)}"),
        ("image", image["source"] or image["image_hash"][:16]),
        ("size in px", f"{image['height']} x {image['width']}" if image["height"] else ""),
        ("recipe", image["recipe"]),
        ("added", f"{image['added']} by adatom {image['version']}"),
    ]
    return Rows("", ("what", "value"), tuple((name, _cell(value)) for name, value in told))


def _atoms(one: StoredDefect) -> Rows:
    columns = ("species", "role", "y", "x", "species_probability")
    members = one.found.members
    values = [members[name].values.tolist() for name in columns]
    rows = tuple(tuple(_cell(value) for value in row) for row in zip(*values, strict=True))
    return Rows("", ("species", "role", "y in nm", "x in nm", "probability"), rows)


def _measures(library: Library, number: int) -> Rows:
    told = library.session.rows(
        "SELECT what, number, smallest, mean, largest FROM adatom_geometry WHERE defect_id = ? "
        "ORDER BY what",
        (number,),
    )
    rows = tuple(
        (
            str(what), str(count), *(_cell(float(value)) for value in values),
            "deg" if str(what).count("-") == 2 else "nm",
        )
        for what, count, *values in told
    )  # fmt: skip
    return Rows("", ("between", "number", "smallest", "mean", "largest", "unit"), rows)


def _calculations(library: Library, number: int) -> Rows:
    rows = tuple(
        (
            calculator_name(one), _cell(one.energy), _cell(one.formation_energy), _cell(one.rmsd),
            one.made,
        )
        for one in read_calculations(library, defect_id=number)[:_MOST_CALCULATIONS]
    )  # fmt: skip
    columns = (
        "calculator", "energy in eV", "formation energy in eV", "distance from the observed in nm",
        "made",
    )  # fmt: skip
    return Rows("", columns, rows)


def _place(asked: Asked, number: int, on_page: int) -> _Place | None:
    last = max(1, -(-number // on_page))
    if last == 1:
        return None
    return _Place(
        f"page {asked.number} of {last}",
        asked.on_page(asked.number - 1) if asked.number > 1 else "",
        asked.on_page(asked.number + 1) if asked.number < last else "",
    )


def _no_page(asked: int, number: int, on_page: int) -> str:
    return f"There is no page {asked}: the list has {max(1, -(-number // on_page))}."
