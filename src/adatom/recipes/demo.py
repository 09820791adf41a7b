"""The main job on a simulated image, so that everybody can see it work."""

from __future__ import annotations

from pathlib import Path

from adatom.errors import AdatomError, StoreError
from adatom.recipes.runs import Progress, run_recipe


def run_demo(out: str | Path = "runs/demo", /, *, progress: Progress | None = None) -> Path:
    """Run the shipped recipe "demo" and give the path of its report.

    Parameters
    ----------
    out : str or Path
        The run folder; results already there are used again.
    progress : Progress, optional
        Told what is being done.

    Raises
    ------
    AdatomError
        If a step fails.
    """
    summary = run_recipe("demo", out=out, progress=progress)
    outcome = summary.outcomes[0]
    if outcome.error:
        raise AdatomError(outcome.error)
    if outcome.report_error:
        raise StoreError(outcome.report_error)
    return summary.reports[0]
