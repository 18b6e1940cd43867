"""Numbers that a floating point type can compute with."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["first_beyond", "largest"]


def largest(dtype: DTypeLike, squared: bool = False) -> float:
    """The size up to which numbers, or their squares and sums of them, have a place in a type."""
    limit = float(np.finfo(dtype).max)
    return min(float(np.sqrt(limit)), 1e150) if squared else limit


def first_beyond(
    values: NDArray[Any], limit: float, dtype: DTypeLike, allow_nan: bool = False
) -> tuple[NDArray[np.int64], str, str] | None:
    """Where the first number stands that is not within a limit, what it is, and why it is not.

    The `dtype` is named: what the values are, or are to be, computed in.
    """
    # NaN compares as false.
    if values.size == 0 or (-limit <= values.min() and values.max() <= limit):
        return None
    wrong = ~(np.abs(values) <= limit)
    if allow_nan:
        wrong &= ~np.isnan(values)
    if not wrong.any():
        return None
    place = np.argwhere(wrong)[0]
    value = values[tuple(place)]
    if np.isnan(value):
        return place, "NaN", ""
    why = f"too large for {np.dtype(dtype)}: the limit is {limit:.2g}"
    if np.isinf(value):
        return place, "infinity", f" (or a value {why})"
    return place, f"{value:.3g}", f" ({why})"
