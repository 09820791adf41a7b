"""Read sites, tables and structures."""

from __future__ import annotations

from pathlib import Path

from adatom.io.choosing import chosen_part
from adatom.io.guard import reading
from adatom.io.opening import open_file
from adatom.io.signals import RawStructure
from adatom.schema import Sites, Structure, Table
from adatom.units import Length


def read_sites(
    path: str | Path,
    /,
    *,
    dataset: str | None = None,
    columns: str | None = None,
    pixel_size: Length | None = None,
) -> Sites:
    r"""Read positions of sites, boxes or tracks from a table.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the table, needed where the file holds several.
    columns : str, optional
        What the columns are, in their order, such as "y, x" or "x, y,
        species"; needed where the file does not name them, as an array
        does. Columns called "_" are left out.
    pixel_size : length, optional
        Such as "0.02 nm": positions in pixels become lengths.

    Returns
    -------
    Sites
        With ``frame``, ``track`` and whatever else the table has. Of boxes
        y and x are the centers, ``height`` and ``width`` the sizes.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or names no positions.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "sites.csv"
    >>> _ = file.write_text("y [nm],x [nm],species\n0.5,1.5,Si\n")
    >>> read_sites(file).x.values
    array([1.5])
    >>> folder.cleanup()
    """
    from adatom.io.tables import sites_from_part

    place = Path(path)
    with reading(place):
        raw = open_file(place)
        kinds = ("sites",) if columns is None else ("sites", "table", "image")
        part = chosen_part(raw, dataset, kinds)
        return sites_from_part(raw, part, columns=columns, pixel_size=pixel_size)


def read_table(path: str | Path, /, *, dataset: str | None = None) -> Table:
    r"""Read a table of named columns.

    Parameters
    ----------
    path : str or Path
        The file; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the table, needed where the file holds several.

    Returns
    -------
    Table
        Columns with their units, where the file gives them.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "table.csv"
    >>> _ = file.write_text("sample,Al [%]\nA1,20\nA2,25\n")
    >>> read_table(file)["Al"].values
    array([20., 25.])
    >>> folder.cleanup()
    """
    from adatom.io.tables import table_from_part

    place = Path(path)
    with reading(place):
        raw = open_file(place)
        return table_from_part(raw, chosen_part(raw, dataset, ("table", "sites")))


def read_structure(path: str | Path, /, *, dataset: str | None = None) -> Structure:
    r"""Read a crystal or molecule.

    Parameters
    ----------
    path : str or Path
        CIF, POSCAR, extxyz and others; `list_formats` says which are read.
    dataset : str, optional
        Name or number of the structure, needed where the file holds several.

    Returns
    -------
    Structure
        ASE Atoms, in angstrom, as ASE has them.

    Raises
    ------
    ReadError
        If the file is damaged, of no known format, or holds no structure.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name) / "dimer.extxyz"
    >>> _ = file.write_text("2\nProperties=species:S:1:pos:R:3\nC 0 0 0\nSi 0 0 1.7\n")
    >>> read_structure(file).get_chemical_formula()
    'CSi'
    >>> folder.cleanup()
    """
    place = Path(path)
    with reading(place):
        part = chosen_part(open_file(place), dataset, ("structure",))
        assert isinstance(part, RawStructure)  # noqa: S101 -- only these are of the kind
        return part.atoms.copy()  # type: ignore[no-any-return, no-untyped-call]
