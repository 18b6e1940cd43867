"""What a forecaster is trained on, and what it learns beside its model."""

from typing import Any, NamedTuple

import numpy as np

from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.intervals import RollingOrigins
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.reading import read_series, without_calibration
from sklseq.parts.forecasting.rolling import moved
from sklseq.parts.forecasting.series import Series
from sklseq.parts.forecasting.timeline import season_of
from sklseq.parts.forecasting.transform import Differences
from sklseq.parts.forecasting.view import View

__all__ = ["Training", "begin", "complete"]

# So many errors of single steps are kept, from which sampled paths draw.
_KEPT_ERRORS = 1000


class Training(NamedTuple):
    """What a forecaster is trained on."""

    series: Series
    """As the model sees it: differenced and scaled."""
    raw: Series
    """In the units of the user."""
    held_out: Series
    """The last steps, from which intervals get their errors."""
    memory: SeriesMemory
    """Without the state of the model, which is not there before training."""

    def __len__(self) -> int:
        return len(self.series)


def begin(model: Any, X: Any, exogenous: Any, context: Any, fresh: bool) -> Training:
    """Read series, and set how the model sees them."""
    read = read_series(model, X, exogenous, context, fresh=fresh)
    raw, held_out = without_calibration(read.series, model.calibration_steps or 0)
    model._layout, model._timeline = read.layout, read.timeline
    if fresh:
        auto = model.season_length == "auto"
        season = season_of(read.timeline) if auto else int(model.season_length)
        differences = Differences.of(model.differences, model.seasonal_differences, season)
        View(differences, None, season).check_lengths(raw.lengths)
        model._view = View.of(raw, differences, model.scaling, season)
        model.season_length_ = season
    model._view.check_lengths(raw.lengths)
    memory = model._view.memory(raw)
    return Training(model._view.seen(raw, memory), raw, held_out, memory)


def complete(model: Any, training: Training) -> None:
    """Learn what is left once the model is trained: where it is, and errors of its steps."""
    series, n_held = training.series, model.calibration_steps
    state, predicted = model._advance(None, series)
    errors = series.steps[~first_steps(series.lengths, 1)] - predicted
    # Those of series in large units are not for series in small ones.
    size = training.memory.spread / training.memory.scale.divisor
    errors /= np.repeat(size, series.lengths - 1, axis=0)
    if not len(errors):
        errors = np.zeros_like(series.steps[:1])
    spread = np.linspace(0, len(errors) - 1, min(len(errors), _KEPT_ERRORS))
    model._step_errors = errors[spread.astype(np.int64)]
    model._memory, model._origins = training.memory.at(state), None
    if n_held is not None:
        origins = RollingOrigins.empty(len(series), n_held, series.steps.shape[1])
        model._memory, model._origins = moved(model, model._memory, origins, training.held_out)
