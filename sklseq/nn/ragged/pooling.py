"""From the states of all steps to one vector for each sequence."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq._compat.torch import segment_max

__all__ = ["POOLINGS", "AttentionPooling", "max_pool", "mean_pool"]


def sequence_of_step(lengths: NDArray[np.int64], device: torch.device) -> Tensor:
    """Index of the sequence that each stacked step belongs to."""
    return torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)).to(device)


def mean_pool(states: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """Mean over the steps of each sequence: ``(sum of lengths, h)`` to ``(n, h)``."""
    owner = sequence_of_step(lengths, states.device)
    sums = states.new_zeros(len(lengths), states.shape[1]).index_add(0, owner, states)
    return sums / torch.from_numpy(lengths).to(states)[:, None]


def max_pool(states: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """Maximum over the steps of each sequence: ``(sum of lengths, h)`` to ``(n, h)``."""
    on_device = torch.from_numpy(lengths).to(states.device)
    return segment_max(states, on_device)


class AttentionPooling(nn.Module):
    """Weighted mean with weights learned from the states.

    ``a = softmax_t(v . tanh(W h_t))`` over the steps of each sequence (Yang et al. 2016,
    "Hierarchical attention networks for document classification", eq. 5 to 7).

    Parameters
    ----------
    size : int
        Of the states.
    """

    def __init__(self, size: int):
        super().__init__()
        self.hidden = nn.Linear(size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, states: Tensor, lengths: NDArray[np.int64]) -> Tensor:
        owner = sequence_of_step(lengths, states.device)
        scores = self.score(torch.tanh(self.hidden(states)))
        # The largest score is subtracted for range only: it cancels, and so does its gradient.
        largest = max_pool(scores.detach(), lengths)
        weights = torch.exp(scores - largest.index_select(0, owner))
        totals = weights.new_zeros(len(lengths), 1).index_add(0, owner, weights)
        sums = states.new_zeros(len(lengths), states.shape[1]).index_add(0, owner, weights * states)
        return sums / totals


POOLINGS = ("last", "mean", "max", "attention")
