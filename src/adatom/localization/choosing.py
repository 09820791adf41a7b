"""By which method atoms are found, by which network, and on which pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from adatom.errors import SettingError
from adatom.localization.shipped import chosen_runner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from adatom.localization.running import Runner
    from adatom.numerics.exported_network import ExportedNetwork
    from adatom.schema import Image, Mask

Method = Literal["classical", "network"]

DEFAULT_METHOD: Final = "network"
"""By which atoms are found where nothing is said: on simulated images of structures that
neither knows, and on real ones, the network finds more (``benchmarks/networks.py``)."""


def runner_of_method(
    method: Method, trained: ExportedNetwork | None, network: str | None, /
) -> Runner | None:
    """Give the network to run, none for the classical method."""
    if method not in get_args(Method):
        msg = f"{method=} is not known: use 'classical' or 'network'"
        raise SettingError(msg)
    if method == "network":
        return chosen_runner(trained, network)
    if trained is not None or network is not None:
        msg = 'a network is given, but the method is "classical": set method="network"'
        raise SettingError(msg)
    return None


def usable_pixels(image: Image, regions: Mask | None, /) -> NDArray[np.bool_]:
    """Tell which pixels are measured and asked for."""
    usable: NDArray[np.bool_] = np.isfinite(np.asarray(image.values))
    return usable if regions is None else usable & np.asarray(regions.values)
