"""Sites of shared real images: one line an image, with nothing told but the contrast.

    ADATOM_DATA=... python benchmarks/real_images.py [part of a name ...]

`lattice` is the mean recurrence of the sites' surroundings (1 on a perfect
lattice, 0.2 by chance); F1 and other figures are against published positions.
Each image runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from real_truth import (
    GRAPHENE,
    IMAGING,
    STO_CELL,
    SUPERLATTICE,
    LatticeFit,
    published_a_sites,
    published_graphene,
    share_found,
)

from adatom.errors import AdatomError
from adatom.io import read_image
from adatom.localization import compare_sites, find_atoms
from adatom.numerics.order import recurrence
from adatom.schema import Image, Sites, pixel_size, positions, space_unit

DARK = ("test_ABF_cropped", "stem_abf_data_imagestack")
PATTERNS = (
    "graphene_si_aicr/*.hdf5",
    "graphene_si_aicr/G-dimtrimSi/*.hdf5",
    "atomap/history/STO_ADF.hdf5",
    "atomap/tests/datasets/*BF_cropped.hdf5",
    "atomap/tests/datasets/*DF_cropped.hdf5",
    "atomap/example_data/simulated_nanoparticle.hspy",
    "temul/publication_examples/PTO_supercrystal_hadjimichael/data/*.hspy",
    "ws2_janus_dyck/*/*.tif",
    "mos2_scilink/*.npy",
    "stem_misc_aistem/*",
    "singleorigin/*/*.tif",
    "stem_wsete_sim_stemlearning/simulated/0/input.tiff",
    "symmetrynet_mowse2/*.tif",
    "scilink_misc/*.tif",
    "graphene_defect_library/library_refined/*/*.hdf5",
)


def figures(path: Path, image: Image, found: Sites) -> str:
    """Give what is known of this image by publication."""
    if (GRAPHENE / f"{path.stem}-coord.npy").exists():
        scores = compare_sites(found, published_graphene(path.stem, image)).scores
        return " ".join(f"{k}={float(scores[k][0]):.3f}" for k in ("f1", "precision", "recall"))
    if path.stem == "STO_ADF":
        fit = LatticeFit(found, STO_CELL)
        shorter = STO_CELL[0] / 2
        shares = fit.recall_and_precision(found, max_distance=0.15 * shorter, edge=shorter / 2)
        return f"recall={shares[0]:.4f} precision={shares[1]:.4f} cell={fit.cell}"
    if path.parent == SUPERLATTICE:
        reach = 4 * pixel_size(image)[0]
        return f"A sites={share_found(found, published_a_sites(image), max_distance=reach):.3f}"
    return ""


def line(path: Path) -> str:
    """Find the atoms of one image and tell about it in one line."""
    name = f"{path.parent.name}/{path.stem}"[-44:]
    try:
        image = read_image(path)
    except AdatomError as error:
        return f"{name:44s} not read: {str(error).splitlines()[0][:90]}"
    start = time.process_time()
    try:
        found = find_atoms(image, contrast="dark" if path.stem in DARK else "bright")
    except AdatomError as error:
        return f"{name:44s} {type(error).__name__}: {str(error)[:90]}"
    seconds = time.process_time() - start
    spacing = found.attrs["spacing"]
    order = recurrence(positions(found), tolerance=0.2 * spacing, extent=found.attrs["extent"])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lattice = float(np.nanmean(order)) if np.isfinite(order).any() else float("nan")
    return (
        f"{name:44s} {found.sizes['site']:6d} sites  d={spacing:.4g} {space_unit(image)}  "
        f"lattice={lattice:.2f}  fit_ok={float(found['fit_ok'].mean()):.3f}  "
        f"{seconds:.1f} CPU s  {memory:.0f} MB  {figures(path, image, found)}"
    )


def main() -> None:
    """Print the lines of all images whose path holds one of the arguments."""
    wanted = sys.argv[1:] or [""]
    paths = sorted({path for pattern in PATTERNS for path in IMAGING.glob(pattern)})
    chosen = [
        path
        for path in paths
        if any(part in str(path) for part in wanted) and not path.stem.endswith("-coord")
    ]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for text in pool.imap(line, chosen):
            print(text, flush=True)


if __name__ == "__main__":
    main()
