import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import TimeSeriesSplit

from sklseq.forecasting import SeasonalNaive, ThetaForecaster, WindowRegressor, backtest
from sklseq.metrics import mean_absolute_scaled_error, symmetric_mean_absolute_percentage_error


def wave(n, seed=0):
    rng = np.random.default_rng(seed)
    return (20 + np.sin(np.arange(n) * np.pi / 2) + rng.normal(0, 0.3, n).cumsum())[:, None]


MODEL = WindowRegressor(n_lags=6, season_length=4, differences=1)


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("step", [1, 3, None])
def test_it_is_a_loop_by_hand(refit, step):
    X, u = wave(50), np.random.default_rng(1).normal(size=(50, 2))
    result = backtest(
        MODEL, X, 4, n_origins=3, step=step, refit=refit, exogenous=u, return_forecasts=True
    )
    origins = 50 - 4 - (step or 4) * np.arange(3)[::-1]
    assert_array_equal(result.origins[:, 0], origins)
    model, before = None, None
    for k, n in enumerate(origins):
        if refit or model is None:
            model = WindowRegressor(**MODEL.get_params()).fit(X[:n], exogenous=u[:n])
        else:
            model.update(X[before:n], exogenous=u[before:n])
        before = n
        ahead = model.forecast(4, exogenous=u[n : n + 4])
        assert_array_equal(result.forecasts[k], ahead)
        assert_allclose(
            result.test_score[k], -mean_absolute_scaled_error(X[n : n + 4], ahead, X[:n], 4)
        )
        for h in range(4):
            error = mean_absolute_scaled_error(X[n + h : n + h + 1], ahead[h : h + 1], X[:n], 4)
            assert_allclose(result.test_score_by_horizon[k, h], -error)


def test_origins_are_those_of_time_series_split():
    X = wave(40)
    origins = backtest(SeasonalNaive(), X, 3, n_origins=4).origins[:, 0]
    folds = TimeSeriesSplit(4, test_size=3).split(X)
    assert list(origins) == [len(train) for train, _ in folds]


def test_many_series_and_metrics():
    X = [wave(n, seed=n) for n in (30, 44)]
    scoring = {"smape": "neg_symmetric_mean_absolute_percentage_error", "worst": lambda a, b: 1.0}
    result = backtest(SeasonalNaive(season_length=4), X, 5, n_origins=2, scoring=scoring)
    assert_array_equal(result.origins, [[20, 34], [25, 39]])
    assert_array_equal(result.test_worst, [1, 1])
    model = SeasonalNaive(season_length=4).fit([X[0][:25], X[1][:39]])
    errors = [
        symmetric_mean_absolute_percentage_error(x[-5:], f)
        for x, f in zip(X, model.forecast(5), strict=True)
    ]
    assert_allclose(result.test_smape[1], -np.mean(errors))
    table = np.stack([wave(30)[:, 0], wave(30, 1)[:, 0]])
    by_table = backtest(SeasonalNaive(target="sequence"), table, 5)
    assert_allclose(
        by_table.test_score, backtest(SeasonalNaive(), list(table[:, :, None]), 5).test_score
    )
    cube = backtest(SeasonalNaive(), table[:, :, None], 5)
    assert_allclose(by_table.test_score, cube.test_score)


@pytest.mark.parametrize("refit", [True, False])
def test_dates_are_those_of_the_steps(refit):
    index = pd.date_range("2020-01-31", periods=60, freq="ME")
    frame = pd.DataFrame({"v": wave(60)[:, 0]}, index=index)
    result = backtest(ThetaForecaster(), frame, 6, n_origins=3, refit=refit, return_forecasts=True)
    for n, ahead in zip(result.origins[:, 0], result.forecasts, strict=True):
        assert list(ahead.index) == list(index[n : n + 6])
    column = backtest(ThetaForecaster(), frame["v"], 6, n_origins=3, refit=refit)
    assert_allclose(column.test_score, result.test_score)
    panel = pd.concat({"a": frame, "b": frame[10:]}, names=["series", "time"])
    many = backtest(ThetaForecaster(), panel, 6, n_origins=2, refit=refit, return_forecasts=True)
    assert list(many.forecasts[0].loc["b"].index) == list(index[48:54])


def test_mistakes_are_named():
    X = wave(20)
    for wrong in ({"horizon": 0}, {"n_origins": 0}, {"step": 1.5}, {"horizon": True}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            backtest(SeasonalNaive(), X, **({"horizon": 2} | wrong))
    with pytest.raises(ValueError, match=r"sequence 1 has 9 steps, but .* need at least 11"):
        backtest(SeasonalNaive(), [X, X[:9]], 2)
    with pytest.raises(ValueError, match="scoring='r2'"):
        backtest(SeasonalNaive(), X, 2, scoring="r2")
    with pytest.raises(TypeError, match="Ridge"):
        backtest(Ridge(), X, 2)


def test_processes_give_the_same():
    X = wave(30)
    one = backtest(SeasonalNaive(), X, 2, n_origins=2)
    assert_array_equal(
        one.test_score, backtest(SeasonalNaive(), X, 2, n_origins=2, n_jobs=2).test_score
    )
