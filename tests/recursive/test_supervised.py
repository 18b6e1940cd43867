"""Trees, nodes and pairs as X; what the estimators' common promises do not cover."""

import ast
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict

from sklseq.data import flatten_labels, read_forest
from sklseq.nn.trees.cells import COMPOSITIONS
from sklseq.recursive import RecursiveClassifier, RecursiveRegressor

ARITY = 3


def random_tree(rng, depth=0):
    """An operator over one to three trees, or a letter."""
    if depth == 4 or (depth and rng.random() < 0.4):
        return (str(rng.choice(list("ab"))),)
    n = rng.integers(1, ARITY + 1)
    return (str(rng.choice(["and", "or"])), *(random_tree(rng, depth + 1) for _ in range(n)))


def truth(tree):
    """The same tree with the truth of each of its subtrees: a is true."""
    value, *children = tree
    if not children:
        return (value == "a",)
    below = [truth(child) for child in children]
    return ((all if value == "and" else any)(b[0] for b in below), *below)


def data(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = [random_tree(rng) for _ in range(n)]
    nodes = [truth(tree) for tree in X]
    return X, np.array([y[0] for y in nodes]), nodes


def quick(cls=RecursiveClassifier, **params):
    settings = {"hidden_size": 8, "max_epochs": 2, "learning_rate": 0.02, "random_state": 0}
    return cls(**settings | params)


def flat(values, X):
    return np.asarray(flatten_labels(values, read_forest(X)))


@pytest.mark.parametrize("composition", COMPOSITIONS)
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_both_engines_agree(composition, direction):
    X, y, _ = data(12)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-6)):
        model = quick(composition=composition, direction=direction, dtype=dtype).fit(X, y)
        expected = model.predict_proba(X)
        twin = model.set_params(engine="recursive").predict_proba(X)
        assert_allclose(expected, twin, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("target", ["tree", "node"])
def test_one_by_one_as_all_together(target, dtype, tolerance):
    X, y, nodes = data(20)
    model = quick(target=target, dtype=dtype, direction="both")
    model.fit(X, y if target == "tree" else nodes)
    together = model.predict_proba(X)
    for i, tree in enumerate(X):
        alone = model.predict_proba([tree])[0]
        if target == "node":
            alone, here = flat([alone], [tree]), flat([together[i]], [tree])
            assert_allclose(alone, here, atol=tolerance, rtol=0)
        else:
            assert_allclose(alone, together[i], atol=tolerance, rtol=0)


def test_truth_of_every_node_is_learned_and_has_the_shape_of_the_tree():
    X, _, nodes = data(200)
    model = quick(target="node", max_epochs=12, hidden_size=16).fit(X, nodes)
    test, _, expected = data(40, seed=1)
    assert model.score(test, expected) > 0.95
    predicted = model.predict(test)
    assert predicted.shape == (40,)
    assert_array_equal([len(p) for p in predicted], [len(t) for t in test])
    assert np.mean([p == e for p, e in zip(predicted, expected, strict=True)]) > 0.5


def test_unlabeled_nodes_do_not_train():
    X, _, nodes = data(20)
    forest = read_forest(X)
    labels = [None if i % 3 else bool(v) for i, v in enumerate(flat(nodes, X))]
    partial = forest.restore(np.array(labels, dtype=object))
    model = quick(target="node").fit(X, partial)
    weights = np.array([0.0 if i % 3 else 1.0 for i in range(forest.n_nodes)])
    weighted = clone(model).fit(X, nodes, sample_weight=forest.restore(weights))
    for a, b in zip(model.predict_proba(X), weighted.predict_proba(X), strict=True):
        assert_array_equal(a[0], b[0])
    assert model.score(X, partial) == weighted.score(X, partial)


def test_values_of_nodes_with_a_regressor():
    rng = np.random.default_rng(0)
    X = [("+", a, ("-", b, c)) for a, b, c in rng.uniform(size=(150, 3))]
    y = [(a + b - c, a, (b - c, b, np.nan)) for _, a, (_, b, c) in X]
    model = quick(RecursiveRegressor, target="node", max_epochs=40).fit(X, y)
    assert model.score(X, y) > 0.9
    assert len(model.predict(X)[0]) == 3
    two = quick(RecursiveRegressor).fit(X, rng.normal(size=(150, 2)))
    assert two.predict(X).shape == (150, 2)


def test_pairs():
    X, y, _ = data(80)
    pairs = [(X[i], X[-i - 1]) for i in range(80)]
    same = [y[i] == y[-i - 1] for i in range(80)]
    model = quick(pairs=True, max_epochs=30).fit(pairs, same)
    assert model.score(pairs, same) > 0.9
    assert model.predict(pairs[:3]).shape == (3,)
    with pytest.raises(ValueError, match="item 0 is not a pair"):
        model.fit(X[:2] * 40, same)
    with pytest.raises(TypeError, match="Pair 1, tree 1, node 0 has the value"):
        model.predict([pairs[0], (("a",), {"value": object()})])


def test_searches_and_cross_validation_over_lists_of_trees():
    X, y, nodes = data(40)
    search = GridSearchCV(quick(), {"composition": ["rnn", "childsum-gru"]}, cv=2).fit(X, y)
    assert search.predict(X).shape == (40,)
    target = np.empty(40, dtype=object)
    target[:] = nodes
    predicted = cross_val_predict(quick(target="node"), X, target, cv=KFold(2))
    assert len(predicted) == 40


def test_sequences_have_targets_per_step():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=n) for n in rng.integers(1, 9, size=100)]
    y = [(x > 0).astype(int) for x in X]
    model = quick(target="node", direction="both", max_epochs=10).fit(X, y)
    assert model.score(X, y) > 0.9
    assert [len(p) for p in model.predict(X)] == [len(x) for x in X]
    words = [["b", "a"], ["a", "b", "a"], ["b"]]
    assert quick().fit(words, [0, 1, 0]).predict(words).shape == (3,)


