"""Read trained networks."""

from __future__ import annotations

from pathlib import Path

from adatom.numerics.exported_network import ExportedNetwork
from adatom.numerics.patch_classifier import PatchClassifier


def read_network(path: str | Path, /) -> ExportedNetwork:
    """Read a network that finds atoms, with its card.

    Nothing in the file is run: what it holds is checked first, to be
    arithmetic alone, unchanged since it was exported, and what its card says.

    Parameters
    ----------
    path : str or Path
        One ONNX file, as ``networks.export_network(...).save(path)`` writes it.

    Returns
    -------
    ExportedNetwork
        For `localization.find_atoms` and others.

    Raises
    ------
    ReadError
        If the file is damaged, was changed, or is no such network.

    Examples
    --------
    >>> network = read_network("my_finder.onnx")  # doctest: +SKIP
    """
    return ExportedNetwork.load(path)


def read_classifier(path: str | Path, /) -> PatchClassifier:
    """Read a classifier of patches, with its card.

    Nothing in the file is run: what it holds is checked first, to be
    arithmetic alone, unchanged since it was trained, and what its card says.

    Parameters
    ----------
    path : str or Path
        One ONNX file, as the ``classifier`` of `networks.train_patch_classifier`
        saves itself.

    Returns
    -------
    PatchClassifier
        For `clustering.predict_classes`; ``card.classes`` are the names.

    Raises
    ------
    ReadError
        If the file is damaged, was changed, or is no classifier.

    Examples
    --------
    >>> classifier = read_classifier("species.onnx")  # doctest: +SKIP
    """
    return PatchClassifier.load(path)
