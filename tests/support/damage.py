"""Damage as files suffer it: cut, with changed bytes, under another name, alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

# Numbers that headers hardly hold, in both byte orders, and what texts hardly hold.
WORDS: Final = (
    b"\xff" * 4,
    b"\xff" * 8,
    b"\xff\xff\xff\x7f",
    b"\x7f\xff\xff\xff",
    b"\x00" * 4,
    b"\x00\x00\x00\x40",
    b"\x40\x00\x00\x00",
    b"\x00\x01\x00\x00",
    b"999999999",
    b"-1",
    b"nan",
    b"1e308",
    b"\n",
    b"<",
    b"\x00",
)
# Headers are where damage does harm.
_HEAD: Final = 4096


@dataclass(frozen=True)
class Damage:
    """What befalls one of the files of a measurement.

    Attributes
    ----------
    which : int
        Number of the file, modulo how many there are.
    cut : float, optional
        Share of the file that is left.
    words : tuple of (int, bytes)
        Bytes written at places, modulo the length of the file.
    ending : str
        Of another format, put in the place of its own.
    lost : bool
        Whether the file is missing; of a measurement in one file it is emptied.
    """

    which: int = 0
    cut: float | None = None
    words: tuple[tuple[int, bytes], ...] = ()
    ending: str = ""
    lost: bool = False

    def done_to(self, path: Path, /, *, into: Path) -> Path:
        """Copy a measurement with all files beside it, damage one, and give its new path."""
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(path.parent, into)
        victim, place = self._victim(path, into), into / path.name
        content = victim.read_bytes()
        victim.unlink()
        if not self.lost or victim == place:
            victim.write_bytes(b"" if self.lost else self._damaged(content))
        if not self.ending:
            return place
        renamed = place.with_name(place.name.partition(".")[0] + self.ending)
        return place.rename(renamed)

    def _victim(self, path: Path, into: Path) -> Path:
        files = sorted(file for file in into.rglob("*") if file.is_file())
        # Most of the harm is in the file that is asked for.
        if self.which == 0 and path.is_file():
            return into / path.name
        return files[self.which % len(files)]

    def _damaged(self, content: bytes) -> bytes:
        changed = bytearray(content)
        for place, word in self.words:
            at = place % max(len(changed), 1)
            changed[at : at + len(word)] = word
        return bytes(changed if self.cut is None else changed[: int(len(changed) * self.cut)])


def damages(endings: list[str], /) -> st.SearchStrategy[Damage]:
    """Draw damages of every sort."""
    which = st.just(0) | st.integers(0, 50)
    place = st.integers(0, _HEAD) | st.integers(0, 2**24)
    byte = st.integers(0, 255).map(lambda value: bytes([value]))
    words = st.lists(st.tuples(place, byte | st.sampled_from(WORDS)), min_size=1, max_size=4)
    return st.one_of(
        st.builds(Damage, which, words=words.map(tuple)),
        st.builds(Damage, which, words=words.map(tuple)),
        st.builds(Damage, which, cut=st.floats(0, 1, exclude_max=True)),
        st.builds(Damage, ending=st.sampled_from(endings)),
        st.builds(Damage, st.integers(1, 50), lost=st.just(value=True)),
    )
