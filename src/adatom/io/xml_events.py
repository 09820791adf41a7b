"""XML read as it streams, without entities and without keeping it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.parsers import expat

from adatom.io.guard import read_error

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = 2**18
_MAX_DEPTH: Final = 200


class Event(NamedTuple):
    """The beginning or the end of an element.

    Attributes
    ----------
    opens : bool
        Whether it begins.
    tag : str
        Name of the element without its namespace.
    attributes : mapping of str to str
        Empty where it ends.
    """

    opens: bool
    tag: str
    attributes: Mapping[str, str]


def xml_events(path: Path, /) -> Iterator[Event]:
    """Walk through the elements of an XML file; text between them is left out.

    Raises
    ------
    ReadError
        If it declares entities, by which a small file unpacks to a huge one,
        or is damaged.
    """
    events: list[Event] = []
    parser = expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise read_error(path, "it is nested too deeply", "The file may be damaged")
        events.append(Event(True, tag.rpartition(":")[2], attributes))

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        events.append(Event(False, tag.rpartition(":")[2], {}))

    def doctype(*_: object) -> None:
        reason = "it declares a document type, by which XML can hide huge texts"
        raise read_error(path, reason, "Remove the line <!DOCTYPE ...> if you trust its source")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            _parse(path, parser, block, last=False)
            yield from events
            events.clear()
        _parse(path, parser, b"", last=True)
    yield from events


def _parse(path: Path, parser: expat.XMLParserType, block: bytes, *, last: bool) -> None:
    try:
        parser.Parse(block, last)
    except expat.ExpatError as error:
        remedy = "The file may be damaged or incomplete: copy it again"
        raise read_error(path, f"its XML is damaged ({error})", remedy) from error
