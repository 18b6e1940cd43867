import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.preprocessing import FunctionTransformer, PowerTransformer

from sklseq.forecasting import (
    BlendForecaster,
    SeasonalNaive,
    ThetaForecaster,
    TransformedForecaster,
    WindowRegressor,
)

INNER = [
    ("theta", ThetaForecaster(season_length=4)),
    ("naive", SeasonalNaive(season_length=4, seasonal_differences=1)),
    ("window", WindowRegressor(n_lags=5, differences=1, scaling="all")),
]


def wave(n, d=1, seed=0):
    rng = np.random.default_rng(seed)
    return 10 + np.sin(np.arange(n) * np.pi / 2)[:, None] + rng.normal(0, 0.3, size=(n, d))


@pytest.mark.parametrize("aggregate", ["median", "mean"])
def test_a_blend_is_what_its_forecasters_say(aggregate):
    X, u = [wave(40), wave(30, seed=1)], [wave(46, 2, 2), wave(36, 2, 3)]
    known, ahead = [u[0][:40], u[1][:30]], [u[0][40:], u[1][30:]]
    blend = BlendForecaster(INNER, aggregate, season_length=4).fit(X, exogenous=known)
    fitted = [clone(f).set_params(season_length=4).fit(X, exogenous=known) for _, f in INNER]
    combined = getattr(np, aggregate)
    assert_allclose(
        blend.forecast(6, exogenous=ahead),
        combined([f.forecast(6, exogenous=ahead) for f in fitted], axis=0),
    )
    u = [each[:n] for each, n in zip(u, (41, 31), strict=True)]
    each = [f.predict(X, exogenous=u)[1][5:] for f in fitted]
    assert_allclose(blend.predict(X, exogenous=u)[1][5:], combined(each, axis=0))


def test_members_are_set_by_name():
    blend = BlendForecaster(INNER)
    assert blend.get_params()["window__n_lags"] == 5
    blend = clone(blend).set_params(window__n_lags=7, naive=SeasonalNaive(season_length=2))
    assert [name for name, _ in blend.forecasters] == ["theta", "naive", "window"]
    assert blend.forecasters[1][1].season_length == 2
    assert blend.fit(wave(40)).forecasters_[2].n_lags_ == 7
    assert INNER[2][1].n_lags == 5


@pytest.mark.parametrize(
    "wrong",
    [[], [("a", ThetaForecaster()), ("a", SeasonalNaive())], [ThetaForecaster()], [("a", PCA())]],
)
def test_wrong_members_are_named(wrong):
    with pytest.raises(ValueError, match="forecasters"):
        BlendForecaster(wrong).fit(wave(20))


def test_a_transformer_that_does_nothing_changes_nothing():
    X = wave(40, 2)
    for _, inner in INNER:
        model = TransformedForecaster(inner, FunctionTransformer()).fit(X)
        inner = clone(inner).fit(X)
        assert_allclose(model.forecast(5), inner.forecast(5))
        assert_allclose(model.predict(X)[5:], inner.predict(X)[5:])
        paths = model.sample_paths(3, 300, random_state=0)
        assert paths.shape == (300, 3, 2)


def test_values_are_transformed_and_back():
    X = np.exp(wave(60) / 3)
    transformer = PowerTransformer()
    model = TransformedForecaster(ThetaForecaster(), transformer, season_length=4).fit(X)
    Z = PowerTransformer().fit(X)
    inner = ThetaForecaster(season_length=4).fit(Z.transform(X))
    assert_allclose(model.forecast(5), Z.inverse_transform(inner.forecast(5)))
    assert not hasattr(transformer, "lambdas_")
    assert (model.sample_paths(4, 50, random_state=0) > 0).all()


def test_fewer_features_inside():
    rng = np.random.default_rng(0)
    X = wave(50) * np.array([[1.0, 2.0, -1.0]]) + 1e-6 * rng.normal(size=(50, 3))
    model = TransformedForecaster(SeasonalNaive(season_length=4), PCA(1)).fit(X)
    assert model.forecaster_.n_features_in_ == 1
    assert_allclose(model.forecast(4), X[-4:], atol=1e-4)
