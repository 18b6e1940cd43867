"""Gradients, Jacobians and gates of recurrent networks: against their equations, for any cell."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklseq.inspection import (
    gate_activations,
    gradient_flow,
    jacobian_eigenvalues,
    state_jacobians,
    unfolded_graph,
)
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.layer import by_part, output_of
from sklseq.preprocessing import PerStep
from sklseq.recurrent import (
    GRUClassifier,
    LSTMRegressor,
    RecurrentClassifier,
    RecurrentRegressor,
    RecurrentTransformer,
    RNNRegressor,
)
from sklseq.reservoir import ESNRegressor

OPTIONS = {
    "lstm": [{}, {"peepholes": True}, {"coupled": True}, {"peepholes": True, "coupled": True}],
    "gru": [{}, {"reset": "before"}],
    "lru": [{}, {"eigenvalues": "signed"}],
    "leaky": [{}, {"time_scales": (1, 10)}],
    "skip": [{"lags": (1, 3)}],
}
ALL = [(cell, options) for cell in CELLS for options in OPTIONS.get(cell, [{}])]
WITHOUT_GATES = ("rnn", "lru", "skip", "deep_transition")
GATED = [(cell, options) for cell, options in ALL if cell not in WITHOUT_GATES]


def sequences(n=5, seed=0):
    rng = np.random.default_rng(seed)
    X = np.empty(n, dtype=object)
    X[:] = [rng.normal(size=(length, 2)) for length in rng.integers(4, 8, size=n)]
    return X


X = sequences()
Y = np.array([x[0, 0] for x in X])


def fitted(cell="rnn", options=None, **params):
    params = {"hidden_size": 4, "max_epochs": 1, "random_state": 0} | params
    return RecurrentRegressor(cell=cell, cell_options=options, **params).fit(X, Y)


def float_parts(state):
    parts = [state] if isinstance(state, torch.Tensor) else state
    return [part for part in parts if part.is_floating_point()]


def steps_of(model, x):
    return torch.tensor((x - model.feature_mean_) / model.feature_scale_)


@pytest.mark.parametrize(("cell", "options"), ALL)
def test_jacobians_are_those_of_a_step(cell, options):
    model = fitted(cell, options)
    jacobians = state_jacobians(model, X[:1])
    layer = model.module_.stack.forward_layers[0].double()
    steps, state = steps_of(model, X[0]), None
    for t, x_t in enumerate(steps.split(1)):
        if t:
            parts = [part.detach().requires_grad_() for part in float_parts(state)]

            def step(*parts, x_t=x_t, state=state):
                given = iter(parts)
                before = by_part(lambda p: next(given) if p.is_floating_point() else p, state)
                return torch.cat(float_parts(layer.step(x_t, before)), dim=1)[0]

            found = torch.autograd.functional.jacobian(step, tuple(parts))
            assert_allclose(
                jacobians[t - 1], torch.cat([part[:, 0] for part in found], dim=1), atol=1e-12
            )
        state = layer.step(x_t, state)
    assert len(jacobians) == len(steps) - 1


def test_jacobians_of_an_elman_network_in_closed_form():
    model = RecurrentTransformer(
        cell="rnn", hidden_size=4, target="step", dtype="float64", random_state=0
    ).fit(X)
    states = model.transform(X[:1])[0]
    weight = model.module_.stack.forward_layers[0].rnn.weight_hh_l0.detach().numpy()
    expected = (1 - states[1:, :, None] ** 2) * weight
    assert_allclose(state_jacobians(model, X[:1]), expected, atol=1e-12)


@pytest.mark.parametrize(("cell", "options"), ALL)
def test_the_gradient_goes_back_through_the_jacobians(cell, options):
    model = fitted(cell, options)
    flow = gradient_flow(model, X[:1])
    jacobians = state_jacobians(model, X[:1])
    # Of the prediction, by the output layer alone.
    v = np.zeros(jacobians.shape[1])
    v[:4] = model.module_.head.weight.detach().numpy()[0]
    expected = [np.linalg.norm(v)]
    for jacobian in jacobians[::-1]:
        v = jacobian.T @ v
        expected.append(np.linalg.norm(v))
    assert_allclose(flow.norms[0], expected, rtol=1e-9, atol=1e-300)


def test_ragged_sequences_have_the_gradients_that_each_has_alone():
    model = fitted("lstm", num_layers=2)
    for layer in (0, 1, -1):
        flow = gradient_flow(model, X, Y, layer=layer)
        for i, x in enumerate(X):
            alone = gradient_flow(model, X[i : i + 1], Y[i : i + 1], layer=layer)
            assert_allclose(flow.norms[i, : len(x)], alone.norms[0], rtol=1e-9)
            assert np.isnan(flow.norms[i, len(x) :]).all()


def test_the_gradient_of_steps_begins_at_the_last_one_with_a_target():
    y = np.empty(len(X), dtype=object)
    y[:] = [np.where(np.arange(len(x)) < 3, x[:, 0], np.nan) for x in X]
    model = RNNRegressor(hidden_size=4, target="step", max_epochs=1, random_state=0).fit(X, y)
    flow = gradient_flow(model, X, y)
    assert flow.norms.shape == (len(X), 3)
    alone = gradient_flow(
        model, np.array([x[:3] for x in X]), np.array([values[:3] for values in y])
    )
    assert_allclose(flow.norms, alone.norms, rtol=1e-9)
    y[1] = np.full(len(X[1]), np.nan)
    with pytest.raises(ValueError, match="sequence 1 has no target"):
        gradient_flow(model, X, y)


@pytest.mark.parametrize(
    ("scale", "verdict"), [(0.1, "vanishing"), (4.0, "exploding"), (1.0, "steady")]
)
def test_the_rate_of_a_linear_recurrence_is_its_factor(scale, verdict):
    model = RecurrentRegressor(
        cell="rnn", cell_options={"activation": "relu"}, hidden_size=3, max_epochs=1, random_state=0
    ).fit(np.ones((4, 12, 1)), np.arange(4.0))
    rnn = model.module_.stack.forward_layers[0].rnn
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(scale * torch.eye(3))
        rnn.weight_ih_l0.zero_()
        rnn.bias_ih_l0.fill_(1)
    flow = gradient_flow(model, np.ones((2, 12, 1)))
    assert flow.rate == pytest.approx(scale, rel=1e-6)
    assert flow.verdict == verdict


def test_classifiers_have_the_gradient_of_the_predicted_class():
    labels = np.array(["a", "b", "a", "b", "a"])
    model = GRUClassifier(hidden_size=4, max_epochs=1, random_state=0).fit(X, labels)
    own, given = gradient_flow(model, X), gradient_flow(model, X, model.predict(X))
    assert_allclose(own.norms, given.norms, rtol=1e-9)
    assert list(model.classes_) == ["a", "b"]


def test_eigenvalues_are_those_of_all_layers():
    model = fitted("gru", num_layers=2, bidirectional=True)
    values = jacobian_eigenvalues(model, X[:1])
    parts = [np.linalg.eigvals(state_jacobians(model, X[:1], layer=i)) for i in (0, 1)]
    assert_allclose(
        np.sort_complex(values), np.sort_complex(np.concatenate(parts, axis=1)), atol=1e-12
    )
    assert (np.diff(np.abs(values), axis=1) < 1e-12).all()


# -- gates ---------------------------------------------------------------------------------


def next_by_gates(cell, options, layer, gates, x, before):
    """The state that the equations of a cell make of its gates."""
    h = output_of(before)
    g = {name: values[None] for name, values in gates.items()}
    if cell in ("lstm", "gru") and not options:
        rnn, n = layer.rnn, layer.hidden_size
        new_x = x @ rnn.weight_ih_l0[2 * n : 3 * n].T + rnn.bias_ih_l0[2 * n : 3 * n]
        new_h = h @ rnn.weight_hh_l0[2 * n : 3 * n].T + rnn.bias_hh_l0[2 * n : 3 * n]
        if cell == "lstm":
            c = g["forget"] * before[1] + g["input"] * torch.tanh(new_x + new_h)
            return g["output"] * torch.tanh(c)
        return torch.lerp(torch.tanh(new_x + g["reset"] * new_h), h, g["update"])
    if cell in ("mingru", "minlstm"):
        new = layer._drives(x)[:, -layer.hidden_size :]
        return g["forget"] * h + g["input"] * new
    n = layer.hidden_size
    if cell == "clockwork":
        ticked = layer._next(
            h, layer._weights(), [(layer._drive(m, x), None) for m in layer.modules_by_period]
        )
        return torch.where(g["ticks"] > 0, ticked, h)
    block = {"gru": 2, "minimal": 1, "gru_shared": 0, "gru_global_local": 0, "leaky": 0}
    block["lstm"] = 1 if options.get("coupled") else 2
    rows = slice(block[cell] * n, (block[cell] + 1) * n)
    drive = x @ layer.weight_ih[rows].T + layer.bias[rows]
    if cell == "lstm":
        c = g["forget"] * before[1] + g["input"] * torch.tanh(drive + h @ layer.weight_hh[rows].T)
        return g["output"] * torch.tanh(c)
    reset = {"minimal": "forget", "leaky": None}.get(cell, "reset")
    new = torch.tanh(drive + (h if reset is None else g[reset] * h) @ layer.weight_hh[rows].T)
    if cell == "leaky":
        return torch.lerp(h, new, g["leak rate"])
    if cell == "minimal":
        return torch.lerp(h, new, g["forget"])
    return torch.lerp(new, h, g["update"])


@pytest.mark.parametrize(("cell", "options"), GATED)
def test_states_follow_from_the_gates(cell, options):
    model = fitted(cell, options)
    gates = gate_activations(model, X[:1])
    layer = model.module_.stack.forward_layers[0].double()
    state = None
    with torch.no_grad():
        for t, x_t in enumerate(steps_of(model, X[0]).split(1)):
            after = layer.step(x_t, state)
            before = by_part(torch.zeros_like, after) if state is None else state
            values = {name: torch.tensor(of[t]) for name, of in gates.items()}
            expected = next_by_gates(cell, options, layer, values, x_t, before)
            assert_allclose(output_of(after), expected, atol=1e-12)
            state = after
    assert all(of.min() >= 0 and of.max() <= 1 for of in gates.values())


@pytest.mark.parametrize("cell", WITHOUT_GATES)
def test_cells_without_gates_say_so(cell):
    with pytest.raises(ValueError, match="no gates"):
        gate_activations(fitted(cell), X[:1])


def test_gates_of_every_cell_have_a_value_for_each_unit_or_one():
    for cell in CELLS:
        layer = make_layer(cell, 3, 4)
        for values in layer.gate_values(torch.randn(2, 3)).values():
            assert values.shape in ((2, 4), (2, 1))


class Halving(torch.nn.GRUCell):
    """A cell of a user's own that tells its gates."""

    def gate_values(self, x_t, state):
        return {"half": torch.full((len(x_t), 1), 0.5)}


