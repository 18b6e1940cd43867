"""Reading X where a row is a sample of fixed shape."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

from sklseq.base.estimator import Estimator
from sklseq.base.target_rows import TargetRows
from sklseq.data import as_container, holds_times, is_frame, plain_frame
from sklseq.data.limits import first_beyond, largest

__all__ = [
    "check_finite_rows",
    "dense_table",
    "of_table",
    "read_table",
    "refuse_ragged_rows",
    "refuse_times",
]


def read_table(model: Estimator, X: Any, *, reset: bool, scaled: bool = False) -> NDArray[Any]:
    """Validate a table and set, or compare with, what `fit` of `model` has seen.

    Gives float32 or float64 ``(n_samples, n_features)``; an error names row and feature at fault.
    Values may be as large as the type of X allows where they are to be `scaled` in it.
    """
    X = as_container(X)
    refuse_ragged_rows(X, type(model).__name__)
    if len(shape := getattr(X, "shape", ())) > 2:
        raise ValueError(
            f"Found array with dim {len(shape)}, but {type(model).__name__} takes one row for "
            "each sample. Flatten images: X.reshape(len(X), -1)."
        )
    X = dense_table(X)
    refuse_times(X)
    columns = getattr(X, "columns", None)
    X = validate_data(
        model, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
    )
    # Tables are read in the type they have, and computed in that of the weights.
    own_type = getattr(model, "_float_type", None)
    dtype = X.dtype if own_type is None or scaled else own_type(reset)
    return check_finite_rows(X, dtype=dtype, columns=columns)


def refuse_ragged_rows(X: Any, name: str) -> None:
    """Refuse rows that are sequences of several lengths."""
    if not isinstance(X, (list, tuple)) and getattr(X, "ndim", 0) != 1:
        return
    shapes = [
        (len(row),) if isinstance(row, (list, tuple)) else getattr(row, "shape", ()) for row in X
    ]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ValueError(
                f"X, row {i} has shape {shape}, but row 0 has {shapes[0]}: {name} takes a table, "
                "with as many values in each row. Estimators of sequences, such as "
                "SequenceAutoencoder and SequenceVAE, take rows of any length."
            )


def dense_table(X: Any) -> Any:
    """A DataFrame of any library as a plain one of pandas, scipy's sparse X as an array."""
    if issparse(X):
        return X.toarray()
    return plain_frame(X)[0]


def refuse_times(values: Any, name: str = "X") -> None:
    """Refuse dates and durations, which would silently become numbers, by column or feature."""
    how = (
        "turn them into numbers, for example dates by (dates - dates.min()) / "
        "np.timedelta64(1, 'D')"
    )
    if is_frame(values):
        for column, series in values.items():
            if holds_times(series):
                raise TypeError(
                    f"Column {column!r} of {name} holds dates or durations (dtype {series.dtype}): "
                    f"{how}, or leave it out."
                )
        return
    array = values if hasattr(values, "dtype") else np.asarray(values, dtype=object)
    if holds_times(array):
        where = ""
        if array.ndim == 2:
            feature = next(j for j, x in enumerate(np.asarray(array).T) if holds_times(x))
            where = f", feature {feature},"
        raise TypeError(f"{name}{where} holds dates or durations (dtype {array.dtype}): {how}.")


def check_finite_rows(
    X: NDArray[Any], name: str = "X", dtype: DTypeLike | None = None, columns: Any = None
) -> NDArray[Any]:
    """X, which the user knows by this name, if all of it is finite.

    Parameters
    ----------
    X : ndarray of shape (n_rows, ...)
    name : str, default="X"
    dtype : dtype or None, default=None
        Type that computes; None for that of X.
    columns : sequence or None, default=None
        Names of the features, for messages.

    Raises
    ------
    ValueError
        Naming the first row and feature that is not, or is too large for the type.
    """
    dtype = X.dtype if dtype is None else dtype
    if (beyond := first_beyond(X, largest(dtype, squared=True), dtype)) is None:
        return X
    place, what, why = beyond
    where = ", ".join(f"index {i}" for i in place[1:]) if X.ndim > 2 else f"feature {place[1]}"
    if columns is not None:
        where += f" ({columns[place[1]]!r})"
    remedy = (
        "fill it in first, for example with SimpleImputer, or leave out the row."
        if np.isnan(X[tuple(place)])
        else "leave out the row, or scale the data."
    )
    raise ValueError(f"Input {name} contains {what} at row {place[0]}, {where}{why}: {remedy}")


def of_table(n_rows: int) -> TargetRows:
    """Rows of a table, which have no parts with targets of their own."""
    return TargetRows("row", "value", np.ones(n_rows, dtype=np.int64))
