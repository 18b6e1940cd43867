"""A fitted recursive network over one tree, node by node: states, predictions, layout."""

from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import is_classifier
from torch import Tensor

from sklseq.data import Forest
from sklseq.inspection.models import unwrapped
from sklseq.nn.trees.levels import Children
from sklseq.training.placement import parameter_of

__all__ = ["TreeLayout", "TreePass", "layout_of", "one_tree", "subtree_predictions", "tree_pass"]


class TreeLayout(NamedTuple):
    """Where the nodes of a tree are drawn, parents before their children."""

    parents: list[int]
    """-1 for the root, which is the first node."""
    children: list[list[int]]
    """In the order of siblings."""
    columns: list[float]
    heights: list[int]
    labels: list[str]
    """Symbols of the nodes."""
    order: NDArray[np.int64]
    """Index of each node in the forest that was read."""


class TreePass(NamedTuple):
    """A copy of a network over a tree, without noise, in float64."""

    network: Any
    states: list[Tensor]
    arcs: list[Tensor | None]
    """What each node hands to its parent; None of the root."""
    outputs: Tensor
    layout: TreeLayout


def one_tree(estimator: Any, X: Any) -> tuple[Any, Forest]:
    """A fitted recursive estimator out of what a user gives, and the one tree in X.

    Raises
    ------
    TypeError
        If it is no recursive classifier or regressor.
    ValueError
        If X holds several trees, or it reads pairs.
    """
    model, X = unwrapped(estimator, X)
    if not hasattr(model, "subtree_importances"):
        raise TypeError(
            f"{type(model).__name__} has no predictions of trees: give a fitted classifier or "
            "regressor of sklseq.recursive."
        )
    if model._module_kwargs["pairs"]:
        raise ValueError(
            "The estimator was fitted on pairs of trees (pairs=True), and one is shown."
        )
    forest = model._read_fitted(X)
    if len(forest) != 1:
        raise ValueError(f"X holds {len(forest)} trees, and one is shown: give one, such as X[:1].")
    return model, forest


def layout_of(forest: Forest) -> TreeLayout:
    """The layout of its only tree: leaves side by side, parents above the middle of theirs."""
    levels = forest.levels([0])
    n = len(levels.nodes)
    parents = [-1, *levels.parent_numbers.tolist()]
    children: list[list[int]] = [[] for _ in range(n)]
    for node in np.argsort(levels.positions, kind="stable").tolist():
        if parents[node] >= 0:
            children[parents[node]].append(node)
    columns, heights, free = [0.0] * n, [0] * n, 0
    stack = [(0, False)]
    while stack:  # not by recursion, which deep trees would exhaust
        node, done = stack.pop()
        if not children[node]:
            columns[node], free = float(free), free + 1
        elif done:
            of = children[node]
            columns[node] = (columns[of[0]] + columns[of[-1]]) / 2
            heights[node] = 1 + max(heights[child] for child in of)
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(children[node]))
    labels = [""] * n
    if forest.symbols is not None:
        labels = ["" if s is None else str(s) for s in forest.symbols[levels.nodes]]
    return TreeLayout(parents, children, columns, heights, labels, levels.nodes)


def tree_pass(estimator: Any, X: Any) -> tuple[Forest, TreePass]:
    """Run a network over a tree, leaves first, and keep what its nodes did."""
    model, forest = one_tree(estimator, X)
    network = deepcopy(model.module_).cpu().double().eval()
    encoder = network.encoder
    if encoder.down_cell is not None:
        raise ValueError(
            f"direction={model.direction!r} computes states from ancestors, and the graph goes "
            "from the leaves to the root: fit with direction='up' to look at it."
        )
    layout = layout_of(forest)
    rows = model._rows(forest, parameter_of(network))
    symbols, features, plan = rows.inputs(np.array([0]))
    cell, x = encoder.up_cell, encoder.inputs(symbols, features)
    n = len(layout.parents)
    states: list[Tensor] = [x] * n
    arcs: list[Tensor | None] = [None] * n
    children = layout.children
    for node in reversed(range(n)):
        here = cell.project(x[node : node + 1])
        if not children[node]:
            states[node] = cell.leaf(here)
            continue
        below = []
        for child in children[node]:
            # Apart from the state itself, so that an arc has a gradient of its own.
            arcs[child] = handed = states[child].view_as(states[child])
            below.append(handed)
        zeros = torch.zeros(len(below), dtype=torch.int64)
        kept = Children(torch.cat(below), zeros, torch.arange(len(below)), 1)
        states[node] = cell.compose(here, kept)
    shown = plan.levels.results.tolist() if model._per_node else [0]
    outputs = network.head(torch.cat([states[i] for i in shown])[:, : encoder.hidden_size])
    return forest, TreePass(network, states, arcs, outputs, layout)


def subtree_predictions(estimator: Any, X: Any) -> NDArray[Any]:
    """What a recursive network predicts for each node of a tree.

    With ``target="node"`` these are its predictions of the nodes. With ``target="tree"`` they are
    those for the subtree below each node, taken as a tree of its own: how the prediction of the
    tree comes about from the leaves up.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier or regressor of `sklseq.recursive` without `pairs`, or a pipeline or
        search with one.
    X : trees
        One tree, in a container as in `predict`.

    Returns
    -------
    predictions : ndarray of shape (n_nodes, n_outputs)
        Probabilities of the classes, or predicted values. Nodes are those of the tree, as they were
        read: of nested tuples parents before their children, and subtree after subtree. With
        ``target="node"`` those that have a target.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not such an estimator.
    ValueError
        If X is not one tree.

    Examples
    --------
    >>> from sklseq.inspection import subtree_predictions
    >>> from sklseq.recursive import RecursiveClassifier
    >>> X = [("not", "true"), ("not", "false"), ("not", ("not", "true")), ("true",), ("false",)]
    >>> y = [False, True, True, True, False]
    >>> model = RecursiveClassifier(hidden_size=8, learning_rate=0.02, random_state=0).fit(X, y)
    >>> subtree_predictions(model, [("not", ("not", "true"))]).argmax(axis=1)
    array([1, 0, 1])
    """
    model, forest = one_tree(estimator, X)
    data = forest if model._per_node else _subtrees(forest)
    outputs = model._run("forward", data)
    if is_classifier(model):
        return model._probabilities(outputs)
    values = model._unscaled(outputs)
    return values.reshape(len(values), -1)


def _subtrees(forest: Forest) -> Forest:
    """The subtree below each node of the only tree, in the order of its nodes."""
    parents, n = forest.parents, forest.n_nodes
    below = np.eye(n, dtype=bool)
    for node in forest.levels([0]).nodes[:0:-1]:
        below[parents[node]] |= below[node]
    top, node = np.nonzero(below)
    sizes = below.sum(axis=1)
    place = np.cumsum(below, axis=1) - 1 + (np.cumsum(sizes) - sizes)[:, None]
    new_parents = np.where(node == top, -1, place[top, parents[node]])
    return Forest(
        new_parents,
        sizes,
        None if forest.symbols is None else forest.symbols[node],
        None if forest.features is None else forest.features[node],
        None,
        None,
        forest.has_features[node],
    )
