"""Warnings about categories that were probably meant to be something else."""

import warnings
from collections import Counter
from datetime import datetime
from typing import Any

from sklseq.data.tables.column import Column

__all__ = ["is_identifier", "warn_of_doubts"]

# Fewer categories are a code as likely as a measurement.
_FEW = 10
# Share of the values that is "nearly all"; fewest values by which identifiers are judged.
_MOST, _FEWEST = 0.9, 20
# One-hot numbers from which their memory is worth a word.
_LARGE = 10**8


def warn_of_doubts(column: Column, series: Any) -> None:
    """Warn of a column of categories that look like numbers, dates or identifiers.

    Warns
    -----
    UserWarning
        Naming the column and what to do.
    """
    if column.kind != "category" or len(column.categories) <= _FEW:
        return
    categories, is_declared = column.categories, column.declared is not None
    for what, how, reads in () if is_declared else _TYPES:
        n_read = sum(reads(value) for value in categories)
        if n_read >= _MOST * len(categories):
            rest = "" if n_read == len(categories) else "nearly all of "
            warnings.warn(
                f"Column {column.name!r} has dtype {column.dtype}, and {rest}its "
                f"{len(categories)} values are {what}: they are read as categories without an "
                f"order. Turn them into {what} first, for example by {how}, or into the dtype "
                "'category' if categories are meant.",
                UserWarning,
                stacklevel=2,
            )
            return
    if is_identifier(series):
        warnings.warn(
            f"Column {column.name!r} has {len(categories)} categories in {len(series)} rows, most "
            "of which occur once, as identifiers do: nothing can be learned of these. Leave the "
            "column out, or join rare values into one.",
            UserWarning,
            stacklevel=2,
        )
    elif len(categories) * len(series) > _LARGE:
        warnings.warn(
            f"Column {column.name!r} has {len(categories)} categories in {len(series)} rows, which "
            f"take {8e-9 * len(categories) * len(series):.0f} GB as one-hot: join rare values into "
            "one.",
            UserWarning,
            stacklevel=2,
        )


def is_identifier(series: Any) -> bool:
    """Whether most values of a column of categories occur once."""
    counts = Counter(series[~series.isna().to_numpy()].tolist())
    once = sum(n == 1 for n in counts.values())
    return counts.total() >= _FEWEST and 2 * once > counts.total()


def _is_numeral(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


_TYPES = (
    ("numbers", "pd.to_numeric", _is_numeral),
    ("dates", "pd.to_datetime", _is_date),
)
