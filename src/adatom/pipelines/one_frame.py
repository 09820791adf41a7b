"""One frame as its own teacher: labels from its periodicity, a network, the whole movie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from adatom.errors import KindError, NoLatticeError, SettingError, UnitError
from adatom.localization.running import Runner, runner_of_network
from adatom.networks import (
    Architecture,
    PeriodicityLabels,
    TrainedNetwork,
    Trainer,
    Training,
    choose_periodic_frame,
    labels_from_periodicity,
)
from adatom.networks.frame_crops import FrameCrops, LabeledFrame
from adatom.networks.weights import hash_of_tensors
from adatom.numerics.exported_network import ExportedNetwork, check_exported
from adatom.numerics.heatmaps import STRIDE, positions_from_maps
from adatom.numerics.network_input import SPACINGS, normalized_picture, resampled_picture
from adatom.numerics.peaks import local_maxima
from adatom.numerics.residual_noise import robust_sigma
from adatom.pipelines.training import with_scores
from adatom.schema import (
    IMAGE,
    MOVIE,
    SITES,
    Image,
    Mask,
    Movie,
    Sites,
    Table,
    add_note,
    extent,
    pixel_size,
    positions,
    sites_from_positions,
    space_unit,
    table_from_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from adatom.networks.detection import DetectionScore

CLASSES: Final = ("missing", "extra")
# Rows and columns of a crop: some seven atoms across.
CROP: Final = 64
# Crops, not learned from, on which the network is scored beside the whole frame.
JUDGED: Final = 16
_FIRST_JUDGED: Final = 2**40
# Maxima of the residual above this share of the threshold are in doubt.
DOUBTFUL: Final = 0.6
# Share of the pixels of the periodic part that are as dark as nothing.
EMPTY: Final = 0.01


class MovieDefects(NamedTuple):
    """Defects of all frames.

    Attributes
    ----------
    sites : Sites
        With ``frame`` (of a movie), ``class`` ("missing", "extra") and ``score``.
    analyzed : Mask
        True where the network sees a lattice like that of the frame it learned from.
    counts : Table
        A row per frame: ``frame``, ``missing`` and ``extra`` (numbers of
        sites), ``analyzed`` (share of the area) and ``density`` (sites per analyzed area).
    """

    sites: Sites
    analyzed: Mask
    counts: Table


def train_from_frame(
    image: Image | Movie,
    sites: Sites | None = None,
    /,
    *,
    frame: int | None = None,
    architecture: Architecture = Architecture("unet", 12, CLASSES),  # noqa: B008 -- frozen
    training: Training = Training(  # noqa: B008 -- frozen
        n_steps=800, batch_size=12, peak_rate=4e-3, n_steps_per_score=200
    ),
    seed: int = 0,
) -> TrainedNetwork:
    """Train a small network on the defects of one frame, which it then finds in all others.

    `networks.labels_from_periodicity` labels the frame. Crops of it, turned,
    warped, blurred and made noisier in ever new ways, teach the network what
    a violation of the lattice looks like from nearby, so that it needs no
    periodicity where it looks later [1]_. Violations larger than a cell (dirt,
    holes) teach it where there is no lattice; what may or may not be a
    violation is not judged.

    Parameters
    ----------
    image : Image or Movie
        One frame, or a movie of which one is chosen.
    sites : Sites, optional
        Labels of the frame, with ``class`` "missing" or "extra", in the unit
        of the image: such as those of `networks.labels_from_periodicity`
        after a look at them. By default they are found.
    frame : int, optional
        Which frame of the movie; by default the most periodic one of the
        first quarter (`networks.choose_periodic_frame`).
    architecture : Architecture
        A narrow U-Net by default: it sees some five atoms far, which is what
        a point defect needs, and is too small to know the frame by heart.
        Its classes must be those of the labels.
    training : Training
        800 batches of twelve crops take about a minute on one core.
        Its losses are focal, since defects are rare.
    seed : int
        Of the first weights and of the crops.

    Returns
    -------
    TrainedNetwork
        Its scores are of crops of the same frame, varied in other ways: they
        choose the threshold, and do not tell how well it does elsewhere.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    NoLatticeError
        If the frame is not periodic, or no point of it violates its periodicity.
    SettingError
        If there is no such frame.

    References
    ----------
    .. [1] A. Maksov et al., npj Comput. Mater. 5, 12 (2019), fig. 2 and 3.

    Examples
    --------
    >>> from adatom.networks import Training
    >>> from adatom.simulation import simulate_defect_movie
    >>> movie = simulate_defect_movie(n_frames=2, size=128, field="3.5 nm", seed=3).movie
    >>> network = train_from_frame(
    ...     movie,
    ...     architecture=Architecture("unet", 4, ("missing", "extra")),
    ...     training=Training(n_steps=2, batch_size=2, n_steps_per_score=2),
    ... )
    >>> network.card.n_steps
    2
    """
    if not (IMAGE.fits(image) or MOVIE.fits(image)):
        IMAGE.check(image)
    teacher = _teacher(image, frame)
    labels = labels_from_periodicity(teacher)
    labeled, told = _labeled_frame(teacher, labels, sites, architecture.classes)
    crops = FrameCrops(labeled, CROP, training.batch_size, seed)
    trainer = Trainer(architecture, training, seed, trained_on=told)
    judge = _judge(crops)
    return with_scores(trainer.train(crops, judge), judge)


def _teacher(image: Image | Movie, frame: int | None) -> Image:
    if "frame" not in image.dims:
        if frame not in (None, 0):
            msg = f"{frame=} of an image: it has one frame, leave the setting out"
            raise SettingError(msg)
        return image
    if frame is None:
        return choose_periodic_frame(image)
    if not -image.sizes["frame"] <= frame < image.sizes["frame"]:
        msg = f"{frame=}: the movie has {image.sizes['frame']} frames, from 0 on"
        raise SettingError(msg)
    return image.isel(frame=frame).drop_vars(["frame", "time"], errors="ignore")


def _judge(crops: FrameCrops) -> DetectionScore:
    from adatom.networks.detection import DetectionScore

    others = tuple(crops.picture(_FIRST_JUDGED + k) for k in range(JUDGED))
    return DetectionScore((crops.whole(), *others))


def _labeled_frame(
    image: Image, labels: PeriodicityLabels, told: Sites | None, classes: tuple[str, ...]
) -> tuple[LabeledFrame, str]:
    """Bring a frame and its labels to the scale of networks, and tell of them for the card."""
    step = np.array(pixel_size(image))
    mean_step = float(np.sqrt(step.prod()))
    attrs = labels.sites.attrs
    spacing = float(attrs["spacing"])
    factor = float(np.sqrt(SPACINGS[0] * SPACINGS[1])) * mean_step / spacing
    usable = np.isfinite(image.values)
    filled = np.where(usable, image.values, np.nanmedian(image.values)).astype(np.float32)
    made = resampled_picture(filled, factor)
    periodic = np.where(usable, labels.periodic.values, filled).astype(np.float32)
    repeated = resampled_picture(periodic, factor).picture
    sites = _taught_sites(labels.sites, told, classes)
    corner = np.array(extent(image))[[0, 2]]
    sure = made.positions_in_picture((positions(sites) - corner) / step)
    doubt = made.positions_in_picture(_doubtful(labels).astype(float))
    width = float(attrs["atom_width"]) / mean_step
    labeled = LabeledFrame(
        values=made.picture,
        position=np.concatenate([sure, doubt]),
        number=np.concatenate([_numbers(sites, classes), np.full(len(doubt), -1, dtype=np.int64)]),
        is_sure=np.arange(len(sure) + len(doubt)) < len(sure),
        lattice=_as_mask(~_extended(image, labels.sites), factor),
        usable=_as_mask(_without_rim(usable, 2 * width), factor),
        spacing=spacing * factor / mean_step,
        noise=robust_sigma(made.picture - repeated),
        empty=float(np.quantile(repeated, EMPTY) - 0.5 * repeated.std()),
    )
    counts = {name: int((sites["class"].values == name).sum()) for name in classes}
    card = {
        "one_frame": {
            "pixel_size": mean_step / factor,
            "unit": space_unit(image),
            "spacing": spacing,
            "threshold": float(attrs["threshold"]),
            "sites": counts,
            # Also by this a training is told from one with other labels, begun in its folder.
            "sha256": hash_of_tensors({k: np.asarray(v) for k, v in labeled._asdict().items()}),
        }
    }
    return labeled, json.dumps(card, sort_keys=True)


def _taught_sites(found: Sites, told: Sites | None, classes: tuple[str, ...]) -> Sites:
    if told is not None:
        SITES.check(told)
        if "class" not in told:
            msg = "sites carry no 'class' (\"missing\" or \"extra\"): add it along 'site'"
            raise KindError(msg)
    sites = found if told is None else told
    known = np.isin(sites["class"].values, classes)
    if "extended" in sites:
        known &= ~sites["extended"].values
    if not known.any():
        msg = (
            f"of {found.sizes['site']} violations of periodicity none is a point defect of the "
            f"classes {', '.join(classes)}: choose another frame, or give labels as sites"
        )
        raise NoLatticeError(msg)
    return sites.isel(site=known)


def _numbers(sites: Sites, classes: tuple[str, ...]) -> NDArray[np.int64]:
    names = sites["class"].values.tolist()
    return np.array([classes.index(name) for name in names], dtype=np.int64)


def _doubtful(labels: PeriodicityLabels) -> NDArray[np.intp]:
    """Give the pixels of maxima and minima that may or may not be violations."""
    z = np.nan_to_num(labels.residual.values)
    above = DOUBTFUL * float(labels.sites.attrs["threshold"])
    points = np.concatenate([local_maxima(sign * z, above=above) for sign in (1, -1)])
    return np.asarray(points[~labels.labels.values[tuple(points.T)]])


def _extended(image: Image, sites: Sites) -> NDArray[np.bool_]:
    """Mark discs as large as the violations that are larger than a cell."""
    marked = np.zeros(image.shape, dtype=bool)
    y, x = image.coords["y"].values[:, None], image.coords["x"].values
    large = sites.isel(site=sites["extended"].values)
    for (row, column), radius in zip(positions(large), large["radius"].values, strict=True):
        marked |= np.hypot(y - row, x - column) < radius
    return marked


def _without_rim(usable: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    rim = int(np.ceil(width))
    kept = np.zeros_like(usable)
    kept[rim : usable.shape[0] - rim, rim : usable.shape[1] - rim] = True
    return kept & usable


def _as_mask(mask: NDArray[np.bool_], factor: float) -> NDArray[np.bool_]:
    return resampled_picture(mask.astype(np.float32), factor).picture > 0.5


def find_defects_in_movie(
    movie: Image | Movie, network: ExportedNetwork, /, *, least_score: float | None = None
) -> MovieDefects:
    """Find defects in all frames by a network that one of them taught.

    Frames are read one after the other; none must be periodic.

    Parameters
    ----------
    movie : Image or Movie
        Of the same material in the same contrast as the frame that taught.
    network : ExportedNetwork
        From `train_from_frame` by `networks.export_network`; its card tells
        the size of its pixels.
    least_score : float, optional
        Sites of a lower score are left out; by default below the threshold
        in the card of the network.

    Returns
    -------
    MovieDefects
        ``sites``, ``analyzed`` and ``counts``.

    Raises
    ------
    SettingError
        If the network was not taught by one frame, or `least_score` is no share.
    UnitError
        If it was taught in another unit of length than that of the movie.

    Examples
    --------
    >>> from adatom.networks import Training, export_network
    >>> from adatom.simulation import simulate_defect_movie
    >>> movie = simulate_defect_movie(n_frames=2, size=128, field="3.5 nm", seed=3).movie
    >>> network = train_from_frame(
    ...     movie,
    ...     architecture=Architecture("unet", 4, ("missing", "extra")),
    ...     training=Training(n_steps=2, batch_size=2, n_steps_per_score=2),
    ... )
    >>> found = find_defects_in_movie(movie, export_network(network))
    >>> found.analyzed.dims
    ('frame', 'y', 'x')
    """
    if not (IMAGE.fits(movie) or MOVIE.fits(movie)):
        MOVIE.check(movie)
    check_exported(network)
    least = network.card.threshold if least_score is None else least_score
    if not 0 <= least <= 1:
        msg = f"{least_score=} must lie between 0 and 1"
        raise SettingError(msg)
    step = np.array(pixel_size(movie))
    picture_step, spacing = _taught_scale(network, space_unit(movie))
    runner = runner_of_network(network)
    seen = [
        _seen(np.asarray(values), runner, factor=tuple(step / picture_step), least=least)
        for values in _frames(movie)
    ]
    return _of_movie(movie, seen, spacing, least, network.card.classes)


def _taught_scale(network: ExportedNetwork, unit: str) -> tuple[float, float]:
    """Read from the card how large the network's pixels are, and the spacing that it knows."""
    told: dict[str, Any] = json.loads(network.card.trained_on).get("one_frame", {})
    if not {"pixel_size", "unit", "spacing"} <= set(told):
        msg = "the network was not taught by one frame: pipelines.train_from_frame makes such a one"
        raise SettingError(msg)
    if told["unit"] != unit:
        msg = (
            f"the network was taught in {told['unit']}, the movie is in {unit}: read both with "
            "or both without a pixel size"
        )
        raise UnitError(msg)
    return float(told["pixel_size"]), float(told["spacing"])


