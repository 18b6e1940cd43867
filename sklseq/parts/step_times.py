"""Where the times of steps stand: in an index, or in a column of X."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import (
    Sequences,
    is_nested,
    is_panel_frame,
    lengths_of_index,
    times_in_numbers,
)

__all__ = ["frames_in", "position_of_times", "times_of_index", "with_column_in_numbers"]


def frames_in(X: Any) -> list[Any]:
    """The DataFrames of pandas that X is, or is a list of."""
    items = [X] if hasattr(X, "columns") else X if isinstance(X, (list, tuple)) else []
    return [item for item in items if hasattr(item, "iloc") and hasattr(item, "columns")]


def with_column_in_numbers(X: Any, source: Any) -> tuple[Any, bool]:
    """X whose column of times holds numbers, and whether it held dates."""
    frames = frames_in(X)
    if not frames or is_nested(X):
        return X, False
    converted, kinds = [], []
    for frame in frames:
        names = list(frame.columns)
        if isinstance(source, str):
            at = names.index(source) if source in names else None
        else:
            at = source if -len(names) <= source < len(names) else None
        if at is None or getattr(frame.dtypes.iloc[at], "kind", "O") in "biuf":
            converted.append(frame)
            kinds.append(False)
            continue
        lengths = (
            lengths_of_index(frame.index, "X") if is_panel_frame(frame) else np.array([len(frame)])
        )
        starts = np.cumsum(lengths) - lengths
        seconds, dates = times_in_numbers(frame.iloc[:, at], starts, f"time_feature={source!r}")
        frame = frame.copy(deep=False)
        frame[names[at]] = seconds
        converted.append(frame)
        kinds.append(dates)
    if len(set(kinds)) > 1:
        raise TypeError(
            f"time_feature={source!r} holds dates in some sequences of X and numbers in others: "
            "give one kind."
        )
    if hasattr(X, "columns"):
        return converted[0], kinds[0]
    numbers = iter(converted)
    return [next(numbers) if any(item is f for f in frames) else item for item in X], kinds[0]


def times_of_index(X: Any, sequences: Sequences, per_step: bool) -> tuple[NDArray[Any], bool]:
    """The time of each step, from the index of what holds it."""
    name = "X, its index,"
    if is_panel_frame(X):
        return times_in_numbers(X.index.get_level_values(1), sequences.starts, name)
    items: list[Any] = []
    if is_nested(X) and hasattr(X, "iloc"):
        items = list(X.iloc[:, 0])
    elif isinstance(X, (list, tuple)):
        items = list(X)
    elif per_step:
        items = [X]
    without = next((i for i, item in enumerate(items) if not hasattr(item, "iloc")), None)
    if without is not None or not items:
        place = "X" if without is None else f"X, sequence {without},"
        raise ValueError(
            f"{place} has no index of times for its steps, from which time_feature='index' would "
            "take them: give DataFrames, one for each sequence or one with a (sequence, time) "
            "index; or the column of X that holds the times, such as time_feature=-1."
        )
    found = [times_in_numbers(item.index, np.zeros(1, dtype=np.int64), name) for item in items]
    kinds = {dates for _, dates in found}
    if len(kinds) > 1:
        raise TypeError("The index is of dates in some sequences of X, of numbers in others.")
    return np.concatenate([times for times, _ in found]), kinds.pop()


def position_of_times(source: Any, model: Any, sequences: Sequences) -> int:
    """Number of the column of times."""
    n = sequences.steps.shape[1]
    if not isinstance(source, str):
        if not -n <= source < n:
            raise ValueError(
                f"time_feature={source}, but steps have {n} feature(s): give a number from "
                f"{-n} to {n - 1}."
            )
        return int(source) % n
    names = getattr(model, "feature_names_in_", sequences.feature_names)
    known = [] if names is None or len(names) != n else list(names)
    if source not in known:
        have = f"whose columns are {known}" if known else "whose features have no names"
        raise ValueError(
            f"time_feature={source!r} is no column of X, {have}: give one of them, or its number."
        )
    return known.index(source)
