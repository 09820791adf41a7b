"""What the terminal shows while a recipe runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

    from adatom.recipes.items import Outcome


class TerminalProgress:
    """A bar in a terminal, plain lines anywhere else; on the error channel."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._n_items = self._n_done = 0

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

    def end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    @staticmethod
    def _line(text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _words(outcome: Outcome) -> str:
    if outcome.error or outcome.report_error:
        return "failed"
    return (
        f"{outcome.n_computed} computed, {outcome.n_reused} from the store, {outcome.seconds:.1f} s"
    )
