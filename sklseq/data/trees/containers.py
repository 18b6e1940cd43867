"""The trees that a container holds: lists, arrays, and columns of pandas or polars."""

from datetime import date, timedelta
from numbers import Number
from typing import Any

import numpy as np

__all__ = ["as_items", "check_no_times"]

_TIMES = (date, timedelta, np.datetime64, np.timedelta64)


def as_items(X: Any, width: int = 1, *, numbers: bool = False, name: str = "X") -> list[Any] | None:
    """What a container of trees holds.

    Parameters
    ----------
    X : iterable
        A list or another iterable; a 1-D array or Series; or a table of `width` columns.
    width : int, default=1
        Trees of an item: several are a tuple, and a table has a column for each.
    numbers : bool, default=False
        Whether numbers are items too.
    name : str, default="X"
        Name of X in messages.

    Returns
    -------
    list or None
        None if X is a table or array of something else: of numbers, or with other columns.

    Raises
    ------
    TypeError
        If X is one tree, or has no order.
    """
    if hasattr(X, "toarray"):
        return None
    if hasattr(X, "__array__") and not hasattr(X, "shape"):
        X = np.asarray(X)
    alone = isinstance(X, (str, bytes, bytearray, dict, set, frozenset))
    if alone or not hasattr(X, "__iter__"):
        raise TypeError(f"{name} is a {type(X).__name__}, not a list of trees.")
    if isinstance(X, (list, tuple)):
        return list(X)
    shape = getattr(X, "shape", None)
    if shape is None:
        return list(X)
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] not in (1, width)):
        return None
    columns = _columns(X)
    if not numbers and all(map(_is_numeric, columns)):
        return None
    values = [_values(column) for column in columns]
    return values[0] if len(values) == 1 else list(zip(*values, strict=True))


def _columns(X: Any) -> list[Any]:
    """Columns of a table, or the one that X itself is."""
    if len(X.shape) == 1:
        return [X]
    index = X.iloc if hasattr(X, "iloc") else X
    return [index[:, i] for i in range(X.shape[1])]


def _values(column: Any) -> list[Any]:
    return column.to_list() if hasattr(column, "to_list") else column.tolist()


def _is_numeric(column: Any) -> bool:
    dtype = column.dtype
    if hasattr(dtype, "is_numeric"):  # polars
        return dtype.is_numeric()
    # Tensors have dtypes without a kind, of numbers alone; times are no numbers.
    kind = getattr(dtype, "kind", "f")
    if kind != "O":
        return kind in "biufc"
    return all(v is None or isinstance(v, (Number, np.bool_)) for v in _values(column))


def check_no_times(X: Any, name: str = "X") -> None:
    """Refuse dates and durations in a table or array, which numpy would read as numbers.

    Raises
    ------
    TypeError
        Naming the column.
    """
    if hasattr(X, "toarray"):
        return
    table = len(X.shape) == 2
    for i, column in enumerate(_columns(X) if table else [X]):
        if _holds_times(column):
            place = f", column {X.columns[i]!r}," if hasattr(X, "columns") else ""
            place = place or f", feature {i}," * table
            raise TypeError(
                f"{name}{place} holds dates or durations. Give times as numbers, such as seconds "
                "or days since a start."
            )


def _holds_times(column: Any) -> bool:
    dtype = column.dtype
    if hasattr(dtype, "is_temporal"):  # polars
        return dtype.is_temporal()
    kind = getattr(dtype, "kind", "f")
    return kind in "mM" or (
        kind == "O" and any(isinstance(v, _TIMES) for v in np.asarray(column, dtype=object).flat)
    )
