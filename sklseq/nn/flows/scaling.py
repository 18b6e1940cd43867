"""Scales and shifts of each feature, set from the training data before training starts."""

import torch
from torch import Tensor, nn

from sklseq.nn.flows.transforms import Transform

__all__ = ["ActNorm", "ClassNorm", "shares"]


class ActNorm(Transform):
    """A scale and a shift for each feature, first set so that training data become standard.

    Kingma and Dhariwal 2018, Glow, section 3.1. Starts as the identity; `initialise` sets it from
    all the training data at once, not from the first batch that happens to pass.

    Parameters
    ----------
    n_features : int
    """

    def __init__(self, n_features: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(n_features))
        self.shift = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return torch.addcmul(self.shift, x, self.log_scale.exp()), self.log_scale.sum()

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (z - self.shift) * (-self.log_scale).exp(), -self.log_scale.sum()

    @torch.no_grad()
    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        share = shares(x, weight)
        mean = (share * x).sum(dim=0)
        scale = _scale(x - mean, share)
        self.log_scale.copy_(-scale.log())
        self.shift.copy_(-mean / scale)
        return self.forward(x)[0]


class ClassNorm(Transform):
    """A scale and a shift for each feature in each class.

    Starts as the identity; `initialise` centres each class and divides by the standard deviation
    within classes, so that a flow knows from its first step where each class lies.

    Parameters
    ----------
    n_features : int
    n_context : int
        Classes; the context has a one for the class of a row, and zeros.
    """

    def __init__(self, n_features: int, n_context: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(n_context, n_features))
        self.shift = nn.Parameter(torch.zeros(n_context, n_features))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        log_scale = context @ self.log_scale
        return torch.addcmul(context @ self.shift, x, log_scale.exp()), log_scale.sum(dim=1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        log_scale = context @ self.log_scale
        return (z - context @ self.shift) * (-log_scale).exp(), -log_scale.sum(dim=1)

    @torch.no_grad()
    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        assert context is not None
        share = shares(x, weight)
        in_class = (share * context).sum(dim=0).unsqueeze(1)
        # A class without weight lies at the origin, as good as anywhere.
        means = (share * context).T @ x / torch.where(in_class > 0, in_class, 1)
        scale = _scale(x - context @ means, share)
        self.log_scale.copy_(-scale.log().expand_as(means))
        self.shift.copy_(-means / scale)
        return self.forward(x, context)[0]


def shares(x: Tensor, weight: Tensor | None) -> Tensor:
    """Weights that sum to one, of shape (n, 1); None counts all rows alike."""
    weight = x.new_ones(len(x)) if weight is None else weight
    return (weight / weight.sum()).unsqueeze(1)


def _scale(centred: Tensor, share: Tensor) -> Tensor:
    """Weighted standard deviations; what does not vary is left as large as it is."""
    scale = (share * centred.square()).sum(dim=0).sqrt()
    return torch.where(scale > 0, scale, torch.ones_like(scale))
