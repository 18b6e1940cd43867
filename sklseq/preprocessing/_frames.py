"""DataFrames of steps: as one table for a transformer, and back."""

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "all_numbers",
    "filled_with_zeros",
    "frames_of_steps",
    "like",
    "restored_frames",
    "rows_of_frames",
]


def frames_of_steps(X: Any, is_table: bool) -> list[Any]:
    """The DataFrames that hold the steps of X: X itself, those in a list; none in others.

    Parameters
    ----------
    X : object
        As `as_sequences` gives it.
    is_table : bool
        Whether X holds a sequence in each row.
    """
    if hasattr(X, "columns"):
        return [] if is_table else [X]
    if isinstance(X, (list, tuple)) or getattr(X, "ndim", 0) == 1:
        frames = [item for item in X if hasattr(item, "columns")]
        return frames if len(frames) == len(X) else []
    return []


def rows_of_frames(frames: list[Any]) -> Any:
    """The rows of all frames as one."""
    if len(frames) == 1:
        return frames[0]
    if hasattr(frames[0], "iloc"):
        import pandas as pd

        return pd.concat(frames, ignore_index=True)
    return reduce(lambda table, frame: table.vstack(frame), frames)


def all_numbers(frame: Any) -> bool:
    """Whether all columns are plain numbers or booleans."""
    if not hasattr(frame, "iloc"):
        return all(dtype.is_numeric() for dtype in frame.dtypes)
    return all(isinstance(dtype, np.dtype) and dtype.kind in "fiub" for dtype in frame.dtypes)


def filled_with_zeros(frame: Any) -> Any:
    """A frame of the same shape, index and names."""
    return like(frame, np.zeros(frame.shape), list(frame.columns))


def like(frame: Any, values: Any, names: list[Any] | None) -> Any:
    """Values of the rows of a frame as such a frame, of these columns."""
    if not hasattr(frame, "iloc"):
        return type(frame)(np.asarray(values), schema=names and [str(name) for name in names])
    if hasattr(values, "iloc"):
        return values.set_axis(frame.index, axis=0)
    return type(frame)(np.asarray(values), index=frame.index, columns=names)


def restored_frames(frames: list[Any], values: Any, names: list[Any] | None) -> NDArray[Any]:
    """Rows of all frames as a frame for each, in a 1-D object array."""
    restored, start = np.empty(len(frames), dtype=object), 0
    for i, frame in enumerate(frames):
        restored[i] = like(frame, values[start : start + len(frame)], names)
        start += len(frame)
    return restored
