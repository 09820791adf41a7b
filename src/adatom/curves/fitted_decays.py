"""The decays that a fit expects."""

from __future__ import annotations

import numpy as np

from adatom.curves.decay_models import Excitation, Timing, timing_of
from adatom.errors import KindError
from adatom.schema import FEATURES, Features


def decays_from_fit(decays: Features, fit: Features, /) -> Features:
    """Give the decays that a fit expects, to be compared with those counted.

    Parameters
    ----------
    decays : Features
        That were fitted: for their axis.
    fit : Features
        ``DecayFit.parameters``.

    Returns
    -------
    Features
        Expected counts, in memory; NaN before the start of a tail.

    Raises
    ------
    KindError
        If these are not parameters of a fit of these decays.

    Examples
    --------
    >>> import xarray as xr
    >>> from adatom.curves import fit_decay_tails
    >>> time = ("time", np.arange(0.1, 10, 0.2), {"units": "ns"})
    >>> counts = 1e5 * np.exp(-time[1] / 2.5)[None]
    >>> decays = xr.DataArray(counts, dims=("site", "time"), coords={"time": time})
    >>> fit = fit_decay_tails(decays, start="1 ns", background=False)
    >>> bool(abs(decays_from_fit(decays, fit.parameters) / decays - 1).max() < 1e-6)
    True
    """
    FEATURES.check(decays)
    FEATURES.check(fit, name="fit")
    names = (
        [str(name) for name in fit.coords["parameter"].values] if "parameter" in fit.dims else []
    )
    if "lifetime_1" not in names or fit.shape[:-1] != decays.shape[:-1]:
        msg = (
            f"the fit has dims {dict(fit.sizes)}, the decays {dict(decays.sizes)}: "
            "give DecayFit.parameters of a fit of these decays"
        )
        raise KindError(msg)
    period = float(fit.attrs.get("period", 0.0))
    timing = timing_of(decays, f"{period} ns" if period else None)
    first = 0
    if "response" in fit.attrs:
        excitation = Excitation(timing, np.asarray(fit.attrs["response"], float))
    else:
        first = int(np.argmin(np.abs(timing.edges - fit.attrs["fitted_from"])))
        tail = Timing(timing.edges[first:], None)
        excitation = Excitation(tail, np.zeros(len(tail.widths)), at_start=1.0)
    number = sum(name.startswith("lifetime_") for name in names)
    values = fit.values.reshape(-1, fit.shape[-1]).astype(float)
    expected = np.full((len(values), decays.shape[-1]), np.nan)
    even = excitation.timing.widths / excitation.timing.window
    expected[:, first:] = values[:, [names.index("background")]] * even
    for k in range(1, number + 1):
        shares, _ = excitation.shares(values[:, names.index(f"lifetime_{k}")])
        expected[:, first:] += values[:, [names.index(f"photons_{k}")]] * shares
    dtype = np.result_type(decays.dtype, np.float32)
    return decays.copy(data=expected.reshape(decays.shape).astype(dtype))
