"""k-means on features of any size."""

from __future__ import annotations

from adatom.clustering.assigning import assign_classes
from adatom.clustering.models import Clustering, KMeansModel, number_of_classes
from adatom.clustering.partitions import best_partitions
from adatom.errors import SettingError
from adatom.schema import FEATURES, TABLE, Features, Table, add_note


def fit_kmeans(
    features: Features, /, *, n_classes: int, n_starts: int = 10, seed: int = 0
) -> KMeansModel:
    """Find the means of classes by k-means, exactly at any size.

    Starts are drawn by k-means++ [2]_ and compete in the scores of the
    rows on the principal components above the noise, at a fraction of the
    cost of all channels. The best of them then goes by Lloyd's passes [1]_
    over all rows and channels, block by block, until it rests: until no mean
    moves, or of more than 16384 rows until a pass lowers the inertia by less
    than a hundred-thousandth. Memory holds the scores, of 67 million values at most,
    and a few blocks, whatever the size.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part. Columns are taken
        as they are, on one common scale.
    n_classes : int
        Number of classes; `choose_n_classes` finds it, `fit_kmeans_sweep` fits
        several at the cost of about one.
    n_starts : int
        Ten, since a single start often ends in a poor optimum: with six
        classes about one in two.
    seed : int
        Of the starts, and of the sample that they are drawn from.

    Returns
    -------
    KMeansModel
        Classes by falling size.

    Raises
    ------
    TooFewSitesError
        If there are fewer measured rows than classes.
    SettingError
        If `n_classes` or `n_starts` is below 1, or there are fewer distinct
        rows than classes.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[0.0], [0.1], [5.0], [0.2]], dims=("site", "feature"))
    >>> fit_kmeans(rows, n_classes=2).means
    array([[0.1],
           [5. ]])

    References
    ----------
    .. [1] S. P. Lloyd, IEEE Trans. Inf. Theory 28, 129 (1982).
    .. [2] D. Arthur and S. Vassilvitskii, Proc. 18th ACM-SIAM SODA, 1027 (2007).
    """
    FEATURES.check(features)
    if n_classes < 1 or n_starts < 1:
        msg = f"{n_classes=} and {n_starts=} must be 1 or more"
        raise SettingError(msg)
    (model,) = best_partitions(features, [n_classes], n_starts=n_starts, seed=seed)
    return model


def cluster_kmeans(
    features: Features,
    choice: Table | None = None,
    /,
    *,
    n_classes: int | None = None,
    n_starts: int = 10,
    seed: int = 0,
) -> Clustering:
    """Sort the rows of features into classes by k-means.

    Parameters
    ----------
    features : Features
        Spectra, patches, neighbor vectors ...; see `fit_kmeans`.
    choice : Table, optional
        Of `choose_n_classes`: the number to take where `n_classes` gives none.
    n_classes : int, optional
        Number of classes.
    n_starts : int
        See `fit_kmeans`.
    seed : int
        Of the sample and the starts.

    Returns
    -------
    Clustering
        ``classes`` (see `assign_classes`) and ``model``. Class 0 is the
        largest, so that colors stay.

    Raises
    ------
    SettingError
        If neither `choice` nor `n_classes` is given.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.DataArray([[0.0], [0.1], [5.0], [0.2]], dims=("site", "feature"))
    >>> cluster_kmeans(rows, n_classes=2).classes["label"].values
    array([0, 0, 1, 0], dtype=int32)
    """
    FEATURES.check(features)
    if choice is not None:
        TABLE.check(choice)
    number = number_of_classes(choice, n_classes)
    model = fit_kmeans(features, n_classes=number, n_starts=n_starts, seed=seed)
    classes = assign_classes(features, model)
    if not model.converged:
        add_note(
            classes,
            f"k-means stopped after {model.n_passes} passes while its means still moved: "
            "boundaries between classes are not exact",
        )
    return Clustering(classes, model)
