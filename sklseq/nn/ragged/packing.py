"""Where each step of a ragged batch lies when the batch is processed step by step.

*Stacked* order has one sequence after the other. *Packed* order has the first step of all
sequences, longest sequence first, then the second step of those that have one, and so on (the
order of torch's PackedSequence): a step of the recurrence is then one contiguous slice without
padding. All of this is integers, computed in numpy on the CPU; only index vectors travel.

With *lanes*, packed order is a rectangle instead, in which sequences lie end to end. Rounding
depends on the shape of a kernel call, not on the values in its other rows. As all calls then have
one shape, the results of a sequence are the same to the last bit in any company.
"""

from collections.abc import Callable
from functools import cached_property
from heapq import heapreplace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from sklseq.nn.ragged.chunks import Chunks, inverse
from sklseq.nn.ragged.rearrange import rearrange

__all__ = ["Lanes", "Packing"]

# Rows of a call in `Packing.map`: whole dozens, see `dispatch`.
_MAP_ROWS = 96
# Steps of a chunk; always the same, as results of a sequence must not depend on others (measured).
_CHUNK = 32


class Lanes(NamedTuple):
    """Shape of the rectangles that sequences are laid in."""

    rows: int
    """Sequences side by side."""
    block: int
    """Steps of a kernel call."""
    grid: int = 1
    """A sequence begins at a multiple of it; divides `block`."""
    gap: int = 0
    """Free steps between two sequences; a multiple of `grid`."""


