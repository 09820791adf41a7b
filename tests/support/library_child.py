"""A process that adds simulated images to a library, to be killed or to compete with others."""

from __future__ import annotations

import sys

from simulated_defects import simulated_defects, simulated_picture

from adatom.defects.library import add_defects, open_library

NAMES = ["Si1C3", "Si1C4", "V1", "Si2C6", "Si1C3"]


def main(place: str, first: int, last: int) -> None:
    with open_library(place, create=True) as library:
        for seed in range(first, last):
            add_defects(library, simulated_defects(NAMES, seed=seed), simulated_picture(seed=seed))
            # Only what is committed is told.
            sys.stdout.write(f"{seed}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
