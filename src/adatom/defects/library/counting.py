"""Statistics of a library: how many of a class, how dense, which together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from scipy.stats import chi2

from adatom.defects.library.queries import DefectQuery, condition_of_query
from adatom.numerics.intervals import wilson_interval
from adatom.schema import Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.defects.library.opening import Library

CONFIDENCE: Final = 0.95
"""Of all intervals."""

# Of a hundred classes there are 4950 pairs: more are read by nobody.
_MOST_PAIRED: Final = 100
_DEVIATIONS: Final = 1.959963984540054


class LibraryCounts(NamedTuple):
    """Statistics of a library.

    Attributes
    ----------
    classes : Table
        One row a class, most frequent first: ``name`` (or the beginning of
        its key where it has none), ``host``, ``count`` with the interval
        ``count_low`` to ``count_high`` of its expectation, ``share`` among
        all defects of the host with ``share_low``, ``share_high``,
        ``n_images`` that show it, ``density`` per analyzed area with
        ``density_low``, ``density_high``.
    pairs : Table
        One row a pair of classes of a host, of the 100 classes that most
        images show: ``n_images`` that show both, ``expected`` if images showed
        them independently, ``ratio`` of the two, and ``probability``, of as many
        or more (ratio above 1) or as many or fewer, by chance.
    """

    classes: Table
    pairs: Table


def poisson_interval(
    counts: NDArray[np.int64] | np.int64, /
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the exact 95 % interval of the expectation of counts.

    References
    ----------
    F. Garwood, Biometrika 28, 437 (1936).

    Examples
    --------
    >>> low, high = poisson_interval(np.array([0, 10]))
    >>> low.round(2), high.round(2)
    (array([0. , 4.8]), array([ 3.69, 18.39]))
    """
    tail = (1 - CONFIDENCE) / 2
    low = np.where(counts > 0, chi2.ppf(tail, 2 * np.maximum(counts, 1)) / 2, 0.0)
    return low, chi2.ppf(1 - tail, 2 * (counts + 1)) / 2


def count_defects(
    library: Library,
    query: DefectQuery | None = None,
    /,
    *,
    by: Literal["name", "class_key", "kind"] = "name",
) -> LibraryCounts:
    """Count the defects of a library by class.

    Counts get the exact interval of a Poisson expectation, which holds
    for defects that are there independently of one another; shares get
    Wilson's interval. Densities are over the analyzed area of all images of
    the host, those without a defect included; images whose area is not known
    are left out of densities.

    Parameters
    ----------
    library : Library
    query : DefectQuery, optional
        Count these only. Shares are among them, and areas are those of all images.
        With its ``all_analyses`` an image that was analyzed again counts once for
        every analysis, with its area, which a note tells.
    by : {"name", "class_key", "kind"}
        What makes a class. A name stands for several graphs where rings differ.

    Returns
    -------
    LibraryCounts
    """
    asked = query or DefectQuery()
    counted = "" if asked.all_analyses else "WHERE is_current = 1"
    images = {
        str(host): _Images(int(number), int(known), float(area or 0.0))
        for host, number, known, area in library.session.rows(
            "SELECT host, COUNT(*), COUNT(area_nm2), SUM(area_nm2) "  # noqa: S608
            f"FROM adatom_images {counted} GROUP BY host"
        )
    }
    classes = _counted_classes(library, asked, by)
    table = _class_table(classes, images)
    n_images = sum(one.number for one in images.values())
    unknown = n_images - sum(one.known for one in images.values())
    if unknown:
        add_note(table, f"densities leave out {unknown} images whose analyzed area is not known")
    if asked.all_analyses:
        n_older = library.session.rows("SELECT COUNT(*) FROM adatom_images WHERE is_current = 0")
        add_note(
            table,
            f"{n_older[0][0]} older analyses count as images of their own: counts are not "
            "independent of one another",
        )
    add_note(
        table,
        f"{sum(one.count for one in classes)} defects in {n_images} images; intervals of 95 %: "
        "counts by Poisson (exact), shares by Wilson",
    )
    return LibraryCounts(table, _pair_table(library, asked, by, classes, images))


@dataclass(frozen=True)
class _Images:
    """Images of a host: how many, of how many the area is known, and that area in nm^2."""

    number: int
    known: int
    area: float


@dataclass(frozen=True)
class _Class:
    """A class of a host: its defects, images that show it, defects where the area is known."""

    host: str
    label: str
    count: int
    n_images: int
    with_area: int


def _label(by: str) -> str:
    """Spell the name of a class: the beginning of its key where it has none."""
    return f"CASE WHEN d.{by} = '' THEN 'class-' || substr(d.class_key, 1, 8) ELSE d.{by} END"


