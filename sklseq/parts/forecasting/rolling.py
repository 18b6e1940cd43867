"""Where forecasts begin, and how a forecaster moves on to the end of further steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.intervals import RollingOrigins
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.reading import (
    Origin,
    Reading,
    check_dates_ahead,
    exogenous_of,
    read_series,
)
from sklseq.parts.forecasting.series import Series
from sklseq.parts.forecasting.timeline import Timeline

__all__ = ["followed", "last_steps", "moved", "one_step_ahead", "origin_of"]

Array = NDArray[Any]


def origin_of(model: Any, n_steps: int, X: Any, exogenous: Any, context: Any) -> Origin:
    """Where forecasts begin."""
    check_is_fitted(model)
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        raise ValueError(f"n_steps={n_steps!r}: it must be an int of at least 1.")
    if X is not None:
        read = read_series(model, X, exogenous, context, beyond=int(n_steps))
        model._view.check_lengths(read.series.lengths)
        memory = model._view.memory(read.series)
        state, _ = model._advance(None, model._view.seen(read.series, memory))
        return Origin(memory.at(state), read.ahead, read.layout, read.timeline)
    if context is not None:
        raise ValueError("context belongs to X: that of the series of fit is known.")
    lengths = np.full(len(model._memory), n_steps)
    check_dates_ahead(model._timeline, exogenous, lengths)
    ahead = exogenous_of(model, exogenous, lengths, model._layout)
    ahead = ahead.reshape(len(lengths), n_steps, model.n_exogenous_)
    return Origin(model._memory, ahead, model._layout, model._timeline)


def one_step_ahead(model: Any, read: Reading) -> Array:
    """Predictions of the step after each, stacked; NaN where there is no difference."""
    raw, view = read.series, model._view
    view.check_lengths(raw.lengths)
    memory = view.memory(raw)
    state, predicted = model._advance(None, view.seen(raw, memory))
    found = np.full_like(raw.steps, np.nan)
    ends = np.cumsum(raw.lengths) - 1
    inner = ~first_steps(raw.lengths, view.differences.n_lost)
    inner[ends] = False
    found[inner] = view.one_step(predicted, raw, memory)
    found[ends] = model._forecast_from(memory.at(state), 1, read.ahead)[:, 0]
    return found


def last_steps(model: Any, read: Reading) -> tuple[Array, Array, NDArray[np.int64]]:
    """All steps that have a prediction, these predictions, and the number of steps seen."""
    raw, view = read.series, model._view
    view.check_lengths(raw.lengths)
    memory = view.memory(raw)
    _, predicted = model._advance(None, view.seen(raw, memory))
    n_lost = view.differences.n_lost
    came = raw.steps[~first_steps(raw.lengths, n_lost + 1)]
    return came, view.one_step(predicted, raw, memory), raw.lengths - n_lost


def followed(
    model: Any, X: Any, exogenous: Any
) -> tuple[SeriesMemory, RollingOrigins | None, Timeline]:
    """Memory, errors and index of a fitted forecaster at the end of further steps.

    Raises
    ------
    ValueError
        If they do not follow.
    """
    read = read_series(model, X, exogenous, None, of=model._memory)
    lengths = read.series.lengths
    if len(lengths) != len(model._memory):
        raise ValueError(
            f"X has {len(lengths)} series, but {type(model).__name__} goes on from "
            f"{len(model._memory)}: give the steps that follow of each."
        )
    model._timeline.check_follows(read.timeline, lengths, "X")
    check_dates_ahead(model._timeline, exogenous, lengths)
    memory, origins = moved(model, model._memory, model._origins, read.series)
    return memory, origins, model._timeline.moved(read.timeline, lengths)


def moved(
    model: Any, memory: SeriesMemory, origins: RollingOrigins | None, series: Series
) -> tuple[SeriesMemory, RollingOrigins | None]:
    """Memory, and errors of forecasts, at the end of further steps of the series.

    A forecast is made before each of the last steps, as many as errors are remembered of. What
    comes before, series may have different numbers of.

    Parameters
    ----------
    model : Forecaster
    memory : SeriesMemory
    origins : RollingOrigins or None
        None where errors are not asked for.
    series : Series
        In the units of the user; at least one step of each series.
    """
    n_late = min(origins.n_origins, int(series.lengths.min())) if origins is not None else 0
    early, late = series.split(series.lengths - n_late)
    some = np.flatnonzero(early.lengths)
    if len(some):
        memory = memory.put(some, _after(model, memory.take(some), early.take(some)))
    if origins is None:
        return memory, None
    n, n_inputs = origins.n_origins, series.exogenous.shape[1]
    # Steps that are not there yet will be compared later, if their inputs need not be known.
    reach = np.arange(n_late, 0, -1) if n_inputs else np.full(n_late, n)
    forecasts = np.zeros((len(series), n_late, n, series.steps.shape[1]))
    for t in range(n_late):
        _, rest = late.split(t)
        ahead = rest.exogenous.reshape(len(rest), n_late - t, n_inputs)
        if not n_inputs:
            ahead = np.empty((len(rest), n, 0))
        forecasts[:, t, : reach[t]] = model._forecast_from(memory, int(reach[t]), ahead)
        memory = _after(model, memory, rest.split(1)[0])
    values: NDArray[Any] = late.steps.reshape(len(late), n_late, late.steps.shape[1])
    return memory, origins.followed_by(forecasts, reach, values)


def _after(model: Any, memory: SeriesMemory, series: Series) -> SeriesMemory:
    """Memory at the end of further steps."""
    state, _ = model._advance(memory.state, model._view.seen_after(memory, series))
    return memory.after(series).at(state)
