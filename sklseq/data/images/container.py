"""The one form of images of many sizes: stacked pixels, heights and widths."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sklseq.data.arrays import as_array, as_container
from sklseq.data.sequences.targets import as_labels, read_steps

__all__ = ["Images"]


@dataclass(frozen=True, eq=False)
class Images:
    """Images that may differ in size as one stacked array.

    Parameters
    ----------
    pixels : ndarray of shape (n_pixels, n_channels)
        All pixels, one image after the other, row by row.
    heights, widths : ndarray of shape (n_images,)
    layout : {"dense", "ragged", "table"}
        The container that the user gave, in which results of pixels are given back.
    """

    pixels: NDArray[Any]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    layout: Literal["dense", "ragged", "table"] = "ragged"

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of pixels of each image."""
        return self.heights * self.widths

    @property
    def starts(self) -> NDArray[np.int64]:
        """Index of each image's first pixel among all."""
        return np.cumsum(self.sizes) - self.sizes

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Height, width and number of channels; None where images differ in size."""
        height, width = int(self.heights[0]), int(self.widths[0])
        if (self.heights == height).all() and (self.widths == width).all():
            return height, width, self.pixels.shape[1]
        return None

    def refuse_sizes_other_than(self, shape: tuple[int, ...] | None, remedy: str) -> None:
        """Name the first image that has another height or width; of the first one without a shape.

        Raises
        ------
        ValueError
            If there is one.
        """
        expected = (self.heights[0], self.widths[0]) if shape is None else shape[:2]
        for i in np.flatnonzero((self.heights != expected[0]) | (self.widths != expected[1]))[:1]:
            raise ValueError(
                f"X, image {i} has shape ({self.heights[i]}, {self.widths[i]}), but "
                f"{'image 0 has' if shape is None else 'images of fit have'} "
                f"({expected[0]}, {expected[1]}): {remedy}"
            )

    def place(self, pixel: int) -> str:
        """What messages call one of the stacked pixels."""
        image = int(np.searchsorted(self.starts, pixel, side="right")) - 1
        return f"image {image}, {self.place_within(image, pixel - self.starts[image])}"

    def place_within(self, image: int, pixel: int) -> str:
        """What messages call a pixel of an image."""
        row, column = divmod(int(pixel), int(self.widths[image]))
        return f"row {row}, column {column}"

    def with_pixels(self, pixels: NDArray[Any]) -> "Images":
        """The same images with other values."""
        return replace(self, pixels=pixels)

    def patches(self, patch_size: tuple[int, int]) -> NDArray[Any]:
        """Values of each patch, ``(n_patches, height * width * n_channels)``, row by row.

        Images that the patches do not divide are filled up with zeros at the bottom and on the
        right.
        """
        height, width = patch_size
        if (height, width) == (1, 1):
            return self.pixels
        cut: list[NDArray[Any]] = []
        starts = self.starts
        sizes = np.stack([self.heights, self.widths], axis=1)
        # Images of one size that follow each other are cut together.
        changes = np.flatnonzero((sizes[1:] != sizes[:-1]).any(axis=1)) + 1
        for images in np.split(np.arange(len(self)), changes):
            n, (h, w) = len(images), sizes[images[0]].tolist()
            start = starts[images[0]]
            pixels = self.pixels[start : start + n * h * w].reshape(n, h, w, -1)
            filled = np.pad(pixels, ((0, 0), (0, -h % height), (0, -w % width), (0, 0)))
            parts = filled.reshape(
                n, filled.shape[1] // height, height, filled.shape[2] // width, width, -1
            )
            cut.append(parts.swapaxes(2, 3).reshape(-1, height * width * pixels.shape[-1]))
        return np.concatenate(cut)

    def restore(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of pixels ``(n_pixels, ...)`` in the container of the input.

        ``(n_images, height, width, ...)`` for an array, ``(n_images, height * width, ...)`` for a
        table; else a 1-D object array with one array ``(height, width, ...)`` for each image.
        """
        rest = values.shape[1:]
        if self.layout == "dense":
            return values.reshape(len(self), self.heights[0], self.widths[0], *rest)
        if self.layout == "table":
            return values.reshape(len(self), self.sizes[0], *rest)
        ragged = np.empty(len(self), dtype=object)
        parts = zip(self.starts, self.heights, self.widths, strict=True)
        for i, (start, height, width) in enumerate(parts):
            ragged[i] = values[start : start + height * width].reshape(height, width, *rest)
        return ragged

    def stack(self, values: Any, name: str = "y") -> NDArray[Any]:
        """Values of the pixels of all images, one after the other, ``(n_pixels,)`` or with an axis.

        Parameters
        ----------
        values : array-like
            For each image an array ``(height, width)``, or ``(height, width, k)``; for rows of a
            table also ``(height * width,)``, or ``(height * width, k)``.
        name : str, default="y"
            Name of the values in messages.

        Raises
        ------
        ValueError
            Naming the first image whose values have another shape.
        """
        values = as_container(values)
        if hasattr(values, "columns") or isinstance(values, Mapping):
            values = as_array(values)
        shape = (len(self), *map(int, (self.heights[0], self.widths[0])))
        if self.layout != "ragged" and getattr(values, "shape", ())[:3] == shape:
            return as_labels(values).reshape(-1, *values.shape[3:])
        items = list(values) if np.iterable(values) else []
        if len(items) != len(self):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"{name} has {len(items)} values, but X has {len(self)} images."
            )
        flat = [self._of_image(i, item, name) for i, item in enumerate(items)]
        if len({array.shape[1:] for array in flat}) > 1:
            i = next(i for i, array in enumerate(flat) if array.shape[1:] != flat[0].shape[1:])
            raise ValueError(
                f"{name}, image {i} has values of shape {flat[i].shape[1:]} for each pixel, but "
                f"image 0 has {flat[0].shape[1:]}."
            )
        return read_steps(flat, name).steps

    def _of_image(self, i: int, item: Any, name: str) -> NDArray[Any]:
        height, width = int(self.heights[i]), int(self.widths[i])
        try:
            array = as_labels(item)
        except ValueError as error:
            raise ValueError(
                f"{name}, image {i} has rows of different lengths: give each pixel as many values."
            ) from error
        if array.shape[:2] == (height, width) and array.ndim in (2, 3):
            return array.reshape(height * width, *array.shape[2:])
        if self.layout == "table" and array.shape[:1] == (height * width,) and array.ndim in (1, 2):
            return array
        raise ValueError(
            f"{name}, image {i} has shape {array.shape}, but the image in X is {height} pixels "
            f"high and {width} wide: give a value for each pixel, None or NaN where there is none."
        )
