"""Long sequences cut into chunks that run as a batch of sequences of their own."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.ragged.packing import Packing

__all__ = ["Cut"]


class Cut:
    """Index vectors between the packed order of sequences and that of their chunks.

    Parameters
    ----------
    packing : Packing
        Of the sequences, without lanes.
    length : int
        Steps of a chunk; the last one of a sequence has what is left.
    """

    def __init__(self, packing: Packing, length: int):
        n_chunks = -(-packing.lengths // length)
        owner = np.repeat(np.arange(len(n_chunks)), n_chunks)
        self._first = np.cumsum(n_chunks) - n_chunks
        number = np.arange(len(owner)) - self._first[owner]
        self._goes_on = np.flatnonzero(number < n_chunks[owner] - 1)
        lengths = np.minimum(packing.lengths[owner] - number * length, length)
        self.whole, self.chunks = packing, Packing(lengths, packing.device)

    @staticmethod
    def of(packing: Packing, length: int) -> "Cut":
        """A cut that is kept with the packing: all layers and directions ask for the same one."""
        key = "cut", length
        if key not in packing.indices:
            packing.indices[key] = Cut(packing, length)
        found: Cut = packing.indices[key]
        return found

    @cached_property
    def to_chunks(self) -> Tensor:
        """``packed.index_select(0, to_chunks)`` is in the packed order of the chunks."""
        return self.whole.to_stacked.index_select(0, self.chunks.to_packed)

    @cached_property
    def from_chunks(self) -> Tensor:
        """The inverse of `to_chunks`."""
        return self.chunks.to_stacked.index_select(0, self.whole.to_packed)

    def _rows(self, numbers: NDArray[np.int64]) -> Tensor:
        index = torch.from_numpy(numbers).to(self.whole.device, non_blocking=True)
        return self.chunks.rank.index_select(0, index)

    @cached_property
    def first(self) -> Tensor:
        """Row of the first chunk of each sequence."""
        return self._rows(self._first)

    @cached_property
    def left(self) -> Tensor:
        """Rows of the chunks that another one follows; they reach to the last step of all."""
        return self._rows(self._goes_on)

    @cached_property
    def right(self) -> Tensor:
        """Rows of those that follow them."""
        return self._rows(self._goes_on + 1)
