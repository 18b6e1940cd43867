"""Values per step, such as targets, labels and weights, from any container."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.arrays import as_array, as_container
from sklseq.data.sequences.container import Sequences
from sklseq.data.sequences.frames import lengths_of_index

__all__ = ["as_labels", "read_steps", "stack_steps"]


def stack_steps(
    values: Any, reference: Sequences, name: str = "y", reference_name: str = "X"
) -> NDArray[Any]:
    """Stack one value (or k) per step in the order of the steps of a reference.

    `values` are, for one series or a panel DataFrame, ``(n_steps,)`` or ``(n_steps, k)``; for many
    sequences ``(n, T)`` or ``(n, T, k)``, or a list or object array with one array each. A sequence
    with another number of values than steps is named.
    """
    rows_are_steps = reference.layout in ("series", "frame")
    found = read_steps(values, name, series=rows_are_steps)
    mismatch = f"Found input variables with inconsistent numbers of samples: {name} has"
    if rows_are_steps and found.layout in ("series", "frame"):
        if len(found.steps) != len(reference.steps):
            raise ValueError(
                f"{mismatch} shape {found.steps.shape}, but {reference_name} has "
                f"{len(reference.steps)} steps."
            )
        return found.steps
    one_each = found.layout == "series"
    lengths = np.ones(len(found.steps), dtype=int) if one_each else found.lengths
    if len(lengths) != len(reference):
        raise ValueError(
            f"{mismatch} {len(lengths)} {'values' if one_each else 'sequences'}, but "
            f"{reference_name} has {len(reference)} sequences."
        )
    for i in np.flatnonzero(one_each | (lengths != reference.lengths))[:1]:
        raise ValueError(
            f"{name}, sequence {i} has {'one value' if one_each else f'{lengths[i]} values'}, but "
            f"{reference_name} has {reference.lengths[i]} steps there."
        )
    return found.steps


def read_steps(values: Any, name: str = "y", *, series: bool = False) -> Sequences:
    """Read one value (or k) per step, whatever sequences they belong to and of any type.

    Parameters
    ----------
    values : array-like
        Dense ``(n, T)`` or ``(n, T, k)``; a list, tuple or 1-D object array with an array
        ``(T_i,)`` or ``(T_i, k)`` for each sequence; pandas data with a (sequence, time) index;
        or one series ``(n_steps,)``.
    name : str, default="y"
        Name of the values in messages.
    series : bool, default=False
        Whether a 2-D array or a list of lists is one series ``(n_steps, k)``.
    """
    values = as_container(values)
    if getattr(getattr(values, "index", None), "nlevels", 1) > 1:
        return Sequences(values.to_numpy(), lengths_of_index(values.index, name), "frame")
    if _is_ragged(values, series):
        return _read_ragged(values, name)
    array = as_labels(values)
    if array.ndim == 0:
        raise ValueError(f"{name} must hold a value for each step, got {values!r}.")
    if series or array.ndim == 1:
        return Sequences(array, np.array([len(array)]), "series")
    n, n_steps = array.shape[:2]
    # The first axis is spelled out because -1 is undefined for an array without entries.
    return Sequences(array.reshape(n * n_steps, *array.shape[2:]), np.full(n, n_steps), "dense")


def _is_ragged(values: Any, series: bool) -> bool:
    """Whether there is an array for each sequence."""
    if isinstance(values, (list, tuple)):
        return not series and any(map(_has_length, values))
    holds_objects = getattr(getattr(values, "dtype", None), "kind", None) == "O"
    return holds_objects and values.ndim == 1 and any(map(_has_length, values))


def _has_length(item: Any) -> bool:
    return isinstance(item, (list, tuple)) or getattr(item, "ndim", 0) > 0


def _read_ragged(values: Any, name: str) -> Sequences:
    arrays = [_item_values(item, f"{name}, sequence {i}") for i, item in enumerate(values)]
    for i, array in enumerate(arrays):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{name}, sequence {i} has values of shape {array.shape[1:]} per step, but "
                f"sequence 0 has {arrays[0].shape[1:]}."
            )
    kinds = {"number" if a.dtype.kind in "biuf" else a.dtype.kind for a in arrays}
    if len(kinds) > 1:
        # Without this, concatenating labels 1 and "a" would silently turn the 1 into "1".
        arrays = [array.astype(object) for array in arrays]
    return Sequences(np.concatenate(arrays), np.array([len(array) for array in arrays]))


def _item_values(values: Any, place: str) -> NDArray[Any]:
    if not _has_length(values):
        raise ValueError(f"{place} has one value, {values!r}, where each step needs one.")
    try:
        return as_labels(values)
    except ValueError as error:
        raise ValueError(
            f"{place} has steps with different numbers of values: give each step as many."
        ) from error


def as_labels(values: Any) -> NDArray[Any]:
    """Labels as an array; among strings, None, NaN and numbers stay what they are."""
    if hasattr(values, "toarray"):
        raise TypeError("Sparse data was passed for y, but dense data is required: y.toarray().")
    array = as_array(values)
    mixed = array.dtype.kind in "US" and isinstance(values, (list, tuple))
    if mixed and not all(isinstance(value, (str, bytes)) for value in values):
        return np.array(values, dtype=object)
    return array
