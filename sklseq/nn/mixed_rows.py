"""Generated rows of mixed columns: what a generator puts out becomes values of each kind."""

from typing import Any

import torch
from torch import Tensor, nn

from sklseq.nn.mixed import Layout, Mixed

__all__ = ["MixedRows"]

# Draws are as soft as this for gradients: less, and they grow wild; more, and they mislead.
_TEMPERATURE = 0.5


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
