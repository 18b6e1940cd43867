"""Rows of one shape: of tables, of images."""

from collections.abc import Iterator
from copy import copy
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Rows, Targets, Tile, systematic_resampling

__all__ = ["DenseRows"]

# Rows of a tile: fewer for larger networks, of which a call costs its rows rather than its calls.
# At 1,750 / n_parameters**0.164 many rows take up to 1.2 times the best block size, and a row
# alone up to three times what it takes (measured, 428 to 330,000 parameters).
# MKL's kernels for AVX2 and SSE round the rows that are left over from dozens in their own way, and
# torch's for AVX-512 the numbers left over from 32: a tile has whole numbers of both.
_TILE, _EXPONENT, _FEWEST, _MOST, _GRID = 1750, 0.164, 96, 960, 96
# A GPU is filled by more.
_ON_GPU = 16


class DenseRows(Rows):
    """Samples of one shape, and further inputs of each.

    Parameters
    ----------
    arrays : tuple of ndarray or Tensor of shape (n_rows, ...)
        Inputs of the module.
    like : Tensor
        A parameter of the module.
    targets : Targets or None, default=None
        Rows without target values are their own targets.
    """

    def __init__(
        self,
        arrays: tuple[NDArray[Any] | Tensor, ...],
        like: Tensor,
        targets: Targets | None = None,
    ):
        self.arrays, self.like = arrays, like
        if targets is not None:
            self.arrays = tuple(as_tensor(values, like) for values in arrays)
        self._set_targets(like, targets)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def inputs(self, rows: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Tensors of these rows."""
        index = torch.from_numpy(rows).to(self.like.device, non_blocking=True)
        return tuple(as_tensor(values, self.like).index_select(0, index) for values in self.arrays)

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These rows as data of their own, whose weights sum to their number."""
        batch = self.take(rows)
        part = copy(self)
        part.arrays = batch.inputs
        part.target = None if self.target is None else batch.target
        part.weight = part._scaled(batch.weight)
        return part

    def resampled(self, seed: int) -> Self:
        """Rows drawn in proportion to their weights, of weight one; these if they weigh alike."""
        assert self.weight is not None
        weights = self.weight.double().cpu().numpy()
        if not np.ptp(weights):
            return self
        part = self.subset(systematic_resampling(weights, seed))
        assert part.weight is not None
        part.weight = torch.ones_like(part.weight)
        return part

    def n_results(self, per_part: bool) -> int:
        """Number of rows, which have no parts."""
        return len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """All rows, so many at a time; the last are filled up with one of theirs."""
        size = _tile_rows(sum(p.numel() for p in module.parameters()), self.like.device.type)
        for start in range(0, len(self), size):
            rows = [as_tensor(values[start : start + size], self.like) for values in self.arrays]
            n = len(rows[0])
            if n < size:
                rows = [torch.cat([r, r[:1].expand(size - n, *r.shape[1:])]) for r in rows]
            yield Tile(tuple(rows), slice(start, start + n), n)


def _tile_rows(n_parameters: int, device: str) -> int:
    rows = _TILE / n_parameters**_EXPONENT
    size = int(np.clip(_GRID * round(rows / _GRID), _FEWEST, _MOST))
    return size if device == "cpu" else size * _ON_GPU
