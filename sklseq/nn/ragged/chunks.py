"""Ragged sequences cut into chunks that are processed side by side.

A chunk is a row, as a sequence is in packed order: the first step of all chunks, the second of
those that have one, and so on. Nothing is padded. Chunks that another one follows have the full
length and come first, so that what is carried from chunk to chunk comes from a block of rows.
That is a ragged batch of its own, with a step for each of these chunks, and is cut again.
"""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Chunks"]


class Chunks:
    """Index vectors between stacked order and that of the *cells*, steps of chunks side by side.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_sequences,)
        May be 0.
    length : int
        Of a chunk, at least 2.
    device : torch.device or str
        Where the index vectors are wanted.
    """

    def __init__(self, lengths: NDArray[np.int64], length: int, device: torch.device | str):
        self._lengths, self._length, self._device = lengths, length, device
        n_chunks = -(-lengths // length)
        self._first = np.cumsum(n_chunks) - n_chunks
        self._owner = np.repeat(np.arange(len(lengths)), n_chunks)
        number = np.arange(len(self._owner)) - self._first[self._owner]
        n_steps = np.minimum(lengths[self._owner] - number * length, length)
        self._goes_on = number < n_chunks[self._owner] - 1
        self._begins = number == 0
        # In equal places as they were: the rows that go on are in stacked order.
        self._order = np.argsort(np.where(self._goes_on, -1, length - n_steps), kind="stable")
        self._row = inverse(self._order)
        reached = np.searchsorted(np.sort(n_steps), np.arange(n_steps.max(initial=0)), "right")
        sizes = len(n_steps) - reached
        self._offsets = np.cumsum(sizes) - sizes
        self.sizes: list[int] = sizes.tolist()
        """Number of rows of each step."""
        self.n_going_on = int(self._goes_on.sum())
        """Number of rows, the first ones, that another chunk of their sequence follows."""
        self.carries: Chunks | None = None
        """Chunks of the sequences whose steps are those rows."""
        if self.n_going_on:
            self.carries = Chunks(np.maximum(n_chunks - 1, 0), length, device)

    def __len__(self) -> int:
        return len(self._lengths)

    def _index(self, index: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(index).to(self._device, non_blocking=True)

    @cached_property
    def cell(self) -> NDArray[np.int64]:
        """Of each stacked step."""
        owner = np.repeat(np.arange(len(self._lengths)), self._lengths)
        time = np.arange(len(owner)) - (np.cumsum(self._lengths) - self._lengths)[owner]
        chunk, step = np.divmod(time, self._length)
        return self._offsets[step] + self._row[self._first[owner] + chunk]

    @cached_property
    def begins(self) -> Tensor:
        """Row in which each sequence begins; of an empty one any row."""
        return self._index(self._row[np.minimum(self._first, len(self._row) - 1)])

    @cached_property
    def last(self) -> Tensor:
        """Cell of the last step of each sequence; of an empty one any cell."""
        ends = np.cumsum(self._lengths) - 1
        return self._index(self.cell[np.maximum(ends, 0)])

    # -- what is carried from one chunk to the next --------------------------------------------

    @cached_property
    def carried_by(self) -> Tensor:
        """Row of each cell of `carries`."""
        assert self.carries is not None
        return self._index(inverse(self.carries.cell))

    @cached_property
    def source(self) -> Tensor:
        """The start of each row: that of its sequence or, counted on, a cell of `carries`."""
        before = self._owner.copy()
        if self.carries is not None:
            follows = np.flatnonzero(~self._begins)
            before[follows] = len(self._lengths) + self.carries.cell[self._row[follows - 1]]
        return self._index(before[self._order])

    @cached_property
    def carried_back_by(self) -> Tensor:
        """Row of each cell of `carries` where these go from the end of a sequence to its start."""
        assert self.carries is not None
        rows_after = self._row[np.flatnonzero(self._goes_on) + 1]
        return self._index(rows_after[self._mirrored][inverse(self.carries.cell)])

    @cached_property
    def source_back(self) -> Tensor:
        """The cell of `carries`, going back, from which each row that goes on gets its end."""
        assert self.carries is not None
        return self._index(self.carries.cell[self._mirrored])

    @cached_property
    def _mirrored(self) -> NDArray[np.int64]:
        """The same carries counted from the end of their sequence."""
        owner = self._owner[self._goes_on]
        n = np.bincount(owner, minlength=len(self._lengths))
        first = np.cumsum(n) - n
        return 2 * first[owner] + n[owner] - 1 - np.arange(len(owner))


def inverse(permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of a permutation."""
    result = np.empty_like(permutation)
    result[permutation] = np.arange(len(permutation))
    return result
