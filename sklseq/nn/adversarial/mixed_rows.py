"""Generated rows of mixed columns: what a generator puts out becomes values of each kind."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.layers.mixed import Layout, Mixed

__all__ = ["Frequencies", "MixedRows"]

# Draws are as soft as this for gradients: less, and they grow wild; more, and they mislead.
_TEMPERATURE = 0.5
# Share of the old average that a step keeps: rare values are in few batches.
_KEEP = 0.98
# Of what is rarer, too few are seen to tell a frequency.
_LEAST = 1e-3


class MixedRows(nn.Module):
    """A generator whose outputs are logits of what is no number, drawn by a part of the noise.

    Parameters
    ----------
    generator : Module
        Noise, and perhaps classes, to as many outputs as there are values; it has ``network``
        with a last linear layer ``output``, and ``class_start``.
    columns : sequence
        Layout of `Mixed`.
    """

    def __init__(self, generator: nn.Module, columns: Layout):
        super().__init__()
        self.generator = generator
        self.heads = Mixed(columns, noise=1.0)

    @property
    def n_draws(self) -> int:
        """Numbers of noise behind those of the generator."""
        return self.heads.n_values

    def _outputs(self, z: Tensor, context: Tensor | None) -> Tensor:
        return self.generator(z[:, : -self.n_draws], context)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Rows ``(n, n_values)``; see `Mixed.draw_through`."""
        uniform = torch.special.ndtr(z[:, -self.n_draws :])
        return self.heads.draw_through(self._outputs(z, context), uniform, _TEMPERATURE)

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Tensor | None, share: Tensor, noise: Tensor) -> None:
        """Let numbers start with mean zero and unit spread, the others with their frequencies.

        Parameters
        ----------
        x : Tensor of shape (n, n_values)
        context : Tensor of shape (n, n_context) or None
        share : Tensor of shape (n, 1)
            Weights that sum to 1.
        noise : Tensor of shape (m, n_noise)
            What the generator is tried with; m is at most n.
        """
        inner: Any = self.generator
        start = self.heads.start(x, share)
        outputs = self._outputs(noise, None if context is None else context[: len(noise)])
        spread = outputs.std(dim=0, correction=0).clamp(min=1e-3)
        if len(outputs) == 1:  # which tells of no spread
            spread = torch.ones_like(spread)
        last = inner.network.output
        middle = (outputs.mean(dim=0) - last.bias) / spread
        last.weight.div_(spread.unsqueeze(1))
        last.bias.copy_(start - middle)
        shares = () if context is None else (share * context).unbind(dim=1)
        for c, of_class in enumerate(shares):
            if (total := of_class.sum()) > 0:
                inner.class_start[c] = self.heads.start(x, (of_class / total)[:, None]) - start


class Frequencies(nn.Module):
    """How often values come up, by class, in real and in generated rows: averages over steps.

    A critic has little to say of a rare value: it is in few rows, and gradients of a generator
    that no longer makes it vanish. Its frequency tells what is wanted in every step.

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
        """Cross-entropy of the real frequencies and those of what was made, for its gradients.

        The gradient is that of the averages: of a batch alone it would favour rare values, for the
        mean of a reciprocal is larger than the reciprocal of the mean.

        Parameters
        ----------
        real, made : Tensor of shape (n, n_values)
        context : Tensor of shape (n, n_context) or None
        """
        classes = torch.ones_like(real[:, :1]) if context is None else context
        now = classes.T @ made / len(made)
        with torch.no_grad():
            self.real.lerp_(classes.T @ real / len(real), 1 - _KEEP)
            self.made.lerp_(now, 1 - _KEEP)
            wanted, there = (side.clamp(_LEAST, 1 - _LEAST) for side in (self.real, self.made))
            others = torch.where(self.is_binary, (1 - wanted) / (1 - there), 1.0)
            slope = torch.where(self.is_number, 0.0, others - wanted / there)
        return (slope * now).sum()
