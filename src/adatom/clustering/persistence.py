"""How many phases neighborhoods show: classes that go on beyond the neighborhood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from adatom.clustering.kmeans import cluster_kmeans
from adatom.errors import KindError, SettingError, TooFewSitesError
from adatom.numerics.neighbors import PointTree
from adatom.schema import FEATURES, Features, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

# Half way between chance and a phase without end. Simulated oxides of one, two and three phases,
# in regions five neighborhoods wide: phases 0.75 and more, others 0.55 and less, and the least
# of those that split a phase below 0.4.
_PERSISTS: Final = 0.5
# Sites that are asked for their neighbors: shares of a class are then known to 0.01.
_SAMPLE: Final = 10_000
_DEFAULT: Final = 30


def choose_n_phases(
    features: Features, /, *, max_phases: int = 6, n_neighbors: int | None = None, seed: int = 0
) -> Table:
    """Find how many phases the neighborhoods of sites show; the answer may be one.

    Neighborhoods overlap, so that every fluctuation is seen by many sites at once and
    looks like a class: indices that count rows, as `choose_n_classes` does, find too many.
    A phase goes on beyond a neighborhood, a fluctuation does not, and neither does the
    mixture that stands along a boundary. So the sites are sorted by k-means into 2, 3 ...
    classes, and of each class it is asked how often a site of it has neighbors of its own
    class farther away than its neighborhood reaches: the share of its like among the next
    `n_neighbors` sites, corrected for chance, as join counts are [1]_. The answer is the
    largest number of classes that all persist.

    Parameters
    ----------
    features : Features
        Of `descriptors.neighborhood_composition`, or others that describe the surroundings
        of sites, with ``y`` and ``x``. Rows with NaN have no class.
    max_phases : int
        Numbers tried are 1 to this one.
    n_neighbors : int, optional
        How many sites a neighborhood holds; by default what the features tell
        (``attrs["n_neighbors"]``), or 30.
    seed : int
        Of the starts of k-means.

    Returns
    -------
    Table
        One row for each number: ``n_classes`` and ``persistence``, that of its least
        persistent class: 1 if all its sites have only their like beyond the
        neighborhood, 0 if as many as by chance; 1 for a single class.
        ``attrs["n_classes"]`` is the answer, ``attrs["reason"]`` says why;
        `cluster_kmeans` takes the table.

    Raises
    ------
    KindError
        If the features have no places.
    SettingError
        If a setting is out of range.
    TooFewSitesError
        If a frame has no more than two neighborhoods of sites, or no row is
        measured.

    References
    ----------
    .. [1] P. A. P. Moran, J. R. Stat. Soc. B 10, 243 (1948).

    Examples
    --------
    >>> import xarray as xr
    >>> y, x = np.mgrid[:20, :20].reshape(2, -1).astype(float)
    >>> share = np.clip((x - 7.5) / 4, 0, 1) + np.random.default_rng(0).normal(0, 0.1, 400)
    >>> places = {"y": ("site", y), "x": ("site", x)}
    >>> rows = xr.DataArray(share[:, None], dims=("site", "feature"), coords=places)
    >>> choose_n_phases(rows, n_neighbors=9).attrs["n_classes"]
    2
    """
    FEATURES.check(features)
    if "site" not in features.dims or not {"y", "x"} <= set(features.coords):
        msg = "features need y and x along 'site': take those of neighborhood_composition"
        raise KindError(msg)
    if max_phases < 1:
        msg = f"{max_phases=} must be 1 or more"
        raise SettingError(msg)
    number = (
        int(features.attrs.get("n_neighbors", _DEFAULT)) if n_neighbors is None else n_neighbors
    )
    if number < 1:
        msg = f"n_neighbors={number} must be 1 or more"
        raise SettingError(msg)
    if not np.isfinite(features.values).all(axis=-1).any():
        msg = (
            "no row of the features is measured throughout: look for what made them NaN, such as "
            "sites without a class"
        )
        raise TooFewSitesError(msg)
    site, beyond = _sites_beyond(features, number)
    persistence = [1.0]
    for n_classes in range(2, max_phases + 1):
        try:
            label = cluster_kmeans(features, n_classes=n_classes, seed=seed).classes["label"].values
        except (SettingError, TooFewSitesError):
            # There are no more distinct rows.
            break
        persistence.append(_least_persistence(label, site, beyond, n_classes))
    return _chosen(persistence, number)


def _sites_beyond(features: Features, number: int) -> tuple[Ints, Ints]:
    """Give some sites, and for each those that follow the nearest `number` of sites."""
    place = np.stack([features.coords[name].values for name in ("y", "x")], axis=1).astype(float)
    frame = features.coords["frame"].values if "frame" in features.coords else None
    counts = np.array([len(place)]) if frame is None else np.unique(frame, return_counts=True)[1]
    fewest = int(counts.min()) if len(counts) else 0
    if fewest < 2 * number:
        msg = (
            f"a frame holds {fewest} sites, n_neighbors={number} needs "
            f"{2 * number} or more, those of a neighborhood and as many beyond"
        )
        raise TooFewSitesError(msg)
    site = np.arange(0, len(place), -(-len(place) // _SAMPLE))
    tree = PointTree(place, frame)
    index = tree.nearest(place[site], None if frame is None else frame[site], k=2 * number)
    return site, index[:, number:]


def _least_persistence(label: Ints, site: Ints, beyond: Ints, n_classes: int) -> float:
    """Give the share of their like beyond the neighborhoods of the least persistent class."""
    known = (label[site] >= 0)[:, None] & (label[beyond] >= 0)
    own = np.broadcast_to(label[site][:, None], beyond.shape)[known]
    same = own == label[beyond][known]
    share = np.bincount(label[label >= 0], minlength=n_classes) / max((label >= 0).sum(), 1)
    like = np.bincount(own, weights=same, minlength=n_classes)
    pairs = np.bincount(own, minlength=n_classes)
    # A class that no sampled site is of is none that goes on.
    met = np.divide(like, pairs, out=np.zeros(n_classes), where=pairs > 0)
    return float(((met - share) / np.maximum(1 - share, 1e-12)).min())


def _chosen(persistence: list[float], number: int) -> Table:
    n_phases = 1 + max(k for k, one in enumerate(persistence) if one > _PERSISTS)
    table = table_from_columns(
        {"n_classes": np.arange(1, len(persistence) + 1), "persistence": np.array(persistence)}
    )
    others = [f"{one:.2f} of {k}" for k, one in enumerate(persistence, start=1) if k > 1]
    reason = (
        f"{n_phases} is the largest number of classes that all go on beyond {number} sites: "
        f"persistence {', '.join(others) or 'of no other number could be asked'}"
    )
    table.attrs |= {"n_classes": n_phases, "reason": reason}
    add_note(table, reason)
    return table
