"""Generated rows of mixed columns: a generator's outputs become values of each kind."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.mixed import Layout, Mixed
from sklseq.nn.layers.weighted import shares

__all__ = ["FrequencyMatching", "MixedRows"]

# Temperature of the relaxed draws: lower, gradients have a large variance; higher, a bias.
_TEMPERATURE = 0.5
# Weight of the old average in a step: rare values are in few batches.
_DECAY = 0.98
# Smallest frequency: of rarer values too few are seen to estimate it.
_SMALLEST = 1e-3


class MixedRows(nn.Module):
    """A generator whose outputs are numbers and logits of categorical values.

    Values are drawn from the logits by a part of the noise.

    Parameters
    ----------
    generator : Module
        Noise, and perhaps classes, to as many outputs as there are values; it has ``network``
        with a last linear layer ``output``, and ``class_offset``.
    columns : sequence
        Layout of `Mixed`.
    """

    def __init__(self, generator: nn.Module, columns: Layout):
        super().__init__()
        self.generator = generator
        self.heads = Mixed(columns, noise=1.0)

    @property
    def n_noise(self) -> int:
        """Number of noise columns for the Gumbel draws."""
        return self.heads.n_values

    def _outputs(self, z: Tensor, context: Tensor | None) -> Tensor:
        return self.generator(z[:, : -self.n_noise], context)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Rows ``(n, n_values)``; see `Mixed.draw_through`."""
        uniform = torch.special.ndtr(z[:, -self.n_noise :])
        return self.heads.draw_through(self._outputs(z, context), uniform, _TEMPERATURE)

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Tensor | None, share: Tensor, noise: Tensor) -> None:
        """Give numbers mean 0 and variance 1, and other values their frequencies.

        Outputs are measured with `noise` ``(m, n_noise)``, where m is at most n.
        """
        inner: Any = self.generator
        start = self.heads.initial_parameters(x, share)
        outputs = self._outputs(noise, None if context is None else context[: len(noise)])
        spread = outputs.std(dim=0, correction=0).clamp(min=1e-3)
        if len(outputs) == 1:  # which has no spread
            spread = torch.ones_like(spread)
        last = inner.network.output
        middle = (outputs.mean(dim=0) - last.bias) / spread
        last.weight.div_(spread.unsqueeze(1))
        last.bias.copy_(start - middle)
        for c, of_class in enumerate(() if context is None else (share * context).unbind(dim=1)):
            if of_class.any():
                of_rows = self.heads.initial_parameters(x, shares(x, of_class))
                inner.class_offset[c] = of_rows - start


class FrequencyMatching(nn.Module):
    """Matches the frequencies of values in generated rows to those in real rows, by class.

    A discriminator sees a rare value in few rows, and the gradients of a generator that no longer
    makes it vanish. The frequencies, moving averages over the steps, give a gradient in each step.

    Parameters
    ----------
    columns : sequence
        Layout of `Mixed`.
    n_context : int
    """

    is_binary: Tensor
    is_number: Tensor
    real: Tensor
    made: Tensor

    def __init__(self, columns: Layout, n_context: int):
        super().__init__()
        heads = Mixed(columns, noise=1.0)
        is_binary, is_number = torch.zeros(2, heads.n_values, dtype=torch.bool)
        is_binary[heads.binary], is_number[heads.numbers] = True, True
        self.register_buffer("is_binary", is_binary, persistent=False)
        self.register_buffer("is_number", is_number, persistent=False)
        for side in ("real", "made"):
            self.register_buffer(side, torch.zeros(max(1, n_context), heads.n_values))

    def forward(self, real: Tensor, made: Tensor, context: Tensor | None) -> Tensor:
        """A scalar whose gradient is that of the cross-entropy of real and generated frequencies.

        The gradient is taken at the averages. That of a batch would favor rare values: the mean of
        a reciprocal is larger than the reciprocal of the mean.
        """
        classes = torch.ones_like(real[:, :1]) if context is None else context
        now = classes.T @ made / len(made)
        with torch.no_grad():
            self.real.lerp_(classes.T @ real / len(real), 1 - _DECAY)
            self.made.lerp_(now, 1 - _DECAY)
            real_share, made_share = (
                side.clamp(_SMALLEST, 1 - _SMALLEST) for side in (self.real, self.made)
            )
            absent = torch.where(self.is_binary, (1 - real_share) / (1 - made_share), 1.0)
            slope = torch.where(self.is_number, 0.0, absent - real_share / made_share)
        return (slope * now).sum()
