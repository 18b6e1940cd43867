"""Features of estimators equal the plain loop, pooled and per step, in both directions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.nn.reservoir.states import both_directions
from sklseq.reservoir import ESNClassifier, ESNRegressor, ESNTransformer

F = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z}


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def run_layer(r, steps):
    """The definition, one step at a time."""
    w, w_in = dense(r.recurrent_weights), dense(r.input_weights)
    rotation = np.eye(r.units) if r.rotation is None else dense(r.rotation)
    x, out = np.zeros(r.units), np.empty((len(steps), r.units))
    for t, u in enumerate(steps):
        new = F[r.activation](w @ x + w_in @ u + r.bias)
        out[t] = x = (1 - r.leak_rate) * (rotation @ x) + r.leak_rate * new
    return out


def run_layers(layers, steps):
    states = []
    for layer in layers:
        steps = run_layer(layer, steps)
        states.append(steps)
    return np.hstack(states)


def step_features(model, x):
    states = run_layers(model.layers_, x)
    if model.bidirectional:
        states = np.hstack([states, run_layers(model.backward_layers_, x[::-1])[::-1]])
    columns = [states]
    if "input" in model.features:
        columns.append(x)
    if "squares" in model.features:
        columns.append(states**2)
    return np.hstack(columns)


def ragged(lengths=(9, 30, 12, 300, 17, 1000), d=2, seed=0):
    rng = np.random.default_rng(seed)
    X = np.empty(len(lengths), dtype=object)
    X[:] = [rng.uniform(-1, 1, (n, d)) for n in lengths]
    return X


KINDS = {
    "default": {},
    "time scales": {"leak_rate": (0.1, 0.4, 1.0)},
    "edge of stability": {"rotation": "orthogonal", "leak_rate": 0.2},
    "deep": {"num_layers": 3, "leak_rate": 0.5},
    "bidirectional": {"bidirectional": True},
    "deep, bidirectional, all features": {
        "bidirectional": True,
        "num_layers": 2,
        "features": "state+input+squares",
    },
    "input": {"features": "state+input"},
    "squares": {"features": "state+squares"},
    "ring": {"topology": "ring", "input_distribution": "bernoulli"},
    "cosine": {"topology": "cosine", "activation": "identity"},
    "relu": {"activation": "relu", "input_scaling": (0.2, 1.0)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_steps_equal_the_loop(kind):
    X = ragged()
    model = ESNTransformer(target="step", reservoir_size=20, random_state=0, **KINDS[kind])
    for got, x in zip(model.fit_transform(X), X, strict=True):
        assert_allclose(got, step_features(model, x), atol=1e-11)


def pooled(features, pooling, n_slices):
    def one(part):
        return part[-1] if pooling == "last" else getattr(part, pooling)(axis=0)

    n = len(features)
    place = np.arange(n) * n_slices // n
    return np.concatenate([one(features[place == k]) for k in range(n_slices)])


@pytest.mark.parametrize("n_slices", [1, 4])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_pooling(pooling, n_slices, dtype):
    X = ragged()
    model = ESNTransformer(
        reservoir_size=20,
        washout=3,
        features="state+input+squares",
        pooling=pooling,
        n_slices=n_slices,
        dtype=dtype,
        random_state=0,
    )
    got = model.fit_transform(X)
    assert got.dtype == dtype
    for row, x in zip(got, X, strict=True):
        expected = pooled(step_features(model, x)[3:], pooling, n_slices)
        assert_allclose(row, expected, atol=1e-12 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_each_direction_is_pooled_with_its_own_washout(pooling):
    X = ragged()
    model = ESNTransformer(
        reservoir_size=20, washout=3, pooling=pooling, bidirectional=True, random_state=0
    ).fit(X)
    for row, x in zip(model.transform(X), X, strict=True):
        ahead = run_layers(model.layers_, x)[3:]
        back = run_layers(model.backward_layers_, x[::-1])[3:]
        expected = np.concatenate([pooled(ahead, pooling, 1), pooled(back, pooling, 1)])
        assert_allclose(row, expected, atol=1e-12)


@pytest.mark.parametrize("lengths", [(700,), (1, 256, 257, 513, 2)])
def test_windows_do_not_change_both_directions(lengths, monkeypatch):
    X = ragged(lengths)
    model = ESNTransformer(target="step", reservoir_size=15, bidirectional=True, random_state=0)
    monkeypatch.setattr(both_directions, "_GROUP_BYTES", 1)
    for got, x in zip(model.fit_transform(X), X, strict=True):
        assert_allclose(got, step_features(model, x), atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("target", ["step", "sequence"])
def test_workers_change_no_bit(target, bidirectional):
    X = ragged(tuple(range(5, 200)))
    y = [x[:, 0] for x in X] if target == "step" else [x.sum() for x in X]
    fitted = [
        ESNRegressor(
            target=target,
            reservoir_size=20,
            bidirectional=bidirectional,
            pooling="mean",
            n_jobs=n_jobs,
            random_state=0,
        ).fit(X, y)
        for n_jobs in (None, 2)
    ]
    assert_array_equal(fitted[0].coef_, fitted[1].coef_)
    for one, two in zip(fitted[0].predict(X), fitted[1].predict(X), strict=True):
        assert_array_equal(one, two)


def test_parameters_change_only_what_they_are_about():
    X = ragged()

    def layer(**params):
        return ESNTransformer(reservoir_size=30, random_state=0, **params).fit(X).layers_[0]

    base, wide = layer(), layer(spectral_radius=0.45, input_scaling=1.0, leak_rate=0.3)
    assert_allclose(dense(wide.recurrent_weights) * 2, dense(base.recurrent_weights), rtol=1e-12)
    assert_allclose(wide.input_weights, base.input_weights * 2, rtol=1e-12)
    assert_array_equal(wide.bias, base.bias)


def test_radius_is_exact():
    layer = ESNTransformer(reservoir_size=80, spectral_radius=0.7, random_state=1)
    weights = dense(layer.fit(np.zeros((3, 5, 1))).layers_[0].recurrent_weights)
    assert_allclose(np.abs(np.linalg.eigvals(weights)).max(), 0.7, rtol=1e-10)


def test_a_second_fit_gives_the_same_weights_and_states():
    X = ragged()
    model = ESNTransformer(reservoir_size=20, random_state=3)
    first = model.fit_transform(X)
    assert_array_equal(first, model.transform(X))
    assert_array_equal(first, model.fit_transform(X))


def test_the_first_sample_is_used():
    X = np.random.default_rng(0).normal(size=(50, 1))
    model = ESNTransformer(target="step", reservoir_size=10, bias_scaling=0.0, random_state=0)
    states = model.fit_transform(X)
    assert_allclose(states[0], np.tanh(model.layers_[0].input_weights @ X[0]), atol=1e-14)


def test_time_scales_are_dealt_out_evenly():
    model = ESNTransformer(reservoir_size=5, density=0.9, leak_rate=(0.1, 1.0), random_state=0)
    assert_array_equal(model.fit(ragged()).layers_[0].leak_rate, [0.1, 0.1, 0.1, 1.0, 1.0])


def test_names_of_features():
    X = ragged()
    model = ESNTransformer(reservoir_size=10, density=0.5, n_slices=2, random_state=0).fit(X)
    names = model.get_feature_names_out()
    assert len(names) == model.transform(X).shape[1] == 20
    assert names[0] == "esntransformer0"
    assert not hasattr(model.set_params(target="step"), "get_feature_names_out")


def test_symbols_are_refused():
    with pytest.raises(ValueError, match="takes numbers"):
        ESNClassifier().fit(["abc", "de"], [0, 1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"spectral_radius": -0.1}, "spectral_radius"),
        ({"leak_rate": 0.0}, "leak_rate"),
        ({"leak_rate": 1.5}, "leak_rate"),
        ({"leak_rate": (0.5, 0.0)}, r"leak_rate=\(0.5, 0.0\)"),
        ({"leak_rate": (0.5,) * 21}, "leak_rate has 21 time scales"),
        ({"input_scaling": (1.0, 2.0, 3.0)}, "input_scaling.*the 2 features"),
        ({"input_scaling": (1.0, -2.0)}, "input_scaling"),
        ({"input_scaling": (1.0, np.inf)}, "input_scaling.*not finite"),
        ({"topology": "hadamard"}, "power of two"),
        ({"density": 0.0}, "density"),
        ({"density": 0.9, "topology": "blocks"}, r"density=0.9.*topology='blocks'.*at most 0.325"),
        ({"topology": "jumps", "reservoir_size": 8}, "topology='jumps'.*more than 10 units, got 8"),
        (
            {"density": 0.0025, "random_state": 0},
            "no cycle. Raise the density or",
        ),
        ({"device": "abacus"}, "abacus.*is not a device"),
        ({"washout": 9}, "sequence 0 has 9 steps, but washout=9"),
        ({"washout": 9, "target": "step"}, "sequence 0 has 9 steps, but washout=9"),
        ({"n_slices": 10}, "sequence 0 has 9 steps, but washout=0 and n_slices=10"),
    ],
)
def test_bad_parameters_are_named(params, message):
    X = ragged()
    y = [x[:, 0] for x in X] if "target" in params else np.arange(len(X))
    with pytest.raises(ValueError, match=message):
        ESNRegressor(**({"reservoir_size": 20} | params)).fit(X, y)


def test_steps_of_sequences_within_the_washout_are_predicted():
    X = ragged()
    model = ESNRegressor(target="step", reservoir_size=20, washout=5, random_state=0)
    model.fit(X, [x[:, 0] for x in X])
    assert model.predict([X[0][:2]])[0].shape == (2,)
