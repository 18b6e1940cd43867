"""What goes in comes out: how a generator reads the columns it is given, and writes them."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from sklseq.base import estimator
from sklseq.data import Columns, is_frame, kind_of
from sklseq.parts.table_estimator import TableEstimator

__all__ = ["FrameGenerator", "stacked_rows"]

# In standard deviations.
_FAR = 1000.0


@estimator
class FrameGenerator(TableEstimator):
    """Rows come out as they went in: a DataFrame with its columns and dtypes, or an array.

    An array of integers or booleans is what a DataFrame of the same columns is: its columns are
    described, modelled and written alike.
    """

    _any_column: ClassVar[bool] = False
    """Whether the network knows booleans, categories and missing values, by `Columns.layout`."""

    def _read(self, X: Any, *, reset: bool) -> NDArray[Any]:
        if reset:
            self._describe(Columns.of(X) if is_frame(X) else None)
        if (columns := self._mixed_columns) is not None and columns.array_dtype is None:
            if not is_frame(X):
                raise TypeError(
                    f"This {type(self).__name__} was fitted on a DataFrame with columns of several "
                    f"kinds, and takes such a DataFrame, not a {type(X).__name__}."
                )
            validate_data(self, X, reset=reset, skip_check_array=True)
            return columns.encode(X)
        if is_frame(X):
            self._refuse_other_than_numbers(X)
        try:
            rows = super()._read(X, reset=reset)
        except ValueError as error:
            of_columns = any(words in str(error) for words in ("NaN", "could not convert string"))
            if not (reset and self._any_column and of_columns):
                raise
            raise ValueError(
                f"{error} Or pass a DataFrame, where missing values and categories are learned."
            ) from error
        if not is_frame(X) and (dtype := np.asarray(X).dtype).kind in "biu":
            if dtype.kind == "b" and not self._any_column:
                raise TypeError(f"X holds booleans: X.astype(int): {self._why_numbers()}.")
            if reset:
                self._describe(Columns.of_array(rows, dtype))
        if (columns := self._mixed_columns) is not None:
            return columns.encode(rows)
        if reset:
            self._origin = self._origin_of(rows).astype(rows.dtype)
        return rows - self._origin if self._origin.any() else rows

    def _origin_of(self, rows: NDArray[Any]) -> NDArray[Any]:
        """What is taken off each feature: far from zero, single precision would lose its rows."""
        mean = rows.mean(axis=0, dtype=np.float64)
        is_far = np.abs(mean) > _FAR * rows.std(axis=0, dtype=np.float64)
        return np.where(is_far, mean, 0.0)

    def _describe(self, columns: Columns | None) -> None:
        """Keep what is known of the columns; None of an array of real numbers."""
        self._columns = columns
        self._encodes = columns is not None and self._must_encode(columns)

    @property
    def _mixed_columns(self) -> Columns | None:
        """The columns, where rows are encoded by them; None where rows are plain numbers."""
        return self._columns if self._encodes else None

    def _must_encode(self, columns: Columns) -> bool:
        """Whether these columns are no plain numbers for the network."""
        return self._any_column and not columns.all_real

    def _why_numbers(self) -> str:
        """What to tell the user where a column holds no numbers."""
        name = type(self).__name__
        if self._any_column:
            return f"this {name} was fitted on numbers alone"
        return f"{name} learns a density of numbers; or take VAE or GAN"

    def _refuse_other_than_numbers(self, frame: Any) -> None:
        kinds = ("number", "boolean") if self._any_column else ("number",)
        for name, series in frame.items():
            if kind_of(series) not in kinds:
                how = (
                    "with .astype(int)"
                    if kind_of(series) == "boolean"
                    else "for example with OrdinalEncoder(dtype=int)"
                )
                raise TypeError(
                    f"Column {name!r} has dtype {series.dtype}: make numbers of it, {how}: "
                    f"{self._why_numbers()}."
                )
            if (missing := series.isna().to_numpy()).any():
                raise ValueError(
                    f"Column {name!r} is missing (NaN) at row {missing.argmax()}: fill it in, for "
                    f"example with SimpleImputer: {self._why_numbers()}."
                )

    def _written(self, rows: NDArray[Any]) -> Any:
        """Rows that the network gave, as the user's rows were."""
        if self._mixed_columns is not None:
            return self._mixed_columns.decode(rows)
        if self._origin.any():
            rows = rows + self._origin
        return rows if self._columns is None else self._columns.table(rows)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = self._any_column
        return tags


def stacked_rows(a: Any, b: Any) -> Any:
    """Two rows, arrays or DataFrames of one row each, as one table."""
    for row in (a, b):
        if hasattr(row, "iloc") and not (is_frame(row) and len(row) == 1):
            raise ValueError(
                f"A {type(row).__name__} of shape {row.shape} is no DataFrame of one row: "
                "df.iloc[[0]]."
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
