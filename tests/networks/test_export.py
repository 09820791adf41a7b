"""Exported networks say what trained ones say."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from small_trainings import batch, lattice_picture, maps_of, trainer

from adatom.errors import KindError
from adatom.networks import Architecture, TrainedNetwork, Trainer, export_network
from adatom.numerics.exported_network import ExportedNetwork

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'adatom[train]'")

from adatom.networks.blocks import build_network  # noqa: E402
from adatom.networks.export import folded_network, reach_of_network  # noqa: E402

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def network() -> TrainedNetwork:
    """Give a network whose normalizations have something to say."""
    return trainer(n_steps=10).train(batch)


@pytest.fixture(scope="module")
def exported(network: TrainedNetwork) -> ExportedNetwork:
    """Give it exported."""
    return export_network(network)


def _run(exported: ExportedNetwork, pictures: np.ndarray) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(exported.graph, options)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: pictures})[0])


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (1, 1, 48, 96)])
def test_the_exported_graph_gives_the_same_maps(
    network: TrainedNetwork, exported: ExportedNetwork, shape: tuple[int, ...]
) -> None:
    pictures = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    maps = _run(exported, pictures)
    assert maps.shape == (shape[0], 4, shape[2] // 2, shape[3] // 2)
    np.testing.assert_allclose(maps, maps_of(network, pictures), atol=1e-4)


def test_folding_normalizations_changes_nothing(network: TrainedNetwork) -> None:
    whole = build_network(network.architecture)
    whole.load_state_dict({name: torch.from_numpy(v) for name, v in network.tensors.items()})
    folded = folded_network(network)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
    picture = torch.from_numpy(lattice_picture(5).picture[None, None])
    with torch.no_grad():
        expected, found = whole.eval()(picture), folded(picture)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-4)


def test_the_same_network_gives_the_same_bytes(
    network: TrainedNetwork, exported: ExportedNetwork
) -> None:
    assert export_network(network).to_bytes() == exported.to_bytes()


def test_the_card_travels_with_the_graph(
    network: TrainedNetwork, exported: ExportedNetwork
) -> None:
    card = ExportedNetwork.from_bytes(exported.to_bytes()).card
    assert card.channels == network.architecture.channels
    assert (card.stride, card.multiple, card.distances) == (2, 16, (6.0, 14.0))
    assert card.threshold == network.card.threshold


def test_classes_and_orientation_are_exported() -> None:
    architecture = Architecture(kind="unet", width=4, classes=("W", "Se"), symmetry=6)
    exported = export_network(Trainer(architecture).untrained())
    assert exported.card.classes == ("W", "Se")
    assert exported.card.symmetry == 6
    assert _run(exported, np.zeros((1, 1, 32, 32), np.float32)).shape == (1, 8, 16, 16)


@pytest.mark.parametrize("kind", ["unet", "pyramid"])
def test_nothing_beyond_its_reach_changes_a_map(kind: Literal["unet", "pyramid"]) -> None:
    architecture = Architecture(kind=kind, width=4)
    network = Trainer(architecture).untrained()
    reach = reach_of_network(architecture)
    picture = np.random.default_rng(2).normal(size=(1, 1, 32, 512)).astype(np.float32)
    changed = picture.copy()
    changed[..., 256 + reach :] = 5.0
    before, after = maps_of(network, picture), maps_of(network, changed)
    np.testing.assert_array_equal(after[..., :128], before[..., :128])
    # And it is not far too large: something changes within a block of 16 pixels of it.
    nearer = picture.copy()
    nearer[..., 256 + reach - 32 :] = 5.0
    assert (maps_of(network, nearer)[..., :128] != before[..., :128]).any()


def test_only_trained_networks_are_exported() -> None:
    with pytest.raises(KindError, match="found str, need a TrainedNetwork"):
        export_network("universal")  # type: ignore[arg-type]
