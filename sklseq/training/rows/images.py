"""Images of many sizes, cut into patches, as rows."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sklseq.nn.ragged.grids import Grids, n_patches
from sklseq.nn.ragged.packing import Lanes
from sklseq.nn.recurrent.kernels.dispatch import lanes_for
from sklseq.training.placement import as_tensor
from sklseq.training.rows.batch import Rows, Targets, Tile

__all__ = ["ImageRows"]

# As of sequences: numbers in the widest activation of a tile, and images in a tile with lanes.
_MAX_NUMBERS = 1 << 23
_TILE_ROWS = 480


class ImageRows(Rows):
    """Patches of images, their targets and weights.

    Parameters
    ----------
    patches : ndarray or Tensor of shape (n_patches, n_values)
        Of one image after the other, row by row.
    sizes : ndarray of int of shape (n_images, 2)
        Height and width of each image, in pixels; stays on the CPU.
    patch_size : (int, int)
    like : Tensor
        A parameter of the module.
    targets : Targets or None, default=None
    per_pixel : bool, default=False
        Whether targets belong to pixels.
    """

    def __init__(
        self,
        patches: NDArray[Any] | Tensor,
        sizes: NDArray[np.int64],
        patch_size: tuple[int, int],
        like: Tensor,
        targets: Targets | None = None,
        per_pixel: bool = False,
    ):
        self.patches, self.sizes, self.patch_size = as_tensor(patches, like), sizes, patch_size
        self.like, self.per_part = like, per_pixel
        self._grid = np.stack(
            [n_patches(*pair) for pair in zip(sizes.T, patch_size, strict=True)], axis=1
        )
        self._set_targets(like, targets)

    def __len__(self) -> int:
        return len(self.sizes)

    def inputs(
        self,
        rows: NDArray[np.int64],
        lanes: tuple[Lanes, Lanes] | None = None,
        n_rows: int = 0,
    ) -> tuple[Tensor, Grids]:
        """Patches of these images and their grids, filled up to `n_rows` with empty images."""
        sizes = self.sizes[rows]
        if n_rows > len(rows):
            sizes = np.concatenate([sizes, np.zeros((n_rows - len(rows), 2), dtype=np.int64)])
        grids = Grids(sizes[:, 0], sizes[:, 1], self.patch_size, self.patches.device, lanes)
        return self._patches_of(rows), grids

    def _patches_of(self, rows: NDArray[np.int64]) -> Tensor:
        index = torch.from_numpy(_places(self._grid.prod(axis=1), rows))
        return self.patches.index_select(0, index.to(self.patches.device, non_blocking=True))

    def _target_index(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return _places(self.sizes.prod(axis=1), rows) if self.per_part else rows

    def has_target(self, targets: Targets) -> NDArray[np.bool_]:
        """Which images have a target with weight, at one pixel at least."""
        known = targets.counted()
        if not self.per_part:
            return known
        n_pixels = self.sizes.prod(axis=1)
        return np.logical_or.reduceat(known, np.cumsum(n_pixels) - n_pixels)

    def subset(self, rows: NDArray[np.int64]) -> Self:
        """These images as data of their own, whose weights sum to their number."""
        batch = self.take(rows)
        part = type(self)(
            batch.inputs[0], self.sizes[rows], self.patch_size, self.like, None, self.per_part
        )
        part.target = None if self.target is None else batch.target
        part.mean_weight = self.mean_weight
        part.weight = part._scaled(batch.weight)
        return part

    def n_results(self, per_part: bool) -> int:
        """Number of images, or of pixels."""
        return int(self.sizes.prod(axis=1).sum()) if per_part else len(self)

    def tiles(self, module: nn.Module, per_part: bool) -> Iterator[Tile]:
        """All images in parts for inference, in which each is computed as if it were alone.

        Images of similar size come together, as many as memory allows. On the CPU their columns and
        rows are laid in lanes, so that the shapes of all calls follow from the module and the
        image's own size.
        """
        most = _MAX_NUMBERS // max(max(p.shape, default=1) for p in module.parameters())
        for lanes, chosen in self._classes(module):
            on_cpu = lanes is not None
            areas = self._grid[chosen].prod(axis=1)
            start = 0
            while start < len(chosen):
                size = max(1, most // int(areas[start]))
                rows = chosen[start : start + (min(size, _TILE_ROWS) if on_cpu else size)]
                places = _places(self.sizes.prod(axis=1), rows) if per_part else rows
                inputs = self.inputs(rows, lanes, _TILE_ROWS if on_cpu else 0)
                yield Tile(inputs, places, len(places))
                start += len(rows)

    def _classes(
        self, module: nn.Module
    ) -> Iterator[tuple[tuple[Lanes, Lanes] | None, NDArray[np.int64]]]:
        """Images of one shape of lanes, the largest first."""
        shapes, shape_of = np.unique(self._grid, axis=0, return_inverse=True)
        columns, rows = (lanes_for(module, lengths) for lengths in shapes.T)
        order = np.argsort(-self._grid.prod(axis=1), kind="stable")
        of_kind: dict[Any, list[int]] = {}
        for image in order.tolist():
            shape = shape_of[image]
            of_kind.setdefault((columns[shape], rows[shape]), []).append(image)
        for (of_columns, of_rows), images in of_kind.items():
            both = None if of_columns is None or of_rows is None else (of_columns, of_rows)
            yield both, np.array(images)


def _places(sizes: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of all parts of these rows, of which each has so many, among those of all."""
    chosen = sizes[rows]
    starts = (np.cumsum(sizes) - sizes)[rows]
    return np.repeat(starts - (np.cumsum(chosen) - chosen), chosen) + np.arange(chosen.sum())
