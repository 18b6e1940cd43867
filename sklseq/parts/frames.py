"""The format of a table: how generators read its rows, and write rows as they were given."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

from sklseq.base import Estimator
from sklseq.base.tables import dense_table, read_table
from sklseq.data import Columns, FrameContainer, as_container, is_frame, kind_of, plain_frame

__all__ = ["ALL_KINDS", "TableFormat", "stacked_rows"]

ALL_KINDS = ("number", "boolean", "time", "category")
"""Kinds of columns; a network that takes all of them takes missing values, too."""

# Standard deviations from zero beyond which a feature is centered.
_FAR = 1000.0


@dataclass(frozen=True, eq=False)
class TableFormat:
    """How rows of a table become rows of numbers for a network, and are written again.

    Real numbers are taken as they are, less an origin where they lie far from zero. Other columns
    are encoded by `Columns`, if the network takes them. An array of integers or booleans is read
    and written as a DataFrame of the same columns.

    Parameters
    ----------
    kinds : tuple of {"number", "boolean", "time", "category"}
        Kinds of columns that the network takes. With "category" tables with other columns than
        real numbers, and missing values, are encoded.
    advice : str
        Ends the message about a column of another kind.
    keeps_origin : bool, default=False
        Whether zero means zero, so that no origin is subtracted.
    columns : Columns or None, default=None
        Those of the DataFrame or array of integers or booleans; None for an array of real numbers.
    encoded : bool, default=False
        Whether rows are encoded by the columns.
    origin : ndarray of shape (n_features,) or 0.0, default=0.0
        Subtracted from rows that are not encoded.
    dtype : str, default="float64"
        Type of the rows of numbers.
    container : FrameContainer or None, default=None
        What the DataFrame was, if it was not a plain one of pandas.
    """

    kinds: tuple[str, ...]
    advice: str
    keeps_origin: bool = False
    columns: Columns | None = None
    encoded: bool = False
    origin: Any = 0.0
    dtype: str = "float64"
    container: FrameContainer | None = None

    _stored: ClassVar[dict[str, Any]] = {
        "kinds": "tuple of str",
        "advice": "str",
        "keeps_origin": "bool",
        "columns": (Columns, None),
        "encoded": "bool",
        "origin": "float or ndarray of shape (n_features,)",
        "dtype": "str",
        "container": (FrameContainer, None),
    }

    def check_stored(self) -> None:
        """Refuse types that are not of floats, and rows encoded by no columns."""
        if self.dtype not in ("float16", "float32", "float64", "longdouble", "float128"):
            raise ValueError(f"the dtype of rows is {self.dtype!r}.")
        if self.encoded and self.columns is None:
            raise ValueError("rows are encoded, but there are no columns.")

    @property
    def encoder(self) -> Columns | None:
        """The columns, if rows are encoded by them."""
        return self.columns if self.encoded else None

    def n_values(self, n_features: int) -> int:
        """Numbers of an encoded row of so many columns."""
        if self.columns is not None and len(self.columns.columns) != n_features:
            raise ValueError(f"it has {len(self.columns.columns)} columns of {n_features}.")
        return n_features if self.encoder is None else self.encoder.n_values

    # -- reading ---------------------------------------------------------------------------

    def learn(self, model: Estimator, X: Any) -> tuple[Self, NDArray[Any]]:
        """The format of a training table, and its rows; sets the features that `model` has seen.

        Raises ValueError or TypeError, naming the row and column at fault.
        """
        X, container = plain_frame(as_container(X))
        X = X.toarray() if issparse(X) else X
        columns = Columns.of(X) if is_frame(X) else None
        if columns is not None and self._encodes(columns):
            learned = replace(self, columns=columns, encoded=True, container=container)
            rows = learned.read(model, X, reset=True)
            return replace(learned, columns=columns.with_dependencies(rows)), rows
        rows = self._read_numbers(model, X, reset=True)
        if columns is None and (dtype := np.asarray(X).dtype).kind in "biu":
            columns = Columns.of_array(rows, dtype)
        encoded = columns is not None and self._encodes(columns)
        learned = replace(
            self, columns=columns, encoded=encoded, dtype=rows.dtype.name, container=container
        )
        learned = replace(learned, origin=learned._origin_of(rows).astype(rows.dtype))
        rows = learned._transformed(rows)
        if encoded and columns is not None:
            learned = replace(learned, columns=columns.with_dependencies(rows))
        return learned, rows

    def read(self, model: Estimator, X: Any, *, reset: bool = False) -> NDArray[Any]:
        """Rows of numbers of a table in this format.

        Raises ValueError or TypeError, naming the row and column at fault.
        """
        X = dense_table(X)
        if (columns := self.encoder) is None or columns.array_dtype is not None:
            return self._transformed(self._read_numbers(model, X, reset=reset))
        if not is_frame(X):
            raise TypeError(
                f"This {type(model).__name__} was fitted on a DataFrame with columns of several "
                f"kinds, and takes such a DataFrame, not a {type(X).__name__}."
            )
        validate_data(model, X, reset=reset, skip_check_array=True)
        return columns.encode(X)

    def _encodes(self, columns: Columns) -> bool:
        return "category" in self.kinds and not columns.all_real

    def _read_numbers(self, model: Estimator, X: Any, *, reset: bool) -> NDArray[Any]:
        if is_frame(X):
            self._check_numbers(X)
        try:
            rows = read_table(model, X, reset=reset)
        except ValueError as error:
            if not (reset and "category" in self.kinds and _has_missing_or_text(X)):
                raise
            raise ValueError(
                f"{error} Or pass a DataFrame, where missing values and categories are learned."
            ) from error
        if not is_frame(X) and "boolean" not in self.kinds and np.asarray(X).dtype.kind == "b":
            raise TypeError(f"X holds booleans: X.astype(int): {self.advice}.")
        return rows

    def _check_numbers(self, frame: Any) -> None:
        """Refuse columns of a DataFrame that are not numbers, or not complete."""
        for name, series in frame.items():
            if (kind := kind_of(series)) not in self.kinds or kind == "category":
                how = {
                    "boolean": "with .astype(int)",
                    "time": "for example by (x - x.min()) / np.timedelta64(1, 'D')",
                }.get(kind, "for example with OrdinalEncoder(dtype=int)")
                raise TypeError(
                    f"Column {name!r} has dtype {series.dtype}: make numbers of it, {how}: "
                    f"{self.advice}."
                )
            if (missing := series.isna().to_numpy()).any():
                raise ValueError(
                    f"Column {name!r} is missing (NaN) at row {missing.argmax()}: fill it in, for "
                    f"example with SimpleImputer: {self.advice}."
                )

    def _transformed(self, rows: NDArray[Any]) -> NDArray[Any]:
        if self.encoder is not None:
            return self.encoder.encode(rows)
        return rows - self.origin if np.any(self.origin) else rows

    def _origin_of(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Subtracted from each feature: far from zero, single precision would lose its digits."""
        if self.encoded or self.keeps_origin:
            return np.zeros(rows.shape[1])
        mean = rows.mean(axis=0, dtype=np.float64)
        # Of a constant feature nothing is left, not the rounding of its mean.
        mean = np.where(rows.max(axis=0) == rows.min(axis=0), rows[0], mean)
        is_far = np.abs(mean) > _FAR * rows.std(axis=0, dtype=np.float64)
        # Differences of whole numbers are whole numbers.
        return np.where(
            self.whole_numbers(rows.shape[1]), rows.min(axis=0), np.where(is_far, mean, 0.0)
        )

    def whole_numbers(self, n_features: int) -> NDArray[np.bool_]:
        """Which of the features are integers, in rows that are not encoded."""
        if self.columns is None:
            return np.zeros(n_features, dtype=bool)
        return np.array([column.is_integer for column in self.columns.columns])

    # -- writing ---------------------------------------------------------------------------

    def write(self, rows: NDArray[Any], *, drawn: bool = False) -> Any:
        """Rows of numbers as rows of the table: a DataFrame, or an array of its type."""
        table = self._written(rows, drawn)
        return table if self.container is None else self.container.write(table)

    def _written(self, rows: NDArray[Any], drawn: bool) -> Any:
        if self.encoder is not None:
            return self.encoder.decode(rows, drawn=drawn)
        if np.any(self.origin):
            rows = rows + self.origin
        return rows if self.columns is None else self.columns.table(rows)

    def write_samples(self, rows: NDArray[Any]) -> Any:
        """As `write`, for draws: with real numbers in the type of the training data.

        A column that another one determined in all rows of training does so in the rows drawn.
        """
        return self.write(rows.astype(self.dtype, copy=False), drawn=True)


