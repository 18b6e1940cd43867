"""The one ragged form: stacked steps and lengths, read from whatever container the user holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "Sequences",
    "as_container",
    "check_finite",
    "check_symbols",
    "is_nested_table",
    "is_table",
    "read_sequences",
    "valid_steps",
]

Layout = Literal["dense", "ragged", "series", "frame"]
_Locate = Callable[[int], tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of unequal length as one stacked array.

    Parameters
    ----------
    steps : ndarray of shape (sum of lengths, n_features) or (sum of lengths,)
        All steps, one sequence after the other; 1-D where a step is a symbol.
    lengths : ndarray of shape (n_sequences,)
        Number of steps of each sequence, at least 1.
    layout : {"dense", "ragged", "series", "frame"}
        The container the user gave, which results per step are given back in.
    feature_names : ndarray of str or None
        Column names, where the container had them.
    """

    steps: NDArray[Any]
    lengths: NDArray[np.int64]
    layout: Layout = "ragged"
    feature_names: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def symbolic(self) -> bool:
        """Whether a step is one symbol rather than a vector of features."""
        return self.steps.ndim == 1

    @property
    def starts(self) -> NDArray[np.int64]:
        """Index of each sequence's first step among the stacked steps."""
        return np.cumsum(self.lengths) - self.lengths

    def locate(self, stacked_index: int) -> tuple[int, int]:
        """Sequence and step within it of one of the stacked steps."""
        sequence = int(np.searchsorted(self.starts, stacked_index, side="right")) - 1
        return sequence, int(stacked_index - self.starts[sequence])

    def with_steps(self, steps: NDArray[Any]) -> "Sequences":
        """The same sequences with other values: ``steps`` has one row (or symbol) per step."""
        return Sequences(steps, self.lengths, self.layout, self.feature_names)

    def restore(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give values per step back in the container of the input.

        Parameters
        ----------
        values : ndarray of shape (sum of lengths, ...)

        Returns
        -------
        ndarray
            ``(n_sequences, n_steps, ...)`` for dense input; ``(n_steps, ...)`` for one series
            or a DataFrame; else a 1-D object array with one array per sequence.
        """
        if self.layout in ("series", "frame"):
            return values
        if self.layout == "dense":
            return values.reshape(len(self), -1, *values.shape[1:])
        # Filled one by one: np.array(list) would make a dense array of equal lengths.
        ragged = np.empty(len(self), dtype=object)
        for i, (start, length) in enumerate(zip(self.starts, self.lengths, strict=True)):
            ragged[i] = values[start : start + length]
        return ragged


def valid_steps(lengths: ArrayLike, n_steps: int | None = None) -> NDArray[np.bool_]:
    """Mask of real steps: ``valid[i, t] = t < lengths[i]``; the one mask convention.

    Parameters
    ----------
    lengths : array-like of shape (n_sequences,)
    n_steps : int or None, default=None
        Number of columns; None takes the longest.

    Returns
    -------
    ndarray of bool of shape (n_sequences, n_steps)

    Examples
    --------
    >>> valid_steps([1, 3])
    array([[ True, False, False],
           [ True,  True,  True]])
    """
    lengths = np.asarray(lengths)
    return np.arange(lengths.max() if n_steps is None else n_steps) < lengths[:, None]


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
    if _is_panel_frame(X):
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

    Parameters
    ----------
    X : array-like
        ``(n, T, d)`` array; list, tuple or 1-D object array of ``(T_i, d)`` or ``(T_i,)``
        arrays or of sequences of symbols; or DataFrame with a (sequence, time) MultiIndex.
    dtype : dtype, default=float64
        Of numeric steps.
    symbolic : bool, default=False
        Whether integers are symbols too; strings always are.
    allow_nan : bool, default=False
        Whether NaN is let through.
    name : str, default="X"
        What messages call the input.

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        Naming the sequence, the step and the feature that is at fault.
    """
    sequences = _read(X, dtype, symbolic, name)
    return sequences if sequences.symbolic else check_finite(sequences, allow_nan, name)


def _read(X: Any, dtype: DTypeLike, symbolic: bool, name: str) -> Sequences:
    if _is_panel_frame(X):
        return _read_panel_frame(X, dtype, name)
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
    steps = _numeric(X.reshape(n * n_steps, n_features), dtype, name, lambda r: divmod(r, n_steps))
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
            array = _numeric(array, dtype, name, _within(i))
        arrays.append(array)
    lengths = np.array([len(a) for a in arrays])
    return Sequences(np.concatenate(arrays), lengths)


def _within(sequence: int) -> _Locate:
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


def _numeric(values: NDArray[Any], dtype: DTypeLike, name: str, locate: _Locate) -> NDArray[Any]:
    """Values as numbers; `locate` gives sequence and step of a row, for messages."""
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name}, sequence {locate(0)[0]} is complex.")
    try:
        with np.errstate(over="ignore"):  # what overflows is found by the check for infinity
            return values.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        for (row, feature), value in np.ndenumerate(values):
            try:
                float(value)
            except (TypeError, ValueError):
                sequence, step = locate(row)
                raise type(error)(
                    f"{name}, sequence {sequence}, step {step}, feature {feature} is {value!r}: "
                    "argument must be a string or a number, and numbers and symbols cannot be "
                    "mixed."
                ) from error
        raise


