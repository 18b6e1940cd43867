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
    """Return `value` as an int, or raise a ValueError that names the parameter.

    Parameters
    ----------
    name : str
        The parameter, for the message.
    value : object
        What the user gave; a bool is not an int here.
    minimum : int
        The smallest allowed value.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        If `value` is not an int of at least `minimum`.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"{name} must be an int of at least {minimum}, got {value!r}.")
    return int(value)


def check_step_range(n_steps: object, minimum: int) -> tuple[int, int]:
    """Return the smallest and the largest sequence length that `n_steps` asks for.

    Parameters
    ----------
    n_steps : int or (int, int)
        One length, or an inclusive range.
    minimum : int
        The shortest sequence for which the task is defined.

    Returns
    -------
    low, high : int
        Inclusive bounds; equal if `n_steps` is an int.

    Raises
    ------
    ValueError
        If `n_steps` is neither, is too small, or is a range that runs backwards.
    """
    if not isinstance(n_steps, (tuple, list)):
        steps = check_at_least("n_steps", n_steps, minimum)
        return steps, steps
    if len(n_steps) != 2:
        raise ValueError(f"n_steps must be an int or a pair (low, high), got {n_steps!r}.")
    low, high = (check_at_least("n_steps", bound, minimum) for bound in n_steps)
    if low > high:
        raise ValueError(f"n_steps must be (low, high) with low <= high, got {n_steps!r}.")
    return low, high


def draw_lengths(rng: RandomState, n_samples: int, low: int, high: int) -> NDArray[np.int64]:
    """Draw sequence lengths uniformly from `low` to `high`, both included.

    Parameters
    ----------
    rng : RandomState
        Not advanced if `low` equals `high`, so that `n_steps=50` and `n_steps=(50, 50)`
        give the same numbers.
    n_samples, low, high : int
        How many lengths, and their bounds.

    Returns
    -------
    ndarray of shape (n_samples,)
        The lengths.
    """
    if low == high:
        return np.full(n_samples, low, dtype=np.int64)
    return rng.randint(low, high + 1, size=n_samples, dtype=np.int64)


def object_array(items: Sequence[Any]) -> NDArray[np.object_]:
    """Put arrays or trees into a 1-D object array, also where all have the same shape.

    Parameters
    ----------
    items : sequence of ndarray or tuple
        One for each sequence or tree.

    Returns
    -------
    ndarray of shape (len(items),) and dtype object
        The container; scikit-learn indexes it as it does any target.
    """
    # Assigning the whole list at once would make numpy stack arrays of equal shape.
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out


def split_steps(steps: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[np.object_]:
    """Cut stacked steps into sequences.

    Parameters
    ----------
    steps : ndarray of shape (sum(lengths), ...)
        The steps of all sequences, one sequence after the other.
    lengths : ndarray of shape (n_sequences,)
        The number of steps of each.

    Returns
    -------
    ndarray of shape (n_sequences,) and dtype object
        An array of shape (lengths[i], ...) for each sequence.
    """
    return object_array(np.split(steps, np.cumsum(lengths)[:-1]))