def test_a_cell_class_may_have_gates_of_its_own():
    gates = gate_activations(fitted(Halving), X[:1])
    assert list(gates) == ["half"]
    assert_allclose(gates["half"], np.full((len(X[0]), 1), 0.5))
    with pytest.raises(ValueError, match="no gates"):
        gate_activations(fitted(torch.nn.GRUCell), X[:1])
    assert state_jacobians(fitted(torch.nn.LSTMCell), X[:1]).shape[1:] == (8, 8)


# -- unfolded ------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["last", "mean", "attention"])
@pytest.mark.parametrize(("cell", "options"), [("rnn", None), ("lstm", None), ("clockwork", None)])
def test_gradients_of_arcs_sum_to_those_of_their_nodes(cell, options, pooling):
    model = fitted(cell, options, num_layers=2, pooling=pooling)
    graph = unfolded_graph(model, X[:1], Y[:1])
    for number, node in enumerate(graph.nodes):
        leaving = [arc for arc in graph.arcs if arc.source == number]
        if leaving:
            assert_allclose(sum(arc.gradient for arc in leaving), node.gradient, atol=1e-12)
            assert all(arc.value is node.value for arc in leaving)


def test_the_gradient_of_shared_weights_is_the_sum_over_the_steps():
    model = fitted("rnn", dtype="float64")
    graph = unfolded_graph(model, X[:1], Y[:1])
    of = {node.name: node for node in graph.nodes}
    n = len(X[0])
    # h(t) = tanh(a(t)), so dL/da(t) = dL/dh(t) (1 - h(t)^2).
    back = [of[f"h({t + 1})"].gradient * (1 - of[f"h({t + 1})"].value ** 2) for t in range(n)]
    total = sum(np.outer(back[t], of[f"h({t})"].value) for t in range(1, n))
    module = model.module_
    outputs = model._run("forward", model._read(X[:1], fresh=False))
    target = (Y[:1, None] - model.target_mean_) / model.target_scale_
    assert of["L"].value[0] == pytest.approx(((outputs - target) ** 2).sum())
    rows = model._rows(model._read(X[:1], fresh=False), next(module.parameters()))
    loss = (module(*rows.inputs(np.array([0]))) - torch.tensor(target)).square().sum()
    (expected,) = torch.autograd.grad(loss, [module.stack.forward_layers[0].rnn.weight_hh_l0])
    assert_allclose(total, expected, atol=1e-10)


