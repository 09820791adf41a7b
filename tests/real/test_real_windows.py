"""Windows of real images: labeled patches, and the superlattice of graphite."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from adatom import clustering, correction, descriptors, io
from adatom.numerics.scores import adjusted_rand_index

DATA = Path(os.environ.get("ADATOM_DATA", ""))
PATCHES = DATA / "imaging/stem_defect_patches"
GRAPHITE = DATA / "imaging/scilink_misc/GH_stm.tif"

pytestmark = pytest.mark.skipif(
    not os.environ.get("ADATOM_DATA"), reason="ADATOM_DATA does not name the folder of real data"
)


# What the issue asks for: 0.6 and 0.2. Seen: 0.78 and 0.48; by magnitudes 0.55 and 0.20.
@pytest.mark.parametrize(
    ("name", "n_files", "least"), [("DataSet_CdTe", 140, 0.6), ("DataSet_STO", 80, 0.2)]
)
def test_labeled_patches_are_sorted_by_what_they_show(
    name: str, n_files: int, least: float
) -> None:
    files = sorted((PATCHES / name).glob("*.tif"))
    assert len(files) == n_files
    images = [io.read_image(file) for file in files]
    assert all(image.dims == ("y", "x") for image in images)
    made_of = descriptors.features_from_files([descriptors.window_quantiles(i) for i in images])
    arranged = descriptors.features_from_files(
        [descriptors.window_spectra(i, standardize=True) for i in images]
    )
    patches = descriptors.features_from_parts(made_of, arranged)
    kinds, truth = np.unique([re.sub(r"_\d+$", "", f.stem) for f in files], return_inverse=True)
    found = clustering.cluster_kmeans(patches, n_classes=len(kinds)).classes["label"].values
    assert adjusted_rand_index(found, truth) > least


def test_graphite_has_a_superlattice_of_sqrt_3_about_its_defects() -> None:
    leveled = correction.correct_lines(io.read_image(GRAPHITE))
    found = descriptors.estimate_superlattice(leveled)
    kind = found.waves["kind"].values
    period = found.waves["period"].values
    # 15.5 to 16.6 pixels by the catalogue, and sqrt(3) of that.
    assert ((period[kind == "lattice"] > 15) & (period[kind == "lattice"] < 17)).all()
    assert (kind == "superlattice").sum() == 3
    ratio = period[kind == "superlattice"].mean() / period[kind == "lattice"].mean()
    assert ratio == pytest.approx(np.sqrt(3), rel=0.02)
    label = found.classes["label"].values
    rows = label.shape[0]
    # By eye: the upper quarter is undisturbed, defects and their patterns fill the lower half.
    assert (label[: rows // 5] == 1).mean() < 0.02
    assert (label[rows // 2 :] == 1).mean() > 0.4
    # Triangles and bright spots seen by eye, as y, x in pixels of the file.
    seen = np.array([[540, 630], [665, 785], [595, 115], [920, 360], [840, 1115], [945, 1065]])
    at = np.column_stack([found.defects["y"].values, found.defects["x"].values])
    assert np.linalg.norm(at[:, None] - seen, axis=2).min(axis=0).max() < 40
    assert 10 <= len(at) <= 25
    # None in what is undisturbed.
    assert (at[:, 0] > 400).all()
