"""From microscope images, movies and spectroscopic maps to the physics.

===================  ==========================================================
``io``               files <-> kinds of data
``simulation``       images with exactly known truth
``correction``       pictures as recorded -> pictures to analyze
``networks``         labelled pictures -> trained networks (needs torch)
``localization``     image -> sites
``descriptors``      maps and sites -> features
``decomposition``    features -> components: principal, purest, non-negative
``clustering``       features -> classes
``crystallography``  sites that carry neighbors -> lattice, strain, phases, variants
``defects``          defects against the ideal crystal, their library, their energies
``tracking``         sites over frames -> tracks, their drift, how sure links are
``curves``           curves -> what they tell: fits, contacts, loops, lifetimes
``dynamics``         tracks -> diffusion, hops, transitions, their rates
``pipelines``        stages joined in a loop: training on simulated images ...
``plotting``         any kind of data -> figure
``report``           a run -> one HTML file
``recipes``          TOML files of steps, run, stored, repeated
===================  ==========================================================
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__version__ = "0.1.0.dev0"

_ROOMS = (
    "clustering",
    "correction",
    "crystallography",
    "curves",
    "decomposition",
    "defects",
    "descriptors",
    "dynamics",
    "errors",
    "io",
    "localization",
    "networks",
    "pipelines",
    "plotting",
    "recipes",
    "report",
    "schema",
    "simulation",
    "tracking",
    "units",
)

__all__ = ["__version__", "demo", *_ROOMS]  # noqa: PLE0604 -- names of modules


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a module
    # PEP 562: rooms load on first access, so that `import adatom` stays light.
    if name in _ROOMS:
        return import_module(f"adatom.{name}")
    msg = f"module 'adatom' has no attribute {name!r}: its rooms are {', '.join(_ROOMS)}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)


def demo(out: str | Path = "runs/demo") -> Path:
    """Run the main job on a simulated image and give the path of its report.

    Parameters
    ----------
    out : str or Path
        Folder of the run; results already there are used again.
    """
    # Named, not imported: everything below imports this package for its version.
    report: Path = import_module("adatom.recipes").run_demo(out)
    return report
