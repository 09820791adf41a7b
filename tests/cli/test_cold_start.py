"""The command line and the package start at once: nothing heavy is loaded."""

from __future__ import annotations

import subprocess
import sys
import time

HEAVY = ("numpy", "scipy", "pandas", "xarray", "dask", "zarr", "matplotlib", "ase", "rsciio")


def loaded_by(code: str) -> set[str]:
    """Give the top modules that are loaded after some code ran."""
    listing = "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + listing], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_adatom_loads_the_standard_library_only() -> None:
    before = loaded_by("pass")
    extra = loaded_by("import adatom") - before - {"adatom"}
    assert extra <= sys.stdlib_module_names


def test_help_loads_the_standard_library_only() -> None:
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        code = (
            "import adatom.cli, contextlib\n"
            f"with contextlib.suppress(SystemExit): adatom.cli.main({arguments!r})\n"
            "pass"
        )
        assert not loaded_by(code) & set(HEAVY)


def seconds_of(*command: str) -> float:
    """Give the shortest of three times, since other programs only ever add to it."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def test_help_answers_in_under_half_a_second_over_a_bare_interpreter() -> None:
    assert seconds_of("-m", "adatom", "--help") - seconds_of("-c", "pass") < 0.5
