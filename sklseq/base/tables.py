"""Reading X where a row is a sample of fixed shape."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils.validation import validate_data

from sklseq.base.estimator import Estimator
from sklseq.base.target_rows import TargetRows
from sklseq.data.limits import first_beyond, largest

__all__ = ["check_finite_rows", "of_table", "read_table"]


def read_table(model: Estimator, X: Any, *, reset: bool) -> NDArray[Any]:
    """Validate a table and set, or compare with, what `fit` of `model` has seen.

    Gives float32 or float64 ``(n_samples, n_features)``; an error names row and feature at fault.
    """
    if len(shape := getattr(X, "shape", ())) > 2:
        raise ValueError(
            f"Found array with dim {len(shape)}, but {type(model).__name__} takes one row for "
            "each sample. Flatten images: X.reshape(len(X), -1)."
        )
    X = validate_data(
        model, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False
    )
    # Tables are read in the type they have, and computed in that of the weights.
    own_type = getattr(model, "_float_type", None)
    return check_finite_rows(X, dtype=X.dtype if own_type is None else own_type(reset))


def check_finite_rows(
    X: NDArray[Any], name: str = "X", dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """X, which the user knows by this name, if all of it is finite.

    Parameters
    ----------
    X : ndarray of shape (n_rows, ...)
    name : str, default="X"
    dtype : dtype or None, default=None
        Type that computes; None for that of X.

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
    remedy = (
        "fill it in first, for example with SimpleImputer, or leave out the row."
        if np.isnan(X[tuple(place)])
        else "leave out the row, or scale the data."
    )
    raise ValueError(f"Input {name} contains {what} at row {place[0]}, {where}{why}: {remedy}")


def of_table(n_rows: int) -> TargetRows:
    """Rows of a table, which have no parts with targets of their own."""
    return TargetRows("row", "value", np.ones(n_rows, dtype=np.int64))
