"""Long sequences in chunks give the states and gradients of the plain loop."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.nn.ragged.cut import Cut
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.torch_layers import GRU, RNN
from sklseq.nn.recurrent.kernels import parallel_time
from sklseq.nn.recurrent.kernels.dispatch import kernel_for
from sklseq.nn.recurrent.kernels.parallel_time import TimeParallel
from sklseq.nn.recurrent.stack import RecurrentStack

LAYERS = {
    "gru": lambda d, h: GRU(d, h),
    "rnn": lambda d, h: RNN(d, h),
    "relu": lambda d, h: RNN(d, h, activation="relu"),
}


def made(name, gain=1.0, size=4, seed=0, dtype=torch.float64):
    """A layer whose recurrent weights are scaled."""
    torch.manual_seed(seed)
    layer = LAYERS[name](2, size).to(dtype)
    with torch.no_grad():
        layer.rnn.weight_hh_l0.mul_(gain)
    return layer


def everything(layer, mode, lengths, seed=0, weight=None):
    """States, last states, and gradients of the input, the first state and the weights."""
    layer.time_parallel = TimeParallel(mode)
    generator = torch.Generator().manual_seed(seed)
    like = {"generator": generator, "dtype": next(layer.parameters()).dtype}
    x = torch.randn(sum(lengths), 2, **like).requires_grad_()
    h0 = torch.randn(len(lengths), layer.hidden_size, **like).requires_grad_()
    states, last = layer(x, Packing(np.array(lengths)), h0)
    of_states = torch.randn(states.shape, **like) if weight is None else weight
    loss = (states * of_states).sum() + (last * torch.randn(last.shape, **like)).sum()
    return states, last, *torch.autograd.grad(loss, [x, h0, *layer.parameters()])


def assert_equal(found, wanted, tolerance):
    for a, b in zip(found, wanted, strict=True):
        assert (a - b).abs().max() <= tolerance * max(1.0, b.abs().max())


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    gain=st.sampled_from([0.1, 1.0, 1.5]),
    seed=st.integers(0, 99),
)
def test_sweeps_over_any_chunks_end_in_the_plain_loop(name, lengths, gain, seed):
    """As many sweeps as chunks are exact, whether the network forgets or not."""
    layer = made(name, gain, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel_time, "_promising", lambda *_: True)
        patch.setattr(parallel_time, "_BLOCK", 3)
        found = everything(layer, True, lengths, seed)
        assert layer.time_parallel.misses == 0
    assert_equal(found, everything(layer, False, lengths, seed), 1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lengths", [[1500], [1100, 300, 7, 1100]])
@pytest.mark.parametrize("name", ["gru", "rnn"])
def test_long_sequences_meet_within_few_sweeps(name, lengths, dtype):
    layer = made(name, dtype=dtype)
    found = everything(layer, True, lengths)
    assert layer.time_parallel.misses == 0
    assert_equal(found, everything(layer, False, lengths), 1e3 * torch.finfo(dtype).eps)


def long_memory():
    """Units that keep their state over thousands of steps."""
    layer = made("gru")
    with torch.no_grad():
        layer.rnn.bias_ih_l0[4:8] = 9.0
    return layer


def chaos():
    """Units that make of a small difference a large one."""
    return made("rnn", 6.0, size=16)


@pytest.mark.parametrize("make", [long_memory, chaos])
def test_where_sweeps_do_not_meet_the_plain_loop_runs(make):
    layer = make()
    weight = torch.zeros(1500, layer.hidden_size, dtype=torch.float64)
    weight[:5] = 1.0  # of the gradient of chaos through more steps nothing is left but overflow
    wanted = everything(layer, False, [1500], weight=weight)
    found = everything(layer, True, [1500], weight=weight)
    assert layer.time_parallel.misses == 1
    for a, b in zip(found, wanted, strict=True):
        assert torch.equal(a, b)


def test_states_that_overflow_are_those_of_the_plain_loop():
    """The end of a chunk is infinite, and what goes on from it must not be taken for met."""
    layer = made("relu", 0.0, size=1, dtype=torch.float32)
    with torch.no_grad():
        layer.rnn.weight_hh_l0.fill_(6.0)
        layer.rnn.weight_ih_l0.fill_(1.0)
    x = torch.zeros(1000, 2)
    x[5] = 10.0
    found = {}
    for mode in (True, False):
        layer.time_parallel = TimeParallel(mode)
        found[mode] = layer(x, Packing(np.array([1000])))
    assert found[False][1].isinf().all()
    for a, b in zip(found[True], found[False], strict=True):
        assert torch.equal(a, b)


def test_a_gradient_that_does_not_fade_is_that_of_the_plain_loop():
    """It may not, though the states meet, as differences of many steps may be large at some."""
    layer = made("gru")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel_time, "_corrected", lambda *_: None)
        found = everything(layer, True, [1200, 500])
    assert_equal(found, everything(layer, False, [1200, 500]), 1e-12)


def test_what_did_not_meet_is_tried_again_but_seldom():
    time, tries = TimeParallel(), []
    for call in range(200):
        if time.due():
            tries.append(call)
            time.tell(False)
    assert tries == [0, 5, 14, 31, 64, 129, 194]
    time.tell(True)
    assert all(time.due() for _ in range(3))
    # Copies begin anew, as what is stored and read again does.
    time.tell(False)
    assert deepcopy(time) == TimeParallel()


def test_auto_takes_chunks_for_few_long_sequences_alone():
    def chosen(lengths, units=32, cell="gru", device="cpu"):
        x = torch.zeros(sum(lengths), 1, device=device)
        kernel = kernel_for(cell, units, x, Packing(np.array(lengths)), TimeParallel())
        return getattr(kernel, "func", None) is parallel_time.in_chunks

    assert chosen([5000])
    assert chosen([8000, 1900, 10])
    assert not chosen([4000])
    assert not chosen([5000] * 32)
    assert not chosen([5000], units=2000)
    assert not chosen([5000], cell="lstm")
    assert not chosen([5000], device="meta")


def test_a_stack_in_chunks_is_the_stack_in_both_directions_and_its_dropout():
    def outputs(mode):
        torch.manual_seed(0)
        stack = RecurrentStack("gru", 2, 5, num_layers=2, bidirectional=True, dropout=0.3)
        for layer in [*stack.forward_layers, *stack.backward_layers]:
            layer.time_parallel = TimeParallel(mode)
        packing = Packing(np.array([1300, 400]))
        x = torch.randn(1700, 2)
        torch.manual_seed(1)
        states, last = stack(x, packing)
        gradients = torch.autograd.grad(states.square().sum(), list(stack.parameters()))
        assert len(packing.indices) == (mode is True)
        return [states, *(part for part in last), *gradients]

    assert_equal(outputs(True), outputs(False), 1e-5)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    length=st.integers(1, 31),
)
def test_a_cut_is_a_permutation_that_keeps_neighbors(lengths, length):
    packing = Packing(np.array(lengths))
    cut, steps = Cut.of(packing, length), torch.arange(sum(lengths))
    assert torch.equal(cut.to_chunks.index_select(0, cut.from_chunks), steps)
    # Of the first step of each chunk, the number in stacked order.
    begins = packing.to_packed.index_select(0, cut.to_chunks)[: cut.chunks.batch_sizes[0]]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    assert begins[cut.first].tolist() == starts.tolist()
    assert torch.equal(begins[cut.right] - begins[cut.left], torch.full((len(cut.left),), length))
