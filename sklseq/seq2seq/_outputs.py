"""Sequences in the place of y: read as X is, and given back as the user wrote them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import Sequences, as_container, as_sequences, read_sequences

__all__ = ["as_objects", "holds_strings", "read_outputs"]


def read_outputs(y: Any, n: int, *, symbolic: bool, name: str = "y") -> Sequences:
    """One sequence for each of n inputs; an error names the place at fault.

    Parameters
    ----------
    y : sequences
        As X may be; rows of an array may also be vectors, and single values are sequences of one
        step.
    n : int
    symbolic : bool
        Whether steps are symbols, and not numbers.
    name : str, default="y"
    """
    if hasattr(y, "columns"):
        raise TypeError(
            f"{name} is a DataFrame, of which it is not clear what a sequence is: give a list with "
            "one sequence for each input."
        )
    y = as_sequences(as_container(y))
    if hasattr(y, "iloc") or (isinstance(y, np.ndarray) and y.ndim == 2):
        y = list(y)
    if all(_is_single(value) for value in y):
        y = [[value] for value in y]
    if len(y) != n:
        raise ValueError(
            f"X holds {n} sequences, but {name} {len(y)}: inconsistent numbers of samples; "
            f"{'the input' if len(y) < n else 'the output'} {min(n, len(y))} has no partner."
        )
    return read_sequences(y, symbolic=symbolic, name=name)


def holds_strings(y: Any) -> bool:
    """Whether each sequence is one string, whose characters are the symbols."""
    y = as_sequences(as_container(y))
    return len(y) > 0 and all(isinstance(value, str) for value in y)


def as_objects(sequences: list[Any]) -> NDArray[Any]:
    """A 1-D object array, which scikit-learn can index and join."""
    array = np.empty(len(sequences), dtype=object)
    array[:] = sequences
    return array


def _is_single(value: Any) -> bool:
    return np.ndim(value) == 0 and not isinstance(value, (str, bytes))
