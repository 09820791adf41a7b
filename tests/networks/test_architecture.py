"""Networks by their description."""

from __future__ import annotations

import pytest

from adatom.errors import SettingError
from adatom.networks import Architecture

torch = pytest.importorskip("torch", reason="networks need torch: pip install 'adatom[train]'")

from adatom.networks.blocks import build_network  # noqa: E402

pytestmark = pytest.mark.network


@pytest.mark.parametrize("kind", ["unet", "pyramid"])
def test_a_network_gives_its_channels_at_half_resolution(kind: str) -> None:
    architecture = Architecture(kind=kind, width=4, classes=("W", "Se"), symmetry=6)  # type: ignore[arg-type]
    assert architecture.channels == (
        "center", "offset_y", "offset_x", "lattice", "class:W", "class:Se", "cos", "sin",
    )  # fmt: skip
    maps = build_network(architecture)(torch.zeros(2, 1, 32, 48))
    assert maps.shape == (2, 8, 16, 24)


def test_a_fresh_network_expects_few_sites() -> None:
    with torch.no_grad():
        maps = build_network(Architecture(width=8)).eval()(torch.zeros(1, 1, 64, 64))
    assert 0.05 < float(torch.sigmoid(maps[0, 0]).mean()) < 0.3


def test_the_seed_alone_says_the_first_weights() -> None:
    one, same, other = (build_network(Architecture(width=4), seed=seed) for seed in (1, 1, 2))
    before = torch.random.get_rng_state()
    build_network(Architecture(width=4), seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
    assert not torch.equal(one.heads.weight, other.heads.weight)


def test_the_maps_shift_with_the_picture() -> None:
    # Fully convolutional: 16 px of shift are 8 cells, away from the border.
    network = build_network(Architecture(width=4), seed=0).eval()
    picture = torch.zeros(1, 1, 256, 256)
    picture[0, 0, 120:130, 120:130] = torch.randn(10, 10)
    with torch.no_grad():
        here, there = network(picture), network(torch.roll(picture, (16, 16), (2, 3)))
    inner = slice(48, 80)
    moved = slice(56, 88)
    assert torch.allclose(here[..., inner, inner], there[..., moved, moved], atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "resnet"}, "kind='resnet' is not known: use one of unet, pyramid"),
        ({"width": 2}, "width=2 must lie between 4 and 256"),
        ({"classes": ("C",)}, "must be none, or two or more different names"),
        ({"symmetry": -1}, "symmetry=-1 must be 0"),
    ],
)
def test_impossible_networks_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Architecture(**settings)  # type: ignore[arg-type]
