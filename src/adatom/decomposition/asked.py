"""How many components are asked for, by a number or by a choice made before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom.errors import SettingError
from adatom.schema import TABLE

if TYPE_CHECKING:
    import xarray as xr


def number_from_choice(
    choice: xr.Dataset | None, number: int | None, /, *, name: str, least: int, n_features: int
) -> int:
    """Give the number that is asked for, or else that of the choice.

    Raises
    ------
    SettingError
        If there is none, or it does not lie between `least` and the number
        of features.
    """
    if choice is not None:
        TABLE.check(choice)
    found = number
    if found is None and choice is not None:
        found = choice.attrs.get("n_classes")
    if found is None:
        what = name.removeprefix("n_")
        msg = f"how many {what}? Give {name}=, or the table of choose_n_classes"
        raise SettingError(msg)
    if not least <= int(found) <= n_features:
        msg = f"{name}={found} must lie between {least} and the {n_features} features"
        raise SettingError(msg)
    return int(found)
