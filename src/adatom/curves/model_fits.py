"""Fits of a user's model to all curves of a map, started at the means of its classes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from adatom.curves.batch_fits import AT_BOUND, STATES, RowFits, RowFitter, Weights, no_fits
from adatom.curves.expressions import Floats
from adatom.curves.models import guarded, model_from_text
from adatom.curves.parameter_units import units_of
from adatom.curves.starting import starts_from_curve
from adatom.errors import KindError, SettingError
from adatom.numerics.blocks import Block, blocks
from adatom.numerics.channels import channel_axis_of, channels_in
from adatom.numerics.folds import fold, map_to
from adatom.numerics.groups import sums_by_group
from adatom.numerics.measures import named_measures
from adatom.schema import CLASSES, FEATURES, Classes, Features, add_note

_MEASURES: Final = ("fit_ok", "reduced_chi_squared", "state")


class ModelFit(NamedTuple):
    """Parameters of a model at every place, with errors and a judgement of each fit."""

    parameters: Features
    """(..., parameter), NaN where nothing was found."""
    errors: Features
    """(..., parameter): one standard deviation."""
    quality: Features
    """(..., measure): fit_ok (1 or 0), reduced chi squared, and the state by its number."""
    class_parameters: Features
    """(class, parameter): of the means of the classes, where the fits of all rows started."""
    class_curves: Features
    """(class, channel): the fitted curves of these means, NaN beyond the range of the fit."""


def fit_model(
    features: Features,
    classes: Classes | Features | None = None,
    /,
    *,
    model: str,
    parameters: list[str] | None = None,
    fit_range: tuple[str, str] | None = None,
    weights: Weights = "equal",
) -> ModelFit:
    """Fit a model to the mean of every class, then to every curve from there.

    The mean of a class has little noise, so that many starts can be tried on
    it; each curve then starts at the class mean whose fit is nearest, many
    curves at once, by damped least squares [1]_ with exact derivatives. What
    does not converge is tried from the next class.

    Parameters
    ----------
    features : Features
        Curves on any axis, uniform or not. Numpy or dask inside: curves are
        streamed, what is fitted stands in memory. Channels with NaN are left
        out.
    classes : Classes or Features, optional
        Classes on the leading dims of `features`, or their means
        (``class_means``); one mean of all by default.
    model : str
        Of lmfit's models [2]_ and its parameter names, or a formula of ``x``,
        or both: ``GaussianModel(prefix='g_') + LinearModel(prefix='b_')``,
        ``amp * exp(-x / tau) + c``. Models are Gaussian, Lorentzian, Voigt,
        PseudoVoigt, SkewedGaussian, BreitWigner (Fano), Constant, Linear,
        Quadratic, Exponential and PowerLaw; functions exp, log, sqrt, sin,
        cos, tanh, arctan, erf, abs and voigt(x, sigma, gamma). The text is
        parsed, never executed.
    parameters : list of str, optional
        Rules: ``"g_center ~ 520"`` starts there, ``"510 < g_center < 530"``
        bounds, ``"b_slope = 0"`` fixes, ``"h_sigma = g_sigma"`` constrains.
        Numbers are in the units of the axis and the curves. Lines start at
        the peaks that stand out most, unless told otherwise; parameters of a
        formula need a start or two bounds. Without bounds of their own lines
        stay on the axis.
    fit_range : tuple of two texts, optional
        Such as ("900 1/cm", "1100 1/cm"): nothing else is looked at.
    weights : {"equal", "poisson"}
        "equal" takes the noise from the scatter about each fit, as lmfit
        does by default. "poisson" is for counts: their variance is that of
        the fitted curve, in three rounds, which is near the maximum
        likelihood.

    Returns
    -------
    ModelFit
        Parameters, the widths (``fwhm``) and heights that follow from them,
        and of each line its ``significance``, the amplitude over its error,
        with coordinates ``parameter`` (names) and ``unit``. A fit finds some
        line in noise too: believe those above a significance of five. States
        from 0 are told in ``quality.attrs["states"]``: only fits that
        converged inside of their bounds (0) or with a parameter at one (1,
        its error is NaN) are ok. Parameters and errors of all others are NaN.

    Raises
    ------
    SettingError
        If the model or a rule cannot be read, a start is missing, or no mean
        of a class can be fitted.
    KindError
        If classes and features are not of the same places.

    References
    ----------
    .. [1] D. W. Marquardt, J. Soc. Ind. Appl. Math. 11, 431 (1963).
    .. [2] M. Newville et al., LMFIT, doi:10.5281/zenodo.11813.

    Examples
    --------
    >>> x = np.linspace(0.0, 10.0, 60)
    >>> rows = [3 * np.exp(-((x - center) ** 2) / 2) + 0.5 for center in (4.0, 5.5)]
    >>> axis = {"energy": ("energy", x, {"units": "eV"})}
    >>> curves = xr.DataArray(rows, dims=("site", "energy"), coords=axis, attrs={"units": "1"})
    >>> fit = fit_model(curves, model="GaussianModel(prefix='g_') + c", parameters=["c ~ 0"])
    >>> fit.parameters.sel(parameter="g_center").values.round(3)
    array([4. , 5.5])
    """
    FEATURES.check(features)
    curve_model = model_from_text(model, parameters or [])
    axis, _ = channel_axis_of(features)
    inside = np.ones(len(axis), dtype=bool)
    if fit_range is not None:
        inside = channels_in(features, fit_range, name="fit_range", at_least=2)
    curve_model = guarded(curve_model, axis[inside])
    fitter = RowFitter(curve_model, axis[inside], weights)
    means = _means(features, classes)
    of_means = _fit_means(fitter, means[:, inside])
    fits = _fit_all(features, inside, fitter, of_means)
    return _results(features, inside, fitter, fits, of_means, model)


def _means(features: Features, classes: xr.Dataset | xr.DataArray | None) -> Floats:
    """Give the mean curves of the classes, NaN for those without rows."""
    if isinstance(classes, xr.DataArray):
        FEATURES.check(classes)
        if classes.shape[-1] != features.shape[-1] or classes.ndim != 2:
            msg = (
                f"means of classes have dims {dict(classes.sizes)}: need one row a class and "
                f"{features.shape[-1]} channels, as class_means gives them"
            )
            raise KindError(msg)
        return np.asarray(classes.values, dtype=np.float64)
    labels = np.zeros(int(np.prod(features.shape[:-1])), dtype=np.int64)
    if classes is not None:
        CLASSES.check(classes)
        if classes["label"].shape != features.shape[:-1]:
            msg = (
                f"classes are on {dict(classes['label'].sizes)}, features on "
                f"{dict(features.sizes)}: they must be of the same places"
            )
            raise KindError(msg)
        labels = classes["label"].values.ravel()
    return _mean_curves(features, labels)


def _mean_curves(features: Features, labels: NDArray[Any]) -> Floats:
    """Average what was measured of every channel, class by class."""
    n_classes = int(labels.max(initial=0)) + 1

    def step(block: Block) -> tuple[Floats, Floats]:
        groups = labels[block.rows]
        parts = [(block.values, block.measured), (block.incomplete, ~block.measured)]
        sums, counts = (np.zeros((n_classes, features.shape[-1])) for _ in range(2))
        for rows, where in parts:
            if not len(rows):
                continue
            group = groups[where]
            known = np.isfinite(rows)
            filled = np.where(known, rows, 0.0).astype(np.float64)
            sums += sums_by_group(filled, group, n_groups=n_classes)
            counts += sums_by_group(known.astype(np.float64), group, n_groups=n_classes)
        return sums, counts

    sums, counts = fold(blocks(features), step, lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return np.asarray(sums / np.where(counts > 0, counts, np.nan))


def _fit_means(fitter: RowFitter, means: Floats) -> RowFits:
    made = []
    for mean in means:
        if np.isfinite(mean).sum() > len(fitter.model.free):
            starts = starts_from_curve(fitter.model, fitter.axis, mean)
            made.append(fitter.fit_best(mean[None], starts[:, None, :]))
        else:
            made.append(no_fits(fitter.model, 1))
    fits = RowFits(*(np.concatenate(part) for part in zip(*made, strict=True)))
    if (fits.state > AT_BOUND).all():
        msg = (
            f"the model fits no mean of a class ({STATES[int(fits.state[0])]}): give starts and "
            "bounds, such as 'center ~ 520', in parameters, or look at fewer channels by fit_range"
        )
        raise SettingError(msg)
    return fits


def _fit_all(
    features: Features, inside: NDArray[np.bool_], fitter: RowFitter, of_means: RowFits
) -> RowFits:
    """Fit every row from the classes whose means were fitted."""
    starts = of_means.values[of_means.state <= AT_BOUND]
    cut = blocks(features)
    outputs = no_fits(fitter.model, cut.n_rows)

    def work(rows: NDArray[Any]) -> RowFits:
        every = np.broadcast_to(starts[:, None, :], (len(starts), len(rows), starts.shape[1]))
        return fitter.fit(rows[:, inside].astype(np.float64), every)

    map_to(cut, work, outputs, incomplete=work)
    return outputs


def _results(
    features: Features,
    inside: NDArray[np.bool_],
    fitter: RowFitter,
    fits: RowFits,
    of_means: RowFits,
    text: str,
) -> ModelFit:
    model = fitter.model
    dtype = np.result_type(features.dtype, np.float32)
    names = list(model.reported)
    value_unit = str(features.attrs.get("units", ""))
    axis, axis_unit = channel_axis_of(features)
    along = {"parameter": names, "unit": ("parameter", units_of(model, axis_unit, value_unit))}
    places = features.dims[:-1]
    last = features.dims[-1]
    kept = {name: c for name, c in features.coords.items() if last not in c.dims}
    ok = fits.state <= AT_BOUND

    def made(values: Floats, name: str) -> xr.DataArray:
        with np.errstate(over="ignore"):
            shaped = values.astype(dtype)
        shaped = shaped.reshape(*features.shape[:-1], -1)
        return xr.DataArray(
            shaped, dims=(*places, "parameter"), coords={**kept, **along}, name=name
        ).assign_attrs(model=text)

    parameters, errors = made(fits.reported, "parameters"), made(fits.errors, "errors")
    add_note(parameters, _told(fits.state))
    measures = np.stack([ok, fits.chi_squared, fits.state], axis=1).astype(dtype)
    bare = xr.DataArray(
        measures.reshape(*features.shape[:-1], 3), dims=(*places, "measure"), coords=kept
    )
    quality = named_measures(bare, dict.fromkeys(_MEASURES, "1"), name="quality")
    quality.attrs["states"] = list(STATES)
    add_note(quality, _told(fits.state))
    class_parameters = xr.DataArray(
        of_means.reported.astype(dtype), dims=("class", "parameter"), coords=along
    ).assign_attrs(model=text)
    with np.errstate(all="ignore"):
        curve = model.curve(axis, of_means.values).value
    curves = np.broadcast_to(curve, (len(of_means.values), len(axis)))
    shown = (of_means.state <= AT_BOUND)[:, None] & inside
    class_curves = xr.DataArray(
        np.where(shown, curves, np.nan).astype(dtype),
        dims=("class", last),
        coords={name: c for name, c in features.coords.items() if c.dims == (last,)},
        name=features.name,
        attrs={key: features.attrs[key] for key in ("units",) if key in features.attrs},
    )
    return ModelFit(parameters, errors, quality, class_parameters, class_curves)


def _told(state: NDArray[np.int8]) -> str:
    """Say how many fits came to which end."""
    counts = np.bincount(state, minlength=len(STATES))
    parts = [f"{count} {words}" for count, words in zip(counts, STATES, strict=True) if count]
    return f"Of {len(state)} curves: {'; '.join(parts)}."
