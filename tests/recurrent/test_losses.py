"""Losses of regressors: what predictions are then, and what is refused."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import mean_pinball_loss

from sklseq.recurrent import GRURegressor, RecurrentRegressor, ReNetRegressor
from sklseq.recursive import RecursiveRegressor

ALL = [
    {"loss": "absolute_error"},
    {"loss": "huber"},
    {"loss": "poisson"},
    {"loss": "quantile", "quantile": 0.8},
    {"loss": "quantile", "quantile": (0.9, 0.1)},
    {"loss": "gaussian"},
    {"loss": "student_t"},
]
each_loss = pytest.mark.parametrize("params", ALL, ids=lambda p: "-".join(map(str, p.values())))


def data(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.uniform(size=(rng.integers(2, 7), 2)) for _ in range(n)]
    return X, np.array([x[:, 0].sum() for x in X])


def model(**params):
    return GRURegressor(**{"hidden_size": 8, "max_epochs": 3, "random_state": 0} | params)


def constant_steps(y):
    """Sequences that tell nothing: predictions are one constant."""
    return np.ones((len(y), 1, 1))


# -- what predictions are ------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantiles_of_a_constant_are_the_empirical_ones(level):
    y = np.random.default_rng(0).lognormal(size=400)
    X = constant_steps(y)
    fitted = model(loss="quantile", quantile=level, max_epochs=40).fit(X, y)
    below = np.mean(y < fitted.predict(X[:1]))
    assert abs(below - level) < 0.04
    best = mean_pinball_loss(y, np.full(400, np.quantile(y, level)), alpha=level)
    assert mean_pinball_loss(y, fitted.predict(X), alpha=level) < 1.02 * best


def test_the_absolute_error_is_not_moved_by_outliers():
    y = np.random.default_rng(0).normal(5, 1, size=400)
    y[:20] = 1e6
    X = constant_steps(y)
    for loss in ("absolute_error", "huber", "student_t"):
        fitted = model(loss=loss, max_epochs=40).fit(X, y)
        assert abs(fitted.predict(X[:1])[0] - 5) < 0.5, loss


def test_a_poisson_network_finds_rates_and_predicts_no_negative_ones():
    rng = np.random.default_rng(0)
    group = rng.integers(2, size=600)
    y = rng.poisson(np.where(group, 300, 3))
    X = np.where(group, 1.0, -1.0)[:, None, None]
    fitted = model(loss="poisson", max_epochs=40).fit(X, y)
    predicted = fitted.predict(np.array([-1.0, 1.0])[:, None, None])
    np.testing.assert_allclose(predicted, [y[group == 0].mean(), y[group == 1].mean()], rtol=0.1)
    assert (fitted.predict(np.full((1, 1, 1), -100.0)) >= 0).all()


@pytest.mark.parametrize("loss", ["gaussian", "student_t"])
def test_a_likelihood_tells_the_noise_of_each_prediction(loss):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=1500)
    noise = np.where(x > 0, 2.0, 0.2)
    y = 10 + 3 * x + noise * rng.normal(size=1500)
    fitted = model(loss=loss, max_epochs=40, hidden_size=16).fit(x[:, None, None], y)
    at = np.array([-0.5, 0.5])
    mean, std = fitted.predict(at[:, None, None], return_std=True)
    np.testing.assert_allclose(mean, 10 + 3 * at, atol=0.7)
    np.testing.assert_allclose(std, [0.2, 2.0], rtol=0.5)
    np.testing.assert_array_equal(fitted.predict(at[:, None, None]), mean)


@each_loss
@pytest.mark.parametrize("target", ["sequence", "step"])
@pytest.mark.parametrize("n_outputs", [0, 2])
def test_results_have_the_container_of_y_and_an_axis_of_levels(params, target, n_outputs):
    X, y = data(12)
    if target == "step":
        y = [x[:, 0] for x in X]
        y = [np.stack([v, 2 * v], axis=1) for v in y] if n_outputs else y
    elif n_outputs:
        y = np.stack([y, 2 * y], axis=1)
    fitted = model(**params, target=target).fit(X, y)
    predicted = fitted.predict(X)
    levels = (2,) if params.get("quantile") == (0.9, 0.1) else ()
    for found, true in zip(predicted, y, strict=True):
        assert np.shape(found) == np.shape(true) + levels
    assert np.isfinite(fitted.score(X, y))
    if params["loss"] in ("gaussian", "student_t"):
        mean, std = fitted.predict(X, return_std=True)
        for one, m, s in zip(predicted, mean, std, strict=True):
            np.testing.assert_array_equal(one, m)
            assert np.shape(s) == np.shape(m)
            assert (np.asarray(s) > 0).all()


@each_loss
def test_predictions_do_not_depend_on_their_company_and_are_stored(params):
    X, y = data()
    fitted = model(**params).fit(X, y)
    whole = fitted.predict(X)
    np.testing.assert_array_equal(fitted.predict(X[7:8]), whole[7:8])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), whole)
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), whole)
    again.partial_fit(X, y)


@each_loss
def test_streams_predict_as_the_estimator_does(params):
    X = np.random.default_rng(0).uniform(size=(30, 1))
    fitted = model(**params, target="step").fit(X, X[:, 0])
    stream = fitted.stream()
    found = np.concatenate([stream.predict(X[:11]), stream.predict(X[11:])])
    np.testing.assert_allclose(found, fitted.predict(X), rtol=1e-4, atol=1e-5)


def test_other_networks_have_the_same_losses():
    rng = np.random.default_rng(0)
    images, y = rng.uniform(size=(30, 4, 4)), rng.normal(size=30)
    trees = [("+", a, ("-", b)) for a, b in rng.uniform(size=(30, 2))]
    for fitted in (
        ReNetRegressor(loss="gaussian", hidden_size=4, max_epochs=2, random_state=0).fit(images, y),
        RecursiveRegressor(loss="gaussian", hidden_size=4, max_epochs=2).fit(trees, y),
    ):
        X = images if isinstance(fitted, ReNetRegressor) else trees
        _, std = fitted.predict(X, return_std=True)
        assert std.shape == (30,)
        assert (std > 0).all()
    importances = fitted.subtree_importances(trees[:1])[0]
    assert np.isfinite(importances[0])


# -- what is refused -----------------------------------------------------------------------


def test_counts_are_not_negative_and_the_place_is_named():
    X, y = data(5)
    y[3] = -2
    with pytest.raises(ValueError, match=r"y is -2 at row 3, but loss='poisson'"):
        model(loss="poisson").fit(X, y)
    steps = [x[:, 0] for x in X]
    steps[2][1] = -0.5
    with pytest.raises(ValueError, match=r"sequence 2, step 1"):
        model(loss="poisson", target="step").fit(X, steps)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"quantile": 0.5}, "is for loss='quantile'"),
        ({"loss": "quantile", "quantile": (0.5, 1.5)}, "between 0 and 1"),
        ({"loss": "quantile", "quantile": ()}, "between 0 and 1"),
        ({"loss": "quantile", "quantile": (0.5, 0.5)}, "different"),
    ],
)
def test_wrong_levels_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        model(**params).fit(*data(5))


def test_a_network_without_noise_does_not_tell_it():
    X, y = data(5)
    with pytest.raises(ValueError, match=r"return_std=True needs a distribution.*gaussian"):
        model().fit(X, y).predict(X, return_std=True)


def test_training_goes_on_with_the_same_loss():
    X, y = data(5)
    fitted = model().fit(X, y)
    with pytest.raises(ValueError, match=r"loss='huber', but GRURegressor was fitted with"):
        fitted.set_params(loss="huber").partial_fit(X, y)


def test_outputs_that_feed_back_have_one_loss():
    X, _ = data(5)
    network = RecurrentRegressor(cell="jordan", target="step", loss="gaussian")
    with pytest.raises(ValueError, match="loss='gaussian'"):
        network.fit(X, [x[:, 0] for x in X])
