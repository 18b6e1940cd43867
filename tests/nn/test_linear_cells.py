"""Linear recurrences by chunks equal the loop, and the cells the equations of their papers."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import gelu

from sklseq.nn.ragged import packing as packings
from sklseq.nn.ragged.chunks import Chunks
from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.cells.registry import make_layer
from sklseq.nn.recurrent.kernels.dispatch import lanes_for
from sklseq.nn.recurrent.kernels.scan import scan
from sklseq.nn.recurrent.layer import by_part, output_of
from sklseq.nn.recurrent.network import RecurrentNetwork

F, H = 2, 3
LAYERS = [
    ("mingru", {}),
    ("mingru", {"time_scales": (1, 50)}),
    ("minlstm", {}),
    ("minlstm", {"time_scales": (1, 50)}),
    ("lru", {}),
    ("lru", {"eigenvalues": "signed"}),
]
layers = pytest.mark.parametrize(("cell", "options"), LAYERS, ids=str)
many_lengths = st.lists(st.integers(1, 40), min_size=1, max_size=6)
chunk_lengths = st.integers(2, 50)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def close(a, b, bound=1e-12):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def loop(a, b, start, lengths):
    """The recurrence as it is written, over stacked steps."""
    states = []
    for a_i, b_i, h in zip(a.split(lengths), b.split(lengths), start, strict=True):
        for a_t, b_t in zip(a_i, b_i, strict=True):
            h = a_t * h + b_t
            states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@settings(max_examples=40, deadline=None)
@given(
    lengths=many_lengths,
    length=chunk_lengths,
    size=st.integers(1, 17),
    one_factor=st.booleans(),
    share_of_resets=st.sampled_from([0, 0.2, 1]),
)
def test_the_scan_is_the_loop(dtype, lengths, length, size, one_factor, share_of_resets):
    n = sum(lengths)
    a = torch.randn(1 if one_factor else n, size, dtype=dtype)
    a = a / a.abs() * torch.rand(a.shape)  # of any sign, or inside the unit circle
    a = torch.where(torch.rand(a.shape) < share_of_resets, 0, a).requires_grad_()
    b = torch.randn(n, size, dtype=dtype, requires_grad=True)
    start = torch.randn(len(lengths), size, dtype=dtype, requires_grad=True)
    chunks = Chunks(np.array(lengths), length, "cpu")
    cell = torch.from_numpy(chunks.cell)
    order = cell.argsort()
    ours = scan(a if one_factor else a[order], b[order], start, chunks)[cell]
    theirs = loop(a.expand(n, size), b, start, lengths)
    close(ours, theirs)
    upstream = torch.randn_like(ours)
    inputs = [a, b, start]
    mine = torch.autograd.grad(ours, inputs, upstream)
    for x, y in zip(mine, torch.autograd.grad(theirs, inputs, upstream), strict=True):
        close(x, y)


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(0, 40), min_size=1, max_size=6), length=chunk_lengths)
def test_chunks_hold_every_step_once_and_only_these(lengths, length):
    chunks = Chunks(np.array(lengths), length, "cpu")
    assert sorted(chunks.cell) == list(range(sum(lengths)))
    assert sum(chunks.sizes) == sum(lengths)
    assert sorted(chunks.sizes, reverse=True) == chunks.sizes
    assert len(chunks.sizes) <= length
    n_chunks = [-(-n // length) for n in lengths]
    assert chunks.n_going_on == sum(n - 1 for n in n_chunks if n)
    if chunks.carries is not None:
        assert sum(chunks.carries.sizes) == chunks.n_going_on


def run(layer, steps, lengths, state=None, lanes=None, chunk=32):
    """Stacked states, and the last one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packings, "_CHUNK", chunk)
        packing = Packing(np.array(lengths), lanes=lanes)
        states, last = layer(steps[packing.to_packed], packing, state)
    return states[packing.to_stacked], last


def step_by_step(layer, steps, lengths):
    outputs, ends = [], []
    for item in steps.split(lengths):
        state = None
        for x_t in item:
            state = layer.step(x_t[None], state)
            outputs.append(output_of(state))
        ends.append(state)
    return torch.cat(outputs), by_part(lambda *parts: torch.cat(parts), *ends)


@layers
@settings(max_examples=15, deadline=None)
@given(lengths=many_lengths, chunk=chunk_lengths)
def test_a_layer_is_its_steps_whatever_the_chunks(cell, options, lengths, chunk):
    layer = make_layer(cell, F, H, options).double()
    steps = torch.randn(sum(lengths), F, dtype=torch.float64, requires_grad=True)
    ours, last = run(layer, steps, lengths, chunk=chunk)
    theirs, end = step_by_step(layer, steps, lengths)
    close(ours, theirs)
    by_part(lambda x, y: close(x, y) or x, last, end)
    upstream, inputs = torch.randn_like(ours), [steps, *layer.parameters()]
    mine = torch.autograd.grad(ours, inputs, upstream)
    for x, y in zip(mine, torch.autograd.grad(theirs, inputs, upstream), strict=True):
        close(x, y)


