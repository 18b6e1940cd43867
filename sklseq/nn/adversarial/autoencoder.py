"""Adversarial autoencoders: a discriminator compares latent codes with draws of a prior."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.adversarial.discriminator import (
    GENERATOR_LOSSES,
    discriminator_loss,
    discriminator_network,
)
from sklseq.nn.adversarial.energy_distance import energy_distances
from sklseq.nn.codes.conditional import ConditionalAutoencoder
from sklseq.nn.layers.conditioning import concat_condition
from sklseq.nn.layers.randomness import normal_noise, uniform_noise
from sklseq.nn.layers.weighted import shares

__all__ = ["PRIORS", "AdversarialAutoencoder", "CodePrior"]

PRIORS = ("gaussian", "mixture", "categorical")
# Radius of the ring of component means, in standard deviations of the other dimensions.
_RADIUS = 3.0
# Standard deviations between neighboring means.
_SEPARATION = 6.0
# Standard deviation of the instance noise in the ring's dimensions: without it there is no
# gradient between the means, and a cluster does not leave a mean that it shares for an empty one.
_INSTANCE_NOISE = 1.0


class CodePrior(nn.Module):
    """Prior of the latent codes, drawn from normal and uniform random numbers.

    Parameters
    ----------
    kind : {"gaussian", "mixture", "categorical"}
        Standard normal; a mixture of normal distributions whose means lie on a ring in the first
        two dimensions, standard normal in the others (Makhzani et al. 2015, section 2.3); or a
        one-hot category followed by a standard normal style (sections 5 and 6).
    n_components : int
        Normal dimensions of a code.
    n_groups : int
        Components of the mixture, or categories.
    """

    component_means: Tensor
    scale: Tensor

    def __init__(self, kind: str, n_components: int, n_groups: int):
        super().__init__()
        self.kind, self.n_components, self.n_groups = kind, n_components, n_groups
        self.n_values = n_components + (n_groups if kind == "categorical" else 0)
        means, scale = torch.zeros(1, n_components), torch.ones(n_components)
        if kind == "categorical":
            means = torch.eye(n_groups)
        elif kind == "mixture":
            angle = 2 * math.pi * torch.arange(n_groups) / n_groups
            means = torch.zeros(n_groups, n_components)
            means[:, 0], means[:, 1] = _RADIUS * angle.cos(), _RADIUS * angle.sin()
            scale[:2] = 2 * _RADIUS * math.sin(math.pi / n_groups) / _SEPARATION
        self.register_buffer("component_means", means)
        self.register_buffer("scale", scale)

    def forward(self, normal: Tensor, uniform: Tensor) -> Tensor:
        """Draws ``(n, n_values)``, of ``(n, n_components)`` and ``(n, 1)`` random numbers."""
        n_means = len(self.component_means)
        index = (uniform[:, 0] * n_means).long().clamp(max=n_means - 1)
        mean = self.component_means.index_select(0, index)
        if self.kind == "categorical":
            return torch.cat([mean, normal], dim=1)
        return torch.addcmul(mean, normal, self.scale)

    def codes(self, encoded: Tensor) -> Tensor:
        """Codes of an encoder's outputs: categories become probabilities."""
        if self.kind != "categorical":
            return encoded
        groups, style = encoded.tensor_split([self.n_groups], dim=1)
        return torch.cat([groups.softmax(dim=1), style], dim=1)

    def discriminator_inputs(self, codes: Tensor, context: Tensor | None) -> Tensor:
        """Codes as the discriminator sees them.

        Categories are as far apart as the means on a ring, and a ring gets instance noise
        (Arjovsky and Bottou 2017, Towards principled methods for training GANs, section 3). With
        the same noise, codes and draws are distributed alike only if they were without it.
        """
        if self.kind == "categorical":
            groups, style = codes.tensor_split([self.n_groups], dim=1)
            codes = torch.cat([_RADIUS * groups, style], dim=1)
        elif self.kind == "mixture":
            ring, others = codes.tensor_split([2], dim=1)
            codes = torch.cat([ring + _INSTANCE_NOISE * normal_noise(ring), others], dim=1)
        return concat_condition(codes, context)


