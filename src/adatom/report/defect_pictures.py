"""Pictures of defects: all of an image in one, with their atoms and bonds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from adatom.defects.records import Defects
from adatom.plotting import plot_defects
from adatom.report.files import file_stem
from adatom.report.picture import Picture

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Result
    from adatom.report.records import StepRecord


def is_defects(step: StepRecord, /) -> bool:
    """Tell whether a step found defects."""
    return set(step.results) == set(Defects._fields)


def is_untold_defect(result: Result, /) -> bool:
    """Tell whether a result is of defects, but not the one that has their picture."""
    return is_defects(result.step) and not _has_picture(result)


def _has_picture(result: Result) -> bool:
    return result.name.endswith(".defects") and bool(result.value.sizes["site"])


def defect_pictures(result: Result, ground: xr.DataArray | None, /) -> list[Picture]:
    """Draw the defects with their members and bonds once, none where there are none."""
    if not _has_picture(result):
        return []
    over = ", over the image" if ground is not None else ""
    caption = (
        f"{result.name}: defects{over}, with their atoms by element and the bonds between these; "
        "small rings are atoms of the crystal around a defect. Gray names are doubtful; where "
        "names would lie on one another that of the more confident defect is written."
    )
    draw = partial(plot_defects, Defects(**result.step.results), ground)
    return [Picture(file_stem(result.name), caption, draw)]
