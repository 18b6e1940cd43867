"""Autoregressive noise of sequences."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from sklseq.nn.layers.likelihoods import Gaussian
from sklseq.nn.ragged.packing import Packing

__all__ = ["AutoregressiveNoise"]

# Partial autocorrelations stay below one: at one the noise would have no stationary variance.
_LARGEST_PARTIAL = 0.999


class AutoregressiveNoise(nn.Module):
    """Stationary autoregressive Gaussian noise, independent between features.

    ``e_t = phi_1 e_(t-1) + ... + phi_p e_(t-p) + innovation``. The parameters are the partial
    autocorrelations, so that the process is stationary whatever they are; the first steps have
    its stationary distribution (Barndorff-Nielsen and Schou 1973, On the parametrization
    of autoregressive models by partial autocorrelations, equations 2 and 3).

    Parameters
    ----------
    n_values : int
    noise : {"learned", "diagonal"} or float
        Standard deviation of the innovations; see `Gaussian`.
    order : int
        Order of the process: earlier steps that the noise depends on; 0 for independent noise.
    """

    def __init__(self, n_values: int, noise: str | float = "diagonal", order: int = 1):
        super().__init__()
        self.innovations = Gaussian(n_values, noise)
        self.order = order
        self.raw_partial = nn.Parameter(torch.zeros(order, n_values))

    def predictors(self) -> tuple[Tensor, Tensor]:
        """Coefficients ``(order + 1, order, n_values)`` and log-deviations ``(order + 1, ...)``.

        Of the best linear prediction from 0, 1, ..., `order` earlier steps, and of its error (the
        Durbin-Levinson recursion).
        """
        partial = _LARGEST_PARTIAL * torch.tanh(self.raw_partial)
        n_values = self.innovations.n_values
        row = partial[:0]
        rows = []
        for k in range(self.order + 1):
            if k:
                row = torch.cat([row - partial[k - 1] * row.flip(0), partial[k - 1 : k]])
            rows.append(torch.cat([row, row.new_zeros(self.order - k, n_values)]))
        left = torch.log1p(-partial.square())
        explained = torch.cat([left.flip(0).cumsum(dim=0).flip(0), left.new_zeros(1, n_values)])
        return torch.stack(rows), self.innovations.log_scale() - 0.5 * explained

    def log_prob(self, noise: Tensor, packing: Packing) -> Tensor:
        """Log-density of each step given those before, ``(sum of lengths,)``.

        Parameters
        ----------
        noise : Tensor of shape (sum of lengths, n_values)
        packing : Packing
            Packing of the n sequences.
        """
        coefficients, log_scales = self.predictors()
        known = torch.from_numpy(np.minimum(packing.time, self.order)).to(noise.device)
        innovation = noise
        for lag in range(1, self.order + 1):
            earlier = torch.cat([torch.zeros_like(noise[:lag]), noise[:-lag]])[: len(noise)]
            # Of lags before the start, which reach into the sequence before, coefficients are 0.
            weight = coefficients[:, lag - 1].index_select(0, known)
            innovation = innovation - weight * earlier
        log_scale = log_scales.index_select(0, known)
        squares = (innovation * (-log_scales).exp().index_select(0, known)).square()
        return -(0.5 * squares + log_scale + 0.5 * math.log(2 * math.pi)).sum(dim=1)

    def draw(self, normal: Tensor, packing: Packing) -> Tensor:
        """Noise ``(sum of lengths, n_values)``, of as many standard normal numbers."""
        coefficients, log_scales = self.predictors()
        if packing.lanes is not None:
            packing = Packing(packing.lengths, packing.device)
        drawn: list[Tensor] = []
        parts = normal.index_select(0, packing.to_packed).split(packing.batch_sizes)
        for t, part in enumerate(parts):
            known = min(t, self.order)
            now = part * log_scales[known].exp()
            for lag in range(1, known + 1):
                now = now + coefficients[known, lag - 1] * drawn[t - lag][: len(part)]
            drawn.append(now)
        return torch.cat(drawn).index_select(0, packing.to_stacked)
