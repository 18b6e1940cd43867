"""Warnings about categories that were probably meant to be something else."""

import warnings
from collections import Counter
from datetime import datetime
from typing import Any

from sklseq.data.tables.column import Column

__all__ = ["warn_of_doubts"]

# Fewer categories are a code as likely as a measurement.
_FEW = 10
# Share of the values that is "nearly all"; fewest values by which identifiers are judged.
_MOST, _FEWEST = 0.9, 20


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
    counts = Counter(series[~series.isna().to_numpy()].tolist())
    once = sum(n == 1 for n in counts.values())
    if counts.total() >= _FEWEST and 2 * once > counts.total():
        warnings.warn(
            f"Column {column.name!r} has {len(counts)} categories in {counts.total()} rows, and "
            f"{once} of them occur once, as identifiers do: nothing can be learned of these, and "
            "each costs weights of the network. Leave the column out, or join rare values into "
            "one.",
            UserWarning,
            stacklevel=2,
        )


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
