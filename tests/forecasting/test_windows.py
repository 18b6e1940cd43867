import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sklseq.forecasting import WindowRegressor


def wave(n, d=1, seed=0):
    rng = np.random.default_rng(seed)
    return np.sin(0.4 * np.arange(n))[:, None] + rng.normal(0, 0.3, size=(n, d))


def table(X, u, n_lags, ahead):
    """Windows before each step `ahead` before it, newest first, and its inputs."""
    rows = range(n_lags + ahead, len(X))
    lags = [X[t - ahead - n_lags : t - ahead][::-1].ravel() for t in rows]
    return np.hstack([lags, u[n_lags + ahead :]]), X[n_lags + ahead :]


@pytest.mark.parametrize("strategy", ["recursive", "direct"])
def test_it_is_the_regressor_of_windows_by_hand(strategy):
    X, u = [wave(40, 2), wave(23, 2, 1)], [wave(45, 1, 2), wave(28, 1, 3)]
    model = WindowRegressor(
        Ridge(0.1), n_lags=3, strategy=strategy, horizon=5, scaling=None, season_length=1
    ).fit(X, exogenous=[u[0][:40], u[1][:23]])
    forecasts = model.forecast(5, exogenous=[u[0][40:], u[1][23:]])
    sd = np.concatenate([u[0][:40], u[1][:23]]).std(axis=0)
    assert sd > 0
    direct = strategy == "direct"
    regressors = []
    for ahead in range(5 if direct else 1):
        parts = [table(x, v[: len(x)], 3, ahead) for x, v in zip(X, u, strict=True)]
        A, y = (np.concatenate(each) for each in zip(*parts, strict=True))
        regressors.append(Ridge(0.1).fit(A, y))
    assert len(model.estimators_) == len(regressors)
    for x, v, found in zip(X, u, forecasts, strict=True):
        known = x
        for h in range(5):
            row = np.concatenate([known[-3:][::-1].ravel(), v[len(x) + h]])
            step = regressors[h if direct else 0].predict(row[None])
            assert_allclose(found[h], step[0])
            if not direct:
                known = np.vstack([known, step])


def test_every_regressor_of_direct_sees_the_last_step():
    X = wave(60)
    model = WindowRegressor(n_lags=4, strategy="direct", horizon=6, scaling="all").fit(X)
    other = X.copy()
    other[-1] += 1
    assert (np.abs(model.forecast(6, X) - model.forecast(6, other)) > 1e-6).all()
    assert model.sample_paths(8, 10, random_state=0).shape == (10, 8, 1)  # recursive


def test_a_regressor_of_one_value_has_a_copy_for_each_feature():
    X = wave(60, 2)
    model = WindowRegressor(HistGradientBoostingRegressor(max_iter=3), n_lags=4).fit(X)
    assert model.forecast(3).shape == (3, 2)


def test_short_series_are_continued_backward():
    X = [wave(30), wave(2, seed=1)]
    model = WindowRegressor(n_lags=5, scaling="all").fit(X)
    longer = np.vstack([np.repeat(X[1][:1], 4, axis=0), X[1]])
    assert_allclose(model.forecast(3)[1], model.forecast(3, longer))


def test_mistakes_are_named():
    X = wave(20)
    with pytest.raises(ValueError, match="needs the horizon"):
        WindowRegressor(strategy="direct").fit(X)
    with pytest.raises(ValueError, match="n_steps=4 is more than horizon=3"):
        WindowRegressor(n_lags=4, strategy="direct", horizon=3).fit(X).forecast(4)
    with pytest.raises(ValueError, match=r"has 20 steps to learn from, but n_lags=20 .* are 21"):
        WindowRegressor(n_lags=20).fit(X)
