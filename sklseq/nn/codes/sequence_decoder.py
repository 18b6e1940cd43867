"""From latent representations to steps: the decoder of all models of whole sequences."""

import numpy as np
import torch
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.stack import RecurrentStack

__all__ = ["SequenceDecoder", "position_features"]


class SequenceDecoder(nn.Module):
    """All steps of sequences in one pass, from the latent representation at every step.

    The recurrent layers read the latent representation at every step, and how far the step is from
    either end (the unconditioned decoder of Srivastava et al. 2015, section 2.1).

    Parameters
    ----------
    n_inputs : int
        Dimension of the latent space.
    n_features : int
    cell, hidden_size, num_layers, dropout
        As in `RecurrentStack`.
    """

    def __init__(
        self,
        n_inputs: int,
        n_features: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int,
        dropout: float,
    ):
        super().__init__()
        self.stack = RecurrentStack(cell, n_inputs + 2, hidden_size, num_layers, dropout=dropout)
        self.head = nn.Linear(hidden_size, n_features)

    def forward(self, latent_of_step: Tensor, packing: Packing) -> Tensor:
        """Steps ``(sum of lengths, n_features)``, from the latent representation at each step."""
        inputs = torch.cat([latent_of_step, position_features(packing, latent_of_step)], dim=1)
        x = inputs.index_select(0, packing.to_packed)
        states, _ = self.stack(x, packing, need_last=False)
        return packing.map(self.head, states.index_select(0, packing.to_stacked))


def position_features(packing: Packing, like: Tensor) -> Tensor:
    """Logarithms of each step's distance from the start and from the end, counted from one."""
    time = packing.time
    both = np.stack([time, np.repeat(packing.lengths, packing.lengths) - 1 - time], axis=1)
    return torch.from_numpy(np.log1p(both)).to(like.device, like.dtype)
