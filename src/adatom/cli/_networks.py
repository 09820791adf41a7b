"""The card of a network's file, in lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from adatom.numerics.exported_network import ExportedNetwork
    from adatom.numerics.patch_classifier import PatchClassifier

ENDINGS: Final = (".safetensors", ".onnx")
"""Of files that hold networks: weights, and graphs that run without torch."""

# Curves and knots are for plots and programs.
_LONG: Final = ("history", "calibration")


def lines_of_network(path: Path, /) -> Iterator[str]:
    """Tell what a network is, what it was trained on, and how good it is."""
    if path.suffix == ".safetensors":
        from adatom.networks import read_network

        network = read_network(path)
        yield f"{path}: weights of a network"
        yield from _lines({"architecture": asdict(network.architecture)})
        card = network.card.to_json()
    else:
        what, exported = _exported(path)
        yield f"{path}: {what}, {len(exported.graph) / 1e6:.1f} MB"
        card = asdict(exported.card)
    yield from _lines({name: value for name, value in card.items() if name not in _LONG})


def _exported(path: Path) -> tuple[str, ExportedNetwork | PatchClassifier]:
    """Read a finder, or else a classifier; the complaint is that of the finder."""
    from adatom.errors import ReadError
    from adatom.io import read_classifier, read_network

    try:
        return "exported network", read_network(path)
    except ReadError:
        try:
            return "classifier of patches", read_classifier(path)
        except ReadError:
            pass
        raise


def _lines(told: dict[str, Any], indent: str = "  ") -> Iterator[str]:
    for name, value in told.items():
        if name == "trained_on" and isinstance(value, str):
            value = json.loads(value or "{}")  # noqa: PLW2901 -- a manifest is JSON
        if isinstance(value, dict):
            yield f"{indent}{name}"
            yield from _lines(value, f"{indent}  ")
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
            yield f"{indent}{name}"
            for row in value:
                yield f"{indent}  {', '.join(f'{key} {part}' for key, part in row.items())}"
        elif value not in ("", (), [], None):
            yield f"{indent}{name}: {value}"
