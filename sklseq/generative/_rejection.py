"""Rows drawn until their columns have the values asked for: rejection sampling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Number, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.data import Column, is_frame, missing, plain_frame
from sklseq.parts.conditions import OneHot
from sklseq.parts.frames import TableFormat

__all__ = ["draw_where", "rows_asked"]

# Rows drawn at most, for each that is asked for and in all; and the sizes of a draw.
_PER_ROW, _AT_LEAST = 1_000, 10_000
_FEWEST, _MOST = 256, 2**14

Draw = Callable[[int], NDArray[Any]]


@dataclass(frozen=True)
class _Test:
    """What a column is to be: a value, missing, or a number or time from `low` to `high`."""

    place: int
    name: Any
    value: Any = None
    between: tuple[Any, Any] | None = None

    def met(self, table: Any) -> NDArray[np.bool_]:
        """Which rows have it."""
        column = table.iloc[:, self.place] if is_frame(table) else table[:, self.place]
        absent = column.isna().to_numpy() if is_frame(table) else np.zeros(len(table), dtype=bool)
        if self.between is None:
            if self.value is None:
                return absent
            there = np.asarray(column, dtype=object)[~absent] == self.value
        else:
            low, high = self.between
            values = column[~absent]
            try:
                there = np.asarray((values >= low) & (values <= high), dtype=bool)
            except TypeError as error:  # a date, or a time zone that the column has not
                raise ValueError(
                    f"conditions, column {self.name!r}: {self.between!r} cannot be compared with "
                    f"its values: give a range such as {tuple(values[:2])!r}."
                ) from error
        found = np.zeros(len(table), dtype=bool)
        found[~absent] = there
        return found

    def __str__(self) -> str:
        wanted = self.value if self.between is None else self.between
        return f"{self.name!r}: {wanted!r}"


def rows_asked(conditions: Any, n_samples: Any) -> Any:
    """Number of rows: that of a DataFrame of conditions, else `n_samples`."""
    if conditions is None or isinstance(conditions, Mapping):
        return n_samples
    frame, _ = plain_frame(conditions)
    if not is_frame(frame):
        raise TypeError(
            "conditions must be a dict of columns and values, or a DataFrame with the values of a "
            f"row in each, not a {type(conditions).__name__}."
        )
    if n_samples is not None and n_samples != len(frame):
        raise ValueError(
            f"conditions has {len(frame)} rows, but n_samples={n_samples}: leave n_samples out."
        )
    return len(frame)


def draw_where(
    model: Any, conditions: Any, n: int, y: Any, classes: OneHot, rng: np.random.Generator
) -> NDArray[Any]:
    """Rows as the network of a generator gives them, of columns as `conditions` asks.

    Raises TypeError or ValueError if a condition is not one on these columns, or too few rows of a
    bounded number meet it.
    """
    if not isinstance(table := model._format, TableFormat):
        raise TypeError(f"{type(model).__name__} draws sequences: conditions are on columns.")
    asked, which = _read(model, conditions, n)

    def draw(one: OneHot, size: int) -> NDArray[Any]:
        if one is None:  # of whatever class has such rows
            return model._draw(size, model._condition.drawn(size, rng), rng)
        return model._draw(size, np.repeat(one, size, axis=0), rng)

    if y is None or classes is None:
        return _accepted(partial(draw, None), table, asked, which)
    code = classes.argmax(axis=1)
    of_class = [np.flatnonzero(code == c) for c in np.unique(code)]
    found = [_accepted(partial(draw, classes[p[:1]]), table, asked, which[p]) for p in of_class]
    return np.concatenate(found)[np.argsort(np.concatenate(of_class))]


def _accepted(
    draw: Draw, table: TableFormat, asked: list[list[_Test]], which: NDArray[np.int64]
) -> NDArray[Any]:
    """The first rows that meet what is asked for at each place, `asked[which[i]]`."""
    pending = {k: np.flatnonzero(which == k) for k in np.unique(which)}
    limit, drawn, size = max(_AT_LEAST, _PER_ROW * len(which)), 0, _FEWEST
    accepted: NDArray[Any] | None = None
    while pending and drawn < limit:
        rows = draw(size := min(size, limit - drawn))
        drawn += size
        if accepted is None:
            accepted = np.empty((len(which), rows.shape[1]), rows.dtype)
        written, _ = plain_frame(table.write_samples(rows))
        for k, places in list(pending.items()):
            met = np.logical_and.reduce([test.met(written) for test in asked[k]])
            hits = np.flatnonzero(met)[: len(places)]
            accepted[places[: len(hits)]] = rows[hits]
            pending[k] = places[len(hits) :]
            if not len(pending[k]):
                del pending[k]
        size = min(2 * size, _MOST)
    if pending:
        k, places = next(iter(pending.items()))
        n_wanted, tests = int((which == k).sum()), ", ".join(map(str, asked[k]))
        raise ValueError(
            f"{n_wanted - len(places)} of {n_wanted} rows with {{{tests}}} were found among "
            f"{drawn:,} rows drawn. Ask for fewer columns at once, wider ranges or fewer rows; or "
            "fit with conditional=True and that column as y."
        )
    assert accepted is not None
    return accepted


def _read(model: Any, conditions: Any, n: int) -> tuple[list[list[_Test]], NDArray[np.int64]]:
    """Different conditions, and which of them each row is to meet."""
    if isinstance(conditions, Mapping):
        if not conditions:
            raise ValueError("conditions is empty: name a column and its value, or leave it out.")
        tests = [_test(model, name, value, True) for name, value in conditions.items()]
        return [tests], np.zeros(n, dtype=np.int64)
    # Values, not ranges: of these no row meets two, so that each draw goes to where it belongs.
    frame, _ = plain_frame(conditions)
    if not len(frame.columns):
        raise ValueError("conditions has no columns.")
    columns = [frame.iloc[:, j].astype(object).to_list() for j in range(len(frame.columns))]
    known: dict[tuple[Any, ...], int] = {}
    which = [
        known.setdefault(tuple(_plain(value) for value in row), len(known))
        for row in zip(*columns, strict=True)
    ]
    asked = [
        [_test(model, name, value, False) for name, value in zip(frame.columns, row, strict=True)]
        for row in known
    ]
    return asked, np.array(which)


def _plain(value: Any) -> Any:
    """A value, None if it is missing."""
    return None if missing(np.array([value, None], dtype=object))[0] else value


def _test(model: Any, name: Any, value: Any, ranges: bool) -> _Test:
    """The test of one column; refuses what no row could have."""
    columns = model._format.columns
    names = list(range(model.n_features_in_)) if columns is None else columns.names
    if name not in names:
        raise ValueError(f"conditions has the column {name!r}, but X had {names}.")
    place = names.index(name)
    column: Column | None = None if columns is None else columns.columns[place]
    of = f"conditions, column {name!r}"
    if isinstance(value, tuple):
        if not ranges:
            raise ValueError(f"{of}: a DataFrame holds values; ranges stand in a dict.")
        if len(value) != 2 or not (column is None or column.kind in ("number", "time")):
            raise ValueError(f"{of}: {value!r} is not the range (low, high) of numbers or times.")
        of_times = column is not None and column.kind == "time"
        if any(isinstance(end, Number) == of_times for end in value):
            what = "times" if of_times else "numbers"
            raise ValueError(f"{of} holds {what}, and {value!r} is no range of {what}.")
        # Times that are written as strings are compared as times alone.
        if not any(isinstance(end, str) for end in value) and not value[0] <= value[1]:
            raise ValueError(f"{of}: the range {value!r} is empty.")
        return _Test(place, name, between=value)
    value = _plain(value)
    if np.ndim(value):
        raise ValueError(f"{of} is to be {value!r:.80}: give one value, or a range, (low, high).")
    if value is None:
        if column is None or column.missing is None:
            raise ValueError(f"{of} is to be missing, but no missing value was seen in fit.")
    elif column is None or column.kind in ("number", "time"):
        if column is None or not column.is_integer:
            raise ValueError(
                f"{of} holds real numbers or times, of which hardly any draw equals {value!r}: ask "
                "for a range, such as "
                f"conditions={{{name!r}: (low, high)}}."
            )
        _check_integer(value, column, of)
    elif column.kind == "boolean":
        if value not in (False, True):
            raise ValueError(f"{of} holds booleans, not {value!r}.")
    elif value not in column.categories:
        seen = ", ".join(map(repr, column.categories[:20]))
        raise ValueError(f"{of} is to be {value!r}, which was not seen in fit; seen: {seen}.")
    return _Test(place, name, value)


def _check_integer(value: Any, column: Column, of: str) -> None:
    if not isinstance(value, Real) or value != np.rint(float(value)):
        raise ValueError(f"{of} holds integers, not {value!r}.")
    assert column.scale is not None
    if column.scale.limit(np.array([float(value)]))[0] != value:
        raise ValueError(f"{of} is to be {value!r}, which is outside the range seen in fit.")
