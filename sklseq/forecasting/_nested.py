"""Forecasters inside others: fitted on the same series, and moved on with them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.forecaster import Forecaster
from sklseq.parts.forecasting.memory import SeriesMemory
from sklseq.parts.forecasting.series import ModelState, Series
from sklseq.parts.forecasting.transform import Scale

__all__ = ["Nested", "fit_nested"]

Array = NDArray[Any]


def fit_nested(forecaster: Any, series: Series, season_length: int) -> Forecaster:
    """A clone of a forecaster, fitted on series in the units of the user."""
    model: Forecaster = clone(forecaster)
    model.set_params(target="step", calibration_steps=None)
    if model.season_length == "auto":
        model.set_params(season_length=season_length)
    ends = np.cumsum(series.lengths)[:-1]
    outside = np.split(series.exogenous, ends) if series.exogenous.shape[1] else None
    return model.fit(np.split(series.steps, ends), exogenous=outside)


class Nested(NamedTuple):
    """A fitted forecaster, whose memory of series lies in the state of another.

    Parameters
    ----------
    model : Forecaster
    prefix : str
        Of the names of its arrays in the state.
    """

    model: Forecaster
    prefix: str

    def advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        """Read further steps; predictions of all of them, NaN where there is none."""
        model, view = self.model, self.model._view
        series = self._with_inputs(series)
        if state is None:
            memory = view.memory(series)
            seen = view.seen(series, memory)
            after, found = model._advance(None, seen)
            predicted = np.full_like(series.steps, np.nan)
            late = ~first_steps(series.lengths, view.differences.n_lost + 1)
            predicted[late] = view.one_step(found, series, memory)
        else:
            memory = self._memory(state)
            after, found = model._advance(memory.state, view.seen_after(memory, series))
            predicted = memory.scale.undo(found, series.lengths)
            if view.differences.n_lost:
                before = memory.before(series)
                predicted += view.differences.carried(before.steps, before.lengths)
            memory = memory.after(series)
        return self._state(memory.at(after)), predicted

    def forecast(self, state: ModelState, n_steps: int, exogenous: Array) -> Array:
        """Forecasts from a state on."""
        scale = self.model._exogenous_scale
        inputs = (exogenous - scale.mean[0]) / scale.divisor[0]
        return self.model._forecast_from(self._memory(state), n_steps, inputs)

    def _with_inputs(self, series: Series) -> Series:
        scale = self.model._exogenous_scale.for_series(len(series))
        inputs = scale.apply(series.exogenous, series.lengths)
        return Series(series.steps, series.lengths, inputs)

    def _state(self, memory: SeriesMemory) -> ModelState:
        parts = {"mean": memory.scale.mean, "divisor": memory.scale.divisor}
        parts |= {"tail": memory.tail, "spread": memory.spread}
        parts |= {f"state.{name}": values for name, values in memory.state.items()}
        return {self.prefix + name: np.asarray(values) for name, values in parts.items()}

    def _memory(self, state: ModelState) -> SeriesMemory:
        n = len(self.prefix)
        parts = {key[n:]: values for key, values in state.items() if key.startswith(self.prefix)}
        inner = {key[6:]: values for key, values in parts.items() if key.startswith("state.")}
        scale = Scale(parts["mean"], parts["divisor"])
        return SeriesMemory(scale, parts["tail"], parts["spread"], None, inner)
