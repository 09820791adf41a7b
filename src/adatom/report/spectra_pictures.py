"""Pictures of spectra, curves and decays, and of what was made of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from adatom.clustering.assigning import class_means
from adatom.plotting import (
    plot_correction,
    plot_decays,
    plot_diffraction_map,
    plot_feature_maps,
    plot_features,
    plot_fits,
    plot_force_curves,
    plot_phasors,
    plot_spectra,
    plot_spectral_map,
)
from adatom.plotting._curves import is_curve
from adatom.plotting.feature_maps import SETS, varies
from adatom.report.files import file_stem
from adatom.report.picture import SMALLER, Picture
from adatom.schema import (
    CLASSES,
    FEATURES,
    SPECTRA,
    SPECTRAL_MAP,
    table_from_columns,
)

if TYPE_CHECKING:
    from adatom.report.lineage import Lineage, Result


def spectral_map_pictures(lineage: Lineage, result: Result, /) -> list[Picture]:
    """Show a spectral map, or what a correction changed of it."""
    name = file_stem(result.name)
    before = before_correction(lineage, result)
    if before is not None:
        return [correction_picture(result, before)]
    if result.value.dims[-1] == "phasor":
        return [phasor_picture(lineage, result)]
    if not is_curve(result.value) or result.value.dims[-1] in SETS:
        return feature_map_pictures(result)
    return [
        Picture(name, f"{result.name}: mean over all channels.",
                partial(plot_spectral_map, result.value), SMALLER),
        Picture(f"{name}-mean", f"{result.name}: mean over all pixels.",
                partial(plot_features, result.value)),
    ]  # fmt: skip


def spectra_pictures(lineage: Lineage, result: Result, /) -> list[Picture]:
    """Show spectra that make no map, or what a correction changed of them."""
    before = before_correction(lineage, result)
    if before is not None:
        return [correction_picture(result, before)]
    caption = f"{result.name}: {' x '.join(map(str, result.value.shape))} values."
    return [Picture(file_stem(result.name), caption, partial(plot_spectra, result.value))]


def force_curve_pictures(_: Lineage, result: Result, /) -> list[Picture]:
    """Show some of the force curves."""
    caption = f"{result.name}: some of {result.value.sizes['site']} curves."
    draw = partial(plot_force_curves, result.value)
    return [Picture(file_stem(result.name), caption, draw)]


def diffraction_pictures(_: Lineage, result: Result, /) -> list[Picture]:
    """Show the mean diffraction pattern and the scan."""
    caption = f"{result.name}: the mean pattern, and the mean intensity over the scan."
    draw = partial(plot_diffraction_map, result.value)
    return [Picture(file_stem(result.name), caption, draw)]


def before_correction(lineage: Lineage, result: Result, /) -> Result | None:
    """Find the spectra that a correction was made from, on the same places."""
    if not result.step.step.startswith("correction.") or not is_curve(result.value):
        return None
    for origin in lineage.origins(result.step):
        of_rows = origin.kind in {FEATURES, SPECTRAL_MAP, SPECTRA} and is_curve(origin.value)
        if of_rows and origin.value.shape[:-1] == result.value.shape[:-1]:
            return origin
    return None


def correction_picture(result: Result, before: Result, /) -> Picture:
    """Show spectra before and after a correction."""
    caption = f"{result.name}: what {result.step.step} changed of {before.name}."
    draw = partial(plot_correction, before.value, result.value)
    return Picture(f"{file_stem(result.name)}-correction", caption, draw)


def feature_map_pictures(result: Result, /) -> list[Picture]:
    """Show a map of each feature; nothing where none varies."""
    if not any(varies(result.value, number) for number in range(result.value.shape[-1])):
        return []
    caption = f"{result.name}: a map of each {str(result.value.dims[-1]).replace('_', ' ')}."
    draw = partial(plot_feature_maps, result.value)
    return [Picture(file_stem(result.name), caption, draw)]


def phasor_picture(lineage: Lineage, result: Result, /) -> Picture:
    """Show phasors, with the classes that were made of them."""
    classes = next(
        (
            one
            for one in lineage.of_kind(CLASSES)
            if one.value["label"].shape == result.value.shape[:-1]
            and result in list(lineage.origins(one.step))
        ),
        None,
    )
    caption = f"{result.name}: every decay as a point; on the half circle it has one lifetime."
    draw = partial(plot_phasors, result.value, classes.value if classes else None)
    return Picture(file_stem(result.name), caption, draw)


def decay_picture(lineage: Lineage, result: Result, /) -> Picture:
    """Show decays of classes; fits over what they were fitted to."""
    sums = lineage.results.get(result.step.data[0]) if result.step.data else None
    if result.step.step == "curves.decays_from_fit" and sums is not None:
        caption = f"{result.name}: fits to {sums.name}, and what they leave."
        draw = partial(plot_decays, sums.value, result.value)
    else:
        caption = f"{result.name}: the decay of each class."
        draw = partial(plot_decays, result.value)
    return Picture(file_stem(result.name), caption, draw)


def fit_picture(lineage: Lineage, result: Result, /) -> Picture | None:
    """Show models over the class means that they were fitted to."""
    if result.name.rpartition(".")[2] != "class_curves" or len(result.step.data) < 2:
        return None
    rows, classes = (lineage.results.get(name) for name in result.step.data[:2])
    if rows is None or classes is None:
        return None
    means = classes.value if classes.kind is not CLASSES else class_means(rows.value, classes.value)
    caption = f"{result.name}: models fitted to the mean of each class, and what they leave."
    draw = partial(plot_fits, means, result.value)
    return Picture(file_stem(result.name), caption, draw)


def spectra_behind(lineage: Lineage, result: Result, /) -> xr.DataArray | None:
    """Find the spectra behind scores that were clustered: what is recognized."""
    for origin in lineage.origins(result.step):
        fits = origin.kind in {FEATURES, SPECTRAL_MAP, SPECTRA} and is_curve(origin.value)
        if fits and origin.value.shape[:-1] == result.value["label"].shape:
            return origin.value  # type: ignore[no-any-return]
    return None


def with_noise(lineage: Lineage, result: Result, /) -> xr.Dataset:
    """Add the components that a decomposition did not keep, where its model has them."""
    table: xr.Dataset = result.value
    models = [one.value for one in lineage.of_step(result.step) if hasattr(one.value, "variances")]
    if not models:
        return table
    variances = models[0].variances
    number = np.arange(len(variances))
    above = number < models[0].n_above_noise
    return table_from_columns({"component": number, "variance": variances, "above_noise": above})
