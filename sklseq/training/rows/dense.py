"""Rows of one shape, which are their own targets."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.training.rows.batch import Batch, as_often_as_they_weigh

__all__ = ["DenseRows"]


class DenseRows:
    """Samples of one shape, which are their own targets, and their weights.

    Parameters
    ----------
    inputs : tuple of Tensor of shape (n_samples, ...)
    weight : Tensor of shape (n_samples,)
        Scaled to sum to the number of samples.
    """

    def __init__(self, inputs: tuple[Tensor, ...], weight: Tensor):
        self.inputs, self.weight = inputs, weight * (len(weight) / weight.sum())

    def __len__(self) -> int:
        return len(self.weight)

    def subset(self, rows: NDArray[np.int64]) -> "DenseRows":
        """These rows as data of their own."""
        batch = self.take(rows)
        return DenseRows(batch.inputs, batch.weight)

    def resampled(self, seed: int) -> "DenseRows":
        """Rows as often as they weigh, of one weight each; these rows if they weigh alike."""
        weights = self.weight.double().cpu().numpy()
        if not np.ptp(weights):
            return self
        inputs = self.take(as_often_as_they_weigh(weights, seed)).inputs
        return DenseRows(inputs, torch.ones_like(self.weight[: len(inputs[0])]))

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows, in their order."""
        index = torch.from_numpy(rows).to(self.weight.device, non_blocking=True)
        inputs = tuple(values.index_select(0, index) for values in self.inputs)
        return Batch(inputs, inputs[0], self.weight.index_select(0, index), len(rows))
