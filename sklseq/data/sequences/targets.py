"""Targets per step: any container that matches X, stacked as the steps are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.sequences.reading import Sequences

__all__ = ["as_labels", "stack_steps", "unlabelled"]


def stack_steps(values: Any, X: Sequences, name: str = "y") -> NDArray[Any]:
    """Stack one value (or k) per step in the order of the steps of X.

    Parameters
    ----------
    values : array-like
        For one series or a panel DataFrame ``(n_steps,)`` or ``(n_steps, k)``; for many
        sequences ``(n, T)`` or ``(n, T, k)``, or a list or object array with one array each.
    X : Sequences
        The steps that the values belong to.
    name : str, default="y"
        What messages call them.

    Returns
    -------
    ndarray of shape (sum of lengths,) or (sum of lengths, k)

    Raises
    ------
    ValueError
        Where a sequence has another number of values than steps; it is named.
    """
    if X.layout in ("series", "frame"):
        stacked = as_labels(values)
        if stacked.ndim == 0 or len(stacked) != len(X.steps):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: {name} has shape "
                f"{stacked.shape}, but X has {len(X.steps)} steps."
            )
        return stacked
    if isinstance(values, np.ndarray) and values.dtype != object and values.ndim > 1:
        per_sequence: Any = values
    else:
        per_sequence = [_item_values(v, f"{name}, sequence {i}") for i, v in enumerate(values)]
    if len(per_sequence) != len(X):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {name} has "
            f"{len(per_sequence)} sequences, but X has {len(X)}."
        )
    for i, (item, length) in enumerate(zip(per_sequence, X.lengths, strict=True)):
        if item.ndim == 0 or len(item) != length:
            got = "one value" if item.ndim == 0 else f"{len(item)} values"
            raise ValueError(f"{name}, sequence {i} has {got}, but X has {length} steps there.")
        if item.shape[1:] != per_sequence[0].shape[1:]:
            raise ValueError(
                f"{name}, sequence {i} has values of shape {item.shape[1:]} per step, but sequence "
                f"0 has {per_sequence[0].shape[1:]}."
            )
    if isinstance(per_sequence, np.ndarray):
        return per_sequence.reshape(len(X.steps), *per_sequence.shape[2:])
    kinds = {"number" if v.dtype.kind in "biuf" else v.dtype.kind for v in per_sequence}
    if len(kinds) > 1:
        # Without this, concatenating labels 1 and "a" would silently turn the 1 into "1".
        per_sequence = [v.astype(object) for v in per_sequence]
    return np.concatenate(per_sequence)


def _item_values(values: Any, place: str) -> NDArray[Any]:
    try:
        return as_labels(values)
    except ValueError as error:
        raise ValueError(
            f"{place} has steps with different numbers of values: give each step as many."
        ) from error


def as_labels(values: Any) -> NDArray[Any]:
    """Labels as an array; beside strings, None, NaN and numbers stay what they are.

    Parameters
    ----------
    values : array-like

    Returns
    -------
    ndarray
    """
    array = np.asarray(values)
    mixed = array.dtype.kind in "US" and isinstance(values, (list, tuple))
    if mixed and not all(isinstance(value, (str, bytes)) for value in values):
        return np.array(values, dtype=object)
    return array


def unlabelled(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which labels mark a step without one: None, NaN or -1 (-1.0 too).

    Parameters
    ----------
    values : ndarray of shape (n,)

    Returns
    -------
    ndarray of bool of shape (n,)
    """
    if values.dtype.kind == "f":
        return np.isnan(values) | (values == -1)
    if values.dtype.kind in "iu":
        return values == -1
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    return np.array([_is_missing(v) for v in values], dtype=bool)


def _is_missing(value: Any) -> bool:
    if value is None or isinstance(value, (str, bool)):
        return value is None
    try:
        return bool(value != value or value == -1)  # NaN is what does not equal itself
    except TypeError:  # pandas' NA has no truth value
        return True
