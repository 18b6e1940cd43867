"""Ragged sequences as rows."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Packing
from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Rows, Targets, Tile

__all__ = ["SequenceRows"]

# Numbers in the widest activation of a batch: 32 MB in float32, and a few of them.
_MAX_NUMBERS = 1 << 23


class SequenceRows(Rows):
    """Ragged sequences, their targets and weights.

    Parameters
    ----------
    steps : ndarray or Tensor of shape (sum of lengths, n_features) or (sum of lengths,)
    lengths : ndarray of shape (n_sequences,)
        Stays on the CPU.
    like : Tensor
        A parameter of the module.
    targets : Targets or None, default=None
    per_step : bool, default=False
        Whether targets belong to steps.
    """

    def __init__(
        self,
        steps: NDArray[Any] | Tensor,
        lengths: NDArray[np.int64],
        like: Tensor,
        targets: Targets | None = None,
        per_step: bool = False,
    ):
        self.steps, self.lengths, self.per_step = as_tensor(steps, like), lengths, per_step
        self.like = like
        self._starts = np.cumsum(lengths) - lengths
        self._set_targets(like, targets)

    def __len__(self) -> int:
        return len(self.lengths)

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Tensor, Packing]:
        """Stacked steps of these rows, and their packing."""
        index = torch.from_numpy(self.step_index(rows)).to(self.steps.device, non_blocking=True)
        return self.steps.index_select(0, index), Packing(self.lengths[rows], self.steps.device)

    def step_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of all steps of these rows among the stacked steps."""
        lengths = self.lengths[rows]
        offsets = self._starts[rows] - (np.cumsum(lengths) - lengths)
        return np.repeat(offsets, lengths) + np.arange(lengths.sum())

    def _target_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.step_index(rows) if self.per_step else rows

    def has_target(self, targets: Targets) -> NDArray[np.bool_]:
        """Which sequences have a target with weight, at some step at least."""
        known = targets.weights.reshape(len(targets.weights), -1).any(axis=1)
        return np.logical_or.reduceat(known, self._starts) if self.per_step else known

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These rows as data of their own, whose weights sum to their number."""
        batch = self.take(rows)
        part = type(self)(batch.inputs[0], self.lengths[rows], self.like, None, self.per_step)
        part.target = None if self.target is None else batch.target
        part.mean_weight = self.mean_weight
        part.weight = part._scaled(batch.weight)
        return part

    def split_end(self, targets: Targets, share: float) -> tuple[Self, Self] | None:
        """A single series with targets for its steps, cut where `share` of them is left.

        Raises
        ------
        ValueError
            If it has fewer than two targets.
        """
        if len(self) > 1 or not self.per_step:
            return None
        known = np.flatnonzero(targets.weights.reshape(len(targets.weights), -1).any(axis=1))
        if len(known) < 2:
            raise ValueError("early_stopping needs at least two targets; set it to False.")
        cut = known[-int(np.clip(round(share * len(known)), 1, len(known) - 1))]
        lengths = np.array([cut, len(self.steps) - cut])
        both = type(self)(self.steps, lengths, self.like, None, True)
        both.target, both.weight = self.target, self.weight
        return both.subset(np.array([0])), both.subset(np.array([1]))

    def n_results(self, per_part: bool) -> int:
        """Number of sequences, or of steps."""
        return len(self.steps) if per_part else len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """Sequences of similar length together."""
        max_steps = _MAX_NUMBERS // max(max(p.shape) for p in module.parameters())
        order = np.argsort(-self.lengths, kind="stable")
        start = 0
        while start < len(order):
            rows = order[start : start + max(1, max_steps // int(self.lengths[order[start]]))]
            places = self.step_index(rows) if per_part else rows
            yield Tile(self.inputs(rows), places, len(places))
            start += len(rows)
