"""DataFrames whose index names sequence and time of each row."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.sequences.checks import check_numeric
from sklseq.data.sequences.container import Sequences

__all__ = ["is_panel_frame", "lengths_of_index", "read_panel_frame"]


def is_panel_frame(X: Any) -> bool:
    """Whether X is a DataFrame with a (sequence, time) index."""
    levels = getattr(getattr(X, "index", None), "nlevels", 1) if hasattr(X, "columns") else 1
    if levels > 2:
        raise ValueError(
            f"The DataFrame's index has {levels} levels, expected 2, (sequence, time): join the "
            "outer levels into one that names the sequence."
        )
    return levels == 2


def lengths_of_index(index: Any, name: str) -> NDArray[np.int64]:
    """Number of rows of each sequence that the outer level of an index names.

    Raises ValueError, naming a sequence whose rows are not together.
    """
    identity = index.get_level_values(0)
    codes = identity.factorize()[0]
    changes = np.flatnonzero(np.diff(codes)) + 1
    if len(changes) + 1 != codes.max() + 1:
        twice = identity[changes[np.argmax(np.diff(codes)[changes - 1] < 0)]]
        raise ValueError(
            f"{name}, sequence {twice!r}: its rows are not together; sort the data by its index "
            "first (sort_index())."
        )
    return np.diff(changes, prepend=0, append=len(index))


def read_panel_frame(X: Any, dtype: DTypeLike, name: str) -> Sequences:
    """Read numeric sequences whose rows are together and in the order of time."""
    if len(X) == 0:
        raise ValueError(f"Found array with 0 sample(s): {name} holds no sequence; 1 is required.")
    names = np.asarray(X.columns, dtype=object)
    raw = Sequences(X.to_numpy(), lengths_of_index(X.index, name), "frame", names)
    identity, time = (X.index.get_level_values(level) for level in (0, 1))
    within = np.ones(len(X), dtype=bool)
    within[raw.starts] = False
    late = np.flatnonzero(within[1:] & ~np.asarray(time[1:] > time[:-1]))
    if len(late):
        row = int(late[0]) + 1
        raise ValueError(
            f"{name}, sequence {identity[row]!r}: time {time[row]!r} does not come after "
            f"{time[row - 1]!r}; sort the data by its index first (sort_index())."
        )
    return raw.with_steps(check_numeric(raw.steps, dtype, name, raw.locate))
