"""Labels without a hand: where one frame violates its own periodicity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import scipy.ndimage
import xarray as xr

from adatom.errors import KindError, NoLatticeError, SettingError
from adatom.numerics.peaks import local_maxima, parabolic_maxima, thin_out
from adatom.numerics.periodic_part import (
    REACHES,
    WIDEST,
    BraggLattice,
    Repetition,
    find_bragg_lattice,
    repeating_mean,
)
from adatom.numerics.residual_noise import (
    excess_of_lines,
    expected_false,
    fit_noise_model,
    height_of_false,
    robust_sigma,
    roughness,
)
from adatom.numerics.spacing import pooled_spacing
from adatom.schema import (
    IMAGE,
    MASK,
    MOVIE,
    Image,
    Mask,
    Movie,
    Sites,
    add_note,
    extent,
    pixel_size,
    sites_from_positions,
    space_unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Grid = NDArray[np.float32]
    Bools = NDArray[np.bool_]

# What violates periodicity does not count for what is periodic: fit, label, fit again.
ROUNDS: Final = 3
# Atoms narrower than this, in pixels, are not resolved.
NARROWEST: Final = 0.7
# Within so many widths of an atom: what belongs to a violation, and how near to the
# border of the frame an atom is seen in part only.
AROUND: Final = 2.0
# Two violations nearer to one another than so many widths of an atom are one.
ONE: Final = 2.5
# A maximum beside a stronger one, within a period, is its foot below this share of it.
FOOT: Final = 0.2
# Two maxima are one where the valley between them is no lower than this share of the weaker.
SADDLE: Final = 0.75
# Columns of less than this share of the usual height do not set the spacing.
FAINTEST: Final = 0.15
# Frames that are looked at for the most periodic one.
MOST_FRAMES: Final = 5
# How far the extent of a violation is followed, in periods.
FOLLOWED: Final = 3.0


class PeriodicityLabels(NamedTuple):
    """Where a frame violates its own periodicity.

    Attributes
    ----------
    labels : Mask
        True where periodicity is violated: the half-height areas of `sites`.
    sites : Sites
        Centers of the violations, see `labels_from_periodicity`.
    residual : Image
        What is left without the periodic part, smoothed to the width of
        atoms, in standard deviations of its noise; NaN where not measured.
    periodic : Image
        The periodic part, in the unit of the image.
    """

    labels: Mask
    sites: Sites
    residual: Image
    periodic: Image


class _Frame(NamedTuple):
    """A frame about zero, in units of its spread, without gaps."""

    values: Grid
    usable: Bools
    level: float
    spread: float


class _Judged(NamedTuple):
    """The residual of a frame, judged by its noise."""

    repetition: Repetition
    rest: Grid
    significance: Grid
    height: float
    width: float
    roughness: float


def labels_from_periodicity(
    image: Image, regions: Mask | None = None, /, *, false_labels: float = 0.5
) -> PeriodicityLabels:
    """Label where a still periodic image violates its periodicity: vacancies, impurities, dirt.

    The reciprocal lattice is found from the spots of the spectrum. Masks
    about its reflections keep the periodic part [1]_; what is left is smoothed
    to the width of atoms and judged against a model of its noise: a constant,
    a part that grows with brightness (dose) and parts that grow with slopes
    (displaced scan lines), fitted to the residual itself, and wider for rows
    and columns that are noisier as a whole. Nothing has to be
    told: the radius of the masks is the one at which cells are best predicted
    from those around them, so that drift and distortion, which smear the
    reflections, widen it; the threshold follows from the number of false
    labels that noise may cause.

    Parameters
    ----------
    image : Image
        A frame in which most of the lattice is intact; loaded into memory if
        it is lazy.
    regions : Mask, optional
        True where to judge; everywhere by default.
    false_labels : float
        Expected number of labels per frame that are noise; one in two
        frames has one by default.

    Returns
    -------
    PeriodicityLabels
        ``labels``, ``sites``, ``residual`` and ``periodic``. Of each site:
        ``class`` ("missing": darker than its like in other cells, "extra":
        brighter), ``significance`` (residual in standard deviations),
        ``amplitude`` (residual in the unit of the image), ``radius`` (of a
        disc as large as the area above half of the significance), ``extended``
        (larger than a cell: dirt, a hole, a cluster rather than an atom), and
        ``score`` (1 minus the number of violations at least as strong that noise
        would show anywhere in the frame). ``attrs``: ``spacing`` (between neighbors in the
        periodic part), ``cell_vectors`` ([vector][y, x]), ``mask_reach`` (the
        masks have a standard deviation of 1 / (2 pi reach)), ``atom_width`` and ``threshold``.

    Raises
    ------
    NoLatticeError
        If the spectrum shows no two reflections that span a lattice.
    SettingError
        If `false_labels` is not positive.

    References
    ----------
    .. [1] A. Maksov et al., npj Comput. Mater. 5, 12 (2019), fig. 2.

    Examples
    --------
    >>> import numpy as np
    >>> from adatom.schema import image_from_array
    >>> y, x = np.mgrid[:128, :128] * (2 * np.pi / 12)
    >>> frame = np.cos(y) + np.cos(x) + 0.2 * np.random.default_rng(0).normal(size=y.shape)
    >>> frame[58:63, 70:75] -= 1.5
    >>> found = labels_from_periodicity(image_from_array(frame))
    >>> found.sites["class"].values.tolist(), bool(found.labels[60, 72])
    (['missing'], True)
    """
    IMAGE.check(image)
    if not false_labels > 0:
        msg = f"{false_labels=} must be positive: 0.5 allows one false label in two frames"
        raise SettingError(msg)
    frame = _frame(image, regions)
    lattice = find_bragg_lattice(frame.values)
    if lattice is None:
        msg = (
            "the spectrum of the image shows no two reflections that span a lattice, so that "
            "there is no periodicity to violate: choose an earlier frame, average frames, or "
            "leave out what is no lattice by regions"
        )
        raise NoLatticeError(msg)
    judged = _judge(frame, lattice, false_labels)
    sites, labels = _violations(image, frame, lattice, judged)
    return PeriodicityLabels(
        _like(image, labels, "violated", {}),
        sites,
        _like(image, _kept(judged.significance, image, frame.usable), "residual", {"units": "1"}),
        _like(
            image,
            _kept(judged.repetition.periodic * frame.spread + frame.level, image, frame.usable),
            "periodic",
            {"units": image.attrs.get("units", "1")},
        ),
    )


def choose_periodic_frame(movie: Movie, /) -> Image:
    """Choose the early frame that repeats itself best: the one to be taught by.

    Of five frames at most, spread over the first quarter of the movie, the one
    whose periodic part is largest beside what is left; later frames may
    have lost their order.

    Parameters
    ----------
    movie : Movie
        Only the frames that are looked at are loaded.

    Returns
    -------
    Image
        The frame; a note tells its number.

    Raises
    ------
    NoLatticeError
        If none of them is periodic.

    Examples
    --------
    >>> from adatom.simulation import simulate_defect_movie
    >>> movie = simulate_defect_movie(n_frames=4, size=128, field="3.5 nm").movie
    >>> choose_periodic_frame(movie).attrs["notes"][-1][:8]
    'Frame 0 '
    """
    MOVIE.check(movie)
    early = max(1, movie.sizes["frame"] // 4)
    numbers = np.unique(np.linspace(0, early - 1, min(MOST_FRAMES, early)).round().astype(int))
    contrasts = {number: _contrast(movie.isel(frame=number)) for number in numbers.tolist()}
    best = max(contrasts, key=lambda number: contrasts[number])
    if not contrasts[best] > 0:
        msg = (
            f"none of the frames {', '.join(map(str, contrasts))} is periodic: average frames, or "
            "give the labels as sites"
        )
        raise NoLatticeError(msg)
    chosen = movie.isel(frame=best).drop_vars(["frame", "time"], errors="ignore")
    chosen.attrs = dict(movie.attrs)
    add_note(
        chosen,
        f"Frame {best} repeats itself best of {len(contrasts)} early ones: its periodic part is "
        f"{contrasts[best]:.1f} times as strong as what is left.",
    )
    return chosen


def _contrast(image: Image) -> float:
    """Give the spread of the periodic part over that of the rest, at the width of atoms."""
    frame = _frame(image, None)
    lattice = find_bragg_lattice(frame.values)
    if lattice is None:
        return 0.0
    judged = _judge(frame, lattice, 0.5)
    periodic = judged.repetition.periodic
    slow = scipy.ndimage.gaussian_filter(periodic, lattice.period, mode="nearest")
    return float((periodic - slow)[frame.usable].std()) / max(
        robust_sigma(judged.rest[frame.usable]), 1e-6
    )


def _frame(image: Image, regions: Mask | None) -> _Frame:
    values = np.asarray(image.values)
    usable = np.isfinite(values)
    if regions is not None:
        MASK.check(regions, name="regions")
        if regions.shape != image.shape:
            msg = f"regions of shape {regions.shape} do not cover an image of shape {image.shape}"
            raise KindError(msg)
        usable &= np.asarray(regions.values)
    if not usable.any():
        msg = "no pixel of the image is finite and within regions: there is nothing to judge"
        raise NoLatticeError(msg)
    level = float(values[usable].mean(dtype=float))
    spread = float(values[usable].std(dtype=float)) or 1.0
    scaled = np.where(usable, (values - level) / spread, 0).astype(np.float32)
    return _Frame(scaled, usable, level, spread)


def _judge(frame: _Frame, lattice: BraggLattice, false: float) -> _Judged:
    """Fit the periodic part and the noise in turn, leaving out what stands above the noise."""
    counts = frame.usable
    width = None
    judged = None
    for _ in range(ROUNDS):
        tried: tuple[float, Repetition, Grid] | None = None
        for repetition in _repetitions(frame, counts, lattice, judged):
            if width is None:
                width = max(NARROWEST, _atom_width(repetition.periodic, lattice))
            rest = _left_over(frame, repetition, width)
            error = robust_sigma(rest[frame.usable])
            if tried is not None and error >= tried[0]:
                break
            tried = error, repetition, rest
        assert tried is not None  # noqa: S101 -- for the type checker
        assert width is not None  # noqa: S101
        judged = _against_noise(frame, tried[1], tried[2], width, false)
        above = np.abs(judged.significance) > judged.height
        if not above.any():
            break
        near = scipy.ndimage.distance_transform_edt(~above) <= AROUND * width
        counts = frame.usable & ~near
    assert judged is not None  # noqa: S101 -- for the type checker
    return judged


def _repetitions(
    frame: _Frame, counts: Bools, lattice: BraggLattice, before: _Judged | None
) -> Iterator[Repetition]:
    """Give fits of growing reach, from one step below that of the round before."""
    most = WIDEST * min(frame.values.shape)
    reaches = [reach * lattice.period for reach in REACHES]
    reaches = [reach for reach in reaches if reach <= most] or reaches[:1]
    first = 0
    if before is not None:
        first = max(0, reaches.index(before.repetition.reach) - 1)
    for reach in reaches[first:]:
        yield repeating_mean(frame.values, counts, lattice, reach=reach)


def _left_over(frame: _Frame, repetition: Repetition, width: float) -> Grid:
    """Smooth what is left to the width of atoms, as if no cell had made its own mean."""
    rest = (frame.values - repetition.periodic) / (1 - repetition.own_share)
    rest = np.where(frame.usable, rest, 0)
    return np.asarray(scipy.ndimage.gaussian_filter(rest, width, mode="nearest"), np.float32)


def _against_noise(
    frame: _Frame, repetition: Repetition, rest: Grid, width: float, false: float
) -> _Judged:
    smooth = scipy.ndimage.gaussian_filter(repetition.periodic, width, mode="nearest")
    sigma = fit_noise_model(rest, smooth, frame.usable).sigma(smooth)
    significance = np.asarray(rest / np.maximum(sigma, 1e-6), dtype=np.float32)
    # What the model does not know, such as drift that comes and goes, widens it all.
    significance /= max(1.0, robust_sigma(significance[frame.usable]))
    for axis in (0, 1):
        lines = excess_of_lines(significance, frame.usable, axis=axis, width=AROUND * width)
        significance = np.asarray(significance / np.expand_dims(lines, axis), dtype=np.float32)
    rough = roughness(significance, frame.usable)
    height = height_of_false(float(frame.usable.sum()), rough, false=false)
    return _Judged(repetition, rest, significance, height, width, rough)


def _atom_width(periodic: Grid, lattice: BraggLattice) -> float:
    """Give the standard deviation of Gaussians as sharp as the peaks, or the troughs if sharper.

    At the top of a Gaussian of height A the curvature along both axes together is 2 A / sigma^2.
    """
    widths = []
    for sign in (1, -1):
        peaks = sign * periodic
        (y, x), height = _high_peaks(peaks, lattice, share=0.5)
        bend = 4 * peaks[y, x] - peaks[y + 1, x] - peaks[y - 1, x]
        bend -= peaks[y, x + 1] + peaks[y, x - 1]
        curved = bend > 0
        if curved.any():
            widths.append(float(np.median(np.sqrt(2 * height[curved] / bend[curved]))))
    return min(widths, default=0.0)


def _high_peaks(
    values: Grid, lattice: BraggLattice, *, share: float
) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """Give row and column of maxima of a share of the usual height, and their height.

    Heights count from the lowest place within a period; maxima on the border do not count.
    """
    base = scipy.ndimage.minimum_filter(values, max(3, int(lattice.period)))
    y, x = local_maxima(values[1:-1, 1:-1], above=-np.inf).T + 1
    height = (values - base)[y, x]
    high = height > share * np.quantile(height, 0.9)
    return np.stack([y[high], x[high]]), height[high]


def _violations(
    image: Image, frame: _Frame, lattice: BraggLattice, judged: _Judged
) -> tuple[Sites, Bools]:
    """List the strongest places of all violations, and mark their areas of half height."""
    z = judged.significance
    points = np.concatenate([local_maxima(sign * z, above=judged.height) for sign in (1, -1)])
    strength = np.abs(z)[tuple(points.T)]
    order = thin_out(points, strength, distance=ONE * judged.width)
    points = points[order]
    room = np.minimum(points, np.array(z.shape) - 1 - points).min(axis=1)
    whole = (room >= AROUND * judged.width) & frame.usable[tuple(points.T)]
    labels = np.zeros(z.shape, dtype=bool)
    kept, areas = _separate(z, points[whole], lattice, labels)
    sites = _sites(image, frame, judged, points[whole][kept], areas)
    _describe(sites, image, lattice, judged, at_border=int((~whole).sum()))
    return sites, labels


def _separate(
    z: Grid, points: NDArray[np.intp], lattice: BraggLattice, labels: Bools
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Take violations from the strongest on, with their areas; feet of stronger ones are none."""
    reach = int(np.ceil(FOLLOWED * lattice.period))
    kept: list[int] = []
    areas: list[float] = []
    for number, (row, column) in enumerate(points.tolist()):
        corner = np.maximum((row - reach, column - reach), 0)
        around = slice(corner[0], row + reach + 1), slice(corner[1], column + reach + 1)
        height = z[around] / z[row, column]
        at = row - corner[0], column - corner[1]
        others = points[kept] - corner
        if _is_foot(height, at, others, lattice.period):
            continue
        area = _part_of(height > 0.5, at) & _nearest_to(at, others, height.shape)
        labels[around] |= area
        kept.append(number)
        areas.append(float(area.sum()))
    return np.array(kept, dtype=np.intp), np.array(areas)


