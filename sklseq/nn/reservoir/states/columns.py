"""States side by side over ragged stretches of one table of steps, tile by tile."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.reservoir.states.kernel import Kernel

__all__ = ["Block", "Columns", "split_layers"]

Block = tuple[NDArray[np.int64], NDArray[Any]]
# A tile stays in the cache that is shared by the cores, and is large enough for the products of
# who takes its states.
_TILE_BYTES = 4 * 2**20
_RAGGED_TILE = 16


def split_layers(kernels: Sequence[Kernel], stacked: NDArray[Any]) -> list[Tensor]:
    """States (batch, units of all layers) as one tensor (units, batch) a layer, on its device."""
    stops = np.cumsum([kernel.units for kernel in kernels])
    parts = np.split(stacked, stops[:-1], axis=1)
    return [
        torch.tensor(part.T, dtype=kernel.dtype, device=kernel.device)
        for kernel, part in zip(kernels, parts, strict=True)
    ]


class Columns:
    """States side by side over ragged stretches of one table of inputs.

    Parameters
    ----------
    kernels : sequence of Kernel
        Layers; each is driven by the states of the one before.
    inputs : ndarray of shape (n_rows, n_inputs)
        All steps, stacked.
    first : ndarray of shape (batch,)
        The row each column starts at.
    lengths : ndarray of shape (batch,)
        Steps of each column, in descending order.
    initial : ndarray of shape (batch, units)
        States before the first step, of all layers side by side.

    Attributes
    ----------
    final : ndarray of shape (batch, units)
        The states after each column's last step, complete after the iteration.
    """

    def __init__(
        self,
        kernels: Sequence[Kernel],
        inputs: NDArray[Any],
        first: NDArray[np.int64],
        lengths: NDArray[np.int64],
        initial: NDArray[Any],
    ):
        self.kernels, self.inputs = kernels, inputs
        self.first, self.lengths, self.final = first, lengths, initial.copy()
        self._room = np.empty(0, dtype=initial.dtype)

    def __iter__(self) -> Iterator[Block]:
        """Yield ``(rows, states)`` with shapes (n,) and (n, units), valid until the next."""
        for start, tiles in self._tiles():
            yield self._emit(start, tiles)

    def finish(self) -> NDArray[Any]:
        """Run for the final states alone."""
        for _ in self._tiles():
            pass
        return self.final

    def _tiles(self) -> Iterator[tuple[int, list[Tensor]]]:
        """The first step and the states (n_steps, units, batch) of each layer, tile by tile."""
        start, longest = 0, int(self.lengths.max(initial=0))
        states = split_layers(self.kernels, self.final)
        while start < longest:
            batch = int(np.count_nonzero(self.lengths > start))
            n_steps = min(self._tile_steps(batch), longest - start)
            tiles = self._run(start, n_steps, [x[:, :batch] for x in states])
            states = [tile[-1].clone() for tile in tiles]
            self._keep_final(start, tiles)
            yield start, tiles
            start += n_steps

    def _tile_steps(self, batch: int) -> int:
        step: int = batch * max(k.units * k.dtype.itemsize for k in self.kernels)
        steps = max(1, _TILE_BYTES // step)
        # Columns that have ended are dropped between tiles only.
        ragged = bool(self.lengths[0] - self.lengths[-1] > _RAGGED_TILE)
        return min(steps, _RAGGED_TILE) if ragged else steps

    def _run(self, start: int, n_steps: int, states: list[Tensor]) -> list[Tensor]:
        batch = states[0].shape[1]
        rows = np.add.outer(np.arange(start, start + n_steps), self.first[:batch])
        # Rows past a column's end are read (any will do) and their states never shown.
        inputs = self.inputs[np.minimum(rows, len(self.inputs) - 1)].swapaxes(1, 2)
        first = self.kernels[0]
        drive = torch.tensor(inputs, dtype=first.dtype, device=first.device)
        tiles = []
        for kernel, x in zip(self.kernels, states, strict=True):
            # Columns may have been dropped: sparse products want what is left in one piece.
            x = x if kernel.recurrent.dense is not None else x.contiguous()
            drive = kernel.run(x, drive)
            tiles.append(drive)
        return tiles

    def _keep_final(self, start: int, tiles: list[Tensor]) -> None:
        n_steps, _, batch = tiles[0].shape
        left = self.lengths[:batch] - 1 - start
        ending = np.flatnonzero(left < n_steps)
        if len(ending):
            last = torch.from_numpy(left[ending]), slice(None), torch.from_numpy(ending)
            self.final[ending] = torch.cat([tile[last] for tile in tiles], dim=1).cpu().numpy()

    def _emit(self, start: int, tiles: list[Tensor]) -> Block:
        n_steps, _, batch = tiles[0].shape
        size = n_steps * batch * self.final.shape[1]
        if len(self._room) < size:
            self._room = np.empty(size, dtype=self.final.dtype)
        block = self._room[:size].reshape(n_steps, batch, -1)
        stop = 0
        for tile in tiles:
            begin, stop = stop, stop + tile.shape[1]
            # Numpy turns the axes twice as fast as torch.
            np.copyto(block[:, :, begin:stop], tile.cpu().numpy().swapaxes(1, 2))
        time = np.arange(n_steps)[:, None]
        rows, left = self.first[:batch] + start + time, self.lengths[:batch] - 1 - start
        if left[-1] < n_steps - 1:
            real = time <= left
            return rows[real], block[real]
        return rows.reshape(-1), block.reshape(n_steps * batch, -1)
