"""The computation of a recurrent or recursive network, unfolded: values forward, gradients back."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklseq.data import Forest, Sequences
from sklseq.inspection.models import read_one, symbols_in, unwrapped
from sklseq.inspection.networks.gradients import gradients_of_states
from sklseq.inspection.networks.loss import loss_of
from sklseq.inspection.networks.recording import LayerPass, Pass, float_parts, recorded, recurrent
from sklseq.inspection.networks.trees import TreePass, tree_pass
from sklseq.nn.recurrent.layer import by_part

__all__ = ["UnfoldedArc", "UnfoldedGraph", "UnfoldedNode", "unfolded_graph"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class UnfoldedNode:
    """A node of an unfolded graph.

    Parameters
    ----------
    name : str
        Such as "x(2)", the input of step 2 counted from 1, "h(2)" or "h1(2)", its state.
    kind : {"input", "state", "output", "loss"}
    column : float
        Step counted from 0; of a tree's node its place from left to right.
    row : int
        0 for inputs, then layers, outputs, loss; in trees the height from the lowest leaf.
    value, gradient : ndarray
        What the node holds, and the gradient of the loss with respect to it.
    label : str
        The symbol of a step or node, where it has one.
    """

    name: str
    kind: str
    column: float
    row: int
    value: Array
    gradient: Array
    label: str = ""


@dataclass(frozen=True, eq=False)
class UnfoldedArc:
    """An arc of an unfolded graph, by the numbers of its nodes.

    Parameters
    ----------
    source, target : int
    weights : str
        Which of the shared weights it goes by: "U" into the states of a layer, "W" from step to
        step, "V" to the output, each with the number of the layer where there are several; in
        trees "W" from a child; "" for none.
    value : ndarray
        What goes forward.
    gradient : ndarray
        What comes back: the part of the gradient of the source that goes through this arc.
    """

    source: int
    target: int
    weights: str
    value: Array
    gradient: Array


class UnfoldedGraph(NamedTuple):
    """Nodes and arcs of a computation."""

    nodes: list[UnfoldedNode]
    arcs: list[UnfoldedArc]
    is_tree: bool


def unfolded_graph(estimator: Any, X: Any, y: Any = None, *, context: Any = None) -> UnfoldedGraph:
    """The graph that a recurrent network unfolds to over a sequence, or a recursive one to a tree.

    All steps share their weights, so that the gradient of these is a sum over the steps. Gradients
    are of the loss of training: the total over all steps, or nodes, with a target. States are all
    of what a layer carries, of an LSTM hidden state and cell (Goodfellow, Bengio and Courville
    2016, Deep Learning, sections 10.1, 10.2 and 10.6). The gradient of a node is the sum of those
    of the arcs that leave it. The network runs without dropout, in float64.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier or regressor of `sklseq.recurrent` in one direction, or of
        `sklseq.recursive` with ``direction="up"`` and without `pairs`; or a pipeline or search with
        one.
    X : sequences or trees
        One of them, in a container as in `predict`.
    y : array-like or None, default=None
        Its target, as in `fit`. Without, the loss is that of the predicted class, or the prediction
        of a regressor takes its place.
    context : array-like of shape (1, n_context_features) or None, default=None
        As in `fit`.

    Returns
    -------
    graph : UnfoldedGraph
        A named tuple of a list of `nodes`, a list of `arcs`, and `is_tree`. Of outputs, those of
        classifiers are before the softmax.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not such an estimator.
    ValueError
        If X is not one sequence or tree, or the network reads in both directions.

    Examples
    --------
    >>> import numpy as np
    >>> from sklseq.inspection import unfolded_graph
    >>> from sklseq.recurrent import RNNRegressor
    >>> X = np.random.default_rng(0).normal(size=(20, 3, 1))
    >>> model = RNNRegressor(hidden_size=8, max_epochs=3, random_state=0).fit(X, X[:, -1, 0])
    >>> graph = unfolded_graph(model, X[:1], [0.5])
    >>> [node.name for node in graph.nodes]
    ['x(1)', 'x(2)', 'x(3)', 'h(1)', 'h(2)', 'h(3)', 'o', 'L']
    """
    model, given = unwrapped(estimator, X)
    if hasattr(getattr(model, "module_", None), "encoder") and hasattr(model, "composition"):
        forest, run = tree_pass(model, given)
        return _of_tree(model, forest, run, y)
    model, data = recurrent(estimator, X, context)
    read_one(data, "the graph is that")
    if model.module_.stack.backward_layers:
        raise ValueError(
            "The network reads in both directions, and the graph is of one: fit with "
            "bidirectional=False to look at it."
        )
    run_of_steps = recorded(model, data)
    if not isinstance(run_of_steps.outputs, Tensor):
        raise TypeError(f"{type(model).__name__} has no outputs: give a classifier or regressor.")
    return _of_sequence(model, data, run_of_steps, y)


# -- sequences -----------------------------------------------------------------------------


def _of_sequence(model: Any, data: Sequences, run: Pass, y: Any) -> UnfoldedGraph:
    n_steps, n_layers = int(data.lengths[0]), len(run.layers)
    loss = loss_of(model, data, run.outputs, y, run.network)
    (of_outputs,) = torch.autograd.grad(loss, [run.outputs], retain_graph=True)
    gradients = [
        [torch.cat(parts, dim=1)[0] for parts in gradients_of_states(loss, layer)]
        for layer in run.layers
    ]
    back = [_through_steps(layer, of) for layer, of in zip(run.layers, gradients, strict=True)]
    nodes, arcs, first = [], [], run.layers[0]
    symbols = symbols_in(model, data) or [""] * n_steps
    for t in range(n_steps):
        x, g = first.x[t], back[0][1][t]
        nodes.append(UnfoldedNode(f"x({t + 1})", "input", t, 0, _np(x), _np(g), symbols[t]))
    for i, (layer, of) in enumerate(zip(run.layers, gradients, strict=True)):
        number = str(i + 1) if n_layers > 1 else ""
        base = len(nodes)
        for t in range(n_steps):
            value = _np(torch.cat(float_parts(layer.states[t]), dim=1)[0])
            name = f"h{number}({t + 1})"
            nodes.append(UnfoldedNode(name, "state", t, i + 1, value, _np(of[t])))
            below = nodes[base - n_steps + t]
            # What a layer hands upward is all that does not come back by its own next step.
            up = below.gradient if i == 0 else below.gradient - _np(back[i - 1][0][t])
            arcs.append(UnfoldedArc(base - n_steps + t, base + t, f"U{number}", below.value, up))
            if t:
                arcs.append(
                    UnfoldedArc(
                        base + t - 1,
                        base + t,
                        f"W{number}",
                        nodes[-2].value,
                        _np(back[i][0][t - 1]),
                    )
                )
    top, outputs = len(nodes) - n_steps, run.outputs
    per_step = model._per_step
    places = range(n_steps) if per_step else [n_steps - 1]
    for k, t in enumerate(places):
        name = f"o({t + 1})" if per_step else "o"
        value, of_output = _np(outputs[k]), _np(of_outputs[k])
        nodes.append(UnfoldedNode(name, "output", t, n_layers + 1, value, of_output))
        sources = [t] if per_step or model.module_.pooling == "last" else range(n_steps)
        for s in sources:
            state = nodes[top + s]
            out = state.gradient - _np(back[-1][0][s])
            arcs.append(UnfoldedArc(top + s, len(nodes) - 1, "V", state.value, out))
    return _with_loss(nodes, arcs, loss, n_layers + 2, is_tree=False)


def _through_steps(layer: LayerPass, gradients: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """What of each step's gradient comes back to the state before it, and to what it read.

    The first list begins with what comes back to the first state from the second step, and ends
    with zero.
    """
    to_states, to_inputs = [], []
    for t, x in enumerate(layer.x.split(1)):
        x = x.detach().requires_grad_()
        before = None
        if t:
            before = by_part(_cut, layer.states[t - 1])
        parts = float_parts(layer.step(x, before))
        seen = [x] if before is None else [x, *float_parts(before)]
        found = torch.autograd.grad(
            torch.cat(parts, dim=1),
            seen,
            gradients[t][None],
            allow_unused=True,
            materialize_grads=True,
        )
        to_inputs.append(found[0][0])
        if t:
            to_states.append(torch.cat(found[1:], dim=1)[0])
    return [*to_states, torch.zeros_like(gradients[0])], to_inputs


def _cut(part: Tensor) -> Tensor:
    part = part.detach()
    return part.requires_grad_(part.is_floating_point())


# -- trees ---------------------------------------------------------------------------------


def _of_tree(model: Any, forest: Forest, run: TreePass, y: Any) -> UnfoldedGraph:
    loss = loss_of(model, forest, run.outputs, y, run.network)
    every = [*run.states, *(arc for arc in run.arcs if arc is not None), run.outputs]
    found = torch.autograd.grad(loss, every, allow_unused=True, materialize_grads=True)
    n, layout = len(run.states), run.layout
    through = iter(found[n:-1])
    nodes = [
        UnfoldedNode(
            f"h({i + 1})",
            "state",
            layout.columns[i],
            layout.heights[i],
            _np(state[0]),
            _np(found[i][0]),
            layout.labels[i],
        )
        for i, state in enumerate(run.states)
    ]
    arcs = [
        UnfoldedArc(i, layout.parents[i], "W", _np(arc[0]), _np(next(through)[0]))
        for i, arc in enumerate(run.arcs)
        if arc is not None
    ]
    if model._per_node:  # outputs at all nodes, which would be drawn over the tree
        return UnfoldedGraph(nodes, arcs, True)
    root, top = nodes[0], max(layout.heights) + 1
    value, of_output = _np(run.outputs[0]), _np(found[-1][0])
    nodes.append(UnfoldedNode("o", "output", root.column, top, value, of_output))
    arcs.append(UnfoldedArc(0, n, "V", root.value, root.gradient))
    return _with_loss(nodes, arcs, loss, top + 1, is_tree=True)


def _with_loss(
    nodes: list[UnfoldedNode], arcs: list[UnfoldedArc], loss: Tensor, row: int, is_tree: bool
) -> UnfoldedGraph:
    outputs = [i for i, node in enumerate(nodes) if node.kind == "output"]
    column = float(np.mean([nodes[i].column for i in outputs]))
    nodes.append(UnfoldedNode("L", "loss", column, row, _np(loss).reshape(1), np.ones(1)))
    arcs += [UnfoldedArc(i, len(nodes) - 1, "", nodes[i].value, nodes[i].gradient) for i in outputs]
    return UnfoldedGraph(nodes, arcs, is_tree)


def _np(values: Tensor) -> Array:
    return values.detach().numpy()
