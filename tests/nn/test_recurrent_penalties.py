"""Penalties of recurrent networks equal their formulas, one sequence and one step at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd.functional import jacobian

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.layer import by_part
from sklseq.nn.recurrent.penalties import (
    activation_penalty,
    flow_penalty,
    recording,
    temporal_penalty,
)
from sklseq.nn.recurrent.stack import RecurrentStack

F, H = 2, 4
some = settings(max_examples=6, deadline=None)
many_lengths = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def close(a, b, bound=1e-9):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def numbers(state):
    """Parts of a state that are no counts."""
    parts = [state] if isinstance(state, torch.Tensor) else state
    return [part for part in parts if part.is_floating_point()]


def flat(state):
    return torch.cat(numbers(state), dim=-1)


def unflat(vector, like):
    """The inverse of `flat`, with the counts of another state."""
    parts = iter(vector.split([part.shape[-1] for part in numbers(like)], dim=-1))
    return by_part(lambda part: next(parts) if part.is_floating_point() else part, like)


def separate(part):
    """A tensor of its own, that the loss can be differentiated by."""
    if not part.is_floating_point():
        return part
    return part.clone() if part.requires_grad else part.detach().clone().requires_grad_()


def loss_of(states, packing, upstream):
    """A nonlinear loss of all states: the sum of one term a sequence."""
    return (states * upstream).tanh().square().sum()


def explicit(layer, item, upstream):
    """Equation 9 for one sequence, by the Jacobian of each step."""
    states, now = [], None
    for x_t in item:
        now = by_part(separate, layer.step(x_t[None], now))
        states.append(now)
    outputs = torch.cat([s if isinstance(s, torch.Tensor) else s[0] for s in states])
    loss = loss_of(outputs, None, upstream)
    parts = [numbers(s) for s in states]
    every = [part for of_step in parts for part in of_step]
    found = torch.autograd.grad(
        loss, every, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    n = len(parts[0])
    v = [torch.cat(found[i : i + n], dim=1)[0] for i in range(0, len(found), n)]
    total = loss.new_zeros(())
    for k in range(len(item) - 1):
        before, like = flat(states[k])[0].detach(), states[k]

        def step(state, k=k, like=like):
            return flat(layer.step(item[k + 1][None].detach(), unflat(state[None], like)))[0]

        moved = v[k + 1] @ jacobian(step, before, create_graph=True)
        total = total + (moved.norm() / v[k + 1].norm() - 1) ** 2
    return total


@pytest.mark.parametrize("cell", [*CELLS, nn.GRUCell, nn.LSTMCell], ids=str)
@some
@given(lengths=many_lengths, data=st.data())
def test_the_flow_penalty_is_equation_9_and_its_gradient_the_immediate_one(cell, lengths, data):
    stack = RecurrentStack(cell, F, H).double()
    weight = torch.tensor([data.draw(st.sampled_from([0.0, 0.5, 2.0])) for _ in lengths]).double()
    steps = torch.randn(sum(lengths), F, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(sum(lengths), H, dtype=torch.float64)
    packing = Packing(np.array(lengths))
    with recording(stack, True) as record:
        states, _ = stack(steps[packing.to_packed], packing)
    loss = loss_of(states[packing.to_stacked], packing, upstream)
    found = flow_penalty(loss, record, weight)
    layer = stack.forward_layers[0]
    pairs = zip(steps.split(lengths), upstream.split(lengths), weight, strict=True)
    expected = sum(w * explicit(layer, item, up) for item, up, w in pairs)
    close(found, expected)
    if max(lengths) == 1:
        return
    parameters = list(layer.parameters())
    for a, b in zip(
        torch.autograd.grad(found, parameters, retain_graph=True, materialize_grads=True),
        torch.autograd.grad(expected, parameters, materialize_grads=True),
        strict=True,
    ):
        close(a, b)
    # What came below, and the inputs, are constants.
    assert torch.autograd.grad(found, steps, allow_unused=True) == (None,)
    assert stack.record is None


def test_of_an_elman_network_it_is_the_formula_of_the_paper():
    stack = RecurrentStack("rnn", F, H).double()
    steps, n = torch.randn(5, F, dtype=torch.float64), 5
    packing = Packing(np.array([n]))
    with recording(stack, True) as record:
        states, _ = stack(steps, packing)
    loss = states[-1].square().sum()
    weights = stack.forward_layers[0].rnn.weight_hh_l0
    v, total = 2 * states[-1], 0.0
    for k in range(n - 1, 0, -1):  # back through time
        moved = (v * (1 - states[k] ** 2)) @ weights
        total += (moved.norm() / v.norm() - 1) ** 2
        v = moved
    close(flow_penalty(loss, record, torch.ones(1).double()), total)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_flow_penalty_does_not_hang_on_the_size_of_the_gradient(scale):
    stack = RecurrentStack("rnn", F, H)
    packing, x = Packing(np.array([4, 2])), torch.randn(6, F)
    found = []
    for factor in (1, scale):
        with recording(stack, True) as record:
            states, _ = stack(x, packing)
        found.append(flow_penalty(factor * states.sum(), record, torch.ones(2)))
    close(*found, 1e-4)


def test_steps_that_no_gradient_reaches_are_left_out():
    stack = RecurrentStack("lstm", F, H).double()
    x, packing = torch.randn(6, F, dtype=torch.float64), Packing(np.array([6]))
    found = []
    for length in (6, 3):
        part = Packing(np.array([length]))
        with recording(stack, True) as record:
            states, _ = stack(x[:length], part)
        found.append(flow_penalty(states[2].sum(), record, torch.ones(1).double()))
    close(*found)
    with recording(stack, True) as record:
        states, _ = stack(x, packing)
    penalty = flow_penalty(0 * states.sum(), record, torch.ones(1).double())
    assert penalty == 0
    for gradient in torch.autograd.grad(penalty, list(stack.parameters()), allow_unused=True):
        assert gradient is None or (gradient == 0).all()


@some
@given(lengths=many_lengths, data=st.data())
def test_penalties_of_activations_are_means_within_each_sequence(lengths, data):
    stack = RecurrentStack("gru", F, H, 2, True, dropout=0.5).double()
    weight = torch.tensor([data.draw(st.sampled_from([0.0, 1.0, 2.5])) for _ in lengths]).double()
    packing = Packing(np.array(lengths))
    with recording(stack, False) as record:
        outputs, _ = stack(torch.randn(sum(lengths), F, dtype=torch.float64), packing)
    assert record.transitions is None
    dropped, states = outputs[packing.to_stacked], record.states[packing.to_stacked]
    assert (dropped == 0).any()
    assert not (states == 0).any()
    activations = changes = 0.0
    for of_outputs, of_states, w in zip(
        dropped.split(lengths), states.split(lengths), weight, strict=True
    ):
        activations += w * of_outputs.square().mean()
        if len(of_states) > 1:
            changes += w * (of_states[1:] - of_states[:-1]).square().mean()
    close(activation_penalty(record, weight), activations)
    close(temporal_penalty(record, weight), torch.as_tensor(changes).double())


@some
@given(
    lengths=many_lengths,
    num_layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    zoneout=st.sampled_from([0.0, 0.3]),
    recurrent_dropout=st.sampled_from([0.0, 0.3]),
)
def test_the_flow_penalty_is_that_of_all_layers_and_goes_with_noise(
    lengths, num_layers, bidirectional, zoneout, recurrent_dropout
):
    stack = RecurrentStack(
        "gru",
        F,
        H,
        num_layers,
        bidirectional,
        dropout=0.2,
        dropout_mask="sequence",
        recurrent_dropout=recurrent_dropout,
        zoneout=zoneout,
    ).double()
    packing = Packing(np.array(lengths))
    with recording(stack, True) as record:
        states, _ = stack(torch.randn(sum(lengths), F, dtype=torch.float64), packing)
    for layer in record.transitions:  # the steps that are differentiated are those that were taken
        joined = torch.cat(layer.states)
        n = len(packing)
        if len(joined) > n:
            close(layer.step(layer.x[n:], joined[packing.previous]), joined[n:])
    assert len(record.transitions) == num_layers * (1 + bidirectional)
    penalty = flow_penalty(states.square().sum(), record, torch.ones(len(lengths)).double())
    (penalty + 0 * states.sum()).backward()
    for parameter in stack.parameters():
        assert parameter.grad.isfinite().all()
