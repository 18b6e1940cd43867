"""Layers over ragged batches equal torch's own layers over one sequence at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.any_cell import AnyCell
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.kernels import lstm
from sklseq.nn.recurrent.stack import RecurrentStack

TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELL_CLASSES = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
BOUNDS = {torch.float64: 1e-12, torch.float32: 1e-5}
many_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def run(layer, steps, lengths):
    """Stacked states of stacked steps."""
    packing = Packing(np.array(lengths))
    return layer(steps[packing.to_packed], packing, need_last=False)[0][packing.to_stacked]


def one_by_one(layer, steps, lengths):
    """The same by torch's layer, which is known to be right for one sequence."""
    return torch.cat([layer(item[:, None])[0][:, 0] for item in steps.split(lengths)])


def close(a, b, bound):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def assert_same_gradients(ours, theirs, inputs, bound):
    """Gradients of a random functional of the two, with respect to the inputs."""
    upstream = torch.randn_like(ours)
    a = torch.autograd.grad(ours, inputs, upstream)
    b = torch.autograd.grad(theirs, inputs, upstream)
    for mine, their in zip(a, b, strict=True):
        close(mine, their, bound)


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@pytest.mark.parametrize("name", TORCH)
@settings(max_examples=15, deadline=None)
@given(lengths=many_lengths, n_features=st.integers(1, 3), size=st.integers(1, 5))
def test_layers_equal_torch_on_one_sequence_at_a_time(name, dtype, lengths, n_features, size):
    layer = make_layer(name, n_features, size).to(dtype)
    assert type(layer.rnn) is TORCH[name]
    steps = torch.randn(sum(lengths), n_features, dtype=dtype, requires_grad=True)
    ours, theirs = run(layer, steps, lengths), one_by_one(layer.rnn, steps, lengths)
    close(ours, theirs, BOUNDS[dtype])
    assert_same_gradients(ours, theirs, [steps, *layer.parameters()], BOUNDS[dtype])


@settings(max_examples=25, deadline=None)
@given(lengths=many_lengths, cost=st.integers(0, 40), cells=st.integers(1, 60))
def test_the_lstm_is_exact_however_time_is_cut(lengths, cost, cells):
    layer = make_layer("lstm", 2, 3).double()
    steps = torch.randn(sum(lengths), 2, dtype=torch.float64, requires_grad=True)
    theirs = one_by_one(layer.rnn, steps, lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lstm, "_CALL_COST", 3 * cost)
        patch.setattr(lstm, "_CACHE_CELLS", 3 * cells)
        ours = run(layer, steps, lengths)
    close(ours, theirs, 1e-12)
    assert_same_gradients(ours, theirs, [steps, *layer.parameters()], 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_padding_does_no_harm_next_to_huge_values(name):
    # Cells of ended sequences repeat others: their gradients must not leak, not even as NaN.
    layer = make_layer(name, 1, 3).double()
    steps = torch.full((9, 1), 1e200, dtype=torch.float64, requires_grad=True)
    states = run(layer, steps, [6, 2, 1])
    assert states.isfinite().all()
    for gradient in torch.autograd.grad(states.sum(), [steps, *layer.parameters()]):
        assert gradient.isfinite().all()


class LeakyCell(nn.Module):
    """The equation of leaky-integrator units, one step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size))
        self.leak_rate = nn.Parameter(torch.empty(hidden_size))

    def forward(self, x, state):
        old = 0 * self.bias.expand(len(x), -1) if state is None else state
        new = torch.tanh(x @ self.weight_ih.T + old @ self.weight_hh.T + self.bias)
        return (1 - self.leak_rate) * old + self.leak_rate * new


CELL_CLASSES["leaky"] = LeakyCell


class DeepTransitionCell(nn.Module):
    """One layer between two states, one step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size))
        self.weight_hh_deep = nn.ParameterList([torch.empty(hidden_size, hidden_size)])
        self.bias_deep = nn.ParameterList([torch.empty(hidden_size)])

    def forward(self, x, state):
        old = 0 * self.bias.expand(len(x), -1) if state is None else state
        z = torch.tanh(x @ self.weight_ih.T + old @ self.weight_hh.T + self.bias)
        return torch.tanh(z @ self.weight_hh_deep[0].T + self.bias_deep[0])


CELL_CLASSES["deep_transition"] = DeepTransitionCell


def copy_weights(cell, layer):
    if not hasattr(layer, "rnn"):
        cell.load_state_dict(layer.state_dict())
        return
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: getattr(layer.rnn, f"{name}_l0") for name in names})


