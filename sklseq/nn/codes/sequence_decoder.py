"""From codes to the steps of sequences: the decoder that all models of whole sequences share."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.stack import RecurrentStack

__all__ = ["SequenceDecoder", "Standardiser", "places"]


class Standardiser(nn.Module):
    """Mean and deviation of each feature, as buffers.

    Parameters
    ----------
    n_features : int
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))

    def start_at(self, mean: Tensor, scale: Tensor) -> None:
        """Set what steps are standardised by."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, steps: Tensor) -> Tensor:
        """Standardised steps ``(sum of lengths, n_features)``."""
        return (steps - self.mean) / self.scale

    def undo(self, raw: Tensor) -> Tensor:
        """Steps in the units of the data."""
        return raw * self.scale + self.mean


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

    def forward(self, code_of_step: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        """Steps ``(sum of lengths, n_features)``, from the code of its sequence at each step."""
        packing = Packing(lengths, code_of_step.device)
        inputs = torch.cat([code_of_step, places(lengths, code_of_step)], dim=1)
        states = self.stack(inputs.index_select(0, packing.to_packed), packing)
        return self.head(states.index_select(0, packing.to_stacked))


def places(lengths: NDArray[np.int64], like: Tensor) -> Tensor:
    """Logarithms of each step's distance from the start and from the end, counted from one."""
    ends = np.repeat(np.cumsum(lengths), lengths)
    here = np.arange(len(ends))
    both = np.stack([here - ends + np.repeat(lengths, lengths), ends - 1 - here], axis=1)
    return torch.from_numpy(np.log1p(both)).to(like.device, like.dtype)
