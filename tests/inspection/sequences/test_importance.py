"""Importance of steps and features: closed forms, completeness, containers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklseq.inspection import sequence_permutation_importance, step_importance
from sklseq.preprocessing import PerStep
from sklseq.recurrent import (
    GRUClassifier,
    GRURegressor,
    LSTMClassifier,
    LSTMRegressor,
    RecurrentRegressor,
    RecurrentTransformer,
)
from sklseq.reservoir import ESNClassifier

RNG = np.random.default_rng(0)
DENSE = RNG.normal(1, 2, size=(8, 5, 3))
RAGGED = [RNG.normal(size=(n, 3)) for n in (4, 2, 5, 3, 6, 1)]
METHODS = ["occlusion", "integrated_gradients"]
SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}


def linear():
    """A network whose prediction is the sum over steps of w . x, halved at each step back."""
    model = RecurrentRegressor(
        cell="rnn",
        cell_options={"activation": "relu"},
        dtype="float64",
        **(SHORT | {"hidden_size": 1}),
    ).fit(DENSE, DENSE[:, 0, 0])
    rnn, weights = model.module_.stack.forward_layers[0].rnn, torch.tensor([[1.0, -2.0, 0.0]])
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(weights)
        rnn.weight_hh_l0.fill_(0.5)
        rnn.bias_ih_l0.fill_(100.0)  # relu is the identity there
        rnn.bias_hh_l0.zero_()
    return model, weights.numpy()[0]


@pytest.mark.parametrize("method", METHODS)
def test_importance_of_a_linear_network_in_closed_form(method):
    model, weights = linear()
    found = step_importance(model, DENSE, method=method)
    scale = model.module_.head.weight.item() * model.target_scale_[0]
    standardized = (DENSE - model.feature_mean_) / model.feature_scale_
    decay = 0.5 ** np.arange(4, -1, -1)
    assert_allclose(found, scale * standardized * weights * decay[:, None], atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "mingru", "clockwork"])
def test_integrated_gradients_sum_to_the_change_of_the_prediction(cell):
    y = np.array([x.sum() for x in RAGGED])
    model = RecurrentRegressor(cell=cell, dtype="float64", **SHORT).fit(RAGGED, y)
    found = step_importance(model, RAGGED, method="integrated_gradients", baseline=[1.0, 0.0, -1.0])
    empty = [np.tile([1.0, 0.0, -1.0], (len(x), 1)) for x in RAGGED]
    assert_allclose(
        [one.sum() for one in found], model.predict(RAGGED) - model.predict(empty), atol=1e-5
    )
    assert [one.shape for one in found] == [x.shape for x in RAGGED]


@pytest.mark.parametrize("method", METHODS)
def test_the_explained_class_is_the_predicted_one_unless_given(method):
    y = np.array(["a", "b", "c"] * 2)
    model = GRUClassifier(**SHORT).fit(RAGGED, y)
    own = step_importance(model, RAGGED, method=method)
    of = {c: step_importance(model, RAGGED, method=method, output=c) for c in "abc"}
    for i, label in enumerate(model.predict(RAGGED)):
        assert_allclose(own[i], of[label][i], atol=1e-6)
    # Probabilities sum to one.
    assert_allclose(of["a"][0] + of["b"][0] + of["c"][0], 0, atol=1e-5)
    with pytest.raises(ValueError, match="output='d' is no class"):
        step_importance(model, RAGGED, output="d")


def test_occlusion_is_the_fall_of_the_prediction_by_hand():
    model = LSTMRegressor(**SHORT).fit(DENSE, DENSE[:, 0, :2])
    found = step_importance(model, DENSE, output=1, baseline=[0.0, 1.0, 2.0])
    other = DENSE.copy()
    other[:, 3, 2] = 2.0
    expected = model.predict(DENSE)[:, 1] - model.predict(other)[:, 1]
    assert_allclose(found[:, 3, 2], expected, atol=1e-6)
    with pytest.raises(ValueError, match="2 outputs"):
        step_importance(model, DENSE)


@pytest.mark.parametrize("method", METHODS)
def test_of_steps_one_prediction_is_explained(method):
    model = GRURegressor(target="step", dtype="float64", **SHORT).fit(DENSE, DENSE[..., 0])
    found = step_importance(model, DENSE, step=2, method=method)
    assert found.shape == DENSE.shape
    # What comes later is not known yet.
    assert_allclose(found[:, 3:], 0, atol=1e-12)
    assert np.abs(found[:, :3]).min(axis=0).max() > 0
    assert_allclose(found, step_importance(model, DENSE, step=-3, method=method))
    with pytest.raises(ValueError, match="step=5"):
        step_importance(model, DENSE, step=5)
    assert step_importance(model, DENSE[0], method=method).shape == DENSE[0].shape


@pytest.mark.parametrize("method", METHODS)
def test_symbols_have_an_importance_each(method):
    words = ["abc", "ca", "b", "cab"] * 2
    model = LSTMClassifier(**SHORT).fit(words, [0, 1] * 4)
    found = step_importance(model, words, method=method)
    assert [one.shape for one in found] == [(len(word),) for word in words]


def test_tables_of_univariate_sequences_keep_their_shape():
    table = DENSE[:, :, 0]
    model = GRURegressor(**SHORT).fit(table, table[:, 0])
    assert step_importance(model, table).shape == table.shape


def test_any_classifier_of_sequences_can_be_occluded():
    model = ESNClassifier(reservoir_size=20, random_state=0).fit(RAGGED, [0, 1] * 3)
    found = step_importance(model, RAGGED)
    assert [one.shape for one in found] == [x.shape for x in RAGGED]
    with pytest.raises(TypeError, match="ESNClassifier"):
        step_importance(model, RAGGED, method="integrated_gradients")


def test_context_is_kept():
    context = RNG.normal(size=(8, 2))
    model = GRURegressor(**SHORT).fit(DENSE, DENSE[:, 0, 0], context=context)
    for method in METHODS:
        found = step_importance(model, DENSE, context=context, method=method)
        alone = step_importance(model, DENSE[3:4], context=context[3:4], method=method)
        assert_allclose(found[3:4], alone, atol=1e-6)


def test_what_has_no_prediction_is_refused():
    with pytest.raises(TypeError, match="RecurrentTransformer"):
        step_importance(RecurrentTransformer(**SHORT).fit(RAGGED), RAGGED)
    with pytest.raises(TypeError, match="LinearRegression"):
        step_importance(LinearRegression().fit([[0.0], [1.0]], [0, 1]), RAGGED)
    with pytest.raises(NotFittedError):
        step_importance(GRURegressor(), RAGGED)
    model = GRURegressor(loss="poisson", **SHORT).fit(DENSE, np.arange(8.0))
    with pytest.raises(ValueError, match="occlusion"):
        step_importance(model, DENSE, method="integrated_gradients")
    with pytest.raises(ValueError, match="baseline"):
        step_importance(model, DENSE, baseline=[0.0])
    with pytest.raises(ValueError, match="method='shap'"):
        step_importance(model, DENSE, method="shap")


# -- permutation ---------------------------------------------------------------------------


def last_step(X):
    return np.stack([x[-1] for x in X])


def of_last_step():
    """A pipeline that sees the last step alone, in scikit-learn's own parts."""
    return make_pipeline(FunctionTransformer(last_step), LinearRegression())


