"""What is laid out for cuDNN equals the kernels of the CPU: torch's functions are the same."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklseq.base.known_state import known_state
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells import torch_layers
from sklseq.nn.recurrent.cells.registry import make_layer
from sklseq.nn.recurrent.kernels import cuda, dispatch
from sklseq.nn.recurrent.layer import by_part, output_of
from sklseq.nn.recurrent.stack import RecurrentStack

CELLS = [("rnn", {}), ("rnn", {"activation": "relu"}), ("gru", {}), ("lstm", {})]
all_cells = pytest.mark.parametrize(("cell", "options"), CELLS, ids=str)
ragged = st.lists(st.integers(1, 12), min_size=1, max_size=7)
H = 3


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def outcome(kernel, layer, lengths, begun, need_last):
    """States, what comes last, and all gradients of a sum of both in random proportions."""
    generator = torch.Generator().manual_seed(1)
    draw = partial(torch.randn, generator=generator, dtype=torch.float64)
    packing = Packing(np.array(lengths))
    x = draw(sum(lengths), 2).requires_grad_()
    n_parts = 2 if layer.cell == "lstm" else 1
    parts = [draw(len(lengths), H).requires_grad_() for _ in range(n_parts)]
    state = (tuple(parts) if n_parts == 2 else parts[0]) if begun else None
    packed, last = kernel(layer.rnn, x[packing.to_packed], packing, state, need_last)
    found = [packed[packing.to_stacked]]
    if need_last:
        found += last if n_parts == 2 else [last]
    loss = sum((out * draw(*out.shape)).sum() for out in found)
    leaves = [x, *layer.parameters(), *(parts if begun else [])]
    return [*found, *torch.autograd.grad(loss, leaves)]


@all_cells
@settings(max_examples=15, deadline=None)
@given(
    lengths=ragged,
    cost=st.sampled_from([0, 2, 10, 1000]),
    most_steps=st.sampled_from([1, 3, 1000]),
    most_calls=st.sampled_from([1, 1000]),
    begun=st.booleans(),
    need_last=st.booleans(),
)
def test_rectangles_equal_the_kernel_of_the_cpu(
    cell, options, lengths, cost, most_steps, most_calls, begun, need_last
):
    layer = make_layer(cell, 2, H, options).double()
    given = layer, lengths, begun, need_last
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "_CALL_COST", cost * H)
        patch.setattr(cuda, "MOST_STEPS", most_steps)
        patch.setattr(cuda, "_MOST_CALLS", most_calls)
        found = outcome(cuda.padded, *given)
    for a, b in zip(found, outcome(dispatch.CPU[cell], *given), strict=True):
        close(a, b)


@all_cells
@pytest.mark.parametrize("begun", [False, True])
def test_packed_steps_equal_the_kernel_of_the_cpu(cell, options, begun):
    layer = make_layer(cell, 2, H, options).double()
    given = layer, [3, 7, 1, 3], begun, True
    for a, b in zip(outcome(cuda.packed, *given), outcome(dispatch.CPU[cell], *given), strict=True):
        close(a, b)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("padding", [0, 5])
def test_both_directions_of_a_stack_read_no_padding(cell, padding, monkeypatch):
    monkeypatch.setattr(cuda, "_CALL_COST", padding * H)
    stack = RecurrentStack(cell, 2, H, 2, bidirectional=True).double()
    lengths = [4, 9, 1, 4]
    packing = Packing(np.array(lengths))
    x = torch.randn(sum(lengths), 2, dtype=torch.float64)
    expected, _ = stack(x[packing.to_packed], packing)
    loss = expected.square().sum()
    gradients = torch.autograd.grad(loss, list(stack.parameters()))
    monkeypatch.setattr(torch_layers, "kernel_for", lambda *_: cuda.padded)
    found, _ = stack(x[packing.to_packed], packing)
    close(found, expected)
    for a, b in zip(
        torch.autograd.grad(found.square().sum(), list(stack.parameters())), gradients, strict=True
    ):
        close(a, b)


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=30),
    cost=st.integers(0, 500),
    most_steps=st.integers(1, 300),
)
def test_rectangles_hold_all_steps_and_waste_little(lengths, cost, most_steps):
    sizes = Packing(np.array(lengths)).batch_sizes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "MOST_STEPS", most_steps)
        blocks = cuda.shrinking(sizes, cost)
    assert sum(n_steps for n_steps, _ in blocks) == len(sizes)
    start = 0
    for n_steps, rows in blocks:
        assert 1 <= n_steps <= most_steps
        assert rows == sizes[start]
        assert n_steps * rows - sum(sizes[start : start + n_steps]) <= cost
        start += n_steps


def test_which_kernel_runs_on_cuda():
    equal, ragged = Packing(np.full(4, 9)), Packing(np.array([9, 2]))
    endless = Packing(np.array([cuda.MOST_STEPS + 1, 2]))
    for cell in ("rnn", "gru", "lstm"):
        assert dispatch.on_cuda(cell, 128, ragged) is cuda.padded
        assert dispatch.on_cuda(cell, 256, ragged) is cuda.packed
        assert dispatch.on_cuda(cell, 256, equal) is cuda.padded
        assert dispatch.on_cuda(cell, 256, endless) is cuda.padded


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("lengths", [[50, 3, 50, 17], [40] * 5, [70_000, 5]], ids=str)
@pytest.mark.parametrize("kernel", [cuda.packed, cuda.padded])
@all_cells
def test_on_cuda_as_on_the_cpu(cell, options, kernel, lengths, begun, dtype):
    if kernel is cuda.packed and max(lengths) > cuda.MOST_STEPS:
        pytest.skip("cuDNN refuses so many packed steps")
    layer = make_layer(cell, 2, 16, options).to("cuda", dtype)
    packing = Packing(np.array(lengths), "cuda")
    x = torch.randn(sum(lengths), 2, dtype=dtype, device="cuda")
    state = layer.step(x[: len(lengths)]) if begun else None
    with known_state():  # without TF32
        states, last = kernel(layer.rnn, x[packing.to_packed], packing, state, True)
    here = Packing(np.array(lengths))
    layer.cpu()
    state = None if state is None else by_part(lambda s: s.cpu(), state)
    expected, end = dispatch.CPU[cell](layer.rnn, x.cpu()[here.to_packed], here, state, True)
    bound = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(states.cpu(), expected, rtol=bound, atol=bound)
    by_part(lambda a, b: torch.testing.assert_close(a.cpu(), b, rtol=bound, atol=bound), last, end)
    assert output_of(last).shape == (len(lengths), 16)
