"""Arrays of whatever a user holds."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_array", "as_container", "first_date", "missing"]

_DATES = (np.datetime64, np.timedelta64, date, time, timedelta)


def as_container(X: Any) -> Any:
    """X as an array where it only offers one, or is a tensor; every container of ours as it is."""
    if hasattr(X, "detach") and hasattr(X, "cpu"):  # a tensor, perhaps with a gradient
        X = X.detach().cpu()
        try:
            return X.numpy()
        except TypeError:  # of a type that numpy lacks
            return X.float().numpy()
    if hasattr(X, "collect_schema") and not hasattr(X, "to_numpy"):
        raise TypeError(f"A {type(X).__name__} holds no values yet: give those of its collect().")
    if hasattr(X, "ndim") or hasattr(X, "columns"):
        return X
    return np.asarray(X) if hasattr(X, "__array__") else X


def as_array(values: Any) -> NDArray[Any]:
    """Values as an array, those of a tensor too; of objects where a frame has dates and numbers."""
    values = as_container(values)
    if isinstance(values, Mapping):
        raise ValueError(
            "A dict has no order that is known to be that of X: give list(y.values()), say."
        )
    dtypes = getattr(values, "dtypes", ()) if hasattr(values, "to_series") else ()
    if any(dtype.is_temporal() for dtype in dtypes):  # polars would make numbers of them
        columns = [np.array(values.to_series(i).to_list(), object) for i in range(len(dtypes))]
        return np.column_stack(columns)
    return np.asarray(values)


def first_date(values: Any) -> Any:
    """The first date, time or duration among values, which numpy would convert; None without."""
    array = np.asarray(values)
    if array.dtype.kind in "mM":
        return array.flat[0] if array.size else None
    if array.dtype != object:
        return None
    return next((v for v in array.flat if isinstance(v, _DATES) and v == v), None)


def missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are None, NaN or pandas' NA.

    Parameters
    ----------
    values : ndarray of any shape

    Returns
    -------
    ndarray of bool of the same shape
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    found = [_is_missing(value) for value in values.flat]
    return np.array(found, dtype=bool).reshape(values.shape)


def _is_missing(value: Any) -> bool:
    if value is None or isinstance(value, (str, bool)):
        return value is None
    if isinstance(value, (list, tuple, dict)) or getattr(value, "ndim", 0) > 0:
        return False
    try:
        return bool(value != value)  # NaN is what does not equal itself
    except TypeError:  # pandas' NA has no truth value
        return True
