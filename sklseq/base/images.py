"""Reading X where a row is an image."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils import check_array

from sklseq.base.parameters import layer_sizes
from sklseq.base.tables import read_table, refuse_times
from sklseq.base.target_rows import TargetRows
from sklseq.data import (
    Images,
    as_array,
    as_sequences,
    check_numeric,
    is_nested,
    is_nested_table,
    is_table,
    nested_rows,
)
from sklseq.data.limits import first_beyond, largest

__all__ = ["check_image_shape", "of_images", "read_image_array", "read_images"]

_KINDS = "(height, width) or (height, width, channels)"
# Numbers of channels that say that an axis holds them.
_CHANNELS = (1, 3, 4)


def read_images(
    model: Any, X: Any, *, reset: bool, image_shape: Sequence[int] | None = None
) -> Images:
    """X as images: an array, a list of arrays of many sizes, or a table with an image a row.

    Sets, or compares with, what `fit` of `model` has seen.

    Parameters
    ----------
    model : Estimator
        Which scales the channels of images in the type of X.
    X : array-like
    reset : bool
    image_shape : tuple of int or None, default=None
        Of the rows of a table; None makes each an image of one line.

    Raises
    ------
    ValueError, TypeError
        Naming the image, and the place in it, at fault.
    """
    X = as_sequences(X)
    name = type(model).__name__
    if is_nested(X):
        X, _ = nested_rows(X, "X")
    if hasattr(X, "toarray"):
        raise TypeError("Sparse data was passed for X, but dense data is required: X.toarray().")
    if _is_rows(X):
        if not reset and model._fitted_layout != "table":
            raise ValueError(
                f"X is a table, but {name} was fitted on images: give X.reshape(n_images, height, "
                "width[, channels])."
            )
        table = read_table(model, X, reset=reset, scaled=True)
        shape: tuple[int, ...] = (1, table.shape[1])
        if image_shape is not None:
            shape = check_image_shape(image_shape, table.shape[1])
        images = _stacked(table.reshape(len(table), *shape), "table")
    elif hasattr(X, "ndim") and X.ndim > 2:
        images = _stacked(read_image_array(X, name), "dense")
    else:
        images = _read_each(list(X))
    n_channels = images.pixels.shape[1]
    if reset:
        model._fitted_layout, model._n_channels = images.layout, n_channels
        if images.layout != "table":
            model.n_features_in_ = n_channels
            model.__dict__.pop("feature_names_in_", None)
    if n_channels != model._n_channels:
        raise ValueError(
            f"X has images of {n_channels} channels, but {name} was fitted on images of "
            f"{model._n_channels}."
        )
    return images


def read_image_array(X: Any, name: str, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Validate an array of images, of float32 or float64.

    Parameters
    ----------
    X : array of shape (n_images, height, width) or (n_images, height, width, channels)
    name : str
        Of the estimator.
    dtype : dtype or None, default=None
        Type that computes; None for that of X.
    """
    refuse_times(X)
    images = check_array(
        X,
        dtype=[np.float64, np.float32],
        allow_nd=True,
        ensure_all_finite=False,
        input_name="X",
        estimator=name,
    )
    if images.ndim > 4:
        raise ValueError(
            f"Found array with dim {images.ndim}: images are (n_images, height, width) or "
            "(n_images, height, width, channels)."
        )
    if 0 in images.shape:
        raise ValueError(f"Found images without pixels: X has shape {images.shape}.")
    if images.ndim == 4 and images.shape[1] in _CHANNELS and images.shape[3] not in _CHANNELS:
        warnings.warn(
            f"X of shape {images.shape} is read as images of {images.shape[3]} channels. If "
            "channels come first, give X.transpose(0, 2, 3, 1).",
            UserWarning,
            stacklevel=2,
        )
    _check_finite(_stacked(images, "dense"), dtype)
    return images


def check_image_shape(image_shape: Any, n_values: int) -> tuple[int, ...]:
    """The shape of images that are rows of so many values, which must be as many pixels.

    Raises
    ------
    ValueError
        If they are not.
    """
    shape = layer_sizes("image_shape", image_shape)
    if len(shape) not in (2, 3):
        raise ValueError(f"image_shape={image_shape!r} is not {_KINDS}.")
    if math.prod(shape) != n_values:
        raise ValueError(
            f"image_shape={image_shape!r} has {math.prod(shape)} values, but the rows of X "
            f"have {n_values}: give each image as one row."
        )
    return shape


def of_images(images: Images, per_pixel: bool) -> TargetRows:
    """Images, or their pixels, as what targets belong to."""
    return TargetRows("image", "pixel", images.sizes, per_pixel, images.stack, images.place_within)


def _is_rows(X: Any) -> bool:
    """Whether X is a table, or anything else that scikit-learn's validation is to read."""
    if isinstance(X, (list, tuple)):
        return not len(X) or np.isscalar(X[0]) or is_nested_table(X)
    return is_table(X) or not hasattr(X, "ndim") or (X.ndim < 2 and X.dtype != object)


def _stacked(images: NDArray[Any], layout: Any) -> Images:
    n, height, width = images.shape[:3]
    n_channels = math.prod(images.shape[3:])
    heights, widths = np.full((2, n), [[height], [width]])
    return Images(images.reshape(n * height * width, n_channels), heights, widths, layout)


def _read_each(items: list[Any]) -> Images:
    """Images that are arrays of their own."""
    arrays = [_read_one(i, item) for i, item in enumerate(items)]
    n_channels = [array.shape[2] for array in arrays]
    if len(set(n_channels)) > 1:
        i = next(i for i, n in enumerate(n_channels) if n != n_channels[0])
        raise ValueError(
            f"X, image {i} has {n_channels[i]} channels, but image 0 has {n_channels[0]}: give "
            "all as many."
        )
    pixels = np.concatenate([array.reshape(-1, n_channels[0]) for array in arrays])
    heights, widths = np.array([array.shape[:2] for array in arrays], dtype=np.int64).T
    images = Images(pixels, heights, widths)
    _check_finite(images)
    return images


def _read_one(i: int, item: Any) -> NDArray[Any]:
    """An image as numbers ``(height, width, n_channels)``."""
    try:
        array = as_array(item)
    except ValueError as error:
        raise ValueError(f"X, image {i} is no array: its rows differ in length.") from error
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(f"X, image {i} has shape {array.shape}, expected {_KINDS}.")
    height, width, n_channels = *array.shape[:2], *(array.shape[2:] or (1,))

    def place(row: int, channel: int) -> str:
        return f"X, image {i}, row {row // width}, column {row % width}, channel {channel}"

    kept = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
    numbers = check_numeric(array.reshape(height * width, n_channels), kept, place)
    return numbers.reshape(height, width, n_channels)


def _check_finite(images: Images, dtype: DTypeLike | None = None) -> None:
    """Refuse NaN, infinity and, in a type that computes, numbers too large to be squared."""
    limit = largest(dtype or images.pixels.dtype, squared=dtype is not None)
    dtype = dtype or images.pixels.dtype
    if (beyond := first_beyond(images.pixels, limit, dtype)) is None:
        return
    (pixel, channel), what, why = beyond
    remedy = "fill it in first" if what == "NaN" else "scale the images"
    raise ValueError(
        f"Input X contains {what} at {images.place(pixel)}, channel {channel}{why}: {remedy}, or "
        "leave out the image."
    )
