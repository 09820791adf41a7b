"""What a person marked in an image -> sites with the names of their classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy import ndimage

from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.matching import match_points
from adatom.schema import (
    CLASSES,
    IMAGE,
    MASK,
    SITES,
    Classes,
    Image,
    Mask,
    Sites,
    add_note,
    extent,
    positions,
    sites_from_positions,
    space_unit,
)
from adatom.units import Length, length_from_setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a byte holds: more distinct values are a photograph, not a drawing.
_MOST_VALUES: Final = 256
# Blobs that touch at a corner are one.
_EIGHT: Final = np.ones((3, 3), dtype=bool)
# Of blobs as people draw them; two that have run together have twice the usual size.
_SEVERAL: Final = 1.6
_NAME_COLUMNS: Final = ("class", "species", "label")
_FILE_COLUMNS: Final = ("image", "filename", "file", "image_name")


class _Blobs(NamedTuple):
    """Blobs of one class."""

    center: NDArray[np.float64]
    n_pixels: NDArray[np.int64]
    at_edge: NDArray[np.bool_]


def sites_from_labels(
    drawn: Image | Mask | list[Image] | list[Mask], /, *, classes: list[str] | None = None
) -> Sites:
    """Take every blob of a drawing for one site, named by its class.

    Parameters
    ----------
    drawn : Image, Mask or list of these
        Drawn over the image in which the sites are: one picture in which
        every value is a class, as `io.read_label_image` gives it, or one
        picture a class. The smallest value of a picture (False of a mask)
        is its background.
    classes : list of str, optional
        Names of the classes, in rising order of the values, picture after
        picture. By default pictures of one class are named by their files,
        as "label_vacancy", and others by the entries of their legend.

    Returns
    -------
    Sites
        At the centroid of each blob, of pixels that touch at an edge or a
        corner: ``class``; ``n_pixels``, the size of the blob; ``at_edge``, True
        where it touches the edge of the picture, which may cut it, so that its
        centroid lies too far inside. Blobs much larger than is usual in their
        class, which may be several that have run together, are counted in a
        note.

    Raises
    ------
    KindError
        If the pictures differ in their pixels, or have no blobs.
    SettingError
        If `classes` are not one name for each value but the background.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> drawn = np.zeros((8, 8), np.uint8)
    >>> drawn[1:4, 1:4], drawn[5, 6] = 1, 2
    >>> sites = sites_from_labels(image_from_array(drawn), classes=["Se", "vacancy"])
    >>> sites["class"].values.tolist(), sites.y.values
    (['Se', 'vacancy'], array([2., 5.]))
    """
    pictures = drawn if isinstance(drawn, list) else [drawn]
    _check_pictures(pictures)
    layers = [layer for picture in pictures for layer in _layers(picture)]
    if not layers:
        msg = "all pixels of the drawing have one value: there are no blobs, and so no sites"
        raise KindError(msg)
    names = [name for name, _ in layers] if classes is None else list(classes)
    if len(names) != len(layers):
        told = ", ".join(name for name, _ in layers)
        msg = f"{classes=} are {len(names)} names for {len(layers)} values ({told})"
        raise SettingError(msg)
    blobs = [_blobs(inside) for _, inside in layers]
    first = pictures[0]
    origin = np.array([first.coords["y"].values[0], first.coords["x"].values[0]], dtype=float)
    step = np.array([_step(first, dim) for dim in ("y", "x")])
    place = np.concatenate([one.center for one in blobs]) * step + origin
    sites = sites_from_positions(*place.T, unit=space_unit(first), extent=extent(first))
    sites["class"] = ("site", np.repeat(names, [len(one.center) for one in blobs]))
    sites["n_pixels"] = ("site", np.concatenate([one.n_pixels for one in blobs]))
    sites["at_edge"] = ("site", np.concatenate([one.at_edge for one in blobs]))
    _tell(sites, names, blobs)
    return sites


def _check_pictures(pictures: list[Image] | list[Mask]) -> None:
    if not pictures:
        msg = "no drawing was given: give one picture, or one a class"
        raise KindError(msg)
    for number, picture in enumerate(pictures):
        is_mask = getattr(getattr(picture, "dtype", None), "kind", "") == "b"
        kind = MASK if is_mask else IMAGE
        kind.check(picture, name=f"drawing {number}")
        first = pictures[0]
        if picture.shape != first.shape or space_unit(picture) != space_unit(first):
            msg = (
                f"drawing {number} is {picture.shape} in {space_unit(picture)}, the first is "
                f"{first.shape} in {space_unit(first)}: all must lie on the same pixels"
            )
            raise KindError(msg)


def _step(picture: Image | Mask, dim: str) -> float:
    values = picture.coords[dim].values
    return float(values[1] - values[0]) if values.size > 1 else 1.0


def _layers(picture: Image | Mask) -> list[tuple[str, NDArray[np.bool_]]]:
    """Part a picture into its values but the smallest, with the name that each has by itself."""
    values = np.asarray(picture.values)
    distinct = np.unique(values)
    if len(distinct) > _MOST_VALUES:
        msg = (
            f"the drawing has {len(distinct)} distinct values, which are no classes: draw in "
            "plain colors without smoothed edges, save as png or tif, and read it by "
            "io.read_label_image"
        )
        raise KindError(msg)
    legend = picture.attrs.get("legend")
    stem = Path(str(picture.attrs.get("source", ""))).stem
    names = [str(value if legend is None else legend[int(value)]) for value in distinct[1:]]
    if len(names) == 1 and stem:
        names = [stem]
    return [(name, values == value) for name, value in zip(names, distinct[1:])]


def _blobs(inside: NDArray[np.bool_]) -> _Blobs:
    numbers, n_blobs = ndimage.label(inside, structure=_EIGHT)
    index = np.arange(1, n_blobs + 1)
    center = np.array(ndimage.center_of_mass(inside, numbers, index), dtype=float).reshape(-1, 2)
    n_pixels = np.bincount(numbers.ravel(), minlength=n_blobs + 1)[1:].astype(np.int64)
    rim = np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]])
    return _Blobs(center, n_pixels, np.isin(index, rim))


def _tell(sites: Sites, names: list[str], blobs: list[_Blobs]) -> None:
    counted = ", ".join(f"{len(one.center)} {name}" for name, one in zip(names, blobs))
    add_note(sites, f"Blobs of the drawing: {counted}.")
    if n_cut := sum(int(one.at_edge.sum()) for one in blobs):
        add_note(sites, f"{n_cut} blobs touch the edge, where they may be cut (`at_edge`).")
    large = sum(int((one.n_pixels > _SEVERAL * np.median(one.n_pixels)).sum()) for one in blobs)
    if large:
        add_note(
            sites,
            f"{large} blobs are over {_SEVERAL} times as large as is usual in their class: they "
            "may be several sites that have run together, of which one is taken.",
        )


def assign_labels(
    sites: Sites,
    labels: Sites | Classes,
    image: Image | None = None,
    /,
    *,
    max_distance: Length = "0.5 d",
    others: str | None = None,
) -> Sites:
    """Give sites the names of the labels at the same places.

    Labels say what a person saw and about where: from a drawing
    (`sites_from_labels`), a table (`io.read_sites`), or sites that were found
    and then corrected by hand. The sites say exactly where. Pairs are
    exclusive, with the least sum of squared distances.

    Parameters
    ----------
    sites : Sites
        All places that may be of a class, such as `find_lattice_sites` gives
        them for vacancies, at which no finder of atoms sees anything.
    labels : Sites or Classes
        Sites with ``class`` (text or whole numbers), or else ``species`` or
        ``label``; those without a name ("" or -1) take no part. Or classes of
        sites, as `predict_classes` of the room `clustering` gives them: then
        the sites get their names, to be corrected by hand.
    image : Image, optional
        In which the sites are. Needed where the labels are of several images,
        whose file names stand in their variable ``image``: those of this one,
        by ``attrs["source"]``, are taken.
    max_distance : length
        Labels farther from any site stay alone, which a note tells. d is the
        distance of neighboring sites; beyond half of it the next site is nearer.
    others : str, optional
        Class of the sites that have no label, if everything of interest was
        marked. By default they get "", which says that nothing is known.

    Returns
    -------
    Sites
        The sites with ``class``; of classes also ``class_score``, the
        probability of each name, where they have it.

    Raises
    ------
    KindError
        If labels name no class, are in another unit, or of several images
        while `image` is left out.
    TooFewSitesError
        If not one label lies at a site.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> sites = sites_from_positions([0.0, 0.0], [0.0, 5.0], unit="px", spacing=5.0)
    >>> labels = sites_from_positions([0.4], [4.8], unit="px")
    >>> labels["class"] = ("site", ["vacancy"])
    >>> assign_labels(sites, labels, others="usual")["class"].values.tolist()
    ['usual', 'vacancy']
    """
    SITES.check(sites, name="sites")
    if _are_of_these_sites(labels, sites):
        return _named_by_classes(sites, labels, others or "")
    SITES.check(labels, name="labels")
    unit = space_unit(sites)
    if space_unit(labels) != unit:
        msg = (
            f"sites are in {unit}, labels in {space_unit(labels)}: read the labels with the "
            "pixel_size of the image"
        )
        raise KindError(msg)
    here = _labels_of_image(labels, image)
    names = _names(here)
    here, names = here.isel(site=np.flatnonzero(names != "")), names[names != ""]
    reach = length_from_setting(
        max_distance, unit=unit, spacing=sites.attrs.get("spacing"), name="max_distance"
    )
    match = match_points(positions(sites), positions(here), max_distance=max(reach, 0.0))
    if not match.left.size:
        msg = (
            f"not one of {len(names)} labels lies within {max_distance=} of one of "
            f"{sites.sizes['site']} sites: are both in the same order of y and x, and of the "
            "same image?"
        )
        raise TooFewSitesError(msg)
    given = np.full(sites.sizes["site"], others or "", dtype=object)
    given[match.left] = names[match.right]
    named = sites.assign({"class": ("site", given.astype(np.str_))})
    named.attrs["notes"] = list(sites.attrs.get("notes", []))
    _tell_of_labels(named, names, names[np.setdiff1d(np.arange(len(names)), match.right)])
    return named


def _are_of_these_sites(labels: Sites | Classes, sites: Sites) -> bool:
    """Tell whether labels are classes of these very sites, one after the other."""
    if not CLASSES.fits(labels) or "class" in labels.data_vars:
        return False
    if labels["label"].shape != (sites.sizes["site"],):
        return False
    return "y" not in labels.coords or np.array_equal(positions(labels), positions(sites))


def _named_by_classes(sites: Sites, classes: Classes, others: str) -> Sites:
    """Write the names of classes to the sites of which they are."""
    names = _names(classes)
    names[names == ""] = others
    named = sites.assign({"class": ("site", names.astype(np.str_))})
    if "score" in classes:
        named["class_score"] = ("site", classes["score"].values, {"units": "1"})
    named.attrs["notes"] = list(sites.attrs.get("notes", []))
    _tell_of_labels(named, names, np.zeros(0, dtype=object))
    return named


def _labels_of_image(labels: Sites, image: Image | None) -> Sites:
    """Keep the labels of one image, where they name theirs."""
    column = next((name for name in _FILE_COLUMNS if name in labels.variables), None)
    if column is None:
        return labels
    files = np.array([Path(str(name)).name for name in labels[column].values], dtype=np.str_)
    if image is None:
        if len(np.unique(files)) > 1:
            msg = (
                f"labels are of {len(np.unique(files))} images ({column!r}): give the image in "
                "which the sites are as the third of the data"
            )
            raise KindError(msg)
        return labels
    IMAGE.check(image, name="image")
    source = Path(str(image.attrs.get("source", ""))).name
    # People write the name of a file with or without its ending.
    stems = np.array([Path(name).stem for name in files.tolist()], dtype=np.str_)
    own = (files == source) | (stems == Path(source).stem)
    if not own.any():
        known = ", ".join(np.unique(files)[:5].tolist())
        msg = f"no label is of the image {source!r}: {column!r} holds {known}"
        raise KindError(msg)
    return labels.isel(site=np.flatnonzero(own))


def _names(labels: Sites | Classes) -> NDArray[np.object_]:
    """Give the name of each label, "" where it has none."""
    # Classes have a coordinate "class" with the numbers of all classes.
    column = next((name for name in _NAME_COLUMNS if name in labels.data_vars), None)
    if column is None:
        known = ", ".join(map(str, labels.data_vars)) or "no variable"
        msg = f"labels have {known}, but no 'class' or 'species' that names what each one is"
        raise KindError(msg)
    values = labels[column].values
    if values.dtype.kind in "iu":
        told = dict(enumerate(labels.attrs.get("class_names", [])))
        named = [told.get(value, str(value)) if value >= 0 else "" for value in values.tolist()]
        return np.array(named, dtype=object)
    if values.dtype.kind == "f":
        msg = f"{column!r} of the labels holds numbers with fractions: give names or whole numbers"
        raise KindError(msg)
    return np.array([str(value).strip() for value in values], dtype=object)


def _tell_of_labels(named: Sites, names: NDArray[np.object_], alone: NDArray[np.object_]) -> None:
    classes, counts = np.unique(named["class"].values, return_counts=True)
    told = ", ".join(f"{count} {name or 'without a name'}" for name, count in zip(classes, counts))
    add_note(named, f"Classes given to sites: {told}.")
    if alone.size:
        kinds, counts = np.unique(alone.astype(np.str_), return_counts=True)
        left = ", ".join(f"{count} {name}" for name, count in zip(kinds, counts))
        add_note(named, f"{alone.size} of {len(names)} labels have no site near them: {left}.")
