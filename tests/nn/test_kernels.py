"""The hand-written gradients of the two kernels are those of their forward pass."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.kernels import cpu

NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def kernel_of(run, nonlinearity=None):
    """States by a kernel, as a function of all tensors."""

    def states(x, *tensors):
        *weights, h0, packing = tensors
        named = dict(zip(NAMES, weights, strict=True))
        rnn = SimpleNamespace(nonlinearity=nonlinearity, hidden_size=h0.shape[1], **named)
        return run(rnn, x, packing, h0, False)[0]

    return states


KERNELS = {
    "rnn": (kernel_of(cpu.rnn, "tanh"), 1),
    "gru": (kernel_of(cpu.gru), 3),
    "relu": (kernel_of(cpu.rnn, "relu"), 1),
}


def arguments(n_gates, lengths, n_features=2, size=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [
        (sum(lengths), n_features),
        (n_gates * size, n_features),
        (n_gates * size, size),
        (n_gates * size,),
        (n_gates * size,),
        (len(lengths), size),
    ]
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]


def elman_step(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.tanh(x @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh)


def relu_step(x, h, w_ih, w_hh, b_ih, b_hh):
    return torch.relu(x @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh)


def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        (x @ w_ih.t() + b_ih).chunk(3),
        (h @ w_hh.t() + b_hh).chunk(3),
    )
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    return (1 - z) * torch.tanh(x_n + r * h_n) + z * h


STEPS = {"rnn": elman_step, "gru": gru_step, "relu": relu_step}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("lengths", [[1], [4], [3, 1, 2], [2, 2]])
def test_gradients_of_all_inputs_are_right(name, lengths):
    kernel, n_gates = KERNELS[name]
    packing = Packing(np.array(lengths))
    inputs = arguments(n_gates, lengths)
    assert gradcheck(lambda *args: kernel(*args, packing), inputs)


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_states_follow_the_equations(name, lengths, seed):
    kernel, n_gates = KERNELS[name]
    packing = Packing(np.array(lengths))
    x, *parameters, h0 = arguments(n_gates, lengths, seed=seed)
    stacked = kernel(x[packing.to_packed], *parameters, h0, packing)[packing.to_stacked]
    for i, (steps, states) in enumerate(zip(x.split(lengths), stacked.split(lengths), strict=True)):
        h = h0[i]
        for x_t, state in zip(steps, states, strict=True):
            h = STEPS[name](x_t, h, *parameters)
            # States of relu have no bound.
            rtol = 1e-13 if name == "relu" else 0
            torch.testing.assert_close(state, h, rtol=rtol, atol=1e-13)


@pytest.mark.parametrize("name", KERNELS)
def test_inputs_without_gradient_get_none(name):
    kernel, n_gates = KERNELS[name]
    inputs = arguments(n_gates, [2, 1])
    packing = Packing(np.array([2, 1]))
    with_gradient = torch.autograd.grad(kernel(*inputs, packing).sum(), inputs[1:5])
    inputs[0].requires_grad_(False)
    without = torch.autograd.grad(kernel(*inputs, packing).sum(), inputs[1:5])
    for a, b in zip(with_gradient, without, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", KERNELS)
def test_inputs_are_not_changed(name):
    kernel, n_gates = KERNELS[name]
    inputs = arguments(n_gates, [3, 1])
    before = [t.detach().clone() for t in inputs]
    states = kernel(*inputs, Packing(np.array([3, 1])))
    upstream = torch.ones_like(states)
    states.backward(upstream)
    assert torch.equal(upstream, torch.ones_like(states))
    for a, b in zip(inputs, before, strict=True):
        assert torch.equal(a, b)
