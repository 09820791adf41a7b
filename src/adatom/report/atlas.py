"""The atlas of a library of defects: a card for every class, in one HTML file."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

import adatom
from adatom.numerics.whole_files import write_whole
from adatom.plotting._canvas import png_from_figure
from adatom.plotting.defect_classes import plot_defect_class
from adatom.report.encoding import fewer_colors
from adatom.report.page import page_template
from adatom.report.words import number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from adatom.defects.class_cards import ClassCard, Estimate

_SHOWN_DPI: Final = 100
_UNKNOWN: Final = "\N{EN DASH}"
# Of a key: as many as `adatom library search --class` is likely to be given.
_KEY_DIGITS: Final = 8


@dataclass(frozen=True)
class ShownFigure:
    """A picture inside of a page."""

    uri: str
    caption: str
    file: str
    width: int


@dataclass(frozen=True)
class ShownCard:
    """A class as a page shows it."""

    anchor: str
    title: str
    told: str
    picture: ShownFigure


@dataclass(frozen=True)
class Rows:
    """A table as a page shows it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    colors: tuple[str, ...] = ()


def write_atlas(
    cards: Sequence[ClassCard], place: str | Path, /, *, title: str = "Atlas of defects"
) -> Path:
    """Write the page of a library: how often each class of defects is, and what it looks like.

    Parameters
    ----------
    cards : sequence of ClassCard
        In the order of the page.
    place : str or Path
        Of the HTML file.
    title : str
        Of the page.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    WriteError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from adatom.defects import ClassCard, Estimate
    >>> card = ClassCard("Si1C3", "0" * 16, Estimate(3, 1, 8), Estimate(0.1, 0.03, 0.3), 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atlas([card], f"{folder}/atlas.html").name
    'atlas.html'
    """
    path = Path(place)
    n_defects = int(sum(card.count.value for card in cards))
    page = page_template("atlas.html.j2").render(
        title=title,
        verdict=_verdict(cards, n_defects),
        table=table_of_cards(cards),
        cards=shown_cards(cards),
        version=adatom.__version__,
        written=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_whole(path, page.encode())
    return path


def _verdict(cards: Sequence[ClassCard], n_defects: int) -> str:
    if not cards:
        return "The library holds no defects."
    most = max(cards, key=lambda card: card.count.value)
    named = sum(1 for card in cards if card.name)
    share = most.count.value / n_defects
    return (
        f"{n_defects} defects of {len(cards)} classes, {named} of them with a name. "
        f"Most are {_name(most)}: {int(most.count.value)} ({100 * share:.0f} %)."
    )


def _short_keys(cards: Sequence[ClassCard]) -> list[str]:
    """Give the first digits of the keys, as many as tell them apart."""
    whole = {card.class_key for card in cards}
    length = _KEY_DIGITS
    while len({key[:length] for key in whole}) < len(whole):
        length += 1
    return [card.class_key[:length] for card in cards]


def _titles(cards: Sequence[ClassCard], keys: Sequence[str]) -> list[str]:
    """Name the classes, with key and host where others have the same name."""
    n_of_name = Counter(_name(card) for card in cards)
    n_of_key = Counter(card.class_key for card in cards)
    titles = []
    for card, key in zip(cards, keys, strict=True):
        title = _name(card)
        if n_of_name[title] > 1:
            title += f", class {key}"
        if n_of_key[card.class_key] > 1 and card.host:
            title += f", in {card.host}"
        titles.append(title)
    return titles


def shown_cards(cards: Sequence[ClassCard], /) -> list[ShownCard]:
    """Give what a page shows of every class: its name, its figure, and sentences."""
    titles = _titles(cards, _short_keys(cards))
    return [
        _shown(card, number, title)
        for number, (card, title) in enumerate(zip(cards, titles, strict=True))
    ]


def table_of_cards(cards: Sequence[ClassCard], /) -> Rows:
    """Give the rows of a page: how often each class was seen, how dense, what was computed."""
    keys = _short_keys(cards)
    columns = (
        "class",
        "key",
        "host",
        "seen",
        "95 %",
        "images",
        "per nm²",
        "95 %",
        "formation energy in eV",
    )
    rows = tuple(
        (
            _name(card), key, card.host or _UNKNOWN, f"{card.count.value:.0f}",
            _interval(card.count), str(card.n_images),
            _number(card.density.value), _interval(card.density), _energies(card),
        )
        for card, key in zip(cards, keys, strict=True)
    )  # fmt: skip
    return Rows("How often each class was seen", columns, rows)


def _name(card: ClassCard) -> str:
    return card.name or f"unnamed {card.class_key[:6]}"


def _number(value: float) -> str:
    return number_text(value, digits=3) if np.isfinite(value) else _UNKNOWN


def _interval(estimate: Estimate) -> str:
    if not np.isfinite(estimate.low):
        return _UNKNOWN
    return f"{_number(estimate.low)} to {_number(estimate.high)}"


def _energies(card: ClassCard) -> str:
    known = [one for one in card.computed if np.isfinite(one.formation_energy)]
    return "; ".join(f"{one.formation_energy:.2f} ({one.calculator})" for one in known) or _UNKNOWN


def _shown(card: ClassCard, number: int, title: str) -> ShownCard:
    picture = shown_figure(plot_defect_class(card), f"{title}.", card.class_key)
    return ShownCard(f"class-{number}", title, _told(card), picture)


def shown_figure(figure: Figure, caption: str, file: str, /) -> ShownFigure:
    """Give a figure as a page holds it, with its words and the name of where it comes from."""
    width = int(figure.get_size_inches()[0] * _SHOWN_DPI)
    uri = base64.b64encode(fewer_colors(png_from_figure(figure))).decode("ascii")
    return ShownFigure(f"data:image/png;base64,{uri}", caption, file, width)


def _told(card: ClassCard) -> str:
    """Say in words how often the class is, how long its bonds are, and what was computed."""
    images = "one image" if card.n_images == 1 else f"{card.n_images} images"
    said = [f"Seen {card.count.value:.0f} times in {images}."]
    for pair, lengths in sorted(card.bond_lengths.items()):
        known = np.asarray(lengths, dtype=float)
        known = known[np.isfinite(known)]
        if not len(known):
            continue
        spread = f" ± {known.std(ddof=1):.3f}" if len(known) > 1 else ""
        said.append(f"{pair}: {known.mean():.3f}{spread} nm ({len(known)} bonds).")
    said += [_computed(one.calculator, one.formation_energy) for one in card.computed]
    return " ".join(said)


def _computed(calculator: str, energy: float) -> str:
    told = "" if not np.isfinite(energy) else f": formation energy {energy:.2f} eV"
    return f"Computed with {calculator}{told}."
