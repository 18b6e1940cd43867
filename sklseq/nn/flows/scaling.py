"""Scales and shifts of each feature, set from the training data before training starts."""

import torch
from torch import Tensor, nn

from sklseq.nn.flows.transforms import Transform

__all__ = ["ActNorm", "ClassNorm", "shares"]


class _Norm(Transform):
    """``(x - mean) / deviation * exp(log_scale) + shift``.

    What comes from the data is no parameter: weight decay leads back to it, not away from it.
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
        """Those of all rows, or of each row."""
        return values

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self._of_rows(self.log_scale, context) - self.deviation.log()
        centred = x - self._of_rows(self.mean, context)
        z = torch.addcmul(self._of_rows(self.shift, context), centred, log_scale.exp())
        return z, log_scale.sum(dim=-1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale = self._of_rows(self.log_scale, context) - self.deviation.log()
        standard = (z - self._of_rows(self.shift, context)) * (-log_scale).exp()
        return standard + self._of_rows(self.mean, context), -log_scale.sum(dim=-1)


class ActNorm(_Norm):
    """A scale and a shift for each feature, first set so that training data become standard.

    Kingma and Dhariwal 2018, Glow, section 3.1. Starts as the identity; `initialise` sets it from
    all the training data at once, not from the first batch that happens to pass.

    Parameters
    ----------
    n_features : int
    from_data : bool, default=True
        False keeps the identity, for where the data are standard already.
    """

    def __init__(self, n_features: int, from_data: bool = True):
        super().__init__(n_features)
        self.from_data = from_data

    @torch.no_grad()
    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        if not self.from_data:
            return self.forward(x)[0]
        share = shares(x, weight)
        self.mean.copy_((share * x).sum(dim=0))
        self.deviation.copy_(_scale(x - self.mean, share))
        return self.forward(x)[0]


class ClassNorm(_Norm):
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
        super().__init__(n_context, n_features)

    def _of_rows(self, values: Tensor, context: Tensor | None) -> Tensor:
        assert context is not None
        return context @ values

    @torch.no_grad()
    def initialise(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        assert context is not None
        share = shares(x, weight)
        in_class = (share * context).sum(dim=0).unsqueeze(1)
        # A class without weight lies at the origin, as good as anywhere.
        self.mean.copy_((share * context).T @ x / torch.where(in_class > 0, in_class, 1))
        self.deviation.copy_(_scale(x - context @ self.mean, share))
        return self.forward(x, context)[0]


def shares(x: Tensor, weight: Tensor | None) -> Tensor:
    """Weights that sum to one, of shape (n, 1); None counts all rows alike."""
    weight = x.new_ones(len(x)) if weight is None else weight
    return (weight / weight.sum()).unsqueeze(1)


def _scale(centred: Tensor, share: Tensor) -> Tensor:
    """Weighted standard deviations; what does not vary is left as large as it is."""
    scale = (share * centred.square()).sum(dim=0).sqrt()
    return torch.where(scale > 0, scale, torch.ones_like(scale))
