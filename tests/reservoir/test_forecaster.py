"""Forecasts are those of the plain recursion that feeds back its own output."""

import copy
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sklseq.datasets import make_mackey_glass
from sklseq.reservoir import ESNForecaster


def series(lengths, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    panel = np.empty(len(lengths), dtype=object)
    for i, n in enumerate(lengths):
        phase = rng.uniform(0, 6, n_features)
        panel[i] = np.sin(np.arange(n)[:, None] * [0.2, 0.31, 0.5][:n_features] + phase)
    return panel


def exogenous_for(X, extra=0):
    found = np.empty(len(X), dtype=object)
    for i, x in enumerate(X):
        # The first rows are the same whatever `extra` is.
        found[i] = np.random.default_rng([1, i]).normal(size=(200, 2))[: len(x) + extra]
    return found


def make(**params):
    settings = {"reservoir_size": 20, "washout": 3, "alpha": 1e-6, "random_state": 0}
    settings |= {"scaling": None, "feedback_scaling": 0.5}
    return ESNForecaster(**settings | params)


def features_of(model, states, inputs):
    columns = [states]
    if "input" in model.features:
        columns.append(inputs)
    if "squares" in model.features:
        columns.append(states**2)
    return np.concatenate(columns)


def loop(model, x, n_steps=0, outside=None):
    """Features after each step of x (teacher forcing) and a free run, one unit after another."""
    outside = np.zeros((len(x) + n_steps, 0)) if outside is None else outside
    states = [np.zeros(layer.units) for layer in model.layers_]

    def step(y, u):
        drive = np.concatenate([u, y])
        below = drive
        for i, layer in enumerate(model.layers_):
            z = layer.recurrent_weights @ states[i] + layer.bias
            if i == 0:
                z = z + layer.input_weights @ u + layer.feedback_weights @ y
            else:
                z = z + layer.input_weights @ below
            below = (1 - layer.leak_rate) * states[i] + layer.leak_rate * np.tanh(z)
            states[i] = below
        return features_of(model, np.concatenate(states), drive)

    forced = []
    for t in range(len(x)):
        u = outside[t + 1] if t + 1 < len(outside) else np.zeros(outside.shape[1])
        forced.append(step(x[t], u))
    free = []
    if n_steps:
        free.append(model.coef_ @ forced[-1] + model.intercept_)
        for k in range(1, n_steps):
            free.append(model.coef_ @ step(free[-1], outside[len(x) + k]) + model.intercept_)
    return np.array(forced), np.array(free)


KINDS = {
    "plain": {},
    "leaky, all features": {"leak_rate": 0.4, "features": "state+input+squares"},
    "deep": {"num_layers": 2, "features": "state+input"},
}
each = pytest.mark.parametrize("params", KINDS.values(), ids=KINDS)
with_exogenous = pytest.mark.parametrize("outside", [False, True], ids=["alone", "exogenous"])


@each
@with_exogenous
def test_forecasts_are_the_plain_loop(params, outside):
    X = series([40, 25, 31])
    known = exogenous_for(X) if outside else None
    model = make(**params).fit(X, exogenous=known)
    future = exogenous_for(X, 6) if outside else None
    forecasts = model.forecast(6, X, exogenous=future)
    assert forecasts.shape == (3, 6, 2)
    for i, x in enumerate(X):
        _, free = loop(model, x, 6, None if future is None else future[i])
        assert_allclose(forecasts[i], free, atol=1e-10)


@each
@with_exogenous
def test_the_readout_is_ridge_on_forced_states(params, outside):
    X = series([40, 25, 31])
    known = exogenous_for(X) if outside else None
    model = make(**params).fit(X, exogenous=known)
    features, targets = [], []
    for i, x in enumerate(X):
        forced, _ = loop(model, x, outside=None if known is None else known[i])
        features.append(forced[3:-1])
        targets.append(x[4:])
    ridge = Ridge(alpha=1e-6, solver="svd").fit(np.concatenate(features), np.concatenate(targets))
    assert_allclose(
        model.intercept_ + np.concatenate(features) @ model.coef_.T,
        ridge.predict(np.concatenate(features)),
        atol=1e-7,
    )


@with_exogenous
@pytest.mark.parametrize("target", ["sequence", "step"])
def test_forecasting_one_step_is_the_last_prediction(target, outside):
    X = series([30, 20, 1, 25])
    known = exogenous_for(X) if outside else None
    following = exogenous_for(X, 1) if outside else None
    model = make(target=target, washout=0).fit(X, exogenous=known)
    predicted = model.predict(X, exogenous=following)
    last = predicted if target == "sequence" else np.stack([p[-1] for p in predicted])
    assert_allclose(model.forecast(1, X, exogenous=following)[:, 0], last, atol=1e-12)


def test_forecasts_go_on_from_the_series_of_fit():
    X = series([30, 20, 25])
    model = make().fit(X)
    assert_allclose(model.forecast(8), model.forecast(8, X), atol=1e-12)
    known, ahead = exogenous_for(X), exogenous_for(X, 8)
    model = make().fit(X, exogenous=known)
    future = [e[len(x) :] for e, x in zip(ahead, X, strict=True)]
    assert_allclose(
        model.forecast(8, exogenous=future), model.forecast(8, X, exogenous=ahead), atol=1e-12
    )


def test_many_series_are_one_by_one():
    X = series([30, 7, 1, 20, 55])
    model = make(washout=0).fit(X)
    together = model.forecast(9, X)
    for i in range(len(X)):
        assert_allclose(model.forecast(9, X[i : i + 1])[0], together[i], atol=1e-12)


def test_a_forecast_feeds_itself():
    X = series([60])[0]
    model = make(target="step").fit(X)
    whole = model.forecast(10, X)
    rest = model.forecast(6, np.concatenate([X, whole[:4]]))
    assert_allclose(rest, whole[4:], atol=1e-9)


def test_forecast_and_predict_do_not_change_the_model():
    X = series([30, 20])
    model = make().fit(X)
    before = copy.deepcopy(model.__getstate__())
    first = model.forecast(5)
    model.forecast(3, X[:1])
    model.predict(X)
    model.score(X)
    assert_array_equal(model.forecast(5), first)
    after = model.__getstate__()
    assert before.keys() == after.keys()
    for name in ("coef_", "intercept_"):
        assert_array_equal(before[name], after[name])
    for name in ("states", "last"):
        assert_array_equal(before["_memory"].state[name], after["_memory"].state[name])


def test_shapes_follow_the_container():
    X = np.stack(list(series([30, 30, 30])))
    cases = {
        "panel": (X, {"target": "sequence"}, (3, 5, 2), (3, 2)),
        "table": (X[:, :, 0], {"target": "sequence"}, (3, 5), (3,)),
        "series": (X[0], {}, (5, 2), (30, 2)),
        "panel by step": (X, {}, (3, 5, 2), (3, 30, 2)),
    }
    for what, (data, params, forecast, predicted) in cases.items():
        model = make(**params).fit(data)
        assert model.forecast(5).shape == forecast, what
        assert model.forecast(5, data).shape == forecast, what
        assert model.predict(data).shape == predicted, what
    with_inputs = make(target="step").fit(X[0], exogenous=np.arange(30) / 30)
    assert with_inputs.forecast(2, exogenous=np.array([1.0, 1.1])).shape == (2, 2)


def test_exogenous_inputs_are_learned():
    rng = np.random.default_rng(0)
    u = rng.uniform(-1, 1, 600)
    x = np.zeros(600)
    for t in range(1, 600):
        x[t] = 0.5 * x[t - 1] + u[t]  # today's input enters today
    model = make(target="step", washout=50, input_scaling=0.1, feedback_scaling=0.1)
    model.fit(x[:500, None], exogenous=u[:500])
    assert_allclose(model.forecast(100, exogenous=u[500:])[:, 0], x[500:], atol=0.03)


def test_scores_are_of_one_step_after_the_washout():
    X = make_mackey_glass(600, random_state=0) - 1
    model = make(target="step", reservoir_size=100, washout=50).fit(X[:400])
    assert model.score(X[400:]) > 0.999
    predicted = model.predict(X[400:])
    wanted = 1 - np.sum((predicted[50:-1] - X[451:]) ** 2) / np.sum((X[451:] - X[451:].mean()) ** 2)
    assert model.score(X[400:]) == pytest.approx(wanted, abs=1e-12)
    search = GridSearchCV(model, {"leak_rate": [0.3, 1.0]}, cv=TimeSeriesSplit(3))
    assert search.fit(X).best_score_ > 0.99


@pytest.mark.parametrize("alpha", ["gcv", [1e-8, 1e-3, 10.0]])
def test_alpha_is_chosen(alpha):
    X = make_mackey_glass(400, random_state=0) - 1
    model = make(target="step", alpha=alpha, washout=50).fit(X)
    assert model.alpha_ < 1


def test_feedback_noise_is_seeded_and_shrinks_the_weights():
    X = series([300])[0]
    silent, noisy, again = (
        make(target="step", feedback_noise=noise).fit(X) for noise in (0, 0.1, 0.1)
    )
    assert_array_equal(noisy.coef_, again.coef_)
    assert_array_equal(silent.layers_[0].feedback_weights, noisy.layers_[0].feedback_weights)
    # Trained with noise, it makes less of noise.
    shaken = X + np.random.default_rng(5).normal(scale=0.1, size=X.shape)
    errors = [np.square(m.predict(shaken)[50:-1] - X[51:]).mean() for m in (silent, noisy)]
    assert errors[1] < errors[0]
    # What a forecast starts from has no noise in it.
    assert_array_equal(silent._memory.state["states"], noisy._memory.state["states"])


def test_workers_and_chunks_do_not_change_the_fit():
    X = make_mackey_glass(20_000, random_state=0) - 1
    one, two = (make(target="step", washout=100, n_jobs=n).fit(X) for n in (1, 2))
    assert_array_equal(one.coef_, two.coef_)
    assert_array_equal(one.forecast(20), two.forecast(20))


def test_mackey_glass_is_forecast_for_84_steps():
    X = np.tanh(make_mackey_glass(3200, random_state=0) - 1)
    model = ESNForecaster(
        target="step", reservoir_size=300, spectral_radius=0.9, leak_rate=0.5, washout=200,
        alpha=1e-9, random_state=0,
    )  # fmt: skip
    forecast = model.fit(X[:3000]).forecast(84)
    assert np.abs(forecast - X[3000:3084]).max() < 0.02


def test_bad_input_is_named():
    X = series([30, 20])
    known = exogenous_for(X)
    with pytest.raises(ValueError, match="sequence 1 has 20 steps, but washout=19 needs at least"):
        make(washout=19).fit(X)
    with pytest.raises(ValueError, match="set target='step'"):
        make(washout=0, target="sequence").fit(np.zeros((30, 1)))
    with pytest.raises(ValueError, match="feedback_scaling"):
        make(feedback_scaling=[1.0, 2.0, 3.0]).fit(X)
    with pytest.raises(ValueError, match="exogenous, sequence 1 has 19 steps, but 20"):
        make().fit(X, exogenous=[known[0], known[1][:-1]])
    with pytest.raises(ValueError, match="exogenous has 1 sequences, but there are 2"):
        make().fit(X, exogenous=known[:1])
    bad = [known[0], known[1].copy()]
    bad[1][3, 0] = np.nan
    with pytest.raises(ValueError, match="exogenous contains NaN: sequence 1, step 3"):
        make().fit(X, exogenous=bad)
    model = make().fit(X, exogenous=known)
    with pytest.raises(ValueError, match="exogenous has 0 inputs, but ESNForecaster was fitted"):
        model.forecast(3)
    with pytest.raises(ValueError, match="exogenous has 2 inputs, but ESNForecaster was fitted"):
        make().fit(X).predict(X, exogenous=exogenous_for(X, 1))
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="n_steps="):
            make().fit(X).forecast(wrong)


