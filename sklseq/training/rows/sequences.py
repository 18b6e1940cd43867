"""Ragged sequences as rows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.ragged.packing import Packing
from sklseq.training.rows.batch import Batch

__all__ = ["SequenceRows"]


class SequenceRows:
    """Ragged sequences, their targets and weights.

    Parameters
    ----------
    steps : Tensor of shape (sum of lengths, n_features) or (sum of lengths,)
    lengths : ndarray of shape (n_sequences,)
        Stays on the CPU.
    target : Tensor
        One row for each sequence or for each step.
    weight : Tensor
        Weights of the targets, with as many rows; 0 masks a target. They are scaled so that
        they sum to the number of sequences.
    per_step : bool
        Whether targets and weights belong to steps.
    """

    def __init__(
        self,
        steps: Tensor,
        lengths: NDArray[np.int64],
        target: Tensor,
        weight: Tensor,
        per_step: bool,
    ):
        self.steps, self.lengths, self.per_step = steps, lengths, per_step
        total = weight.sum()
        self.total_weight = float(total)
        self.target, self.weight = target, weight * (len(lengths) / total if total > 0 else 1)
        self._starts = np.cumsum(lengths) - lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def subset(self, rows: NDArray[np.int64]) -> "SequenceRows":
        """These rows as data of their own."""
        batch = self.take(rows)
        steps, packing = batch.inputs
        return SequenceRows(steps, packing.lengths, batch.target, batch.weight, self.per_step)

    def step_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of all steps of these rows among the stacked steps."""
        lengths = self.lengths[rows]
        offsets = self._starts[rows] - (np.cumsum(lengths) - lengths)
        return np.repeat(offsets, lengths) + np.arange(lengths.sum())

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Tensor, Packing]:
        """Stacked steps of these rows, and their packing."""
        steps = self.steps.index_select(0, self._index(self.step_index(rows)))
        return steps, Packing(self.lengths[rows], steps.device)

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows, in their order."""
        targets = self._index(self.step_index(rows) if self.per_step else rows)
        return Batch(
            self.inputs(rows),
            self.target.index_select(0, targets),
            self.weight.index_select(0, targets),
            len(rows),
        )

    def _index(self, index: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(index).to(self.steps.device, non_blocking=True)
