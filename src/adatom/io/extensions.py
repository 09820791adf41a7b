"""Formats that other installed packages read."""

from __future__ import annotations

import warnings
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from adatom.errors import AdatomWarning

if TYPE_CHECKING:
    from adatom.io.formats import Format

GROUP = "adatom.formats"


@cache
def installed_formats() -> dict[str, Format]:
    """Load the formats of installed packages, by ``package:name``.

    An entry point of the group ``adatom.formats`` names a `Format` whose
    ``read`` is a function ``(path) -> RawFile``.
    """
    found = {}
    for point in entry_points(group=GROUP):
        one = _loaded(point)
        if one is not None:
            package = point.dist.name if point.dist else point.module.partition(".")[0]
            found[f"{package}:{point.name}"] = one
    return found


def _loaded(point: EntryPoint) -> Format | None:
    """Load one; a package that is broken must not keep all other files from being read."""
    from adatom.io.formats import Format

    try:
        one = point.load()
    # Whatever the code of another package does when it is imported.
    except Exception as error:  # noqa: BLE001
        problem = f"{type(error).__name__}: {error}"
    else:
        if isinstance(one, Format) and callable(one.read):
            return one
        problem = f"it is {type(one).__name__}, not adatom.io.Format with a function `read`"
    msg = f"the format {point.name!r} of {point.value} is not used: {problem}"
    warnings.warn(msg, AdatomWarning, stacklevel=2)
    return None
