"""Ragged sequences as rows."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.kernels.dispatch import lanes_for
from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Rows, Targets, Tile

__all__ = ["SequenceRows"]

# Numbers in the widest activation of a tile: 32 MB in float32, and a few of them.
_MAX_NUMBERS = 1 << 23
# Sequences in a tile with lanes: whole dozens, see `dispatch`.
_TILE_ROWS = 480


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
    context : ndarray or Tensor of shape (n_sequences, n_context) or None, default=None
        What the module takes of each sequence as a whole.
    """

    def __init__(
        self,
        steps: NDArray[Any] | Tensor,
        lengths: NDArray[np.int64],
        like: Tensor,
        targets: Targets | None = None,
        per_step: bool = False,
        context: NDArray[Any] | Tensor | None = None,
    ):
        self.steps, self.lengths, self.per_part = as_tensor(steps, like), lengths, per_step
        self.like, self.context = like, None if context is None else as_tensor(context, like)
        self._starts = np.cumsum(lengths) - lengths
        self._set_targets(like, targets)

    def __len__(self) -> int:
        return len(self.lengths)

    def inputs(
        self, rows: NDArray[np.int64], lanes: Lanes | None = None, n_rows: int = 0
    ) -> tuple[Any, ...]:
        """Stacked steps of these rows, their packing, and their context where there is one.

        They are filled up to `n_rows` with empty ones.
        """
        lengths, free = self.lengths[rows], max(n_rows - len(rows), 0)
        if free:
            lengths = np.append(lengths, np.zeros(free, dtype=np.int64))
        inputs = self._steps_of(rows), Packing(lengths, self.steps.device, lanes)
        if self.context is None:
            return inputs
        return *inputs, pad(_taken(self.context, rows), (0, 0, 0, free))

    def _steps_of(self, rows: NDArray[np.int64]) -> Tensor:
        return _taken(self.steps, self.step_index(rows))

    def step_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of all steps of these rows among the stacked steps."""
        lengths = self.lengths[rows]
        offsets = self._starts[rows] - (np.cumsum(lengths) - lengths)
        return np.repeat(offsets, lengths) + np.arange(lengths.sum())

    def _target_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.step_index(rows) if self.per_part else rows

    def has_target(self, targets: Targets) -> NDArray[np.bool_]:
        """Which sequences have a target with weight, at some step at least."""
        known = targets.counted()
        return np.logical_or.reduceat(known, self._starts) if self.per_part else known

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These rows as data of their own, whose weights sum to their number."""
        batch, part = self.take(rows), self.part(rows)
        part.target = None if self.target is None else batch.target
        part.mean_weight = self.mean_weight
        part.weight = part._scaled(batch.weight)
        return part

    def part(self, rows: NDArray[np.int64]) -> Self:
        """These rows without targets."""
        context = None if self.context is None else _taken(self.context, rows)
        lengths = self.lengths[rows]
        return type(self)(self._steps_of(rows), lengths, self.like, None, self.per_part, context)

    def split_end(self, targets: Targets, share: float) -> tuple[Self, Self] | None:
        """A single series with targets for its steps, cut where `share` of them is left.

        Raises ValueError if it has fewer than two targets.
        """
        if len(self) > 1 or not self.per_part:
            return None
        known = np.flatnonzero(targets.counted())
        if len(known) < 2:
            raise ValueError(
                "early_stopping=True needs two steps that have a target; set it to False."
            )
        cut = known[-int(np.clip(round(share * len(known)), 1, len(known) - 1))]
        lengths = np.array([cut, len(self.steps) - cut])
        context = None if self.context is None else self.context.expand(2, -1)
        both = type(self)(self.steps, lengths, self.like, None, True, context)
        both.target, both.weight = self.target, self.weight
        return both.subset(np.array([0])), both.subset(np.array([1]))

    def n_results(self, per_part: bool) -> int:
        """Number of sequences, or of steps."""
        return len(self.steps) if per_part else len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """All rows in parts for inference, in which each is computed as if it were alone.

        Sequences of similar length come together, in as many steps as memory allows. On the CPU
        they are laid in lanes, so that the shapes of all calls follow from the module and the
        sequence's own length.
        """
        max_steps = _MAX_NUMBERS // max(max(p.shape, default=1) for p in module.parameters())
        for lanes, chosen in self._classes(module):
            lengths = self.lengths[chosen]
            size = len(chosen) if lanes is None else _TILE_ROWS
            start = 0
            while start < len(chosen):
                end = start + min(size, max(1, max_steps // int(lengths[start])))
                rows = chosen[start:end]
                places = self.step_index(rows) if per_part else rows
                n_rows = 0 if lanes is None else size
                yield Tile(self.inputs(rows, lanes, n_rows), places, len(places))
                start = end

    def _classes(self, module: nn.Module) -> Iterator[tuple[Lanes | None, NDArray[np.int64]]]:
        """Rows of one shape of lanes, longest first."""
        order = np.argsort(-self.lengths, kind="stable")
        descending = self.lengths[order]
        ends = np.append(np.flatnonzero(np.diff(descending)), len(order) - 1)
        start = 0
        pairs = zip(lanes_for(module, descending[ends]), ends + 1, strict=True)
        for lanes, group in groupby(pairs, key=lambda pair: pair[0]):
            *_, (_, end) = group
            yield lanes, order[start:end]
            start = end


def _taken(values: Tensor, index: NDArray[np.int64]) -> Tensor:
    return values.index_select(0, torch.from_numpy(index).to(values.device, non_blocking=True))
