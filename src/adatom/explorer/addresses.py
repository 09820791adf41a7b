"""Addresses of the pages of a library: what each asks, or what is wrong with it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from adatom.errors import SettingError

FIELDS: Final = {
    "formula": "formula",
    "name": "name",
    "class": "class_key",
    "kind": "kind",
    "host": "host",
    "source": "source",
}
"""Parameters of a search that are texts, and what a `DefectQuery` calls them."""

_OF_PAGE: Final = {
    "/": ("page",),
    "/search": (*FIELDS, "confidence", "page"),
    "/class": ("host", "key"),
}
_DEFECT: Final = re.compile(r"/defect/([0-9]{1,15})")
# Names and formulas are some ten letters; a pattern with many stars takes long to compare.
_LONGEST: Final = 200
_MOST_STARS: Final = 4
_MOST_FIELDS: Final = 20
_LAST_PAGE: Final = 1_000_000


@dataclass(frozen=True)
class Asked:
    """What an address asks.

    Attributes
    ----------
    page : str
        "/", "/search", "/class" or "/defect".
    texts : mapping
        Parameters that are given, as they are written.
    number : int
        Of the page of a list, from 1; of ``/defect`` the number of the defect.
    confidence : float
        Least one of a search.
    """

    page: str
    texts: dict[str, str] = field(default_factory=dict)
    number: int = 1
    confidence: float = 0.0

    def on_page(self, number: int, /) -> str:
        """Give the address of another page of the same list."""
        texts = {key: text for key, text in self.texts.items() if key != "page"}
        return address(self.page, **texts, page=str(number))


def address(page: str, /, **texts: str) -> str:
    """Spell an address of a page with parameters.

    Examples
    --------
    >>> address("/class", host="graphene", key="0f")
    '/class?host=graphene&key=0f'
    """
    return f"{page}?{urlencode(texts)}" if texts else page


def read_address(target: str, /) -> Asked | None:
    """Read an address, as a browser sends it; None where there is no such page.

    Raises
    ------
    SettingError
        If a parameter is not known, given twice, too long, or no number where one must be.

    Examples
    --------
    >>> read_address("/search?name=Si1C*&page=2")
    Asked(page='/search', texts={'name': 'Si1C*', 'page': '2'}, number=2, confidence=0.0)
    >>> read_address("/../defects.db") is None
    True
    """
    if not target.startswith("/"):
        return None
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.netloc:
        return None
    defect = _DEFECT.fullmatch(parts.path)
    if defect is None and parts.path not in _OF_PAGE:
        return None
    texts = _parameters(parts.query, () if defect else _OF_PAGE[parts.path])
    if defect is not None:
        return Asked("/defect", number=int(defect[1]))
    return Asked(
        parts.path,
        texts,
        number=_page(texts.get("page")),
        confidence=_share(texts.get("confidence")),
    )


def _parameters(query: str, known: tuple[str, ...]) -> dict[str, str]:
    try:
        given = parse_qsl(query, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        msg = f"the address has parameters that are no text, or more than {_MOST_FIELDS} of them"
        raise SettingError(msg) from error
    texts: dict[str, str] = {}
    for name, text in given:
        if name not in known:
            msg = f"{_cut(name)!r} is no parameter of this page: {', '.join(known) or 'none'} are"
            raise SettingError(msg)
        if name in texts:
            msg = f"{name} is given twice: give it once"
            raise SettingError(msg)
        if len(text) > _LONGEST or text.count("*") > _MOST_STARS or "\0" in text:
            msg = (
                f"{name}={_cut(text)!r}: {len(text)} letters, {text.count('*')} stars; "
                f"{_LONGEST} letters and {_MOST_STARS} stars are the most, and none may be null"
            )
            raise SettingError(msg)
        texts[name] = text.strip()
    # A form sends its empty fields too.
    return {name: text for name, text in texts.items() if text}


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


def _page(text: str | None) -> int:
    if text is None:
        return 1
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= _LAST_PAGE:
        msg = f"page={_cut(text)!r} is no number of a page: pages count from 1 to {_LAST_PAGE}"
        raise SettingError(msg)
    return int(text)


def _share(text: str | None) -> float:
    if text is None:
        return 0.0
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        msg = f"confidence={_cut(text)!r} is no probability: give a number from 0 to 1"
        raise SettingError(msg)
    return number
