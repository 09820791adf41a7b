"""What the terminal shows while a recipe runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqdm import tqdm

    from adatom.recipes.items import Outcome


_SECONDS_PER_LINE: Final = 20.0


class TerminalProgress:
    """A bar in a terminal, plain lines anywhere else; on the error channel."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._n_items = self._n_done = 0
        self._work: tqdm[Any] | None = None
        self._told = 0.0

    def begin(self, n_items: int, n_steps: int) -> None:
        """Begin to show items, or the steps of a single item."""
        self._n_items = n_items
        if sys.stderr.isatty():
            from tqdm import tqdm

            is_one = n_items == 1
            unit, total = ("step", n_steps) if is_one else ("file", n_items)
            self._bar = tqdm(total=total, unit=unit, dynamic_ncols=True)

    def step(self, name: str, reused: bool) -> None:
        """Show that a step is done."""
        if self._bar is not None:
            self._bar.set_postfix_str(name, refresh=True)
            if self._n_items == 1:
                self._bar.update()
        elif self._n_items == 1:
            self._line(f"{name}: {'from the store' if reused else 'done'}")

    def item(self, outcome: Outcome) -> None:
        """Show that an item is done."""
        self._n_done += 1
        if self._bar is None:
            self._line(f"[{self._n_done}/{self._n_items}] {outcome.name}: {_words(outcome)}")
        elif self._n_items > 1:
            self._bar.update()

    def work(self, done: int, total: int, seconds: float, numbers: Mapping[str, float]) -> None:
        """Show how far a single step has come that works for long."""
        told = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        if sys.stderr.isatty():
            from tqdm import tqdm

            if self._work is None:
                self._work = tqdm(total=total, initial=done, leave=False, dynamic_ncols=True)
            self._work.update(done - self._work.n)
            self._work.set_postfix_str(told, refresh=False)
            if done >= total:
                self._work.close()
                self._work = None
        elif done >= total or time.monotonic() - self._told > _SECONDS_PER_LINE:
            self._told = time.monotonic()
            left = seconds / done * (total - done)
            self._line(f"  {done} of {total}, {_duration(left)} left; {told}")

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._work is not None:
            self._work.close()
        if self._bar is not None:
            self._bar.close()

    @staticmethod
    def _line(text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _words(outcome: Outcome) -> str:
    if outcome.error or outcome.report_error:
        return "failed"
    return (
        f"{outcome.n_computed} computed, {outcome.n_reused} from the store, {outcome.seconds:.1f} s"
    )
