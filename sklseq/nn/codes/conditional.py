"""Encoder and decoder of rows, perhaps for each class of its own, with a likelihood."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.layers.likelihoods import Bernoulli, Gaussian, Likelihood
from sklseq.nn.layers.mixed import Layout, Mixed

__all__ = ["ConditionalAutoencoder", "beside"]


class ConditionalAutoencoder(nn.Module):
    """Rows to codes, and codes to distributions of rows.

    Within it rows of each class have mean zero and, over all features, unit variance: training
    does not depend on the unit and the origin of the numbers.

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

    centre: Tensor
    spread: Tensor
    unit: Tensor

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
        self.register_buffer("centre", torch.zeros(max(n_context, 1), self.likelihood.n_values))
        self.register_buffer("spread", torch.ones(()))
        # Of the likelihood's parameters.
        self.register_buffer("unit", torch.ones(()))

    def encoded(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the encoder makes of rows, ``(n, n_encoded)``."""
        standard = self._centred(x[:, : self.likelihood.n_values], context) / self.spread
        return self.encoder(beside(standard, context))

    def _centred(self, x: Tensor, context: Tensor | None) -> Tensor:
        return x - (self.centre if context is None else context @ self.centre)

    def parameters_of(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of the likelihood, ``(n, n_parameters)``."""
        parameters = self.decoder(beside(z, context))
        if context is not None:
            parameters = parameters + context @ self.class_start
        return self.unit * parameters

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Let training start where the decoder fits all rows, or all of a class, alike."""
        share = (weight / weight.sum()).unsqueeze(1)
        of_classes = share.T if context is None else (share * context).T
        if not isinstance(self.likelihood, Mixed):  # whose rows are normal scores
            total = of_classes.sum(dim=1, keepdim=True)
            self.centre.copy_(of_classes @ x / torch.where(total > 0, total, 1.0))
            variance = (share * self._centred(x, context).square()).sum(dim=0).mean()
            self.spread.copy_(torch.where(variance > 0, variance, 1.0).sqrt())
            if isinstance(self.likelihood, Gaussian):
                self.unit.copy_(self.spread)
                if self.likelihood.learned:
                    self.likelihood.log_unit.copy_(self.spread.log())
        self.decoder.output.bias.zero_()
        starts = x.new_zeros(len(of_classes), self.likelihood.n_parameters)
        for start, of_class in zip(starts, of_classes, strict=True):
            if (total := of_class.sum()) > 0:
                start.copy_(self.likelihood.start(x, (of_class / total)[:, None]))
        if context is None:
            self.decoder.output.bias.copy_(starts[0] / self.unit)
        else:
            self.class_start.copy_(starts / self.unit)
        of_rows = starts.expand(len(x), -1) if context is None else context @ starts
        self.likelihood.calibrate(of_rows, x, share)

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
