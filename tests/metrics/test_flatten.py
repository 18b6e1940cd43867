"""Flat steps and nodes: what scikit-learn's reports take, without what has no target."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from numpy.testing import assert_array_equal
from sklearn.metrics import accuracy_score, classification_report, log_loss, r2_score

from sklseq.metrics import flatten_nodes, flatten_steps, masked_r2_score, step_accuracy_score
from sklseq.recurrent import GRUClassifier
from sklseq.recursive import RecursiveClassifier
from tests.metrics.test_step_metrics import few, panels, ragged, stacked


@given(panels())
@few
def test_flat_steps_are_those_with_a_target(drawn):
    y_true, y_pred, weights = drawn
    expected = stacked(y_true, y_pred, weights)
    for found, known in zip(
        flatten_steps(ragged(y_true), y_pred, sample_weight=weights), expected, strict=True
    ):
        assert_array_equal(found, known)
    flat = flatten_steps(y_true, ragged(y_pred))
    assert accuracy_score(*flat) == step_accuracy_score(y_true, y_pred)


def test_reports_of_a_classifier_of_steps():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (3, 5, 4)]
    y = [np.where(x[:, 0] > 0, "up", "down").astype(object) for x in X]
    y[1][2] = None
    model = GRUClassifier(target="step", max_epochs=1, hidden_size=4, random_state=0).fit(X, y)
    y_true, y_pred = flatten_steps(y, model.predict(X))
    assert len(y_true) == 11
    assert y_true.dtype.kind == y_pred.dtype.kind == "U"
    assert accuracy_score(y_true, y_pred) == model.score(X, y)
    assert "up" in classification_report(y_true, y_pred, zero_division=0)
    y_true, probabilities = flatten_steps(y, model.predict_proba(X))
    assert probabilities.shape == (11, 2)
    assert log_loss(y_true, probabilities) > 0


def test_several_outputs_of_a_step_are_all_there_or_it_is_left_out():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 3, 4, 2))
    y_true[0, 1, 1] = np.nan
    flat = flatten_steps(y_true, y_pred)
    assert flat[0].shape == flat[1].shape == (11, 2)
    y_true[0, 1] = np.nan
    assert r2_score(*flat) == pytest.approx(masked_r2_score(y_true, y_pred))
    frames = (pd.DataFrame(values.reshape(12, 2)) for values in (y_true, y_pred))
    for a, b in zip(flatten_steps(*frames), flat, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([[0, 1], [1]], [[0, 1], [1, 0]], "y_pred, sequence 1 has 2 values"),
        ([[0, 1], [1]], [[0, 1]], "1 sequences"),
        ([[0, None], [1]], [[0, 1], [None]], "sequence 1, step 0"),
        ([[None], [None]], [[0], [1]], "no labeled step"),
    ],
)
def test_steps_that_do_not_match(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        flatten_steps(y_true, y_pred)


TREES = [("and", ("not", "x"), "y"), ("or", "x", "y"), ("x",)]
LABELS = [(1, (0, 1), None), (1, 1, 1), (0,)]


def test_weights_of_steps_without_a_target_do_not_matter():
    y_true, y_pred = [[0, 1], [1, None]], [[0, 1], [0, 1]]
    score = step_accuracy_score(y_true, y_pred, sample_weight=[[1, 1], [1, np.nan]])
    assert score == pytest.approx(2 / 3)
    for weighted in (flatten_steps, step_accuracy_score):
        with pytest.raises(ValueError, match="zero throughout"):
            weighted(y_true, y_pred, sample_weight=[[0, 0], [0, 1]])


def test_flat_nodes_are_those_with_a_target():
    model = RecursiveClassifier(target="node", max_epochs=1, random_state=0).fit(TREES, LABELS)
    predicted = model.predict(TREES)
    flat = flatten_nodes(LABELS, predicted)
    assert_array_equal(flat[0], [1, 0, 1, 1, 1, 1, 0])
    assert accuracy_score(*flat) == model.score(TREES, LABELS)
    in_a_row = [[1, 0, 1, None], [1, 1, 1], [0]]
    for a, b in zip(flatten_nodes(in_a_row, predicted), flat, strict=True):
        assert_array_equal(a, b)
    assert flatten_nodes(LABELS, model.predict_proba(TREES))[1].shape == (7, 2)
    of_trees = flatten_nodes(LABELS, predicted, sample_weight=[1, 2, 3])[2]
    assert_array_equal(of_trees, [1, 1, 1, 2, 2, 2, 3])
    of_nodes = [(1, (2, 3), 4), (5, 6, 7), (8,)]
    assert_array_equal(
        flatten_nodes(LABELS, predicted, sample_weight=of_nodes)[2], [1, 2, 3, 5, 6, 7, 8]
    )


@pytest.mark.parametrize(
    ("y_pred", "message"),
    [
        ([(1, 0, 1, 0), (1, 1, 1), (0,)], "y_pred, tree 0 has another shape"),
        ([(1, (0, 1), 0), [1, 1], (0,)], "y_pred, tree 1 has 2 values, but y_true has 3 nodes"),
        ([(1, (0, 1), 0)], "y_pred has 1 trees, but y_true has 3"),
        ([(1, (0, 1), 0), (1, None, 1), (0,)], "tree 1, node 1: the prediction is None"),
    ],
)
def test_nodes_that_do_not_match(y_pred, message):
    with pytest.raises(ValueError, match=message):
        flatten_nodes(LABELS, y_pred)
