"""Where the patches of images of many sizes lie: as sequences of columns and of rows."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.nn.ragged.packing import Lanes, Packing, rearrange

__all__ = ["Grids", "n_patches"]


def n_patches(sizes: Any, patch_size: int) -> Any:
    """Patches along heights or widths; the last one may reach beyond the image."""
    return -(-sizes // patch_size)


class Grids:
    """Index vectors of images cut into patches.

    *Stacked* order has one image after the other, each row by row, of patches or of pixels.

    Parameters
    ----------
    heights, widths : ndarray of int of shape (n_images,)
        In pixels; on the CPU. At least 1, with `lanes` also 0.
    patch_size : (int, int), default=(1, 1)
        Height and width of a patch. Images are filled up at the bottom and on the right.
    device : torch.device or str
        Where the index vectors are wanted.
    lanes : pair of Lanes or None, default=None
        Of the columns and of the rows, for inference.
    """

    def __init__(
        self,
        heights: NDArray[np.int64],
        widths: NDArray[np.int64],
        patch_size: tuple[int, int] = (1, 1),
        device: torch.device | str = "cpu",
        lanes: tuple[Lanes, Lanes] | None = None,
    ):
        self.heights, self.widths, self.patch_size = heights, widths, patch_size
        self.n_rows = n_patches(heights, patch_size[0])
        self.n_columns = n_patches(widths, patch_size[1])
        of_columns, of_rows = lanes or (None, None)
        self.columns = Packing(np.repeat(self.n_rows, self.n_columns), device, of_columns)
        """Of the columns of all images, from top to bottom."""
        self.rows = Packing(np.repeat(self.n_columns, self.n_rows), device, of_rows)
        """Of the rows of all images, from left to right."""
        self.images = Packing(self.n_rows * self.n_columns, device, of_rows)
        """Of the images, whose steps are their patches."""
        self.device = device

    def __len__(self) -> int:
        return len(self.heights)

    @cached_property
    def _by_column(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Stacked position of each patch, column by column, and the inverse."""
        sizes = self.n_rows * self.n_columns
        start = np.repeat(np.cumsum(sizes) - sizes, sizes)
        column, row = np.divmod(np.arange(len(start)) - start, np.repeat(self.n_rows, sizes))
        stacked = start + row * np.repeat(self.n_columns, sizes) + column
        inverse = np.empty_like(stacked)
        inverse[stacked] = np.arange(len(stacked))
        return stacked, inverse

    @cached_property
    def stacked_to_columns(self) -> Tensor:
        """``stacked.index_select(0, stacked_to_columns)`` is in the packed order of columns."""
        stacked = torch.from_numpy(self._by_column[0]).to(self.device, non_blocking=True)
        return stacked.index_select(0, self.columns.to_packed)

    @cached_property
    def _columns_to_stacked(self) -> Tensor:
        place = torch.from_numpy(self._by_column[1]).to(self.device, non_blocking=True)
        return self.columns.to_stacked.index_select(0, place)

    @cached_property
    def _columns_to_rows(self) -> Tensor:
        return self._columns_to_stacked.index_select(0, self.rows.to_packed)

    @cached_property
    def _rows_to_columns(self) -> Tensor:
        return self.rows.to_stacked.index_select(0, self.stacked_to_columns)

    def to_rows(self, states: Tensor) -> Tensor:
        """States of patches in the packed order of columns in that of rows."""
        return rearrange(states, self._columns_to_rows, self._rows_to_columns)

    def to_columns(self, states: Tensor) -> Tensor:
        """The inverse of `to_rows`."""
        return rearrange(states, self._rows_to_columns, self._columns_to_rows)

    def to_stacked(self, states: Tensor) -> Tensor:
        """States of patches in the packed order of rows in stacked order."""
        return rearrange(states, self.rows.to_stacked, self.rows.to_packed)

    def to_pixels(self, patches: Tensor) -> Tensor:
        """Values ``(n_pixels, k)`` in stacked order, from those of the pixels of each patch.

        They are ``(n_patches, height * width, k)``; pixels that fill an image up are left out.
        """
        values = patches.flatten(0, 1)
        return values if self.patch_size == (1, 1) else values.index_select(0, self._of_pixels)

    @cached_property
    def _of_pixels(self) -> Tensor:
        height, width = self.patch_size
        sizes, patches = self.heights * self.widths, self.n_rows * self.n_columns
        start = np.repeat(np.cumsum(sizes) - sizes, sizes)
        row, column = np.divmod(np.arange(len(start)) - start, np.repeat(self.widths, sizes))
        patch = np.repeat(np.cumsum(patches) - patches, sizes)
        patch += row // height * np.repeat(self.n_columns, sizes) + column // width
        place = patch * (height * width) + row % height * width + column % width
        return torch.from_numpy(place).to(self.device, non_blocking=True)
