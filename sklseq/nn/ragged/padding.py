"""Sequences side by side with what is free behind them: the layout that attention needs."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sklseq.nn.ragged.packing import Packing

__all__ = ["Padding", "padded_length"]


def padded_length(length: int) -> int:
    """The length that a sequence is padded to in inference: 8, 12, 16, 24, 32, 48, ...

    It depends on the sequence alone, and so does the shape of every call that computes it.
    """
    size = 8
    while size < length:
        size = size * 3 // 2 if size.bit_count() == 1 else size * 4 // 3
    return size


class Padding:
    """Where stacked steps lie in a rectangle ``(n_sequences, n_steps)``.

    Parameters
    ----------
    packing : Packing
        Of the sequences. With lanes, for inference, the rectangle is as long as `padded_length`
        says, else as the longest sequence.
    """

    def __init__(self, packing: Packing):
        self.packing = packing
        longest = int(packing.lengths.max())
        self.n_steps = longest if packing.lanes is None else padded_length(longest)

    @cached_property
    def index(self) -> Tensor:
        """Place of each stacked step in the rectangle, row by row."""
        owner = np.repeat(np.arange(len(self.packing)), self.packing.lengths)
        return self._on_device(owner * self.n_steps + self.packing.time)

    @cached_property
    def mask(self) -> Tensor:
        """Which places hold a real step, ``(n_sequences, n_steps)``."""
        return self._on_device(np.arange(self.n_steps) < self.packing.lengths[:, None])

    def pad(self, stacked: Tensor) -> Tensor:
        """Stacked steps ``(sum of lengths, ...)`` as ``(n_sequences, n_steps, ...)``, else 0."""
        n, shape = len(self.packing), stacked.shape[1:]
        free = stacked.new_zeros(n * self.n_steps, *shape)
        return free.index_copy(0, self.index, stacked).view(n, self.n_steps, *shape)

    def stack(self, padded: Tensor) -> Tensor:
        """The inverse of `pad`."""
        return padded.flatten(0, 1).index_select(0, self.index)

    def _on_device(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.packing.device, non_blocking=True)
