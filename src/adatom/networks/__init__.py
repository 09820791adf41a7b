"""Labeled pictures -> trained networks; needs torch (``pip install 'adatom[train]'``).

===========================  ==========================================================
``Architecture``             which network, how wide, with which heads
``Training``                 steps, rates, precision, when to end
``Objective``                losses of the maps and their weights
``Pictures``                 how pictures are taken of labeled images
``Trainer``                  batches and a score -> a trained network
``TrainedNetwork``           weights with a card, in one file without code
``TrainingCard``             what a network was trained on, and how good it is
``read_network``             a file of weights -> a trained network
``table_from_training``      losses and scores of a training, step by step
``export_network``           a trained network -> one ONNX file, run without torch
``export_networks``          the same for the members of an ensemble
``labels_from_periodicity``  where one frame violates its own periodicity
``PeriodicityLabels``        what ``labels_from_periodicity`` gives
``choose_periodic_frame``    the early frame of a movie that repeats itself best
``train_patch_classifier``   patches with known classes -> a classifier of further ones
``PatchTraining``            settings of that training
``TrainedClassifier``        what ``train_patch_classifier`` gives
===========================  ==========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adatom._lazy import lazy_names

if TYPE_CHECKING:
    from adatom.networks.architecture import Architecture
    from adatom.networks.cards import TrainingCard
    from adatom.networks.export import export_network, export_networks
    from adatom.networks.objective import Objective
    from adatom.networks.patch_training import (
        PatchTraining,
        TrainedClassifier,
        train_patch_classifier,
    )
    from adatom.networks.periodicity import (
        PeriodicityLabels,
        choose_periodic_frame,
        labels_from_periodicity,
    )
    from adatom.networks.pictures import Pictures
    from adatom.networks.settings import Training
    from adatom.networks.tables import table_from_training
    from adatom.networks.training import Trainer
    from adatom.networks.weights import TrainedNetwork, read_network

__all__ = [
    "Architecture",
    "Objective",
    "PatchTraining",
    "PeriodicityLabels",
    "Pictures",
    "TrainedClassifier",
    "TrainedNetwork",
    "Trainer",
    "Training",
    "TrainingCard",
    "choose_periodic_frame",
    "export_network",
    "export_networks",
    "labels_from_periodicity",
    "read_network",
    "table_from_training",
    "train_patch_classifier",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Architecture": "architecture",
        "Objective": "objective",
        "PatchTraining": "patch_training",
        "PeriodicityLabels": "periodicity",
        "Pictures": "pictures",
        "TrainedClassifier": "patch_training",
        "TrainedNetwork": "weights",
        "Trainer": "training",
        "Training": "settings",
        "TrainingCard": "cards",
        "choose_periodic_frame": "periodicity",
        "export_network": "export",
        "export_networks": "export",
        "labels_from_periodicity": "periodicity",
        "read_network": "weights",
        "table_from_training": "tables",
        "train_patch_classifier": "patch_training",
    },
)