def test_unknown_symbols_have_a_vector_of_their_own():
    X, y, _ = data(60)
    rare = [("once", *tree[1:]) if i == 3 else tree for i, tree in enumerate(X)]
    model = quick(min_count=2).fit(rare, y)
    assert "once" not in model.vocabulary_
    unknown, none = (model.predict_proba([(v, ("a",))]) for v in ("never", None))
    assert not np.allclose(unknown, none)
    assert_array_equal(unknown, model.predict_proba([("once", ("a",))]))


def test_python_json_and_brackets():
    sources = ["x = 1", "def f(): return 2", "y = 3", "def g(x): pass"]
    y = ["assign", "def"] * 2
    by_source = quick(composition="childsum-lstm", reader="ast").fit(sources, y)
    by_tree = quick(composition="childsum-lstm").fit([ast.parse(s) for s in sources], y)
    assert_array_equal(
        by_source.predict_proba(sources), by_tree.predict_proba([ast.parse(s) for s in sources])
    )
    quick(reader="json").fit(['{"a": 1}', "[1, 2]", '{"b": 2}'], [0, 1, 0]).predict(["[3]"])
    quick(reader="brackets").fit(["(a b)", "(a (b c))"], [0, 1]).predict(["(c a)"])


def test_persistence_with_symbols():
    X, y, _ = data(20)
    model = quick().fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_training_goes_on():
    X, y, _ = data(40)
    once = quick(max_epochs=2).fit(X, y)
    twice = quick().partial_fit(X, y, classes=[False, True]).partial_fit(X, y)
    assert_array_equal(once.predict_proba(X), twice.predict_proba(X))
    warm = quick(max_epochs=1, warm_start=True).fit(X, y).fit(X, y)
    assert_array_equal(once.predict_proba(X), warm.predict_proba(X))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([("and", *[("a",)] * 4)], r"Tree 0, node 0 has 4 children.*at most 3.*any number"),
        ([], "holds no tree"),
        ([(("and", [0.5]), ("a",))], "1 features at a node.*Tree 0, node 0"),
        ("and", "X is a str"),
    ],
)
def test_what_does_not_fit_is_named(X, message):
    trees, y, _ = data(40)
    model = quick().fit(trees, y)
    with pytest.raises((ValueError, TypeError), match=message):
        model.predict(X)


def test_too_many_children_for_weights_by_position():
    X = [("a", *[("b",)] * n) for n in (1, 40)]
    with pytest.raises(ValueError, match="Tree 1, node 0 has 40 children, too many"):
        quick().fit(X, [0, 1])
    with pytest.raises(ValueError, match="Pair 0, tree 1, node 0 has 40 children, too many"):
        quick(pairs=True).fit([X, X], [0, 1])
    assert quick(composition="childsum-lstm").fit(X, [0, 1]).predict(X).shape == (2,)


