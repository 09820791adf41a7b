"""Sites of a movie linked to tracks, by the cheapest exclusive assignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adatom.errors import SettingError
from adatom.schema import Classes, Sites, add_note, space_unit
from adatom.tracking._frames import link_frames, tracks_of_links
from adatom.tracking._leaps import steps_with_leaps
from adatom.tracking._model import LinkModel, model_in_attrs
from adatom.tracking._observed import Observed, observed_sites, unit_of_diffusion
from adatom.tracking._rates import model_from_links
from adatom.tracking._steps import StepModel, steps_from_sites
from adatom.units import Length, length_from_setting

LINKING = "linking"
"""Attribute of sites in which the settings and rates of their links are kept."""


def link_sites(
    sites: Sites,
    classes: Classes | None = None,
    /,
    *,
    memory: int = 2,
    max_distance: Length | None = None,
    diffusion: float | None = None,
    position_error: Length | None = None,
    use_classes: bool = True,
) -> Sites:
    """Link the sites of a movie from frame to frame to tracks.

    From frame to frame the assignment of sites to tracks is exclusive and of
    the greatest likelihood. A link over the distance r and the time dt costs ::

        r^2 / (4 D dt + 4 s^2) + log(4 pi (D dt + s^2)) - log p(class change)

    more than its two ends left alone cost, which follows from how often
    sites are missed, tracks end and sites are new [1]_. A link that costs
    more than that is never made, so that the range grows with the time as
    the steps do, where sites were missed. The diffusion coefficient D and
    the position error s are found by the distances of sites one and two
    frames apart, apart from those of chance neighbors; where a few steps are
    much longer than most, as of atoms that hop, two motions are. The rates
    are those of the links to which they lead.

    Parameters
    ----------
    sites : Sites
        With ``frame``. ``time`` along ``site`` (s or ns) tells the times of
        the frames, which may be unequal; without it time counts in frames.
        Where they have ``covariance``, it is the error of each position.
        Sites without a finite position are in no track.
    classes : Classes, optional
        Of these sites: ``label``, and ``probability`` where it is known. By
        default ``label`` and ``probability``, or else ``class``, of the
        sites, if they have it. Classes that say nothing change nothing.
    memory : int
        Frames in which a site may be missed before its track ends.
    max_distance : length, optional
        No link is longer in one frame; over a longer time by the square root
        of it. By default as far as a link is likelier than none.
    diffusion : float, optional
        D if it is known, in the unit of the sites squared, per unit of time
        or, without times, per frame.
    position_error : length, optional
        s if it is known: the standard error of a position along an axis.
    use_classes : bool
        Whether classes have a say.

    Returns
    -------
    Sites
        The same, in the same order, with ``track``: its number, -1 for
        sites that are in none. Tracks are numbered by the frame, y and x of
        their first sites, whatever the order of the sites. What was
        estimated and used is in ``attrs["linking"]``.

    Raises
    ------
    KindError
        If sites have no ``frame``.
    SettingError
        If `memory` or `diffusion` is negative, or times do not increase.

    Notes
    -----
    Two sites are never joined to one track, nor one to two: merges and
    splits are ends and new tracks here, which `find_merges_and_splits` tells
    apart from others. Links are settled frame by frame;
    later frames do not change them.

    References
    ----------
    .. [1] K. Jaqaman et al., Nat. Methods 5, 695 (2008), for assignment with
       ends, starts and gaps.

    Examples
    --------
    >>> from adatom.schema import sites_from_positions
    >>> y, x = [0.0, 9.0, 0.1, 9.1, 0.0, 9.2], [0.0, 9.0, 0.2, 9.1, 0.1, 9.0]
    >>> sites = sites_from_positions(y, x, unit="nm", frame=[0, 0, 1, 1, 2, 2])
    >>> link_sites(sites)["track"].values
    array([0, 1, 0, 1, 0, 1])
    """
    if memory < 0:
        msg = f"{memory=} must be 0 or more: how many frames a site may be missed"
        raise SettingError(msg)
    if diffusion is not None and not diffusion >= 0:
        msg = f"{diffusion=} must be 0 or more"
        raise SettingError(msg)
    observed = observed_sites(sites, classes, use_classes=use_classes)
    reach, error = (
        None if told is None else _length(sites, told, name)
        for name, told in (("max_distance", max_distance), ("position_error", position_error))
    )
    linked = sites.copy()
    track = np.full(sites.sizes["site"], -1, dtype=np.int64)
    if observed.n_frames > 1:
        model = _model(observed, memory, reach, diffusion=diffusion, error=error)
        track[observed.site] = tracks_of_links(link_frames(observed, model, memory))
        units = {
            "time_unit": observed.time_unit,
            "diffusion_unit": unit_of_diffusion(sites, observed.time_unit),
        }
        linked.attrs[LINKING] = model_in_attrs(model, memory, units)
        add_note(linked, _in_words(observed, model, track, space_unit(sites)))
    else:
        track[observed.site] = np.arange(len(observed.site))
        linked.attrs.pop(LINKING, None)
        add_note(linked, "All sites are in one frame: nothing was linked")
    linked["track"] = ("site", track)
    return linked


def _length(sites: Sites, told: Length, name: str) -> float:
    length = length_from_setting(
        told, unit=space_unit(sites), spacing=sites.attrs.get("spacing"), name=name
    )
    if not length > 0:
        msg = f"{name}={told!r} must be a positive length"
        raise SettingError(msg)
    return length


def _model(
    observed: Observed,
    memory: int,
    reach: float | None,
    *,
    diffusion: float | None,
    error: float | None,
) -> LinkModel:
    if diffusion is not None and error is not None:
        steps = StepModel((1.0,), (diffusion,), error, observed.time_step)
    else:
        steps = steps_from_sites(observed, error=error)
        if diffusion is not None:
            steps = replace(steps, weight=(1.0,), diffusion=(diffusion,))
    model = model_from_links(observed, steps, memory, max_distance=reach)
    if diffusion is not None:
        return model
    leaps = steps_with_leaps(observed, steps, link_frames(observed, model, memory))
    if leaps is None:
        return model
    return model_from_links(observed, leaps, memory, max_distance=reach)


def _in_words(observed: Observed, model: LinkModel, track: np.ndarray, unit: str) -> str:
    steps = model.steps
    per = observed.time_unit
    text = (
        f"{len(observed.site)} sites of {observed.n_frames} frames are in {int(track.max()) + 1} "
        f"tracks; D = {steps.mean_diffusion:.3g} {unit}^2/{per} and a position error of "
        f"{steps.error:.3g} {unit} were used"
    )
    if len(steps.weight) > 1:
        shares = " and ".join(f"{100 * weight:.2g} %" for weight in steps.weight[1:])
        text += f" ({shares} of the steps are much longer than the others)"
    if per == "frame":
        text += "; the sites have no times, so that times are in frames"
    return text
