"""Variational autoencoders: a latent variable model and its approximate posterior."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklseq.nn.codes.bounds import VariationalBounds, bounded_log_variance
from sklseq.nn.codes.conditional import ConditionalAutoencoder
from sklseq.nn.layers.mixed import Layout

__all__ = ["VariationalAutoencoder"]


class VariationalAutoencoder(ConditionalAutoencoder, VariationalBounds):
    """Encoder and decoder of Kingma and Welling (2014), Auto-encoding variational Bayes.

    Parameters
    ----------
    n_features : int
    n_components : int
        Latent variables, with a standard normal prior.
    n_context : int, default=0
        Classes: encoder and decoder take them as one-hot rows.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Units of the encoder's hidden layers; the decoder has them in reverse.
    activation : str, default="relu"
    likelihood : {"gaussian", "bernoulli"} or sequence, default="gaussian"
        A sequence is the layout of `Mixed`: the kinds of the features.
    noise : str or float, default="learned"
        See `Gaussian`.
    n_importance_samples : int, default=32
        Latent draws by which the bounds are computed, the same for each row.
    seed : int, default=0
        Seed of these draws.
    """

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
        n_importance_samples: int = 32,
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