def _nearest_to(at: tuple[int, int], others: NDArray[np.intp], shape: tuple[int, ...]) -> Bools:
    """Mark what is nearer to a pixel than to any other, as between two vacancies side by side."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    own = (y - at[0]) ** 2 + (x - at[1]) ** 2
    nearest = np.ones(shape, dtype=bool)
    for row, column in others.tolist():
        nearest &= own <= (y - row) ** 2 + (x - column) ** 2
    return nearest


def _part_of(where: Bools, at: tuple[int, int]) -> Bools:
    """Give what is connected to a pixel."""
    parts, _ = scipy.ndimage.label(where)
    return np.asarray(parts == parts[at])


def _is_foot(height: Grid, at: tuple[int, int], others: NDArray[np.intp], period: float) -> bool:
    """Tell whether a maximum, of height 1, belongs to a stronger one around it.

    It does if the way there goes through no valley to speak of, or if it is
    faint beside one within a period.
    """
    others = others[((others >= 0) & (others < height.shape)).all(axis=1)]
    if not len(others):
        return False
    strong = height[tuple(others.T)]
    near = np.linalg.norm(others - at, axis=1) < period
    if FOOT * np.abs(strong[near]).max(initial=0.0) > 1:
        return True
    return bool(_part_of(height > SADDLE, at)[tuple(others[strong > 0].T)].any())


def _sites(
    image: Image,
    frame: _Frame,
    judged: _Judged,
    points: NDArray[np.intp],
    areas: NDArray[np.float64],
) -> Sites:
    step = np.array(pixel_size(image))
    corner = np.array(extent(image))[[0, 2]]
    at = tuple(points.T)
    strength = judged.significance[at].astype(float)
    tops = parabolic_maxima(np.abs(judged.significance), points)
    unit = space_unit(image)
    sites = sites_from_positions(*(tops * step + corner).T, unit=unit, extent=extent(image))
    by_chance = expected_false(np.abs(strength), float(frame.usable.sum()), judged.roughness)
    sites["class"] = ("site", np.where(strength > 0, "extra", "missing").astype("<U7"))
    sites["significance"] = ("site", strength)
    sites["amplitude"] = (
        "site",
        judged.rest[at].astype(float) * frame.spread,
        {"units": image.attrs.get("units", "1")},
    )
    sites["radius"] = ("site", np.sqrt(areas * step.prod() / np.pi), {"units": unit})
    sites["score"] = ("site", 1 - np.minimum(by_chance, 1.0))
    return sites


def _describe(
    sites: Sites, image: Image, lattice: BraggLattice, judged: _Judged, *, at_border: int
) -> None:
    """Tell with what the sites were found, in the unit of the image."""
    step = np.array(pixel_size(image))
    unit, scale = space_unit(image), float(np.sqrt(step.prod()))
    cell = lattice.cell_area * step.prod()
    sites["extended"] = ("site", np.pi * sites["radius"].values ** 2 > cell)
    smooth = scipy.ndimage.gaussian_filter(judged.repetition.periodic, 0.5 * judged.width)
    peaks, _ = _high_peaks(smooth, lattice, share=FAINTEST)
    sites.attrs["spacing"] = pooled_spacing(peaks.T * step)
    sites.attrs["cell_vectors"] = (lattice.vectors * step).tolist()
    sites.attrs["mask_reach"] = judged.repetition.reach * scale
    sites.attrs["atom_width"] = judged.width * scale
    sites.attrs["threshold"] = judged.height
    missing = int((sites["class"].values == "missing").sum())
    add_note(
        sites,
        f"{sites.sizes['site']} violations of periodicity above {judged.height:.2f} standard "
        f"deviations of the noise: {missing} missing, {sites.sizes['site'] - missing} extra, of "
        f"which {int(sites['extended'].sum())} larger than a cell. The periodic part is the mean "
        f"of like places within {sites.attrs['mask_reach']:.3g} {unit} (standard deviation), "
        f"{judged.repetition.reach / lattice.period:.1f} cells.",
    )
    if at_border:
        add_note(sites, f"{at_border} more at the border, seen in part only, are left out.")


def _kept(values: NDArray[np.floating], image: Image, usable: Bools) -> NDArray[np.floating]:
    """Give the precision of the image, and NaN where nothing was measured."""
    dtype = image.dtype if image.dtype.kind == "f" else np.dtype(np.float32)
    return np.asarray(np.where(usable, values, np.nan), dtype=np.result_type(dtype, np.float32))


def _like(image: Image, values: NDArray[Any], name: str, attrs: dict[str, str]) -> xr.DataArray:
    coords = {dim: image.coords[dim] for dim in ("y", "x")}
    return xr.DataArray(values, dims=("y", "x"), coords=coords, name=name, attrs=attrs)
