"""What it costs to open 4 GB and to stream 10,000 frames: one line a format, as the docs show it.

Run ``python benchmarks/large_files.py``: some minutes. The files are holes and
take no room; imports are not counted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from hollow_files import LARGE, STREAMED, measured_cost
from written_files import WRITERS


def main() -> None:
    for key in LARGE:
        with tempfile.TemporaryDirectory() as name:
            small, large = Path(name, "small"), Path(name, "large")
            small.mkdir()
            large.mkdir()
            opened = measured_cost(WRITERS[key](small), LARGE[key](large))
            line = f"| {key} | {opened.seconds:.2f} s | {opened.megabytes:.0f} MB |"
            if key in STREAMED:
                short = STREAMED[key](small, (8, 256, 256))
                long = STREAMED[key](large, (10_000, 256, 256))
                cost = measured_cost(short, long, stream=1)
                line += f" {cost.seconds:.0f} s | {cost.megabytes:.0f} MB |"
            print(line, flush=True)


if __name__ == "__main__":
    main()
