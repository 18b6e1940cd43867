"""Tables whose cells hold the values of a sequence, as other libraries keep series."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.arrays import as_array
from sklseq.data.sequences.times import check_index_times

__all__ = ["is_nested", "nested_rows"]


def is_nested(X: Any) -> bool:
    """Whether X is a table, DataFrame or 2-D array, whose cells hold sequences.

    A DataFrame with a single column of strings is one of symbol sequences.
    """
    columns = _columns(X)
    firsts = [_first(column) for column in columns]
    return any(map(_holds_values, firsts)) or (
        hasattr(X, "columns") and len(firsts) == 1 and isinstance(firsts[0], str)
    )


def nested_rows(X: Any, name: str) -> tuple[list[Any], NDArray[Any] | None]:
    """A sequence for each row of such a table, and the names of its features.

    The values of a cell are one feature of all steps; in a table of one column they may also be
    the features of each step, or symbols.

    Raises
    ------
    ValueError
        Naming the row and column of the cell at fault.
    """
    columns = [list(column) for column in _columns(X)]
    names = list(X.columns) if hasattr(X, "columns") else list(range(len(columns)))
    if len(columns) == 1 and not all(np.ndim(as_array(cell)) == 1 for cell in columns[0][:1]):
        return columns[0], None
    rows: list[Any] = []
    for i, cells in enumerate(zip(*columns, strict=True)):
        places = [f"{name}, row {i}, column {column!r}" for column in names]
        values = [_values(cell, place) for cell, place in zip(cells, places, strict=True)]
        for value, place in zip(values, places, strict=True):
            if len(value) != len(values[0]):
                raise ValueError(
                    f"{place} has {len(value)} values, but column {names[0]!r} has "
                    f"{len(values[0])} there: the cells of a row are the features of one sequence, "
                    "and have a value each for each of its steps."
                )
        first = getattr(cells[0], "index", None)
        for cell, place in zip(cells, places, strict=True):
            if not hasattr(cell, "iloc"):
                continue
            check_index_times(cell.index, place)
            if hasattr(cells[0], "iloc") and not cell.index.equals(first):
                raise ValueError(
                    f"{place} has other times than column {names[0]!r}: align the cells of a row."
                )
        rows.append(np.column_stack(values))
    return rows, np.asarray(names, dtype=object) if hasattr(X, "columns") else None


def _columns(X: Any) -> list[Any]:
    """The columns of X that could hold sequences; none, unless all of them could."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype == object:
        return list(X.T) if X.size else []
    if not hasattr(X, "columns") or not len(X) or any(map(_is_plain, X.dtypes)):
        return []
    width = X.shape[1]
    return [X.iloc[:, i] if hasattr(X, "iloc") else X.to_series(i) for i in range(width)]


def _is_plain(dtype: Any) -> bool:
    """Whether a dtype, of numpy, pandas or polars, is one of numbers or dates."""
    if hasattr(dtype, "is_temporal"):
        return dtype.is_numeric() or dtype.is_temporal()
    return getattr(dtype, "kind", "O") in "biufcmM"


def _first(column: Any) -> Any:
    """The first cell of a column that is not missing."""
    return next((cell for cell in column if _holds_values(cell) or isinstance(cell, str)), None)


def _holds_values(cell: Any) -> bool:
    if isinstance(cell, (str, bytes, dict)) or not hasattr(cell, "__len__"):
        return False
    return getattr(cell, "ndim", 1) > 0


def _values(cell: Any, place: str) -> NDArray[Any]:
    values = as_array(cell)
    if values.ndim != 1:
        raise ValueError(
            f"{place} is {cell!r:.80}, where each cell of a table of sequences holds the values of "
            "one feature, one for each step. Give a list with an array (n_steps, n_features) for "
            "each row, [np.column_stack(list(r)) for r in X.to_numpy()] where all cells hold some."
        )
    return values
