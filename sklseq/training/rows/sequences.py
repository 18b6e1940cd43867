"""Ragged sequences as rows."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.kernels.dispatch import lanes_for
from sklseq.training.rows.batch import Batch

__all__ = ["SequenceRows"]

# Numbers in the widest activation of a tile: 32 MB in float32, and a few of them.
_MAX_NUMBERS = 1 << 23
# Sequences in a tile with lanes: whole dozens, see `dispatch`.
_TILE_ROWS = 480


class SequenceRows:
    """Ragged sequences, their targets and weights.

    Parameters
    ----------
    steps : Tensor of shape (sum of lengths, n_features) or (sum of lengths,)
    lengths : ndarray of shape (n_sequences,)
        Stays on the CPU.
    target : Tensor or None, default=None
        One row for each sequence or for each step; None for inference.
    weight : Tensor or None, default=None
        Weights of the targets, with as many rows; 0 masks a target. They are scaled so that
        they sum to the number of sequences.
    per_step : bool, default=False
        Whether targets and weights belong to steps.
    """

    def __init__(
        self,
        steps: Tensor,
        lengths: NDArray[np.int64],
        target: Tensor | None = None,
        weight: Tensor | None = None,
        per_step: bool = False,
    ):
        self.steps, self.lengths, self.per_step = steps, lengths, per_step
        if target is not None and weight is not None:
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

    def inputs(self, rows: NDArray[np.int64], lanes: Lanes | None = None) -> tuple[Tensor, Packing]:
        """Stacked steps of these rows, and their packing; in lanes, filled up with empty ones."""
        steps = self.steps.index_select(0, self._index(self.step_index(rows)))
        lengths = self.lengths[rows]
        if lanes is not None:
            lengths = np.append(lengths, np.zeros(_TILE_ROWS - len(rows), dtype=np.int64))
        return steps, Packing(lengths, steps.device, lanes)

    def tiles(
        self, module: nn.Module, per_step: bool
    ) -> Iterator[tuple[tuple[Tensor, Packing], NDArray[np.int64]]]:
        """All rows in parts for inference, in which each is computed as if it were alone.

        Sequences of similar length come together, in as many steps as memory allows. On the CPU
        they are laid in lanes, so that the shapes of all calls follow from the module and the
        sequence's own length: results are the same to the last bit in any company.

        Parameters
        ----------
        module : Module
        per_step : bool
            Whether results belong to steps.

        Yields
        ------
        inputs : tuple
            What the module takes.
        places : ndarray of int
            Rows, or stacked steps, that the first results belong to; more are of no row.
        """
        max_steps = _MAX_NUMBERS // max(max(p.shape, default=1) for p in module.parameters())
        for lanes, chosen in self._classes(module):
            lengths = self.lengths[chosen]
            size = len(chosen) if lanes is None else _TILE_ROWS
            start = 0
            while start < len(chosen):
                end = start + min(size, max(1, max_steps // int(lengths[start])))
                rows = chosen[start:end]
                yield self.inputs(rows, lanes), self.step_index(rows) if per_step else rows
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
