"""Results of a tree are the same bits alone, in any order and in any company."""

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklseq.data import flatten_labels, read_forest
from sklseq.nn.trees import tiled
from sklseq.nn.trees.cells import COMPOSITIONS, TreeCell
from sklseq.recursive import (
    RecursiveAutoencoder,
    RecursiveClassifier,
    RecursiveRegressor,
    RecursiveTransformer,
)

from .test_supervised import data, quick, random_tree


class Mean(TreeCell):
    """A composition of somebody's own."""

    any_arity = True

    def leaf(self, x):
        return x.tanh()

    def compose(self, x, children):
        return (x + children.sum(children.states) / children.counts).tanh()


def with_vectors(tree, rng):
    """The same shape with a vector at each node."""
    return (rng.normal(size=3), *(with_vectors(child, rng) for child in tree[1:]))


def assert_alone_as_together(compute, X, rng):
    """`compute` gives a result for each tree; it is that of the tree alone and in any order."""
    together = compute(X)
    order = rng.permutation(len(X))
    shuffled = compute([X[i] for i in order])
    few = rng.choice(len(X), size=3)
    for i, result in zip(order, shuffled, strict=True):
        assert_array_equal(result, together[i])
    for i, result in zip(few, compute([X[i] for i in few]), strict=True):
        assert_array_equal(result, together[i])
    for i in few:
        assert_array_equal(compute([X[i]])[0], together[i])


def per_tree(X, values):
    """Stacked values of each tree, of values nested as the trees are."""
    return [
        np.asarray(flatten_labels([v], read_forest([x]))) for x, v in zip(X, values, strict=True)
    ]


@pytest.mark.parametrize("composition", [*COMPOSITIONS, Mean])
@pytest.mark.parametrize("direction", ["up", "down", "both"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 80),
    hidden_size=st.integers(1, 20),
    vectors=st.booleans(),
    target=st.sampled_from(["tree", "node"]),
)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_predictions(composition, direction, dtype, seed, n, hidden_size, vectors, target):
    rng = np.random.default_rng(seed)
    X = [("and", ("a",), ("b",), ("a",)), *(random_tree(rng) for _ in range(n - 1))]
    if composition is Mean or composition.startswith("childsum"):
        X[1] = ("or", *X, *[("b", ("a",))] * int(rng.integers(500)))  # more than a tile holds
    if vectors:
        X = [with_vectors(tree, rng) for tree in X]
    sizes = read_forest(X).sizes
    y = rng.normal(size=n) if target == "tree" else [rng.normal(size=size) for size in sizes]
    settings = {"hidden_size": hidden_size, "max_epochs": 1, "dtype": dtype, "target": target}
    model = quick(RecursiveRegressor, composition=composition, direction=direction, **settings).fit(
        X, y
    )

    def compute(trees):
        predicted = model.predict(trees)
        return predicted if target == "tree" else per_tree(trees, predicted)

    assert_alone_as_together(compute, X, rng)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pairs_and_classes(dtype):
    X, y, _ = data(60)
    rng = np.random.default_rng(0)
    pairs = list(zip(X, X[::-1], strict=True))
    model = quick(RecursiveClassifier, pairs=True, dtype=dtype).fit(pairs, y)
    assert_alone_as_together(model.predict_proba, pairs, rng)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("vectors", [True, False])
def test_transforms_and_errors(dtype, vectors):
    rng = np.random.default_rng(0)
    X = data(60)[0]
    if vectors:
        X = [with_vectors(tree, rng) for tree in X]
    settings = {"hidden_size": 9, "max_epochs": 1, "dtype": dtype}
    transformer = quick(RecursiveTransformer, direction="both", **settings).fit(X)
    assert_alone_as_together(transformer.transform, X, rng)
    model = quick(RecursiveAutoencoder, **settings).fit(X)
    assert_alone_as_together(model.transform, X, rng)
    assert_alone_as_together(model.score_samples, X, rng)
    assert_alone_as_together(lambda trees: per_tree(trees, model.node_errors(trees)), X, rng)


def test_single_nodes_and_chains():
    rng = np.random.default_rng(0)
    chain = ("a",)
    for _ in range(200):
        chain = ("b", chain)
    X = [("a",), ("b",), ("b", ("a",), ("b",)), chain]
    model = quick(RecursiveRegressor).fit(X, [0.0, 1.0, 2.0, 3.0])
    assert_alone_as_together(model.predict, X, rng)
    assert_array_equal(model.predict([("a",)] * 3), np.repeat(model.predict([("a",)]), 3))


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_the_kernel_is_eight_frames_below_predict(composition):
    X, y, _ = data(40)
    model = quick(RecursiveClassifier, composition=composition).fit(X, y)
    deepest: list[str] = []

    def note(frame, event, arg):
        if event != "call" or "/sklseq/nn/" not in frame.f_code.co_filename:
            return
        stack = []
        while frame is not None:
            if "/sklseq/" in frame.f_code.co_filename:
                stack.append(frame.f_code.co_name)
            frame = frame.f_back
        deepest[:] = max(deepest, stack, key=len)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        model.predict(X)
    finally:
        sys.setprofile(before)
    assert len(deepest) <= 8, deepest[::-1]


@pytest.mark.parametrize("composition", ["lstm", "childsum-gru"])
def test_tiles_are_the_same_however_many_are_laid_out_at_once(composition, monkeypatch):
    rng = np.random.default_rng(0)
    trees = [
        {"parents": [-1, *(int(rng.integers(max(0, i - 2), i)) for i in range(1, n))]}
        for n in (300, 1, 40, 500)
    ]
    for tree in trees:
        tree["symbols"] = rng.choice(list("ab"), len(tree["parents"])).tolist()
    model = RecursiveClassifier(
        composition=composition, direction="both", hidden_size=4, max_epochs=1, random_state=0
    ).fit(trees, [0, 1, 0, 1])
    expected = model.predict_proba(trees)
    for n in (1, 3):
        monkeypatch.setattr(tiled, "_AT_ONCE", n)
        assert_array_equal(model.predict_proba(trees), expected)
