"""Variational autoencoders: a latent variable model and its approximate posterior."""

from typing import Any

import torch
from torch import Tensor

from sklseq.nn.codes.bounds import VariationalBounds, bounded_log_variance
from sklseq.nn.codes.conditional import ConditionalAutoencoder

__all__ = ["VariationalAutoencoder"]


class VariationalAutoencoder(ConditionalAutoencoder, VariationalBounds):
    """Encoder and decoder of Kingma and Welling (2014), Auto-encoding variational Bayes.

    Parameters
    ----------
    n_components : int
        Latent variables, with a standard normal prior.
    n_importance_samples : int, default=32
        Latent draws by which the bounds are computed, the same for each row.
    seed : int, default=0
        Seed of these draws.
    **settings
        As in `ConditionalAutoencoder`.
    """

    def __init__(
        self, *, n_components: int, n_importance_samples: int = 32, seed: int = 0, **settings: Any
    ):
        super().__init__(n_components=n_components, n_encoded=2 * n_components, **settings)
        self.make_draws(n_importance_samples, n_components, seed)

    def posterior(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent variables, ``(n, n_components)`` each."""
        mean, raw = self.encoder(self._encoder_inputs(x, context)).chunk(2, dim=1)
        return mean, bounded_log_variance(raw)

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """See `ConditionalAutoencoder.initialize`."""
        self.n_rows.fill_(len(x))
        super().initialize(x, context, weight)
