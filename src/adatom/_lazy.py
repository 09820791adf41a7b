"""Names of a package that load their module on first access (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, modules: Mapping[str, str], /
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make ``__getattr__`` and ``__dir__`` of a package.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    modules : mapping of str to str
        For every public name the submodule that defines it.
    """

    def getattr_(name: str) -> Any:  # noqa: ANN401 -- any public object
        if name in modules:
            return getattr(import_module(f"{package}.{modules[name]}"), name)
        msg = f"module {package!r} has no attribute {name!r}: it has {', '.join(sorted(modules))}"
        raise AttributeError(msg)

    def dir_() -> list[str]:
        return sorted(modules)

    return getattr_, dir_
