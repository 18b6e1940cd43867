"""Any regressor of tables as a forecaster, by sliding windows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from sklseq._compat.sklearn import HasMethods
from sklseq.base import attribute, choice, estimator, integer, param
from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.series import ModelState, Series

__all__ = ["WindowRegressor"]

Array = NDArray[Any]
_N_ROWS = 256


@estimator
class WindowRegressor(Forecaster):
    """Forecast by a regressor that sees the last steps of a series as a row of a table.

    The windows of all series are the rows of one table, and what follows each is the target: one
    model for all series. A row has the last `n_lags` steps, newest first, and the exogenous inputs
    of the step to be predicted. A series shorter than a window is continued backward by its first
    value.

    References
    ----------
    .. [1] Bontempi, Ben Taieb and Le Borgne (2013). "Machine learning strategies for time series
       forecasting". Business Intelligence, LNBIP 138.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from sklseq.forecasting import WindowRegressor
    >>> X = np.sin(0.5 * np.arange(200))[:, None]
    >>> model = WindowRegressor(KNeighborsRegressor(3), n_lags=6).fit(X[:180])
    >>> bool(np.abs(model.forecast(20) - X[180:]).max() < 0.15)
    True
    """

    estimator: Any = param(
        None,
        "A regressor of tables; None is `Ridge()`. It is cloned, not changed. One that predicts a "
        "single value has a copy for each feature.",
        HasMethods(["fit", "predict"]),
        None,
        positional=True,
    )
    n_lags: int | None = param(
        None,
        "Steps of a window. None takes a season and a half, at least 8, and at most half of the "
        "longest series.",
        integer(1),
        None,
    )
    strategy: str = param(
        "recursive",
        "How later steps are forecast: 'recursive' puts forecasts into the window, as if they had "
        "come; 'direct' has a regressor for each step ahead, up to `horizon`, which sees the last "
        "values themselves. Sampled paths are recursive, by the regressor of one step.",
        choice("recursive", "direct"),
    )
    horizon: int | None = param(
        None, "The most steps ahead with ``strategy='direct'``, which needs it.", integer(1), None
    )

    _attributes = {
        "estimators_": attribute(
            "list of estimator", "The fitted regressors: one, or that of each step ahead."
        ),
        "n_lags_": attribute("int", "Steps of a window."),
    }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")

    def _train(self, series: Series, fresh: bool) -> None:
        direct = self.strategy == "direct"
        if direct and self.horizon is None:
            raise ValueError("strategy='direct' needs the horizon: the most steps to forecast.")
        if series.lengths.max() < 2:
            raise ValueError(
                "Every series has one step (n_samples = 1 of one series, n_features = 1 of a "
                "table): there is no next step to learn from. For one series of many steps in a "
                "table set target='step'."
            )
        if self.n_lags is None:
            season, most = self.season_length_, max(int(series.lengths.max()) // 2, 1)
            self.n_lags_ = min(max(season + -(-season // 2), 8), most)
        else:
            self.n_lags_ = int(self.n_lags)
        windows = self._windows(None, series)
        within = np.concatenate([np.arange(n) for n in series.lengths])
        regressor = Ridge() if self.estimator is None else self.estimator
        if series.steps.shape[1] > 1 and not get_tags(regressor).target_tags.multi_output:
            regressor = MultiOutputRegressor(regressor)
        self.estimators_ = []
        for ahead in range(self.horizon or 1 if direct else 1):
            # The window before a step, and what comes `ahead` steps later.
            rows = np.flatnonzero(within >= self.n_lags_ + ahead)
            if not len(rows):
                raise ValueError(
                    f"The longest series of X has {series.lengths.max()} steps to learn from, but "
                    f"n_lags={self.n_lags_} steps and the {ahead + 1} to be predicted are "
                    f"{self.n_lags_ + ahead + 1}: set fewer n_lags, or a shorter horizon."
                )
            table = np.hstack([windows[rows - ahead], series.exogenous[rows]])
            target = series.steps[rows]
            target = target[:, 0] if target.shape[1] == 1 else target
            self.estimators_.append(clone(regressor).fit(table, target))

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        windows = self._windows(state, series)
        predicted = self._predicted(0, windows, series.exogenous)
        if state is None:
            predicted = predicted[~first_steps(series.lengths, 1)]
        # The window after the last step.
        n, d = len(series), series.steps.shape[1]
        last = windows[np.cumsum(series.lengths) - 1].reshape(n, self.n_lags_, d)
        window = np.concatenate([series.last[:, None], last[:, :-1]], axis=1)
        return {"window": window}, predicted

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        window = state["window"]
        direct = self.strategy == "direct" and disturb is None
        if direct and n_steps > len(self.estimators_):
            raise ValueError(
                f"n_steps={n_steps} is more than horizon={self.horizon} of strategy='direct': fit "
                "with a longer horizon, or with strategy='recursive'."
            )
        found = np.empty((len(window), n_steps, window.shape[2]))
        for step in range(n_steps):
            table = window.reshape(len(window), -1)
            found[:, step] = self._predicted(step if direct else 0, table, exogenous[:, step])
            if not direct:
                if disturb is not None:
                    found[:, step] = disturb(step, found[:, step])
                window = np.concatenate([found[:, step, None], window[:, :-1]], axis=1)
        return found

    def _predicted(self, ahead: int, windows: Array, exogenous: Array) -> Array:
        table = np.hstack([windows, exogenous])
        # Tables of one shape, so that a row gets the same bits in any company.
        padded = np.concatenate([table, np.repeat(table[:1], -len(table) % _N_ROWS, axis=0)])
        model = self.estimators_[ahead]
        parts = [model.predict(padded[i : i + _N_ROWS]) for i in range(0, len(padded), _N_ROWS)]
        found = np.concatenate(parts)[: len(table)]
        return found.astype(np.float64, copy=False).reshape(len(table), -1)

    def _windows(self, state: ModelState | None, series: Series) -> Array:
        """What is known before each step: (sum of lengths, n_lags * n_features), newest first."""
        n, d = len(series), series.steps.shape[1]
        if state is None:
            first = series.steps[np.cumsum(series.lengths) - series.lengths]
            before = np.repeat(first[:, None], self.n_lags_, axis=1)
        else:
            before = state["window"][:, ::-1]
        early = first_steps(series.lengths + self.n_lags_, self.n_lags_)
        steps = np.empty((len(early), d))
        steps[early], steps[~early] = before.reshape(n * self.n_lags_, d), series.steps
        lags = np.arange(1, self.n_lags_ + 1)
        return steps[np.flatnonzero(~early)[:, None] - lags].reshape(len(series.steps), -1)
