"""Checks that X, y and weights have their rows in one order."""

from typing import Any

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