def test_singular_statistics_warn_with_the_condition():
    X = np.ones((50, 1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = make(target="step", alpha=0, washout=0).fit(X)
    assert any("condition number" in str(w.message) for w in caught)
    assert np.isfinite(model.forecast(5)).all()


@each
@with_exogenous
def test_partial_fit_on_further_series_is_fit_on_all(params, outside):
    X = series([40, 25, 31])
    known = exogenous_for(X) if outside else [None] * 3
    at_once = make(**params, target="sequence").fit(X, exogenous=known if outside else None)
    in_parts = make(**params, target="sequence")
    for x, beside in zip(X, known, strict=True):
        in_parts.partial_fit([x], exogenous=[beside] if outside else None)
    predicted, expected = (
        m.predict(X, exogenous=exogenous_for(X, 1) if outside else None)
        for m in (in_parts, at_once)
    )
    assert_allclose(predicted, expected, atol=1e-8)
    future = exogenous_for(X, 4)[2] if outside else None
    after_last = in_parts.forecast(4, exogenous=[future[-4:]] if outside else None)
    assert_allclose(
        after_last, in_parts.forecast(4, X[2:], exogenous=[future] if outside else None), atol=1e-12
    )


def test_a_partial_fit_on_other_features_changes_nothing():
    model = make().fit(series([40, 25]))
    before = dict(model.__dict__)
    with pytest.raises(ValueError, match="1 features, but ESNForecaster is expecting 2"):
        model.partial_fit([np.zeros((30, 1))])
    assert model.__dict__ == before


def test_series_are_forecast_as_rows_and_as_tables_of_steps():
    X = np.sin(0.3 * np.arange(200))[:, None]
    model = ESNForecaster(target="step", reservoir_size=30, random_state=0).fit(X)
    one = model.forecast(5, X)
    np.testing.assert_allclose(model.set_params(target="sequence").forecast(5, X[None])[0], one)
