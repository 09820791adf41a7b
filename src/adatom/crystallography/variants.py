"""Phases and ferroic variants, by what symmetry does to the classes of neighbor vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.crystallography.aligned import AlignedVectors, aligned_vectors
from adatom.crystallography.breaking_test import (
    Chance,
    probability_of_chance,
    symmetry_breaking,
)
from adatom.crystallography.cell_fields import whole_field
from adatom.crystallography.crystal_shifts import LEAST_ROWS
from adatom.crystallography.statements import (
    classes_exchanged,
    members_table,
    merged_phases,
    operations_table,
    phase_table,
    statement_of,
)
from adatom.crystallography.variant_fits import Fitted, fit_classes, without_class_structure
from adatom.crystallography.variant_labels import Labels, label_sites
from adatom.crystallography.variant_models import VariantModel
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.schema import SITES, Classes, Sites, Table, add_note, space_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_WINDOW: Final = 7


class Variants(NamedTuple):
    """Phases and variants of a crystal.

    Attributes
    ----------
    variants : Classes
        Variant of every site, along ``site``: the domain map. Variants of the
        largest phase come first.
    phases : Classes
        Phase of every site, along ``site``; the largest is 0.
    statement : Table
        A row a phase: what symmetry says of it.
    members : Table
        A row a variant: its phase, sites, displacement and mean rotation.
    operations : Table
        A row an operation of the parent's point group: where it brings every
        variant, and with which purity.
    model : VariantModel
        Labels other images of the same crystal, by `assign_variants`.
    """

    variants: Classes
    phases: Classes
    statement: Table
    members: Table
    operations: Table
    model: VariantModel


def find_variants(
    sites: Sites,
    /,
    *,
    point_group: str | None = None,
    max_classes: int = 8,
    averaging: int | None = None,
    level: float = 0.05,
    seed: int = 0,
) -> Variants:
    """Tell phases from ferroic variants by symmetry, and map both.

    Neighbor vectors, and their images under the point group of their star,
    are clustered as one set [1]_. A class whose image is itself under all
    operations is a non-ferroic phase; classes that are images of one another
    are ferroic variants of one phase. Position noise is estimated from the
    data; classes have this scatter, and are as many as stand apart. Means over
    the same cells around are taken where single cells are too noisy.

    Parameters
    ----------
    sites : Sites
        With neighbors of `descriptors.neighbor_vectors` and lattice indices of
        `crystallography.assign_lattice_indices`. Frames of a movie are taken
        together: classes are the same in all, drift is that of each grain of
        each frame.
    point_group : str, optional
        Of the parent: "C1" to "C6", "C1v" to "C6v". By default the highest of
        the sites' star, strain of up to 12 % and a displaced center allowed
        for.
    max_classes : int
        Classes found at most; 8 are two phases of four variants.
    averaging : int, optional
        Cells, 1, 3, 5 or 7, along each side of the window whose like cells are
        averaged. By default the smallest of 1, 3 and 5 in which classes
        stand seven standard deviations apart; told in a note.
    level : float
        Classes that noise makes as often as this are no classes: 0.05 claims
        a broken symmetry in one of twenty perfect crystals at most. P-values
        say how often simulated noise of one class gains as much by as many
        classes as were found. Where no classes stand apart nothing is asked,
        and p is 1: no weaker order was found, nor excluded. 0.01 is the least,
        and NaN, with a note, where too few cells lie within domains to be tested.
    seed : int
        Of simulated noise.

    Returns
    -------
    Variants
        ``statement`` says in ``attrs["statement"]`` and for each phase
        whether it is "ferroic", "non-ferroic" or "orbit incomplete": images
        of its classes hold no sites, so that no more can be told. A drift, or
        any affine strain common to a grain, is taken off; so is a rotation
        common to several cells, which ``members`` reports in deg. Sites
        without lattice index have the label -1. Where cells alternate,
        ``variants`` has ``probability_of_cell``, of each cell by itself, by which
        `find_doubling` places antiphase boundaries.

    Raises
    ------
    KindError
        If the sites have no neighbors or lattice indices.
    SettingError
        If the star has not the point group.
    TooFewSitesError
        If too few sites have all their neighbors.

    References
    ----------
    .. [1] A. Belianinov et al., Nat. Commun. 6, 7801 (2015).

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> i, j = np.indices((24, 24)).reshape(2, -1)
    >>> noise = np.random.default_rng(0).normal(0, 0.02, (2, 576))
    >>> shear = 0.04 * np.abs(i - 12)
    >>> sites = neighbor_vectors(
    ...     sites_from_positions(i + noise[0], j + shear + noise[1], unit="nm")
    ... )
    >>> sites["lattice_index"] = (("site", "direction"), np.stack([i, j], axis=1))
    >>> sites["sublattice"] = sites["grain"] = ("site", np.zeros(576, int))
    >>> find_variants(sites).statement.attrs["statement"]
    'phase 0: ferroic, 2 variants, point group 2mm in projection; orbit complete (p = 0.01)'
    """
    SITES.check(sites)
    _check(max_classes, averaging, level)
    _check_seed(seed)
    aligned = aligned_vectors(sites, point_group)
    _check_indexed(sites)
    index = _lattice_index(sites)
    fitted = fit_classes(aligned, index, max_classes=max_classes, averaging=averaging, seed=seed)
    exchanged = classes_exchanged(fitted)
    phase = merged_phases(fitted.orbits, exchanged)
    chance = probability_of_chance(aligned, index, fitted, phase, seed=seed)
    if fitted.orbits.n_populated > 1 and not chance.classes <= level:
        fitted = without_class_structure(fitted)
        exchanged, phase = classes_exchanged(fitted), np.zeros(len(fitted.orbits.orbit), int)
        chance = probability_of_chance(aligned, index, fitted, phase, seed=seed)
    model = _model(aligned, fitted, phase)
    labels = label_sites(aligned, whole_field(aligned, index), model, seed=seed)
    return _described(sites, aligned, fitted, model, labels, chance, level, exchanged, seed)


def assign_variants(sites: Sites, model: VariantModel, /, *, seed: int = 0) -> Classes:
    """Label the sites of another image, or frame, of a crystal whose variants are known.

    The same number means the same structure in all images. Drift is found
    anew for each grain; where it cannot be told from strain, it is taken to
    be that of the model.

    Parameters
    ----------
    sites : Sites
        With neighbors and lattice indices, as for `find_variants`.
    model : VariantModel
        Of `find_variants`.
    seed : int
        Of the sample from which drift is found.

    Returns
    -------
    Classes
        ``label`` and ``probability`` along ``site``; -1 without lattice index.

    Raises
    ------
    KindError
        If the sites lack neighbors or indices, or have other neighbors than
        those of the model.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.descriptors import neighbor_vectors
    >>> from adatom.schema import sites_from_positions
    >>> i, j = np.indices((20, 20)).reshape(2, -1)
    >>> noise = np.random.default_rng(0).normal(0, 0.02, (2, 400))
    >>> sites = neighbor_vectors(sites_from_positions(i + noise[0], j + noise[1], unit="nm"))
    >>> sites["lattice_index"] = (("site", "direction"), np.stack([i, j], axis=1))
    >>> sites["sublattice"] = sites["grain"] = ("site", np.zeros(400, int))
    >>> found = find_variants(sites)
    >>> bool((assign_variants(sites, found.model)["label"] == 0).all())
    True
    """
    SITES.check(sites)
    star = getattr(model, "star", None)
    if star is None:
        msg = f"model is {type(model).__name__}, not a VariantModel: take that of find_variants"
        raise KindError(msg)
    _check_seed(seed)
    aligned = aligned_vectors(sites, None, star=star)
    _check_indexed(sites)
    field = whole_field(aligned, _lattice_index(sites))
    labels = label_sites(aligned, field, model, seed=seed)
    return _classes(sites, labels.label, labels.probability, labels.of_cell)


def _check(max_classes: int, averaging: int | None, level: float) -> None:
    if max_classes < 1:
        msg = f"{max_classes=} must be 1 or more"
        raise SettingError(msg)
    if averaging is not None and (averaging % 2 == 0 or not 1 <= averaging <= _MOST_WINDOW):
        msg = f"{averaging=} must be 1, 3, 5 or 7 cells, or be left out to be found"
        raise SettingError(msg)
    if not 0 < level < 1:
        msg = f"{level=} must be between 0 and 1, such as 0.05"
        raise SettingError(msg)


def _check_seed(seed: int) -> None:
    if seed < 0:
        msg = f"{seed=} must be 0 or more"
        raise SettingError(msg)


def _check_indexed(sites: Sites) -> None:
    n_indexed = int((sites["grain"].values >= 0).sum())
    if n_indexed < LEAST_ROWS:
        msg = (
            f"{n_indexed} of {sites.sizes['site']} sites have a lattice index, variants need "
            f"{LEAST_ROWS} or more: see by the notes of assign_lattice_indices what it found, "
            "and restrict the sites to the crystal"
        )
        raise TooFewSitesError(msg)


def _lattice_index(sites: Sites) -> NDArray[np.int64]:
    index = sites["lattice_index"].transpose("site", "direction").values
    return np.asarray(index, dtype=np.int64)


def _model(aligned: AlignedVectors, fitted: Fitted, phase: NDArray[np.int64]) -> VariantModel:
    orbits, n = fitted.orbits, len(aligned.star.slots)
    weights = np.zeros(len(orbits.means))
    counts = np.bincount(fitted.window.label, minlength=len(fitted.window.means))
    weights[orbits.member] = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    return VariantModel(
        slots=aligned.star.slots,
        matrices=np.stack([each.matrix for each in aligned.star.operations]),
        permutations=np.stack([each.slot for each in aligned.star.operations]),
        means=orbits.means.reshape(-1, n, 2),
        affine=orbits.affine.reshape(n, 2),
        image=orbits.image,
        orbit=orbits.orbit,
        phase=phase,
        weights=weights,
        whitening=fitted.window.whitening,
        cell_whitening=fitted.cell_whitening,
        characters=np.array(fitted.field.characters),
        point_group=aligned.star.group,
        averaging=fitted.window.size,
    )


def _classes(
    sites: Sites,
    label: NDArray[np.int64],
    probability: NDArray[np.floating],
    of_cell: NDArray[np.floating] | None = None,
) -> Classes:
    names = [name for name in ("y", "x", "frame") if name in sites.coords]
    variables = {
        "label": ("site", label.astype(np.int32)),
        "probability": (("site", "class"), probability.astype(np.float32)),
    }
    if of_cell is not None:
        variables["probability_of_cell"] = (("site", "class"), of_cell.astype(np.float32))
    return xr.Dataset(
        variables,
        coords={name: sites.coords[name] for name in names},
        attrs={k: v for k, v in sites.attrs.items() if k in ("spacing", "extent")},
    )


def _described(
    sites: Sites,
    aligned: AlignedVectors,
    fitted: Fitted,
    model: VariantModel,
    labels: Labels,
    chance: Chance,
    level: float,
    exchanged: NDArray[np.int64],
    seed: int,
) -> Variants:
    variants = _classes(sites, labels.label, labels.probability, labels.of_cell)
    of_class = model.phase[: model.n_classes]
    n_phases = int(of_class.max()) + 1
    shares = np.zeros((len(labels.label), n_phases))
    for k, number in enumerate(of_class):
        shares[:, number] += labels.probability[:, k]
    phase = np.where(labels.label >= 0, of_class[np.maximum(labels.label, 0)], -1)
    phases = _classes(sites, phase, shares)
    breaking = symmetry_breaking(fitted, seed=seed)
    statement = phase_table(
        aligned, model, labels, space_unit(sites), chance.phase, level, exchanged, breaking
    )
    statement.attrs["statement"] = statement_of(statement)
    statement.attrs["p_value_of_classes"] = chance.classes
    members = members_table(aligned, model, labels, space_unit(sites), exchanged)
    for made in (variants, phases, statement):
        _tell(made, fitted, aligned, labels, space_unit(sites))
    for note in chance.untested:
        add_note(statement, note)
    return Variants(variants, phases, statement, members, operations_table(fitted, model), model)


def _tell(
    data: xr.Dataset, fitted: Fitted, aligned: AlignedVectors, labels: Labels, unit: str
) -> None:
    n, window = fitted.window.size, fitted.window
    how = "single cells" if n == 1 else f"means over {n} x {n} like cells"
    apart = (
        ""
        if np.isinf(window.separation)
        else f", in which classes stand {window.separation:.1f} standard deviations apart"
    )
    site, neighbor = (
        float(sigma.mean()) * aligned.spacing
        for sigma in (fitted.noise.site, fitted.noise.neighbor)
    )
    noise = f"{site:.3g} {unit} per axis"
    if not aligned.itself:
        noise += f", {neighbor:.3g} {unit} of the neighbors"
    add_note(data, f"classes of {how}{apart}; parent {aligned.star.group}; position noise {noise}")
    if missing := int((labels.label < 0).sum()):
        add_note(data, f"{missing} sites without lattice index, or unlike all stars: label -1")
