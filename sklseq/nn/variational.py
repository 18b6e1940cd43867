"""Variational autoencoders: a latent variable model and its approximate posterior."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sklseq.nn.conditional_autoencoder import ConditionalAutoencoder
from sklseq.nn.mixed import Layout
from sklseq.nn.randomness import current_generator

__all__ = ["VariationalAutoencoder"]

# Posterior variances between exp(-12) and exp(12).
_LARGEST_LOG_VARIANCE = 12.0


class VariationalAutoencoder(ConditionalAutoencoder):
    """Encoder and decoder of Kingma and Welling (2014), Auto-encoding variational Bayes.

    Parameters
    ----------
    n_features : int
    n_components : int
        Latent variables, of standard normal prior.
    n_context : int, default=0
        Classes, as one-hot rows beside the input of encoder and decoder.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Of the encoder; the decoder has them in reverse.
    activation : str, default="relu"
    likelihood : {"gaussian", "bernoulli"} or sequence, default="gaussian"
        A sequence is the layout of `Mixed`: what the features are.
    noise : str or float, default="learned"
        See `Gaussian`.
    n_draws : int, default=32
        Latent draws with which the bounds are computed, the same for each row.
    seed : int, default=0
        Of these draws.
    """

    draws: Tensor
    even_draws: Tensor
    rows_seen: Tensor
    n_rows: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        n_context: int = 0,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        activation: str = "relu",
        likelihood: str | Layout = "gaussian",
        noise: str | float = "learned",
        n_draws: int = 32,
        seed: int = 0,
    ):
        super().__init__(
            n_features=n_features,
            n_components=n_components,
            n_encoded=2 * n_components,
            n_context=n_context,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            likelihood=likelihood,
            noise=noise,
        )
        draws = _sobol_normal(n_draws, n_components, seed)
        self.register_buffer("draws", draws)
        self.register_buffer("even_draws", _matched(draws))
        # Where training stands, for the warm-up of the divergence.
        self.register_buffer("rows_seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("n_rows", torch.ones((), dtype=torch.int64))

    def posterior(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent variables, ``(n, n_components)`` each."""
        mean, raw = self.encoded(x, context).chunk(2, dim=1)
        return mean, _LARGEST_LOG_VARIANCE * torch.tanh(raw / _LARGEST_LOG_VARIANCE)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Let training start where the decoder fits all rows, or all of a class, alike."""
        self.n_rows.fill_(len(x))
        super().initialise(x, context, weight)

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Posterior means."""
        return self.posterior(x, context)[0]

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-likelihood ``(n,)`` at one draw each, and divergences ``(n, n_components)``."""
        mean, log_variance = self.posterior(x, context)
        noise = torch.empty_like(mean).normal_(generator=current_generator())
        z = torch.addcmul(mean, noise, (0.5 * log_variance).exp())
        fit = self.likelihood.log_prob(self.parameters_of(z, context), x)
        return fit, divergence(mean, log_variance)

    def elbo(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Evidence lower bound of each row: equation 3 of the paper."""
        fit, kl = self.expected_terms(x, context)
        return fit - kl.sum(dim=1)

    def expected_terms(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Expected log-likelihood ``(n,)``, and divergences ``(n, n_components)``.

        The draws have mean zero and unit covariance, so that it is exact for a linear decoder.
        """
        mean, log_variance = self.posterior(x, context)
        fits = [
            self.likelihood.log_prob(self.parameters_of(z, context), x)
            for z in _at(mean, log_variance, self.even_draws)
        ]
        return torch.stack(fits).mean(dim=0), divergence(mean, log_variance)

    def iwae(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Importance weighted bound of each row: Burda et al. (2016), equation 8."""
        mean, log_variance = self.posterior(x, context)
        constant = 0.5 * math.log(2 * math.pi) * self.n_components
        log_weights = []
        for z, noise in zip(_at(mean, log_variance, self.draws), self.draws, strict=True):
            fit = self.likelihood.log_prob(self.parameters_of(z, context), x)
            prior = -0.5 * z.square().sum(dim=1) - constant
            proposal = -0.5 * (noise.square().sum() + log_variance.sum(dim=1)) - constant
            log_weights.append(fit + prior - proposal)
        return torch.logsumexp(torch.stack(log_weights), dim=0) - math.log(len(self.draws))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each latent variable from the prior (appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def _at(mean: Tensor, log_variance: Tensor, draws: Tensor) -> Iterator[Tensor]:
    scale = (0.5 * log_variance).exp()
    for noise in draws:
        yield torch.addcmul(mean, noise, scale)


def _sobol_normal(n: int, n_dims: int, seed: int) -> Tensor:
    """Normal draws from a scrambled Sobol sequence: their means err less than random ones."""
    engine = torch.quasirandom.SobolEngine(n_dims, scramble=True, seed=seed)
    uniform = engine.draw(n, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp(1e-9, 1 - 1e-9)).to(torch.get_default_dtype())


def _matched(draws: Tensor) -> Tensor:
    """The draws with mean zero and, where there are enough of them, unit covariance."""
    n, n_dims = draws.shape
    if n == 1:
        return draws
    centred = (draws - draws.mean(dim=0)).double()
    if n > n_dims:
        factor = torch.linalg.cholesky(centred.T @ centred / n)
        centred = torch.linalg.solve_triangular(factor, centred.T, upper=False).T
    else:
        centred = centred / centred.square().mean(dim=0).sqrt()
    return centred.to(draws.dtype)
