"""What a network is punished for, per cell and then averaged."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def focal_loss(
    logits: Tensor,
    target: Tensor,
    /,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Weigh the cross-entropy of every element by how wrong it is, then average [1]_.

    ``-alpha_t (1 - p_t)^gamma log(p_t)``, where p_t is the probability that
    the network gives to what is true. The average is taken last: a rare,
    badly judged element keeps its full weight among many easy ones.

    Parameters
    ----------
    logits : Tensor, any shape
        Before the logistic function.
    target : Tensor, same shape
        1 or 0.
    gamma : float
        How strongly elements that are judged well are discounted; 0 gives the
        cross-entropy.
    alpha : float, optional
        Weight of elements with target 1; 1 - alpha is that of the others. All
        weigh 1 by default.
    weight : Tensor, same shape, optional
        Of each element; the average is over the sum of weights.

    References
    ----------
    .. [1] T.-Y. Lin et al., ICCV 2017, arXiv:1708.02002, eq. 5.

    Examples
    --------
    >>> round(float(focal_loss(torch.tensor([2.1972246]), torch.tensor([1.0]))), 8)
    0.00105361
    """
    # The logit of what is true; no power of a difference, whose gradient is lost near 1.
    toward = _full_precision(torch.where(target > 0.5, logits, -logits))
    loss = -torch.exp(gamma * functional.logsigmoid(-toward)) * functional.logsigmoid(toward)
    if alpha is not None:
        loss = loss * torch.where(target > 0.5, alpha, 1.0 - alpha)
    return _weighted_mean(loss, weight)


def multiclass_focal_loss(
    logits: Tensor,
    target: Tensor,
    /,
    *,
    gamma: float = 2.0,
    class_weight: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Weigh the cross-entropy of exclusive classes by how wrong it is, then average.

    Parameters
    ----------
    logits : Tensor, shape (batch, class, ...)
        Before the softmax.
    target : Tensor of int, shape (batch, ...)
        Class of each element; elements with -1 are not judged.
    gamma : float
        As in `focal_loss`; 0 gives the cross-entropy.
    class_weight : Tensor, shape (class,), optional
        Of each class, the alpha of the paper.
    weight : Tensor, shape (batch, ...), optional
        Of each element.

    Examples
    --------
    >>> logits = torch.log(torch.tensor([[0.7, 0.2, 0.1]]))
    >>> round(float(multiclass_focal_loss(logits, torch.tensor([1]))), 6)
    1.03004
    """
    judged = (target >= 0).to(logits.dtype)
    true = target.clamp_min(0)[:, None]
    logs = functional.log_softmax(_full_precision(logits), dim=1)
    log_true = logs.gather(1, true)[:, 0]
    # log(1 - p) as the sum of the other classes, exact where p is near 1.
    others = torch.scatter(logs, 1, true, float("-inf")).logsumexp(dim=1)
    loss = -torch.exp(gamma * others) * log_true
    if class_weight is not None:
        loss = loss * class_weight[true[:, 0]]
    return _weighted_mean(loss, judged if weight is None else judged * weight)


def dice_loss(logits: Tensor, target: Tensor, /, *, weight: Tensor | None = None) -> Tensor:
    """Give one minus the overlap of the positive elements with what is true [1]_.

    Parameters
    ----------
    logits, target : Tensor, shape (batch, ...)
        As in `focal_loss`; the overlap is taken per member of the batch.
    weight : Tensor, same shape, optional
        Of each element.

    References
    ----------
    .. [1] F. Milletari et al., 3DV 2016, arXiv:1606.04797, section 3.
    """
    share = torch.sigmoid(_full_precision(logits))
    if weight is not None:
        share, target = share * weight, target * weight
    over = tuple(range(1, logits.ndim))
    both = (share * target).sum(dim=over)
    # Squares, as in the paper. One element of doubt keeps an empty picture finite.
    total = (share**2).sum(dim=over) + (target**2).sum(dim=over)
    return (1 - (2 * both + 1) / (total + 1)).mean()


def offset_loss(offset: Tensor, target: Tensor, where: Tensor, /) -> Tensor:
    """Average the error of offsets, quadratic below half a cell and linear beyond.

    Parameters
    ----------
    offset, target : Tensor, shape (batch, 2, y, x)
        In cells.
    where : Tensor, shape (batch, y, x)
        Weight of each cell: 0 where there is no site to point to.
    """
    error = functional.smooth_l1_loss(_full_precision(offset), target, reduction="none", beta=0.5)
    return _weighted_mean(error.sum(dim=1), where)


def turn_loss(turn: Tensor, target: Tensor, weight: Tensor, /) -> Tensor:
    """Average the squared difference of orientations given as cosine and sine.

    It is 0 for the right orientation and 4 for the opposite phase, without a
    jump anywhere on the circle.

    Parameters
    ----------
    turn, target : Tensor, shape (batch, 2, y, x)
        Cosine and sine of the orientation times its symmetry; a target of 0, 0 is not known.
    weight : Tensor, shape (batch, y, x)
        Of each cell.
    """
    known = (target != 0).any(dim=1)
    return _weighted_mean(((_full_precision(turn) - target) ** 2).sum(dim=1), weight * known)


def _full_precision(values: Tensor) -> Tensor:
    """Give half precision, as mixed training makes it, as float32; float64 stays."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _weighted_mean(loss: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return loss.mean()
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)
