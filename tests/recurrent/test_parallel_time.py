"""Estimators trained on few long series, in chunks and by the plain loop."""

import pickle

import numpy as np
import pytest

from sklseq.inspection import largest_lyapunov_exponent
from sklseq.nn.recurrent.cells.torch_layers import TorchLayer
from sklseq.nn.recurrent.kernels import parallel_time
from sklseq.recurrent import (
    GRUClassifier,
    RecurrentForecaster,
    RecurrentRegressor,
    RecurrentTransformer,
)

SMALL = {"hidden_size": 6, "max_epochs": 1, "random_state": 0, "dtype": "float64"}


def series(n=1200, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 2))
    return X, X[:, 0] * np.roll(X[:, 1], 1)


@pytest.fixture
def met(monkeypatch):
    """Whether the sweeps of each call met."""
    calls, tell = [], parallel_time.TimeParallel.tell

    def noted(time, met):
        calls.append(met)
        tell(time, met)

    monkeypatch.setattr(parallel_time.TimeParallel, "tell", noted)
    return calls


def assert_trained_alike(make, X, y, met, **differences):
    loop = make(time_parallel=False, **differences).fit(X, y)
    assert not met
    chunks = make(time_parallel=True, **differences).fit(X, y)
    assert met
    assert all(met)
    np.testing.assert_allclose(chunks.loss_curve_, loop.loss_curve_, rtol=1e-9)
    for name, value in loop.module_.state_dict().items():
        np.testing.assert_allclose(chunks.module_.state_dict()[name], value, atol=1e-9)


@pytest.mark.parametrize(
    "params",
    [
        {"cell": "rnn", "tbptt_steps": 1300},
        {"num_layers": 2, "bidirectional": True, "dropout": 0.2},
        {"normalization": "layer", "temporal_activation_penalty": 0.1},
    ],
    ids=str,
)
def test_the_network_is_that_of_the_plain_loop(params, met):
    def make(**more):
        return RecurrentRegressor(**SMALL | {"target": "step"} | params | more)

    assert_trained_alike(make, *series(1300), met)


def test_so_are_those_of_other_estimators_and_ragged_batches(met):
    X, y = series(1600)
    parts, values = np.split(X, [700]), np.split(y, [700])

    def of(estimator, **params):
        return lambda **more: estimator(**SMALL | params | more)

    assert_trained_alike(of(RecurrentRegressor, target="step"), parts, values, met)
    met.clear()
    assert_trained_alike(of(GRUClassifier), parts, [0, 1], met)
    met.clear()
    assert_trained_alike(of(RecurrentTransformer), parts, None, met)
    met.clear()
    assert_trained_alike(of(RecurrentForecaster, window=None, dropout=0.1), parts, None, met)
    met.clear()
    context = of(RecurrentRegressor, target="step", context_as="state")
    loop, chunks = (
        context(time_parallel=mode).fit(parts, values, context=[[0.0], [1.0]])
        for mode in (False, True)
    )
    assert all(met)
    np.testing.assert_allclose(chunks.loss_curve_, loop.loss_curve_, rtol=1e-9)


def test_noise_and_gradients_of_single_steps_go_by_the_plain_loop(met):
    X, y = series(1100)
    for setting in ({"zoneout": 0.1}, {"recurrent_dropout": 0.1}, {"flow_regularizer": 0.1}):
        model = RecurrentRegressor(**SMALL | {"target": "step", "max_epochs": 1} | setting)
        model.fit(X, y)
    assert not met


def test_the_exponent_says_whether_chunks_meet(met):
    X, y = series(1200)
    params = SMALL | {"target": "step", "max_epochs": 1, "learning_rate": 1e-9}
    params |= {"time_parallel": True}
    forgets = RecurrentRegressor(**params).fit(X, y)
    assert met == [True]
    assert largest_lyapunov_exponent(forgets, X[:300], random_state=0) < -0.3
    remembers = RecurrentRegressor(**params, forget_bias=9.0).fit(X, y)
    assert met == [True, False]
    assert -0.01 < largest_lyapunov_exponent(remembers, X[:300], random_state=0) < 0.01


def test_a_copy_that_was_stored_goes_on_as_the_model(met):
    X, y = series(1100)
    model = RecurrentRegressor(**SMALL | {"target": "step", "time_parallel": False})
    model.partial_fit(X, y)
    stored = pickle.loads(pickle.dumps(model))
    for each in (model, stored):
        each.partial_fit(X, y)
        layers = [m for m in each.module_.modules() if isinstance(m, TorchLayer)]
        assert [layer.time_parallel.mode for layer in layers] == [False]
    np.testing.assert_array_equal(model.predict(X), stored.predict(X))
    for each in (model, stored):
        each.set_params(time_parallel=True).partial_fit(X, y)
    assert met == [True, True]
    np.testing.assert_array_equal(model.predict(X), stored.predict(X))
