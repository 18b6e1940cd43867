"""A forecaster of transformed values."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklseq._compat.sklearn import HasMethods
from sklseq.base import attribute, estimator, other_default, param
from sklseq.base.exogenous import first_steps
from sklseq.forecasting._nested import Nested, fit_nested
from sklseq.forecasting._theta import ThetaForecaster
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.series import ModelState, Series

__all__ = ["TransformedForecaster"]

Array = NDArray[Any]


@estimator
class TransformedForecaster(Forecaster):
    """Forecast transformed values, and transform the forecasts back.

    What :class:`~sklearn.compose.TransformedTargetRegressor` is to regressors. The transformer is
    fitted on the steps of all series as the rows of one table. Forecasts of logarithms are medians,
    not means, of the values.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sklseq.forecasting import ThetaForecaster, TransformedForecaster
    >>> X = 1.1 ** np.arange(30.0)[:, None]
    >>> logarithm = FunctionTransformer(np.log, np.exp)
    >>> forecast = TransformedForecaster(ThetaForecaster(), logarithm).fit(X[:25]).forecast(5)
    >>> bool(np.abs(forecast / X[25:] - 1).max() < 0.01)
    True
    """

    # The forecaster inside has a scale of its own.
    scaling: str | None = other_default(Forecaster, "scaling", None)
    forecaster: Any = param(
        None,
        "A forecaster, cloned in `fit`; None is `ThetaForecaster()`. With ``season_length='auto'`` "
        "it gets that of this one.",
        HasMethods(["fit", "forecast"]),
        None,
        positional=True,
    )
    transformer: Any = param(
        None,
        "A transformer of tables that can be undone, cloned in `fit`; None is `StandardScaler()`.",
        HasMethods(["fit", "transform", "inverse_transform"]),
        None,
        positional=True,
    )

    _attributes = {
        "forecaster_": attribute("estimator", "The fitted forecaster."),
        "transformer_": attribute("estimator", "The fitted transformer."),
    }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "forecaster_")

    def _train(self, series: Series, fresh: bool) -> None:
        transformer = StandardScaler() if self.transformer is None else clone(self.transformer)
        self.transformer_ = transformer.fit(series.steps)
        forecaster = cast(Any, ThetaForecaster)() if self.forecaster is None else self.forecaster
        self.forecaster_ = fit_nested(forecaster, self._transformed(series), self.season_length_)

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        after, found = self._nested().advance(state, self._transformed(series))
        if state is not None:
            return after, self._undone(found)
        late = ~first_steps(series.lengths, 1)
        # Before the forecaster has a difference, it repeats the last step.
        predicted, known = series.steps[np.flatnonzero(late) - 1], ~np.isnan(found[late, 0])
        if known.any():
            predicted[known] = self._undone(found[late][known])
        return after, predicted

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        nested = self._nested()
        if disturb is None:
            found = nested.forecast(state, n_steps, exogenous)
            undone = self._undone(found.reshape(-1, found.shape[2]))
            return undone.reshape(len(found), n_steps, -1)
        steps = []
        for step in range(n_steps):
            inputs = exogenous[:, step : step + 1]
            values = disturb(step, self._undone(nested.forecast(state, 1, inputs)[:, 0]))
            steps.append(values)
            read = Series(values, np.ones(len(values), np.int64), inputs[:, 0])
            state, _ = nested.advance(state, self._transformed(read))
        return np.stack(steps, axis=1)

    def _nested(self) -> Nested:
        return Nested(self.forecaster_, "")

    def _transformed(self, series: Series) -> Series:
        values = np.asarray(self.transformer_.transform(series.steps), dtype=np.float64)
        return series.with_steps(values)

    def _undone(self, values: Array) -> Array:
        return np.asarray(self.transformer_.inverse_transform(values), dtype=np.float64)
