"""Draw the picture at the top of the README: ``python docs/draw_demo.py``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from adatom import plotting
from adatom.recipes import open_run, run_recipe

PICTURE = Path(__file__).with_name("images") / "demo.png"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        run_recipe("demo", out=folder, reports=False)
        run = open_run(folder)
        figure = plotting.plot_classes(run["found.classes"], run["simulated.image"], run["atoms"])
    PICTURE.parent.mkdir(exist_ok=True)
    # Small enough for a page, large enough to see every atom.
    figure.savefig(PICTURE, dpi=110, bbox_inches="tight")
    Image.open(PICTURE).convert("RGB").quantize(128).save(PICTURE, optimize=True)
