"""Run the blocks of tutorial.md, in order: ``python docs/run_tutorial.py`` writes what they print.

Python blocks share one namespace, ``console`` blocks hold commands behind ``$``, and a ``text``
block is what the Python block above it prints. All of them work in one temporary folder.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("tutorial.md")
_BLOCK = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of the page."""

    sort: str
    text: str
    line: int
    span: tuple[int, int]
    """Where the text stands in the page."""


def read_blocks(page: str, /) -> list[Block]:
    """Take the fenced blocks out of a page."""
    return [
        Block(found[1], found[2], page.count("\n", 0, found.start()) + 1, found.span(2))
        for found in _BLOCK.finditer(page)
    ]


def run_blocks(blocks: list[Block], /) -> Iterator[tuple[Block, str]]:
    """Run blocks in the current folder; give every block that shows output, as it came out now."""
    space: dict[str, Any] = {"__name__": "tutorial"}
    printed = ""
    for block in blocks:
        if block.sort == "python":
            printed = _run_python(block, space)
        elif block.sort == "text":
            yield block, printed
            printed = ""
        else:
            yield block, _run_console(block.text)


def _run_python(block: Block, space: dict[str, Any]) -> str:
    # Empty lines in front let a traceback name the line of the page.
    code = compile("\n" * block.line + block.text, PAGE.name, "exec")
    with _printed() as channel:
        exec(code, space)  # noqa: S102 -- our own page
    return channel.getvalue()


def _run_console(text: str) -> str:
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"$ {command}\n{_run_command(command)}" for command in commands)


def _run_command(command: str) -> str:
    program, *arguments = shlex.split(command)
    if program != "adatom":
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
        return done.stdout
    from adatom.cli import main

    with _printed() as channel:
        main(arguments)
    return channel.getvalue()


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    """Catch both channels, and warnings as a person sees them."""
    channel = io.StringIO()

    def show(message: Warning | str, category: type[Warning], *_: object) -> None:
        channel.write(f"{category.__name__}: {message}\n")

    with (
        contextlib.redirect_stdout(channel),
        contextlib.redirect_stderr(channel),
        warnings.catch_warnings(),
    ):
        from adatom.errors import AdatomWarning

        warnings.simplefilter("always", AdatomWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield channel


def rewrite(page: str, /) -> str:
    """Give the page with what its blocks print now."""
    for block, printed in reversed(list(run_blocks(read_blocks(page)))):
        begin, end = block.span
        page = page[:begin] + replace(block, text=printed).text + page[end:]
    return page


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    old = PAGE.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        new = rewrite(old)
    PAGE.write_text(new, "utf-8")