def test_other_target_or_symbols_than_fitted():
    X, y, nodes = data(20)
    model = quick().fit(X, y)
    with pytest.raises(ValueError, match="was fitted with target='tree': set"):
        model.set_params(target="node").predict(X)
    numbers = quick(composition="childsum-lstm").fit(
        np.random.default_rng(0).normal(size=(20, 3)), y
    )
    with pytest.raises(ValueError, match=r"Tree 0, node 0 has the symbol .* without symbols"):
        numbers.predict(X)
    with pytest.raises(ValueError, match=r"Tree 1, node 0 has the symbol 3, .* of type str"):
        model.set_params(target="tree").predict([(None,), (3,)])
    with pytest.raises(ValueError, match="y has no labeled node"):
        quick(target="node").fit(X[:1], [[None] * sum(1 for _ in paths(X[0]))])
    with pytest.raises(ValueError, match="y, tree 1 has another shape"):
        quick(target="node").fit(X[:3], [nodes[0], nodes[2], nodes[2]])


def without(tree, path):
    """The tree with a blank leaf at the path of child numbers."""
    if not path:
        return (None,)
    value, *children = tree
    children[path[0]] = without(children[path[0]], path[1:])
    return (value, *children)


def paths(tree, path=()):
    yield path
    for i, child in enumerate(tree[1:]):
        yield from paths(child, (*path, i))


def test_importances_are_what_is_lost_without_a_subtree():
    X, y, _ = data(30)
    model = quick(max_epochs=5, dtype="float64").fit(X, y)
    found = model.subtree_importances(X[:5])
    for tree, importances in zip(X[:5], found, strict=True):
        whole = model.predict_proba([tree])[0]
        parts = model.predict_proba([without(tree, path) for path in paths(tree)])
        expected = whole.max() - parts[:, whole.argmax()]
        assert_allclose(flat([importances], [tree]), expected, atol=1e-12)
    with pytest.raises(ValueError, match="needs target='tree'"):
        quick(pairs=True).fit([(t, t) for t in X], y).subtree_importances(X)
    values = quick(RecursiveRegressor).fit(X, np.c_[y, y]).subtree_importances(X[:2])
    assert np.shape(values[0][0]) == (2,)


def test_importances_of_steps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = X[:, 2] > 0
    model = quick(max_epochs=20).fit(X, y)
    importances = np.stack(model.subtree_importances(X[:50]))
    assert importances.shape == (50, 5)
    assert np.abs(importances).mean(axis=0).argmax() == 2


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_early_stopping_with_more_classes_than_a_part_has_rows(fraction):
    X, _, _ = data(20)
    y = np.arange(20) % 4
    model = quick(early_stopping=True, validation_fraction=fraction).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_


def test_one_weight_for_all_is_none():
    X, y, nodes = data(20)
    for params, target in (({}, y), ({"target": "node"}, nodes)):
        model = quick(**params).fit(X, target)
        twin = quick(**params).fit(X, target, sample_weight=2.0)
        assert model.loss_curve_ == twin.loss_curve_
        assert model.score(X, target) == model.score(X, target, sample_weight=2.0)


def test_weights_of_trees_hold_for_their_nodes():
    X, _, nodes = data(6)
    weights = np.arange(6.0)
    counts = read_forest(X).n_results
    of_nodes = [[w] * int(n) for w, n in zip(weights, counts, strict=True)]
    for trees in (slice(None), slice(3, 4)):  # several, and one
        model = quick(target="node").fit(X[trees], nodes[trees], sample_weight=weights[trees])
        twin = clone(model).fit(X[trees], nodes[trees], sample_weight=of_nodes[trees])
        assert model.loss_curve_ == twin.loss_curve_


@pytest.mark.parametrize("target", ["tree", "node"])
@pytest.mark.parametrize("cls", [RecursiveClassifier, RecursiveRegressor])
def test_rows_in_another_order_are_refused(cls, target):
    X, y, nodes = data(10)
    trees = pd.Series(X, index=list("abcdefghij"))
    values = pd.Series(y.astype(float) if target == "tree" else nodes, index=trees.index)
    model = quick(cls, target=target).fit(trees, values)
    model.score(trees, values)
    for call in (model.fit, model.score):
        with pytest.raises(ValueError, match="y and X have different indices"):
            call(trees, values[::-1])
        with pytest.raises(ValueError, match="sample_weight and X have different indices"):
            call(trees, values, sample_weight=pd.Series(1.0, index=trees.index[::-1]))
