"""From codes to the steps of sequences: the decoder that all models of whole sequences share."""

import numpy as np
import torch
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.stack import RecurrentStack

__all__ = ["SequenceDecoder", "position_features"]


class SequenceDecoder(nn.Module):
    """All steps of sequences in one pass, from what the code of each is at every step.

    The recurrent layers read the code at every step, and how far the step is from either end (the
    unconditioned decoder of Srivastava et al. 2015, section 2.1).

    Parameters
    ----------
    n_inputs : int
        Numbers in a code.
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

    def forward(self, code_of_step: Tensor, packing: Packing) -> Tensor:
        """Steps ``(sum of lengths, n_features)``, from the code of its sequence at each step."""
        inputs = torch.cat([code_of_step, position_features(packing, code_of_step)], dim=1)
        x = inputs.index_select(0, packing.to_packed)
        states, _ = self.stack(x, packing, need_last=False)
        return packing.map(self.head, states.index_select(0, packing.to_stacked))


def position_features(packing: Packing, like: Tensor) -> Tensor:
    """Logarithms of each step's distance from the start and from the end, counted from one."""
    time = packing.time
    both = np.stack([time, np.repeat(packing.lengths, packing.lengths) - 1 - time], axis=1)
    return torch.from_numpy(np.log1p(both)).to(like.device, like.dtype)
