"""Sites of all shared images that resolve atoms: one line an image and method, nothing tuned.

    ADATOM_DATA=... python benchmarks/real_images.py [--method both] [part of a name ...]

Told are the channel or frame to read and the pixel size where the name of a file
holds it; dark atoms are not told from bright ones. `lattice` is the mean
recurrence of the sites' surroundings (1 on a perfect lattice, 0.2 by
chance); other figures are against published positions, or regions that were
drawn by eye (``drawn_regions.json``). Each image runs in a process of its own,
so that its peak memory is its own. ``--json`` keeps all figures, one line an
image and method; ``--pictures FOLDER`` draws the sites that were found;
``--network FILE`` takes another network than the shipped one.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from real_figures import figures_of_sites, text_of_figures
from resolved_images import ResolvedImage, resolved_images

from adatom.errors import AdatomError
from adatom.localization import find_atoms
from adatom.localization.choosing import Method
from adatom.schema import Image, Sites, space_unit

METHODS: tuple[Method, ...] = ("classical", "network")


def measure(
    job: tuple[ResolvedImage, Method], network: str | None, pictures: Path | None
) -> dict[str, Any]:
    """Find the atoms of one image by one method."""
    shown, method = job
    line: dict[str, Any] = {"image": shown.name, "method": method}
    try:
        image = shown.read()
        start, cpu = time.perf_counter(), time.process_time()
        found = find_atoms(image, method=method, network=network if method == "network" else None)
    except AdatomError as error:
        return line | {"refused": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
    line |= {
        "wall_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "unit": space_unit(image),
        "sites": found.sizes["site"],
        "fit_ok": float(found["fit_ok"].mean()) if found.sizes["site"] else float("nan"),
        "figures": figures_of_sites(shown, image, found),
    }
    if pictures is not None:
        draw(pictures / method / f"{shown.name.replace('/', '_')}.png", image, found)
    return line


def draw(path: Path, image: Image, found: Sites) -> None:
    """Draw the sites over their image."""
    import matplotlib as mpl

    mpl.use("Agg")
    from adatom.plotting import plot_sites

    path.parent.mkdir(parents=True, exist_ok=True)
    plot_sites(found, image).savefig(path, dpi=100)


def text_of_line(line: dict[str, Any]) -> str:
    """Write what was measured of an image in one line."""
    name = line["image"].replace("/library_refined", "")
    short = name if len(name) <= 46 else f"{name[:18]}..{name[-26:]}"
    start = f"{short:46s} {line['method'][:7]:7s}"
    if "refused" in line:
        return f"{start} {line['refused'][:110]}"
    figures = dict(line["figures"])
    return (
        f"{start} {line['sites']:6d} sites  d={figures.pop('spacing'):.4g} {line['unit']}  "
        f"lattice={figures.pop('lattice'):.2f}  fit_ok={line['fit_ok']:.2f}  "
        f"{line['wall_s']:.1f} s ({line['cpu_s']:.1f} CPU)  {line['peak_mb']:.0f} MB  "
        f"{text_of_figures(figures)}"
    )


def text_of_all(lines: list[dict[str, Any]], method: str) -> str:
    """Sum up a method: how many images gave sites, and how consistent their lattices are."""
    mine = [line for line in lines if line["method"] == method]
    done = [line for line in mine if "refused" not in line]
    lattice = [line["figures"]["lattice"] for line in done]
    middle = f"{np.nanmedian(lattice):.2f}" if np.isfinite(lattice).any() else "none"
    return (
        f"{method}: sites in {len(done)} of {len(mine)} images, median lattice {middle}, "
        f"{sum(line['wall_s'] for line in done):.0f} s, "
        f"at most {max((line['peak_mb'] for line in done), default=0):.0f} MB"
    )


def main() -> None:
    """Print the lines of all images whose name holds one of the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", default=[""], help="parts of names of images")
    parser.add_argument("--method", choices=(*METHODS, "both"), default="both")
    parser.add_argument("--network", help="file of an exported network")
    parser.add_argument("--json", type=Path, help="file for all figures, one line an image")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the sites")
    told = parser.parse_args()
    methods = METHODS if told.method == "both" else (told.method,)
    jobs = [
        (shown, method)
        for shown in resolved_images()
        if any(part in shown.name for part in told.parts)
        for method in methods
    ]
    one = functools.partial(measure, network=told.network, pictures=told.pictures)
    lines = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for line in pool.imap(one, jobs):
            lines.append(line)
            print(text_of_line(line), flush=True)
    for method in methods:
        print(text_of_all(lines, method))
    if told.json:
        told.json.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
