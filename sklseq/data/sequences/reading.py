"""Sequences read from whatever container the user holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.arrays import as_array, as_container
from sklseq.data.sequences.checks import (
    check_finite,
    check_numeric,
    check_one_kind,
    number_hint,
    place_in,
)
from sklseq.data.sequences.container import Sequences
from sklseq.data.sequences.frames import is_panel_frame, read_panel_frame
from sklseq.data.sequences.nested import is_nested, nested_rows
from sklseq.data.sequences.times import check_index_times

__all__ = ["as_sequences", "is_nested_table", "is_table", "read_sequences"]


def as_sequences(X: Any) -> Any:
    """X as a container of sequences: the values of a dict; a list for a table of such cells."""
    X = as_container(X)
    # Sparse arrays may be mappings, too.
    return list(X.values()) if isinstance(X, Mapping) and not hasattr(X, "toarray") else X


def is_nested_table(X: Any) -> bool:
    """Whether X is a list of lists of numbers that spells a 2-D array."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in X):
        return False
    return len({len(row) for row in X}) == 1 and all(
        np.isscalar(v) and not isinstance(v, (str, bytes)) for row in X for v in row
    )


def is_table(X: Any) -> bool:
    """Whether X is a 2-D table, which scikit-learn's own validation reads."""
    if is_panel_frame(X) or is_nested(X):
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
    X = as_sequences(X)
    if is_panel_frame(X):
        return read_panel_frame(X, dtype, name)
    if hasattr(X, "toarray"):
        raise TypeError(f"Sparse data was passed for {name}, but dense data is required.")
    names = None
    if is_nested(X):
        X, names = nested_rows(X, name)
    if not isinstance(X, (list, tuple)):
        X = _as_array(X, name)
        if X.ndim == 3:
            return _read_dense(X, dtype, symbolic, name)
    if len(X) == 0:
        raise ValueError(f"Found array with 0 sample(s): {name} holds no sequence; 1 is required.")
    if symbolic or _has_symbols(X[0]):
        return _read_symbols(X, name)
    return _read_ragged(X, dtype, name, names)


def _as_array(X: Any, name: str) -> NDArray[Any]:
    array = np.asarray(X)
    if array.ndim == 3 or (array.ndim == 1 and array.dtype.kind in "OUT"):
        return array
    if array.ndim == 0:
        raise ValueError(
            f"Expected 2D array, got 0D array instead: {name} is a {type(X).__name__}. Give a list "
            "of sequences, or an array."
        )
    if array.ndim < 2:
        to_frame = ", or X.to_frame() for the frame of one column" if hasattr(X, "to_frame") else ""
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead: {name} of shape {array.shape}. "
            "Reshape your data either using array.reshape(-1, 1) if it has a single feature (one "
            "value per sequence, or per step) or array.reshape(1, -1) if it is one sequence"
            f"{to_frame}."
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
        X.reshape(n * n_steps, n_features), dtype, place_in(name, lambda r: divmod(r, n_steps))
    )
    return Sequences(steps, np.full(n, n_steps), "dense")


def _read_ragged(
    X: Sequence[Any], dtype: DTypeLike, name: str, names: NDArray[Any] | None = None
) -> Sequences:
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
                f"all sequences must have the same features.{_axes_hint(X, name)}"
            )
        if hasattr(item, "columns") or hasattr(X[0], "columns"):
            names = _same_names(item, X[0], place)
        if hasattr(item, "iloc"):
            check_index_times(item.index, place)
        if array.dtype != dtype:
            array = check_numeric(array, dtype, place_in(name, _within(i), names))
        arrays.append(array)
    lengths = np.array([len(a) for a in arrays])
    return Sequences(np.concatenate(arrays), lengths, feature_names=names)


def _same_names(item: Any, first: Any, place: str) -> NDArray[Any]:
    """Names of the columns of a DataFrame among others, which have the same ones."""
    found, wanted = (
        list(frame.columns) if hasattr(frame, "columns") else None for frame in (item, first)
    )
    if wanted is None or found is None:
        what = f"is a {type(item).__name__}, but sequence 0 is a {type(first).__name__}"
        raise ValueError(f"{place} {what}: give all as DataFrames of the same columns, or none.")
    if found != wanted:
        raise ValueError(
            f"{place} has the feature names {found}, but sequence 0 has {wanted}: give all the "
            "same columns in the same order, as by x[X[0].columns]."
        )
    return np.asarray(wanted, dtype=object)


def _axes_hint(X: Sequence[Any], name: str) -> str:
    """A hint where sequences of several lengths agree in their first axis alone."""
    shapes = {np.shape(item) for item in X}
    if any(len(shape) != 2 for shape in shapes) or len({shape[0] for shape in shapes}) > 1:
        return ""
    n = next(iter(shapes))[0]
    return (
        f" All have {n} rows, and other numbers of columns: if those are {n} features, give "
        f"(n_steps, n_features) arrays, [x.T for x in {name}]."
    )


def _within(sequence: int) -> Callable[[int], tuple[int, int]]:
    return lambda step: (sequence, step)


def _item_array(item: Any, place: str) -> NDArray[Any]:
    try:
        array = as_array(item)
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
        strings = [v for v in flat if isinstance(v, (str, bytes))]
        what = "a string among numbers: they cannot be mixed."
        if array.ndim > 1 and len(strings) == len(flat):
            what = "a string: a step is one symbol, or numbers."
        raise ValueError(
            f"{place}, step {position * len(array) // len(flat)} is {flat[position]!r}, {what}"
            f"{number_hint(strings)}"
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
        item = as_array(item)
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
