"""DataFrames whose index names sequence and time of each row."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sklseq.data.sequences.checks import check_numeric, place_in
from sklseq.data.sequences.container import Sequences
from sklseq.data.sequences.times import check_times

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

    Raises
    ------
    ValueError
        Naming a sequence whose rows are not together, or a row without one.
    """
    identity = index.get_level_values(0)
    codes = identity.factorize()[0]
    if (codes < 0).any():
        raise ValueError(
            f"{name}: row {int(np.argmax(codes < 0))} has no name of its sequence (NaN) in the "
            "outer level of the index: name it, or leave the row out."
        )
    changes = np.flatnonzero(np.diff(codes)) + 1
    if len(changes) + 1 != codes.max() + 1:
        twice = identity[changes[np.argmax(np.diff(codes)[changes - 1] < 0)]]
        raise ValueError(
            f"{name}, sequence {_plain(twice)!r}: its rows are not together; sort the data by its "
            "index first (sort_index())."
        )
    return np.diff(changes, prepend=0, append=len(index))


def read_panel_frame(X: Any, dtype: DTypeLike, name: str) -> Sequences:
    """Read numeric sequences whose rows are together and in the order of time."""
    if len(X) == 0:
        raise ValueError(f"Found array with 0 sample(s): {name} holds no sequence; 1 is required.")
    names = np.asarray(X.columns, dtype=object)
    raw = Sequences(X.to_numpy(), lengths_of_index(X.index, name), "frame", names)
    identity, times = (X.index.get_level_values(level) for level in (0, 1))
    check_times(times, raw.starts, lambda row: f"{name}, sequence {_plain(identity[row])!r}")
    return raw.with_steps(check_numeric(raw.steps, dtype, place_in(name, raw.locate, names)))


def _plain(label: Any) -> Any:
    """A label as Python writes it."""
    return label.item() if isinstance(label, np.generic) else label
