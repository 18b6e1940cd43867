"""Depth, normalization and initialization as parameters of estimators."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.stack import SKIPS
from sklseq.recurrent import (
    GRUClassifier,
    LSTMRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    RecurrentTransformer,
    RNNClassifier,
)
from sklseq.reservoir import ESNRegressor

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
DEEP = {
    "num_layers": 2,
    "bidirectional": True,
    "skip_connections": "dense",
    "normalization": "batch",
    "input_layer_sizes": (5,),
    "output_layer_sizes": [6, 3],
    "feedforward_activation": "tanh",
    "dropout": 0.2,
    "init": "orthogonal",
    "forget_bias": "chrono",
}


def sequences(n=20, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(i % 2, 0.5, size=(rng.integers(1, 7), 2)) for i in range(n)]
    return X, np.arange(n) % 2


def weights(model):
    return {name: value.clone() for name, value in model.module_.state_dict().items()}


def same(a, b, bound=0.0):
    return a.keys() == b.keys() and all(
        torch.allclose(a[name], b[name], rtol=0, atol=bound) for name in a
    )


@pytest.mark.parametrize("target", ["sequence", "step"])
def test_a_deep_model_is_trained_stored_and_goes_on(target):
    X, y = sequences()
    if target == "step":
        y = [x[:, 0] for x in X]
    model = LSTMRegressor(target=target, **SMALL | DEEP).fit(X, y)
    stored = pickle.loads(pickle.dumps(model))
    for a, b, alone in zip(model.predict(X), stored.predict(X), X, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, model.predict([alone])[0])
    before = weights(model)
    model.partial_fit(X, y)
    stored.partial_fit(X, y)
    assert same(weights(model), weights(stored))
    averages = [name for name in before if "running_mean" in name]
    assert len(averages) == 7  # two layers and directions, and three feed-forward layers
    assert not any(torch.equal(before[name], weights(model)[name]) for name in averages)
    assert int(weights(model)["stack.norms.0.num_batches_tracked"]) == 3  # batches of 32 rows
    again = clone(model).fit(X, y)
    assert same(weights(again), before)


def test_all_options_can_be_searched():
    X, y = sequences(24)
    grid = [
        {"skip_connections": [None, "residual", "dense"], "normalization": [None, "layer"]},
        {"input_layer_sizes": [(), (3,), [4, 2]], "output_layer_sizes": [(), np.array([3])]},
        {"init": ["esn"], "spectral_radius": np.array([0.5, 1.1])},
        {"forget_bias": [None, 1, np.float32(2), "chrono"], "cell": ["lstm"]},
        {
            "cell": ["deep_transition"],
            "cell_options": [{"layer_sizes": (n,), "shortcut": s} for n in (3, 5) for s in (0, 1)],
        },
    ]
    search = GridSearchCV(
        RecurrentClassifier(num_layers=2, **SMALL | {"max_epochs": 1}),
        grid,
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == (24,)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"spectral_radius": 0.5}, r"spectral_radius=0\.5 has no effect without init='esn'"),
        ({"dropout_mask": "sequence"}, "dropout_mask='sequence' has no effect without a dropout"),
        ({"skip_connections": "residual"}, "skip_connections='residual' .* without num_layers"),
        ({"skip_connections": "dense"}, "skip_connections='dense' .* without num_layers"),
        ({"teacher_forcing": 0.5}, r"teacher_forcing=0\.5 has no effect without cell='jordan'"),
        ({"teacher_forcing_schedule": "linear"}, "teacher_forcing_schedule='linear' has no"),
        ({"time_parallel": True, "cell": "minimal"}, "time_parallel=True has no effect without ce"),
    ],
)
def test_parameters_without_effect_are_warned_of(setting, message):
    """And change nothing, so that searches may go over all combinations."""
    X, y = sequences()
    plain = RecurrentClassifier(**SMALL | {"max_epochs": 1})
    with pytest.warns(UserWarning, match=message) as caught:
        model = clone(plain).set_params(**setting).fit(X, y)
    assert len(caught) == 1
    plain.set_params(cell=model.cell)
    assert same(weights(model), weights(plain.fit(X, y)))


def test_a_series_can_be_normalized_though_it_is_the_only_one():
    X = np.random.default_rng(0).normal(size=(80, 1))
    y = X[:, 0].cumsum() > 0
    model = GRUClassifier(target="step", normalization="batch", random_state=0).fit(X, y)
    assert model.score(X, y) > 0.9


def test_the_start_is_drawn_from_random_state_in_fresh_fits_alone():
    X, y = sequences()
    settings = {"learning_rate": 1e-30, "init": "orthogonal", "forget_bias": "chrono"}
    model = GRUClassifier(**SMALL | settings).fit(X, y)
    start = weights(model)
    block = start["stack.forward_layers.0.rnn.weight_hh_l0"][:4]
    torch.testing.assert_close(block @ block.T, torch.eye(4))
    assert same(weights(clone(model).fit(X, y)), start)
    assert not same(weights(clone(model).set_params(random_state=1).fit(X, y)), start)
    model.partial_fit(X, y)
    assert same(weights(model), start, 1e-20)
    model.set_params(warm_start=True, init="identity", forget_bias=None).fit(X, y)
    assert same(weights(model), start, 1e-20)


def test_the_time_scales_of_chrono_follow_the_longest_training_sequence():
    for length in (20, 2000):
        X = [np.zeros((length, 1)), np.zeros((5, 1))]
        model = GRUClassifier(
            hidden_size=100, learning_rate=1e-30, max_epochs=1, forget_bias="chrono", random_state=0
        ).fit(X, [0, 1])
        keep = weights(model)["stack.forward_layers.0.rnn.bias_ih_l0"][100:200].exp()
        assert keep.min() >= 1
        assert 0.9 * length < keep.max() <= length - 1


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_cell_cannot_start_with_is_refused_by_name(cell):
    X, y = sequences()
    for params in ({"init": "orthogonal"}, {"forget_bias": 1.0}):
        model = RecurrentClassifier(cell=cell, **SMALL | params)
        refused = None
        try:
            model.fit(X, y)
        except ValueError as error:
            refused = str(error)
        assert hasattr(model, "module_") == (refused is None)
        assert refused is None or (next(iter(params)) in refused and repr(cell) in refused)
    with pytest.raises(ValueError, match=r"forget_bias=1\.0: cell 'rnn' has no gate"):
        RNNClassifier(forget_bias=1.0).fit(X, y)


def test_settings_that_undo_each_other_are_refused():
    X, y = sequences()
    scales = {"cell": "mingru", "cell_options": {"time_scales": (1, 9)}, "forget_bias": 1.0}
    with pytest.raises(ValueError, match="time_scales of cell_options set the same"):
        RecurrentClassifier(**SMALL | scales).fit(X, y)
    for narrow in ({"hidden_size": 1}, {"output_layer_sizes": (3, 1)}):
        with pytest.raises(ValueError, match="over a layer of one unit"):
            GRUClassifier(**SMALL | narrow | {"normalization": "layer"}).fit(X, y)


def test_another_architecture_does_not_go_on():
    X, y = sequences()
    model = GRUClassifier(warm_start=True, **SMALL).fit(X, y)
    for change in ({"normalization": "layer"}, {"output_layer_sizes": (3,)}):
        with pytest.raises(ValueError, match=f"{next(iter(change))} was"):
            clone(model).fit(X, y).set_params(**change).fit(X, y)
    with pytest.raises(ValueError, match=r"input_layer_sizes=\(0,\) holds 0"):
        GRUClassifier(input_layer_sizes=(0,)).fit(X, y)


@pytest.mark.parametrize("skip", [None, "residual", "dense"])
def test_features_of_a_transformer(skip):
    X, _ = sequences()
    X = [x for x in X if len(x) > 1]
    model = RecurrentTransformer(**SMALL | DEEP | {"skip_connections": skip, "forget_bias": None})
    features = model.fit_transform(X)
    assert features.shape == (len(X), 16 if skip == "dense" else 8)
    assert len(model.get_feature_names_out()) == features.shape[1]


def test_a_network_from_a_reservoir_has_no_other_parts():
    X = np.random.default_rng(0).uniform(size=(50, 1))
    esn = ESNRegressor(target="step", reservoir_size=5, random_state=0).fit(X, X[:, 0])
    sizes = np.array([8, 4])
    for params in (
        {"normalization": "layer"},
        {"init": "orthogonal"},
        {"input_layer_sizes": sizes},
    ):
        with pytest.raises(ValueError, match=next(iter(params))):
            RecurrentRegressor.from_reservoir(esn, **params)
    RecurrentRegressor.from_reservoir(esn, input_layer_sizes=[])


@settings(max_examples=8, deadline=None)
@given(
    cell=st.sampled_from([*CELLS]),
    skip_connections=st.sampled_from([None, *SKIPS]),
    normalization=st.sampled_from([None, "batch", "layer"]),
    sizes=st.sampled_from([(), (3,)]),
    tbptt_steps=st.sampled_from([None, 1, 5]),
    cut=st.integers(1, 10),
)
def test_deep_networks_are_trained_in_segments_and_streamed(
    cell, sizes, tbptt_steps, cut, **architecture
):
    X = np.random.default_rng(0).normal(size=(3, 12, 2))
    model = RecurrentRegressor(
        cell=cell,
        target="step",
        num_layers=2,
        input_layer_sizes=sizes,
        output_layer_sizes=sizes,
        tbptt_steps=tbptt_steps,
        **SMALL,
        **architecture,
    ).fit(X, X.cumsum(axis=1))
    stream = model.stream()
    chunks = [stream.predict(part) for part in (X[0, :cut], X[0, cut : cut + 1], X[0, cut + 1 :])]
    np.testing.assert_allclose(np.concatenate(chunks), model.predict(X)[0], atol=1e-5)
