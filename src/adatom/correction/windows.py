"""Maps of what lies in a window of the measured axis."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from adatom.numerics.channels import channel_axis_of, channels_in
from adatom.schema import IMAGE, SPECTRAL_MAP, Image, SpectralMap, add_note
from adatom.units import quantity_from_text

_RELATIVE: Final = re.compile(r"\s*(\d+\.?\d*(?:[eE]-?\d+)?)\s*(ppm|%)\s*")


def image_from_window(spectra: SpectralMap, /, *, window: tuple[str, str] | None = None) -> Image:
    """Sum a window of every spectrum: a map of an element, a band or a mass.

    Parameters
    ----------
    spectra : SpectralMap
        Numpy gives numpy; dask gives dask. Take backgrounds off first.
    window : tuple of two texts, optional
        Such as ("931 eV", "1015 eV"), both ends included; or a middle and
        how far on either side, in parts per million or per cent of it:
        ("885.55 Da", "10 ppm"). By default all channels.

    Returns
    -------
    Image
        In the unit of the spectra; NaN where a value in the window is NaN.

    Raises
    ------
    SettingError
        If no channel lies in the window.

    Examples
    --------
    >>> import xarray as xr
    >>> axes = {name: (name, np.arange(2.0), {"units": "nm"}) for name in ("y", "x")}
    >>> axes["energy"] = ("energy", np.arange(4.0), {"units": "eV"})
    >>> spectra = xr.DataArray(np.ones((2, 2, 4)), dims=("y", "x", "energy"), coords=axes)
    >>> image_from_window(spectra, window=("1 eV", "2 eV")).values
    array([[2., 2.],
           [2., 2.]])
    """
    SPECTRAL_MAP.check(spectra)
    dim = spectra.dims[-1]
    axis, unit = channel_axis_of(spectra)
    inside = np.ones(len(axis), dtype=bool)
    if window is not None:
        inside = channels_in(spectra, _ends(window), name="window")
    dtype = None if spectra.dtype.kind == "f" else "float64"
    image = spectra[..., inside].sum(str(dim), skipna=False, dtype=dtype, keep_attrs=True)
    ends = f"{axis[inside].min():.6g} to {axis[inside].max():.6g} {unit}"
    add_note(image, f"The sum of {int(inside.sum())} channels from {ends}.")
    IMAGE.check(image)
    return image


def _ends(window: tuple[str, str]) -> tuple[str, str]:
    """Give both ends of a window that may be told by its middle."""
    match = _RELATIVE.fullmatch(window[1])
    if match is None:
        return window
    middle, unit = quantity_from_text(window[0], name="window")
    half = middle * float(match[1]) * (1e-6 if match[2] == "ppm" else 1e-2)
    return f"{middle - half!r} {unit}", f"{middle + half!r} {unit}"
