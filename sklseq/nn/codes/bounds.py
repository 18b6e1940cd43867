"""Bounds of the log-density of rows that are decoded from latent variables."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.randomness import normal_noise

__all__ = ["VariationalBounds", "bounded_log_variance", "divergence"]

# Posterior variances between exp(-12) and exp(12).
_LARGEST_LOG_VARIANCE = 12.0


class VariationalBounds(nn.Module):
    """Evidence bounds of a model whose latent variables have a standard normal prior.

    The model defines `posterior` and `log_likelihood`, which take its rows as one or several
    tensors. Its constructor calls `make_draws`.
    """

    draws: Tensor
    even_draws: Tensor
    rows_seen: Tensor
    n_rows: Tensor

    def make_draws(self, n_importance_samples: int, n_components: int, seed: int) -> None:
        """Draw the latent noise by which the bounds are computed, the same for each row."""
        draws = _sobol_normal(n_importance_samples, n_components, seed)
        self.register_buffer("draws", draws)
        self.register_buffer("even_draws", _matched(draws))
        # Progress of training, for KL annealing.
        self.register_buffer("rows_seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("n_rows", torch.ones((), dtype=torch.int64))

    def posterior(self, *rows: Any) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent variables, ``(n, n_components)`` each."""
        raise NotImplementedError

    def log_likelihood(self, z: Tensor, *rows: Any) -> Tensor:
        """Log-density ``(n,)`` of rows, given their latent variables."""
        raise NotImplementedError

    def encode(self, *rows: Any) -> Tensor:
        """Posterior means."""
        return self.posterior(*rows)[0]

    def posterior_parameters(self, *rows: Any) -> Tensor:
        """Means and standard deviations of the latent variables, side by side."""
        mean, log_variance = self.posterior(*rows)
        return torch.cat([mean, (0.5 * log_variance).exp()], dim=1)

    def forward(self, *rows: Any) -> tuple[Tensor, Tensor]:
        """Log-likelihood ``(n,)`` at one draw each, and divergences ``(n, n_components)``."""
        mean, log_variance = self.posterior(*rows)
        z = torch.addcmul(mean, normal_noise(mean), (0.5 * log_variance).exp())
        return self.log_likelihood(z, *rows), divergence(mean, log_variance)

    def elbo(self, *rows: Any) -> Tensor:
        """Evidence lower bound of each row: Kingma and Welling (2014), equation 3."""
        log_likelihood, divergences = self.expected_terms(*rows)
        return log_likelihood - divergences.sum(dim=1)

    def expected_terms(self, *rows: Any) -> tuple[Tensor, Tensor]:
        """Expected log-likelihood ``(n,)``, and divergences ``(n, n_components)``.

        Expected over draws of mean zero and unit covariance: exact for a linear decoder.
        """
        mean, log_variance = self.posterior(*rows)
        terms = []
        for z in _at(mean, log_variance, self.even_draws):
            terms.append(self.log_likelihood(z, *rows))
        return torch.stack(terms).mean(dim=0), divergence(mean, log_variance)

    def iwae(self, *rows: Any) -> Tensor:
        """Importance weighted bound of each row: Burda et al. (2016), equation 8."""
        mean, log_variance = self.posterior(*rows)
        constant = 0.5 * math.log(2 * math.pi) * mean.shape[1]
        log_weights = []
        for z, noise in zip(_at(mean, log_variance, self.draws), self.draws, strict=True):
            log_likelihood = self.log_likelihood(z, *rows)
            prior = -0.5 * z.square().sum(dim=1) - constant
            proposal = -0.5 * (noise.square().sum() + log_variance.sum(dim=1)) - constant
            log_weights.append(log_likelihood + prior - proposal)
        return torch.logsumexp(torch.stack(log_weights), dim=0) - math.log(len(self.draws))


def bounded_log_variance(raw: Tensor) -> Tensor:
    """Log-variances of a posterior from a network's outputs."""
    return _LARGEST_LOG_VARIANCE * torch.tanh(raw / _LARGEST_LOG_VARIANCE)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each latent variable from the prior.

    Kingma and Welling (2014), appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def _at(mean: Tensor, log_variance: Tensor, draws: Tensor) -> Iterator[Tensor]:
    scale = (0.5 * log_variance).exp()
    for noise in draws:
        yield torch.addcmul(mean, noise, scale)


def _sobol_normal(n: int, n_dims: int, seed: int) -> Tensor:
    """Normal draws from a scrambled Sobol sequence, whose means have smaller errors."""
    engine = torch.quasirandom.SobolEngine(n_dims, scramble=True, seed=seed)
    uniform = engine.draw(n, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9)).to(torch.get_default_dtype())


def _matched(draws: Tensor) -> Tensor:
    """The draws with mean zero and, where there are enough of them, unit covariance."""
    n, n_dims = draws.shape
    if n == 1:
        return draws
    centered = (draws - draws.mean(dim=0)).double()
    if n > n_dims:
        factor = torch.linalg.cholesky(centered.T @ centered / n)
        centered = torch.linalg.solve_triangular(factor, centered.T, upper=False).T
    else:
        centered = centered / centered.square().mean(dim=0).sqrt()
    return centered.to(draws.dtype)
