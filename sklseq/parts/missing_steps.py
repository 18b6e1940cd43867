"""Sequences with missing values and irregular times, as a network reads them.

Steps are read with NaN, and with the time of each step as a last column where it is asked for. The
network gets numbers alone: values with the last observed one in place of a missing one, which are
observed, and how long ago each feature was (Che et al. 2018, Recurrent neural networks for
multivariate time series with missing values, section 2), and the time since the step before.
"""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import attribute, choice, estimator, param
from sklseq.base.targets import weighted_scale
from sklseq.data import Sequences, as_sequences, check_steps_in_time
from sklseq.parts.step_times import (
    frames_in,
    position_of_times,
    times_of_index,
    with_column_in_numbers,
)

__all__ = [
    "INTERVAL_ATTRIBUTES",
    "INTERVAL_STORED",
    "GapParameters",
    "check_gaps_as_fitted",
    "check_intervals",
    "has_gaps",
    "inputs_with_gaps",
    "learn_intervals",
    "n_inputs",
    "n_values",
    "read_with_gaps",
]

INTERVAL_ATTRIBUTES = {
    "interval_mean_": attribute(
        "ndarray of shape (n_intervals,)",
        "Mean over the steps of `fit`, but the first ones, of the time since each feature was last "
        "observed (with `missing='mask'`) and of the time since the step before (with "
        "`time_feature`). Absent without both.",
    ),
    "interval_scale_": attribute(
        "ndarray of shape (n_intervals,)", "Their standard deviation; 1 where it is constant."
    ),
}
INTERVAL_STORED = {
    **dict.fromkeys(INTERVAL_ATTRIBUTES, "absent or ndarray of shape (n_intervals,)"),
    "_gaps": "absent or data",
}


@estimator
class GapParameters:
    """Declarations of estimators that read sequences with gaps."""

    missing: str = param(
        "error",
        "What NaN in numeric X is: an 'error', or, with 'mask', a value that was not observed. The "
        "network then reads the last observed value of the sequence in its place, the mean before "
        "the first, and two more inputs for each feature: whether it is observed, and how long "
        "ago it was (Che et al. 2018). With target='sequence', steps at the end of a sequence "
        "without any value, whether they have a time or not, are padding, and are not read.",
        choice("error", "mask"),
    )
    time_feature: Any = param(
        None,
        "Where the times of steps stand, which then may be irregular: in the 'index' of "
        "DataFrames, or in a column of X, by name or number (-1 is the last). The network reads "
        "the time since the step before, scaled, instead of the column. Dates and durations count "
        "in seconds. None takes steps as equally spaced.",
        str,
        Integral,
        None,
    )


def has_gaps(model: Any) -> bool:
    """Whether a model reads more than the features themselves."""
    return "_gaps" in vars(model)


def check_gaps_as_fitted(model: Any) -> None:
    """Refuse parameters that were set anew since the fit."""
    known = vars(model).get("_gaps", {"missing": "error", "time_feature": None})
    for name in ("missing", "time_feature"):
        model._check_as_fitted(name, known[name])


def read_with_gaps(
    model: Any, X: Any, fresh: bool, read: Callable[[Any, bool], Sequences]
) -> Sequences:
    """X with NaN where a value is missing, and a last column of times if the model reads them.

    Parameters
    ----------
    model : SequenceEstimator
        With `GapParameters`. A fresh fit notes what they are.
    X : sequences
    fresh : bool
    read : callable
        ``read(X, allow_nan)`` validates X.

    Raises
    ------
    TypeError, ValueError
        If there are no times where they should be, or a model was fitted on others.
    """
    if fresh:
        for name in INTERVAL_STORED:
            model.__dict__.pop(name, None)
    else:
        check_gaps_as_fitted(model)
    masked, source = model.missing == "mask", model.time_feature
    if not masked and source is None:
        return _or_advice(read, X)
    if isinstance(source, bool):
        raise ValueError(
            f"time_feature={source} does not say where times stand: give 'index', or a column."
        )
    X = as_sequences(X)
    column: int | None = None
    dates = False
    in_index = source == "index" and not any("index" in f.columns for f in frames_in(X))
    if source is not None and not in_index:
        X, dates = with_column_in_numbers(X, source)
    sequences = read(X, masked)
    if sequences.symbolic:
        raise ValueError(
            f"missing={model.missing!r} and time_feature={source!r} are for numeric steps, but X "
            "holds symbols: set them to 'error' and None."
        )
    values = sequences.steps
    if in_index:
        times, dates = times_of_index(X, sequences, model._per_step)
        sequences = sequences.with_steps(np.column_stack([values, times]))
    elif source is not None:
        column = position_of_times(source, model, sequences)
        times, values = values[:, column], np.delete(values, column, axis=1)
        sequences = sequences.with_steps(np.column_stack([values, times]))
    if masked and not model._per_step and values.shape[1]:
        # Whether padding has times or not.
        sequences = _without_padding(sequences, np.isnan(values).all(axis=1))
    if source is not None:
        _check_times_of(sequences)
    gaps = {"missing": model.missing, "time_feature": source, "column": column, "dates": dates}
    if fresh:
        model._gaps = gaps
    elif dates != model._gaps["dates"]:
        kinds = ["numbers", "dates or durations"]
        raise ValueError(
            f"The times of X are {kinds[dates]}, but {type(model).__name__} was fitted on "
            f"{kinds[not dates]}: give these."
        )
    return sequences


