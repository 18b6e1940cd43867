"""What a training step sees, and rows that are cut into whole batches by slicing."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = [
    "Batch",
    "Rows",
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
