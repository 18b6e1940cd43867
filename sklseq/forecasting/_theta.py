"""The theta method, which trusts a trend in part."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import choice, estimator, other_default, param, real
from sklseq.base.exogenous import first_steps
from sklseq.forecasting._seasonal_indices import SeasonalIndices
from sklseq.forecasting._theta_model import ThetaFilter
from sklseq.forecasting._theta_states import ThetaStates
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.reading import Origin
from sklseq.parts.forecasting.series import ModelState, Series

__all__ = ["ThetaForecaster"]

Array = NDArray[Any]


@estimator
class ThetaForecaster(Forecaster):
    """Forecast each series by the dynamic optimized theta model.

    The seasonally adjusted series is forecast by exponential smoothing plus a part of its linear
    trend: ``1 - 1 / theta`` of it. Of each series, smoothing and theta are those of the least
    squared errors one step ahead. The indices of the season are shrunk toward none, as far as
    they are uncertain [3]_, in place of the test of [1]_; series of no more than two seasons have
    none. Features are forecast each by itself. Exogenous inputs are not used.

    There is nothing to learn for all series together: what is estimated of a series comes from
    its own steps before each forecast, those of `update` and of X in `forecast` and `predict` too.

    References
    ----------
    .. [1] Assimakopoulos and Nikolopoulos (2000). "The theta model: a decomposition approach to
       forecasting". International Journal of Forecasting 16.
    .. [2] Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler (2016). "Models for optimising the
       theta method and their relationship to state space models". International Journal of
       Forecasting 32.
    .. [3] Miller and Williams (2003). "Shrinkage estimators of time series seasonal factors and
       their effect on forecasting accuracy". International Journal of Forecasting 19.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.forecasting import ThetaForecaster
    >>> months = np.arange(60)
    >>> X = ((10 + 0.1 * months) * (1 + 0.3 * np.sin(np.pi / 6 * months)))[:, None]
    >>> forecast = ThetaForecaster(season_length=12).fit(X[:48]).forecast(12)
    >>> bool(np.abs(forecast / X[48:] - 1).max() < 0.02)
    True
    """

    # Seasons that multiply need values as they are.
    scaling: str | None = other_default(Forecaster, "scaling", None)
    theta: float | None = param(
        None,
        "Curvature of the second theta line: 1 has no trend, 2 half of it, infinity all. None "
        "chooses it for each series.",
        real(1),
        None,
    )
    seasonal: str | None = param(
        "auto",
        "How the season goes with the level of a series: 'auto' multiplies while all of its values "
        "are positive, and is 'additive' elsewhere; None has no season.",
        choice("auto", "additive"),
        None,
    )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_memory")

    def _train(self, series: Series, fresh: bool) -> None:
        pass

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        n, d, lengths = len(series), series.steps.shape[1], series.lengths
        fresh, most = state is None, int(series.lengths.max())
        if state is None:
            states = ThetaStates.new(n * d, self.season_length_ if self.seasonal else 1)
        else:
            states = states_of(state)
        found = np.zeros((n, most + 1, d))
        found[:, 0] = states.ahead(self.theta).next().reshape(n, d)
        within = np.arange(most) < lengths[:, None]
        values = np.zeros((n, most, d))
        values[within] = series.steps
        rows = values.transpose(0, 2, 1).reshape(n * d, most)
        additive = self.seasonal == "additive"
        after = states.read(rows, np.repeat(lengths, d), self.theta, additive)
        found[:, 1:] = after.reshape(n, d, most).transpose(0, 2, 1)
        predicted = found[:, :-1][within]
        if fresh:
            predicted = predicted[~first_steps(lengths, 1)]
        return state_of(states, d), predicted

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        ahead = states_of(state).ahead(self.theta)
        found = np.empty((len(exogenous), n_steps, state["count"].shape[1]))
        for step in range(n_steps):
            values = ahead.next().reshape(found[:, 0].shape)
            found[:, step] = values if disturb is None else disturb(step, values)
            ahead.read(found[:, step].ravel())
        return found

    def _paths(self, origin: Origin, n_steps: int, n_samples: int, seed: Any) -> Array:
        # What was read is not read again: paths need no copies of it.
        memory = origin.memory
        state = memory.state | {"history": memory.state["history"][..., :0]}
        return super()._paths(origin._replace(memory=memory.at(state)), n_steps, n_samples, seed)


def state_of(states: ThetaStates, n_features: int) -> ModelState:
    """As arrays ``(n_series, n_features, ...)``."""
    parts = {"history": states.history} | vars(states.indices) | vars(states.filters)
    n = len(states.history) // n_features
    return {
        name: values.reshape(n, n_features, *values.shape[1:]) for name, values in parts.items()
    }


def states_of(state: ModelState) -> ThetaStates:
    """From arrays ``(n_series, n_features, ...)``, which are left as they are."""
    n_rows = state["count"].size
    parts = {n: values.reshape(n_rows, *values.shape[2:]).copy() for n, values in state.items()}
    history = parts.pop("history")
    indices = SeasonalIndices(parts.pop("factors"), parts.pop("terms"))
    return ThetaStates(history, indices, ThetaFilter(**parts))
