"""Checks that X, y and weights have their rows in one order."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["check_index"]


def check_index(X: Any, per_step: bool = False, **values_of_rows: Any) -> None:
    """Refuse values with an index that names the rows of a DataFrame X in another order.

    Values belong to the rows of X by position, as everywhere in scikit-learn. An index with names
    of the rows that are not in their order shows that they do not.

    Parameters
    ----------
    X : object
        Whatever holds the rows; checked if it has an index.
    per_step : bool, default=False
        Whether rows are those of the frame itself. Otherwise a frame with a (sequence, time)
        index has a row for each sequence.
    **values_of_rows : object
        By the name that the user knows; checked if they have an index.
    """
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):
        _check_keys(list(X), values_of_rows)
    if per_step and _is_list(X) and len(X) and hasattr(X[0], "iloc"):
        _check_parts(X, values_of_rows)
    if not hasattr(X, "iloc"):
        return
    panel = X.index.nlevels == 2
    sequences = X.index.unique(level=0) if panel else X.index
    index = X.index if per_step else sequences
    for name, values in values_of_rows.items():
        if not hasattr(values, "iloc") or values.index.equals(index):
            continue
        if per_step and panel and values.index.equals(sequences):
            continue  # one for each sequence
        common = len(values.index.intersection(index))
        # Names that only number the values say nothing of X; of steps some names in common do.
        numbered = values.index.equals(type(values)(range(len(values))).index)
        if common == len(index) or (per_step and common and not numbered):
            raise ValueError(
                f"{name} and X have different indices, so their rows do not belong together: "
                f"align them first, as by {name}.loc[X.index"
                f"{'.unique(level=0)' if panel and not per_step else ''}]."
            )


def _check_keys(keys: list[Any], beside: dict[str, Any]) -> None:
    """Refuse values whose index has the keys of a dict of sequences in another order."""
    for name, values in beside.items():
        names = list(values.index) if hasattr(values, "iloc") else keys
        if names != keys and set(names) == set(keys):
            raise ValueError(
                f"{name} and X have different indices, so their rows do not belong together: "
                f"align them first, as by {name}.loc[list(X)]."
            )


def _check_parts(X: Any, values_of_rows: dict[str, Any]) -> None:
    """Refuse values of steps, in a list beside a list of frames, that name other steps."""
    for name, values in values_of_rows.items():
        if _is_list(values) and len(values) == len(X):
            for i, (frame, part) in enumerate(zip(X, values, strict=True)):
                check_index(frame, True, **{f"{name}, sequence {i},": part})


def _is_list(values: Any) -> bool:
    """Whether a list, tuple or 1-D object array."""
    is_array = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == object
    return is_array or isinstance(values, (list, tuple))