class AdversarialAutoencoder(nn.Module):
    """Encoder, decoder and discriminator of Makhzani et al. (2015), Adversarial autoencoders.

    Encoder, decoder and discriminator see the class of a row, if there are classes: the codes of
    each class then have the prior's distribution, and hold what the class does not determine.

    Parameters
    ----------
    n_components : int
        Normal dimensions of a code.
    n_context : int, default=0
        Classes.
    prior : {"gaussian", "mixture", "categorical"}, default="gaussian"
        See `CodePrior`.
    n_groups : int, default=10
        Components of the mixture, or categories.
    discriminator_layer_sizes : sequence of int, default=(64, 64)
    **settings
        As in `ConditionalAutoencoder`.
    """

    def __init__(
        self,
        *,
        n_components: int,
        n_context: int = 0,
        prior: str = "gaussian",
        n_groups: int = 10,
        discriminator_layer_sizes: Sequence[int] = (64, 64),
        **settings: Any,
    ):
        super().__init__()
        self.prior = CodePrior(prior, n_components, n_groups)
        n = self.prior.n_values
        self.autoencoder = ConditionalAutoencoder(
            n_components=n, n_encoded=n, n_context=n_context, **settings
        )
        self.discriminator = discriminator_network(n + n_context, discriminator_layer_sizes)

    def initialize(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """See `ConditionalAutoencoder.initialize`; outputs for categories start whitened."""
        self.autoencoder.initialize(x, context, weight)
        if self.prior.kind == "categorical":
            self._whiten(x, context, weight)

    @torch.no_grad()
    def _whiten(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Give the encoder's outputs mean 0, variance 1 and no correlation.

        Clusters then lie apart in all directions alike, as categories do. Two clusters that start
        in one category would hardly leave it.
        """
        share = shares(x, weight)
        encoded = self.autoencoder.encoded(x, context)
        mean = (share * encoded).sum(dim=0)
        covariance = (share * (encoded - mean)).T @ (encoded - mean)
        if not covariance.isfinite().all():
            return  # training raises the error
        values, vectors = torch.linalg.eigh(covariance)
        # Directions in which rows hardly vary are not amplified.
        values = values.clamp(min=1e-4 * float(values.max()))
        values = torch.where(values > 0, values, 1.0)
        whitening = (vectors / values.sqrt()) @ vectors.T
        output = self.autoencoder.encoder.output
        output.weight.copy_(whitening @ output.weight)
        output.bias.copy_(whitening @ (output.bias - mean))

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Latent codes ``(n, n_values of the prior)``."""
        return self.prior.codes(self.autoencoder.encoded(x, context))

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Expected rows."""
        return self.autoencoder.decode(z, context)

    def draw(self, z: Tensor, uniform: Tensor, context: Tensor | None = None) -> Tensor:
        """Random rows, of uniform random numbers."""
        return self.autoencoder.draw(z, uniform, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-likelihood of each row given its code, ``(n,)``, and the codes."""
        z = self.encode(x, context)
        return self.autoencoder.log_likelihood(z, x, context), z

    def log_likelihood(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-likelihood of each row given its code, ``(n,)``."""
        return self(x, context)[0]

    def prior_draws(self, like: Tensor) -> Tensor:
        """As many draws of the prior as `like` has rows."""
        n = len(like)
        return self.prior(normal_noise(like, n, self.prior.n_components), uniform_noise(like, n, 1))

    def discriminator_loss(
        self, x: Tensor, context: Tensor | None, weight: Tensor, loss: str, penalty: float
    ) -> Tensor:
        """Loss of the discriminator: draws of the prior are real, codes are fake."""
        real = self.prior.discriminator_inputs(self.prior_draws(x), context)
        fake = self.prior.discriminator_inputs(self.encode(x, context), context).detach()
        return discriminator_loss(self.discriminator, real, fake, loss, penalty, weight)

    def generator_loss(
        self, z: Tensor, context: Tensor | None, weight: Tensor, loss: str
    ) -> Tensor:
        """Adversarial loss of the encoder, the generator of codes."""
        real = self.prior.discriminator_inputs(self.prior_draws(z), context)
        fake = self.prior.discriminator_inputs(z, context)
        outputs = self.discriminator(real), self.discriminator(fake)
        return (weight * GENERATOR_LOSSES[loss](*outputs)[:, 0]).mean()

    def distances(self, z: Tensor, weight: Tensor | None = None) -> Tensor:
        """Energy distance of codes from draws of the prior, by row, ``(n,)``."""
        return energy_distances(z, self.prior_draws(z), weight)
