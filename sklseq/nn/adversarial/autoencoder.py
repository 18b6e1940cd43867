"""Adversarial autoencoders: codes that a critic cannot tell from draws of a prior."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sklseq.nn.adversarial.gan import (
    GENERATOR_LOSSES,
    critic_loss,
    critic_network,
    energy_distances,
)
from sklseq.nn.codes.conditional import ConditionalAutoencoder, beside
from sklseq.nn.layers.mixed import Layout
from sklseq.nn.layers.randomness import current_generator

__all__ = ["PRIORS", "AdversarialAutoencoder", "CodePrior"]

PRIORS = ("gaussian", "mixture", "categorical")
# Of the ring that the means of a mixture lie on, in standard deviations of the other values.
_RADIUS = 3.0
# Standard deviations between neighbours on the ring.
_APART = 6.0
# Of the noise on what the critic sees of a ring: without it there is no slope between the means,
# and a cluster does not leave a mean that it shares for one that is empty.
_BLUR = 1.0


class CodePrior(nn.Module):
    """What codes are to be distributed as, made of normal and uniform numbers.

    Parameters
    ----------
    kind : {"gaussian", "mixture", "categorical"}
        Standard normal; normal distributions whose means lie on a ring in the first two values,
        as in Makhzani et al. (2015), section 2.3, and which are standard normal in the others; or
        one of `n_groups` ones among zeros, beside a standard normal style (sections 5 and 6).
    n_components : int
        Normal numbers in a code.
    n_groups : int
        Distributions of the mixture, or categories.
    """

    places: Tensor
    scale: Tensor

    def __init__(self, kind: str, n_components: int, n_groups: int):
        super().__init__()
        self.kind, self.n_components, self.n_groups = kind, n_components, n_groups
        self.n_values = n_components + (n_groups if kind == "categorical" else 0)
        places, scale = torch.zeros(1, n_components), torch.ones(n_components)
        if kind == "categorical":
            places = torch.eye(n_groups)
        elif kind == "mixture":
            angle = 2 * math.pi * torch.arange(n_groups) / n_groups
            places = torch.zeros(n_groups, n_components)
            places[:, 0], places[:, 1] = _RADIUS * angle.cos(), _RADIUS * angle.sin()
            scale[:2] = 2 * _RADIUS * math.sin(math.pi / n_groups) / _APART
        self.register_buffer("places", places)
        self.register_buffer("scale", scale)

    def forward(self, normal: Tensor, uniform: Tensor) -> Tensor:
        """Draws ``(n, n_values)``, of ``(n, n_components)`` and ``(n, 1)`` random numbers."""
        n_places = len(self.places)
        index = (uniform[:, 0] * n_places).long().clamp(max=n_places - 1)
        place = self.places.index_select(0, index)
        if self.kind == "categorical":
            return torch.cat([place, normal], dim=1)
        return torch.addcmul(place, normal, self.scale)

    def codes(self, encoded: Tensor) -> Tensor:
        """What an encoder gives as a code: categories as probabilities."""
        if self.kind != "categorical":
            return encoded
        groups, style = encoded.tensor_split([self.n_groups], dim=1)
        return torch.cat([groups.softmax(dim=1), style], dim=1)

    def seen(self, codes: Tensor, context: Tensor | None) -> Tensor:
        """Codes as the critic sees them.

        Categories are as far apart as the means on a ring, and a ring is blurred (Arjovsky and
        Bottou 2017, Towards principled methods for training GANs, section 3): blurred alike,
        codes and draws have one distribution only if they had.
        """
        if self.kind == "categorical":
            groups, style = codes.tensor_split([self.n_groups], dim=1)
            codes = torch.cat([_RADIUS * groups, style], dim=1)
        elif self.kind == "mixture":
            ring, others = codes.tensor_split([2], dim=1)
            noise = torch.empty_like(ring).normal_(generator=current_generator())
            codes = torch.cat([ring + _BLUR * noise, others], dim=1)
        return beside(codes, context)


class AdversarialAutoencoder(nn.Module):
    """Encoder, decoder and critic of Makhzani et al. (2015), Adversarial autoencoders.

    Encoder and decoder see the class of a row, if there are any; so does the critic: the codes of
    each class are to be distributed as the prior, and the code then tells what the class does not.

    Parameters
    ----------
    n_features, n_components : int
    n_context : int, default=0
    hidden_layer_sizes, activation, likelihood, noise
        As in `ConditionalAutoencoder`.
    prior : {"gaussian", "mixture", "categorical"}, default="gaussian"
        See `CodePrior`.
    n_groups : int, default=10
    critic_layer_sizes : sequence of int, default=(64, 64)
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
        prior: str = "gaussian",
        n_groups: int = 10,
        critic_layer_sizes: Sequence[int] = (64, 64),
    ):
        super().__init__()
        self.prior = CodePrior(prior, n_components, n_groups)
        n_values = self.prior.n_values
        self.autoencoder = ConditionalAutoencoder(
            n_features=n_features,
            n_components=n_values,
            n_encoded=n_values,
            n_context=n_context,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            likelihood=likelihood,
            noise=noise,
        )
        self.critic = critic_network(n_values + n_context, critic_layer_sizes)

    def initialise(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """See `ConditionalAutoencoder.initialise`; categories start apart, see `_whiten`."""
        self.autoencoder.initialise(x, context, weight)
        if self.prior.kind == "categorical":
            self._whiten(x, context, weight)

    @torch.no_grad()
    def _whiten(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Let what the encoder gives start uncorrelated, with mean 0 and variance 1.

        Where clusters lie apart, they then lie apart in all directions alike, as categories do;
        two that start in one category would hardly leave it.
        """
        share = (weight / weight.sum()).unsqueeze(1)
        encoded = self.autoencoder.encoded(x, context)
        mean = (share * encoded).sum(dim=0)
        covariance = (share * (encoded - mean)).T @ (encoded - mean)
        if not covariance.isfinite().all():
            return  # training will say what is wrong
        values, vectors = torch.linalg.eigh(covariance)
        # Directions that rows hardly take are not blown up.
        values = values.clamp(min=1e-4 * float(values.max()))
        values = torch.where(values > 0, values, torch.ones_like(values))
        whitening = (vectors / values.sqrt()) @ vectors.T
        output = self.autoencoder.encoder.output
        output.weight.copy_(whitening @ output.weight)
        output.bias.copy_(whitening @ (output.bias - mean))

    def encode(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Codes ``(n, n_values of the prior)``."""
        return self.prior.codes(self.autoencoder.encoded(x, context))

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Expected rows."""
        return self.autoencoder.decode(z, context)

    def draw(self, z: Tensor, uniform: Tensor, context: Tensor | None = None) -> Tensor:
        """Random rows, of uniform random numbers."""
        return self.autoencoder.draw(z, uniform, context)

    def draw_codes(self, normal: Tensor, uniform: Tensor) -> Tensor:
        """Draws of the prior."""
        return self.prior(normal, uniform)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-likelihood of each row given its code, ``(n,)``, and the codes."""
        z = self.encode(x, context)
        return self._fit(x, z, context), z

    def fit(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Log-likelihood of each row given its code, ``(n,)``."""
        return self._fit(x, self.encode(x, context), context)

    def _fit(self, x: Tensor, z: Tensor, context: Tensor | None) -> Tensor:
        return self.autoencoder.likelihood.log_prob(self.autoencoder.parameters_of(z, context), x)

    def drawn_codes(self, like: Tensor) -> Tensor:
        """As many draws of the prior as `like` has rows."""
        generator = current_generator()
        normal = like.new_empty(len(like), self.prior.n_components).normal_(generator=generator)
        return self.prior(normal, like.new_empty(len(like), 1).uniform_(generator=generator))

    def critic_loss(
        self, x: Tensor, context: Tensor | None, weight: Tensor, loss: str, penalty: float
    ) -> Tensor:
        """What the critic minimises: draws of the prior are to be told from codes."""
        real = self.prior.seen(self.drawn_codes(x), context)
        fake = self.prior.seen(self.encode(x, context), context).detach()
        return critic_loss(self.critic, real, fake, loss, penalty, weight)

    def deception_loss(
        self, z: Tensor, context: Tensor | None, weight: Tensor, loss: str
    ) -> Tensor:
        """What the encoder minimises so that codes pass for draws of the prior."""
        real = self.prior.seen(self.drawn_codes(z), context)
        rated = self.critic(real), self.critic(self.prior.seen(z, context))
        return (weight * GENERATOR_LOSSES[loss](*rated)[:, 0]).mean()

    def distances(self, z: Tensor, weight: Tensor | None = None) -> Tensor:
        """Energy distance of codes from draws of the prior, what each adds, ``(n,)``."""
        return energy_distances(z, self.drawn_codes(z), weight)
