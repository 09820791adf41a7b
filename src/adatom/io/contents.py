"""Tell what files hold, and which are read."""

from __future__ import annotations

from pathlib import Path

from adatom.io.choosing import row_of_part
from adatom.io.formats import all_formats
from adatom.io.guard import reading
from adatom.io.opening import open_file
from adatom.schema import Table, table_from_columns


def read_contents(path: str | Path, /) -> Table:
    """List what a file holds, without reading its arrays.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Table
        One row a dataset: ``name`` (for `dataset=`), ``kind``, ``shape``,
        ``axes``, ``units`` and ``scale`` of the axes as in the file,
        ``dtype``, and ``pixel_size`` as it will be read, with its unit, or
        "px". ``attrs`` hold ``source`` and ``format``.

    Raises
    ------
    ReadError
        If the file is damaged or of no known format.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "lattice.npy"
    >>> np.save(file, np.zeros((4, 6), np.float32))
    >>> table = read_contents(file)
    >>> table["kind"].item(), table["shape"].item()
    ('image', '4 x 6')
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        raw = open_file(place)
        rows = [row_of_part(part) for part in raw.parts]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    table = table_from_columns(columns)
    table.attrs.update(source=place.name, format=all_formats()[raw.format_name].name)
    return table


def list_formats() -> Table:
    """List the formats that are read.

    Returns
    -------
    Table
        One row a format: ``name``, ``endings``, ``kinds``, ``reader`` (who does
        the work) and ``tested`` (whether its tests read files of instruments
        or only files that they write).

    Examples
    --------
    >>> "DigitalMicrograph" in list_formats()["name"].values
    True
    """
    formats = list(all_formats().values())
    return table_from_columns(
        {
            "name": [one.name for one in formats],
            "endings": [one.endings for one in formats],
            "kinds": [one.holds for one in formats],
            "reader": [one.reader for one in formats],
            "tested": [f"on {one.proof}" for one in formats],
        }
    )