def check_finite(sequences: Sequences, allow_nan: bool = False, name: str = "X") -> Sequences:
    """Refuse infinity and, unless allowed, NaN, naming the first place."""
    steps = sequences.steps
    # The sum of finite values is finite but for overflow: one pass without a mask, nearly always.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(steps.sum()):
            return sequences
    wrong = np.isinf(steps) if allow_nan else ~np.isfinite(steps)
    if not wrong.any():
        return sequences
    row, feature = np.argwhere(wrong)[0]
    sequence, step = sequences.locate(row)
    value = "NaN" if np.isnan(steps[row, feature]) else "infinity"
    raise ValueError(
        f"Input {name} contains {value}: sequence {sequence}, step {step}, feature {feature} "
        f"(or a value too large for {steps.dtype}). Impute or drop it first, for example with "
        "PerStep(SimpleImputer())."
    )


def _is_panel_frame(X: Any) -> bool:
    levels = getattr(getattr(X, "index", None), "nlevels", 1) if hasattr(X, "columns") else 1
    if levels > 2:
        raise ValueError(
            f"The DataFrame's index has {levels} levels, expected 2, (sequence, time): join the "
            "outer levels into one that names the sequence."
        )
    return levels == 2


def _read_panel_frame(X: Any, dtype: DTypeLike, name: str) -> Sequences:
    if len(X) == 0:
        raise ValueError(f"Found array with 0 sample(s): {name} holds no sequence; 1 is required.")
    identity, time = (X.index.get_level_values(level) for level in (0, 1))
    codes = identity.factorize()[0]
    changes = np.flatnonzero(np.diff(codes)) + 1
    if len(changes) + 1 != codes.max() + 1:
        twice = identity[changes[np.argmax(np.diff(codes)[changes - 1] < 0)]]
        raise ValueError(
            f"{name}, sequence {twice!r}: its rows are not together; sort the DataFrame by its "
            "index first (sort_index())."
        )
    starts = np.concatenate([[0], changes])
    lengths = np.diff(np.concatenate([starts, [len(X)]]))
    within = np.ones(len(X), dtype=bool)
    within[starts] = False
    late = np.flatnonzero(within[1:] & ~np.asarray(time[1:] > time[:-1]))
    if len(late):
        row = int(late[0]) + 1
        raise ValueError(
            f"{name}, sequence {identity[row]!r}: time {time[row]!r} does not come after "
            f"{time[row - 1]!r}; sort the DataFrame by its index first (sort_index())."
        )
    names = np.asarray(X.columns, dtype=object)
    raw = Sequences(X.to_numpy(), lengths, "frame", names)
    return raw.with_steps(_numeric(raw.steps, dtype, name, raw.locate))


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
    return check_symbols(Sequences(steps, lengths), name)


def check_symbols(sequences: Sequences, name: str = "X") -> Sequences:
    """Refuse symbols of several kinds, and numbers that are no integers, naming the place."""
    symbols = sequences.steps.tolist()
    kind = str if isinstance(symbols[0], str) else (int, np.integer)
    for row, symbol in enumerate(symbols):
        if not isinstance(symbol, kind) or isinstance(symbol, bool):
            sequence, step = sequences.locate(row)
            raise ValueError(
                f"{name}, sequence {sequence}, step {step} is {symbol!r} "
                f"({type(symbol).__name__}), but the first symbol is {symbols[0]!r}: symbols are "
                "all strings or all integers, and cannot be mixed with numbers."
            )
    return sequences
