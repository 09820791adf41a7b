"""Which pictures a result gets: decided by its kind and by what it was made from."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from adatom.clustering.sweeping import ClassSweep
from adatom.localization.comparing import SiteComparison
from adatom.plotting import (
    plot_cell_columns,
    plot_class_choice,
    plot_class_means,
    plot_class_spectra,
    plot_class_sweep,
    plot_classes,
    plot_column_comparison,
    plot_comparison,
    plot_components,
    plot_confusion,
    plot_curve_set,
    plot_feature_histogram,
    plot_features,
    plot_image,
    plot_members,
    plot_movie,
    plot_movie_sites,
    plot_neighbor_vectors,
    plot_regions,
    plot_site_profiles,
    plot_site_quantity,
    plot_site_statistics,
    plot_sites,
    plot_tracks,
    plot_training,
    plot_tree,
    plot_turned_classes,
    plot_unit_cells,
    plot_variances,
    plot_vector_field,
    plot_window_sizes,
)
from adatom.plotting._curves import is_curve
from adatom.plotting.cells import has_cells
from adatom.plotting.column_comparison import has_column_comparison
from adatom.plotting.columns import has_columns
from adatom.plotting.confusion import has_confusion
from adatom.plotting.feature_maps import SETS, has_places
from adatom.plotting.movie_sites import has_frames
from adatom.plotting.strain import quantities_of
from adatom.plotting.tracks import has_tracks
from adatom.plotting.training import has_training
from adatom.plotting.transitions import has_transitions, plot_transitions
from adatom.plotting.trees import is_tree
from adatom.plotting.turned_classes import is_orientations, is_turned_means
from adatom.plotting.window_sizes import has_window_sizes
from adatom.report.defect_pictures import defect_pictures, is_defects, is_untold_defect
from adatom.report.domain_pictures import (
    boundary_pictures,
    is_region,
    is_variant,
    neighbor_pictures,
    region_pictures,
    variant_pictures,
    vector_pictures,
    wall_pictures,
)
from adatom.report.dynamics_words import dynamics_pictures
from adatom.report.edge_words import edge_pictures
from adatom.report.files import file_stem
from adatom.report.impurity_pictures import impurity_pictures, is_impurities, track_pictures
from adatom.report.lattice_pictures import is_none, lattice_pictures
from adatom.report.picture import SMALLER, Picture
from adatom.report.spectra_pictures import (
    before_correction,
    correction_picture,
    decay_picture,
    diffraction_pictures,
    feature_map_pictures,
    fit_picture,
    force_curve_pictures,
    phasor_picture,
    spectra_behind,
    spectra_pictures,
    spectral_map_pictures,
    with_noise,
)
from adatom.report.words import number_text
from adatom.schema import (
    CLASSES,
    DIFFRACTION_MAP,
    FEATURES,
    FORCE_CURVES,
    IMAGE,
    MASK,
    MOVIE,
    SITES,
    SPECTRA,
    SPECTRAL_MAP,
    TABLE,
    TRANSITIONS,
    space_unit,
)

if TYPE_CHECKING:
    from adatom.report.lineage import Lineage, Result
    from adatom.report.records import StepRecord


def pictures_of(lineage: Lineage, result: Result, /) -> list[Picture]:
    """List the pictures of a result."""
    if result.kind is None:
        return []
    if result.kind is SITES and (is_comparison(result.step) or _is_told_again(lineage, result)):
        # One picture shows all of them together, or with what was found of them later.
        return []
    if is_defects(result.step):
        return defect_pictures(result, _ground(lineage, result.step))
    if is_impurities(result.step) and result.kind is not TABLE:
        return impurity_pictures(lineage, result)
    of_edges = edge_pictures(lineage, result, _ground(lineage, result.step))
    if of_edges is not None:
        return of_edges
    if is_sweep(result.step) and result.kind is not TABLE:
        # As of the numbers of classes side by side, drawn with their table.
        return []
    painters = {
        IMAGE.name: _image,
        MOVIE.name: _movie,
        SPECTRAL_MAP.name: spectral_map_pictures,
        SPECTRA.name: spectra_pictures,
        FORCE_CURVES.name: force_curve_pictures,
        DIFFRACTION_MAP.name: diffraction_pictures,
        MASK.name: _regions,
        SITES.name: _sites,
        FEATURES.name: _features,
        CLASSES.name: _classes,
        TABLE.name: _table,
        TRANSITIONS.name: _transitions,
    }
    painter = painters.get(result.kind.name)
    return painter(lineage, result) if painter else []


def main_result(lineage: Lineage, /) -> Result | None:
    """Pick the result whose picture opens the report: classes, else sites, else an image."""
    for kind in (CLASSES, SITES, MASK, IMAGE, MOVIE, SPECTRAL_MAP):
        of_kind = [
            one
            for one in lineage.of_kind(kind)
            if not (is_judgement(one) or is_region(one) or is_untold_defect(one))
            and not (kind is CLASSES and is_orientations(one.value))
        ]
        # Domains say more than the phases that they are of.
        variants = [one for one in of_kind if is_variant(one)]
        if of_kind:
            return (variants or of_kind)[-1]
    return None


def is_judgement(result: Result, /) -> bool:
    """Tell whether a result says how good another one is, or compares several."""
    if is_sweep(result.step):
        return True
    return is_comparison(result.step) or (result.kind is CLASSES and "expert" in result.value)


def is_sweep(step: StepRecord, /) -> bool:
    """Tell whether a step compared several numbers of classes."""
    return set(step.results) == set(ClassSweep._fields)


def main_picture(lineage: Lineage, /) -> Picture | None:
    """Give the picture that opens the report."""
    result = main_result(lineage)
    pictures = pictures_of(lineage, result) if result else []
    return pictures[0] if pictures else None


def comparison_picture(lineage: Lineage, step: StepRecord, /) -> list[Picture]:
    """Give the picture of a step that compared sites with true ones, if it did."""
    if not is_comparison(step):
        return []
    comparison = SiteComparison(**step.results)
    caption = f"{step.name}: true sites that were found or missed, and false ones."
    draw = partial(plot_comparison, comparison, _ground(lineage, step))
    return [Picture(f"{file_stem(step.name)}-comparison", caption, draw)]


def is_comparison(step: StepRecord, /) -> bool:
    """Tell whether a step compared sites with true ones."""
    return set(step.results) == set(SiteComparison._fields)


def _ground(lineage: Lineage, step: StepRecord) -> xr.DataArray | None:
    """Find the image that a result lies on: what it was made from, or what came with it."""
    image = lineage.origin(step, IMAGE, MOVIE)
    if image is None:
        beside = [one for one in lineage.of_step(step) if one.kind in (IMAGE, MOVIE)]
        image = next(iter(beside), None)
    return image.value if image is not None else None


def _image(_: Lineage, result: Result) -> list[Picture]:
    name = file_stem(result.name)
    sizes = result.value.sizes
    caption = f"{result.name}: {sizes['x']} x {sizes['y']} pixels."
    # Numbers that a step made of spectra and curves are read by their colors.
    made = result.step.step.startswith(("curves.", "correction.image_from", "clustering."))
    draw = partial(plot_image, result.value, colors="viridis" if made else "gray")
    return [Picture(name, caption, draw, SMALLER)]


def _movie(_: Lineage, result: Result) -> list[Picture]:
    caption = f"{result.name}: {result.value.sizes['frame']} frames, some of them."
    draw = partial(plot_movie, result.value)
    return [Picture(file_stem(result.name), caption, draw, SMALLER)]


def _regions(lineage: Lineage, result: Result) -> list[Picture]:
    image = _ground(lineage, result.step)
    if image is not None and image.shape != result.value.shape:
        image = None
    caption = f"{result.name}: what was left out of the analysis is tinted."
    mask = result.value
    if result.step.step.startswith("networks."):
        # Labels say what is special, not where to look.
        caption, mask = f"{result.name}: what is labeled is tinted.", ~mask
    draw = partial(plot_regions, mask, image)
    return [Picture(file_stem(result.name), caption, draw, SMALLER)]


def _sites(lineage: Lineage, result: Result) -> list[Picture]:
    name, sites = file_stem(result.name), result.value
    lattice = lattice_pictures(lineage, result, _ground(lineage, result.step))
    if lattice or is_none(sites):
        return lattice
    lines = boundary_pictures(lineage, result, _ground(lineage, result.step))
    if lines:
        return lines
    before = lineage.origin(result.step, SITES)
    new = [n for n in quantities_of(sites) if before is None or n not in before.value]
    # What a simulation knows of its sites is no result of a measurement.
    if new and not result.step.step.startswith("simulation."):
        return _quantities(lineage, result, new)
    if "neighbor_vector" in sites and before is not None:
        caption = (
            f"{result.name}: vectors from each site to its neighbors; arrows are their means"
            f"{_star_words(sites)}."
        )
        classes = _classes_of_sites(lineage, before, result)
        if classes is not None:
            caption = f"{caption} A panel for each class of {classes.name}."
        draw = partial(plot_neighbor_vectors, sites, classes.value if classes else None)
        return [Picture(f"{name}-neighbors", caption, draw)]
    ground = _ground(lineage, result.step)
    if has_tracks(sites) and result.step.step == "tracking.link_sites":
        over_mean = track_pictures(lineage, result)
        if over_mean:
            return over_mean
        caption = f"{result.name}: tracks, colored by the frame."
        return [Picture(name, caption, partial(plot_tracks, sites))]
    if has_frames(sites):
        movie = ground if ground is not None and "frame" in ground.dims else None
        caption = f"{result.name}: sites of some frames, and their number in every frame."
        return [Picture(name, caption, partial(plot_movie_sites, sites, movie))]
    over = ", over the image" if ground is not None else ""
    caption = f"{result.name}: every site{_of_frame(sites)}{over}."
    draw = partial(plot_sites, sites, ground)
    if result.step.step.startswith("simulation."):
        return [Picture(name, caption, draw, SMALLER)]
    pictures = [Picture(name, caption, draw), *vector_pictures(result, ground)]
    fitted = {"width", "amplitude", "covariance"} & set(sites)
    drawn = _has_same(before, sites, fitted) and not _is_told_again(lineage, before)
    if sites.sizes["site"] > 2 and fitted and not drawn:
        caption = f"{result.name}: how neighbor distances and fitted numbers spread."
        if sites.attrs.get("spacing"):
            spacing = f"{number_text(float(sites.attrs['spacing']), digits=3)} {space_unit(sites)}"
            caption = (
                f"{caption} Of each site the distance to its nearest neighbor is shown, which "
                f"noise makes look smaller than {spacing}, the most frequent distance among all "
                "neighbors."
            )
        draw = partial(plot_site_statistics, sites)
        pictures.append(Picture(f"{name}-statistics", caption, draw))
    return pictures


def _is_told_again(lineage: Lineage, result: Result | None) -> bool:
    """Tell whether a later step gave the very same sites their species, and shows them so."""
    return result is not None and any(
        one.kind is SITES
        and "species" in one.value
        and "species" not in result.value
        and result.name in one.step.data
        and not is_defects(one.step)
        and one.value.sizes == result.value.sizes
        and _has_same(result, one.value, set())
        for one in lineage.results.values()
        if one is not result and isinstance(one.value, xr.Dataset)
    )


def _has_same(before: Result | None, sites: xr.Dataset, names: set[str]) -> bool:
    """Tell whether sites that came before have the very places and numbers, drawn there."""
    return before is not None and all(
        name in before.value.variables
        and np.array_equal(sites[name].values, before.value[name].values, equal_nan=True)
        for name in ("y", "x", *sorted(names))
    )


def _quantities(lineage: Lineage, result: Result, names: list[str]) -> list[Picture]:
    """Draw the quantities that a step added: a map of each, and all of them along an axis."""
    name, sites = file_stem(result.name), result.value
    ground = _ground(lineage, result.step)
    pictures = []
    if "displacement_magnitude" in names:
        caption = f"{result.name}: displacement of every site, colored by its direction."
        draw = partial(plot_vector_field, sites, ground)
        pictures.append(Picture(f"{name}-displacements", caption, draw))
    for quantity in names:
        caption = (
            f"{result.name}: {quantity.replace('_', ' ')} at every site; open where not known."
        )
        draw = partial(plot_site_quantity, sites, ground, quantity=quantity)
        pictures.append(Picture(f"{name}-{file_stem(quantity)}", caption, draw))
    span = [float(np.ptp(sites.coords[axis].values)) if len(sites.site) else 0 for axis in "yx"]
    along = "x" if span[1] >= span[0] else "y"
    caption = f"{result.name}: sites along {along}, with their error bars."
    draw = partial(plot_site_profiles, sites, quantities=names, along=along)
    return [*pictures, Picture(f"{name}-profiles", caption, draw)]


def _star_words(sites: xr.Dataset) -> str:
    """Explain dashed arrows, where sites have several sets of directions to their neighbors."""
    n_stars = len(sites.attrs.get("stars", ()))
    if n_stars < 2:
        return ""
    return f", dashed for all but the first of {n_stars} sets of directions (stars)"


def _of_frame(sites: xr.Dataset) -> str:
    """Name the frame that a picture of sites shows: the first that has any."""
    if "frame" not in sites.coords or not sites.sizes["site"]:
        return ""
    return f" of frame {int(sites.coords['frame'].values.min())}"


def _classes_of_sites(lineage: Lineage, sites: Result, neighbors: Result) -> Result | None:
    """Find classes of these very sites, but for those that were made from their neighbors.

    These show the vectors themselves, class by class.
    """
    shape = (sites.value.sizes["site"],)
    return next(
        (
            one
            for one in lineage.of_kind(CLASSES)
            if one.value["label"].shape == shape
            and sites in (origins := list(lineage.origins(one.step)))
            and neighbors not in origins
        ),
        None,
    )


def _features(lineage: Lineage, result: Result) -> list[Picture]:
    name, features = file_stem(result.name), result.value
    vectors = "neighbor" in features.coords
    if features.dims[-1] == "phasor":
        return [phasor_picture(lineage, result)]
    if features.dims[0] == "class" and features.dims[-1] == "time":
        return [decay_picture(lineage, result)]
    if result.step.step == "curves.fit_model" and features.dims[0] == "class":
        fits = fit_picture(lineage, result)
        if fits is not None:
            return [fits]
    if features.dims[0] == "class" and features.dims[-1] in SETS:
        # A few numbers a class are read in a table.
        return []
    if is_turned_means(features):
        return [_turned_means(lineage, result)]
    if features.dims[0] == "class":
        classes = lineage.origin(result.step, CLASSES)
        caption = f"{result.name}: the mean of each class and the number of its members."
        sites = lineage.origin(result.step, SITES)
        if vectors and sites is not None and "stars" in sites.value.attrs:
            features = _added_to_star(features, sites.value)
            caption = f"{caption} Deviations are added to the slots of the first star."
        draw = partial(plot_class_means, features, classes.value if classes else None)
        averaged = lineage.results.get(result.step.data[0]) if result.step.data else None
        averages = result.step.step == "clustering.class_means"
        if averages and averaged is not None and classes is not None and is_curve(features):
            rows = averaged.value
            if rows.shape[:-1] == classes.value["label"].shape:
                caption = f"{caption} Shaded: one standard deviation within the class."
                draw = partial(plot_class_spectra, rows, classes.value)
        return [Picture(name, caption, draw)]
    if features.ndim == 2 and features.dims[0] == "component":
        caption = f"{result.name}: the curve of every component."
        return [Picture(name, caption, partial(plot_components, features))]
    if features.ndim == 2 and features.dims[0] == "endmember":
        caption = f"{result.name}: the purest spectra."
        return [Picture(name, caption, partial(plot_curve_set, features))]
    before = before_correction(lineage, result)
    if before is not None:
        return [correction_picture(result, before)]
    is_set = features.dims[-1] in SETS
    if is_set:
        # Without places they are read in a table.
        return feature_map_pictures(result) if has_places(features) else []
    if vectors:
        # The vectors themselves are shown with their sites; their mean deviation is zero.
        return []
    if features.shape[-1] == 1:
        caption = f"{result.name}: how the values of all rows spread."
        return [Picture(name, caption, partial(plot_feature_histogram, features))]
    caption = f"{result.name}: the mean of all rows."
    return [Picture(name, caption, partial(plot_features, features))]


def _turned_means(lineage: Lineage, result: Result) -> Picture:
    """Draw the mean of every class, and how often each orientation occurs."""
    beside = [one.value for one in lineage.of_step(result.step) if one.kind is CLASSES]
    orientations = next((one for one in beside if is_orientations(one)), None)
    classes = next((one for one in beside if not is_orientations(one)), None)
    caption = (
        f"{result.name}: the mean of each class in its first orientation, members turned back "
        "before they were averaged; bars count members by the operation that was undone."
    )
    draw = partial(plot_turned_classes, result.value, classes, orientations)
    return Picture(file_stem(result.name), caption, draw)


def _added_to_star(means: xr.DataArray, sites: xr.Dataset) -> xr.DataArray:
    star = np.asarray(sites.attrs["stars"], dtype=float)[0].ravel()
    is_vector = means.coords["neighbor"].values >= 0
    if is_vector.sum() != star.size:
        return means
    vectors: xr.DataArray = means.isel({means.dims[-1]: np.flatnonzero(is_vector)})
    return vectors.copy(data=vectors.values + star)


def _classes(lineage: Lineage, result: Result) -> list[Picture]:
    name, classes = file_stem(result.name), result.value
    sites = lineage.origin(result.step, SITES)
    if sites is not None and classes["label"].shape != (sites.value.sizes["site"],):
        sites = None
    ground = _ground(lineage, result.step)
    if is_region(result):
        return region_pictures(lineage, result, ground)
    draw = partial(plot_classes, classes, ground, sites.value if sites else None)
    over = " over the image" if ground is not None else ""
    over += "; small classes are ringed" if "site" in classes["label"].dims else ""
    if is_orientations(classes):
        return [Picture(name, f"{result.name}: which orientation each has{over}.", draw)]
    pictures = [Picture(name, f"{result.name}: where each class is{over}.", draw)]
    if is_variant(result):
        pictures = variant_pictures(lineage, result, ground)
    if "expert" in classes:
        return pictures
    features = _features_of(lineage, result)
    if features is not None and features.shape[-1] == 1:
        caption = f"{result.name}: how the values spread, class by class."
        draw = partial(plot_feature_histogram, features, classes)
        return [*pictures, Picture(f"{name}-histogram", caption, draw)]
    with_neighbors = sites is not None and "neighbor_vector" in sites.value
    if features is not None and with_neighbors and "neighbor" in features.coords:
        # Deviations from the slots of a star say little to the eye: whole vectors are shown.
        features = _whole_vectors(sites.value)  # type: ignore[union-attr]
    elif features is not None and not _has_means(lineage, result) and not _is_turned(classes):
        caption = f"{result.name}: the mean of each class and the number of its members."
        draw = partial(plot_class_means, features, classes)
        pictures.append(Picture(f"{name}-means", caption, draw))
    if with_neighbors:
        caption = (
            f"{result.name}: vectors to the neighbors, class by class; arrows are their means"
            f"{_star_words(sites.value)}."  # type: ignore[union-attr]
        )
        draw = partial(plot_neighbor_vectors, sites.value, classes)  # type: ignore[union-attr]
        pictures.append(Picture(f"{name}-neighbors", caption, draw))
        pictures += neighbor_pictures(sites.value, classes, result.name, ground)  # type: ignore[union-attr]
    if features is not None:
        caption = f"{result.name}: {_member_words(classes)}"
        shown = spectra_behind(lineage, result)
        draw = partial(plot_members, features if shown is None else shown, classes)
        pictures.append(Picture(f"{name}-members", caption, draw))
    return pictures


def _is_turned(classes: xr.Dataset) -> bool:
    """Tell whether members of a class lie in several orientations: their plain mean is blurred."""
    return "class_symmetries" in classes.attrs


def _has_means(lineage: Lineage, classes: Result) -> bool:
    """Tell whether a step of its own gives the means of these classes."""
    return any(
        classes.name in features.step.data and features.value.dims[0] == "class"
        for features in lineage.of_kind(FEATURES)
    )


def _member_words(classes: xr.Dataset) -> str:
    doubt = "those farthest from it"
    if "margin" in classes:
        doubt = "those with the least margin to another class"
    elif "probability" in classes:
        doubt = "those of the lowest probability"
    return (
        f"typical members are those nearest to the mean of their class, doubtful ones are {doubt}."
    )


def _features_of(lineage: Lineage, result: Result) -> xr.DataArray | None:
    """Find the features whose rows the labels belong to."""
    for origin in lineage.origins(result.step):
        fits = origin.kind in {FEATURES, SPECTRAL_MAP, SPECTRA}
        if fits and origin.value.shape[:-1] == result.value["label"].shape:
            return origin.value  # type: ignore[no-any-return]
    return None


def _whole_vectors(sites: xr.Dataset) -> xr.DataArray:
    """Give the vectors to the neighbors as features, slot by slot."""
    vectors = sites["neighbor_vector"].values
    n_sites, n_slots, _ = vectors.shape
    return xr.DataArray(
        vectors.reshape(n_sites, -1),
        dims=("site", "feature"),
        coords={
            "neighbor": ("feature", np.repeat(np.arange(n_slots), 2)),
            "axis": ("feature", ["y", "x"] * n_slots),
        },
    )


def _transitions(_: Lineage, result: Result) -> list[Picture]:
    if not has_transitions(result.value):
        return []
    caption = (
        f"{result.name}: the chance of every state one frame later, and the states as a network: "
        "circles by the time spent, arrows by their chance, the number that of staying."
    )
    return [Picture(file_stem(result.name), caption, partial(plot_transitions, result.value))]


def _table(lineage: Lineage, result: Result) -> list[Picture]:
    table = result.value
    walls = wall_pictures(lineage, result)
    if walls:
        return walls
    if has_column_comparison(table):
        made = (
            one for one in lineage.of_kind(IMAGE) if one.step.step == "localization.estimate_motif"
        )
        mean = next(made, None)
        caption = (
            f"{result.name}: rings are the columns of the structure, dashed where none was found; "
            "dots are those found, colored by class; letters are the sets of equivalent columns."
        )
        draw = partial(plot_column_comparison, table, mean.value if mean else None)
        return [Picture(file_stem(result.name), caption, draw)]
    moves = dynamics_pictures(lineage, result)
    if moves:
        return moves
    if has_confusion(table):
        caption = (
            f"{result.name}: how many defects of each true name (rows) were found under which name "
            "(columns); framed is what is right. Bars: the share that is right, with its limits "
            "of 95 %."
        )
        return [Picture(file_stem(result.name), caption, partial(plot_confusion, table))]
    if has_columns(table):
        caption = (
            f"{result.name}: the columns of one cell, by their rows in the table; the area of a "
            "mark goes with the brightness of the column."
        )
        return [Picture(file_stem(result.name), caption, partial(plot_cell_columns, table))]
    if has_cells(table) and table.sizes["row"] > 1:
        caption = f"{result.name}: the cell of every frame; bars are one standard error."
        return [Picture(file_stem(result.name), caption, partial(plot_unit_cells, table))]
    if is_tree(table):
        caption = f"{result.name}: the top of the tree, and where it was cut."
        number = result.step.settings.get("n_classes")
        return [
            Picture(file_stem(result.name), caption, partial(plot_tree, table, n_classes=number))
        ]
    if has_training(table):
        caption = (
            f"{result.name}: losses and scores over the steps; the dashed line is the network kept."
        )
        return [Picture(file_stem(result.name), caption, partial(plot_training, table))]
    if has_window_sizes(table):
        caption = (
            f"{result.name}: how far the map by windows of each size agrees with that of the next "
            "larger size (adjusted Rand index)."
        )
        return [Picture(file_stem(result.name), caption, partial(plot_window_sizes, table))]
    if {"component", "variance"} <= set(table):
        caption = f"{result.name}: the variance of every component."
        draw = partial(plot_variances, with_noise(lineage, result))
        return [Picture(file_stem(result.name), caption, draw)]
    if "n_classes" not in table or "n_classes" not in table.attrs:
        return []
    caption = f"{result.name}: every index against the number of classes."
    pictures = [Picture(file_stem(result.name), caption, partial(plot_class_choice, table))]
    if is_sweep(result.step):
        sweep = ClassSweep(**result.step.results)
        caption = f"{result.step.name}: the classes of every number of them, and their means."
        draw = partial(plot_class_sweep, sweep.table, sweep.classes, sweep.means)
        pictures.append(Picture(f"{file_stem(result.step.name)}-maps", caption, draw))
    return pictures
