"""The estimator inside what a user gives, and what it is asked about."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklseq.data import Sequences

__all__ = ["image_shape_of", "inner", "read_one", "symbols_in", "symbols_of", "unwrapped"]


def inner(estimator: Any) -> Any:
    """What stands at the end of pipelines and searches, fitted or not."""
    while isinstance(estimator, Pipeline) or hasattr(estimator, "best_estimator_"):
        is_pipeline = isinstance(estimator, Pipeline)
        estimator = estimator.steps[-1][1] if is_pipeline else estimator.best_estimator_
    return estimator


def unwrapped(estimator: Any, X: Any = None) -> tuple[Any, Any]:
    """The fitted estimator at the end of pipelines and searches, and X as it is given to it.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is no estimator.
    """
    if not hasattr(estimator, "get_params"):
        raise TypeError(f"Expected a fitted estimator, got {estimator!r:.80}.")
    while isinstance(estimator, Pipeline) or hasattr(estimator, "best_estimator_"):
        if isinstance(estimator, Pipeline):
            check_is_fitted(estimator)
            before = estimator[:-1]
            X = before.transform(X) if X is not None and len(before) else X
            estimator = estimator.steps[-1][1]
        else:
            estimator = estimator.best_estimator_
    check_is_fitted(estimator)
    return estimator, X


def read_one(data: Sequences, what: str) -> Sequences:
    """Refuse several sequences where one is shown."""
    if len(data) != 1:
        raise ValueError(
            f"X holds {len(data)} sequences, and {what} of one: give one of them, such as X[:1]."
        )
    return data


def symbols_of(estimator: Any, X: Any) -> list[str]:
    """The symbols of the one sequence in X, as it is read; none where steps are numbers."""
    model, X = unwrapped(estimator, X)
    return symbols_in(model, model._read_fitted(X)) if hasattr(model, "vocabulary_") else []


def symbols_in(model: Any, data: Sequences) -> list[str]:
    """The symbols of sequences that a model has read, "?" for those it does not know."""
    if not data.symbolic:
        return []
    known = ["?", *map(str, model.vocabulary_.tolist())]
    return [known[int(code)] for code in data.steps]


def image_shape_of(
    estimator: Any, row: NDArray[Any], given: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """The shape that a row is drawn in as an image; None for sequences and rows of tables."""
    if given is not None:
        if int(np.prod(given)) != row.size or len(given) not in (2, 3):
            raise ValueError(f"image_shape={given!r} is not that of rows of {row.size} values.")
        return tuple(given)
    # Sequences of steps have two dimensions, too.
    is_sequence = hasattr(inner(estimator), "length_range_")
    return row.shape if row.ndim in (2, 3) and not is_sequence and estimator is not None else None