def _counted_classes(library: Library, query: DefectQuery, by: str) -> list[_Class]:
    """Let the database count, so that no row of a defect is held here; most frequent first."""
    where, values = condition_of_query(library, query)
    told = library.session.rows(
        f"SELECT i.host, {_label(by)}, COUNT(*), COUNT(DISTINCT d.image_id), "  # noqa: S608
        "COUNT(i.area_nm2) FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id "
        f"WHERE {where} GROUP BY 1, 2",
        values,
    )
    classes = [_Class(str(row[0]), str(row[1]), *map(int, row[2:])) for row in told]
    return sorted(classes, key=lambda one: (-one.count, one.host, one.label))


def _class_table(classes: list[_Class], images: dict[str, _Images]) -> Table:
    hosts: dict[str, int] = {}
    for one in classes:
        hosts[one.host] = hosts.get(one.host, 0) + one.count
    count = np.array([one.count for one in classes], dtype=np.int64)
    total = np.array([hosts[one.host] for one in classes], dtype=np.int64)
    analyzed = np.array([images[one.host].area for one in classes])
    analyzed = np.where(analyzed > 0, analyzed, np.nan)
    low, high = poisson_interval(count)
    share = count / np.maximum(total, 1)
    share_low, share_high = wilson_interval(share, np.maximum(total, 1), deviations=_DEVIATIONS)
    dense = np.array([one.with_area for one in classes], dtype=np.int64)
    dense_low, dense_high = poisson_interval(dense)
    return table_from_columns(
        {
            "name": np.array([one.label for one in classes], dtype=np.str_),
            "host": np.array([one.host for one in classes], dtype=np.str_),
            "count": count, "count_low": low, "count_high": high,
            "share": share, "share_low": share_low, "share_high": share_high,
            "n_images": np.array([one.n_images for one in classes], dtype=np.int64),
            "density": dense / analyzed, "density_low": dense_low / analyzed,
            "density_high": dense_high / analyzed,
        },
        units=dict.fromkeys(("density", "density_low", "density_high"), "1/nm^2"),
    )  # fmt: skip


def _pair_table(
    library: Library,
    query: DefectQuery,
    by: str,
    classes: list[_Class],
    images: dict[str, _Images],
) -> Table:
    from scipy.stats import hypergeom

    most = sorted(classes, key=lambda one: (-one.n_images, one.host, one.label))[:_MOST_PAIRED]
    most.sort(key=lambda one: (one.host, one.label))
    shared_images = _shared_images(library, query, by, most)
    rows = [
        (
            one.label, other.label, one.host,
            shared_images.get((one.host, one.label, other.label), 0),
            images[one.host].number, one.n_images, other.n_images,
        )
        for place, one in enumerate(most)
        for other in most[place + 1 :]
        if one.host == other.host
    ]  # fmt: skip
    columns = list(zip(*rows)) if rows else [()] * 7
    shared, total, ones, others = (np.array(column, dtype=np.int64) for column in columns[3:])
    expected = ones * others / np.maximum(total, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(expected > 0, shared / expected, np.nan)
    # Of n images, n_one show the one: how many of those n_other that show the other are among
    # them (Fisher's exact test).
    more = hypergeom.sf(shared - 1, total, ones, others)
    fewer = hypergeom.cdf(shared, total, ones, others)
    return table_from_columns(
        {
            "first": np.array(columns[0], dtype=np.str_),
            "second": np.array(columns[1], dtype=np.str_),
            "host": np.array(columns[2], dtype=np.str_),
            "n_images": shared,
            "expected": expected,
            "ratio": ratio,
            "probability": np.where(shared >= expected, more, fewer).astype(np.float64),
        }
    )


def _shared_images(
    library: Library, query: DefectQuery, by: str, classes: list[_Class]
) -> dict[tuple[str, str, str], int]:
    """Count the images that show two classes of a host, by host and both labels in order."""
    if len(classes) < 2:
        return {}
    where, values = condition_of_query(library, query)
    labels = sorted({one.label for one in classes})
    marks = ", ".join("?" * len(labels))
    told = library.session.rows(
        f"WITH shown AS (SELECT DISTINCT i.host AS host, {_label(by)} AS label, "  # noqa: S608
        "d.image_id AS image FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id "
        f"WHERE ({where}) AND {_label(by)} IN ({marks})) "
        "SELECT a.host, a.label, b.label, COUNT(*) FROM shown a JOIN shown b "
        "ON a.image = b.image AND a.label < b.label GROUP BY a.host, a.label, b.label",
        [*values, *labels],
    )
    # A server may have another alphabet.
    return {(host, *sorted((one, other))): int(number) for host, one, other, number in told}
