"""Values of a DataFrame's column by their kind; errors that name the place."""

from collections.abc import Callable, Hashable, Iterable
from datetime import time
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data.tables.times import DURATIONS, TIMES

__all__ = [
    "as_booleans",
    "as_codes",
    "as_numbers",
    "check_integers",
    "declared_categories",
    "holds",
    "kind_of",
    "seen_categories",
]

# Whole numbers up to here are exact as floating point numbers.
_LARGEST_INTEGER = 2**53
_NUMBERS, _BOOLEANS = (Real, Decimal), (bool, np.bool_)


def kind_of(series: Any) -> str:
    """Whether a column holds a "number", "boolean", "time" or "category" in each row.

    The dtype says it, but for objects the values do: numbers of any type are numbers, dates and
    durations are times, and all else are categories. Other dtypes are refused.
    """
    dtype = series.dtype
    if hasattr(dtype, "categories"):
        return "category"
    if dtype.kind in "biuf":
        return "boolean" if dtype.kind == "b" else "number"
    if dtype.kind in "mM":
        return "time"
    if dtype.kind == "O" and not hasattr(dtype, "freq"):
        return _kind_of_objects(series)
    how = "by .dt.to_timestamp(), " if hasattr(dtype, "freq") else ""
    raise TypeError(
        f"Column {series.name!r} has dtype {dtype}: it holds neither numbers nor booleans nor "
        f"categories nor dates. Turn it into one of these, {how}or leave it out."
    )


def _kind_of_objects(series: Any) -> str:
    types = {type(value) for value in series[~series.isna().to_numpy()].tolist()}
    if all(issubclass(t, _NUMBERS) and not issubclass(t, _BOOLEANS) for t in types) and types:
        return "number"
    times = [t for t in types if issubclass(t, (*TIMES, *DURATIONS, time)) or hasattr(t, "asfreq")]
    if any(all(issubclass(t, kind) for t in types) for kind in (TIMES, DURATIONS) if times):
        return "time"
    wrong = times or [t for t in types if issubclass(t, (complex, np.complexfloating))]
    if wrong:
        raise TypeError(
            f"Column {series.name!r} holds objects of {' and '.join(_names(types))}: it holds "
            "neither numbers nor booleans nor categories nor dates alone. Turn it into one of "
            "these, for example by pd.to_datetime, or leave it out."
        )
    return "category"


def _names(types: Iterable[type]) -> list[str]:
    return sorted(t.__name__ for t in types)


def as_numbers(series: Any, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The numbers that are there, ``(n - n_missing,)``; infinity and huge integers are refused."""
    if series.dtype.kind in "iuf":
        x = series[~missing].to_numpy(dtype=np.float64)
    else:
        values = _checked(series, missing, _is_number, "a number")
        x = np.array([float(value) for value in values], dtype=np.float64)
    rows = np.flatnonzero(~missing)
    if series.dtype.kind in "iu" or holds(series, missing) == "int":
        check_integers(x, series.name, rows)
    elif len(wrong := np.flatnonzero(~np.isfinite(x))):
        row = rows[wrong[0]]
        raise ValueError(
            f"Column {series.name!r} is {x[wrong[0]]:g} at row {row}, which is no finite number: "
            "make it missing (NaN), limit it, or leave out the row."
        )
    return x


def holds(series: Any, missing: NDArray[np.bool_]) -> str:
    """Name of the type of a column's objects; "" if they have several, or are none."""
    if series.dtype != object:
        return ""
    values = series[~missing].to_numpy()
    ours = (v if isinstance(v, (np.datetime64, np.timedelta64)) else _plain(v) for v in values)
    names = {type(value).__name__ for value in ours}
    return names.pop() if len(names) == 1 else ""


def check_integers(x: NDArray[np.float64], name: Hashable, rows: Any = None) -> None:
    """Refuse integers beyond 2**53; `rows` are the rows they stand in, None for all."""
    if len(wrong := np.flatnonzero(np.abs(x) >= _LARGEST_INTEGER)):
        row = wrong[0] if rows is None else rows[wrong[0]]
        raise ValueError(
            f"Column {name!r} is {x[wrong[0]]:.0f} at row {row}, too large to be distinguished "
            "from its neighbors: make identifiers categories."
        )


def as_booleans(series: Any, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The booleans that are there, ``(n - n_missing,)``; another value is refused."""
    if series.dtype.kind == "b":
        return series[~missing].to_numpy(dtype=bool)
    return np.array(_checked(series, missing, _is_boolean, "a boolean"), dtype=bool)


def as_codes(series: Any, missing: NDArray[np.bool_], categories: tuple) -> NDArray[np.int64]:
    """Index among the categories of each value that is there; another value is refused."""
    index = {_key(value): i for i, value in enumerate(categories)}
    seen = ", ".join(map(repr, categories[:8])) + (", ..." if len(categories) > 8 else "")

    def is_known(value: Any) -> bool:
        return isinstance(value, Hashable) and _key(value) in index

    what = f"one of the categories seen in fit: {seen or 'none'}"
    known = _checked(series, missing, is_known, what)
    return np.array([index[_key(v)] for v in known], dtype=np.int64)


def seen_categories(series: Any, missing: NDArray[np.bool_]) -> tuple:
    """The categories that occur: in their declared order, or else in an order of their own.

    What is not hashable is refused.
    """
    there = series[~missing]
    values = there.tolist() if series.dtype == object else there.unique().tolist()
    for row, value in zip(np.flatnonzero(~missing), values, strict=False):
        if not isinstance(value, Hashable):
            raise TypeError(
                f"Column {series.name!r} holds a {type(value).__name__} at row {row}, which "
                "cannot be a category."
            )
    seen = {_key(value): _plain(value) for value in values}
    if hasattr(series.dtype, "categories"):
        return tuple(v for v in declared_categories(series.dtype) if _key(v) in seen)
    # Not in the order of the rows, which says nothing.
    return tuple(sorted(seen.values(), key=lambda v: (type(v).__name__, str(v))))


def declared_categories(dtype: Any) -> tuple:
    """All categories of a categorical dtype."""
    return tuple(_plain(value) for value in dtype.categories)


def _checked(
    series: Any, missing: NDArray[np.bool_], is_right: Callable[[Any], bool], what: str
) -> list[Any]:
    values = series.astype(object).to_numpy()
    for row in np.flatnonzero(~missing):
        if not is_right(values[row]):
            raise ValueError(
                f"Column {series.name!r} is {_plain(values[row])!r} at row {row}, which is not "
                f"{what}."
            )
    return values[~missing].tolist()


def _plain(value: Any) -> Any:
    """A value of Python instead of numpy, which is stored more safely."""
    return value.item() if isinstance(value, np.generic) else value


def _key(value: Any) -> Hashable:
    """Key of a category: 1 and True are equal, and yet two categories."""
    value = _plain(value)
    return isinstance(value, bool), value


def _is_number(value: Any) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, _BOOLEANS)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, _BOOLEANS)
