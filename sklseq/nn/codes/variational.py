"""Variational autoencoders: a latent variable model and its approximate posterior."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sklseq.nn.codes.bounds import VariationalBounds, bounded_log_variance
from sklseq.nn.codes.conditional import ConditionalAutoencoder
from sklseq.nn.layers.mixed import Layout

__all__ = ["VariationalAutoencoder"]


class VariationalAutoencoder(VariationalBounds, ConditionalAutoencoder):
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
        self.make_draws(n_draws, n_components, seed)

    def posterior(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent variables, ``(n, n_components)`` each."""
        mean, raw = self.encoded(x, context).chunk(2, dim=1)
        return mean, bounded_log_variance(raw)

    def log_likelihood(self, z: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-density ``(n,)`` of rows, given their latent variables."""
        return self.likelihood.log_prob(self.parameters_of(z, context), x)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Let training start where the decoder fits all rows, or all of a class, alike."""
        self.n_rows.fill_(len(x))
        super().initialise(x, context, weight)
