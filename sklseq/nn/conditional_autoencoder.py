"""Encoder and decoder of rows, perhaps for each class of its own, with a likelihood."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklseq.nn.feedforward import FeedForward
from sklseq.nn.likelihoods import Bernoulli, Gaussian, Likelihood
from sklseq.nn.mixed import Layout, Mixed

__all__ = ["ConditionalAutoencoder", "beside"]


class ConditionalAutoencoder(nn.Module):
    """Rows to codes, and codes to distributions of rows.

    Parameters
    ----------
    n_features : int
    n_components : int
        Numbers that the decoder takes.
    n_encoded : int
        Numbers that the encoder gives.
    n_context : int, default=0
        Classes, as one-hot rows beside the input of encoder and decoder.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Of the encoder; the decoder has them in reverse.
    activation : str, default="relu"
    likelihood : {"gaussian", "bernoulli"} or sequence, default="gaussian"
        A sequence is the layout of `Mixed`: what the features are.
    noise : str or float, default="learned"
        See `Gaussian`.
    """

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        n_encoded: int,
        n_context: int = 0,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        activation: str = "relu",
        likelihood: str | Layout = "gaussian",
        noise: str | float = "learned",
    ):
        super().__init__()
        self.likelihood = _likelihood(likelihood, n_features, noise)
        sizes = tuple(hidden_layer_sizes)
        self.encoder = FeedForward(
            (self.likelihood.n_values + n_context, *sizes, n_encoded), activation=activation
        )
        self.decoder = FeedForward(
            (n_components + n_context, *reversed(sizes), self.likelihood.n_parameters),
            activation=activation,
        )
        # What a class adds, whatever the code is.
        self.class_start = nn.Parameter(torch.zeros(n_context, self.likelihood.n_parameters))
        self.n_components = n_components

    def encoded(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the encoder makes of rows, ``(n, n_encoded)``."""
        return self.encoder(beside(x[:, : self.likelihood.n_values], context))

    def parameters_of(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of the likelihood, ``(n, n_parameters)``."""
        parameters = self.decoder(beside(z, context))
        return parameters if context is None else parameters + context @ self.class_start

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Let training start where the decoder fits all rows, or all of a class, alike."""
        share = (weight / weight.sum()).unsqueeze(1)
        self.decoder.output.bias.zero_()
        if context is None:
            start = self.likelihood.start(x, share)
            self.decoder.output.bias.copy_(start)
            start = start.expand(len(x), -1)
        else:
            for c, of_class in enumerate((share * context).unbind(dim=1)):
                if (total := of_class.sum()) > 0:
                    self.class_start[c] = self.likelihood.start(x, (of_class / total)[:, None])
            start = context @ self.class_start
        self.likelihood.calibrate(start, x, share)

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Expected rows."""
        return self.likelihood.mean(self.parameters_of(z, context))

    def draw(self, z: Tensor, uniform: Tensor, context: Tensor | None = None) -> Tensor:
        """Random rows, of uniform random numbers."""
        return self.likelihood.draw(self.parameters_of(z, context), uniform)


def _likelihood(kind: str | Layout, n_features: int, noise: str | float) -> Likelihood:
    if not isinstance(kind, str):
        return Mixed(kind, noise)
    return Gaussian(n_features, noise) if kind == "gaussian" else Bernoulli(n_features)


def beside(x: Tensor, context: Tensor | None) -> Tensor:
    """Columns of both, or of x alone."""
    return x if context is None else torch.cat([x, context], dim=1)