@layers
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 150), min_size=1, max_size=6), size=st.integers(1, 40))
@example(lengths=[96, 150, 33], size=7)  # alone, whole calls of `Packing.map` need no filling
def test_recurrences_have_the_same_bits_in_any_company(cell, options, dtype, lengths, size):
    layer = make_layer(cell, F, size, options).to(dtype)
    steps = torch.randn(sum(lengths), F, dtype=dtype)
    with torch.inference_mode():
        together, _ = run(layer, steps, lengths, lanes=Lanes(3, 4, 2))
        for item, states in zip(steps.split(lengths), together.split(lengths), strict=True):
            alone, _ = run(layer, item, [len(item)], lanes=Lanes(1, 1))
            assert torch.equal(alone, states)


def mingru(layer, x):
    p, size = dict(layer.named_parameters()), layer.hidden_size
    z = torch.sigmoid(x @ p["weight"][:size].T + p["bias"][:size])
    new = x @ p["weight"][size:].T + p["bias"][size:]
    h, states = torch.zeros(size).double(), []
    for z_t, n_t in zip(z, new, strict=True):
        h = (1 - z_t) * h + z_t * n_t
        states.append(h)
    return torch.stack(states)


def minlstm(layer, x):
    raw = x @ layer.weight.T + layer.bias
    f, i, new = raw.split(layer.hidden_size, dim=1)
    f, i = torch.sigmoid(f), torch.sigmoid(i)
    h, states = torch.zeros(layer.hidden_size).double(), []
    for f_t, i_t, n_t in zip(f, i, new, strict=True):
        h = f_t / (f_t + i_t) * h + i_t / (f_t + i_t) * n_t
        states.append(h)
    return torch.stack(states)


def lru(layer, x):
    p = {name.removeprefix("recurrence."): v for name, v in layer.named_parameters()}
    h, outputs = torch.zeros(layer.hidden_size, dtype=torch.complex128), []
    eigenvalues = torch.exp(-torch.exp(p["nu"]) + 1j * torch.exp(p["theta"]))
    in_pairs = p["weight"].view(layer.hidden_size, 2, -1)
    b = torch.complex(in_pairs[:, 0], in_pairs[:, 1])
    c = torch.complex(p["read_state"][:, ::2], -p["read_state"][:, 1::2])
    for x_t in x:
        h = eigenvalues * h + torch.exp(p["log_scale"]) * (b @ x_t.to(b.dtype))
        u = gelu((c @ h).real + layer.read_input(x_t))
        outputs.append(u * torch.sigmoid(layer.gate(u)))
    return torch.stack(outputs)


@pytest.mark.parametrize("equations", [mingru, minlstm, lru], ids=lambda f: f.__name__)
def test_cells_are_the_equations_of_their_papers(equations):
    layer = make_layer(equations.__name__, F, H).double()
    x = torch.randn(50, F).double()
    close(run(layer, x, [50])[0], equations(layer, x))


def test_a_sign_that_the_input_turns_counts_modulo_two():
    layer = make_layer("lru", 1, 4, {"eigenvalues": "signed"}).double()
    recurrence = layer.recurrence
    recurrence.weight.data[:4], recurrence.bias.data[:4] = -40.0, 20.0  # 1 or -1 by the bit
    bits = torch.randint(0, 2, (500, 1)).double()
    a, b = recurrence(bits, lambda function, *rows: function(*rows))
    packing = Packing(np.array([500]))
    h = packing.from_cells(
        scan(packing.to_cells(a), packing.to_cells(b), recurrence.start(None, 1), packing.chunks)
    )
    close(h, recurrence.h_0 * (1 - 2 * (bits.cumsum(0) % 2)), 1e-5)


@pytest.mark.parametrize("cell", ["mingru", "minlstm"])
def test_units_begin_with_the_time_scales_asked_for(cell):
    layer = make_layer(cell, 1, 3, {"time_scales": (4, 100)})
    a, _ = layer.coefficients(torch.zeros(1, 1), lambda function, *rows: function(*rows))
    torch.testing.assert_close(1 / (1 - a[0]), torch.tensor([4.0, 20.0, 100.0]))


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("mingru", {"time_scales": (0.5, 3)}),
        ("lru", {"eigenvalues": "real"}),
        ("lru", {"r_min": 0.9, "r_max": 0.5}),
        ("lru", {"time_scales": (1, 3)}),
    ],
)
def test_options_that_make_no_sense_are_named(cell, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_layer(cell, F, H, options)


def test_a_long_sequence_alone_is_not_laid_beside_others():
    network = RecurrentNetwork(n_features=1, n_outputs=1, cell="mingru")
    (lanes,) = lanes_for(network, np.array([100_000]))
    assert lanes.rows == 1
