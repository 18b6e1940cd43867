"""Numbers that a floating point type can compute with: finite, with squares that are."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["first_beyond", "is_within", "largest"]


def largest(dtype: DTypeLike) -> float:
    """The size up to which numbers have a square in this type, and sums of them in double."""
    return min(float(np.sqrt(np.finfo(dtype).max)), 1e150)


def is_within(values: NDArray[Any], limit: float) -> bool:
    """Whether all numbers are finite and not larger than the limit, in two passes."""
    # NaN compares as false.
    return values.size == 0 or bool(-limit <= values.min() and values.max() <= limit)


def first_beyond(
    values: NDArray[Any], dtype: DTypeLike, allow_nan: bool = False
) -> tuple[NDArray[np.int64], str, str] | None:
    """Where the first number stands that is not within the type, what it is, and why it is not.

    Parameters
    ----------
    values : ndarray
    dtype : dtype
        Type that computes; that of the values may be wider.
    allow_nan : bool, default=False
        Whether NaN stands for something, and numbers are not computed with but handed on.
    """
    limit = np.inf if allow_nan else largest(dtype)
    if not allow_nan and is_within(values, limit):
        return None
    wrong = np.isinf(values) if allow_nan else ~(np.abs(values) <= limit)
    if not wrong.any():
        return None
    place = np.argwhere(wrong)[0]
    value = values[tuple(place)]
    if np.isnan(value):
        return place, "NaN", ""
    why = f"too large for {np.dtype(dtype)}: the limit is {largest(dtype):.2g}"
    if np.isinf(value):
        return place, "infinity", f" (or a value {why})"
    return place, f"{value:.3g}", f" ({why})"
