"""Generative adversarial networks: generator and discriminator, and a density-ratio estimator."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from sklseq._compat.torch import lerp_all_, lerp_all_by_
from sklseq.nn.adversarial.discriminator import (
    DISCRIMINATOR_LOSSES,
    GENERATOR_LOSSES,
    discriminator_loss,
    discriminator_network,
)
from sklseq.nn.adversarial.energy_distance import energy_distances
from sklseq.nn.adversarial.mixed_rows import FrequencyMatching, MixedRows
from sklseq.nn.layers.conditioning import concat_condition
from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.layers.mixed import Layout
from sklseq.nn.layers.randomness import normal_noise, uniform_noise
from sklseq.nn.layers.weighted import class_means, deviations, shares

__all__ = ["AdversarialNetwork"]

# Weight of the old average in a step, once there were many steps.
_DECAY = 0.995


class _RowGenerator(nn.Module):
    """Noise to standardized rows; each class has an offset of its own.

    The last columns of the noise count by their sign alone: binary latent variables, by which
    rows can lie in clusters with nothing between them. A continuous map of Gaussian noise alone
    would connect the clusters.
    """

    def __init__(self, parts: tuple[int, int], n_context: int, sizes: list[int], activation: str):
        super().__init__()
        self.parts = parts  # Gaussian and binary columns of the noise
        sizes = [sum(parts) + n_context, *sizes]
        self.network = FeedForward(sizes, activation=activation, init="he")
        self.class_offset = nn.Parameter(torch.zeros(n_context, sizes[-1]))

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        gaussian, binary = z.split(self.parts, dim=1)
        noise = torch.cat([gaussian, binary.sign()], dim=1)
        rows = self.network(concat_condition(noise, context))
        return rows if context is None else rows + context @ self.class_offset


class AdversarialNetwork(nn.Module):
    """Generator and discriminator of Goodfellow et al. (2014), over packs of rows.

    A second classifier, `density_ratio`, is trained when the generator is: its logit estimates
    the logarithm of the ratio of the densities of real and of generated rows.

    Parameters
    ----------
    n_features : int
        Values of a generated row.
    n_components : int
        Dimension of the Gaussian noise.
    n_binary_latents : int, default=0
        Further columns of noise, of which the generator sees the sign alone.
    n_context : int, default=0
        Classes.
    hidden_layer_sizes, discriminator_layer_sizes : sequence of int
        Units of the hidden layers.
    activation : str, default="relu"
        Activation of the generator; the discriminator has leaky rectifiers.
    pac_size : int, default=1
        Rows that the discriminator sees at once (Lin et al. 2018, PacGAN).
    n_fourier_frequencies : int, default=0
        Frequencies at which the discriminator sees each value.
    spectrally_normalized : bool, default=False
        Whether the discriminator's weights are divided by their spectral norm (Miyato et al. 2018).
    columns : sequence or None, default=None
        Layout of `Mixed`, where features are not all numbers. Real rows then have half widths
        behind their values, and each number is drawn from its interval: a discriminator would
        recognize real rows by the few scores of whole numbers.
    """

    mean: Tensor
    scale: Tensor
    n_steps: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        n_binary_latents: int = 0,
        n_context: int = 0,
        hidden_layer_sizes: Sequence[int] = (128, 128),
        discriminator_layer_sizes: Sequence[int] = (128, 128),
        activation: str = "relu",
        pac_size: int = 1,
        n_fourier_frequencies: int = 0,
        spectrally_normalized: bool = False,
        columns: Layout | None = None,
    ):
        super().__init__()
        self.n_noise, self.pac_size = n_components + n_binary_latents, pac_size
        parts, sizes = (n_components, n_binary_latents), [*hidden_layer_sizes, n_features]
        self.generator: Any = _RowGenerator(parts, n_context, sizes, activation)
        self.frequency_matching: Any = None
        if columns is not None:
            self.frequency_matching = FrequencyMatching(columns, n_context)
            self.generator = MixedRows(self.generator, columns)
            self.n_noise += self.generator.n_noise
        self.average = deepcopy(self.generator).requires_grad_(False)
        n_inputs, sizes = n_features + n_context, [*discriminator_layer_sizes]
        self.discriminator = discriminator_network(
            pac_size * n_inputs, sizes, n_fourier_frequencies, spectrally_normalized
        )
        self.density_ratio = discriminator_network(n_inputs, sizes, n_fourier_frequencies)
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Tensor | None, weight: Tensor) -> None:
        """Standardize the data; give generated rows their mean and scale, class by class."""
        share, some = shares(x, weight), None if context is None else context[:1024]
        if isinstance(self.generator, MixedRows):
            self.generator.initialize(x, context, share, self.noise(x[:1024]))
            self.average.load_state_dict(self.generator.state_dict())
            return
        self.mean.copy_((share * x).sum(dim=0))
        self.scale.copy_(deviations(x - self.mean, share))
        within = (x - self.mean) / self.scale
        if context is not None:
            self.generator.class_offset.copy_(class_means(within, context, share))
            within = within - context @ self.generator.class_offset
        rows = self.generator(self.noise(x[:1024]), some)
        if some is not None:
            rows = rows - some @ self.generator.class_offset
        spread = rows.std(dim=0, correction=0).clamp(min=1e-3)
        target = (share * within.square()).sum(dim=0).sqrt()
        output = self.generator.network.output
        output.weight.mul_((target / spread).unsqueeze(1))
        output.bias.copy_(-(rows.mean(dim=0) - output.bias) * target / spread)
        self.average.load_state_dict(self.generator.state_dict())

    def noise(self, like: Tensor) -> Tensor:
        """Noise ``(n, n_noise)`` for as many rows as `like` has."""
        return normal_noise(like, len(like), self.n_noise)

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Rows of the generator whose weights are averaged over training."""
        return torch.addcmul(self.mean, self.average(z, context), self.scale)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Packs of real and of generated rows of the same classes, inputs of the discriminator."""
        fake = self.generator(self.noise(x), context)
        return self._packed(self.standardize(x), context), self._packed(fake, context)

    def standardize(self, x: Tensor) -> Tensor:
        """Real rows as they are compared with generated ones."""
        if isinstance(self.generator, MixedRows):
            heads = self.generator.heads
            return heads.drawn_from_intervals(x, uniform_noise(x[:, heads.n_values :]))
        return (x - self.mean) / self.scale

    def _packed(self, rows: Tensor, context: Tensor | None) -> Tensor:
        """Rows side by side; a last pack that is not full takes rows from the beginning."""
        rows = concat_condition(rows, context)
        if self.pac_size == 1:
            return rows
        n_packs = -(-len(rows) // self.pac_size)
        index = torch.arange(n_packs * self.pac_size, device=rows.device) % len(rows)
        return rows[index].reshape(n_packs, -1)

    def discriminator_loss(
        self, x: Tensor, context: Tensor | None, loss: str, penalty: float
    ) -> Tensor:
        """Loss of the discriminator on a batch of real rows."""
        real, fake = (rows.detach() for rows in self(x, context))
        return discriminator_loss(self.discriminator, real, fake, loss, penalty)

    def generator_loss(self, x: Tensor, context: Tensor | None, loss: str) -> Tensor:
        """Loss of the generator on a batch of real rows."""
        real, fake = self.standardize(x), self.generator(self.noise(x), context)
        outputs = (self.discriminator(self._packed(rows, context)) for rows in (real, fake))
        adversarial = GENERATOR_LOSSES[loss](*outputs).mean()
        if self.frequency_matching is None:
            return adversarial
        return adversarial + self.frequency_matching(real, fake, context)

    def log_density_ratio(self, made: Tensor, context: Tensor | None = None) -> Tensor:
        """Estimated log-ratio of densities at rows as `decode` gives them, ``(n, 1)``."""
        return self.density_ratio(concat_condition((made - self.mean) / self.scale, context))

    def density_ratio_losses(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Cross-entropy of the density-ratio estimator on real and generated rows, ``(n,)``.

        The logit that minimizes the cross-entropy is the log-ratio of the densities.
        """
        with torch.no_grad():
            fake = self.decode(self.noise(x), context)
        real = self.density_ratio(concat_condition(self.standardize(x), context))
        made = self.log_density_ratio(fake, context)
        return DISCRIMINATOR_LOSSES["non_saturating"](real, made)[:, 0]

    @torch.no_grad()
    def after_step(self) -> None:
        """Update the moving average of the generator's weights."""
        if not self.n_steps.is_cpu:
            return self._average_unseen()
        self.n_steps += 1
        # Early on the average forgets faster, so that it does not remember the initial weights.
        decay = min(_DECAY, 1 - 10 / (10 + self.n_steps.item()))
        averages, latest = self.average.parameters(), self.generator.parameters()
        return lerp_all_(list(averages), list(latest), 1 - decay)

    @torch.no_grad()
    def _average_unseen(self) -> None:
        """`after_step` on devices, where it waits for nothing."""
        self.n_steps += 1
        # In the type of the weights: not every device has float64.
        weight = (10 / (10 + self.n_steps.to(self.mean.dtype))).clamp(min=1 - _DECAY)
        averages, latest = self.average.parameters(), self.generator.parameters()
        lerp_all_by_(list(averages), list(latest), weight)

    @torch.no_grad()
    def distance(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """Energy distance of generated rows from x, by row of x, ``(n,)``."""
        fake = self.average(self.noise(x), context)
        return energy_distances(self.standardize(x), fake, weight)
