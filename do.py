"""Set up adatom in this folder and run it: ``python3 do.py demo`` or ``python3 do.py test``.

Needs Python 3.11 or newer and nothing else. Everything goes into ``.venv``.
"""

# This file must be read by older Pythons too, which are then told that they are too old.
import sys

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit(
        "adatom needs Python %d.%d or newer, this is %d.%d: start it as python3.11 do.py ..."  # noqa: UP031
        % (OLDEST + sys.version_info[:2])
    )

import argparse  # noqa: E402 -- after the check of the version
import contextlib  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "adatom-setup.json"
LOCK = ROOT / ".venv.lock"
PARTS = {
    "core": ROOT / "requirements" / "core.txt",
    "test": ROOT / "requirements" / "test.txt",
    "train": ROOT / "requirements-train.txt",
}
CHECKS = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "imports": [
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
        "--no-cache",
    ],
    "types": ["-m", "mypy"],
    "tests": ["-m", "pytest", "-n", "2", "--dist", "worksteal"],
}


def python_of_venv() -> Path:
    """Give the path of the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock on the environment; wait where another start holds it."""
    with LOCK.open("a+b") as file:
        if not _try_lock(file.fileno()):
            print("another do.py is setting up this folder: waiting for it", flush=True)
            while not _try_lock(file.fileno()):
                time.sleep(0.5)
        # The system lets go of the lock when the process ends, however it ends.
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def wanted(parts: list[str]) -> dict[str, str]:
    """Describe an environment that holds `parts`: a changed lock file changes it."""
    state = {"python": sys.version, "folder": str(ROOT)}
    for part in parts:
        state[part] = hashlib.sha256(PARTS[part].read_bytes()).hexdigest()
    state["project"] = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return state


def found() -> dict[str, str]:
    """Read what the environment says it holds; nothing where it was not finished."""
    try:
        state = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and python_of_venv().exists() else {}


def run(*command: object) -> None:
    """Run a command of the environment's set-up; stop with its exit status if it fails."""
    words = [str(word) for word in command]
    status = subprocess.run(words, cwd=ROOT, check=False).returncode
    if status:
        sys.exit(f"set-up failed ({status}): {' '.join(words)}")


def set_up(parts: list[str]) -> None:
    """Make the environment hold `parts`, from pinned versions."""
    with only_one():
        state, target = found(), wanted(parts)
        if target.items() <= state.items():
            return
        clock = time.monotonic()
        usable = bool(state) and all(
            part not in state or state[part] == digest
            for part, digest in wanted(list(PARTS)).items()
        )
        if not usable:
            print(f"setting up {VENV} with {', '.join(parts)} (a few minutes)", flush=True)
            shutil.rmtree(VENV, ignore_errors=True)
            run(sys.executable, "-m", "venv", VENV)
            state = {}
        # Without its stamp an environment counts as half-made from here on.
        STAMP.unlink(missing_ok=True)
        pip = [python_of_venv(), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        for part in parts:
            if state.get(part) != target[part]:
                run(*pip, "install", "--requirement", PARTS[part])
        run(*pip, "install", "--no-deps", "--no-build-isolation", "--editable", ROOT)
        run(*pip, "check")
        STAMP.write_text(json.dumps({**state, **target}), encoding="utf-8")
        print(f"set up in {time.monotonic() - clock:.0f} s", flush=True)


def test(names: list[str], rest: list[str]) -> int:
    """Run the named checks, all of them even if one fails; 1 if any failed."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    results = {}
    for name in names:
        print(f"\n== {name}", flush=True)
        clock = time.monotonic()
        command = [str(python_of_venv()), *CHECKS[name], *(rest if name == "tests" else [])]
        status = subprocess.run(
            command, cwd=ROOT, env={**threads, **os.environ}, check=False
        ).returncode
        results[name] = (status, time.monotonic() - clock)
    print()
    for name, (status, seconds) in results.items():
        print(f"{name:8} {'ok' if status == 0 else 'FAILED'} ({seconds:.0f} s)")
    return int(any(status for status, _ in results.values()))


def main() -> int:
    """Set up what the command needs, then run it."""
    parser = argparse.ArgumentParser(description=__doc__, usage="python3 do.py COMMAND ...")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="set up the core, run the main job on a simulated image")
    tests = commands.add_parser("test", help="set up everything, run all checks and tests")
    tests.add_argument("--core", action="store_true", help="leave torch out")
    tests.add_argument(
        "--only", choices=list(CHECKS), action="append", help="run this check only; repeatable"
    )
    setup = commands.add_parser("setup", help="only set up the environment")
    setup.add_argument("--core", action="store_true", help="leave torch out")
    options, rest = parser.parse_known_args()
    if rest and options.command != "demo" and options.command != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")

    if options.command == "demo":
        set_up(["core"])
        command = [str(python_of_venv()), "-m", "adatom", "demo", *rest]
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    set_up(["core", "test"] if options.core else ["core", "test", "train"])
    if options.command == "setup":
        return 0
    return test(options.only or list(CHECKS), rest)


if __name__ == "__main__":
    sys.exit(main())
