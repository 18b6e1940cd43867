"""A second argument that an estimator does not use, though it looks as if it should."""

import warnings
from typing import Any

import numpy as np

__all__ = ["warn_of_ignored"]


def warn_of_ignored(y: Any, X: Any, instead: str, *, only_like_X: bool = False) -> None:
    """Warn where a y that is not used looks like data, not like labels or targets of rows.

    Pipelines hand labels and targets to every step, so that these are ignored in silence.

    Parameters
    ----------
    y, X : object
        As the user gave them.
    instead : str
        What would use such data; ends the warning.
    only_like_X : bool, default=False
        Whether several numbers for each row may be targets of a later step, unless they have the
        shape of X.

    Warns
    -----
    UserWarning
        If y has another number of rows than X, or several real numbers for each row.
    """
    if y is None or y is X or not hasattr(X, "__len__") or not hasattr(y, "__len__"):
        return
    is_panel = getattr(getattr(X, "index", None), "nlevels", 1) > 1
    shapes = (v.shape if hasattr(v, "shape") else (len(v),) for v in (y, X))
    shape, of_X = map(tuple[Any, ...], shapes)
    what = ""
    if shape and of_X and not is_panel and shape[0] != of_X[0]:
        what = f"has {shape[0]} rows where X has {of_X[0]}"
    elif len(shape) > 1 and shape[1] > 1 and (shape == of_X or not only_like_X) and _are_real(y):
        what = f"has shape {shape}, like data"
    if what:
        warnings.warn(f"y is not used, but {what}: {instead}.", UserWarning, stacklevel=4)


def _are_real(y: Any) -> bool:
    """Whether y holds numbers that are not all whole, as indicators and classes are."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return bool(np.any(values != np.rint(values)))
