"""The kinds of data that steps take and give: plain xarray objects with a check each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

import numpy as np
import xarray as xr

from adatom.errors import KindError, UnitError
from adatom.units import LENGTH, SPACE_UNITS, Length

if TYPE_CHECKING:
    import pandas as pd
    from ase import Atoms
    from numpy.typing import ArrayLike, NDArray

PLACE_DIMS: Final = ("y", "x", "frame", "site", "neighbor", "axis")
"""Dims that say where something was measured, never what."""

# Space axes come from instruments as float32 steps or rounded text.
_STEP_TOLERANCE: Final = 1e-3
# Labels of fewer places may run up to this, as where classes keep their numbers in a small part.
_MOST_CLASSES: Final = 4096


@dataclass(frozen=True)
class Kind:
    """A kind of data, named and checkable.

    Attributes
    ----------
    name : str
        As in the annotation: "Image", "Sites" ...
    layout : str
        What it looks like, for messages.
    rule : callable
        Gives what is wrong with an object, nothing if it is of this kind.
    also : tuple of Kind
        Kinds whose every member is of this kind too.
    """

    name: str
    layout: str
    rule: Callable[[Any], list[str]] = field(repr=False, compare=False)
    also: tuple[Kind, ...] = ()

    def check(self, data: object, /, *, name: str | None = None) -> None:
        """Raise `KindError` that lists what `data` lacks to be of this kind."""
        wrong = self.rule(data)
        if wrong:
            who = f"{name} is not" if name else "this is not"
            msg = f"{who} {_article(self.name)}: {'; '.join(wrong)}. {self.name} is {self.layout}"
            raise KindError(msg)

    def fits(self, data: object, /) -> bool:
        """Tell whether `data` is of this kind."""
        return not self.rule(data)

    def accepts(self, other: Kind, /) -> bool:
        """Tell whether every member of `other` is of this kind."""
        return other is self or any(kind.accepts(other) for kind in self.also)


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _array_of_dims(data: object, dims: tuple[str, ...]) -> list[str]:
    if not isinstance(data, xr.DataArray):
        return [f"found {type(data).__name__}, need xarray.DataArray"]
    if data.dims != dims:
        return [f"found dims {tuple(data.dims)}, need {dims}"]
    return []


def _space_axes(data: xr.DataArray) -> list[str]:
    wrong = []
    for dim in ("y", "x"):
        if dim not in data.coords:
            wrong.append(f"no coordinate {dim!r}")
            continue
        axis = data.coords[dim]
        if axis.attrs.get("units") not in SPACE_UNITS:
            found = axis.attrs.get("units")
            wrong.append(f"unit of {dim!r} is {found!r}, need one of {', '.join(SPACE_UNITS)}")
        steps = np.diff(axis.values.astype(float))
        if steps.size and not (
            np.isfinite(steps).all()
            and steps[0] > 0
            and np.allclose(steps, steps.mean(), rtol=_STEP_TOLERANCE, atol=0)
        ):
            wrong.append(f"coordinate {dim!r} does not increase in equal steps")
    if not wrong and data.coords["y"].attrs["units"] != data.coords["x"].attrs["units"]:
        wrong.append("y and x have different units")
    return wrong


def _real_numbers(data: xr.DataArray) -> list[str]:
    return [] if data.dtype.kind in "uif" else [f"values are {data.dtype}, need real numbers"]


def _image_rule(data: object) -> list[str]:
    wrong = _array_of_dims(data, ("y", "x"))
    return wrong or _real_numbers(data) + _space_axes(data)  # type: ignore[arg-type]


def _movie_rule(data: object) -> list[str]:
    wrong = _array_of_dims(data, ("frame", "y", "x"))
    return wrong or _real_numbers(data) + _space_axes(data)  # type: ignore[arg-type]


def _mask_rule(data: object) -> list[str]:
    if not isinstance(data, xr.DataArray):
        return [f"found {type(data).__name__}, need xarray.DataArray"]
    if data.dims not in {("y", "x"), ("frame", "y", "x")}:
        return [f"found dims {tuple(data.dims)}, need ('y', 'x') or ('frame', 'y', 'x')"]
    wrong = [] if data.dtype == bool else [f"values are {data.dtype}, need bool"]
    return wrong + _space_axes(data)


def _features_rule(data: object) -> list[str]:
    if not isinstance(data, xr.DataArray):
        return [f"found {type(data).__name__}, need xarray.DataArray"]
    wrong = _real_numbers(data)
    if data.ndim < 2:
        wrong.append(f"found dims {tuple(data.dims)}, need one dim or more before the last")
    elif data.dims[-1] in PLACE_DIMS:
        wrong.append(
            f"last dim {data.dims[-1]!r} says where, not what is measured: "
            "descriptors.features_from_sites or a descriptor makes features"
        )
    return wrong


def _spectral_map_rule(data: object) -> list[str]:
    if not isinstance(data, xr.DataArray):
        return [f"found {type(data).__name__}, need xarray.DataArray"]
    if data.ndim != 3 or data.dims[:2] != ("y", "x"):
        return [f"found dims {tuple(data.dims)}, need ('y', 'x', <what is measured>)"]
    return _features_rule(data) + _space_axes(data) + _measured_axis(data, str(data.dims[-1]))


def _measured_axis(data: xr.DataArray, dim: str) -> list[str]:
    if dim not in data.coords or "units" not in data.coords[dim].attrs:
        return [f"coordinate {dim!r} is missing or has no unit"]
    return []


def _spectra_rule(data: object) -> list[str]:
    if not isinstance(data, xr.DataArray):
        return [f"found {type(data).__name__}, need xarray.DataArray"]
    if data.ndim != 2 or data.dims[0] in {"y", "x"}:
        return [f"found dims {tuple(data.dims)}, need ('site', <what is measured>)"]
    wrong = _features_rule(data) + _measured_axis(data, str(data.dims[1]))
    if data.dims[0] != "site":
        wrong += _measured_axis(data, str(data.dims[0]))
    return wrong


def _diffraction_map_rule(data: object) -> list[str]:
    wrong = _array_of_dims(data, ("y", "x", "k_y", "k_x"))
    if wrong:
        return wrong
    array: xr.DataArray = data  # type: ignore[assignment]
    wrong = _real_numbers(array) + _space_axes(array)
    return wrong + _measured_axis(array, "k_y") + _measured_axis(array, "k_x")


def _force_curves_rule(data: object) -> list[str]:
    if not isinstance(data, xr.Dataset):
        return [f"found {type(data).__name__}, need xarray.Dataset"]
    dims = ("site", "segment", "sample")
    channels = [str(name) for name, variable in data.data_vars.items() if variable.dims == dims]
    if not channels:
        return [f"no variable with dims {dims}"]
    wrong = [f"{n!r} has no unit" for n in channels if "units" not in data[n].attrs]
    if "segment" not in data.coords:
        wrong.append("no coordinate 'segment' with the names of the segments")
    return wrong


def _sites_rule(data: object) -> list[str]:
    if not isinstance(data, xr.Dataset):
        return [f"found {type(data).__name__}, need xarray.Dataset"]
    if "site" not in data.dims:
        return [f"found dims {tuple(map(str, data.dims))}, need 'site'"]
    wrong = []
    for name in ("y", "x"):
        if name not in data.coords or data.coords[name].dims != ("site",):
            wrong.append(f"no coordinate {name!r} along 'site'")
        elif data.coords[name].attrs.get("units") not in SPACE_UNITS:
            found = data.coords[name].attrs.get("units")
            wrong.append(f"unit of {name!r} is {found!r}, need one of {', '.join(SPACE_UNITS)}")
    if "frame" in data.coords and data.coords["frame"].dims != ("site",):
        wrong.append("coordinate 'frame' is not along 'site'")
    if not wrong and data.coords["y"].attrs["units"] != data.coords["x"].attrs["units"]:
        wrong.append("y and x have different units")
    return wrong


def _classes_rule(data: object) -> list[str]:
    if not isinstance(data, xr.Dataset):
        return [f"found {type(data).__name__}, need xarray.Dataset"]
    if "label" not in data:
        return ["no variable 'label'"]
    if data["label"].dtype.kind != "i":
        return [f"'label' is {data['label'].dtype}, need signed integers (-1: not classified)"]
    label = data["label"].variable
    # Steps hold a column for every class up to the largest: of a million they would not end.
    if isinstance(label.data, np.ndarray) and (largest := int(label.data.max(initial=-1))) > max(
        label.size, _MOST_CLASSES
    ):
        where = f"'label' runs up to {largest} in {label.size} places"
        return [f"{where}: number classes 0, 1, 2, ... (np.unique with return_inverse does)"]
    if "probability" in data and data["probability"].dims != (*data["label"].dims, "class"):
        return [
            f"'probability' has dims {data['probability'].dims}, need those of 'label' + 'class'"
        ]
    return []


def _table_rule(data: object) -> list[str]:
    if not isinstance(data, xr.Dataset):
        return [f"found {type(data).__name__}, need xarray.Dataset"]
    odd = [str(name) for name, column in data.variables.items() if column.dims != ("row",)]
    return [f"columns {', '.join(odd)} are not along 'row' alone"] if odd else []


def _transitions_rule(data: object) -> list[str]:
    if not isinstance(data, xr.Dataset):
        return [f"found {type(data).__name__}, need xarray.Dataset"]
    named = [dim for dim in ("state", "state_to") if dim in data.coords]
    if len(named) < 2 or any(data.coords[dim].dims != (dim,) for dim in named):
        return [f"found dims {tuple(map(str, data.dims))}, need named 'state' and 'state_to'"]
    return []


def _structure_rule(data: object) -> list[str]:
    if any(f"{c.__module__}.{c.__name__}" == "ase.atoms.Atoms" for c in type(data).__mro__):
        return []
    return [f"found {type(data).__name__}, need ase.Atoms"]


IMAGE: Final = Kind("Image", "a real DataArray (y, x) with space units on y and x", _image_rule)
MOVIE: Final = Kind("Movie", "a real DataArray (frame, y, x) with space units", _movie_rule)
SPECTRAL_MAP: Final = Kind(
    "SpectralMap",
    "a real DataArray (y, x, energy or bias or wavenumber ...) with units on every axis",
    _spectral_map_rule,
)
SPECTRA: Final = Kind(
    "Spectra",
    "a real DataArray (site, energy or bias ...) with units, or (time, ...) of a streak image",
    _spectra_rule,
)
DIFFRACTION_MAP: Final = Kind(
    "DiffractionMap",
    "a real DataArray (y, x, k_y, k_x): a diffraction pattern at every pixel",
    _diffraction_map_rule,
)
FORCE_CURVES: Final = Kind(
    "ForceCurves",
    "a Dataset of channels (site, segment, sample) with units, NaN where a segment is shorter",
    _force_curves_rule,
)
MASK: Final = Kind("Mask", "a boolean DataArray (y, x) or (frame, y, x)", _mask_rule)
SITES: Final = Kind(
    "Sites", "a Dataset along 'site' with coordinates y and x and their unit", _sites_rule
)
FEATURES: Final = Kind(
    "Features",
    "a real DataArray whose last dim is what is measured and whose other dims say where",
    _features_rule,
    also=(SPECTRAL_MAP, SPECTRA),
)
CLASSES: Final = Kind(
    "Classes", "a Dataset with integer 'label' and perhaps 'probability'", _classes_rule
)
TABLE: Final = Kind("Table", "a Dataset along 'row'", _table_rule)
TRANSITIONS: Final = Kind(
    "Transitions",
    "a Dataset with the names of states along 'state' and 'state_to'",
    _transitions_rule,
)
STRUCTURE: Final = Kind("Structure", "ASE Atoms", _structure_rule)

KINDS: Final = (
    IMAGE, MOVIE, SPECTRAL_MAP, SPECTRA, DIFFRACTION_MAP, FORCE_CURVES, MASK, SITES, FEATURES,
    CLASSES, TABLE, TRANSITIONS, STRUCTURE,
)  # fmt: skip

Image = Annotated[xr.DataArray, IMAGE]
Movie = Annotated[xr.DataArray, MOVIE]
SpectralMap = Annotated[xr.DataArray, SPECTRAL_MAP]
Spectra = Annotated[xr.DataArray, SPECTRA]
DiffractionMap = Annotated[xr.DataArray, DIFFRACTION_MAP]
ForceCurves = Annotated[xr.Dataset, FORCE_CURVES]
Mask = Annotated[xr.DataArray, MASK]
Sites = Annotated[xr.Dataset, SITES]
Features = Annotated[xr.DataArray, FEATURES]
Classes = Annotated[xr.Dataset, CLASSES]
Table = Annotated[xr.Dataset, TABLE]
Transitions = Annotated[xr.Dataset, TRANSITIONS]
if TYPE_CHECKING:
    Structure = Atoms
else:
    Structure = Annotated[object, STRUCTURE]


def kind_of_annotation(annotation: object, /) -> Kind | None:
    """Find the kind that an annotation such as ``Sites`` stands for, if any."""
    if get_origin(annotation) is Annotated:
        return next((part for part in get_args(annotation) if isinstance(part, Kind)), None)
    return None


def kind_of_data(data: object, /) -> Kind | None:
    """Find the most particular kind that `data` is of, if any."""
    # Classes of sites keep the places of their sites, and so look like sites too.
    order = (
        CLASSES, FORCE_CURVES, SITES, TABLE, MASK, IMAGE, MOVIE, SPECTRAL_MAP, DIFFRACTION_MAP,
        SPECTRA, FEATURES, TRANSITIONS, STRUCTURE,
    )  # fmt: skip
    return next((kind for kind in order if kind.fits(data)), None)


def image_from_array(
    values: ArrayLike,
    /,
    *,
    pixel_size: Length = "1 px",
    name: str = "intensity",
    units: str = "1",
    attrs: Mapping[str, Any] | None = None,
) -> Image:
    """Make an `Image` from a plain 2-D array.

    Parameters
    ----------
    values : array_like, shape (y, x)
        Numpy or dask; taken as it is, not copied.
    pixel_size : length
        Such as "0.02 nm"; "1 px" where the scale is not known.
    name : str
        What the values are.
    units : str
        Unit of the values.
    attrs : mapping, optional
        More to keep with the image.

    Raises
    ------
    KindError
        If the array is not two-dimensional or not of real numbers.

    Examples
    --------
    >>> image_from_array([[0.0, 1.0]], pixel_size="0.5 nm").x.values
    array([0. , 0.5])
    """
    array = values if hasattr(values, "dtype") else np.asarray(values)
    if array.ndim != 2:  # type: ignore[union-attr]
        msg = f"an image has dims (y, x), found an array of shape {array.shape}"  # type: ignore[union-attr]
        raise KindError(msg)
    step, unit = LENGTH.check(pixel_size, name="pixel_size")
    if unit not in SPACE_UNITS or not step > 0:
        msg = f"{pixel_size=} must be a positive length in {', '.join(SPACE_UNITS)}"
        raise UnitError(msg)
    image = xr.DataArray(
        array,
        dims=("y", "x"),
        coords={
            dim: (dim, np.arange(size) * step, {"units": unit})
            for dim, size in zip(("y", "x"), array.shape, strict=True)  # type: ignore[union-attr]
        },
        name=name,
        attrs={"units": units, **(attrs or {})},
    )
    IMAGE.check(image)
    return image


def sites_from_positions(
    y: ArrayLike,
    x: ArrayLike,
    /,
    *,
    unit: str,
    frame: ArrayLike | None = None,
    spacing: float | None = None,
    extent: Sequence[float] | None = None,
) -> Sites:
    """Make `Sites` from positions.

    Parameters
    ----------
    y, x : array_like, shape (site,)
        Positions in `unit`; y points down.
    unit : {"nm", "mm", "px"}
        Unit of the positions.
    frame : array_like of int, shape (site,), optional
        Frame of a movie in which each site was found.
    spacing : float, optional
        Nearest-neighbor distance, the unit "d" of lengths.
    extent : sequence of four floats, optional
        ``y_min, y_max, x_min, x_max`` of the frame in which sites were
        sought: beyond it nothing is known.

    Examples
    --------
    >>> sites_from_positions([0.0, 1.0], [0.0, 0.0], unit="nm").sizes["site"]
    2
    """
    coords: dict[str, Any] = {
        "y": ("site", np.asarray(y, dtype=float), {"units": unit}),
        "x": ("site", np.asarray(x, dtype=float), {"units": unit}),
    }
    if frame is not None:
        coords["frame"] = ("site", np.asarray(frame, dtype=np.int64))
    sites = xr.Dataset(coords=coords)
    if spacing is not None:
        sites.attrs["spacing"] = float(spacing)
    if extent is not None:
        sites.attrs["extent"] = [float(value) for value in extent]
    SITES.check(sites)
    return sites


def space_unit(data: xr.DataArray | xr.Dataset, /) -> str:
    """Give the unit of the space axes: nm, mm or px."""
    return str(data.coords["y"].attrs["units"])


def pixel_size(data: xr.DataArray, /) -> tuple[float, float]:
    """Give the steps of the y and x axes in the unit of the data.

    Raises
    ------
    KindError
        If an axis has one pixel only, from which no step follows.
    """
    steps = []
    for dim in ("y", "x"):
        values = data.coords[dim].values
        if values.size < 2:
            msg = f"axis {dim!r} has {values.size} pixel, a pixel size needs 2 or more"
            raise KindError(msg)
        steps.append(float(values[-1] - values[0]) / (values.size - 1))
    return steps[0], steps[1]


def extent(data: xr.DataArray, /) -> list[float]:
    """Give ``[y_min, y_max, x_min, x_max]`` of the outermost pixel centers."""
    y, x = data.coords["y"].values, data.coords["x"].values
    return [float(y[0]), float(y[-1]), float(x[0]), float(x[-1])]


def positions(sites: Sites, /) -> NDArray[np.float64]:
    """Give the positions of sites as an array (site, axis), axis y, x."""
    return np.stack([sites.coords["y"].values, sites.coords["x"].values], axis=-1).astype(float)


def add_note(data: xr.DataArray | xr.Dataset, text: str, /) -> None:
    """Attach to `data`, in place, a line that reports repeat to the reader."""
    data.attrs["notes"] = [*data.attrs.get("notes", []), text]


def notes(data: object, /) -> list[str]:
    """Give the lines attached by `add_note`."""
    return list(getattr(data, "attrs", {}).get("notes", []))


def table_from_columns(
    columns: Mapping[str, ArrayLike], /, *, units: Mapping[str, str] | None = None
) -> Table:
    """Make a `Table` from columns of equal length.

    Examples
    --------
    >>> table_from_columns({"area": [1.0, 2.0]}, units={"area": "nm^2"})["area"].units
    'nm^2'
    """
    given = units or {}
    return xr.Dataset(
        {
            name: ("row", np.asarray(column), {"units": given[name]} if name in given else {})
            for name, column in columns.items()
        }
    )


def table_from_sites(sites: Sites, /) -> Table:
    """Flatten sites into a table; several numbers per site become several columns.

    Variables with further dims are spread over columns named
    ``variable[i, j]``; units stay with every column. What is not along
    ``site``, such as the names of elements, stays in ``attrs["shared"]``.
    """
    SITES.check(sites)
    table = xr.Dataset(attrs={**sites.attrs, "coordinates": [str(name) for name in sites.coords]})
    shared = {}
    # Positions come first, as people read them in a spreadsheet.
    for name in (*sites.coords, *sites.data_vars):
        given = sites.variables[name]
        if "site" not in given.dims:
            shared[str(name)] = {**given.to_dict(), "dtype": given.dtype.str}
            continue
        variable = given.transpose("site", ...)
        if variable.ndim == 1:
            table[str(name)] = ("row", variable.values, dict(variable.attrs))
            continue
        for index in np.ndindex(variable.shape[1:]):
            column = f"{name}[{', '.join(map(str, index))}]"
            attrs = {**variable.attrs, "dims": [str(dim) for dim in variable.dims[1:]]}
            table[column] = ("row", variable.values[(slice(None), *index)], attrs)
    if shared:
        table.attrs["shared"] = shared
    return table


def sites_from_table(table: Table, /) -> Sites:
    """Undo `table_from_sites`.

    Raises
    ------
    KindError
        If the table has no columns y and x with a space unit.
    """
    TABLE.check(table)
    coordinate_names = set(table.attrs.get("coordinates", [])) | {"y", "x", "frame"}
    spread: dict[str, dict[tuple[int, ...], Any]] = {}
    own = {"coordinates", "shared"}
    sites = xr.Dataset(attrs={k: v for k, v in table.attrs.items() if k not in own})
    for key, column in table.variables.items():
        name, bracket, index = str(key).partition("[")
        if bracket:
            numbers = tuple(int(part) for part in index.rstrip("]").split(","))
            spread.setdefault(name, {})[numbers] = column
        elif name in coordinate_names:
            sites.coords[name] = ("site", column.values, dict(column.attrs))
        else:
            sites[name] = ("site", column.values, dict(column.attrs))
    for name, parts in spread.items():
        first = next(iter(parts.values()))
        shape = tuple(int(size) for size in np.max(list(parts), axis=0) + 1)
        values = np.empty((first.size, *shape), dtype=first.dtype)
        for numbers, column in parts.items():
            index_of_column: tuple[Any, ...] = (slice(None), *numbers)
            values[index_of_column] = column.values
        attrs = {k: v for k, v in first.attrs.items() if k != "dims"}
        sites[name] = (("site", *first.attrs["dims"]), values, attrs)
    for name, told in table.attrs.get("shared", {}).items():
        values = np.asarray(told["data"], dtype=told["dtype"])
        sites[name] = (tuple(told["dims"]), values, told["attrs"])
        if name in coordinate_names:
            sites = sites.set_coords(name)
    SITES.check(sites, name="the table read as sites")
    return sites


def frame_from_table(table: Table, /) -> pd.DataFrame:
    """Give a pandas frame whose columns carry their unit in square brackets."""
    TABLE.check(table)
    import pandas as pd

    columns = {}
    for name, column in table.variables.items():
        unit = column.attrs.get("units")
        columns[f"{name} [{unit}]" if unit and unit != "1" else str(name)] = column.values
    return pd.DataFrame(columns)
