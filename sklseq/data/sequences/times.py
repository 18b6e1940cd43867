"""The order of time, where an index names it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_index_times", "check_times"]

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
