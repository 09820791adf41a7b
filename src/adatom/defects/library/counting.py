"""Statistics of a library: how many of a class, how dense, which together."""

from __future__ import annotations

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
    where, values = condition_of_query(library, asked)
    counted = "" if asked.all_analyses else "WHERE is_current = 1"
    rows = library.session.rows(
        f"SELECT i.host, d.{by}, d.class_key, d.image_id "  # noqa: S608 -- one of three names
        f"FROM adatom_defects d JOIN adatom_images i ON i.id = d.image_id WHERE {where}",
        values,
    )
    images = library.session.rows(
        f"SELECT host, id, area_nm2 FROM adatom_images {counted} ORDER BY id"  # noqa: S608
    )
    labels = [(host, label or f"class-{key[:8]}", image) for host, label, key, image in rows]
    table = _class_table(labels, images)
    unknown = sum(area is None for _, _, area in images)
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
        f"{len(rows)} defects in {len(images)} images; intervals of 95 %: counts by Poisson "
        "(exact), shares by Wilson",
    )
    return LibraryCounts(table, _pair_table(labels, images))


_Labels = list[tuple[str, str, int]]
_Images = list[tuple[str, int, float | None]]


def _class_table(labels: _Labels, images: _Images) -> Table:
    counts: dict[tuple[str, str], int] = {}
    shown: dict[tuple[str, str], set[int]] = {}
    hosts: dict[str, int] = {}
    for host, label, image in labels:
        counts[host, label] = counts.get((host, label), 0) + 1
        shown.setdefault((host, label), set()).add(image)
        hosts[host] = hosts.get(host, 0) + 1
    known = {image for _, image, area in images if area is not None}
    areas: dict[str, float] = {}
    for host, _, area in images:
        areas[host] = areas.get(host, 0.0) + (area or 0.0)
    order = sorted(counts, key=lambda key: (-counts[key], key))
    count = np.array([counts[key] for key in order], dtype=np.int64)
    total = np.array([hosts[host] for host, _ in order], dtype=np.int64)
    with_area: dict[tuple[str, str], int] = {}
    for host, label, image in labels:
        with_area[host, label] = with_area.get((host, label), 0) + (image in known)
    analyzed = np.array([areas.get(host, 0.0) for host, _ in order])
    analyzed = np.where(analyzed > 0, analyzed, np.nan)
    low, high = poisson_interval(count)
    share = count / np.maximum(total, 1)
    share_low, share_high = wilson_interval(share, np.maximum(total, 1), deviations=_DEVIATIONS)
    dense = np.array([with_area[key] for key in order], dtype=np.int64)
    dense_low, dense_high = poisson_interval(dense)
    return table_from_columns(
        {
            "name": np.array([label for _, label in order], dtype=np.str_),
            "host": np.array([host for host, _ in order], dtype=np.str_),
            "count": count, "count_low": low, "count_high": high,
            "share": share, "share_low": share_low, "share_high": share_high,
            "n_images": np.array([len(shown[key]) for key in order], dtype=np.int64),
            "density": dense / analyzed, "density_low": dense_low / analyzed,
            "density_high": dense_high / analyzed,
        },
        units=dict.fromkeys(("density", "density_low", "density_high"), "1/nm^2"),
    )  # fmt: skip


def _pair_table(labels: _Labels, images: _Images) -> Table:
    from scipy.stats import hypergeom

    n_images: dict[str, int] = {}
    for host, _, _ in images:
        n_images[host] = n_images.get(host, 0) + 1
    shown: dict[tuple[str, str], set[int]] = {}
    for host, label, image in labels:
        shown.setdefault((host, label), set()).add(image)
    keys = sorted(sorted(shown, key=lambda key: (-len(shown[key]), key))[:_MOST_PAIRED])
    rows = []
    for place, one in enumerate(keys):
        for other in keys[place + 1 :]:
            if one[0] != other[0]:
                continue
            n, n_one, n_other = n_images.get(one[0], 0), len(shown[one]), len(shown[other])
            both = len(shown[one] & shown[other])
            rows.append((one[1], other[1], one[0], both, n, n_one, n_other))
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
