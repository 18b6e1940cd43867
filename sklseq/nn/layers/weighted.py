"""Statistics of weighted training rows, by which layers are initialized."""

import torch
from torch import Tensor

__all__ = ["class_means", "deviations", "shares"]


def shares(x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Weights that sum to one, of shape (n, 1); None weights all rows alike."""
    weight = x.new_ones(len(x)) if weight is None else weight
    return (weight / weight.sum()).unsqueeze(1)


def class_means(x: Tensor, context: Tensor, share: Tensor) -> Tensor:
    """Mean of each class, ``(n_context, n_columns)``; 0 for a class without weight."""
    total = (share * context).sum(dim=0).unsqueeze(1)
    return (share * context).T @ x / torch.where(total > 0, total, 1.0)


def deviations(centered: Tensor, share: Tensor) -> Tensor:
    """Standard deviation of each column, given its mean is zero; 1 for constant ones."""
    scale = (share * centered.square()).sum(dim=0).sqrt()
    return torch.where(scale > 0, scale, 1.0)
