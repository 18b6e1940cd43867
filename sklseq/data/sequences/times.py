"""The order of time, where an index names it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.arrays import first_date, missing

__all__ = ["check_index_times", "check_steps_in_time", "check_times", "times_in_numbers"]

# What pandas calls an index of names, which have no order.
_NAMES = ("string", "bytes", "boolean", "categorical", "interval", "empty")


def check_index_times(index: Any, place: str) -> None:
    """Refuse the index of one series whose times do not increase; names of rows have no order.

    Raises
    ------
    ValueError
        Naming the series by its place, and the time at fault.
    """
    times = index if index.nlevels == 1 else index.get_level_values(-1)
    if times.inferred_type not in _NAMES and not (
        times.is_monotonic_increasing and times.is_unique and not times.hasnans
    ):
        check_times(times, np.zeros(1, dtype=np.int64), lambda row: place)


def check_times(times: Any, starts: NDArray[np.int64], place_of: Any) -> None:
    """Refuse times that do not increase within each series.

    Parameters
    ----------
    times : pandas Index of length n_rows
    starts : ndarray of shape (n_series,)
        First row of each series.
    place_of : callable
        What messages call the series of a row.

    Raises
    ------
    ValueError
        Naming the series and the time at fault.
    """
    missing = np.flatnonzero(times.isna())
    if len(missing):
        raise ValueError(
            f"{place_of(missing[0])}: the time of row {missing[0]} is missing "
            f"({times[missing[0]]}); leave the row out, or name it."
        )
    within = np.ones(len(times), dtype=bool)
    within[starts] = False
    try:
        late = np.flatnonzero(within[1:] & ~np.asarray(times[1:] > times[:-1], dtype=bool))
    except TypeError as error:
        kinds = sorted({type(time).__name__ for time in times})
        raise ValueError(
            f"{place_of(0)}: its index holds times of several types, {' and '.join(kinds)}, which "
            "have no order; make them one type."
        ) from error
    if len(late):
        row = int(late[0]) + 1
        raise ValueError(
            f"{place_of(row)}: time {times[row]!r} does not come after {times[row - 1]!r}; sort "
            "the data by its index first (sort_index()) and give each time once. If the index is "
            "no time, drop it (reset_index(drop=True))."
        )


def times_in_numbers(
    times: Any, starts: NDArray[np.int64], name: str
) -> tuple[NDArray[np.float64], bool]:
    """Times as numbers: dates and durations in seconds since the first of their sequence.

    Parameters
    ----------
    times : pandas Index or Series, or ndarray, of length n_rows
        NaN where one is missing.
    starts : ndarray of shape (n_sequences,)
        First row of each sequence.
    name : str
        What messages call them.

    Returns
    -------
    ndarray of shape (n_rows,)
    bool
        Whether they were dates or durations.

    Raises
    ------
    TypeError
        If they are neither these nor numbers.
    """
    if str(getattr(times, "dtype", "")).startswith("period"):
        times = times.astype("datetime64[ns]")
    elif getattr(times.dtype, "tz", None) is not None:
        times = getattr(times, "dt", times).tz_convert(None)
    values = np.asarray(times)
    lengths = np.diff(starts, append=len(values))
    if values.dtype.kind == "O" and first_date(values) is not None:
        lost = missing(values)
        firsts = np.repeat(values[starts], lengths)
        known = ~lost & ~np.repeat(lost[starts], lengths)
        seconds = np.full(len(values), np.nan)
        pairs = zip(values[known], firsts[known], strict=True)
        seconds[known] = [(value - first).total_seconds() for value, first in pairs]
        return seconds, True
    if values.dtype.kind in "mM":
        since = values - np.repeat(values[starts], lengths)
        return since / np.timedelta64(1, "s"), True
    try:
        return np.where(missing(values), np.nan, values).astype(np.float64), False
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} holds {values[0]!r}, which is no time: give dates or numbers."
        ) from error


def check_steps_in_time(
    times: NDArray[np.float64], starts: NDArray[np.int64], place_of: Any
) -> None:
    """Refuse times that are missing, or go back within a sequence.

    Parameters
    ----------
    times : ndarray of shape (n_rows,)
    starts : ndarray of shape (n_sequences,)
        First row of each sequence.
    place_of : callable
        What messages call a row.

    Raises
    ------
    ValueError
        Naming the first row at fault.
    """
    if len(lost := np.flatnonzero(~np.isfinite(times))):
        raise ValueError(
            f"{place_of(lost[0])}: its time is {times[lost[0]]}: leave the step out, or name it."
        )
    back = np.diff(times, prepend=times[0]) < 0
    back[starts] = False
    if back.any():
        row = int(np.argmax(back))
        raise ValueError(
            f"{place_of(row)}: its time {times[row]:.10g} comes before {times[row - 1]:.10g}, that "
            "of the step before: sort the steps of each sequence by time."
        )
