"""The wire format of protocol buffers: fields of a message as they stand in its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# A 64-bit number takes ten groups of seven bits.
_MOST_BYTES = 10
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


class Field(NamedTuple):
    """One field of a message [1]_.

    Attributes
    ----------
    number : int
        By which the message's definition names it.
    value : int or memoryview
        A number, or the bytes of a text, an array or a message within.
    start, end : int
        Where it stands in the message, its tag included.

    References
    ----------
    .. [1] https://protobuf.dev/programming-guides/encoding
    """

    number: int
    value: int | memoryview
    start: int
    end: int


def fields_of_message(message: bytes | memoryview, /) -> Iterator[Field]:
    """Give the fields of a message one by one; bytes are views, nothing is copied.

    Raises
    ------
    ValueError
        If the bytes are no message.
    """
    view = memoryview(message)
    place = 0
    while place < len(view):
        start = place
        tag, place = _number(view, place)
        value, place = _value(view, place, tag & 7)
        yield Field(tag >> 3, value, start, place)


def length_field(number: int, value: bytes, /) -> bytes:
    """Write a field of text, bytes or of a message within."""
    return _varint(number << 3 | _LENGTH) + _varint(len(value)) + value


def numbers_of_field(value: int | memoryview, /) -> list[int]:
    """Give the whole numbers of a repeated field, which may stand one by one or packed."""
    if isinstance(value, int):
        return [value]
    numbers, place = [], 0
    while place < len(value):
        number, place = _number(value, place)
        numbers.append(number)
    return numbers


def _value(view: memoryview, place: int, wire: int) -> tuple[int | memoryview, int]:
    if wire == _VARINT:
        return _number(view, place)
    if wire == _LENGTH:
        size, place = _number(view, place)
    else:
        size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(wire, -1)
        if size < 0:
            msg = f"byte {place}: a field of the unknown wire type {wire}"
            raise ValueError(msg)
    if size > len(view) - place:
        left = len(view) - place
        msg = f"byte {place}: a field of {size} bytes, {left} are left: is it cut off?"
        raise ValueError(msg)
    return view[place : place + size], place + size


def _number(view: memoryview, place: int) -> tuple[int, int]:
    total = 0
    for index, byte in enumerate(view[place : place + _MOST_BYTES]):
        total |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return total, place + index + 1
    msg = f"byte {place}: a number that does not end"
    raise ValueError(msg)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