def _frames(movie: Image | Movie) -> Iterator[NDArray[Any]]:
    if "frame" not in movie.dims:
        yield movie.values
        return
    for number in range(movie.sizes["frame"]):
        yield movie.isel(frame=number).values


class _Seen(NamedTuple):
    """What the network says of one frame, in its pixels."""

    position: NDArray[np.float64]
    score: NDArray[np.float64]
    number: NDArray[np.int64]
    analyzed: NDArray[np.bool_]
    n_beyond: int


def _seen(
    values: NDArray[Any], runner: Runner, *, factor: tuple[float, float], least: float
) -> _Seen:
    usable = np.isfinite(values)
    filled = np.where(usable, values, np.nanmedian(values) if usable.any() else 0)
    made = resampled_picture(filled.astype(np.float32), factor)
    kept = None if usable.all() else _as_mask(usable, factor)  # type: ignore[arg-type]
    maps = runner.maps(normalized_picture(made.picture, kept))
    sites = positions_from_maps(maps.center, maps.offset, least=max(least, 1e-3))
    last = np.array(maps.center.shape) - 1
    cell = tuple(np.clip(np.rint((sites.position - 0.5) / STRIDE), 0, last).astype(int).T)
    place = made.positions_in_image(sites.position)
    inside = ((place >= 0) & (place <= np.array(values.shape) - 1)).all(axis=1)
    on_lattice = maps.lattice[cell] > 0.5
    chosen = inside & on_lattice
    rows, columns = (
        np.clip(((np.arange(n) + 0.5) * f / STRIDE).astype(int), 0, m - 1)
        for n, f, m in zip(values.shape, made.factor, maps.lattice.shape, strict=True)
    )
    return _Seen(
        place[chosen],
        sites.score[chosen],
        maps.classes[(slice(None), *cell)].argmax(axis=0)[chosen],
        (maps.lattice[np.ix_(rows, columns)] > 0.5) & usable,
        int((inside & ~on_lattice).sum()),
    )


