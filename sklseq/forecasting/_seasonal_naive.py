"""The forecast that every other one has to beat."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklseq.base import estimator
from sklseq.base.exogenous import first_steps
from sklseq.parts.forecasting.forecaster import Disturbance, Forecaster
from sklseq.parts.forecasting.series import ModelState, Series

__all__ = ["SeasonalNaive"]

Array = NDArray[Any]


@estimator
class SeasonalNaive(Forecaster):
    """Forecast the value of the same step of the last season.

    Without a season it is the last value. Exogenous inputs are not used. A series shorter than a
    season repeats its last value.

    References
    ----------
    .. [1] Hyndman and Athanasopoulos (2021). "Forecasting: principles and practice", section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.forecasting import SeasonalNaive
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    >>> SeasonalNaive(season_length=3).fit(X).forecast(4).ravel()
    array([4., 5., 6., 4.])
    """

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_memory")

    def _train(self, series: Series, fresh: bool) -> None:
        pass

    def _advance(self, state: ModelState | None, series: Series) -> tuple[ModelState, Array]:
        m, n = self.season_length_, len(series)
        if state is None:
            first = series.steps[np.cumsum(series.lengths) - series.lengths]
            series_read, after = series, 1
            season = np.repeat(first[:, None], m, axis=1)
        else:
            series_read, after, season = series, 0, state["season"]
        lengths = series_read.lengths + m
        early = first_steps(lengths, m)
        steps = np.empty((len(early), series.steps.shape[1]))
        steps[early], steps[~early] = season.reshape(n * m, -1), series_read.steps
        positions = np.flatnonzero(~early)
        if state is None:
            # Before there is a season, the step before.
            within = np.arange(len(positions)) - np.repeat(
                np.cumsum(series.lengths) - series.lengths, series.lengths
            )
            lags = np.where(within < m, 1, m)
            predicted = steps[positions - lags][~first_steps(series.lengths, after)]
        else:
            predicted = steps[positions - m]
        late = ~first_steps(lengths, lengths - m)
        season = steps[late].reshape(n, m, -1)
        if state is None:
            short = series.lengths < m
            season[short] = series.last[short][:, None]
        return {"season": season}, predicted

    def _run_free(
        self, state: ModelState, n_steps: int, exogenous: Array, disturb: Disturbance | None = None
    ) -> Array:
        season = list(state["season"].transpose(1, 0, 2))
        for step in range(n_steps):
            values = season[step]
            season.append(values if disturb is None else disturb(step, values))
        return np.stack(season[self.season_length_ :], axis=1)