@pytest.mark.parametrize("name", CELL_CLASSES)
@settings(max_examples=15, deadline=None)
@given(lengths=many_lengths)
def test_a_cell_class_equals_the_built_in_layer(name, lengths):
    built_in = make_layer(name, 2, 3).double()
    custom = make_layer(CELL_CLASSES[name], 2, 3).double()
    assert isinstance(custom, AnyCell)
    copy_weights(custom.cell, built_in)
    steps = torch.randn(sum(lengths), 2, dtype=torch.float64, requires_grad=True)
    ours, theirs = run(custom, steps, lengths), run(built_in, steps, lengths)
    close(ours, theirs, 1e-12)
    upstream = torch.randn_like(ours)
    a = torch.autograd.grad(ours, [steps, *custom.parameters()], upstream)
    b = torch.autograd.grad(theirs, [steps, *built_in.parameters()], upstream)
    for mine, their in zip(a, b, strict=True):
        close(mine, their, 1e-12)


ANY_CELL = [*CELLS, nn.GRUCell, nn.LSTMCell]


@pytest.mark.parametrize("cell", ANY_CELL, ids=str)
@settings(max_examples=10, deadline=None)
@given(lengths=many_lengths, num_layers=st.integers(1, 3), bidirectional=st.booleans())
def test_states_do_not_depend_on_the_batch(cell, lengths, num_layers, bidirectional):
    stack = RecurrentStack(cell, 2, 3, num_layers, bidirectional).double()
    steps = torch.randn(sum(lengths), 2, dtype=torch.float64)
    together = run(stack, steps, lengths)
    alone = [run(stack, item, [len(item)]) for item in steps.split(lengths)]
    close(together, torch.cat(alone), 1e-12)
    backward = torch.cat(steps.split(lengths)[::-1])
    turned = run(stack, backward, lengths[::-1]).split(lengths[::-1])[::-1]
    close(together, torch.cat(turned), 1e-12)
    assert together.shape == (sum(lengths), stack.output_size)


@pytest.mark.parametrize("cell", ANY_CELL, ids=str)
@settings(max_examples=10, deadline=None)
@given(lengths=many_lengths)
def test_the_backward_direction_reads_each_sequence_alone_from_its_end(cell, lengths):
    stack = RecurrentStack(cell, 2, 3, bidirectional=True).double()
    steps = torch.randn(sum(lengths), 2, dtype=torch.float64)
    states = run(stack, steps, lengths)
    for item, both in zip(steps.split(lengths), states.split(lengths), strict=True):
        n = [len(item)]
        close(both[:, :3], run(stack.forward_layers[0], item, n), 1e-12)
        close(both[:, 3:], run(stack.backward_layers[0], item.flip(0), n).flip(0), 1e-12)


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_equals_torchs_stacked_layer(name, num_layers, bidirectional):
    lengths = [4, 1, 6]
    stack = RecurrentStack(name, 2, 3, num_layers, bidirectional).double()
    torchs = TORCH[name](2, 3, num_layers, bidirectional=bidirectional).double()
    for k in range(num_layers):
        for layers, suffix in ((stack.forward_layers, ""), (stack.backward_layers, "_reverse")):
            if len(layers):
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    source = getattr(layers[k].rnn, f"{part}_l0")
                    getattr(torchs, f"{part}_l{k}{suffix}").data.copy_(source)
    steps = torch.randn(sum(lengths), 2, dtype=torch.float64)
    close(run(stack, steps, lengths), one_by_one(torchs, steps, lengths), 1e-12)


@pytest.mark.parametrize("cell", ANY_CELL, ids=str)
def test_a_state_does_not_see_later_steps(cell):
    stack = RecurrentStack(cell, 1, 3, 2).double()
    steps = torch.randn(7, 1, dtype=torch.float64)
    changed = steps.clone()
    changed[[3, 6]] += 1  # the last steps of both sequences
    a, b = run(stack, steps, [4, 3]), run(stack, changed, [4, 3])
    early = [0, 1, 2, 4, 5]
    assert torch.equal(a[early], b[early])
    assert not torch.isclose(a[[3, 6]], b[[3, 6]]).all(dim=1).any()


def test_dropout_acts_on_every_layer_in_training_alone():
    torch.manual_seed(0)
    stack = RecurrentStack("gru", 2, 50, num_layers=2, dropout=0.5)
    steps = torch.randn(20, 2)
    stack.eval()
    assert torch.equal(run(stack, steps, [20]), run(stack, steps, [20]))
    assert (run(stack, steps, [20]) != 0).all()
    stack.train()
    dropped = (run(stack, steps, [20]) == 0).double().mean()
    assert 0.4 < dropped < 0.6
    stack.dropout.p = 0.0
    layered = run(stack, steps, [20])
    stack.eval()
    assert torch.equal(layered, run(stack, steps, [20]))


def test_a_name_that_is_no_cell_is_a_key_error():
    with pytest.raises(KeyError, match="no-such-cell"):
        make_layer("no-such-cell", 1, 1)
