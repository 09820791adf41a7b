"""Classes of patches that show one thing in several orientations: class and orientation apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from adatom.clustering.models import size_order
from adatom.clustering.turned_assigning import (
    assign_turned_patches,
    class_means_turned_back,
    judge_of,
    shape_of,
)
from adatom.clustering.turned_models import TurnedMixtureModel
from adatom.clustering.turned_relations import first_orientations, related_classes
from adatom.clustering.turned_search import search_turned_mixture
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import blocks
from adatom.numerics.disc_harmonics import disc_harmonics, mirror_axis_of, turned_axis
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.folds import fold
from adatom.numerics.moments import moments_of, sample_of
from adatom.numerics.point_groups import POINT_GROUPS, group_matrices, product_table, subgroups_of
from adatom.numerics.turned_subspace import turned_subspace
from adatom.schema import FEATURES, Classes, Features, Table, add_note, table_from_columns
from adatom.units import ANGLE, Angle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.clustering.turned_mixtures import TurnedFit
    from adatom.clustering.turned_search import TurnedSweep
    from adatom.numerics.blocks import Block, Blocks
    from adatom.numerics.disc_harmonics import DiscHarmonics
    from adatom.numerics.turned_subspace import TurnedSubspace

    Floats = NDArray[np.float64]

# Classes of a thousandth of the patches still have sixteen among these.
_SAMPLE_ROWS: Final = 1 << 14
_MOST_COMPONENTS: Final = 20
# Fewer patches do not show how many classes there are.
_FEWEST_ROWS: Final = 10
# Patches of one thing differ by more than the rounding of their numbers.
_ROUNDING_STEPS: Final = 8
# Pixels whose centers lie no farther beyond the disc than this have a say.
_RIM: Final = 0.5


class TurnedClustering(NamedTuple):
    """Classes of patches, their orientations apart, and the model that assigned them."""

    classes: Classes
    """``label``, -1 for patches of no class; ``probability`` (site, class)."""
    orientations: Classes
    """``label``, the operation of the group; ``angle`` in deg, ``mirrored``, ``direction``;
    ``probability`` (site, class), here the operations."""
    means: Features
    """Mean picture of every class in its first orientation, (class, feature)."""
    table: Table
    """The BIC of every number of classes that was tried."""
    model: TurnedMixtureModel


def cluster_turned_patches(
    patches: Features,
    /,
    *,
    symmetry: Literal["C1", "C2", "C3", "C4", "C6", "C1v", "C2v", "C3v", "C4v", "C6v"],
    n_classes: int | None = None,
    max_classes: int = 8,
    mirror_axis: Angle | None = None,
    outliers: bool = True,
    seed: int = 0,
) -> TurnedClustering:
    """Sort patches into classes, whatever the orientation in which each shows its class.

    A defect of a lattice occurs in all orientations of the lattice's point
    group. To k-means these are different classes; here every patch is taken
    for its class turned by one of the operations R of the group, unknown and
    all as likely [1]_ ::

        p(patch) = sum_k w_k 1/|G| sum_R N(patch; R mean_k, R cov_k R^T)

    Both are told, with probabilities. The disc that a patch holds is
    compared, in waves around rings, which operations turn exactly; patches
    are summed up in those principal components of all their orientations
    that rise above the noise, which the operations map onto themselves.

    Parameters
    ----------
    patches : Features
        Of `descriptors.site_patches`. Numpy or dask inside. Of more than
        16384 a stratified sample is fitted, and all are assigned.
    symmetry : {"C1", "C2", "C3", "C4", "C6", "C1v", "C2v", "C3v", "C4v", "C6v"}
        The group: that of the lattice about the sites. C3 for the metal
        sites of MoS2 and the sublattices of graphene, C6 for the centers of
        its rings, C4 for square lattices. With "v" mirror images are the same
        class as well. C1 is a plain mixture.
    n_classes : int, optional
        Number of classes. By default that of the mixture of the least BIC,
        classes without a valley between them counted as one, as in
        `choose_n_classes`.
    max_classes : int
        Largest number tried.
    mirror_axis : angle, optional
        Direction of a mirror line of the lattice, as "15 deg", from +x
        towards +y. By default that which maps the mean of all patches best
        onto itself.
    outliers : bool
        Whether patches may belong to no class: those that a broad background,
        as wide as all patches together, explains better than any class. No
        class is then more than three times as wide as the classes are on
        average, so that dirt does not become one.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    TurnedClustering
        ``classes``, the largest first, with ``label``, ``probability`` (...,
        class), ``background`` (the probability of no class), ``distance`` (in
        standard deviations of the class), ``margin``, ``entropy`` and
        ``count`` (class) as of `assign_classes`; label -1: in no class, or
        pixels of the disc are missing, which a note counts.
        ``attrs["class_symmetries"]`` names the group under which each class
        is as it is.

        ``orientations``: ``label``, the number of the operation that takes
        the class mean to the patch: turns by ``angle`` (deg, from +x towards
        +y), then, where ``mirrored``, the mirror at the axis before them.
        Operations that give the same picture of a class count as the first of
        them, by their added ``probability`` (..., class); of a class that is the
        same in all orientations the label is -1, the angle NaN.
        ``direction`` (deg, 0 to 360) is where the strongest departure of the
        patch from the mean of its class over all orientations lies.

        ``means``: members turned back and averaged, in the unit of the
        patches, NaN outside of the disc. The first orientation of a class is
        that in which ``direction`` (class) is nearest to +x.

        ``table`` and ``model``.

    Raises
    ------
    KindError
        If the features are no patches.
    TooFewSitesError
        If there are fewer than two whole patches, or than two a class.
    SettingError
        If a setting is out of range, or all patches are the same.

    References
    ----------
    .. [1] The mixture with hidden transformations is that of B. J. Frey and N. Jojic, IEEE
       Trans. Pattern Anal. Mach. Intell. 25, 1 (2003), sec. 3.

    Examples
    --------
    >>> import xarray as xr
    >>> y, x = np.mgrid[-4:5, -4:5].astype(float)
    >>> right = np.exp(-(y**2 + (x - 2) ** 2) / 3)
    >>> rng = np.random.default_rng(0)
    >>> rows = [np.rot90(right, k).ravel() + 0.05 * rng.normal(size=81) for k in [0, 1, 2, 3] * 8]
    >>> unit = {"units": "px"}
    >>> place = {"patch_y": ("feature", y.ravel(), unit), "patch_x": ("feature", x.ravel(), unit)}
    >>> patches = xr.DataArray(
    ...     rows, dims=("site", "feature"), coords=place, attrs={"patch_shape": [9, 9]}
    ... )
    >>> found = cluster_turned_patches(patches, symmetry="C4")
    >>> found.classes["count"].values, found.orientations["angle"].values[:4]
    (array([32]), array([  0., 270., 180.,  90.]))
    """
    FEATURES.check(patches, name="patches")
    axis = _checked(symmetry, n_classes, max_classes, mirror_axis)
    shape, step, unit = shape_of(patches)
    cut = blocks(patches)
    with single_threaded_blas():
        moments = moments_of(cut)
        n_rows = int(moments.counts.sum())
        if n_rows < 2 * (n_classes or 1):
            msg = (
                f"{n_rows} patches without missing pixels, {n_classes=} needs "
                f"{2 * (n_classes or 1)} or more"
            )
            raise TooFewSitesError(msg)
        rows = sample_of(cut, moments.counts, n_rows=_SAMPLE_ROWS, seed=seed).astype(np.float64)
        waves = disc_harmonics(shape, step)
        center = rows.mean(axis=0)
        # About the mean picture, so that a large offset costs no digits.
        rows -= center
        n_fold = int(symmetry[1])
        if symmetry.endswith("v"):
            axis = mirror_axis_of(waves, waves.operator @ center, n_fold) if axis is None else axis
            waves = turned_axis(waves, axis)
        flat = rows @ waves.operator.T
        mean = waves.operator @ center
        subspace = turned_subspace(
            waves,
            mean,
            flat.T @ flat / max(len(flat) - 1, 1),
            len(flat),
            group=symmetry,
            n_most=max(2, min(_MOST_COMPONENTS, int(np.sqrt(len(flat) / (n_classes or 3))))),
        )
        _refuse_equal(subspace, center, cut)
        offset = subspace.basis @ (mean - subspace.mean)
        matrices = group_matrices(symmetry, axis or 0.0)
        fit, sweep = search_turned_mixture(
            flat @ subspace.basis.T + offset,
            subspace.operations,
            subgroups_of(product_table(matrices)),
            spread=subspace.variances,
            n_classes=1 if n_classes is None and n_rows < _FEWEST_ROWS else n_classes,
            max_classes=max_classes,
            background=outliers,
            seed=seed,
        )
    fit, directions = first_orientations(fit, subspace, waves, matrices, axis or 0.0)
    model = _model(
        fit, subspace, waves, center, offset, directions, symmetry, axis or 0.0, (shape, step, unit)
    )
    model = replace(model, feature_dim=str(patches.dims[-1]))
    model = _by_size(model, cut)
    found = assign_turned_patches(patches, model)
    means = class_means_turned_back(patches, found, model)
    table = _table(sweep, n_classes, n_rows, max_classes)
    _tell(found.classes, model, len(rows), n_rows, waves, step)
    for note in related_classes(model, subspace, waves):
        add_note(found.classes, note)
    return TurnedClustering(found.classes, found.orientations, means, table, model)


def _checked(
    symmetry: str, n_classes: int | None, max_classes: int, mirror_axis: str | None
) -> float | None:
    if symmetry not in POINT_GROUPS:
        msg = f"{symmetry=} must be one of {', '.join(POINT_GROUPS)}"
        raise SettingError(msg)
    if max_classes < 1 or (n_classes is not None and n_classes < 1):
        msg = f"{n_classes=} and {max_classes=} must be 1 or more"
        raise SettingError(msg)
    if mirror_axis is None:
        return None
    if not symmetry.endswith("v"):
        msg = (
            f"{mirror_axis=} is given, but {symmetry=} has no mirrors: take {symmetry + 'v'!r}, "
            "or leave it out"
        )
        raise SettingError(msg)
    return float(np.radians(ANGLE.check(mirror_axis, name="mirror_axis").value))


def _refuse_equal(subspace: TurnedSubspace, center: Floats, cut: Blocks) -> None:
    rounding = _ROUNDING_STEPS * float(np.finfo(cut.dtype).eps) * np.linalg.norm(center)
    if not subspace.variances.max() > rounding**2:
        msg = (
            "all patches are the same, and even around their center: there is nothing to tell apart"
        )
        raise SettingError(msg)


def _model(
    fit: TurnedFit,
    subspace: TurnedSubspace,
    waves: DiscHarmonics,
    center: Floats,
    offset: Floats,
    directions: Floats,
    symmetry: str,
    axis: float,
    pixels: tuple[tuple[int, int], tuple[float, float], str],
) -> TurnedMixtureModel:
    shape, step, unit = pixels
    mixture = fit.mixture
    n_operations = len(mixture.operations)
    y, x = ((np.arange(size) - (size - 1) / 2) * pixel for size, pixel in zip(shape, step))
    away = np.hypot(y[:, None], x).ravel()
    return TurnedMixtureModel(
        symmetry=symmetry,
        mirror_axis=float(np.degrees(axis)),
        weights=mixture.weights,
        means=mixture.means,
        covariances=mixture.covariances,
        operations=mixture.operations,
        kept=np.array(
            [[g in kept for g in range(n_operations)] for kept in mixture.symmetry], dtype=bool
        ),
        spread=mixture.spread,
        center=center,
        basis=subspace.basis @ waves.operator,
        offset=offset,
        needed=away <= waves.reach + _RIM * min(step),
        directions=directions,
        counts=np.zeros(len(mixture.weights), dtype=np.int64),
        patch_shape=np.array(shape),
        patch_step=np.array(step),
        patch_unit=unit,
        background=mixture.background,
        form=mixture.form,
        log_likelihood=fit.log_likelihood,
        bic=fit.bic,
        n_passes=fit.n_passes,
        converged=fit.converged,
        feature_dim="feature",
    )


def _by_size(model: TurnedMixtureModel, cut: Blocks) -> TurnedMixtureModel:
    """Give classes their numbers by falling number of patches."""
    judge, n = judge_of(model), model.n_classes

    def step(block: Block) -> NDArray[np.int64]:
        label = judge(block.values)[0]
        return np.bincount(label[label >= 0], minlength=n).astype(np.int64)

    counts = fold(cut, step, lambda a, b: a + b)
    order = size_order(counts, model.means)
    return replace(
        model,
        weights=model.weights[order],
        means=model.means[order],
        covariances=model.covariances[order],
        kept=model.kept[order],
        directions=model.directions[order],
        counts=counts[order],
    )


def _table(sweep: TurnedSweep, n_classes: int | None, n_rows: int, max_classes: int) -> Table:
    numbers = [len(fit.mixture.weights) for fit in sweep.fits]
    table = table_from_columns(
        {
            "n_classes": numbers,
            "bic": np.where(np.isfinite(sweep.bics), sweep.bics, np.nan),
            "outlier_share": [max(0.0, 1 - float(f.mixture.weights.sum())) for f in sweep.fits],
        }
    )
    table.attrs["n_classes"] = sweep.n_modes
    if n_classes is not None:
        table.attrs["reason"] = f"n_classes={n_classes} was given"
    elif n_rows < _FEWEST_ROWS:
        table.attrs["reason"] = (
            f"{n_rows} whole patches are too few to show more than one class: "
            f"{_FEWEST_ROWS} are needed"
        )
    else:
        best = int(np.argmin(sweep.bics))
        reason = f"the BIC is least for {numbers[best]} class{'' if numbers[best] == 1 else 'es'}"
        if sweep.n_modes < numbers[best]:
            reason += (
                f"; {sweep.n_modes} of them a valley parts from all others, as classes without a "
                "valley between them count as one"
            )
        table.attrs["reason"] = reason
        if sweep.n_modes == max_classes > 1:
            add_note(
                table, f"the answer is the largest number tried: raise {max_classes=} to see more"
            )
    return table


def _tell(
    classes: Classes,
    model: TurnedMixtureModel,
    n_fitted: int,
    n_rows: int,
    waves: DiscHarmonics,
    step: tuple[float, float],
) -> None:
    group = model.symmetry
    axis = f", a mirror line at {model.mirror_axis:.1f} deg" if group.endswith("v") else ""
    add_note(
        classes,
        f"classes in all orientations of {group}{axis}, by {len(model.means[0])} components of "
        f"the disc of radius {waves.reach:.4g} {model.patch_unit}",
    )
    if n_fitted < n_rows:
        add_note(
            classes,
            f"fitted on a stratified sample of {n_fitted} of {n_rows} patches, all were assigned",
        )
    if waves.spacing > 1.5 * max(step):
        add_note(
            classes,
            f"patches have very many pixels: details below {2 * waves.spacing:.3g} "
            f"{model.patch_unit} were not compared; smaller patches or larger pixels show them",
        )
    if not model.converged:
        add_note(
            classes,
            f"the mixture stopped after {model.n_passes} passes while its likelihood still rose",
        )
