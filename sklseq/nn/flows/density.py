"""The density of a transform to noise of a known distribution."""

import math

import torch
from torch import Tensor, nn

from sklseq.nn.flows.transforms import Transform

__all__ = ["BASES", "Flow", "StandardNormal", "StandardStudent"]


class StandardNormal(nn.Module):
    """Independent normal noise of mean 0 and variance 1."""

    def forward(self, z: Tensor) -> Tensor:
        """Log-density in nats of rows (n, n_features), of shape (n,)."""
        constant = 0.5 * math.log(2 * math.pi) * z.shape[1]
        return -0.5 * z.square().sum(dim=1) - constant


class StandardStudent(nn.Module):
    """Student's t distribution, spherical, with learned degrees of freedom.

    It is heavy-tailed: outliers, which are all but impossible under a normal distribution, have
    little influence on the flow (Jaini et al. 2020, Tails of Lipschitz triangular flows).
    """

    def __init__(self) -> None:
        super().__init__()
        # In tens: weight decay regularizes towards 10 degrees of freedom.
        self.log_tens = nn.Parameter(torch.zeros(()))

    @property
    def degrees_of_freedom(self) -> Tensor:
        return 10 * self.log_tens.exp()

    def forward(self, z: Tensor) -> Tensor:
        """Log-density in nats of rows (n, n_features), of shape (n,)."""
        df, n_features = self.degrees_of_freedom, z.shape[1]
        total = (df + n_features) / 2
        constant = total.lgamma() - (df / 2).lgamma() - n_features / 2 * (math.pi * df).log()
        return constant - total * (z.square().sum(dim=1) / df).log1p()


BASES: dict[str, type[nn.Module]] = {"normal": StandardNormal, "student": StandardStudent}


class Flow(nn.Module):
    """A density: a transform to noise of a base distribution.

    Parameters
    ----------
    transform : Transform
    base : {"normal", "student"}, default="normal"
        Distribution of the noise.
    """

    def __init__(self, transform: Transform, base: str = "normal"):
        super().__init__()
        self.transform = transform
        self.base = BASES[base]()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density in nats, of shape (n,)."""
        z, log_det = self.transform(x, context)
        return self.base(z) + log_det

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Noise of a row."""
        return self.transform(x, context)[0]

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Row of the noise."""
        return self.transform.inverse(z, context)[0]
