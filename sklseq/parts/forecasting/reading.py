"""Series, exogenous inputs and index, read from what the user holds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklseq.base.exogenous import (
    check_exogenous_names,
    first_steps,
    forecast_layout,
    names_of,
    read_exogenous,
)
from sklseq.base.index import check_index
from sklseq.data import Sequences
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.series import Series
from sklseq.parts.forecasting.timeline import Timeline
from sklseq.parts.forecasting.transform import Scale

__all__ = [
    "Origin",
    "Reading",
    "check_dates_ahead",
    "exogenous_of",
    "read_series",
    "without_calibration",
]

Array = NDArray[Any]


class Reading(NamedTuple):
    """Series as read, in the units of the user."""

    sequences: Sequences
    series: Series
    ahead: Array
    """Exogenous inputs of steps beyond the end, ``(n_series, n_beyond, n_exogenous)``."""
    layout: str
    timeline: Timeline


class Origin(NamedTuple):
    """Where forecasts begin, and the container that they are given in."""

    memory: SeriesMemory
    ahead: Array
    layout: str
    timeline: Timeline

    def restore(self, values: Array) -> Any:
        """Forecasts ``(n_series, n_steps, n_features)`` in the container of the series."""
        if self.timeline.kind != "array":
            return self.timeline.with_steps(values)
        if self.layout == "series":
            return values[0]
        return values[:, :, 0] if self.layout == "table" else values


def read_series(
    model: Any,
    X: Any,
    exogenous: Any,
    context: Any,
    *,
    beyond: int = 0,
    fresh: bool = False,
    of: SeriesMemory | None = None,
) -> Reading:
    """Series with their exogenous inputs, those of some steps beyond their end too.

    A fresh fit learns what they look like. Those that go on from a memory have its context.

    Raises
    ------
    ValueError
        Naming the place of what is wrong.
    """
    if context is not None and not model._takes_context:
        raise ValueError(
            f"{type(model).__name__} takes no context: give what is known of each step as "
            "exogenous=."
        )
    if not beyond:
        check_index(X, True, exogenous=exogenous)
    sequences = model._read_numbers(_as_frame(X), fresh)
    if of is None:
        sequences = model._with_context(sequences, context, X, fresh)
    layout = forecast_layout(X, sequences)
    lengths = sequences.lengths
    outside = exogenous_of(model, exogenous, lengths + beyond, layout, fresh)
    inside = first_steps(lengths + beyond, lengths)
    known = sequences.context if of is None else of.context
    steps = np.asarray(sequences.steps, dtype=np.float64)
    series = Series(steps, lengths, outside[inside], known)
    ahead = outside[~inside].reshape(len(lengths), beyond, outside.shape[1])
    timeline = Timeline.of(X, None if fresh else model._timeline.freq)
    if beyond:
        check_dates_ahead(timeline, exogenous, np.full(len(lengths), beyond))
    return Reading(sequences, series, ahead, layout, timeline)


def check_dates_ahead(timeline: Timeline, exogenous: Any, n_steps: NDArray[np.int64]) -> None:
    """Refuse inputs whose last rows are not of the steps that follow series.

    Raises
    ------
    ValueError
        Naming the first time at fault, and the one that was expected.
    """
    if exogenous is not None and timeline.ends is not None:
        found = Timeline.of(exogenous, timeline.freq, "exogenous")
        timeline.check_follows(found, n_steps, "exogenous")


def exogenous_of(
    model: Any, exogenous: Any, lengths: NDArray[np.int64], layout: str, fresh: bool = False
) -> Array:
    """Stacked inputs, scaled; a fresh fit learns their number, names and scale."""
    found = read_exogenous(exogenous, lengths, layout, "float64")
    if fresh:
        model._exogenous_names = names_of(found)
        model.n_exogenous_ = found.steps.shape[1]
        model._exogenous_scale = Scale.one(found.steps, model.scaling is not None)
    elif (n_inputs := found.steps.shape[1]) != model.n_exogenous_:
        raise ValueError(
            f"exogenous has {n_inputs} inputs, but {type(model).__name__} was fitted with "
            f"{model.n_exogenous_}."
        )
    check_exogenous_names(found, model._exogenous_names)
    return model._exogenous_scale.for_series(len(lengths)).apply(found.steps, lengths)


def without_calibration(series: Series, n_held: int) -> tuple[Series, Series]:
    """Series to train on, and the last steps, which are held out.

    Raises
    ------
    ValueError
        Naming a series of which nothing is left.
    """
    left = series.lengths - n_held
    if n_held and (left < 1).any():
        i = int(np.argmin(left))
        raise ValueError(
            f"X, sequence {i} has {series.lengths[i]} steps, and calibration_steps={n_held} leaves "
            "none to train on."
        )
    return series.split(left)


def _as_frame(X: Any) -> Any:
    """A pandas Series of numbers as a DataFrame of one column."""
    is_column = hasattr(X, "iloc") and not hasattr(X, "columns")
    return X.to_frame() if is_column and X.dtype.kind in "fiub" else X
