"""Regularizers of recurrent estimators: what they do to a fit, and what they leave alone."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier
from torch import nn

from sklseq.datasets import make_temporal_order
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    RecurrentTransformer,
    RNNClassifier,
)
from sklseq.recurrent._regularization import with_penalties

PENALTIES = ("flow_regularizer", "activation_penalty", "temporal_activation_penalty")
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def sequences(n=20, seed=0):
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(2, 9), 2)) for _ in range(n)]
    return X, np.array([x[:, 0].sum() for x in X])


def states_of(model, X):
    """States of each sequence."""
    network = model.module_.eval()
    data = model._read_fitted(X)
    rows = model._rows(data, next(network.parameters()))
    with torch.no_grad():
        steps, packing = rows.inputs(np.arange(len(rows)))
        states, _ = network.states(steps, packing)
    return np.split(states[packing.to_stacked].numpy(), np.cumsum(data.lengths)[:-1])


# -- penalties -----------------------------------------------------------------------------


def test_without_penalties_the_objective_is_the_loss_itself():
    model = GRURegressor()
    assert with_penalties(model, model._objective) == model._objective


@each_penalty
@pytest.mark.parametrize("cell", ["rnn", "lstm", "leaky", nn.GRUCell], ids=str)
def test_a_penalty_grows_the_training_loss_and_not_that_of_validation(penalty, cell):
    X, y = sequences()
    fits = [
        RecurrentRegressor(
            cell=cell,
            hidden_size=4,
            max_epochs=1,
            batch_size=50,
            learning_rate=1e-30,
            early_stopping=True,
            random_state=0,
            **{penalty: weight},
        ).fit(X, y)
        for weight in (0, 1, 2)
    ]
    plain, once, twice = (model.loss_curve_[0] for model in fits)
    assert once > plain + 1e-6
    np.testing.assert_allclose(twice - plain, 2 * (once - plain), rtol=1e-3)
    assert len({model.validation_scores_[0] for model in fits}) == 1


@each_penalty
@pytest.mark.parametrize("target", ["sequence", "step"])
def test_a_weight_is_a_number_of_copies(penalty, target):
    X, y = sequences(6)
    if target == "step":
        y = [x.sum(axis=1) for x in X]
    setting = {
        "target": target,
        "hidden_size": 3,
        "max_epochs": 3,
        "batch_size": 100,
        "dtype": "float64",
        "random_state": 0,
        penalty: 0.5,
    }
    copies = [0, 1, 2, 1, 1, 3]
    weights = (
        copies if target == "sequence" else [[c] * len(x) for c, x in zip(copies, X, strict=True)]
    )
    weighted = GRURegressor(**setting).fit(X, y, sample_weight=weights)
    rows = np.repeat(np.arange(6), copies)
    # A single batch is read in its order, so that only the sums are in another one.
    copied = GRURegressor(**setting).fit([X[i] for i in rows], [y[i] for i in rows])
    np.testing.assert_allclose(weighted.loss_curve_, copied.loss_curve_, rtol=1e-9)


def test_what_is_penalized_becomes_small():
    X, y = sequences(60)
    setting = {"hidden_size": 8, "max_epochs": 20, "random_state": 0}
    plain = GRURegressor(**setting).fit(X, y)
    small = GRURegressor(activation_penalty=10, **setting).fit(X, y)
    smooth = GRURegressor(temporal_activation_penalty=10, **setting).fit(X, y)

    def size(model):
        return np.mean([np.square(s).mean() for s in states_of(model, X)])

    def change(model):
        return np.mean([np.square(np.diff(s, axis=0)).mean() for s in states_of(model, X)])

    assert size(small) < size(plain) / 4
    assert change(smooth) < change(plain) / 4


def test_the_flow_regularizer_keeps_gradients_from_vanishing():
    X, y = make_temporal_order(100, 30, random_state=0)
    setting = {"hidden_size": 16, "embedding_size": 4, "max_epochs": 20, "random_state": 0}

    def share_that_arrives(model):
        network = model.module_
        rows = model._rows(model._read_fitted(X), next(network.parameters()))
        steps, packing = rows.inputs(np.arange(20))
        x = network.embedded(steps).detach().requires_grad_()
        states, _ = network.stack(x[packing.to_packed], packing)
        network.pooled(states, packing).sum().backward()
        norms = x.grad.reshape(20, 30, -1).norm(dim=2).mean(dim=0)
        return float(norms[0] / norms[-1])

    plain = RNNClassifier(**setting).fit(X, y)
    kept = RNNClassifier(flow_regularizer=2, **setting).fit(X, y)
    assert share_that_arrives(plain) < 1e-3
    assert share_that_arrives(kept) > 0.05


def test_line_search_and_the_flow_regularizer_do_not_go_together():
    X, y = sequences()
    with pytest.raises(ValueError, match=r"flow_regularizer=2.*lbfgs.*'adam'"):
        GRURegressor(flow_regularizer=2, solver="lbfgs").fit(X, y)
    GRURegressor(activation_penalty=1, solver="lbfgs", max_epochs=1).fit(X, y)


# -- noise ---------------------------------------------------------------------------------


def test_recurrent_dropout_names_the_cell_that_it_does_not_suit():
    X, y = sequences()
    with pytest.raises(ValueError, match=r"recurrent_dropout=0\.2.*GRUCell"):
        RecurrentRegressor(cell=nn.GRUCell, recurrent_dropout=0.2).fit(X, y)


def test_training_goes_on_with_the_same_noise_alone():
    X, y = sequences()
    model = GRURegressor(zoneout=0.1, max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"zoneout was 0\.1, now 0\.2"):
        model.set_params(zoneout=0.2).fit(X, y)


@pytest.mark.filterwarnings("ignore:dropout_mask:UserWarning")
@settings(max_examples=6, deadline=None)
@given(
    cls=st.sampled_from([GRUClassifier, LSTMRegressor, RecurrentClassifier, RecurrentTransformer]),
    setting=st.fixed_dictionaries(
        {
            "target": st.sampled_from(["sequence", "step"]),
            "num_layers": st.integers(1, 2),
            "bidirectional": st.booleans(),
            "dropout": st.sampled_from([0.0, 0.3]),
            "dropout_mask": st.sampled_from(["step", "sequence"]),
            "recurrent_dropout": st.sampled_from([0.0, 0.3]),
            "zoneout": st.sampled_from([0.0, 0.3]),
            "activation_penalty": st.sampled_from([0.0, 0.1]),
            "temporal_activation_penalty": st.sampled_from([0.0, 0.1]),
            "flow_regularizer": st.sampled_from([0.0, 0.1]),
            "batch_size": st.integers(1, 9),
        }
    ),
)
def test_all_go_together(cls, setting):
    X, y = sequences(9)
    if setting["target"] == "step":
        y = [x[:, 0] for x in X]
    if is_classifier(cls()):
        y = [np.sign(v) for v in y] if setting["target"] == "step" else np.sign(y)
    y = None if cls is RecurrentTransformer else y
    noise = torch.random.get_rng_state()
    a, b = (cls(hidden_size=4, max_epochs=2, random_state=0, **setting) for _ in range(2))
    a.fit(X, y)
    b.fit(X, y)
    assert a.loss_curve_ == b.loss_curve_
    assert torch.equal(noise, torch.random.get_rng_state())
    method = "transform" if cls is RecurrentTransformer else "predict"
    found = getattr(a, method)(X)
    again = getattr(pickle.loads(pickle.dumps(a)), method)(X)
    for i, x in enumerate(X):
        np.testing.assert_array_equal(found[i], again[i])
        np.testing.assert_array_equal(getattr(a, method)([x])[0], found[i])
