"""Examples of what trains networks are run where torch is installed; no test is timed."""

from __future__ import annotations

from importlib.util import find_spec

from hypothesis import settings

collect_ignore_glob = (
    [] if find_spec("torch") else ["src/adatom/networks/*.py", "src/adatom/pipelines/*.py"]
)

# A busy machine is no failure: speed is told by benchmarks.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
