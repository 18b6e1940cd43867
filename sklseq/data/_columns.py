"""The columns of a table, by one description that says how rows are seen and written again."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.data._column import Column

__all__ = ["Columns", "is_frame"]


def is_frame(X: Any) -> bool:
    """Whether X is a DataFrame of pandas, found out without importing it."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    A row is seen by a network as numbers: for each column in turn an indicator of missing values,
    if some were seen, and the value: a normal score, 0 or 1, or a category as one-hot. At the end
    stands half of the width of each number's interval of normal scores (see `NormalScale`).

    Parameters
    ----------
    columns : tuple of Column
    """

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, frame: Any) -> Self:
        """Describe the columns of a DataFrame.

        Raises
        ------
        TypeError, ValueError
            See `Column.of`; or if there are no rows, or a name occurs twice.
        """
        _check_rows(frame)
        if not frame.columns.is_unique:
            name = frame.columns[frame.columns.duplicated()][0]
            raise ValueError(f"Column {name!r} occurs twice: give each column its own name.")
        return cls(tuple(Column.of(series) for _, series in frame.items()))

    @property
    def names(self) -> list:
        """Of the columns."""
        return [column.name for column in self.columns]

    @property
    def all_real(self) -> bool:
        """Whether all columns hold floating point numbers, none of which is missing."""
        return all(c.dtype.lower().startswith("float") and not c.missing for c in self.columns)

    @property
    def layout(self) -> tuple[tuple[str, int, bool, float], ...]:
        """Of each column: kind, width, whether there is an indicator, logarithm of its step."""
        return tuple(
            (c.kind, c.width, c.missing is not None, math.log(c.scale.step) if c.scale else 0.0)
            for c in self.columns
        )

    @property
    def number_places(self) -> list[int]:
        """Where the numbers stand in an encoded row."""
        sizes = [column.width + (column.missing is not None) for column in self.columns]
        ends = zip(self.columns, np.cumsum(sizes).tolist(), strict=True)
        return [end - 1 for column, end in ends if column.kind == "number"]

    def encode(self, frame: Any) -> NDArray[np.float64]:
        """Rows as a network sees them.

        Parameters
        ----------
        frame : DataFrame
            Of these columns, in this order.

        Returns
        -------
        ndarray of shape (n_samples, n_values)

        Raises
        ------
        ValueError
            If the columns are others; or naming column and row of a category that was not seen
            in `fit`, or of a value of another kind.
        """
        _check_rows(frame)
        if list(frame.columns) != self.names:
            raise ValueError(f"X has columns {list(frame.columns)}, but fit had {self.names}.")
        every = [series for _, series in frame.items()]
        parts = [c.encode(series) for c, series in zip(self.columns, every, strict=True)]
        widths = [w for c, (_, w) in zip(self.columns, parts, strict=True) if c.kind == "number"]
        return np.column_stack([*(values for values, _ in parts), *widths])

    def decode(self, rows: NDArray[np.floating]) -> Any:
        """A DataFrame of rows as `encode` gives them, with or without the widths at their end.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_values)
        """
        sizes = [column.width + (column.missing is not None) for column in self.columns]
        parts = np.split(rows, np.cumsum(sizes), axis=1)
        return self._frame([c.decode(part) for c, part in zip(self.columns, parts, strict=False)])

    def frame(self, rows: NDArray[np.floating]) -> Any:
        """A DataFrame of numbers as they are, rounded where a column holds integers or booleans.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_columns)
        """
        return self._frame([c.written(x) for c, x in zip(self.columns, rows.T, strict=True)])

    def _frame(self, arrays: list[Any]) -> Any:
        import pandas as pd

        return pd.DataFrame(dict(zip(self.names, arrays, strict=True)))


def _check_rows(frame: Any) -> None:
    if not len(frame):
        raise ValueError("Found a table with 0 samples; a minimum of 1 is required.")
