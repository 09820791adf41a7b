"""``adatom show``: what a file, a network or a run folder holds."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adatom.cli._networks import ENDINGS, lines_of_network

if TYPE_CHECKING:
    from adatom.recipes.opened import ItemResults, Run
    from adatom.schema import Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("path", metavar="FILE|RUN", help="a data file, a network, or a run folder")
    parser.add_argument("--dataset", help="show this one of a file, by name or number")
    parser.add_argument(
        "--picture", metavar="PNG", help="draw it as in a report, to this file (or pdf, svg)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    path = Path(arguments.path)
    if (path / "recipe.toml").is_file() and (path / "store").is_dir():
        from adatom.recipes.opened import open_run

        _show_run(open_run(path))
        return 0
    if path.suffix.lower() in ENDINGS and path.is_file():
        for line in lines_of_network(path):
            print(line)
        return 0
    _show_file(path, arguments.dataset, arguments.picture)
    return 0


def _show_file(path: Path, dataset: str | None, picture: str | None) -> None:
    from adatom.cli._preview import preview
    from adatom.cli._tables import print_table
    from adatom.io import read_contents

    contents = read_contents(path)
    print(f"{path}: {contents.attrs['format']}")
    told = [name for name in contents.variables if any(contents[name].values.tolist())]
    print_table(contents[told])
    data, name = _data_to_show(path, contents, dataset)
    if data is None:
        print(name)
        return
    print(f"\n{name}".rstrip())
    for line in _facts(data):
        print(f"  {line}")
    for line in preview(data):
        print(f"  |{line}|")
    if picture:
        _save_picture(data, picture)


def _data_to_show(path: Path, contents: Table, dataset: str | None) -> tuple[Any, str]:
    """Read what is asked for, or what a file is mainly about; else say why there is nothing."""
    from adatom.errors import ReadError
    from adatom.io import read_data

    try:
        return read_data(path, dataset=dataset), dataset or ""
    except ReadError as error:
        failure = error
    # Several of a kind, or colors: the first of them, or their brightness, will do for a look.
    told = "the first of several (--dataset shows another)" if contents.sizes["row"] > 1 else ""
    number = _number_to_show(contents, dataset)
    if number is None:
        raise failure
    try:
        shown = read_data(path, dataset=str(number), channel=_channel_to_show(contents, number))
    except ReadError:
        if dataset is not None:
            raise failure from None
        return None, f"\nnot shown: {failure}"
    return shown, dataset or told


def _number_to_show(contents: Table, dataset: str | None) -> int | None:
    names = contents["name"].values.tolist()
    if dataset is not None:
        numbers = {str(number): number for number in range(len(names))}
        return names.index(dataset) if dataset in names else numbers.get(dataset.strip())
    kinds, shapes = contents["kind"].values.tolist(), contents["shape"].values.tolist()
    known = [number for number, kind in enumerate(kinds) if not kind.startswith("not ")]
    # Two to four columns are coordinates more often than a picture.
    pictures = [n for n in known if not re.fullmatch(r"\d+ x [2-4]", shapes[n])]
    return next(iter([*pictures, *known, 0]))


def _channel_to_show(contents: Table, number: int) -> str | None:
    if contents["kind"].values[number].startswith("color "):
        return "luminance"
    return "magnitude" if contents["dtype"].values[number].startswith("complex") else None


def _facts(data: Any) -> list[str]:  # noqa: ANN401 -- any kind
    """Tell what data are: kind, axes, unit, what is known of the measurement, notes."""
    lines = [_what(data)]
    for name in getattr(data, "coords", {}):
        along = data.coords[name]
        if along.ndim == 1 and along.dtype.kind in "iuf" and along.size:
            unit = along.attrs.get("units", "")
            ends = f"{along.values[0]:.6g} to {along.values[-1]:.6g}"
            lines.append(f"{name}: {ends} {'' if unit == '1' else unit} ({along.size})")
    attrs = getattr(data, "attrs", {})
    known = {key: value for key, value in attrs.items() if isinstance(value, str | int | float)}
    lines += [_fact(key, value) for key, value in known.items() if value != ""]
    return [*lines, *(f"note: {note}" for note in attrs.get("notes", []))]


def _fact(key: str, value: str | float) -> str:
    from adatom.io.metadata import FACT_UNITS

    if isinstance(value, float):
        return f"{key}: {value:.6g} {FACT_UNITS.get(key, '')}".rstrip()
    return f"{key}: {' '.join(str(value).split())}"


def _save_picture(data: Any, picture: str) -> None:  # noqa: ANN401 -- any kind
    from adatom.errors import WriteError
    from adatom.plotting import plot

    figure = plot(data)
    try:
        figure.savefig(picture, dpi=120)
    except (OSError, ValueError) as error:
        msg = f"cannot write {picture}: {error}"
        raise WriteError(msg) from error
    print(f"picture: {picture}")


def _show_run(run: Run) -> None:
    state = "finished" if run.record["status"] == "done" else "not finished"
    print(f"{run.record['title']} ({state}, started {run.record['started']})")
    for item in run.items.values():
        _show_item(item)
    if run.collected is not None:
        _show_item(run.collected)


def _show_item(item: ItemResults) -> None:
    from adatom.recipes.opened import NOT_FINISHED

    if item.error:
        failed = "" if item.error == NOT_FINISHED else "failed: "
        print(f"\n{item.name}: {failed}{item.error}")
        return
    print(f"\n{item.name}")
    results = item.provenance()["results"]
    width = max(map(len, results), default=0)
    for name, origin in results.items():
        print(f"  {name:<{width}}  {_what(item[name])}  ({origin['step']}, {_took(origin)})")
    if item.report.is_file():
        print(f"  report: {item.report}")


def _took(origin: dict[str, Any]) -> str:
    memory = origin["peak_memory"]
    return f"{origin['seconds']:.1f} s" + (f", {memory / 1e6:.0f} MB" if memory else "")


def _what(value: Any) -> str:  # noqa: ANN401 -- any result
    """Say in a few words what a result is."""
    from adatom.schema import kind_of_data

    if hasattr(value, "_asdict"):
        return f"{type(value).__name__} of {', '.join(value._fields)}"
    kind = kind_of_data(value)
    if kind is None:
        return type(value).__name__
    counted = {"Sites": "site", "Table": "row"}.get(kind.name)
    if counted:
        return f"{kind.name} of {value.sizes[counted]}"
    sizes = getattr(value, "sizes", {})
    return f"{kind.name} {', '.join(f'{dim} {size}' for dim, size in sizes.items())}".strip()
