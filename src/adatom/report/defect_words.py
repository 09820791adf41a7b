"""What was found of defects, told in sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from adatom.plotting.defects_on_image import DOUBTFUL
from adatom.report.defect_pictures import is_defects
from adatom.report.words import count_text, list_text, number_text
from adatom.schema import TABLE, space_unit

if TYPE_CHECKING:
    import xarray as xr

    from adatom.report.lineage import Lineage, Result

# More are not read in a sentence.
_MAX_NAMED: Final = 8


def defect_sentences(lineage: Lineage, /) -> list[str]:
    """Say which defects there are, and what a layer is made of, in the order of the run."""
    told = []
    for result in lineage.results.values():
        if is_column_table(result):
            statement = str(result.value.attrs["statement"])
            told += [f"{part[0].upper()}{part[1:]}." for part in statement.split("; ")]
        elif is_defects(result.step) and result.name.endswith(".defects"):
            chance = result.step.settings.get("false_discovery")
            told.append(_defects_sentence(result.value, chance))
    return told


def is_column_table(result: Result, /) -> bool:
    """Tell whether a result counts the columns of a layer."""
    return (
        result.kind is TABLE
        and {"sublattice", "column", "share"} <= set(result.value)
        and "statement" in result.value.attrs
    )


def _defects_sentence(defects: xr.Dataset, chance: float | None) -> str:
    area = defects.attrs.get("area")
    within = f" in {number_text(float(area), digits=3)} {space_unit(defects)}²" if area else ""
    number = defects.sizes["site"]
    if not number:
        return f"No defects{within}."
    counts = Counter(
        str(name) or f"unnamed ({kind})"
        for name, kind in zip(defects["name"].values, defects["kind"].values, strict=True)
    )
    # The most frequent first, and by name among as many.
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    parts = [f"{count} {name}" for name, count in ordered[:_MAX_NAMED]]
    rest = sum(count for _, count in ordered[_MAX_NAMED:])
    if rest:
        parts.append(f"{rest} of {count_text(len(ordered) - _MAX_NAMED, 'other sort')}")
    listed = next(iter(counts)) if number == 1 else list_text(parts)
    n_doubtful = int((defects["confidence"].values < DOUBTFUL).sum())
    doubt = f"; {n_doubtful} doubtful (confidence below {DOUBTFUL})" if n_doubtful else ""
    # Why fewer are listed than columns are counted.
    sure = f"; only the surest are listed, {100 * chance:g} % of them by chance" if chance else ""
    return f"{count_text(number, 'defect')}{within}: {listed}{doubt}{sure}."
