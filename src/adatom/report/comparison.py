"""Classes of many files side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from adatom.numerics.groups import counts_by_group
from adatom.report.words import count_text
from adatom.schema import CLASSES, Classes, Table, add_note, table_from_columns


def compare_runs(classes: list[Classes], /) -> Table:
    """Count the members of every class in every file.

    Classes of different files are the same only if one model assigned them;
    classes that were found file by file are ordered by size in each file,
    so that class 1 of one file need not be class 1 of another.

    Parameters
    ----------
    classes : list of Classes
        One of each file, in the order of the files.

    Returns
    -------
    Table
        A row a file: ``file`` (number from 0 on, in that order),
        ``members``, ``not_classified``, and for every class ``count_k`` and
        ``fraction_k`` (of all members, those without a class included).

    Raises
    ------
    KindError
        If one of the list is not Classes.

    Examples
    --------
    >>> import xarray as xr
    >>> one, two = (xr.Dataset({"label": ("site", labels)}) for labels in ([0, 0, 1], [0, -1]))
    >>> table = compare_runs([one, two])
    >>> table["count_0"].values.tolist(), table["fraction_0"].values.tolist()
    ([2, 1], [0.6666666666666666, 0.5])
    """
    for number, one in enumerate(classes):
        CLASSES.check(one, name=f"classes of file {number}")
    labels = [np.asarray(one["label"].values).ravel() for one in classes]
    n_classes = max((int(label.max(initial=-1)) + 1 for label in labels), default=0)
    counts = np.array([counts_by_group(label, n_groups=n_classes) for label in labels])
    counts = counts.reshape(len(labels), n_classes)
    members = np.array([label.size for label in labels], dtype=np.int64)
    columns: dict[str, Any] = {
        "file": np.arange(len(labels)),
        "members": members,
        "not_classified": members - counts.sum(axis=1),
    }
    for k in range(n_classes):
        columns[f"count_{k}"] = counts[:, k]
    for k in range(n_classes):
        columns[f"fraction_{k}"] = counts[:, k] / np.maximum(members, 1)
    table = table_from_columns(columns)
    if len(labels) > 1:
        add_note(
            table,
            f"{count_text(len(labels), 'file')}: class k of two files is the same thing only if "
            "one model assigned both.",
        )
    return table