def _of_movie(
    movie: Image | Movie,
    seen: list[_Seen],
    spacing: float,
    least: float,
    classes: tuple[str, ...],
) -> MovieDefects:
    step, frame = np.array(pixel_size(movie)), np.array(extent(movie))
    place = np.concatenate([one.position for one in seen]) * step + frame[[0, 2]]
    is_movie = "frame" in movie.dims
    numbers = np.repeat(np.arange(len(seen)), [len(one.score) for one in seen])
    sites = sites_from_positions(
        *place.T,
        unit=space_unit(movie),
        frame=numbers if is_movie else None,
        spacing=spacing,
        extent=frame.tolist(),
    )
    names = np.array(classes)
    sites["class"] = ("site", names[np.concatenate([one.number for one in seen])])
    sites["score"] = ("site", np.concatenate([one.score for one in seen]))
    beyond = sum(one.n_beyond for one in seen)
    shares = np.array([one.analyzed.mean() for one in seen])
    add_note(
        sites,
        f"{sites.sizes['site']} defects with a score of {least:.2f} or more in {len(seen)} frames; "
        f"{beyond} more where the network sees no lattice are left out.",
    )
    coords = {dim: movie.coords[dim] for dim in ("y", "x")}
    masks = np.stack([one.analyzed for one in seen])
    analyzed = xr.DataArray(
        masks if is_movie else masks[0],
        dims=("frame", "y", "x") if is_movie else ("y", "x"),
        coords=coords,
        name="analyzed",
    )
    add_note(
        analyzed,
        f"{shares.min():.1%} to {shares.max():.1%} of the area of a frame shows the lattice.",
    )
    area = shares * masks[0].size * step.prod()
    return MovieDefects(sites, analyzed, _counts(sites, numbers, shares, area))


def _counts(
    sites: Sites, frame: NDArray[np.int64], shares: NDArray[np.float64], area: NDArray[np.float64]
) -> Table:
    names = sites["class"].values
    n_frames = len(shares)
    numbers = {name: np.bincount(frame[names == name], minlength=n_frames) for name in CLASSES}
    density = np.bincount(frame, minlength=n_frames) / np.where(area > 0, area, np.nan)
    return table_from_columns(
        {"frame": np.arange(n_frames), **numbers, "analyzed": shares, "density": density},
        units={"analyzed": "1", "density": f"1/{space_unit(sites)}^2"},
    )
