"""Likelihoods: distributions of rows, given the outputs of a decoder.

A likelihood holds the parameters that all rows share, such as a learned noise; the others,
`n_parameters` for a row of `n_values`, are outputs of the network.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

__all__ = ["LARGEST_LOG_SCALE", "Bernoulli", "Gaussian", "Likelihood"]

# Standard deviations between exp(-7) and exp(7): with a noise of zero the density is infinite.
LARGEST_LOG_SCALE = 7.0


class Likelihood(nn.Module):
    """A distribution of rows of `n_values` numbers, given `n_parameters` numbers for each."""

    n_values: int
    n_parameters: int

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Log-density of each row in nats, of shape (n,).

        Parameters
        ----------
        parameters : Tensor of shape (n, n_parameters)
        x : Tensor of shape (n, n_values)
        """
        raise NotImplementedError

    def mean(self, parameters: Tensor) -> Tensor:
        """Expected rows, of shape (n, n_values)."""
        raise NotImplementedError

    def draw(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        """Random rows of shape (n, n_values), made of as many uniform random numbers."""
        raise NotImplementedError

    def initial_parameters(self, x: Tensor, share: Tensor) -> Tensor:
        """Best parameters that are the same for all rows, of shape (n_parameters,).

        Parameters
        ----------
        x : Tensor of shape (n, n_values)
        share : Tensor of shape (n, 1)
            Weights that sum to 1.
        """
        raise NotImplementedError

    def initialize(self, parameters: Tensor, x: Tensor, share: Tensor) -> None:
        """Set the parameters shared by all rows to the best ones, given the others."""


class Gaussian(Likelihood):
    """Independent normal values around the parameters.

    Parameters
    ----------
    n_values : int
    noise : {"learned", "diagonal"} or float, default="learned"
        Standard deviation: one learned for all values, one for each, or a number that is kept.
    """

    log_unit: Tensor

    def __init__(self, n_values: int, noise: str | float = "learned"):
        super().__init__()
        self.n_values = self.n_parameters = n_values
        self.learned = isinstance(noise, str)
        # The learned scale and its bounds are relative to it.
        self.register_buffer("log_unit", torch.zeros(()))
        size = n_values if noise == "diagonal" else 1
        start = 0.0 if isinstance(noise, str) else _to_raw(math.log(noise))
        raw = torch.full((size,), start)
        if self.learned:
            self.raw_log_scale = nn.Parameter(raw)
        else:
            self.register_buffer("raw_log_scale", raw)

    def log_scale(self) -> Tensor:
        """Logarithm of the standard deviations, of shape (1,) or (n_values,)."""
        bounded = LARGEST_LOG_SCALE * torch.tanh(self.raw_log_scale / LARGEST_LOG_SCALE)
        return bounded + self.log_unit

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        log_scale = self.log_scale()
        squares = ((x - parameters) * (-log_scale).exp()).square().sum(dim=1)
        normalizer = log_scale.expand(self.n_values).sum()
        return -0.5 * squares - normalizer - 0.5 * math.log(2 * math.pi) * self.n_values

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters

    def draw(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        smallest = torch.finfo(uniform.dtype).eps
        noise = torch.special.ndtri(uniform.clamp(smallest, 1 - smallest))
        return torch.addcmul(parameters, noise, self.log_scale().exp())

    def initial_parameters(self, x: Tensor, share: Tensor) -> Tensor:
        return (share * x).sum(dim=0)

    def initialize(self, parameters: Tensor, x: Tensor, share: Tensor) -> None:
        if not self.learned:
            return
        variance = (share * (x - parameters).square()).sum(dim=0)
        if len(self.raw_log_scale) == 1:
            variance = variance.mean(dim=0, keepdim=True)
        limit = 0.95 * LARGEST_LOG_SCALE
        variance = variance * (-2 * self.log_unit).exp()
        log_scale = (0.5 * variance.clamp(min=1e-6).log()).clamp(-limit, limit)
        self.raw_log_scale.copy_(LARGEST_LOG_SCALE * torch.atanh(log_scale / LARGEST_LOG_SCALE))


def _to_raw(log_scale: float) -> float:
    share = max(-0.999, min(0.999, log_scale / LARGEST_LOG_SCALE))
    return LARGEST_LOG_SCALE * math.atanh(share)


class Bernoulli(Likelihood):
    """Independent values that are 0 or 1; the parameters are logits.

    Values in between count as a mixture of both, so that pixels may be gray.

    Parameters
    ----------
    n_values : int
    """

    def __init__(self, n_values: int):
        super().__init__()
        self.n_values = self.n_parameters = n_values

    def log_prob(self, parameters: Tensor, x: Tensor) -> Tensor:
        return -binary_cross_entropy_with_logits(parameters, x, reduction="none").sum(dim=1)

    def mean(self, parameters: Tensor) -> Tensor:
        return parameters.sigmoid()

    def draw(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        return (uniform < parameters.sigmoid()).to(parameters.dtype)

    def initial_parameters(self, x: Tensor, share: Tensor) -> Tensor:
        return (share * x).sum(dim=0).clamp(1e-3, 1 - 1e-3).logit()
