"""The columns of a table, by one description that says how rows are seen and written again."""

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sklseq.data.tables.column import Column
from sklseq.data.tables.dependencies import Dependency, dependencies_of
from sklseq.data.tables.doubts import is_identifier, warn_of_doubts

__all__ = ["Columns"]

# So many may have a number each, as one-hot.
_MOST_IDENTIFIERS = 200


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    A row is seen by a network as numbers: for each column in turn an indicator of missing values,
    if some were seen, and the value: a normal score, 0 or 1, or a category as one-hot. At the end
    stands half of the width of each number's interval of normal scores (see `NormalScale`).

    Parameters
    ----------
    columns : tuple of Column
    array_dtype : str or None
        Of the array whose columns they are; None if they are those of a DataFrame.
    dependencies : tuple of Dependency
        Columns that another one determines; see `with_dependencies`.
    """

    columns: tuple[Column, ...]
    array_dtype: str | None = None
    dependencies: tuple[Dependency, ...] = ()

    _stored: ClassVar[dict[str, Any]] = {
        "columns": [Column],
        "array_dtype": "str or None",
        "dependencies": [Dependency],
    }

    def check_stored(self) -> None:
        """Refuse dependencies of columns that there are not."""
        for dependency in self.dependencies:
            if max(dependency.column, dependency.on) >= len(self.columns):
                raise ValueError("a column depends on one that there is not.")

    @classmethod
    def of(cls, frame: Any) -> Self:
        """Describe the columns of a DataFrame: see `Column.of`; names are unique.

        Warns of columns that look as if they were no categories: see `warn_of_doubts`.
        """
        _check_not_empty(frame)
        if not frame.columns.is_unique:
            name = frame.columns[frame.columns.duplicated()][0]
            raise ValueError(f"Column {name!r} occurs twice: give each column its own name.")
        columns = []
        for _, series in frame.items():
            column = Column.of(series)
            warn_of_doubts(column, series)
            many = len(column.categories) > _MOST_IDENTIFIERS
            columns.append(column.ranked(series) if many and is_identifier(series) else column)
        return cls(tuple(columns))

    @classmethod
    def of_array(cls, X: NDArray[np.float64], dtype: np.dtype[Any]) -> Self:
        """Describe an array that held integers or booleans as a DataFrame of the same columns.

        Raises ValueError if an integer is too large to be distinguished from its neighbors.
        """
        columns = (Column.of_numbers(j, x, dtype) for j, x in enumerate(X.T))
        return cls(tuple(columns), dtype.name)

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
            (c.seen_as, c.width, c.missing is not None, math.log(c.scale.step) if c.scale else 0.0)
            for c in self.columns
        )

    @property
    def n_values(self) -> int:
        """Numbers of an encoded row."""
        return self._ends[-1] + len(self.number_places)

    @property
    def number_places(self) -> list[int]:
        """Where the numbers stand in an encoded row."""
        ends = zip(self.columns, self._ends, strict=True)
        return [end - 1 for column, end in ends if column.seen_as == "number"]

    @property
    def indicator_places(self) -> list[int]:
        """Where the indicators of missing values stand in an encoded row."""
        ends = zip(self.columns, self._ends, strict=True)
        return [end - column.width - 1 for column, end in ends if column.missing is not None]

    @property
    def _ends(self) -> list[int]:
        """Where in an encoded row each column ends."""
        return np.cumsum([c.width + (c.missing is not None) for c in self.columns]).tolist()

    def encode(self, table: Any) -> NDArray[np.float64]:
        """Rows ``(n_samples, n_values)`` as a network sees them.

        `table` is a DataFrame, or for columns of an array ``(n_samples, n_columns)``, of these
        columns in this order. A value of another kind, or a category that was not seen in `fit`, is
        named.
        """
        if self.array_dtype is not None:
            parts = [c.encode_numbers(x) for c, x in zip(self.columns, table.T, strict=True)]
        else:
            _check_not_empty(table)
            if list(table.columns) != self.names:
                raise ValueError(f"X has columns {list(table.columns)}, but fit had {self.names}.")
            every = [series for _, series in table.items()]
            parts = [c.encode(series) for c, series in zip(self.columns, every, strict=True)]
        widths = [w for c, (_, w) in zip(self.columns, parts, strict=True) if c.seen_as == "number"]
        return np.column_stack([*(values for values, _ in parts), *widths])

    def with_dependencies(self, rows: NDArray[np.floating]) -> Self:
        """These columns, knowing which of them others determine in the encoded training rows."""
        return replace(self, dependencies=dependencies_of(self._parts(rows)))

    def decode(self, rows: NDArray[np.floating], *, drawn: bool = False) -> Any:
        """The table of rows as `encode` gives them, with or without the widths at their end.

        Rows that were `drawn` keep dependencies between columns.
        """
        parts = self._parts(rows)
        for dependency in self.dependencies if drawn else ():
            dependency.apply(parts)
        return self._table(parts)

    def _parts(self, rows: NDArray[np.floating]) -> list[Any]:
        """Of each column the values, and which of them are missing."""
        parts = zip(self.columns, np.split(rows, self._ends, axis=1), strict=False)
        decoded = [(column, *column.decode(part)) for column, part in parts]
        return [(column.rounded(values), missing) for column, values, missing in decoded]

    def table(self, rows: NDArray[np.floating]) -> Any:
        """The table of numbers as they are, rounded where a column holds integers or booleans."""
        return self._table([(x, None) for x in rows.T])

    def _table(self, parts: list[tuple[NDArray[Any], NDArray[np.bool_] | None]]) -> Any:
        """Of the values of each column, and what of it is missing."""
        every = list(zip(self.columns, parts, strict=True))
        if self.array_dtype is not None:
            return np.column_stack([c.rounded(x) for c, (x, _) in every]).astype(self.array_dtype)
        import pandas as pd

        return pd.DataFrame({c.name: c.written(*part) for c, part in every})


def _check_not_empty(frame: Any) -> None:
    if not len(frame):
        raise ValueError("Found a table with 0 samples; a minimum of 1 is required.")
    if not len(frame.columns):
        raise ValueError(f"Found a table with no columns (shape={frame.shape}); it needs one.")