def test_outputs_of_steps_are_nodes_of_their_own():
    series = np.random.default_rng(0).normal(size=(6, 2))
    model = GRUClassifier(target="step", hidden_size=4, max_epochs=1, random_state=0)
    model.fit(series, series[:, 0] > 0)
    graph = unfolded_graph(model, series[:3], [True, False, True])
    names = [node.name for node in graph.nodes if node.kind == "output"]
    assert names == ["o(1)", "o(2)", "o(3)"]
    weights = {arc.weights for arc in graph.arcs}
    assert weights == {"U", "W", "V", ""}


# -- what is refused -----------------------------------------------------------------------

FUNCTIONS = [gradient_flow, state_jacobians, gate_activations, unfolded_graph]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_other_estimators_are_refused_by_name(function):
    with pytest.raises(NotFittedError, match="LSTMRegressor"):
        function(LSTMRegressor(), X[:1])
    with pytest.raises(TypeError, match="LogisticRegression"):
        function(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), X[:1])
    with pytest.raises(TypeError, match="ESNRegressor"):
        function(ESNRegressor().fit(X, Y), X[:1])
    jordan = RecurrentClassifier(cell="jordan", target="step", max_epochs=1)
    jordan.fit(X, np.array([x[:, 0] > 0 for x in X], dtype=object))
    with pytest.raises(TypeError, match="jordan"):
        function(jordan, X[:1])


@pytest.mark.parametrize("function", FUNCTIONS[1:])
def test_one_sequence_is_asked_for(function):
    with pytest.raises(ValueError, match=r"5 sequences.*X\[:1\]"):
        function(fitted("lstm"), X)


def test_layers_are_counted():
    with pytest.raises(ValueError, match=r"layer=1.*1 recurrent layer"):
        state_jacobians(fitted(), X[:1], layer=1)


def test_pipelines_give_what_their_network_reads():
    model = make_pipeline(PerStep(), RNNRegressor(max_epochs=1, random_state=0))
    model.fit(X, Y)
    flow = gradient_flow(model, X, Y)
    assert_allclose(flow.norms, gradient_flow(model[-1], model[:-1].transform(X), Y).norms)
