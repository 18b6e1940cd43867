"""Invertible transforms of rows, their composition and permutations of features.

``forward`` maps data to noise, as in training; ``inverse`` maps noise to data. Both
return ``(value, log_det)``, where ``log_det`` of shape (n,) is the logarithm of the absolute
determinant of the Jacobian of what was computed.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sklseq.nn.layers.weighted import shares

__all__ = ["Composition", "Permutation", "Transform"]


class Transform(nn.Module):
    """An invertible function of rows, which may depend on a `context`."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map data ``(n, n_features)`` towards noise, given a context ``(n, n_context)``."""
        raise NotImplementedError

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map noise towards data."""
        raise NotImplementedError

    @torch.no_grad()
    def initialize(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """Set the statistics of weighted training rows; returns ``forward(x)``."""
        self.learn(x, context, shares(x, weight))
        return self.forward(x, context)[0]

    def learn(self, x: Tensor, context: Tensor | None, share: Tensor) -> None:
        """Set what depends on training rows, of shares ``(n, 1)`` that sum to one."""


class Composition(Transform):
    """Transforms one after the other.

    Parameters
    ----------
    transforms : iterable of Transform
    """

    def __init__(self, transforms: Iterable[Transform]):
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_dets = []
        for transform in self.transforms:
            x, log_det = transform(x, context)
            log_dets.append(log_det)
        return x, _total(log_dets, x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_dets = []
        for transform in reversed(self.transforms):
            z, log_det = transform.inverse(z, context)  # type: ignore[operator]
            log_dets.append(log_det)
        return z, _total(log_dets, z)

    def initialize(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        for transform in self.transforms:
            x = transform.initialize(x, context, weight)  # type: ignore[operator]
        return x


def _total(log_dets: list[Tensor], like: Tensor) -> Tensor:
    """Sum of log-determinants, some of which are one number for all rows."""
    total = sum(log_dets, torch.zeros((), dtype=like.dtype, device=like.device))
    return total.expand(len(like)) if total.ndim == 0 else total


class Permutation(Transform):
    """The features in another order.

    Parameters
    ----------
    order : Tensor of shape (n_features,)
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Tensor):
        super().__init__()
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.index_select(1, self.order), x.new_zeros(())

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z.index_select(1, self.back), z.new_zeros(())
