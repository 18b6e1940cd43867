"""The density that a transform to noise stands for."""

import math

from torch import Tensor, nn

from sklseq.nn.flows.transforms import Transform

__all__ = ["Flow"]


class Flow(nn.Module):
    """A density: a transform to the standard normal distribution.

    Parameters
    ----------
    transform : Transform
    """

    def __init__(self, transform: Transform):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density in nats, of shape (n,)."""
        z, log_det = self.transform(x, context)
        constant = 0.5 * math.log(2 * math.pi) * z.shape[1]
        return log_det - 0.5 * z.square().sum(dim=1) - constant

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The noise that a row stands for."""
        return self.transform(x, context)[0]

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """The row that the noise stands for."""
        return self.transform.inverse(z, context)[0]
