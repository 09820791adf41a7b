"""Real and simulated images on one sheet, shuffled: one should hesitate which is which.

    ADATOM_DATA=... python benchmarks/gallery.py sheet.png [seed]

Crops of shared real images and images of the stream that finders are trained on,
all at the scale of a network. The key is printed. The sheet holds real data: it is
to be looked at, not to be published.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from adatom.io import read_image
from adatom.numerics.network_input import resampled_picture
from adatom.simulation import TrainingImages, simulate_training_image

# Files, and about how many px of theirs lie between nearest columns.
REAL = {
    "graphene_si_aicr/G-Si-2nm.hdf5": 18.0,
    "graphene_si_aicr/G-GrainBoundary-4nm.hdf5": 18.0,
    "graphene_si_aicr/G-dimtrimSi/*.hdf5": 36.0,
    "graphene_defect_library/library_refined/Si3C6/25.hdf5": 18.0,
    "graphene_defect_library/library_refined/Si1C3/240.hdf5": 9.0,
    "graphene_defect_library/library_refined/Si1C3/184.hdf5": 18.0,
    "ws2_janus_dyck/*/*14_corrected.tif": 22.0,
    "ws2_janus_dyck/*/*8_corrected.tif": 21.0,
    "mos2_scilink/MoS2_stem_Exp-000-2.npy": 10.4,
    "mos2_scilink/MoS2_stem_Exp-001-5.npy": 13.3,
    "stem_misc_aistem/673K.tif": 20.0,
    "stem_misc_aistem/Cu2Te.tif": 30.0,
    "stem_misc_aistem/LLTO.jpg": 10.0,
    "stem_misc_aistem/SrTiO3.jpg": 37.0,
    "atomap/history/STO_ADF.hdf5": 21.0,
    "temul/publication_examples/*/data/Cropped*.hspy": 17.0,
    "singleorigin/*/*.tif": 25.0,
    "symmetrynet_mowse2/*.tif": 16.0,
    "scilink_misc/GH_stm.tif": 18.0,
    "stem_wsete_sim_stemlearning/simulated/0/input.tiff": 9.5,
}
SPACING, SIZE = 9.0, 144
COLUMNS = 8


def real_tiles(rng: np.random.Generator) -> list[tuple[str, NDArray[np.float32]]]:
    """Crops of real images, resampled."""
    root = Path(os.environ["ADATOM_DATA"]) / "imaging"
    tiles = []
    for pattern, spacing in REAL.items():
        path = next(iter(sorted(root.glob(pattern))))
        values = np.asarray(read_image(path).values, dtype=np.float32)
        picture = resampled_picture(values, SPACING / spacing).picture
        tiles.append((f"real: {path.parent.name}/{path.name}", _crop(picture, rng)))
    return tiles


def simulated_tiles(n_tiles: int, seed: int) -> list[tuple[str, NDArray[np.float32]]]:
    """As many images of the stream, resampled."""
    images = TrainingImages(
        size=SIZE, spacing=(0.8 * SPACING, 1.3 * SPACING), scale=(0.4, 1.5), empty=0.0
    )
    tiles = []
    for index in count():
        made = simulate_training_image(images=images, seed=seed, index=index)
        if made.lattice.values.mean() > 0.4:
            factor = SIZE / made.image.shape[0]
            picture = resampled_picture(made.image.values, factor).picture
            tiles.append((f"simulated: {seed}, {index}", picture))
        if len(tiles) == n_tiles:
            return tiles
    raise AssertionError


def _crop(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    corner = [int(rng.integers(0, max(size - SIZE, 0) + 1)) for size in picture.shape]
    return picture[corner[0] : corner[0] + SIZE, corner[1] : corner[1] + SIZE]


def main() -> None:
    """Draw the sheet and print the key."""
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rng = np.random.default_rng(seed)
    tiles = real_tiles(rng)
    tiles += simulated_tiles(len(tiles) + -len(tiles) * 2 % COLUMNS, seed)
    n_rows = len(tiles) // COLUMNS
    figure, axes = plt.subplots(n_rows, COLUMNS, figsize=(2.6 * COLUMNS, 2.8 * n_rows))
    for number, (axis, chosen) in enumerate(
        zip(axes.flat, rng.permutation(len(tiles)), strict=True)
    ):
        name, picture = tiles[chosen]
        low, high = np.quantile(picture, [0.003, 0.997])
        axis.imshow(picture, cmap="gray", vmin=low, vmax=high)
        axis.set_title(str(number), fontsize=8)
        axis.axis("off")
        print(f"{number:3d}  {name}")
    figure.subplots_adjust(0, 0, 1, 0.98, 0.02, 0.08)
    figure.savefig(sys.argv[1], dpi=75)


if __name__ == "__main__":
    main()
