"""Scores of forecasts for the tools of scikit-learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklseq.forecasting._backtest import arrays_of, metric_of, scaled_error

__all__ = ["ForecastScorer"]


@dataclass(frozen=True)
class ForecastScorer:
    """Score a fitted forecaster by its forecast of the steps that follow.

    A scorer for `GridSearchCV` and `cross_val_score` with `TimeSeriesSplit`, whose test part
    follows the training part: the forecaster goes on from the end of `fit`, or of the last
    `update`, for as many steps as it is given. Its own `score` is that of predictions one step
    ahead.

    Parameters
    ----------
    scoring : str or callable, default='neg_mean_absolute_scaled_error'
        As one of `backtest`. A scaled error is relative to the season that the forecaster knows: to
        choose `season_length`, take another.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from sklseq.forecasting import ForecastScorer, SeasonalNaive
    >>> X = np.tile([1.0, 5.0, 2.0], 20)[:, None]
    >>> search = GridSearchCV(
    ...     SeasonalNaive(), {"season_length": [1, 2, 3]}, cv=TimeSeriesSplit(3),
    ...     scoring=ForecastScorer("neg_mean_absolute_error"),
    ... )
    >>> search.fit(X).best_params_
    {'season_length': 3}
    """

    scoring: Any = "neg_mean_absolute_scaled_error"

    def __call__(self, forecaster: Any, X: Any, y: Any = None, exogenous: Any = None) -> float:
        """Mean score over series; more is better.

        Parameters
        ----------
        forecaster : fitted forecaster
        X : sequences
            The steps that follow those of its fit, of the same series.
        y : Ignored
            Not used, present for API consistency.
        exogenous : sequences or None, default=None
            One row for each step of X.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If X has other series, or the scale of one is not known.
        """
        per_step = forecaster.target == "step"
        values = arrays_of(X, per_step)
        n_steps = max(len(true) for true in values)
        ahead = arrays_of(forecaster.forecast(n_steps, exogenous=exogenous), per_step)
        if len(ahead) != len(values):
            raise ValueError(
                f"X has {len(values)} series, but {type(forecaster).__name__} goes on from "
                f"{len(ahead)}: give the steps that follow of each."
            )
        metric, scores = metric_of(self.scoring), []
        for true, pred, spread in zip(values, ahead, forecaster._memory.spread, strict=True):
            error = true - pred[: len(true)]
            if metric is scaled_error:  # by the changes of the series that were known
                scores.append(-(np.abs(error).mean(axis=0) / spread).mean())
            else:
                scores.append(metric(true, pred[: len(true)], true, forecaster.season_length_))
        return float(np.mean(scores))
