"""What a step that works for hours is lent: a folder to go on from, and a listener."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Listener(Protocol):
    """Hears how far long work has come."""

    def __call__(
        self, done: int, total: int, seconds: float, numbers: Mapping[str, float], /
    ) -> None:
        """Hear that `done` of `total` parts are done after `seconds`, and what they gave."""
        ...


@dataclass(frozen=True)
class LongWork:
    """What is lent to long work.

    Attributes
    ----------
    folder : Path, optional
        Where the work may keep what it needs to go on after it was killed.
        It is never part of the settings of a step: two runs of one step in
        two folders give the same result.
    listener : Listener, optional
        Told how far the work has come.
    """

    folder: Path | None = None
    listener: Listener | None = None

    def tell(self, done: int, total: int, seconds: float, numbers: Mapping[str, float]) -> None:
        """Tell the listener, if there is one."""
        if self.listener is not None:
            self.listener(done, total, seconds, numbers)


_NOTHING: Final = LongWork()
_LENT: ContextVar[LongWork] = ContextVar("long_work", default=_NOTHING)


def current_long_work() -> LongWork:
    """Give what the caller has lent; nothing by default."""
    return _LENT.get()


@contextmanager
def lend_long_work(
    folder: Path | None = None, *, listener: Listener | None = None
) -> Iterator[LongWork]:
    """Lend a folder and a listener to the long work inside.

    Parameters
    ----------
    folder : Path, optional
        Made by the work when it first needs it; by default the one lent
        already, if any.
    listener : Listener, optional
        By default the one that listens already, if any.

    Examples
    --------
    >>> with lend_long_work(listener=lambda done, total, *_: print(done, "of", total)):
    ...     current_long_work().tell(1, 2, 0.0, {})
    1 of 2
    """
    around = _LENT.get()
    token = _LENT.set(LongWork(folder or around.folder, listener or around.listener))
    try:
        yield _LENT.get()
    finally:
        _LENT.reset(token)
