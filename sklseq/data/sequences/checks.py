"""Steps that are numbers, finite ones, or symbols of one kind; the first that is not is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.arrays import first_date, missing
from sklseq.data.limits import first_beyond, largest
from sklseq.data.sequences.container import Sequences

__all__ = [
    "check_finite",
    "check_numeric",
    "check_one_kind",
    "number_hint",
    "padded_sequences",
    "place_in",
]


def check_numeric(
    values: NDArray[Any], dtype: DTypeLike, place: Callable[[int, int], str]
) -> NDArray[Any]:
    """Values (n_rows, n_columns) as numbers, NaN where one is None or pandas' NA, or an error.

    Parameters
    ----------
    values : ndarray
    dtype : dtype
    place : callable
        What messages call a value, by row and column.

    Raises
    ------
    TypeError, ValueError
        Naming the first value that is no number; dates, which numpy would convert, are none.
    """
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {place(0, 0)} is complex.")
    if values.dtype.kind in "mM" or values.dtype == object:
        _refuse_dates(values, place)
    try:
        with np.errstate(over="ignore"):  # what overflows is found by the check for infinity
            return values.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        for row, column in np.argwhere(~missing(values)):
            value = values[row, column]
            try:
                float(value)
            except (TypeError, ValueError, OverflowError):
                kind = TypeError if isinstance(error, TypeError) else ValueError
                raise kind(
                    f"{place(row, column)} is {value!r:.80}: argument must be a string or a "
                    "number, and numbers and symbols cannot be mixed."
                    + (_NESTED if np.ndim(value) else "")
                ) from error
        return np.where(missing(values), np.nan, values).astype(dtype)  # pandas' NA


_NESTED = (
    " Where cells hold the steps of one feature, those of all columns must: give such columns "
    "alone, or [np.column_stack(list(r)) for r in X.to_numpy()]."
)


def place_in(
    name: str, locate: Callable[[int], tuple[int, int]], columns: Any = None
) -> Callable[[int, int], str]:
    """What messages call a feature of a step; `locate` gives sequence and step of a row."""

    def place(row: int, feature: int) -> str:
        sequence, step = locate(row)
        column = "" if columns is None else f" (column {columns[feature]!r})"
        return f"{name}, sequence {sequence}, step {step}, feature {feature}{column}"

    return place


def _refuse_dates(values: NDArray[Any], place: Callable[[int, int], str]) -> None:
    for column, found in enumerate(map(first_date, values.T)):
        if found is not None:
            row = int(np.argmax([value is found or value == found for value in values[:, column]]))
            raise TypeError(
                f"{place(row, column)} is the date or time {found}, which is no number: leave that "
                "feature out, or make numbers of it, such as seconds since the first."
            )


def check_finite(sequences: Sequences, allow_nan: bool = False, name: str = "X") -> Sequences:
    """Refuse infinity and, unless allowed, NaN, naming the first place."""
    steps = sequences.steps
    if (beyond := first_beyond(steps, largest(steps.dtype), steps.dtype, allow_nan)) is None:
        return sequences
    (row, feature), what, why = beyond
    sequence, step = sequences.locate(row)
    is_nan = np.isnan(steps[row, feature])
    advice = "Drop it first, or scale the data."
    if is_nan:
        advice = "Impute or drop it first, for example with PerStep(SimpleImputer())."
    end = sequences.starts[sequence] + sequences.lengths[sequence]
    if is_nan and sequences.layout != "series" and np.isnan(steps[row:end]).all():
        axis = ".all(axis=1)" if steps.shape[1] > 1 else ""
        shorter = f"[x[~np.isnan(x){axis}] for x in {name}]"
        if sequences.layout == "frame":
            shorter = f'{name}.dropna(how="all")'
        advice = (
            "From there on all is NaN: that is padding, which is not needed, and would become "
            f"data if it were imputed. Give {shorter}."
        )
    raise ValueError(
        f"Input {name} contains {what}: sequence {sequence}, step {step}, feature {feature}{why}. "
        f"{advice}"
    )


def padded_sequences(sequences: Sequences) -> NDArray[np.int64]:
    """Indices of the sequences that end in a step of NaN alone."""
    last = sequences.starts + sequences.lengths - 1
    return np.flatnonzero(np.isnan(sequences.steps[last]).all(axis=1))


def number_hint(symbols: Any, name: str = "X") -> str:
    """The way out where symbols are all numbers that are written as strings; "" where not."""
    try:
        for symbol in symbols:
            float(symbol)
    except (TypeError, ValueError):
        return ""
    return (
        " These are numbers written as strings: convert them, for example with "
        f"[np.asarray(x, dtype=float) for x in {name}]."
    )


def check_one_kind(sequences: Sequences, name: str = "X") -> Sequences:
    """Refuse symbols of several kinds, and numbers that are no integers, naming the place."""
    symbols = sequences.steps.tolist()
    kind = str if isinstance(symbols[0], str) else (int, np.integer)
    for row, symbol in enumerate(symbols):
        if not isinstance(symbol, kind) or isinstance(symbol, bool):
            sequence, step = sequences.locate(row)
            hint = number_hint([v for v in symbols if isinstance(v, str)] or [""], name)
            raise ValueError(
                f"{name}, sequence {sequence}, step {step} is {symbol!r} "
                f"({type(symbol).__name__}), but the first symbol is {symbols[0]!r}: symbols are "
                f"all strings or all integers, and cannot be mixed with numbers.{hint}"
            )
    return sequences
