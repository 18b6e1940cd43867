"""Training data as tensors on their device, cut into whole batches by slicing."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "Batch",
    "DenseRows",
    "Rows",
    "SequenceRows",
    "as_often_as_they_weigh",
    "as_tensor",
    "batches",
    "mean_loss",
]


class Batch(NamedTuple):
    """What one training step sees: inputs, targets, their weights, and the number of rows.

    Over all rows the weights sum to the number of rows. So ``(losses * weight).sum() / n_rows``
    is on average the weighted mean of the whole data; divided by the batch's own weights it
    would not be, and weights would cancel in batches of one.
    """

    inputs: tuple[Any, ...]
    target: Tensor
    weight: Tensor
    n_rows: int


def mean_loss(losses: Tensor, batch: Batch) -> Tensor:
    """The batch's weighted losses over its rows."""
    # The weights are divided, not the sum: what needs no gradient has no backward pass.
    return (losses * (batch.weight / batch.n_rows)).sum()


class Rows(Protocol):
    """Data whose rows can be taken by number."""

    def __len__(self) -> int: ...

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows, in their order."""
        ...


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
        steps, lengths = batch.inputs
        return SequenceRows(steps, lengths, batch.target, batch.weight, self.per_step)

    def step_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of all steps of these rows among the stacked steps."""
        lengths = self.lengths[rows]
        offsets = self._starts[rows] - (np.cumsum(lengths) - lengths)
        return np.repeat(offsets, lengths) + np.arange(lengths.sum())

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        """Stacked steps and lengths of these rows."""
        return self.steps.index_select(0, self._index(self.step_index(rows))), self.lengths[rows]

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


def batches(rows: Rows, batch_size: int, rng: np.random.Generator | None) -> Iterator[Batch]:
    """All rows once, in whole batches; shuffled if a generator is given.

    A batch that holds all rows keeps their order: nothing is gained by shuffling it.
    """
    n = len(rows)
    order = np.arange(n) if rng is None or batch_size >= n else rng.permutation(n)
    for start in range(0, n, batch_size):
        yield rows.take(order[start : start + batch_size])


def as_often_as_they_weigh(weights: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Numbers of as many rows, in random order, each as often as it weighs.

    Systematic resampling: of a row whose share of n draws is s there are s draws, rounded up or
    down at random.
    """
    rng = np.random.default_rng(seed)
    n = len(weights)
    ends = np.floor(np.cumsum(weights) * (n / weights.sum()) + rng.random())
    return rng.permutation(np.repeat(np.arange(n), np.diff(ends, prepend=0).astype(np.int64)))


def as_tensor(values: NDArray[Any], like: Tensor) -> Tensor:
    """On the device of `like`; real numbers in its type, integers as they are."""
    dtype = like.dtype if values.dtype.kind == "f" else torch.int64
    # Torch cannot share memory that must not be written to.
    return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(like.device, dtype)
