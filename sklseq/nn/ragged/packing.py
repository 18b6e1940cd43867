"""Where each step of a ragged batch lies when the batch is processed step by step.

*Stacked* order has one sequence after the other. *Packed* order has the first step of all
sequences, longest sequence first, then the second step of those that have one, and so on (the
order of torch's PackedSequence): a step of the recurrence is then one contiguous slice without
padding. All of this is integers, computed in numpy on the CPU; only index vectors travel.
"""

from functools import cached_property
from heapq import heapreplace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import pad

__all__ = ["Packing", "rearrange"]


class Packing:
    """Index vectors between stacked and packed order.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_sequences,)
        At least 1 each, in any order.
    device : torch.device or str
        Where the index vectors are wanted.
    """

    def __init__(self, lengths: NDArray[np.int64], device: torch.device | str = "cpu"):
        self.lengths, self.device = lengths, device
        self._rank_to_sequence = np.argsort(-lengths, kind="stable")
        descending = lengths[self._rank_to_sequence]
        n_steps = int(descending[0])
        self._sizes = len(lengths) - np.searchsorted(descending[::-1], np.arange(n_steps), "right")
        self._offsets = np.cumsum(self._sizes) - self._sizes
        self.batch_sizes: list[int] = self._sizes.tolist()
        """Number of sequences that have a step t, for each t; descending."""

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def _time_and_rank(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        time = np.repeat(np.arange(len(self._sizes)), self._sizes)
        return time, np.arange(len(time)) - self._offsets[time]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Stacked position of the first step of each sequence."""
        return np.cumsum(self.lengths) - self.lengths

    @cached_property
    def time(self) -> NDArray[np.int64]:
        """Number of each stacked step within its sequence, from 0."""
        return np.arange(self.lengths.sum()) - np.repeat(self.starts, self.lengths)

    @cached_property
    def sequence_of_step(self) -> Tensor:
        """Index of the sequence that each stacked step belongs to."""
        return self._index(np.repeat(np.arange(len(self)), self.lengths))

    def _index(self, index: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(index).to(self.device, non_blocking=True)

    @cached_property
    def _stacked_of_packed(self) -> NDArray[np.int64]:
        time, rank = self._time_and_rank
        return self.starts[self._rank_to_sequence][rank] + time

    @cached_property
    def to_packed(self) -> Tensor:
        """``stacked.index_select(0, to_packed)`` is in packed order."""
        return self._index(self._stacked_of_packed)

    @cached_property
    def to_stacked(self) -> Tensor:
        """``packed.index_select(0, to_stacked)`` is in stacked order."""
        inverse = np.empty_like(self._stacked_of_packed)
        inverse[self._stacked_of_packed] = np.arange(len(inverse))
        return self._index(inverse)

    @cached_property
    def reverse(self) -> Tensor:
        """``packed.index_select(0, reverse)`` has each sequence backward; its own inverse."""
        time, rank = self._time_and_rank
        descending = self.lengths[self._rank_to_sequence]
        return self._index(self._offsets[descending[rank] - 1 - time] + rank)

    @cached_property
    def previous(self) -> Tensor:
        """Packed position of the step before, for all steps but the first of each sequence."""
        time, rank = self._time_and_rank
        n = len(self)
        return self._index(self._offsets[time[n:] - 1] + rank[n:])

    @cached_property
    def last(self) -> Tensor:
        """Packed position of the last step of each sequence, in the order of the sequences."""
        rank = np.empty(len(self), dtype=np.int64)
        rank[self._rank_to_sequence] = np.arange(len(self))
        return self._index(self._offsets[self.lengths - 1] + rank)

    def blocks(self, cost: int, max_cells: int) -> list[tuple[int, int]]:
        """Cut time into rectangles ``(n_steps, n_rows)`` that hold all steps.

        A kernel over rectangles computes ``n_steps * n_rows`` cells, those of sequences that
        have ended included. A block ends where its wasted cells reach `cost`, the price of one
        more kernel call in cells, or where it holds `max_cells`, so that its memory stays in the
        cache. Both sides lie on a coarse grid: oneDNN compiles a kernel for each shape it meets,
        which costs as much as a call, and on the grid the same shapes come again.
        """
        sizes, n_steps = self._sizes, len(self._sizes)
        time_grid, row_grid = _grid(n_steps), _grid(len(self))
        ends = np.cumsum(sizes)
        blocks, start = [], 0
        while start < n_steps:
            rows = min(-(-int(sizes[start]) // row_grid) * row_grid, len(self))
            waste = rows * np.arange(1, n_steps - start + 1) - (ends[start:] - self._offsets[start])
            steps = min(int(np.searchsorted(waste, cost, "right")), max_cells // rows)
            steps = max(-(-steps // time_grid), 1) * time_grid
            blocks.append((steps, rows))
            start += steps
        return blocks

    def block_index(self, blocks: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Packed position of each cell of the blocks, and cell of each packed position.

        Cells of sequences that have ended repeat one that has not: finite values whose results
        are never read, so neither they nor their gradients can do harm.
        """
        rows = np.repeat([r for _, r in blocks], [s for s, _ in blocks])
        time = np.repeat(np.arange(len(rows)), rows)
        first_cell = np.cumsum(rows) - rows
        rank = np.arange(len(time)) - first_cell[time]
        real_time = np.minimum(time, len(self._sizes) - 1)
        packed = self._offsets[real_time] + np.minimum(rank, self._sizes[real_time] - 1)
        time, rank = self._time_and_rank
        return self._index(packed), self._index(first_cell[time] + rank)

    @cached_property
    def folded(self) -> tuple[int, Tensor, Tensor]:
        """Sequences laid end to end in rows of about equal length, a free cell between them.

        The number of sequences is halved to that of rows for as long as this saves work.

        These are the number of rows; the packed position of each cell, all rows of a step side
        by side, where free cells have the number of packed positions; and the cell of each
        packed position.
        """
        descending = self.lengths[self._rank_to_sequence].tolist()
        best, least = _fill_rows(descending, len(self)), np.inf
        while (work := best[0] * (best[1] + _STEP_COST)) < least:
            kept, least = best, work
            best = _fill_rows(descending, -(-kept[1] // 2))
        n_steps, rows, starts, row = kept
        grid = _grid(n_steps) // 2 or 1
        time, rank = self._time_and_rank
        to_packed = (starts[rank] + time) * rows + row[rank]
        to_cells = np.full(-(-n_steps // grid) * grid * rows, len(time))
        to_cells[to_packed] = np.arange(len(time))
        return rows, self._index(to_cells), self._index(to_packed)


# What a step of a rectangle costs on top of its cells, in cells (measured).
_STEP_COST = 4


def _fill_rows(
    descending: list[int], n_rows: int
) -> tuple[int, int, NDArray[np.int64], NDArray[np.int64]]:
    """Steps, rows, and start and row of each length: always the row that is shortest so far.

    "Longest processing time first" (Graham 1969).
    """
    ends = [(0, row) for row in range(n_rows)]
    places = []
    for length in descending:
        places.append(ends[0])
        start, row = ends[0]
        heapreplace(ends, (start + length + 1, row))
    starts, rows = np.array(places).T
    return max(ends)[0] - 1, n_rows, starts, rows


def _grid(size: int) -> int:
    """Spacing of about 16 grid points on `size`: a power of two."""
    return 1 << max(0, (size // 16).bit_length() - 1)


class _Rearrange(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
        ctx.inverse = inverse
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        if len(ctx.inverse) > len(grad):
            grad = pad(grad, (0, 0, 0, 1))
        return grad.index_select(0, ctx.inverse), None, None


def rearrange(x: Tensor, index: Tensor, inverse: Tensor) -> Tensor:
    """``x.index_select(0, index)`` where no row is taken twice.

    Its gradient is gathered as well, in a fraction of the time of torch's scattered sum.

    Parameters
    ----------
    x : Tensor of shape (n, n_features)
    index : Tensor of shape (m,)
    inverse : Tensor of shape (n,)
        Which of the m each row became; m for a row that was not taken.
    """
    result: Tensor = _Rearrange.apply(x, index, inverse)
    return result
