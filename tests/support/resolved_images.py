"""Shared images that resolve atoms or molecules, and the little that a user knows of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from real_truth import IMAGING

from adatom.io import read_image
from adatom.schema import Image

# Distances of neighbors in nm, in projection: bond of graphene, metal to chalcogen
# in MoS2 and WS2, and the lattice of WSe2, of which STM sees the upper selenium alone.
_GRAPHENE, _DISULFIDE, _WSE2 = 0.142, 0.182, 0.328


@dataclass(frozen=True)
class ResolvedImage:
    """One image of a file.

    Attributes
    ----------
    path : Path
    reading : mapping
        What has to be told to `read_image`: which dataset, frame, channel, pixel size.
    spacing : float, optional
        Distance between neighbors in nm from the literature, where the file
        has a scale. Stored scales may be off by 15 %.
    """

    path: Path
    reading: Mapping[str, Any]
    spacing: float | None = None

    @property
    def name(self) -> str:
        """Its path below the folder of images, without suffix."""
        return self.path.relative_to(IMAGING).with_suffix("").as_posix()

    def read(self) -> Image:
        """Read it."""
        return read_image(self.path, **self.reading)


@dataclass(frozen=True)
class _Source:
    pattern: str
    reading: Mapping[str, Any] | None = None
    spacing: float | None = None


_SOURCES = (
    _Source("graphene_si_aicr/*.hdf5", spacing=_GRAPHENE),
    _Source("graphene_si_aicr/G-dimtrimSi/*.hdf5"),
    _Source("graphene_defect_library/library_refined/*/*.hdf5", spacing=_GRAPHENE),
    _Source("mos2_scilink/MoS2*.npy", spacing=_DISULFIDE),
    _Source("ws2_janus_dyck/Partially*/*.tif", spacing=_DISULFIDE),
    _Source("ws2_janus_dyck/Fully*/*.tif"),
    _Source("symmetrynet_mowse2/*.tif"),
    _Source("stem_wsete_sim_stemlearning/simulated/0/input.tiff"),
    _Source("atomap/history/STO_ADF.hdf5"),
    _Source("atomap/tests/datasets/test_ADF_cropped.hdf5"),
    _Source("atomap/tests/datasets/test_ABF_cropped.hdf5"),
    _Source("atomap/example_data/simulated_nanoparticle.hspy"),
    _Source("abf_stack_hyperspydemos/*.hspy", {"frame": 0}),
    _Source("temul/publication_examples/PTO_supercrystal_hadjimichael/data/*.hspy"),
    _Source(
        "temul/temul/example_data/experimental/*.hdf5",
        {"dataset": "_sublattice/original_image_data"},
    ),
    _Source("temul/temul/example_data/structures/*.hspy"),
    _Source("singleorigin/*/*.tif"),
    _Source("stem_misc_aistem/*"),
    _Source("si_moving_movies/*.mp4", {"frame": 0, "channel": "luminance"}),
    _Source("stm_sxm_pynxtools/*.sxm"),
    _Source("scilink_misc/*.tif"),
    _Source("stm_molecules_stemlearning/**/input.tif"),
)

# Scans of WSe2 up to 30 nm wide whose lattice the eye sees; the size is told by the name.
_SCANS = "stm_wse2_mlstm/WSe2-SL445_*_Z_*.jpg"
_UNRESOLVED = ("30x30_Z_018",)
_WIDEST = 30.0


def resolved_images() -> list[ResolvedImage]:
    """List all images, by data set; none where the folder of data is not known."""
    images = [
        ResolvedImage(path, source.reading or {}, source.spacing)
        for source in _SOURCES
        for path in sorted(IMAGING.glob(source.pattern))
    ]
    return images + [
        ResolvedImage(path, {"pixel_size": f"{_width(path) / _pixels(path)} nm"}, spacing=_WSE2)
        for path in sorted(IMAGING.glob(_SCANS))
        if _width(path) <= _WIDEST and not path.stem.endswith(_UNRESOLVED)
    ]


def _width(path: Path) -> float:
    """Width in nm, as in ``..._-1.4V_6x6_Z_044``."""
    told = re.search(r"_([\d.]+)x[\d.]+_Z", path.stem)
    return float(told[1]) if told else np.inf


def _pixels(path: Path) -> int:
    return int(read_image(path).sizes["x"])
