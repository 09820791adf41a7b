"""Maps of what lies in a window of the measured axis."""

from __future__ import annotations

from adatom.numerics.channels import channel_axis_of, channels_in
from adatom.schema import IMAGE, SPECTRAL_MAP, Image, SpectralMap, add_note


def image_from_window(spectra: SpectralMap, /, *, window: tuple[str, str]) -> Image:
    """Sum a window of every spectrum: a map of an element, a band or a mass.

    Parameters
    ----------
    spectra : SpectralMap
        Numpy gives numpy; dask gives dask. Take backgrounds off first.
    window : tuple of two texts
        Such as ("931 eV", "1015 eV"), both ends included.

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
    >>> import numpy as np, xarray as xr
    >>> axes = {name: (name, np.arange(2.0), {"units": "nm"}) for name in ("y", "x")}
    >>> axes["energy"] = ("energy", np.arange(4.0), {"units": "eV"})
    >>> spectra = xr.DataArray(np.ones((2, 2, 4)), dims=("y", "x", "energy"), coords=axes)
    >>> image_from_window(spectra, window=("1 eV", "2 eV")).values
    array([[2., 2.],
           [2., 2.]])
    """
    SPECTRAL_MAP.check(spectra)
    dim = spectra.dims[-1]
    inside = channels_in(spectra, window, name="window")
    axis, unit = channel_axis_of(spectra)
    dtype = None if spectra.dtype.kind == "f" else "float64"
    image = spectra[..., inside].sum(str(dim), skipna=False, dtype=dtype, keep_attrs=True)
    ends = f"{axis[inside].min():.6g} to {axis[inside].max():.6g} {unit}"
    add_note(image, f"The sum of {int(inside.sum())} channels from {ends}.")
    IMAGE.check(image)
    return image
