"""Losses against the formulas of the papers, element by element."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="losses need torch: pip install 'adatom[train]'")

from torch import Tensor  # noqa: E402
from torch.nn import functional  # noqa: E402

from adatom.networks.losses import (  # noqa: E402
    dice_loss,
    focal_loss,
    multiclass_focal_loss,
    offset_loss,
)

pytestmark = pytest.mark.network


def logit(p: float) -> float:
    return math.log(p / (1 - p))


@pytest.mark.parametrize(
    ("p", "target", "gamma", "alpha", "by_hand"),
    [
        # -(1 - p_t)^gamma log(p_t), times alpha_t.
        (0.9, 1, 2.0, None, 0.01 * 0.105360516),
        (0.9, 0, 2.0, None, 0.81 * 2.302585093),
        (0.5, 1, 2.0, 0.25, 0.25 * 0.25 * 0.693147181),
        (0.5, 0, 2.0, 0.25, 0.75 * 0.25 * 0.693147181),
        (0.968, 1, 5.0, None, 0.032**5 * 0.0325231917),
        (0.2, 1, 0.0, None, 1.609437912),
        (0.2, 1, 0.5, None, 0.8**0.5 * 1.609437912),
    ],
)
def test_the_focal_loss_is_that_of_the_paper(
    p: float, target: float, gamma: float, alpha: float | None, by_hand: float
) -> None:
    loss = focal_loss(
        torch.tensor([logit(p)], dtype=torch.float64),
        torch.tensor([float(target)], dtype=torch.float64),
        gamma=gamma,
        alpha=alpha,
    )
    assert float(loss) == pytest.approx(by_hand, rel=1e-6)


def test_the_focal_loss_is_averaged_after_it_is_weighed() -> None:
    # 99 pixels judged well and one badly. Averaged first, the 99 hide the one.
    p_true = torch.tensor([0.99] * 99 + [0.05], dtype=torch.float64)
    logits = torch.log(p_true / (1 - p_true))
    by_hand = (99 * 0.01**2 * -math.log(0.99) + 0.95**2 * -math.log(0.05)) / 100
    assert float(focal_loss(logits, torch.ones(100))) == pytest.approx(by_hand, rel=1e-9)
    mean = float(-torch.log(p_true).mean())
    averaged_first = (1 - math.exp(-mean)) ** 2 * mean
    assert by_hand > 100 * averaged_first


def test_the_focal_loss_without_focus_is_the_cross_entropy() -> None:
    logits = torch.linspace(-5, 5, 11, dtype=torch.float64)
    target = (torch.arange(11) % 2).double()
    expected = functional.binary_cross_entropy_with_logits(logits, target)
    assert float(focal_loss(logits, target, gamma=0.0)) == pytest.approx(float(expected))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_gradients_are_those_of_finite_differences(gamma: float) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 4, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    target = (torch.rand(2, 4, 3, generator=generator) > 0.5).double()
    classes = torch.tensor([[0, 1, 3], [2, -1, 0]])
    assert torch.autograd.gradcheck(lambda z: focal_loss(z, target, gamma=gamma), (logits,))
    assert torch.autograd.gradcheck(
        lambda z: multiclass_focal_loss(z, classes, gamma=gamma), (logits,)
    )
    assert torch.autograd.gradcheck(lambda z: dice_loss(z, target), (logits,))
    offset, where = logits.detach()[:, :2].clone().requires_grad_(), target[:, 0]
    aim = target[:, :2] * 0.3
    assert torch.autograd.gradcheck(lambda z: offset_loss(z, aim, where), (offset,))


@pytest.mark.parametrize("size", [-200.0, 200.0])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_certain_answers_have_finite_losses_and_gradients(size: float, gamma: float) -> None:
    for target in (0.0, 1.0):
        logits = torch.tensor([size], requires_grad=True)
        loss = focal_loss(logits, torch.tensor([target]), gamma=gamma)
        loss.backward()  # type: ignore[no-untyped-call]
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()
    logits = torch.tensor([[size, 0.0, -size]], requires_grad=True)
    loss = multiclass_focal_loss(logits, torch.tensor([0]), gamma=gamma)
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_two_exclusive_classes_are_one_binary_choice() -> None:
    logits = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()
    target = (torch.arange(50) % 3 == 0).long()
    binary = focal_loss(logits[:, 1] - logits[:, 0], target.double())
    assert float(multiclass_focal_loss(logits, target)) == pytest.approx(float(binary))


def test_elements_without_class_or_weight_are_not_judged() -> None:
    logits = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([[0, 1, 2, -1]])
    loss = multiclass_focal_loss(logits, target)
    logits[..., 3] = 100.0
    assert float(multiclass_focal_loss(logits, target)) == pytest.approx(float(loss))
    weight = torch.tensor([1.0, 0.0])
    loss = focal_loss(torch.tensor([0.3, 50.0]), torch.tensor([1.0, 0.0]), weight=weight)
    assert float(loss) == pytest.approx(float(focal_loss(torch.tensor([0.3]), torch.ones(1))))


def test_the_overlap_is_zero_loss_when_complete_and_near_one_when_absent() -> None:
    target = torch.zeros(1, 8, 8)
    target[0, 2:5, 2:5] = 1
    assert float(dice_loss(200 * (target - 0.5), target)) == pytest.approx(0, abs=1e-6)
    # 9 cells missed: 1 - 1 / (9 + 1).
    assert float(dice_loss(torch.full((1, 8, 8), -100.0), target)) == pytest.approx(0.9)


def averaged_first(logits: Tensor, target: Tensor) -> Tensor:
    """Give what some packages call focal loss: weighed by the mean, not by the pixel."""
    mean = functional.binary_cross_entropy_with_logits(logits, target)
    loss: Tensor = (1 - torch.exp(-mean)) ** 2 * mean
    return loss


def rare_spots(seed: int) -> tuple[Tensor, Tensor]:
    """Make noise with spots whose centers, 1 % of the pixels, are to be found."""
    generator = torch.Generator().manual_seed(seed)
    target = (torch.rand(8, 1, 32, 32, generator=generator) < 0.01).float()
    y, x = torch.meshgrid(torch.arange(-3.0, 4), torch.arange(-3.0, 4), indexing="ij")
    spot = torch.exp(-(y**2 + x**2) / 2)[None, None]
    noise = torch.randn(8, 1, 32, 32, generator=generator)
    return 4 * functional.conv2d(target, spot, padding=3) + 0.5 * noise, target


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rare_pixels_are_learnt_by_the_focal_loss_but_not_when_it_is_averaged_first(
    seed: int,
) -> None:
    def recall(loss_function: object) -> float:
        torch.manual_seed(seed)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 5, padding=2),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 1, 3, padding=1),
        )
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)
        for step in range(300):
            picture, target = rare_spots(1000 * seed + step)
            optimizer.zero_grad()
            loss_function(net(picture), target).backward()  # type: ignore[operator]
            optimizer.step()
        picture, target = rare_spots(999)
        found = net(picture) > 0
        assert float(found.float().mean()) < 0.05
        return float(found[target > 0].float().mean())

    assert recall(focal_loss) > 0.7
    assert recall(averaged_first) < 0.1
