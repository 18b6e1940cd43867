"""Sequences read from whatever container the user holds."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.sequences.checks import check_finite, check_numeric, check_one_kind
from sklseq.data.sequences.container import Sequences
from sklseq.data.sequences.frames import is_panel_frame, read_panel_frame

__all__ = ["as_container", "is_nested_table", "is_table", "read_sequences"]


def as_container(X: Any) -> Any:
    """X as an array where it only offers ``__array__``; every container of ours as it is."""
    return np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "ndim") else X


def is_nested_table(X: Any) -> bool:
    """Whether X is a list of lists of numbers that spells a 2-D array."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in X):
        return False
    return len({len(row) for row in X}) == 1 and all(
        np.isscalar(v) and not isinstance(v, (str, bytes)) for row in X for v in row
    )


def is_table(X: Any) -> bool:
    """Whether X is a 2-D table, which scikit-learn's own validation reads."""
    if is_panel_frame(X):
        return False
    return getattr(X, "ndim", None) == 2 or hasattr(X, "columns")


def read_sequences(
    X: Any,
    *,
    dtype: DTypeLike = np.float64,
    symbolic: bool = False,
    allow_nan: bool = False,
    name: str = "X",
) -> Sequences:
    """Read many sequences from a 3-D array, a list or object array, or a panel DataFrame.

    Raises ValueError, naming the sequence, the step and the feature at fault.

    Parameters
    ----------
    X : array-like
        ``(n, T, d)`` array; list, tuple or 1-D object array of ``(T_i, d)`` or ``(T_i,)``
        arrays or of sequences of symbols; or DataFrame with a (sequence, time) MultiIndex.
    dtype : dtype, default=float64
        Type of numeric steps.
    symbolic : bool, default=False
        Whether integers are symbols too; strings always are.
    allow_nan : bool, default=False
    name : str, default="X"
        Name of the input in messages.
    """
    sequences = _read(X, dtype, symbolic, name)
    return sequences if sequences.symbolic else check_finite(sequences, allow_nan, name)


def _read(X: Any, dtype: DTypeLike, symbolic: bool, name: str) -> Sequences:
    if is_panel_frame(X):
        return read_panel_frame(X, dtype, name)
    if hasattr(X, "toarray"):
        raise TypeError(f"Sparse data was passed for {name}, but dense data is required.")
    if not isinstance(X, (list, tuple)):
        X = _as_array(X, name)
        if X.ndim == 3:
            return _read_dense(X, dtype, symbolic, name)
    if len(X) == 0:
        raise ValueError(f"Found array with 0 sample(s): {name} holds no sequence; 1 is required.")
    if symbolic or _has_symbols(X[0]):
        return _read_symbols(X, name)
    return _read_ragged(X, dtype, name)


def _as_array(X: Any, name: str) -> NDArray[Any]:
    array = np.asarray(X)
    if array.ndim == 3 or (array.ndim == 1 and array.dtype.kind in "OUT"):
        return array
    if array.ndim < 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead: {name} of shape {array.shape}. "
            "Reshape your data either using array.reshape(-1, 1) if it has a single feature (one "
            "value per sequence, or per step) or array.reshape(1, -1) if it is one sequence."
        )
    raise ValueError(
        f"Found array with dim {array.ndim}, while {name} must be (n_sequences, n_steps, "
        "n_features), a table, or a list of (n_steps, n_features) arrays."
    )


def _read_dense(X: NDArray[Any], dtype: DTypeLike, symbolic: bool, name: str) -> Sequences:
    n, n_steps, n_features = X.shape
    if symbolic:
        raise ValueError(
            f"{name} is {n}x{n_steps}x{n_features}, but a step of a symbol sequence is one symbol: "
            "give an (n_sequences, n_steps) array or a list of sequences."
        )
    for size, what in ((n, "sample(s)"), (n_steps, "step(s)"), (n_features, "feature(s)")):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what} (shape={X.shape}) while a minimum of 1 is required."
            )
    steps = check_numeric(
        X.reshape(n * n_steps, n_features), dtype, name, lambda r: divmod(r, n_steps)
    )
    return Sequences(steps, np.full(n, n_steps), "dense")


def _read_ragged(X: Sequence[Any], dtype: DTypeLike, name: str) -> Sequences:
    arrays: list[NDArray[Any]] = []
    for i, item in enumerate(X):
        place = f"{name}, sequence {i}"
        array = _item_array(item, place)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise ValueError(
                f"{place} has {array.ndim} dimensions, not (n_steps, n_features) or (n_steps,)."
            )
        if len(array) == 0:
            raise ValueError(f"{place} is empty: every sequence needs at least one step.")
        if array.shape[1] == 0:
            raise ValueError(f"{place} has 0 feature(s) while a minimum of 1 is required.")
        if arrays and array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"{place} has {array.shape[1]} features, but sequence 0 has {arrays[0].shape[1]}: "
                "all sequences must have the same features."
            )
        if array.dtype != dtype:
            array = check_numeric(array, dtype, name, _within(i))
        arrays.append(array)
    lengths = np.array([len(a) for a in arrays])
    return Sequences(np.concatenate(arrays), lengths)


def _within(sequence: int) -> Callable[[int], tuple[int, int]]:
    return lambda step: (sequence, step)


def _item_array(item: Any, place: str) -> NDArray[Any]:
    try:
        array = np.asarray(item)
    except ValueError as error:  # steps with different numbers of features
        shapes = [_shape(step) for step in item]
        first = shapes[0]
        step = next((t for t, s in enumerate(shapes) if s is None or s != first), 0)
        odd = shapes[step]
        if odd and first and len(odd) == len(first) == 1:
            message = f"has {odd[0]} features, but step 0 has {first[0]}."
        else:
            message = (
                f"is {list(item)[step]!r}: steps are one value each, or a list of features each."
            )
        raise ValueError(f"{place}, step {step} {message}") from error
    if array.dtype.kind in "UST" and array.ndim > 0:
        flat = np.asarray(item, dtype=object).ravel()
        position = next((k for k, v in enumerate(flat) if isinstance(v, (str, bytes))), 0)
        raise ValueError(
            f"{place}, step {position * len(array) // len(flat)} is {flat[position]!r}, a string "
            "among numbers: they cannot be mixed."
        )
    return array


def _shape(step: Any) -> tuple[int, ...] | None:
    """Shape of a step, None where it has none."""
    try:
        return np.shape(step)
    except ValueError:
        return None


def _has_symbols(item: Any) -> bool:
    """Whether a sequence is one of symbols: a str, or a sequence whose first step is a str."""
    if isinstance(item, str):
        return True
    if not isinstance(item, (list, tuple)):
        item = np.asarray(item)
        if item.ndim != 1:
            return False
    return len(item) > 0 and isinstance(item[0], str)


def _read_symbols(X: Sequence[Any], name: str) -> Sequences:
    lengths = np.empty(len(X), dtype=np.int64)
    symbols: list[Any] = []
    for i, item in enumerate(X):
        sequence = list(item) if isinstance(item, str) else np.asarray(item, dtype=object).tolist()
        if not isinstance(sequence, list):
            raise ValueError(f"{name}, sequence {i} is {sequence!r}, expected a sequence.")
        if not sequence:
            raise ValueError(f"{name}, sequence {i} is empty: every sequence needs a step.")
        lengths[i] = len(sequence)
        symbols += sequence
    steps = np.empty(len(symbols), dtype=object)
    steps[:] = symbols
    return check_one_kind(Sequences(steps, lengths), name)
