"""How many classes features show: several indices in one sweep, and one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from adatom.clustering.indices import (
    calinski_harabasz,
    gap,
    simplified_silhouette,
    stability,
)
from adatom.clustering.lloyd import lloyd_passes, stacked_starts
from adatom.clustering.modes import Sweep, count_modes, sweep_mixtures
from adatom.clustering.subspace import Subspace, sampled_scores_in, subspace_of
from adatom.clustering.uniform import inside_of
from adatom.errors import SettingError, TooFewSitesError
from adatom.numerics.blocks import blocks, blocks_from_array
from adatom.numerics.executors import single_threaded_blas
from adatom.numerics.moments import moments_of
from adatom.schema import FEATURES, Features, Mask, Table, add_note, table_from_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Of more rows a sample says the same, sooner: a class of one in a thousand still has a few.
_SAMPLE_ROWS: Final = 4096
_N_STARTS: Final = 8
# Fewer rows show no valley between classes, whatever they are.
_FEWEST_ROWS: Final = 10
# Sums and products round some steps of the type off.
_ROUNDING_STEPS: Final = 8


class _Partition(NamedTuple):
    means: NDArray[np.float64]
    inertia: float


def choose_n_classes(
    features: Features,
    uniform: Mask | None = None,
    /,
    *,
    max_classes: int = 8,
    n_references: int = 10,
    seed: int = 0,
) -> Table:
    """Find how many classes features show; the answer may be one.

    The answer is the number of separate modes of the best mixture: mixtures
    of one to `max_classes` elliptical classes, Gaussian or with heavier
    tails, common or own covariance, are fitted and the best is taken by the
    Bayesian information criterion [1]_; then classes between which its
    density has no valley are counted as one [2]_, so that neither a long
    class nor one that is no ellipsoid is taken for several.

    The other columns are what is usually asked for beside it: the gap
    statistic [3]_ and, from two classes on, the simplified silhouette, the
    index of Calinski and Harabasz, and stability under resampling, all of
    k-means.

    Parameters
    ----------
    features : Features
        Numpy or dask inside. Rows with NaN take no part. Of many rows a
        stratified sample of 4096 decides; of many features the principal
        components above the noise. Scores of a decomposition that found none
        above the noise (``attrs["n_above_noise"]``) have one class.
    uniform : Mask, optional
        Of `find_uniform_pixels`: only rows where it is True decide. On a map
        with sharp domains the mixed pixels of their borders bridge the
        classes, and hide the valleys between them.
    max_classes : int
        Numbers tried are 1 to this one. Eight is about what a map of
        colors can still show.
    n_references : int
        Random references of the gap statistic and resamplings of the
        stability; ten settle them to a few per cent.
    seed : int
        Of the sample, the starts and the references.

    Returns
    -------
    Table
        One row for each number: ``n_classes``, ``bic`` (the smaller the
        better), ``n_modes`` of that mixture (NaN where the sweep
        ended before, or a class had a single row), ``gap`` and ``gap_error``,
        ``inertia``, and from 2 on ``silhouette``, ``calinski_harabasz`` and
        ``stability`` (the larger the better; NaN for 1).
        ``attrs["n_classes"]`` is the answer, ``attrs["reason"]`` says why.

    Raises
    ------
    SettingError
        If `max_classes` or `n_references` is out of range.
    TooFewSitesError
        If there are fewer than two measured rows. Of fewer than ten the
        answer is one.
    KindError
        If `uniform` lies on other places than the features.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> rows = np.concatenate([rng.normal(0, 1, (60, 2)), rng.normal(9, 1, (30, 2))])
    >>> table = choose_n_classes(xr.DataArray(rows, dims=("site", "feature")), max_classes=3)
    >>> table.attrs["n_classes"]
    2

    References
    ----------
    .. [1] C. Fraley and A. E. Raftery, J. Am. Stat. Assoc. 97, 611 (2002).
    .. [2] C. Hennig, Adv. Data Anal. Classif. 4, 3 (2010); the line between two classes from
       S. Ray and B. G. Lindsay, Ann. Stat. 33, 2042 (2005), eq. 4.
    .. [3] R. Tibshirani, G. Walther and T. Hastie, J. R. Stat. Soc. B 63, 411 (2001).
    """
    FEATURES.check(features)
    if max_classes < 1 or n_references < 2:
        msg = f"{max_classes=} must be 1 or more, {n_references=} 2 or more"
        raise SettingError(msg)
    cut = blocks(inside_of(features, uniform))
    with single_threaded_blas():
        n_rows = int(moments_of(cut).counts.sum())
        if n_rows < 2:
            msg = f"{n_rows} measured rows, a number of classes needs 2 or more"
            raise TooFewSitesError(msg)
        is_few = n_rows < _FEWEST_ROWS
        max_classes = 1 if is_few else max_classes
        # Three classes share the rows at least where there is anything to choose.
        subspace, counts = subspace_of(cut, n_classes=3, seed=seed)
        rows = sampled_scores_in(subspace, cut, counts, n_rows=_SAMPLE_ROWS, seed=seed)
        rows = _above_rounding(rows, subspace, cut.dtype)
        table = _table(rows, max_classes, n_references, seed)
    if is_few:
        table.attrs["reason"] = (
            f"{n_rows} measured rows are too few to show more than one class: "
            f"{_FEWEST_ROWS} are needed"
        )
    if features.attrs.get("n_above_noise") == 0:
        table.attrs["n_classes"] = 1
        table.attrs["reason"] = "no component of these scores rises above their noise"
    if uniform is not None:
        add_note(table, f"decided on {n_rows} of {cut.n_rows} rows, those inside of domains")
    if len(rows) < n_rows:
        add_note(table, f"decided on a stratified sample of {len(rows)} of {n_rows} rows")
    if len(subspace.basis) < cut.n_columns:
        add_note(
            table,
            f"decided in the {len(subspace.basis)} principal components kept "
            f"of {cut.n_columns} features",
        )
    return table


def _above_rounding(
    rows: NDArray[Any], subspace: Subspace, dtype: np.dtype[Any], /
) -> NDArray[np.float64]:
    """Make level the components whose spread is no more than the rounding of the features.

    Rows that were brought to one sum and hold nothing else differ by rounding, in steps that
    would pass for classes.
    """
    rounding = _ROUNDING_STEPS * float(np.finfo(dtype).eps) * np.linalg.norm(subspace.center)
    real = subspace.variances > rounding**2
    return np.where(real, rows.astype(np.float64), 0.0)


def _table(rows: NDArray[np.float64], max_classes: int, n_references: int, seed: int) -> Table:
    rows = rows - rows.mean(axis=0)
    n_distinct = len(np.unique(rows, axis=0))
    numbers = list(range(1, min(max_classes, n_distinct) + 1))
    partitions = [_kmeans(rows, number, seed) for number in numbers]
    sweep = sweep_mixtures(rows, max_classes=len(numbers), seed=seed)
    modes = [count_modes(fit.mixture, rows) for fit in sweep.fits]
    gaps, errors = gap(rows, [p.inertia for p in partitions], n_references=n_references, seed=seed)
    columns = {
        "n_classes": np.array(numbers),
        "bic": _padded(sweep.bics, len(numbers)),
        "n_modes": _padded(modes, len(numbers)),
        "gap": gaps,
        "gap_error": errors,
        "inertia": np.array([p.inertia for p in partitions]),
        "silhouette": np.array([simplified_silhouette(rows, p.means) for p in partitions]),
        "calinski_harabasz": np.array(
            [calinski_harabasz(rows, p.means, p.inertia) for p in partitions]
        ),
        "stability": stability(
            rows, [p.means for p in partitions], n_resamples=n_references, seed=seed
        ),
    }
    table = table_from_columns(columns)
    best = int(np.argmin(sweep.bics))
    answer = modes[best]
    table.attrs["n_classes"] = answer
    table.attrs["reason"] = _reason(sweep, best, answer, gaps, errors)
    if answer == max_classes > 1:
        add_note(table, f"the answer is the largest number tried: raise {max_classes=} to see more")
    return table


def _padded(values: Sequence[float], length: int) -> NDArray[np.float64]:
    """Write NaN for the numbers before which the sweep of mixtures ended."""
    column = np.full(length, np.nan)
    column[: len(values)] = np.where(np.isfinite(values), values, np.nan)
    return column


def _kmeans(rows: NDArray[np.float64], number: int, seed: int) -> _Partition:
    found = lloyd_passes(
        blocks_from_array(rows),
        stacked_starts(rows, number, _N_STARTS if number > 1 else 1, seed),
        origin=np.zeros(rows.shape[1]),
        spread=float(np.sqrt((rows**2).sum(axis=1).mean())),
    )
    best = int(np.argmin(found.inertia))
    return _Partition(found.means[best], float(found.inertia[best]))


def _reason(
    sweep: Sweep, best: int, answer: int, gaps: NDArray[np.float64], errors: NDArray[np.float64]
) -> str:
    number = best + 1
    parts = [
        f"the BIC is least for {number} class{'' if number == 1 else 'es'} ({sweep.names[best]})"
    ]
    if number > 1:
        gain = sweep.bics[0] - sweep.bics[best]
        parts.append(f"by {gain:.0f} below one class")
    if answer < number:
        modes = "mode" if answer == 1 else "modes"
        parts.append(
            f"its density has {answer} separate {modes}, "
            "as classes without a valley between them count as one"
        )
    if answer == 1 < number:
        parts.append("what differs does so gradually, which components show better than classes")
    parts.append(f"the gap statistic alone says {_answer_of_gap(gaps, errors)}")
    return "; ".join(parts)


def _answer_of_gap(gaps: NDArray[np.float64], errors: NDArray[np.float64]) -> int:
    """Give the least number whose gap the next does not surpass by more than its error."""
    for k in range(len(gaps) - 1):
        if gaps[k] >= gaps[k + 1] - errors[k + 1]:
            return k + 1
    return len(gaps)
