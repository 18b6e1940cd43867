"""From the states of all steps to one vector for each sequence."""

import torch
from torch import Tensor, nn

from sklseq._compat.torch import segment_max
from sklseq.nn.ragged.packing import Packing

__all__ = ["POOLINGS", "AttentionPooling", "joined_means", "max_pool", "mean_pool"]


def mean_pool(states: Tensor, packing: Packing) -> Tensor:
    """Mean over the steps of each sequence: stacked ``(sum of lengths, h)`` to ``(n, h)``."""
    sums = states.new_zeros(len(packing), states.shape[1])
    sums = sums.index_add(0, packing.sequence_of_step, states)
    return sums / torch.from_numpy(packing.lengths).to(states)[:, None]


def max_pool(states: Tensor, packing: Packing) -> Tensor:
    """Maximum over the steps of each sequence: stacked ``(sum of lengths, h)`` to ``(n, h)``."""
    on_device = torch.from_numpy(packing.lengths).to(states.device)
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

    def forward(self, states: Tensor, packing: Packing) -> Tensor:
        return self.weighted(states, packing)[0]

    def weighted(self, states: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """The means ``(n, h)``, and the logarithms ``(n, 1)`` of the sums of ``exp(score)``."""
        owner, n = packing.sequence_of_step, len(packing)
        scores = packing.map(self._scores, states)
        # The largest score is subtracted for range only: it cancels, and so does its gradient.
        largest = max_pool(scores.detach(), packing)
        weights = packing.map(torch.exp, scores - largest.index_select(0, owner))
        totals = weights.new_zeros(n, 1).index_add(0, owner, weights)
        sums = states.new_zeros(n, states.shape[1]).index_add(0, owner, weights * states)
        return sums / totals, totals.log() + largest

    def _scores(self, states: Tensor) -> Tensor:
        return self.score(torch.tanh(self.hidden(states)))


def joined_means(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Weighted means ``(n, h)`` of two parts of each sequence together, and their log-weights.

    The parts are pairs of what the result is, log-weights ``(n, 1)``.
    """
    (mean, log_weight), (other_mean, other_log_weight) = one, other
    total = torch.logaddexp(log_weight, other_log_weight)
    return torch.lerp(mean, other_mean, torch.exp(other_log_weight - total)), total


POOLINGS = ("last", "mean", "max", "attention")
