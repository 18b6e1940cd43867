"""Searches over forecasters go by forecasts of the steps that follow."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from sklseq.forecasting import ForecastScorer, SeasonalNaive, ThetaForecaster, backtest
from sklseq.metrics import mean_absolute_scaled_error


def wave(n, seed=0):
    rng = np.random.default_rng(seed)
    return 5 + np.sin(np.arange(n)[:, None] * np.pi / 3) + 0.1 * rng.normal(size=(n, 1))


def test_a_score_is_that_of_the_forecast():
    X = wave(60)
    model = SeasonalNaive(season_length=6).fit(X[:50])
    forecast = model.forecast(10)
    score = ForecastScorer()(model, X[50:])
    assert score == pytest.approx(-mean_absolute_scaled_error(X[50:], forecast, X[:50], 6))
    score = ForecastScorer("neg_mean_absolute_error")(model, X[50:])
    assert score == pytest.approx(-np.abs(X[50:] - forecast).mean())


def test_cross_validation_is_a_backtest():
    X, model = wave(80), ThetaForecaster(season_length=6)
    cv = TimeSeriesSplit(4, test_size=5)
    scores = cross_val_score(model, X, cv=cv, scoring=ForecastScorer())
    tested = backtest(model, X, 5, n_origins=4)
    np.testing.assert_allclose(scores, tested.test_score)


def test_a_search_finds_the_season():
    grid = {"season_length": [1, 4, 6]}
    scoring = ForecastScorer("neg_mean_absolute_error")
    search = GridSearchCV(SeasonalNaive(), grid, cv=TimeSeriesSplit(3), scoring=scoring)
    assert search.fit(wave(90)).best_params_ == {"season_length": 6}


def test_other_series_and_names_are_refused():
    model = SeasonalNaive().fit([wave(20), wave(25, 1)])
    with pytest.raises(ValueError, match="X has 1 series, but SeasonalNaive goes on from 2"):
        ForecastScorer()(model, [wave(3)])
    with pytest.raises(ValueError, match="scoring='mase'"):
        ForecastScorer("mase")(model, [wave(3), wave(4)])
