"""Rows that have names, and what stands beside them."""

from typing import Any

__all__ = ["check_index"]


def check_index(X: Any, per_step: bool = False, **beside: Any) -> None:
    """Refuse what stands beside a DataFrame or Series and names its rows in another order.

    Values beside X belong to its rows by position, as everywhere in scikit-learn. An index that
    has the names of the rows in another order shows that they do not.

    Parameters
    ----------
    X : object
        Whatever holds the rows; checked if it has an index.
    per_step : bool, default=False
        Whether rows are those of the frame itself. Otherwise a frame with a (sequence, time)
        index has a row for each sequence.
    **beside : object
        Values of the rows, by the name that the user knows; checked if they have an index.

    Raises
    ------
    ValueError
        Naming what does not belong to X.
    """
    if not hasattr(X, "iloc"):
        return
    panel = X.index.nlevels == 2 and not per_step
    index = X.index.unique(level=0) if panel else X.index
    for name, values in beside.items():
        if not hasattr(values, "iloc") or values.index.equals(index):
            continue
        # An index may number the rows; steps have one of their own.
        if per_step or set(values.index) == set(index):
            raise ValueError(
                f"{name} and X have different indices, so their rows do not belong together: "
                f"align them first, as by {name}.loc[X.index"
                f"{'.unique(level=0)' if panel else ''}]."
            )
