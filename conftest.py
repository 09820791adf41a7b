"""Examples of what trains networks are run where torch is installed."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = (
    [] if find_spec("torch") else ["src/adatom/networks/*.py", "src/adatom/pipelines/*.py"]
)
