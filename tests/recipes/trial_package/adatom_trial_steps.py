"""Quick steps for tests of recipes, as another package would register them."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adatom.defects import Defects
from adatom.errors import AdatomWarning, SettingError
from adatom.schema import (
    IMAGE,
    Features,
    Image,
    Sites,
    Table,
    sites_from_positions,
    table_from_columns,
)
from adatom.units import Length

__all__ = [
    "bright_pixels",
    "brighten",
    "count",
    "crash",
    "draw",
    "make_defects",
    "measure",
    "no_step",
    "pixels",
    "refuse",
    "sum_up",
    "warn",
]


@dataclass(frozen=True)
class Model:
    """What a step may learn."""

    mean: float
    weights: NDArray[np.float64]
    name: str = "trial"


class Measured(NamedTuple):
    """Several results of one step."""

    sites: Sites
    table: Table
    model: Model
    n_bright: int


@dataclass(frozen=True)
class Tuning:
    """Settings that belong together."""

    power: float = 1.0
    width: Length = "1 px"


def _log(name: str) -> None:
    """Tell that a step was computed, to the file that a test names."""
    if "ADATOM_TRIAL_LOG" in os.environ:
        with Path(os.environ["ADATOM_TRIAL_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{name}\n")


def brighten(
    image: Image,
    mask: Image | None = None,
    /,
    *,
    factor: float = 2.0,
    mode: Literal["linear", "square"] = "linear",
    tuning: Tuning = Tuning(),
    pause: float = 0.0,
) -> Image:
    """Multiply an image."""
    _log("brighten")
    IMAGE.check(image)
    time.sleep(pause)
    bright = image * np.asarray(factor, image.dtype) ** tuning.power
    if mode == "square":
        bright = bright**2
    return (bright if mask is None else bright + mask).assign_attrs(image.attrs)


def bright_pixels(image: Image, /, *, above: float = 1.0, size: Length = "1 px") -> Sites:
    """Give the pixels above a threshold as sites."""
    _log("bright_pixels")
    del size
    rows, columns = np.nonzero(image.values > above)
    sites = sites_from_positions(rows.astype(float), columns.astype(float), unit="px")
    return sites.assign(score=("site", image.values[rows, columns]))


def measure(sites: Sites, /, *, pause: float = 0.0) -> Measured:
    """Measure sites."""
    _log("measure")
    time.sleep(pause)
    score = sites["score"].values.astype(float)
    table = table_from_columns({"y": sites["y"].values, "score": score}, units={"y": "px"})
    model = Model(float(score.sum()), np.sort(score)[:5])
    return Measured(sites, table, model, score.size)


def pixels(image: Image, /) -> Features:
    """Give every pixel as features."""
    _log("pixels")
    return image.expand_dims("feature", axis=-1)


def count(measured: int, /, *, seed: int) -> int:
    """Add a number to the seed."""
    _log("count")
    return measured + seed


def draw(*, seed: int = 0, size: int = 4) -> Table:
    """Draw random numbers."""
    _log("draw")
    return table_from_columns({"value": np.random.default_rng(seed).random(size)})


def sum_up(tables: Sequence[Table], weight: Table | None = None, /) -> Table:
    """Sum the scores of every table."""
    _log("sum_up")
    del weight
    return table_from_columns({"sum": [float(table["score"].sum()) for table in tables]})


def refuse(image: Image, /, *, above: float) -> Image:
    """Fail for bright images."""
    _log("refuse")
    if float(image.max()) > above:
        msg = f"the image reaches {float(image.max()):.1f}, {above=}"
        raise SettingError(msg)
    return image


def warn(image: Image, /) -> Image:
    """Warn in two ways."""
    warnings.warn(AdatomWarning("the image is small: crop less"), stacklevel=2)
    warnings.warn("divide by zero", RuntimeWarning, stacklevel=2)
    return image


def crash(image: Image, /, *, above: float) -> Image:
    """End the process for bright images, as the system does when memory is short."""
    if float(image.max()) > above:
        os._exit(9)
    return image


def no_step(image: Image, factor: float) -> Image:
    """Break the rule of signatures."""
    return image * factor


def make_defects(image: Image, /, *, name: str = "Si1C3") -> Defects:
    """Make two defects that differ from image to image."""
    from simulated_defects import simulated_defects

    _log("make_defects")
    seed = int(float(image.values.sum()) * 1e3) % 2**31
    return simulated_defects([name, "V1"], seed=seed, unit="px", nm_per_unit=0.02)
