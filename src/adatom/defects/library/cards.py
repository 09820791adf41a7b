"""Classes of a library as an atlas shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates

from adatom.defects.class_cards import ClassCard, Computed, Drawing, Estimate
from adatom.defects.library.calculations import (
    read_calculated_structure,
    read_calculation_array,
    read_calculations,
)
from adatom.defects.library.counting import poisson_interval
from adatom.defects.library.packing import symbols_of_numbers
from adatom.defects.library.reading import StoredDefect, read_defects
from adatom.defects.records import ROLES
from adatom.errors import StoreError
from adatom.numerics.point_alignment import align_points
from adatom.schema import image_from_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from adatom.defects.library.calculations import Calculation
    from adatom.defects.library.opening import Library
    from adatom.schema import Image

    Floats = NDArray[np.float64]

# Of the mean image and the bond lengths: more would not change what is seen.
_MOST_MEMBERS: Final = 200
# Among so many the one in the middle is sought.
_MOST_MIDDLE: Final = 24
_N_EXAMPLES: Final = 8
# Holds a ring of the crystal around a defect of a few atoms.
_SIDE: Final = 1.2
_MEAN_PIXELS: Final = 97
# Of the defects of a class that were computed.
_MOST_COMPUTED: Final = 20
_COUNTED: Final = (
    "SELECT i.host, d.class_key, COUNT(*), COUNT(DISTINCT d.image_id) FROM adatom_defects d "
    "JOIN adatom_images i ON i.id = d.image_id"
)
_OF_CLASS: Final = (
    "FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id "
    "WHERE i.host = ? AND d.class_key = ? AND d.is_current = 1"
)
# What is not known comes last in SQLite and first in PostgreSQL.
_SUREST_FIRST: Final = "ORDER BY d.confidence IS NULL, d.confidence DESC, d.id"
# Half a bond of graphene, as in `compare_defects`.
_PENALTY: Final = 0.07


class ClassCount(NamedTuple):
    """How often a class of a host is in a library, and in how many images."""

    host: str
    class_key: str
    n_defects: int
    n_images: int


def cards_of_library(library: Library, /) -> list[ClassCard]:
    """Sum up every class of a library, the most frequent first.

    Of a class with many members, mean image and bond lengths are of the 200
    with the highest confidence.

    Parameters
    ----------
    library : Library
        Opened; only what is current counts.
    """
    return cards_of_classes(library, list_classes(library))


def list_classes(
    library: Library, /, *, limit: int | None = None, offset: int = 0
) -> list[ClassCount]:
    """List the classes of a library, or so many after some, the most frequent first."""
    part = "" if limit is None else f" LIMIT {int(limit)} OFFSET {int(offset)}"
    told = library.session.rows(
        f"{_COUNTED} WHERE d.is_current = 1 GROUP BY i.host, d.class_key "
        f"ORDER BY COUNT(*) DESC, i.host, d.class_key{part}"
    )
    return [ClassCount(str(row[0]), str(row[1]), int(row[2]), int(row[3])) for row in told]


def find_class(library: Library, host: str, class_key: str, /) -> ClassCount | None:
    """Count a class of a host; None where there is none."""
    told = library.session.rows(
        f"{_COUNTED} WHERE d.is_current = 1 AND i.host = ? AND d.class_key = ? "
        "GROUP BY i.host, d.class_key",
        (host, class_key),
    )
    return ClassCount(host, class_key, int(told[0][2]), int(told[0][3])) if told else None


def cards_of_classes(library: Library, classes: Sequence[ClassCount], /) -> list[ClassCard]:
    """Sum up some classes of a library, as `cards_of_library` does with all."""
    areas = _areas(library)
    return [_card(library, one, areas[one.host]) for one in classes]


def _areas(library: Library) -> dict[str, float]:
    """Give the area of all images of each host in nm^2; NaN where that of any is not known."""
    areas: dict[str, float] = {}
    for host, area in library.session.rows(
        "SELECT host, area_nm2 FROM adatom_images WHERE is_current = 1 ORDER BY id"
    ):
        areas[host] = areas.get(host, 0.0) + (float("nan") if area is None else float(area))
    return areas


def _card(library: Library, of: ClassCount, area: float) -> ClassCard:
    members = list(read_defects(library, _numbers_of_class(library, of)))
    count = of.n_defects
    middle, angle, mirrored = _laid_over_the_middle(members)
    bonds = _bond_lengths(members)
    patches = [member.patch(size_nm=_SIDE) for member in members[:_N_EXAMPLES]]
    examples = [(patch, member) for patch, member in zip(patches, members) if patch is not None]
    low, high = (float(end) for end in poisson_interval(np.int64(count)))
    return ClassCard(
        name=members[0].row.name,
        class_key=of.class_key,
        count=Estimate(count, low, high),
        density=Estimate(count / area, low / area, high / area),
        n_images=of.n_images,
        mean_image=_mean_image(members, angle, mirrored),
        examples=tuple(patch for patch, _ in examples),
        captions=tuple(_caption(member) for _, member in examples),
        drawing=_drawing(members[middle]),
        bond_lengths=bonds,
        computed=tuple(
            _computed(library, calculation)
            for number in _computed_of_class(library, of)
            for calculation in read_calculations(library, defect_id=number)
        ),
        host=of.host,
    )


def _numbers_of_class(library: Library, of: ClassCount) -> list[int]:
    """List those defects of a class of a host that its card is made of, the surest first."""
    told = library.session.rows(
        f"SELECT d.id {_OF_CLASS} {_SUREST_FIRST} LIMIT {_MOST_MEMBERS}", (of.host, of.class_key)
    )
    return [int(number) for (number,) in told]


def _computed_of_class(library: Library, of: ClassCount) -> list[int]:
    """List the defects of a class of a host that were computed, the surest first."""
    told = library.session.rows(
        f"SELECT d.id {_OF_CLASS} AND d.id IN "  # noqa: S608 -- all of it ours
        "(SELECT defect_id FROM adatom_calculations) "
        f"{_SUREST_FIRST} LIMIT {_MOST_COMPUTED}",
        (of.host, of.class_key),
    )
    return [int(number) for (number,) in told]


def _laid_over_the_middle(
    members: Sequence[StoredDefect],
) -> tuple[int, Floats, NDArray[np.bool_]]:
    """Find the member nearest to all others, and how it is turned to lie over each of them."""
    few = members[:_MOST_MIDDLE]
    # All atoms of a class are of the same graph: no number of them is padded.
    total = [float(_alignment(one, few)[0].sum()) for one in few]
    middle = int(np.argmin(total))
    _, angle, mirrored = _alignment(members[middle], members)
    return middle, angle, mirrored


def _alignment(
    one: StoredDefect, others: Sequence[StoredDefect]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    most = max(len(other.row.numbers) for other in others)
    places = np.zeros((len(others), most, 2))
    labels = np.full((len(others), most), -1, dtype=np.int64)
    for number, other in enumerate(others):
        here = len(other.row.numbers)
        places[number, :here], labels[number, :here] = other.row.places, other.row.numbers
    found = align_points(one.row.places, one.row.numbers, places, labels, penalty=_PENALTY)
    return found.rmsd, found.angle, found.mirrored


def _mean_image(
    members: Sequence[StoredDefect], angle: Floats, mirrored: NDArray[np.bool_]
) -> Image | None:
    """Average the images around all members, each turned to lie as the middle one does.

    Every image counts alike: its median is taken off and it is divided by its
    99th percentile above that. Pixels beyond an edge do not count.
    """
    axis = (np.arange(_MEAN_PIXELS) / (_MEAN_PIXELS - 1) - 0.5) * _SIDE
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    total, count = np.zeros(grid.shape[:2]), np.zeros(grid.shape[:2])
    for member, turn, is_mirrored in zip(members, angle, mirrored, strict=True):
        patch = member.patch(size_nm=1.5 * _SIDE)
        if patch is None:
            continue
        seen = _resampled(patch, member, _turned(grid, turn, mirrored=bool(is_mirrored)))
        known = np.isfinite(seen)
        if not known.any():
            continue
        middle, high = np.percentile(seen[known], [50, 99])
        if high > middle:
            total[known] += (seen[known] - middle) / (high - middle)
            count[known] += 1
    if not count.any():
        return None
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return image_from_array(mean.astype(np.float32), pixel_size=f"{axis[1] - axis[0]} nm")


def _turned(grid: Floats, angle: float, *, mirrored: bool) -> Floats:
    """Turn places (..., axis y, x), after x is turned to -x if `mirrored`."""
    y, x = grid[..., 0], (-grid[..., 1] if mirrored else grid[..., 1])
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.stack([cosine * y + sine * x, cosine * x - sine * y], axis=-1)


def _resampled(patch: Image, member: StoredDefect, places: Floats) -> Floats:
    """Read a patch at places (..., axis y, x) about the mean of the defect's members."""
    step = np.array([member.image["step_y_nm"], member.image["step_x_nm"]])
    origin = np.array([member.image["origin_y"], member.image["origin_x"]])
    middle = np.round((np.array([member.row.y, member.row.x]) - origin) / step)
    here = (member.row.places.mean(axis=0) - origin + places) / step - middle
    here += np.array(patch.shape) // 2
    seen: Floats = map_coordinates(
        patch.values.astype(float), np.moveaxis(here, -1, 0), order=1, cval=np.nan
    )
    return seen


