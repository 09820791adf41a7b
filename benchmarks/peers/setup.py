"""Make the environment of the peers beside this file: ``python benchmarks/peers/setup.py``."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"


def main() -> None:
    if not PYTHON.exists():
        venv.create(ENVIRONMENT, with_pip=True)
    requirements = HERE / "requirements.txt"
    # The project goes into the same environment, so that all run on the same numpy and scipy.
    command = [PYTHON, "-m", "pip", "install", "-r", requirements, "-e", HERE.parents[1]]
    subprocess.run(list(map(str, command)), check=True)
    subprocess.run([str(PYTHON), "-m", "pip", "check"], check=True)


if __name__ == "__main__":
    main()
