"""Dates and durations as whole numbers of the largest unit that counts them all, and back."""

import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DURATIONS", "TIMES", "UNITS", "holds_times", "in_unit", "ticks", "unit_of", "written"]

TIMES: tuple[type, ...] = (datetime.date, np.datetime64)
"""Types of dates among objects; `datetime.datetime` and pandas' Timestamp are `datetime.date`."""

DURATIONS: tuple[type, ...] = (datetime.timedelta, np.timedelta64)
"""Types of durations among objects."""

UNITS = ("D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "W", "M", "Y")
"""Units of dates and durations, as numpy names them."""

_SECONDS = {"D": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def holds_times(values: Any) -> bool:
    """Whether an array or Series holds dates or durations, by its dtype or by its objects."""
    if (kind := getattr(values.dtype, "kind", "O")) in "mM" or hasattr(values.dtype, "freq"):
        return True
    if kind != "O" or hasattr(values.dtype, "categories"):
        return False
    return any(isinstance(v, TIMES + DURATIONS + (datetime.time,)) for v in np.ravel(values))


def ticks(series: Any, missing: NDArray[np.bool_]) -> NDArray[Any]:
    """The times that are there, as datetime64 or timedelta64 without a time zone.

    Parameters
    ----------
    series : pandas Series
    missing : ndarray of bool of shape (n,)

    Raises
    ------
    ValueError
        If it holds anything else.
    """
    there = series[~missing]
    if there.dtype.kind in "mM":
        if getattr(there.dtype, "tz", None) is not None:
            there = there.dt.tz_convert("UTC").dt.tz_localize(None)
        return there.to_numpy()
    values = there.tolist()
    for row, value in zip(np.flatnonzero(~missing), values, strict=True):
        if not isinstance(value, TIMES + DURATIONS):
            raise ValueError(f"Column {series.name!r} is {value!r} at row {row}, which is no date.")
        if getattr(value, "tzinfo", None) is not None:
            raise ValueError(
                f"Column {series.name!r} has a time zone at row {row}, in a column of objects: "
                "turn it into a column of dates, by pd.to_datetime."
            )
    return np.array(values, dtype="m8[us]" if isinstance(values[0], DURATIONS) else "M8[us]")


def unit_of(times: NDArray[Any]) -> str:
    """The largest unit, up to days, of which all times are whole numbers."""
    given, multiple = np.datetime_data(times.dtype)
    if given not in _SECONDS or multiple != 1:
        return given
    counts = times.astype(np.int64)
    for unit, seconds in _SECONDS.items():
        step = round(seconds / _SECONDS[given])
        if step <= 1 or not (counts % step).any():
            return unit
    return given


def in_unit(times: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Numbers of this unit, since 1970 for dates."""
    since = times if times.dtype.kind == "m" else times - np.datetime64(0, "s")
    one: Any = np.ones(1, dtype=f"m8[{unit}]")
    return since / one


def written(values: NDArray[Any], unit: str, holds: str, dtype: str) -> Any:
    """Numbers of a unit as times.

    Parameters
    ----------
    values : ndarray of shape (n,)
    unit : str
    holds : str
        Name of the type of the objects, if the dtype is that of objects.
    dtype : str
        pandas' name of it.

    Returns
    -------
    Series
    """
    import pandas as pd

    is_duration = holds.startswith("timedelta") or dtype.startswith("timedelta")
    letter = "m" if is_duration else "M"
    times = np.rint(values).astype(np.int64).astype(f"{letter}8[{unit}]")
    if dtype != "object":
        series = pd.Series(times)
        # Of those with a time zone, the name has two parts.
        return (series.dt.tz_localize("UTC") if "," in dtype else series).astype(dtype)
    if holds in ("datetime64", "timedelta64"):
        return pd.Series(list(times), dtype=object)
    if holds in ("Timestamp", "Timedelta"):
        return pd.Series(list(pd.Series(times)), dtype=object)
    resolution = "D" if holds == "date" else "us"
    return pd.Series(times.astype(f"{letter}8[{resolution}]").tolist(), dtype=object)