def _or_advice(read: Callable[[Any, bool], Sequences], X: Any) -> Sequences:
    try:
        return read(X, False)
    except ValueError as error:
        if "contains NaN" not in str(error):
            raise
        raise ValueError(f"{error} Or set missing='mask': it is read as not observed.") from error


def _without_padding(sequences: Sequences, empty: NDArray[np.bool_]) -> Sequences:
    """Sequences without the empty steps at their end; of one with no other step, its first."""
    starts, row = sequences.starts, np.arange(len(empty))
    last = np.maximum.reduceat(np.where(empty, -1, row), starts)
    lengths = np.maximum(last - starts, 0) + 1
    if (lengths == sequences.lengths).all():
        return sequences
    kept = row - np.repeat(starts, sequences.lengths) < np.repeat(lengths, sequences.lengths)
    return Sequences(sequences.steps[kept], lengths, sequences.layout, sequences.feature_names)


def _check_times_of(sequences: Sequences) -> None:
    def place_of(row: int) -> str:
        sequence, step = sequences.locate(row)
        return f"X, sequence {sequence}, step {step}"

    check_steps_in_time(sequences.steps[:, -1], sequences.starts, place_of)


# -- what the network reads ----------------------------------------------------------------


def n_values(model: Any, steps: NDArray[Any]) -> int:
    """Number of columns of what was read that are values, not times."""
    timed = has_gaps(model) and model._gaps["time_feature"] is not None
    return steps.shape[1] - timed


def n_inputs(model: Any, n_columns: int) -> int:
    """Number of inputs of the network, for this number of columns of what was read."""
    if not has_gaps(model):
        return n_columns
    timed = model._gaps["time_feature"] is not None
    masked = model._gaps["missing"] == "mask"
    return (n_columns - timed) * (3 if masked else 1) + timed


def _intervals(model: Any, data: Sequences) -> NDArray[np.float64]:
    """Times since each feature was last observed, and since the step before; 0 at first steps."""
    n = n_values(model, data.steps)
    values, starts = data.steps[:, :n], data.starts
    row = np.arange(len(values))
    time = data.steps[:, n] if n < data.steps.shape[1] else row.astype(np.float64)
    columns = []
    if model._gaps["missing"] == "mask":
        seen = np.where(np.isnan(values), -1, row[:, None])
        seen[starts] = starts[
            :, None
        ]  # before the first observation it is the time since the start
        before = np.maximum.accumulate(seen, axis=0)[row - 1]
        columns.append(time[:, None] - time[before])
    if n < data.steps.shape[1]:
        columns.append((time - time[row - 1])[:, None])
    intervals = np.concatenate(columns, axis=1)
    intervals[starts] = 0
    return intervals


def learn_intervals(model: Any, data: Sequences, weights: NDArray[np.float64]) -> None:
    """Set mean and deviation of intervals; each sequence counts alike, as for features."""
    intervals = _intervals(model, data)
    if len(weights) != len(data):
        weights = np.add.reduceat(weights, data.starts) / data.lengths
    of_rows = np.repeat(weights / data.lengths, data.lengths)
    of_rows[data.starts] = 0
    model.interval_mean_, model.interval_scale_ = weighted_scale(intervals, of_rows[:, None])


def inputs_with_gaps(
    model: Any, data: Sequences, scaled: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inputs of the network, from the scaled values, with NaN, of what was read.

    They are the values without gaps, then with a mask 1 for each that is observed, and the scaled
    intervals: 0 at the first step of a sequence.
    """
    parts = [scaled]
    if model._gaps["missing"] == "mask":
        observed = ~np.isnan(scaled)
        row = np.arange(len(scaled))[:, None]
        seen = np.where(observed, row, -1)
        seen[data.starts] = data.starts[:, None]
        last = np.take_along_axis(scaled, np.maximum.accumulate(seen, axis=0), axis=0)
        parts = [np.nan_to_num(last, nan=0.0, posinf=np.inf, neginf=-np.inf), observed]
    intervals = (_intervals(model, data) - model.interval_mean_) / model.interval_scale_
    intervals[data.starts] = 0
    return np.concatenate([*parts, intervals], axis=1)


def check_intervals(model: Any, n_step_features: int) -> None:
    """Refuse stored gaps that are none, or intervals that do not suit them."""
    gaps = model._gaps
    if not isinstance(gaps, dict) or set(gaps) != {"missing", "time_feature", "column", "dates"}:
        raise ValueError("its gaps are not known.")
    column, timed = gaps["column"], gaps["time_feature"] is not None
    if column is not None and not (type(column) is int and 0 <= column < n_step_features and timed):
        raise ValueError(f"its column of times is {column!r}.")
    n = n_step_features - (column is not None)
    n_intervals = n * (gaps["missing"] == "mask") + timed
    for name in INTERVAL_ATTRIBUTES:
        if getattr(model, name, np.empty(0)).shape != (n_intervals,):
            raise ValueError(f"its intervals are {n_intervals}, which {name} does not suit.")
    if not (model.interval_scale_ > 0).all():
        raise ValueError("the scale of an interval is not above 0.")
