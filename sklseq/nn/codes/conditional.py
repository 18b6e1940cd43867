"""Encoder and decoder of rows with a likelihood, conditional on classes if there are any."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklseq.nn.layers.conditioning import concat_condition
from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.layers.likelihoods import Bernoulli, Gaussian, Likelihood
from sklseq.nn.layers.mixed import Layout, Mixed
from sklseq.nn.layers.weighted import class_means, shares

__all__ = ["ConditionalAutoencoder"]


class ConditionalAutoencoder(nn.Module):
    """Rows to latent codes, and codes to distributions of rows.

    The networks see rows centered by class and scaled to unit variance over all features, so that
    training does not depend on the unit and the origin of the numbers.

    Parameters
    ----------
    n_features : int
    n_components : int
        Dimension of the latent space, the decoder's input.
    n_encoded : int
        Outputs of the encoder.
    n_context : int, default=0
        Classes: encoder and decoder take them as one-hot rows.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Units of the encoder's hidden layers; the decoder has them in reverse.
    activation : str, default="relu"
    likelihood : {"gaussian", "bernoulli"} or sequence, default="gaussian"
        A sequence is the layout of `Mixed`: the kinds of the features.
    noise : str or float, default="learned"
        See `Gaussian`.
    """

    center: Tensor
    scale: Tensor
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
        # An offset of each class, whatever the code is.
        self.class_offset = nn.Parameter(torch.zeros(n_context, self.likelihood.n_parameters))
        self.n_components = n_components
        self.register_buffer("center", torch.zeros(max(n_context, 1), self.likelihood.n_values))
        self.register_buffer("scale", torch.ones(()))
        # Unit of the likelihood's parameters.
        self.register_buffer("unit", torch.ones(()))

    def encoded(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs of the encoder, ``(n, n_encoded)``."""
        return self.encoder(self._encoder_inputs(x, context))

    def _encoder_inputs(self, x: Tensor, context: Tensor | None) -> Tensor:
        values = self._centered(x[:, : self.likelihood.n_values], context) / self.scale
        return concat_condition(values, context)

    def _centered(self, x: Tensor, context: Tensor | None) -> Tensor:
        return x - (self.center if context is None else context @ self.center)

    def parameters_of(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of the likelihood, ``(n, n_parameters)``."""
        return self._in_units(self.decoder(concat_condition(z, context)), context)

    def _in_units(self, outputs: Tensor, context: Tensor | None) -> Tensor:
        if context is not None:
            outputs = outputs + context @ self.class_offset
        return self.unit * outputs

    def log_likelihood(self, z: Tensor, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-likelihood ``(n,)`` of rows, given their latent codes."""
        parameters = self._in_units(self.decoder(concat_condition(z, context)), context)
        return self.likelihood.log_prob(parameters, x)

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Let the decoder start at the best parameters for all rows of a class alike."""
        share = shares(x, weight)
        of_classes = share.T if context is None else (share * context).T
        if not isinstance(self.likelihood, Mixed):  # whose rows are normal scores
            ones = torch.ones_like(share) if context is None else context
            self.center.copy_(class_means(x, ones, share))
            variance = (share * self._centered(x, context).square()).sum(dim=0).mean()
            # Of equal rows only the rounding of their mean is left, which is no scale.
            rounding = (2 * torch.finfo(x.dtype).eps) ** 2 * (share * x.square()).sum(dim=0).mean()
            self.scale.copy_(torch.where(variance > rounding, variance, 1.0).sqrt())
            if isinstance(self.likelihood, Gaussian):
                self.unit.copy_(self.scale)
                if self.likelihood.learned:
                    self.likelihood.log_unit.copy_(self.scale.log())
        self.decoder.output.bias.zero_()
        starts = x.new_zeros(len(of_classes), self.likelihood.n_parameters)
        for start, of_class in zip(starts, of_classes, strict=True):
            if of_class.any():
                start.copy_(self.likelihood.initial_parameters(x, shares(x, of_class)))
        if context is None:
            self.decoder.output.bias.copy_(starts[0] / self.unit)
        else:
            self.class_offset.copy_(starts / self.unit)
        of_rows = starts.expand(len(x), -1) if context is None else context @ starts
        self.likelihood.initialize(of_rows, x, share)

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
