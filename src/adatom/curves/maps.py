"""Fitted parameters as images."""

from __future__ import annotations

from adatom.errors import KindError, SettingError
from adatom.schema import FEATURES, IMAGE, Features, Image, add_note


def image_from_parameters(
    parameters: Features, /, *, parameter: str, minimum: str | None = None
) -> Image:
    """Take one parameter of a fit at every pixel as an image.

    Parameters
    ----------
    parameters : Features
        (y, x, parameter) with names in the coordinate ``parameter``, or
        (y, x, component), whose names are 1, 2 ... or texts.
    parameter : str
        Such as "lifetime_1" or "mean_lifetime".
    minimum : str, optional
        A condition "name > number", such as "photons_1 > 100": other pixels
        are NaN, since few photons tell no lifetime.

    Returns
    -------
    Image
        In the unit of the parameter.

    Raises
    ------
    SettingError
        If there is no such parameter, with those that there are.
    KindError
        If the parameters are not on a map.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> axes = {dim: (dim, [0.0, 1.0], {"units": "nm"}) for dim in ("y", "x")}
    >>> names = {"parameter": ["height", "width"], "unit": ("parameter", ["1", "nm"])}
    >>> fitted = xr.DataArray(np.ones((2, 2, 2)), dims=("y", "x", "parameter"), coords=axes | names)
    >>> image_from_parameters(fitted, parameter="width").attrs["units"]
    'nm'
    """
    FEATURES.check(parameters, name="parameters")
    dim = str(parameters.dims[-1])
    if parameters.dims[:-1] != ("y", "x") or dim not in parameters.coords:
        msg = f"found dims {tuple(parameters.dims)}, need (y, x, parameter) with names"
        raise KindError(msg)
    names = [str(name) for name in parameters.coords[dim].values]
    number = _number(parameter, names)
    units = parameters.coords["unit"].values if "unit" in parameters.coords else None
    image = parameters[..., number].drop_vars([dim, "unit"], errors="ignore").copy()
    image.name = parameter if parameter != names[0] or dim == "parameter" else parameters.name
    unit = parameters.attrs.get("units", "1") if units is None else str(units[number])
    image.attrs = {"units": unit, "notes": list(parameters.attrs.get("notes", []))}
    if minimum is not None:
        name, _, text = (part.strip() for part in minimum.partition(">"))
        try:
            least = float(text)
        except ValueError:
            msg = f'{minimum=} is no condition: write "photons_1 > 100"'
            raise SettingError(msg) from None
        known = parameters[..., _number(name, names)].drop_vars([dim, "unit"], errors="ignore")
        shown = known > least
        image = image.where(shown).assign_attrs(image.attrs)
        add_note(image, f"Shown where {name} > {least:g}.")
    IMAGE.check(image)
    return image


def _number(name: str, names: list[str]) -> int:
    if name not in names:
        msg = f"there is no parameter {name!r}: there are {', '.join(names)}"
        raise SettingError(msg)
    return names.index(name)
