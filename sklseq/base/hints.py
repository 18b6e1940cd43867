"""Warnings where X or y is probably not what it is read as, and the way out."""

import re
import warnings
from typing import Any

import numpy as np

from sklseq.data import Sequences, as_array, holds_prose, number_hint

__all__ = [
    "hint_at_channels_first",
    "hint_at_numeric_symbols",
    "hint_at_prose",
    "hint_at_steps_as_sequences",
    "refuse_data_as_y",
    "refuse_exogenous_as_y",
    "warn_of_ignored",
]

_NUMBERED = re.compile(r"(\D*?)[-+]?\d+(?:\.\d+)?(\D*)")


def hint_at_steps_as_sequences(X: Any, has_step_target: bool) -> None:
    """Warn where rows of a DataFrame, each read as one sequence, are probably steps of one.

    That is where its columns have names of their own, as features have, rather than those of
    points in time (numbers, or t0, t1 and so on), or where its index is one of times.
    """
    if not hasattr(X, "columns"):
        return
    kind = getattr(getattr(X, "index", None), "inferred_type", None)
    if kind in ("datetime64", "timedelta64", "period"):
        what = "its index holds times"
    elif not _are_points(list(X.columns)):
        what = f"its columns have names of their own, such as {X.columns[0]!r}"
    else:
        return
    alone = "give a list of it, [X]"
    if not hasattr(X, "index"):
        alone += ', and for many series X.partition_by("id", include_key=False)'
    warnings.warn(
        f"Each row of a DataFrame is read as one univariate sequence, but {what}. If its rows are "
        f"the steps of one series and its columns features, "
        f"{'set target=' + repr('step') + ', or ' if has_step_target else ''}{alone}.",
        UserWarning,
        stacklevel=2,
    )


def _are_points(names: list[Any]) -> bool:
    """Whether columns are named as points in time are: by numbers, dates, or numbered alike."""
    texts = [name for name in names if isinstance(name, str)]
    if len(texts) < len(names) or len(set(texts)) < len(texts):
        return True
    if not any(re.search("[A-Za-z]", text) for text in texts):
        return True  # numbers or dates
    parts = [_NUMBERED.fullmatch(text) for text in texts]
    return None not in parts and len({part.groups() for part in parts if part}) == 1


def hint_at_channels_first(sequences: Sequences) -> None:
    """Warn where an array (n_sequences, 1, n_features) has one step a sequence."""
    if sequences.layout == "dense" and sequences.lengths[0] == 1 < sequences.steps.shape[1]:
        warnings.warn(
            f"X of shape {(len(sequences), 1, sequences.steps.shape[1])} holds sequences of one "
            "step. If its second axis is a channel and its last one time, give "
            "X.transpose(0, 2, 1).",
            UserWarning,
            stacklevel=2,
        )


def hint_at_prose(X: Any) -> None:
    """Warn where strings of words are read as sequences of characters."""
    if holds_prose(X):
        warnings.warn(
            "A string in X is read as the sequence of its characters, but most hold spaces: set "
            "tokenizer='word', or a callable such as str.split, to read words; tokenizer='char' "
            "if characters are meant.",
            UserWarning,
            stacklevel=2,
        )


def hint_at_numeric_symbols(symbols: list[Any]) -> None:
    """Warn where the symbols of X are numbers, not all whole, that are written as strings."""
    strings = [symbol for symbol in symbols if isinstance(symbol, str)]
    if any("." in text for text in strings) and (hint := number_hint(symbols)):
        warnings.warn(
            f"X holds strings, such as {next(t for t in strings if '.' in t)!r}, which are read as "
            f"symbols without an order.{hint}",
            UserWarning,
            stacklevel=2,
        )


def refuse_data_as_y(y: Any, per_step: bool, name: str, remedy: str) -> None:
    """Refuse data in the place of a y that is not used; targets of what comes after may be there.

    Raises
    ------
    ValueError
        If y holds a sequence for each sequence of X.
    """
    if y is None or per_step:
        return
    parts = [] if hasattr(y, "columns") or not hasattr(y, "__iter__") else list(y)[:2]
    if any(np.ndim(part) > 1 for part in parts):
        raise ValueError(
            f"{name} does not use y, but the second argument holds sequences, not a target for "
            f"each: {remedy}"
        )


def refuse_exogenous_as_y(y: Any, name: str) -> None:
    """Refuse inputs in the place of a y that is not used; labels of what comes after may be there.

    Raises
    ------
    ValueError
        If y has several columns, holds sequences, or numbers that are no labels.
    """
    if y is None:
        return
    try:
        values = as_array(y)
    except ValueError:  # sequences of several lengths
        values = np.empty((0, 0, 0))
    if values.dtype == object and values.ndim == 1:
        is_data = any(np.ndim(value) > 0 for value in values)
    elif values.dtype.kind == "f" and values.ndim == 1:
        is_data = bool((values % 1 > 0).any())
    else:
        is_data = values.ndim > 1 and values.shape[1:] != (1,)
    if is_data or hasattr(y, "columns"):
        raise ValueError(
            f"{name} does not use y, but the second argument holds data: series that are known "
            "from outside go by their name, exogenous=."
        )


def warn_of_ignored(y: Any, X: Any, instead: str, *, only_like_X: bool = False) -> None:
    """Warn where a y that is not used looks like data, not like labels or targets of rows.

    Pipelines hand labels and targets to every step, so that these are ignored in silence.

    Parameters
    ----------
    y, X : object
        As the user gave them.
    instead : str
        What would use such data; ends the warning.
    only_like_X : bool, default=False
        Whether several numbers for each row may be targets of a later step, unless they have the
        shape of X.

    Warns
    -----
    UserWarning
        If y has another number of rows than X, or several real numbers for each row.
    """
    if y is None or y is X or not hasattr(X, "__len__") or not hasattr(y, "__len__"):
        return
    is_panel = getattr(getattr(X, "index", None), "nlevels", 1) > 1
    shapes = (v.shape if hasattr(v, "shape") else (len(v),) for v in (y, X))
    shape, of_X = map(tuple[Any, ...], shapes)
    what = ""
    if shape and of_X and not is_panel and shape[0] != of_X[0]:
        what = f"has {shape[0]} rows where X has {of_X[0]}"
    elif len(shape) > 1 and shape[1] > 1 and (shape == of_X or not only_like_X) and _are_real(y):
        what = f"has shape {shape}, like data"
    if what:
        warnings.warn(f"y is not used, but {what}: {instead}.", UserWarning, stacklevel=4)


def _are_real(y: Any) -> bool:
    """Whether y holds numbers that are not all whole, as indicators and classes are."""
    try:
        values = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return bool(np.any(values != np.rint(values)))