def test_is_that_of_scikit_learn_where_this_has_one():
    y = DENSE[:, -1, 0] + 0.1 * DENSE[:, -1, 1]
    model = of_last_step().fit(DENSE, y)
    found = sequence_permutation_importance(model, DENSE, y, n_repeats=40, random_state=0)
    other = permutation_importance(model[-1], DENSE[:, -1], y, n_repeats=40, random_state=0)
    assert_allclose(found.importances_mean, other.importances_mean, rtol=0.3, atol=0.02)
    assert found.importances.shape == (3, 40)
    assert_allclose(found.importances_std, found.importances.std(axis=1))


@pytest.mark.parametrize("given", [DENSE, list(DENSE), RAGGED], ids=["dense", "list", "ragged"])
def test_what_is_not_used_has_no_importance(given):
    y = np.array([x[-1, 1] for x in given])
    model = of_last_step().fit(given, y)
    found = sequence_permutation_importance(model, given, y, random_state=0)
    assert_allclose(found.importances_mean[[0, 2]], 0, atol=1e-12)
    assert found.importances_mean[1] > 0.3
    if given is not RAGGED:
        steps = sequence_permutation_importance(model, given, y, unit="step", random_state=0)
        assert_allclose(steps.importances_mean[:-1], 0, atol=1e-12)
        assert steps.importances_mean[-1] > 0.3


def test_same_random_state_same_result_and_X_is_left_alone():
    X, y = DENSE.copy(), DENSE[:, -1, 0]
    model = make_pipeline(PerStep(), GRURegressor(**SHORT)).fit(X, y)
    results = [
        sequence_permutation_importance(
            model, X, y, scoring="neg_mean_absolute_error", random_state=3
        ).importances
        for _ in range(2)
    ]
    assert_allclose(*results, atol=0)
    assert_allclose(X, DENSE, atol=0)


def test_one_series_is_shuffled_in_time():
    series = RNG.normal(size=(40, 2))
    model = GRURegressor(target="step", **SHORT).fit(series, series[:, 0])
    found = sequence_permutation_importance(model, series, series[:, 0], random_state=0)
    assert found.importances.shape == (2, 5)
    pipeline = make_pipeline(FunctionTransformer(), model)
    of_pipeline = sequence_permutation_importance(pipeline, series, series[:, 0], random_state=0)
    assert_allclose(of_pipeline.importances, found.importances, atol=0)
    with pytest.raises(ValueError, match="one sequence"):
        sequence_permutation_importance(model, series, series[:, 0], unit="step")


def test_what_cannot_be_permuted_is_refused():
    model = of_last_step().fit(DENSE, DENSE[:, 0, 0])
    with pytest.raises(ValueError, match="unit='pixel'"):
        sequence_permutation_importance(model, DENSE, DENSE[:, 0, 0], unit="pixel")
    with pytest.raises(ValueError, match="n_repeats=0"):
        sequence_permutation_importance(model, DENSE, DENSE[:, 0, 0], n_repeats=0)
    words = LSTMClassifier(**SHORT).fit(["ab", "ba"] * 3, [0, 1] * 3)
    with pytest.raises(TypeError, match="symbols"):
        sequence_permutation_importance(words, ["ab", "ba"], [0, 1])