class Packing:
    """Index vectors between stacked and packed order.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_sequences,)
        In any order; at least 1 each, with `lanes` also 0.
    device : torch.device or str
        Where the index vectors are wanted.
    lanes : Lanes or None, default=None
        Lay the sequences end to end in a rectangle; for inference.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        device: torch.device | str = "cpu",
        lanes: Lanes | None = None,
    ):
        self.lengths, self.device, self.lanes = lengths, device, lanes
        self._order = np.argsort(-lengths, kind="stable")
        descending = lengths[self._order]
        if lanes is None:
            n_steps = int(descending[0])
            reached = np.searchsorted(descending[::-1], np.arange(n_steps), "right")
            self._sizes = len(lengths) - reached
            self._row = inverse(self._order)
            self._first = np.zeros(len(lengths), dtype=np.int64)
        else:
            self._row, self._first = np.zeros((2, len(lengths)), dtype=np.int64)
            real = self._order[: np.count_nonzero(lengths)]
            taken = -(-lengths[real] // lanes.grid) * lanes.grid + lanes.gap
            self._row[real], self._first[real] = _back_and_forth(taken, lanes.rows)
            n_steps = int((self._first[real] + taken).max()) - lanes.gap
            self._sizes = np.full(n_steps, lanes.rows)
        self._offsets = np.cumsum(self._sizes) - self._sizes
        self.batch_sizes: list[int] = self._sizes.tolist()
        """Number of rows of each step; without lanes that of sequences that have such a step."""
        self.indices: dict[Any, Any] = {}
        """Index vectors that a kernel keeps for the layers to come."""

    def __len__(self) -> int:
        return len(self.lengths)

    def _index(self, index: NDArray[Any]) -> Tensor:
        return torch.from_numpy(index).to(self.device, non_blocking=True)

    # -- stacked order ---------------------------------------------------------------------

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Stacked position of the first step of each sequence; of an empty one any position."""
        ends = np.cumsum(self.lengths)
        return np.minimum(ends - self.lengths, ends[-1] - 1)

    @cached_property
    def time(self) -> NDArray[np.int64]:
        """Number of each stacked step within its sequence, from 0."""
        return np.arange(self.lengths.sum()) - self.starts[self._owner]

    @cached_property
    def _owner(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def sequence_of_step(self) -> Tensor:
        """Index of the sequence that each stacked step belongs to."""
        return self._index(self._owner)

    @cached_property
    def is_first(self) -> Tensor:
        """Which stacked steps are the first of their sequence."""
        return self._index(self.time == 0)

    @cached_property
    def is_last(self) -> Tensor:
        """Which stacked steps are the last of their sequence."""
        return self._index(self.time == self.lengths[self._owner] - 1)

    # -- packed order ----------------------------------------------------------------------

    def _position(
        self, sequence: NDArray[np.int64] | slice, time: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Packed position of a step of a sequence."""
        return self._offsets[self._first[sequence] + time] + self._row[sequence]

    @cached_property
    def _packed_of_stacked(self) -> NDArray[np.int64]:
        if self.lanes is None:
            return self._position(self._owner, self.time)
        # Steps of a sequence lie one row of lanes apart: a quarter of the passes over the steps.
        rows = self.lanes.rows
        base = (self._first - self.starts) * rows + self._row
        return np.arange(0, self.lengths.sum() * rows, rows) + np.repeat(base, self.lengths)

    @cached_property
    def to_stacked(self) -> Tensor:
        """``packed.index_select(0, to_stacked)`` is in stacked order."""
        return self._index(self._packed_of_stacked)

    @cached_property
    def to_packed(self) -> Tensor:
        """``stacked.index_select(0, to_packed)`` is in packed order.

        What is free in lanes repeats the first step: values whose results are never read.
        """
        index = np.zeros(self._sizes.sum(), dtype=np.int64)
        index[self._packed_of_stacked] = np.arange(len(self._packed_of_stacked))
        return self._index(index)

    @cached_property
    def reverse(self) -> Tensor:
        """``packed.index_select(0, reverse)`` has each sequence backward; its own inverse."""
        index = np.arange(self._sizes.sum())
        mirrored = self.lengths[self._owner] - 1 - self.time
        index[self._packed_of_stacked] = self._position(self._owner, mirrored)
        return self._index(index)

    def packed(self, values: NDArray[Any], free: Any) -> NDArray[Any]:
        """Values of stacked steps in packed order, and this one for what is free in lanes."""
        packed = np.full(self._sizes.sum(), free, dtype=values.dtype)
        packed[self._packed_of_stacked] = values
        return packed

    @cached_property
    def previous(self) -> Tensor:
        """Packed position of the step before, for all steps but the first; not with lanes."""
        time, rank = self._time_and_rank
        n = len(self)
        return self._index(self._offsets[time[n:] - 1] + rank[n:])

    @cached_property
    def row_of_step(self) -> Tensor:
        """Row of each packed step; not with lanes."""
        return self._index(self._time_and_rank[1])

    @cached_property
    def last(self) -> Tensor:
        """Packed position of the last step of each sequence, in the order of the sequences."""
        return self._index(self._position(slice(None), np.maximum(self.lengths - 1, 0)))

    # -- chunks ----------------------------------------------------------------------------

    @cached_property
    def chunks(self) -> Chunks:
        """The sequences in chunks, for recurrences that run in parallel over time."""
        return Chunks(self.lengths, _CHUNK, self.device)

    @cached_property
    def _between_cells(self) -> tuple[Tensor, Tensor] | None:
        """Packed position of each cell of `chunks`, and cell of each packed position.

        What is free in lanes has the number of cells. None where the two orders are the same.
        """
        cell, packed = self.chunks.cell, self._packed_of_stacked
        cells = np.full(self._sizes.sum(), len(cell))
        cells[packed] = cell
        if np.array_equal(cells, np.arange(len(cell))):
            return None
        return self._index(packed[inverse(cell)]), self._index(cells)

    def to_cells(self, packed: Tensor) -> Tensor:
        """From packed order to that of the cells of `chunks`."""
        between = self._between_cells
        return packed if between is None else rearrange(packed, *between)

    def from_cells(self, cells: Tensor) -> Tensor:
        """The inverse of `to_cells`; what is free in lanes repeats any cell."""
        between = self._between_cells
        if between is None:
            return cells
        return rearrange(cells, between[1].clamp_max(len(cells) - 1), between[0])

    # -- states ----------------------------------------------------------------------------

    @cached_property
    def order(self) -> Tensor:
        """``states.index_select(0, order)``: from the order of the sequences to that of rows."""
        return self._index(self._order)

    @cached_property
    def rank(self) -> Tensor:
        """Inverse of `order`."""
        return self._index(inverse(self._order))

    @cached_property
    def beginnings(self) -> dict[int, tuple[Tensor, Tensor]]:
        """Steps at which sequences begin: a mask of the rows, and the sequence of each row."""
        if self.lanes is None:
            return {0: (torch.ones(len(self), 1, dtype=torch.bool).to(self.device), self.order)}
        grid, rows = self.lanes.grid, self.lanes.rows
        real = np.flatnonzero(self.lengths)
        sequence = np.full((-(-len(self._sizes) // grid), rows), -1)
        sequence[self._first[real] // grid, self._row[real]] = real
        times = np.flatnonzero((sequence >= 0).any(axis=1))
        begins, found = sequence[times, :, None] >= 0, sequence[times].clip(0)
        both = zip(
            torch.from_numpy(begins).to(self.device),
            torch.from_numpy(found).to(self.device),
            strict=True,
        )
        return dict(zip((times * grid).tolist(), both, strict=True))

    @cached_property
    def endings(self) -> tuple[dict[int, Tensor], Tensor]:
        """Steps at which sequences end: their rows; and the place of each sequence among all."""
        position = self._position(slice(None), np.maximum(self.lengths - 1, 0))
        times = np.searchsorted(self._offsets, position, "right") - 1
        order = np.argsort(times, kind="stable")
        found, first = np.unique(times[order], return_index=True)
        rows = self._index((position - self._offsets[times])[order])
        parts = rows.tensor_split(first[1:].tolist())
        return dict(zip(found.tolist(), parts, strict=True)), self._index(inverse(order))

    def carried(self, time: int, before: Tensor, initial: Tensor | None) -> Tensor:
        """Rows of a state as they enter step number `time` in packed order.

        `before` ``(n_rows, size)`` is the state after the step before, any numbers at the first;
        `initial` ``(n_sequences, size)`` what sequences begin with, None for zero.
        """
        before = before[: self.batch_sizes[time]]
        if time not in self.beginnings:
            return before
        begins, sequence = self.beginnings[time]
        if initial is None:
            return before.masked_fill(begins, 0)
        return torch.where(begins, initial.index_select(0, sequence), before)

    def map(self, function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        """``function(*rows)``, of which each row depends on one row: of steps, in any order.

        With lanes it sees the same number of rows in each call.
        """
        if self.lanes is None:
            return function(*rows)
        n = len(rows[0])
        missing = -n % _MAP_ROWS
        # Also one layout: rows that do not lie side by side are gone through one by one.
        rows = tuple(x.contiguous() for x in rows)
        padded = [pad(x, (0,) * (2 * x.ndim - 1) + (missing,)) if missing else x for x in rows]
        parts = zip(*(x.split(_MAP_ROWS) for x in padded), strict=True)
        return torch.cat([function(*part) for part in parts])[:n]

    # -- rectangles for kernels, without lanes ---------------------------------------------

    @cached_property
    def _time_and_rank(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        time = np.repeat(np.arange(len(self._sizes)), self._sizes)
        return time, np.arange(len(time)) - self._offsets[time]

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
        descending = self.lengths[self._order].tolist()
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
    placed = []
    for length in descending:
        placed.append(ends[0])
        start, row = ends[0]
        heapreplace(ends, (start + length + 1, row))
    starts, rows = np.array(placed).T
    return max(ends)[0] - 1, n_rows, starts, rows


def _back_and_forth(
    descending: NDArray[np.int64], n_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and start of each length: rows are gone through forward, backward, forward, ..."""
    n = len(descending)
    rounds = np.zeros((-(-n // n_rows), n_rows), dtype=np.int64)
    rounds.ravel()[:n] = descending
    rows = np.tile(np.arange(n_rows), (len(rounds), 1))
    rows[1::2], rounds[1::2] = rows[1::2, ::-1].copy(), rounds[1::2, ::-1].copy()
    starts = rounds.cumsum(axis=0) - rounds
    starts[1::2] = starts[1::2, ::-1].copy()
    return rows.ravel()[:n], starts.ravel()[:n]


def _grid(size: int) -> int:
    """Spacing of about 16 grid points on `size`: a power of two."""
    return 1 << max(0, (size // 16).bit_length() - 1)
