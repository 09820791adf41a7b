"""The step of a recipe that adds the defects of an image to a library."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from adatom.defects.library.adding import add_defects
from adatom.defects.library.opening import open_library
from adatom.defects.library.packing import check_found
from adatom.defects.library.sessions import shown_place
from adatom.defects.records import Defects
from adatom.errors import AdatomError
from adatom.schema import IMAGE, Image, Table, add_note, table_from_columns


class AddedDefects(NamedTuple):
    """Where the defects of an image were put.

    Attributes
    ----------
    rows : Table
        One row: the ``library``, the hash of the ``image``, that of the
        ``analysis`` (of what was found), ``n_defects``.
    """

    rows: Table

    def still_true(self) -> bool:
        """Tell whether the library holds these defects as the ones that count.

        A result that is kept from an earlier run is used again only then: the
        library may have been removed, or hold another analysis by now.
        """
        if not self.rows.sizes["row"]:
            return True
        row = {name: self.rows[name].values[0] for name in ("library", "image", "analysis")}
        try:
            with open_library(str(row["library"])) as library:
                found = library.session.rows(
                    "SELECT 1 FROM adatom_images WHERE image_hash = ? AND analysis_key = ? "
                    "AND is_current = 1",
                    (str(row["image"]), str(row["analysis"])),
                )
        except AdatomError:
            # What is wrong with it is told when the defects are added again.
            return False
        return bool(found)


def add_to_library(
    found: Defects,
    image: Image,
    /,
    *,
    library: str,
    keep_image: bool = True,
) -> AddedDefects:
    """Add the defects of an image to a library, which is made if there is none.

    All of them are added in one transaction or none; the same defects of the
    same image change nothing, other defects of it take the place of those
    before, which the library keeps as an older analysis. Several processes
    may add to one library at once.

    Parameters
    ----------
    found : Defects
        From `find_defects`.
    image : Image
        In which they were found, as read: it is known again by its pixels.
    library : str
        File that ends in ``.db``, or ``postgresql://...``.
    keep_image : bool
        Whether to keep the pixels beside the library, for contact sheets and
        export. They take as much room as the compressed image.

    Returns
    -------
    AddedDefects
        The hashes under which they stand; equal for equal data, whether or not
        they were there before.

    Raises
    ------
    KindError
        If these are no defects of one image, or have no scale.
    StoreError
        If the library cannot be written, or is none.

    Examples
    --------
    >>> added = add_to_library(found, image, library="graphene.db")  # doctest: +SKIP
    >>> int(added.rows["n_defects"][0])  # doctest: +SKIP
    12
    """
    defects = check_found(found)
    IMAGE.check(image)
    with open_library(library, create=True) as opened:
        added = add_defects(opened, defects, image, keep_image=keep_image)
    rows = table_from_columns(
        {
            "library": np.array([library], dtype=np.str_),
            "image": np.array([added.image_hash], dtype=np.str_),
            "analysis": np.array([added.analysis_key], dtype=np.str_),
            "n_defects": np.array([added.n_defects], dtype=np.int64),
        }
    )
    add_note(rows, f"{added.n_defects} defects are in {shown_place(library)}")
    return AddedDefects(rows)
