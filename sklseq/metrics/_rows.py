"""Tables and sequences as rows of numbers, whose distances compare them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from sklseq.data import Column, as_sequences, is_frame, is_table, kind_of, read_sequences

__all__ = ["as_rows", "as_tables", "sequence_summaries"]


def as_rows(**tables: Any) -> list[NDArray[np.float64]]:
    """Tables as rows of the same numbers, by one description, which is learned from the first.

    Numbers of arrays, and of DataFrames of floating point numbers alone, stay as they are. Of
    other DataFrames, numbers become normal scores, booleans are categories, and a category is
    one-hot. An indicator marks missing values. So the squared distance of two normal scores, of a
    number and a missing one, of two categories, and of a category and a missing one is 2, on
    average or always.

    Tables, or sequences, are given by the names that messages call them, the real one first.
    Columns that differ, or cannot be compared, are refused.
    """
    tables = dict(zip(tables, as_tables(*tables.values()), strict=True))
    first = next(iter(tables))
    if not is_frame(tables[first]):
        return _check_widths({name: _array(table, name) for name, table in tables.items()})
    frames = _as_frames(tables, first)
    for name, frame in frames.items():
        _check_names(frames[first], frame, first, name)
    in_units = all(dtype.kind == "f" for dtype in frames[first].dtypes)
    parts = [[np.empty((len(frame), 0)) for frame in frames.values()]]
    for label in frames[first].columns:
        parts.append(_column({name: frame[label] for name, frame in frames.items()}, in_units))
    return [check_array(np.column_stack(part)) for part in zip(*parts, strict=True)]


def _array(table: Any, name: str) -> NDArray[np.float64]:
    array = check_array(table, dtype=np.float64, ensure_all_finite="allow-nan")
    if (missing := np.isnan(array)).any():
        row, column = np.argwhere(missing)[0]
        raise ValueError(
            f"Column {column} of {name} is missing (NaN) at row {row}: pass DataFrames, where "
            "what is missing is compared as such, or fill it in."
        )
    return array


def _check_widths(arrays: dict[str, NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    widths = {name: array.shape[1] for name, array in arrays.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(
            "Numbers of features differ: "
            + ", ".join(f"{width} of {name}" for name, width in widths.items())
            + "."
        )
    return list(arrays.values())


def _as_frames(tables: dict[str, Any], first: str) -> dict[str, Any]:
    """Arrays, too, as DataFrames of the first one's columns."""
    import pandas as pd

    names, frames = tables[first].columns, {}
    for name, table in tables.items():
        if not is_frame(table):
            table = _array(table, name)
            if table.shape[1] == len(names):
                table = pd.DataFrame(table, columns=names)
            _check_widths({first: tables[first], name: table})
        frames[name] = table
    return frames


def _check_names(X: Any, frame: Any, first: str, name: str) -> None:
    """Refuse other columns than those of X."""
    wanted, found = X.columns, frame.columns
    for columns in (wanted, found):
        if not columns.is_unique:
            twice = columns[columns.duplicated()][0]
            raise ValueError(f"Column {twice!r} occurs twice: give each column its own name.")
    missing = [label for label in wanted if label not in found]
    extra = [label for label in found if label not in wanted]
    if missing or extra:
        raise ValueError(
            f"Columns of {first} and {name} differ: {name} lack {missing}, and only they "
            f"have {extra}."
        )
    moved = [label for label, other in zip(found, wanted, strict=True) if label != other]
    if moved:
        raise ValueError(
            f"Columns of {name} are in another order than those of {first}: {moved}. Take "
            f"{name}[{first}.columns]."
        )


def _column(series: dict[str, Any], in_units: bool) -> list[NDArray[np.float64]]:
    """One column of each table as numbers."""
    # A boolean is a category of two, so that it weighs no less than words for the same.
    every = [s.astype(object) if kind_of(s) == "boolean" else s for s in series.values()]
    known = [Column.of(s) for s in every]
    for name, column in zip(series, known, strict=True):
        if column.kind != known[0].kind:
            raise ValueError(
                f"Column {column.name!r} is a {known[0].kind} in {next(iter(series))}, but a "
                f"{column.kind} in {name}."
            )
    if in_units:
        return _in_units(every)
    # 1 and True are equal, and yet two categories.
    seen = {(isinstance(c, bool), c): c for column in known for c in column.categories}
    missing = next((column.missing for column in known if column.missing), None)
    column = replace(known[0], categories=tuple(seen.values()), missing=missing)
    values = [column.encode(s)[0] for s in every]
    if column.seen_as == "number":
        return values
    # By frequency, an order that no name decides: lines and trees are drawn at random.
    order = np.lexsort([v.sum(axis=0) for v in reversed(values)])
    return [v[:, order] for v in values]


def _in_units(every: list[Any]) -> list[NDArray[np.float64]]:
    """Numbers as they are; what is missing is as far from them as they are from each other."""
    x = [s.to_numpy(np.float64, na_value=np.nan) for s in every]
    missing = [np.isnan(values) for values in x]
    if not any(m.any() for m in missing):
        return [values[:, None] for values in x]
    there = x[0][~missing[0]]
    centre, spread = (there.mean(), there.std() or 1.0) if len(there) else (0.0, 1.0)
    return [
        np.column_stack([m * spread, np.where(m, centre, values)])
        for m, values in zip(missing, x, strict=True)
    ]


def as_tables(*inputs: Any) -> list[Any]:
    """Inputs as they are, or, if some are sequences that make no table, their summaries."""
    return (
        [sequence_summaries(X) for X in inputs] if any(map(_are_sequences, inputs)) else [*inputs]
    )


def _are_sequences(X: Any) -> bool:
    """Whether X holds sequences of several features, or of unequal length."""
    X = as_sequences(X)
    if is_table(X):
        return False
    shapes = {np.shape(row) for row in X}
    return hasattr(X, "columns") or len(shapes) > 1 or any(len(shape) > 1 for shape in shapes)


def sequence_summaries(X: Any) -> NDArray[np.float64]:
    """Sequences as rows of a table, for metrics that compare rows.

    Parameters
    ----------
    X : sequences
        ``(n_sequences, n_steps, n_features)`` array, list or object array of
        ``(n_steps, n_features)`` or ``(n_steps,)`` arrays, or DataFrame with a (sequence, time)
        MultiIndex.

    Returns
    -------
    ndarray of shape (n_sequences, 1 + 3 * n_features)
        Number of steps; of each feature the mean, the standard deviation, and the mean product of
        neighboring deviations from the mean (0 for one step).

    Raises
    ------
    ValueError
        If the steps are symbols.

    Examples
    --------
    >>> from sklseq.metrics import sequence_summaries
    >>> sequence_summaries([[1.0, 3.0], [5.0]])
    array([[ 2.,  2.,  1., -1.],
           [ 1.,  5.,  0.,  0.]])
    """
    sequences = read_sequences(X)
    if sequences.symbolic:
        raise ValueError("Sequences of symbols have no means: make numbers or tables of them.")
    rows = []
    for x in np.split(sequences.steps, sequences.starts[1:]):
        apart = x - x.mean(axis=0)
        products = (apart[1:] * apart[:-1]).sum(axis=0) / max(len(x) - 1, 1)
        rows.append(np.concatenate([[len(x)], x.mean(axis=0), x.std(axis=0), products]))
    return np.stack(rows)
