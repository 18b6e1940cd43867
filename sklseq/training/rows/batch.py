"""Rows that can be taken by number: what a training step sees, and what inference runs over."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.training.placement import as_tensor

__all__ = ["Batch", "Rows", "Targets", "Tile", "batches", "mean_loss", "systematic_resampling"]


class Batch(NamedTuple):
    """What one training step sees: inputs, targets, their weights, and the number of rows.

    Over all rows the weights sum to the number of rows. So ``(losses * weight).sum() / n_rows``
    is on average the weighted mean of the whole data; divided by the batch's own weights it
    would not be, and weights would cancel in batches of one. A batch that holds a part of its rows
    counts as that part of their number.
    """

    inputs: tuple[Any, ...]
    target: Tensor
    weight: Tensor
    n_rows: float


def mean_loss(losses: Tensor, batch: Batch) -> Tensor:
    """The batch's weighted losses over its rows."""
    # The weights are divided, not the sum: what needs no gradient has no backward pass.
    return (losses * (batch.weight / batch.n_rows)).sum()


class Targets(NamedTuple):
    """What the rows of training data are to give, in numpy.

    Parameters
    ----------
    weights : ndarray of shape (n_targets,) or (n_targets, n_outputs)
        0 masks a target.
    values : ndarray of shape (n_targets, ...) or None, default=None
        None where rows are their own targets.
    n_outputs : int, default=0
        Outputs of the network for each target.
    stratify : ndarray of shape (n_rows,) or None, default=None
        Class of each row, for a hold-out with the classes in proportion.
    class_weight : dict or None, default=None
        Weight of each class, which is in the weights.
    lengths : ndarray of shape (n_rows,) or None, default=None
        Number of `values` of each row, where its target is a sequence.
    """

    weights: NDArray[np.float64]
    values: NDArray[Any] | None = None
    n_outputs: int = 0
    stratify: NDArray[Any] | None = None
    class_weight: dict[Any, float] | None = None
    lengths: NDArray[np.int64] | None = None

    def counted(self) -> NDArray[np.bool_]:
        """Which targets have weight, in one output at least."""
        return np.any(self.weights.reshape(len(self.weights), -1) != 0, axis=1)


class Tile(NamedTuple):
    """Rows that inference computes in one call, always of the same shape.

    The results of the first ``len(places)`` rows of the output belong at `places`; what comes
    after them only fills the shape up.
    """

    inputs: tuple[Any, ...]
    places: NDArray[np.int64] | slice
    n_results: int


class Rows(ABC):
    """Data on its device whose rows can be taken by number.

    A class gives `__len__`, `inputs`, `subset`, `tiles` and `n_results`; and, where targets belong
    to parts of rows, `_target_index` and `has_target`.

    Parameters
    ----------
    like : Tensor
        A parameter of the module: its type and device are those of the data.
    targets : Targets or None, default=None
        For training; None for inference alone.
    """

    like: Tensor
    target: Tensor | None = None
    weight: Tensor | None = None
    per_part: bool = False
    """Whether targets belong to parts of rows, steps or nodes."""
    mean_weight: float = 1.0
    """Mean of the user's weights, which `weight` is divided by."""
    in_segments: bool = False
    """Whether a batch is several training steps; `n_batches` is the most there can be, then."""

    def _set_targets(self, like: Tensor, targets: Targets | None) -> None:
        if targets is None:
            return
        if targets.values is not None:
            self.target = as_tensor(targets.values, like)
        self.weight = self._scaled(as_tensor(targets.weights, like))

    def _scaled(self, weight: Tensor) -> Tensor:
        """Weights that sum to the number of rows."""
        mean = float(weight.sum()) / len(self)
        if mean <= 0:
            return weight
        self.mean_weight *= mean
        return weight * (len(self) / weight.sum())

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def inputs(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        """What the module takes of these rows."""

    @abstractmethod
    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These rows as data of their own, whose weights sum to their number."""

    @abstractmethod
    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """All rows, in tiles whose shape does not depend on how many rows there are.

        The size of the module decides that of the tiles. With `per_part` results are those of
        parts, steps or nodes, and not of rows.
        """

    @abstractmethod
    def n_results(self, per_part: bool) -> int:
        """Number of rows, or of their parts."""

    def has_target(self, targets: Targets) -> NDArray[np.bool_]:
        """Which rows have a target with weight."""
        return targets.counted()

    def split_end(self, targets: Targets, share: float) -> tuple[Self, Self] | None:
        """One row that has to be cut, where there is no other to hold out; else None."""
        return None

    def shuffled(self, rng: np.random.Generator, batch_size: int) -> NDArray[np.int64]:
        """Numbers of all rows in the random order in which an epoch goes through them."""
        return rng.permutation(len(self))

    def _target_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the targets of these rows stand."""
        return rows

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The batch of these rows, in their order."""
        assert self.weight is not None
        inputs, index = self.inputs(rows), self._index(self._target_index(rows))
        target = inputs[0] if self.target is None else self.target.index_select(0, index)
        return Batch(inputs, target, self.weight.index_select(0, index), len(rows))

    def batches_of(self, rows: NDArray[np.int64]) -> Iterator[Batch]:
        """The batch of these rows; in several parts, where each is a training step."""
        yield self.take(rows)

    def n_batches(self, batch_size: int) -> int:
        """Training steps of an epoch; with `in_segments` at most."""
        return -(-len(self) // batch_size)

    def _index(self, index: NDArray[np.int64]) -> Tensor:
        assert self.weight is not None
        return torch.from_numpy(index).to(self.weight.device, non_blocking=True)


def batches(rows: Rows, batch_size: int, rng: np.random.Generator | None) -> Iterator[Batch]:
    """All rows once, in whole batches; shuffled if a generator is given.

    A batch that holds all rows keeps their order: nothing is gained by shuffling it.
    """
    n = len(rows)
    order = np.arange(n) if rng is None or batch_size >= n else rows.shuffled(rng, batch_size)
    for start in range(0, n, batch_size):
        yield from rows.batches_of(order[start : start + batch_size])


def systematic_resampling(weights: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Numbers of as many rows, in random order, drawn in proportion to the weights.

    Of a row whose share of n draws is s there are s draws, rounded up or down at random.
    """
    rng = np.random.default_rng(seed)
    n = len(weights)
    ends = np.floor(np.cumsum(weights) * (n / weights.sum()) + rng.random())
    return rng.permutation(np.repeat(np.arange(n), np.diff(ends, prepend=0).astype(np.int64)))
