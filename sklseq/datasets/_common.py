"""What the data sets share: argument checks, random lengths and the ragged container."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

StepCount = int | tuple[int, int]
"""A number of steps for every sequence, or the smallest and the largest one."""


def check_at_least(name: str, value: object, minimum: int) -> int:
    """`value` as an int (a bool is none), or a ValueError that names the parameter."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"{name} must be an int of at least {minimum}, got {value!r}.")
    return int(value)


def check_range(name: str, value: object, minimum: int) -> tuple[int, int]:
    """The inclusive bounds that a parameter names: an int, or a pair (low, high)."""
    bounds = value if isinstance(value, (tuple, list)) else (value, value)
    if len(bounds) != 2:
        raise ValueError(f"{name} must be an int or a pair (low, high), got {value!r}.")
    low, high = (check_at_least(name, bound, minimum) for bound in bounds)
    if low > high:
        raise ValueError(f"{name} must be (low, high) with low <= high, got {value!r}.")
    return low, high


def draw_lengths(rng: RandomState, n_samples: int, low: int, high: int) -> NDArray[np.int64]:
    """Draw sequence lengths uniformly from `low` to `high`, both included.

    Nothing is drawn where they are equal: `n_steps=50` and `n_steps=(50, 50)` give the same data.
    """
    if low == high:
        return np.full(n_samples, low, dtype=np.int64)
    return rng.randint(low, high + 1, size=n_samples, dtype=np.int64)


def object_array(items: Sequence[Any]) -> NDArray[np.object_]:
    """Put arrays or trees into a 1-D object array, also where all have the same shape."""
    # Assigning the whole list at once would make numpy stack arrays of equal shape.
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out


def split_steps(steps: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.object_]:
    """Cut stacked steps into one array ``(lengths[i], ...)`` for each sequence."""
    return object_array(np.split(steps, np.cumsum(lengths)[:-1]))
