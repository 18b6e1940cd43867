"""Classes that a generator is conditioned on: read, coded as one-hot rows, and asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

__all__ = ["asked_classes", "one_hot", "read_classes"]


def read_classes(y: Any, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The classes and each row's index among them.

    Raises
    ------
    ValueError
        If y is None, continuous, or not one label for each row of X.
    """
    if y is None:
        raise ValueError("conditional=True requires y, the class of each row of X.")
    y = column_or_1d(y, warn=True)
    check_consistent_length(X, y)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def one_hot(codes: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Rows ``(n, n_classes)`` with a one at each code."""
    return np.eye(n_classes)[codes]


def asked_classes(y: Any, n: int, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Index of the class asked for in each of `n` rows.

    Parameters
    ----------
    y : scalar or array-like of shape (n,)
    n : int
    classes : ndarray
        Sorted.

    Raises
    ------
    ValueError
        If a class was never seen, or y has another number of rows.
    """
    asked = np.asarray(y)
    if asked.ndim == 0:
        asked = np.full(n, asked)
    if asked.shape != (n,):
        raise ValueError(f"y has shape {asked.shape}; one class, or one for each of {n} rows.")
    unknown = sorted(set(asked.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(
            f"y asks for {unknown[0]!r}, which is none of the classes seen in fit: "
            f"{classes.tolist()}."
        )
    return np.searchsorted(classes, asked)
