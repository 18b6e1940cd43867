"""States side by side over ragged stretches of one table of steps, tile by tile."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.reservoir.states.kernel import Array, Kernel

__all__ = ["StateBlock", "StateColumns", "fixed_width", "split_layers"]

StateBlock = tuple[NDArray[np.int64], Array]
# A tile stays in the cache that is shared by the cores, and is large enough for the products of
# the readout.
_TILE_BYTES, _RAGGED_TILE = 4 * 2**20, 16
# The states of a layer take at most this, so that one sequence alone is not much slower than in a
# batch of one, and many are as fast as in wider batches (measured, 30 to 1,000 units).
_DENSE_BYTES, _CACHE_LINE, _WIDEST = 32 * 2**10, 64, 64
_SPARSE_BYTES = {torch.float64: 72 * 2**10, torch.float32: 80 * 2**10}
_STRUCTURED_WIDTH = {"cosine": 32, "hadamard": 64}


def fixed_width(kernels: Sequence[Kernel]) -> int:
    """How many sequences of any company run side by side.

    Batches of another width are rounded in another way. So this depends on the model alone, and
    batches are filled up to it: a sequence has the same states alone and beside others, to the bit.
    """
    kernel = max(kernels, key=lambda k: k.units)
    if kernel.device.type != "cpu":
        return _WIDEST
    if kernel.recurrent.kind in _STRUCTURED_WIDTH:
        return _STRUCTURED_WIDTH[kernel.recurrent.kind]
    dense = kernel.recurrent.kind == "dense"
    size = _DENSE_BYTES if dense else _SPARSE_BYTES[kernel.dtype]
    width = size // (kernel.units * kernel.dtype.itemsize)
    narrowest = 16 if dense else _CACHE_LINE // kernel.dtype.itemsize
    return min(max(2 ** (width.bit_length() - 1) if width else 1, narrowest), _WIDEST)


def split_layers(kernels: Sequence[Kernel], stacked: Array) -> list[Tensor]:
    """States (batch, units of all layers) as one tensor (units, batch) a layer, on its device."""
    stops = np.cumsum([kernel.units for kernel in kernels])
    parts = np.split(stacked, stops[:-1], axis=1)
    return [
        torch.tensor(part.T, dtype=kernel.dtype, device=kernel.device)
        for kernel, part in zip(kernels, parts, strict=True)
    ]


class StateColumns:
    """States side by side over ragged stretches of one table of inputs ``(n_rows, n_inputs)``.

    Column i has ``lengths[i]`` steps, in descending order, from row ``first[i]`` on and the states
    ``initial[i]``, of all layers side by side. With a `width`, so many columns are computed in each
    step, the rest of them for nothing; without, those that have not ended. `final` holds the states
    after the last steps, complete after the iteration.
    """

    def __init__(
        self,
        kernels: Sequence[Kernel],
        inputs: Array,
        first: NDArray[np.int64],
        lengths: NDArray[np.int64],
        initial: Array,
        width: int | None = None,
    ):
        self.kernels, self.inputs = kernels, inputs
        self.first, self.lengths, self.final = first, lengths, initial.copy()
        self.width = width or 0
        self._room = np.empty(0, dtype=initial.dtype)

    def blocks(self, needed: bool = True) -> Iterator[StateBlock]:
        """Yield ``(rows, states)`` with shapes (n,) and (n, units), valid until the next.

        Where they are not `needed`, it yields nothing, but has to be exhausted all the same.
        """
        missing = max(self.width - len(self.first), 0)
        states = split_layers(self.kernels, np.pad(self.final, ((0, missing), (0, 0))))
        columns = np.pad(self.first, (0, missing))
        longest, last, lowest = self.lengths[0], len(self.inputs) - 1, self.kernels[0]
        start = 0
        while start < longest:
            batch = self.width or int(np.count_nonzero(self.lengths > start))
            stop = min(start + self._tile_steps(batch), longest)
            # Rows past a column's end are read (any will do) and their states never shown.
            rows = np.minimum(np.add.outer(np.arange(start, stop), columns[:batch]), last)
            inputs = self.inputs[rows].swapaxes(1, 2)
            drive = torch.tensor(inputs, dtype=lowest.dtype, device=lowest.device)
            tiles = []
            for kernel, x in zip(self.kernels, states, strict=True):
                drive = kernel.run(x[:, :batch], drive)
                tiles.append(drive)
            states = [tile[-1] for tile in tiles]
            self._keep_final(start, tiles)
            if needed:
                yield self._block(start, tiles)
            start = stop

    def _tile_steps(self, batch: int) -> int:
        step: int = batch * max(k.units * k.dtype.itemsize for k in self.kernels)
        steps = max(1, _TILE_BYTES // step)
        if self.width:
            # The same for any company, as sums over the steps of a block are rounded by block.
            return steps
        # Columns that have ended are dropped between tiles only.
        ragged = self.lengths[0] - self.lengths[-1] > _RAGGED_TILE
        return min(steps, _RAGGED_TILE) if ragged else steps

    def _keep_final(self, start: int, tiles: list[Tensor]) -> None:
        left = self.lengths - 1 - start
        ending = np.flatnonzero((left >= 0) & (left < len(tiles[0])))
        if len(ending):
            last = torch.from_numpy(left[ending]), slice(None), torch.from_numpy(ending)
            self.final[ending] = torch.cat([tile[last] for tile in tiles], dim=1).cpu().numpy()

    def _block(self, start: int, tiles: list[Tensor]) -> StateBlock:
        n_steps, batch = len(tiles[0]), int(np.count_nonzero(self.lengths > start))
        size = n_steps * batch * self.final.shape[1]
        if len(self._room) < size:
            self._room = np.empty(size, dtype=self.final.dtype)
        block = self._room[:size].reshape(n_steps, batch, -1)
        stop = 0
        for tile in tiles:
            begin, stop = stop, stop + tile.shape[1]
            # Numpy turns the axes twice as fast as torch.
            np.copyto(block[:, :, begin:stop], tile[:, :, :batch].cpu().numpy().swapaxes(1, 2))
        time = np.arange(n_steps)[:, None]
        rows, left = self.first[:batch] + start + time, self.lengths[:batch] - 1 - start
        if left[-1] < n_steps - 1:
            real = time <= left
            return rows[real], block[real]
        return rows.reshape(-1), block.reshape(n_steps * batch, -1)
