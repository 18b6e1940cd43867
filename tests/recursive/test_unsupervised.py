"""Embeddings of trees and the autoencoder."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from sklseq.data import flatten_labels, read_forest
from sklseq.recursive import RecursiveAutoencoder, RecursiveTransformer

from .test_supervised import data

EACH = pytest.mark.parametrize("cls", [RecursiveTransformer, RecursiveAutoencoder])


def quick(cls, **params):
    settings = {"hidden_size": 8, "max_epochs": 2, "learning_rate": 0.02, "random_state": 0}
    return cls(**settings | params)


@EACH
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_engines_and_batches_agree(cls, dtype, tolerance):
    X, _, _ = data(12)
    model = quick(cls, dtype=dtype).fit(X)
    expected = model.transform(X)
    assert expected.shape == (12, 8)
    alone = np.concatenate([model.transform([tree]) for tree in X])
    assert_allclose(alone, expected, atol=tolerance, rtol=0)
    twin = model.set_params(engine="recursive").transform(X)
    assert_allclose(twin, expected, atol=tolerance, rtol=0)


def test_vectors_tell_what_the_trees_are():
    X, y, _ = data(300)
    model = make_pipeline(
        quick(RecursiveTransformer, hidden_size=16, max_epochs=10),
        LogisticRegression(max_iter=1000),
    )
    assert model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.7


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_vectors_of_nodes_in_the_shape_of_the_tree(direction):
    X, _, _ = data(10)
    model = quick(RecursiveTransformer, target="node", direction=direction).fit(X)
    vectors = model.transform(X)
    size = 16 if direction == "both" else 8
    assert [len(v) for v in vectors] == [len(t) for t in X]
    assert vectors[0][0].shape == (size,)
    if direction == "up":  # a tree's vector is its root's
        roots = model.set_params(target="tree").transform(X)
        assert_array_equal(np.stack([v[0] for v in vectors]), roots)


def test_a_tree_error_is_the_mean_of_its_nodes():
    X, _, _ = data(10)
    model = quick(RecursiveAutoencoder, dtype="float64").fit(X)
    errors = model.node_errors(X)
    for tree, of_nodes, score in zip(X, errors, model.score_samples(X), strict=True):
        flat = flatten_labels([of_nodes], read_forest([tree]))
        assert_allclose(-flat.mean(), score, atol=1e-12)


def test_the_odd_trees_are_found():
    rng = np.random.default_rng(0)
    usual = [("f", ("x",), ("g", (str(rng.choice(list("xy"))),))) for _ in range(200)]
    odd = [("g", ("f",), ("x", ("y",), ("x",)))] * 20
    model = quick(RecursiveAutoencoder, max_epochs=20).fit(usual)
    scores = model.score_samples([*usual, *odd])
    assert roc_auc_score([1] * 200 + [0] * 20, scores) == 1
    assert (model.predict(odd) == -1).all()


def test_features_are_scaled_and_missing_ones_stay_zero():
    rng = np.random.default_rng(0)
    X = [("+", float(a), ("-", float(b))) for a, b in rng.normal(5, 3, size=(50, 2))]
    for cls in (RecursiveTransformer, RecursiveAutoencoder):
        model = quick(cls, dtype="float64").fit(X)
        moved = [("+", 1000 + a, ("-", 1000 + b)) for _, a, (_, b) in X]
        again = quick(cls, dtype="float64").fit(moved)
        assert_allclose(model.transform(X), again.transform(moved), atol=1e-6)


@EACH
def test_one_weight_for_all_is_none(cls):
    X, _, _ = data(12)
    model, twin = quick(cls).fit(X), quick(cls).fit(X, sample_weight=2.0)
    assert_array_equal(model.transform(X), twin.transform(X))
    assert getattr(model, "offset_", None) == getattr(twin, "offset_", None)


def test_the_trained_model_is_kept_when_the_offset_is_interrupted(monkeypatch):
    X, _, _ = data(12)
    calls = []

    def interrupted(self, data):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return score(self, data)

    score = RecursiveAutoencoder._score
    monkeypatch.setattr(RecursiveAutoencoder, "_score", interrupted)
    with pytest.warns(ConvergenceWarning, match="once more"):
        model = quick(RecursiveAutoencoder).fit(X)
    assert model.offset_ == quick(RecursiveAutoencoder).fit(X).offset_


def test_the_autoencoder_has_no_parameters_that_it_does_not_use():
    assert not {"direction", "target"} & RecursiveAutoencoder().get_params().keys()
    assert not hasattr(RecursiveAutoencoder, "direction")
