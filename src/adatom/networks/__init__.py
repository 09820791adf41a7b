"""Labeled pictures -> trained networks; needs torch (``pip install 'adatom[train]'``).

==========================  =======================================================
``Architecture``            which network, how wide, with which heads
``train_patch_classifier``  patches with known classes -> a classifier of further ones
``PatchTraining``           settings of that training
``TrainedClassifier``       what ``train_patch_classifier`` gives
==========================  =======================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.networks.architecture import Architecture
    from adatom.networks.patch_training import (
        PatchTraining,
        TrainedClassifier,
        train_patch_classifier,
    )

__all__ = [
    "Architecture",
    "PatchTraining",
    "TrainedClassifier",
    "train_patch_classifier",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Architecture": "architecture",
        "PatchTraining": "patch_training",
        "TrainedClassifier": "patch_training",
        "train_patch_classifier": "patch_training",
    },
)
