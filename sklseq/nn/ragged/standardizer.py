"""Scale of steps."""

import torch
from torch import Tensor, nn

__all__ = ["Standardizer"]


class Standardizer(nn.Module):
    """Mean and standard deviation of each feature, as buffers.

    Parameters
    ----------
    n_features : int
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    def initialize(self, mean: Tensor, scale: Tensor) -> None:
        """Set the mean and the standard deviation of each feature."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, steps: Tensor) -> Tensor:
        """Standardized steps ``(sum of lengths, n_features)``."""
        return (steps - self.mean) / self.scale

    def undo(self, standardized: Tensor) -> Tensor:
        """Steps in the units of the data."""
        return standardized * self.scale + self.mean