def _caption(member: StoredDefect) -> str:
    name = str(member.image["source"]).replace("\\", "/").rpartition("/")[2]
    sure = member.row.confidence
    return f"{name}, {sure:.2f}" if np.isfinite(sure) else name


def _drawing(member: StoredDefect) -> Drawing:
    row = member.row
    return Drawing(
        row.places - row.places.mean(axis=0),
        tuple(symbols_of_numbers(row.numbers)),
        tuple(ROLES[int(role)] for role in row.members[:, 6]),
        row.bonds[:, :2].astype(np.int64),
    )


def _bond_lengths(members: Sequence[StoredDefect]) -> dict[str, Floats]:
    found: dict[str, list[float]] = {}
    for member in members:
        symbols = symbols_of_numbers(member.row.numbers)
        for first, second, length, _ in member.row.bonds.tolist():
            pair = "-".join(sorted((symbols[int(first)], symbols[int(second)])))
            found.setdefault(pair, []).append(length)
    return {pair: np.array(lengths) for pair, lengths in sorted(found.items())}


def _computed(library: Library, calculation: Calculation) -> Computed:
    try:
        energy, density = (
            read_calculation_array(library, calculation, name).astype(float)
            for name in ("density_energy", "density_total")
        )
    except StoreError:
        energy = density = np.empty(0)
    return Computed(
        calculator=calculator_name(calculation),
        formation_energy=calculation.formation_energy,
        bond_lengths=_relaxed_lengths(library, calculation),
        energy=energy,
        density=density,
    )


def calculator_name(calculation: Calculation, /) -> str:
    """Say by what was computed, with the version."""
    method = calculation.settings.get("method")
    named = f"{calculation.calculator} {method}" if method else calculation.calculator
    return f"{named} {calculation.version}".strip()


def _relaxed_lengths(library: Library, calculation: Calculation) -> dict[str, Floats]:
    """Give the bonds at the defect after relaxation, as the beam sees them, in nm."""
    try:
        first, second, length = (
            read_calculation_array(library, calculation, f"bond_{name}")
            for name in ("first", "second", "length_projected")
        )
    except StoreError:
        return {}
    structure = read_calculated_structure(library, calculation.id)
    symbols = symbols_of_numbers(np.asarray(structure.numbers, dtype=np.int64))
    found: dict[str, list[float]] = {}
    for one, other, value in zip(first.tolist(), second.tolist(), length.tolist(), strict=True):
        pair = "-".join(sorted((symbols[int(one)], symbols[int(other)])))
        found.setdefault(pair, []).append(float(value))
    return {pair: np.array(values) for pair, values in found.items()}
