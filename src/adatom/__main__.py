"""``python -m adatom`` is the command ``adatom``."""

import sys

from adatom.cli import main

if __name__ == "__main__":
    sys.exit(main())