def _has_missing_or_text(X: Any) -> bool:
    """Whether an array holds what a DataFrame could: missing values or strings."""
    values = X if hasattr(X, "dtype") else np.asarray(X, dtype=object)
    if not isinstance(values, np.ndarray):
        return False
    if values.dtype.kind == "f":
        return bool(np.isnan(values).any())
    if values.dtype.kind != "O":
        return values.dtype.kind in "US"
    cells = [v for v in values.ravel() if np.ndim(v) == 0]
    return any(v is None or isinstance(v, str) or v != v for v in cells)


def stacked_rows(a: Any, b: Any) -> Any:
    """Two rows, arrays or DataFrames of one row each, as one table."""
    a, b = dense_table(a), dense_table(b)
    for row in (a, b):
        if hasattr(row, "iloc") and not (is_frame(row) and len(row) == 1):
            raise ValueError(
                f"A {type(row).__name__} of shape {row.shape} is not a DataFrame of one row, such "
                "as df.iloc[[0]]."
            )
    if not (is_frame(a) and is_frame(b)):
        rows = [np.atleast_2d(row) for row in (a, b)]
        if any(row.ndim > 2 or len(row) > 1 for row in rows):
            raise ValueError(
                f"a and b are one row each, not arrays of shapes {np.shape(a)} and {np.shape(b)}."
            )
        return np.concatenate(rows)
    import pandas as pd

    return pd.concat([a, b], ignore_index=True)
