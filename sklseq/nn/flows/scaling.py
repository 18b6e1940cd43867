"""Scales and shifts of each feature, set from the training data before training starts."""

import torch
from torch import Tensor, nn

from sklseq.nn.flows.transforms import Transform
from sklseq.nn.layers.weighted import class_means, deviations

__all__ = ["ActNorm", "ClassNorm"]


class _Norm(Transform):
    """``(x - mean) / deviation * exp(log_scale) + shift``.

    Mean and deviation are not parameters: weight decay regularizes towards them.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, *shape: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape[-1]))
        self.log_scale = nn.Parameter(torch.zeros(shape))
        self.shift = nn.Parameter(torch.zeros(shape))

    def _of_rows(self, values: Tensor, context: Tensor | None) -> Tensor:
        """Values of all rows, or of each row's class."""
        return values

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self._of_rows(self.log_scale, context) - self.deviation.log()
        centered = x - self._of_rows(self.mean, context)
        z = torch.addcmul(self._of_rows(self.shift, context), centered, log_scale.exp())
        return z, log_scale.sum(dim=-1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self._of_rows(self.log_scale, context) - self.deviation.log()
        standard = (z - self._of_rows(self.shift, context)) * (-log_scale).exp()
        return standard + self._of_rows(self.mean, context), -log_scale.sum(dim=-1)


class ActNorm(_Norm):
    """A scale and a shift for each feature, initialized to standardize the training data.

    Kingma and Dhariwal 2018, Glow, section 3.1. Starts as the identity; `initialize` sets it from
    all the training data, not from the first batch.

    Parameters
    ----------
    n_features : int
    from_data : bool, default=True
        False keeps the identity, where the data are standardized already.
    """

    def __init__(self, n_features: int, from_data: bool = True):
        super().__init__(n_features)
        self.from_data = from_data

    def learn(self, x: Tensor, context: Tensor | None, share: Tensor) -> None:
        if self.from_data:
            self.mean.copy_((share * x).sum(dim=0))
            self.deviation.copy_(deviations(x - self.mean, share))


class ClassNorm(_Norm):
    """A scale and a shift for each feature in each class.

    Starts as the identity; `initialize` centers each class and divides by the standard deviation
    within classes, so that the flow starts at the normal distribution of each class.

    Parameters
    ----------
    n_features : int
    n_context : int
        Classes; the context has a one for the class of a row, and zeros.
    """

    def __init__(self, n_features: int, n_context: int):
        super().__init__(n_context, n_features)

    def _of_rows(self, values: Tensor, context: Tensor | None) -> Tensor:
        assert context is not None
        return context @ values

    def learn(self, x: Tensor, context: Tensor | None, share: Tensor) -> None:
        assert context is not None
        self.mean.copy_(class_means(x, context, share))
        self.deviation.copy_(deviations(x - context @ self.mean, share))
