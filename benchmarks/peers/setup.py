"""Make the environments of the peers: ``python benchmarks/peers/setup.py [peers|atomai]``.

That of ``peers`` lies beside this file, that of AtomAI in its folder.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def environment(folder: Path) -> Path:
    """Make an environment in a folder unless it is there, and give its Python."""
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / ".venv", with_pip=True)
    return python


def install(python: Path, *what: str | Path) -> None:
    subprocess.run([str(python), "-m", "pip", "install", *map(str, what)], check=True)


def make_peers() -> None:
    python = environment(HERE)
    # The project goes into the same environment, so that all run on the same numpy and scipy.
    install(python, "-r", HERE / "requirements.txt", "-e", HERE.parents[1])
    subprocess.run([str(python), "-m", "pip", "check"], check=True)


def make_atomai() -> None:
    folder = HERE / "atomai"
    python = environment(folder)
    install(python, "-r", folder / "requirements.txt")
    # Its packages ask for torchvision, of which nothing that is measured makes use.
    install(python, "--no-deps", "-r", folder / "atomai.txt")


def main() -> None:
    for name in sys.argv[1:] or ("peers", "atomai"):
        {"peers": make_peers, "atomai": make_atomai}[name]()


if __name__ == "__main__":
    main()
