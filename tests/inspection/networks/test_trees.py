"""Recursive networks over one tree: predictions of subtrees, gradients along the tree."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sklseq.inspection import TreeDisplay, subtree_predictions, unfolded_graph
from sklseq.nn.trees.cells import COMPOSITIONS
from sklseq.recursive import RecursiveClassifier, RecursiveRegressor

TREES = [
    ("and", ("not", "true"), "false"),
    ("or", "true", ("not", ("not", "false"))),
    ("true",),
    ("not", "false"),
]
TREE = [("or", ("and", "true", ("not", "false")), "true")]
SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "dtype": "float64"}


def preorder(tree):
    """Subtrees, parents before their children."""
    tree = tree if isinstance(tree, tuple) else (tree,)
    yield tree
    for child in tree[1:]:
        yield from preorder(child)


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_the_prediction_of_a_node_is_that_of_its_subtree(direction):
    model = RecursiveClassifier(direction=direction, **SHORT).fit(TREES, [0, 1, 2, 0])
    found = subtree_predictions(model, TREE)
    assert_allclose(found, model.predict_proba(list(preorder(TREE[0]))), atol=1e-12)


def test_predictions_of_nodes_are_their_own():
    y = [[i % 2 for i, _ in enumerate(preorder(tree))] for tree in TREES]
    model = RecursiveRegressor(target="node", **SHORT).fit(TREES, y)
    found, values = subtree_predictions(model, TREE), []

    def collect(nested):
        values.append(nested[0])
        for child in nested[1:]:
            collect(child)

    collect(model.predict(TREE)[0])
    assert_allclose(found[:, 0], values)


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_the_graph_has_the_prediction_and_gradients_that_sum(composition):
    model = RecursiveRegressor(composition=composition, **SHORT).fit(TREES, [0.0, 1.0, 2.0, 0.5])
    graph = unfolded_graph(model, TREE)
    assert graph.is_tree
    of = {node.name: (i, node) for i, node in enumerate(graph.nodes)}
    output, loss = of["o"][1], of["L"][1]
    predicted = output.value * model.target_scale_ + model.target_mean_
    assert_allclose(predicted, model.predict(TREE), atol=1e-9)
    assert_allclose(loss.value, output.value, atol=1e-12)
    for i, node in enumerate(graph.nodes):
        leaving = [arc for arc in graph.arcs if arc.source == i]
        if leaving:
            assert_allclose(sum(arc.gradient for arc in leaving), node.gradient, atol=1e-12)
    # By finite differences of a symbol's vector, which a leaf is made of.
    embedding = model.module_.encoder.embedding.weight
    before = model.predict(TREE)[0]
    symbol = list(model.vocabulary_).index("false") + 2
    with torch.no_grad():
        embedding[symbol, 0] += 1e-6
    assert model.predict(TREE)[0] != before


def test_gradients_of_leaves_by_autograd():
    model = RecursiveRegressor(composition="rnn", **SHORT).fit(TREES, [0.0, 1.0, 2.0, 0.5])
    graph = unfolded_graph(model, TREE, [0.7])
    module, labels = model.module_, [node.label for node in graph.nodes]
    # A leaf is tanh(W x + b), and the word "false" stands at one leaf alone.
    leaf = graph.nodes[labels.index("false")]
    symbol = list(model.vocabulary_).index("false") + 2
    cell = module.encoder.up_cell
    expected = (leaf.gradient * (1 - leaf.value**2)) @ cell.inputs.weight.detach().numpy()
    rows = model._rows(model._read(TREE, False), embedding := module.encoder.embedding.weight)
    output = module(*rows.inputs(np.array([0])))
    target = (0.7 - model.target_mean_[0]) / model.target_scale_[0]
    (found,) = torch.autograd.grad((output - target).square().sum(), [embedding])
    assert_allclose(found[symbol], expected, atol=1e-10)


def test_what_is_drawn_of_a_tree_is_what_the_functions_say():
    model = RecursiveClassifier(**SHORT).fit(TREES, [0, 1, 2, 0])
    display = TreeDisplay.from_estimator(model, TREE, output=2)
    assert sorted(display.labels) == sorted(["or", "and", "true", "not", "false", "true"])
    assert_allclose(
        np.sort(display.predictions), np.sort(subtree_predictions(model, TREE)[:, 2]), atol=1e-12
    )
    root = model.predict_proba(TREE)[0, 2]
    assert display.predictions[0] == pytest.approx(root)
    empty = model.predict_proba([(None,)])[0, 2]
    assert display.importances[0] == pytest.approx(root - empty)
    best = model.predict(TREE)[0]
    of_best = TreeDisplay.from_estimator(model, TREE)
    values = []

    def collect(nested):
        values.append(nested[0])
        for child in nested[1:]:
            collect(child)

    collect(model.subtree_importances(TREE)[0])
    assert_allclose(np.sort(of_best.importances), np.sort(values), atol=1e-12)
    assert of_best.prediction_name == f"Probability of {best}"


def test_what_is_no_single_tree_is_refused():
    model = RecursiveClassifier(direction="down", **SHORT).fit(TREES, [0, 1, 2, 0])
    with pytest.raises(ValueError, match="4 trees"):
        subtree_predictions(model, TREES)
    with pytest.raises(ValueError, match="direction='down'"):
        unfolded_graph(model, TREE)
    pairs = [*zip(TREES, TREES[::-1], strict=True)]
    model = RecursiveClassifier(pairs=True, **SHORT).fit(pairs, [0, 1, 1, 0])
    with pytest.raises(ValueError, match="pairs"):
        subtree_predictions(model, TREE)
