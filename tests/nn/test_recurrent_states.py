"""Every recurrent layer takes and gives a state, and what it does in steps it does in one go."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.layer import by_part, output_of
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.nn.recurrent.stack import RecurrentStack

F, H = 2, 3
many_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)
some = settings(max_examples=10, deadline=None)


class Scaled(nn.Module):
    """A user's cell with an option, a tuple as state and a start of its own."""

    def __init__(self, input_size, hidden_size, scale=1.0):
        super().__init__()
        self.inner, self.scale = nn.LSTMCell(input_size, hidden_size), scale
        self.start = nn.Parameter(torch.randn(hidden_size))

    def forward(self, x, state):
        if state is None:
            state = (self.start.expand(len(x), -1), torch.zeros_like(self.start).expand(len(x), -1))
        return self.inner(self.scale * x, state)


OPTIONS = [
    ("rnn", {"activation": "relu"}),
    ("deep_transition", {"layer_sizes": (4, 2), "shortcut": True}),
    ("lstm", {"peepholes": True, "coupled": True}),
    ("clockwork", {"periods": (1, 2, 3)}),
    ("skip", {"lags": (2, 5)}),
]
ALL = [*((name, {}) for name in CELLS), *OPTIONS, (nn.GRUCell, {}), (Scaled, {"scale": 0.5})]
all_cells = pytest.mark.parametrize(("cell", "options"), ALL, ids=str)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def close(a, b, bound=1e-12):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def states_close(a, b, bound=1e-12):
    by_part(lambda x, y: close(x, y, bound) or x, a, b)


def random_steps(lengths):
    return torch.randn(sum(lengths), F, dtype=torch.float64)


def random_state(layer, n):
    """A state of the kind that the layer has."""
    example = layer.step(torch.randn(n, F, dtype=torch.float64))
    return by_part(
        lambda part: (
            torch.randn_like(part) if part.is_floating_point() else torch.randint_like(part, 9)
        ),
        example,
    )


def learned(state):
    """The parts of a state that are no counts."""
    parts = state if isinstance(state, tuple) else (state,)
    return [part for part in parts if part.requires_grad]


def run(layer, steps, lengths, state=None, lanes=None):
    """Stacked states, and the last one."""
    packing = Packing(np.array(lengths), lanes=lanes)
    states, last = layer(steps[packing.to_packed], packing, state)
    return states[packing.to_stacked], last


def chunks(steps, lengths, cuts):
    """Both parts of each sequence, cut after some of its steps."""
    parts = [
        (item[:cut], item[cut:])
        for item, cut in zip(steps.split(lengths), cuts.tolist(), strict=True)
    ]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


@all_cells
@some
@given(lengths=st.lists(st.integers(2, 9), min_size=1, max_size=6), data=st.data())
def test_chunks_with_the_state_carried_are_the_whole(cell, options, lengths, data):
    layer = make_layer(cell, F, H, options).double()
    steps = random_steps(lengths).requires_grad_()
    cuts = np.array([data.draw(st.integers(1, n - 1)) for n in lengths])
    whole, last = run(layer, steps, lengths)
    first, second = chunks(steps, lengths, cuts)
    a, state = run(layer, first, cuts)
    b, end = run(layer, second, np.array(lengths) - cuts, state)
    pairs = zip(a.split(cuts.tolist()), b.split((np.array(lengths) - cuts).tolist()), strict=True)
    joined = torch.cat([part for pair in pairs for part in pair])
    close(joined, whole)
    states_close(end, last)
    # The gradient goes through the carried state, and through the last one.
    upstream, after = torch.randn_like(whole), torch.randn(len(lengths), H, dtype=torch.float64)
    inputs = [steps, *layer.parameters()]
    parts, ends = learned(last), learned(end)
    mine = torch.autograd.grad([joined, *ends], inputs, [upstream, *[after] * len(ends)])
    their = torch.autograd.grad([whole, *parts], inputs, [upstream, *[after] * len(parts)])
    for x, y in zip(mine, their, strict=True):
        close(x, y, 1e-11)


@all_cells
@some
@given(lengths=many_lengths, given_state=st.booleans())
def test_single_steps_are_the_whole(cell, options, lengths, given_state):
    layer = make_layer(cell, F, H, options).double()
    steps = random_steps(lengths)
    initial = random_state(layer, len(lengths)) if given_state else None
    states, last = run(layer, steps, lengths, initial)
    for i, (item, expected) in enumerate(
        zip(steps.split(lengths), states.split(lengths), strict=True)
    ):
        row = slice(i, i + 1)
        state = None if initial is None else by_part(lambda part, row=row: part[row], initial)
        for x_t, now in zip(item, expected, strict=True):
            state = layer.step(x_t[None], state)
            close(output_of(state)[0], now)
        states_close(state, by_part(lambda part, row=row: part[row], last))


@all_cells
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@some
@given(lengths=many_lengths)
def test_the_last_state_is_asked_for_or_not(cell, options, dtype, lengths):
    layer = make_layer(cell, F, H, options).to(dtype)
    packing = Packing(np.array(lengths))
    x = random_steps(lengths).to(dtype)
    with_last, last = layer(x, packing)
    without, _ = layer(x, packing, need_last=False)
    close(with_last, without, 1e-12 if dtype == torch.float64 else 1e-6)
    close(output_of(last), with_last[packing.last], 0)


LANES = [Lanes(4, 8, 8), Lanes(1, 4, 4), Lanes(3, 6, 2), Lanes(2, 4, 1, 1)]


@all_cells
@pytest.mark.parametrize("lanes", LANES, ids=str)
@some
@given(lengths=many_lengths, given_state=st.booleans())
def test_lanes_are_the_packed_steps(cell, options, lanes, lengths, given_state):
    layer = make_layer(cell, F, H, options).double()
    steps = random_steps(lengths)
    if cell == "lstm" and not lanes.gap:
        lanes = lanes._replace(grid=lanes.block)
    in_one_call = lanes.grid == lanes.block or cell != "lstm"
    state = random_state(layer, len(lengths)) if given_state and in_one_call else None
    expected, last = run(layer, steps, lengths, state)
    packing = Packing(np.array([*lengths, 0]), lanes=lanes)
    with torch.inference_mode():
        if state is not None:
            state = by_part(lambda part: torch.cat([part, part[:1]]), state)
        x = steps[packing.to_packed]
        states, end = layer(x, packing, state, need_last=in_one_call)
    close(states[packing.to_stacked], expected.detach())
    if in_one_call:
        states_close(by_part(lambda part: part[:-1], end), last)


def test_lanes_without_room_for_states_say_so():
    layer = make_layer("lstm", F, H).double()
    for lanes in (Lanes(2, 4, 1, 1), Lanes(2, 4, 2)):
        packing = Packing(np.array([3, 2]), lanes=lanes)
        with torch.inference_mode(), pytest.raises(ValueError, match="grid is the block"):
            layer(random_steps([3, 2])[packing.to_packed], packing)


@all_cells
@pytest.mark.parametrize("num_layers", [1, 3])
@some
@given(lengths=many_lengths)
def test_a_stack_hands_states_through(cell, options, num_layers, lengths):
    stack = RecurrentStack(cell, F, H, num_layers, cell_options=options).double()
    first, second = random_steps(lengths), random_steps(lengths)
    both = torch.cat(
        [
            part
            for pair in zip(first.split(lengths), second.split(lengths), strict=True)
            for part in pair
        ]
    )
    twice = [2 * n for n in lengths]
    whole, last = run(stack, both, twice)
    _, state = run(stack, first, lengths)
    after, end = run(stack, second, lengths, state)
    close(after, torch.cat([item[len(item) // 2 :] for item in whole.split(twice)]))
    assert len(state) == num_layers
    for a, b in zip(end, last, strict=True):
        states_close(a, b)
    stepped = None
    for x_t in both.split(twice)[0]:
        stepped = stack.step(x_t[None], stepped)
    for a, b in zip(stepped, last, strict=True):
        states_close(a, by_part(lambda part: part[:1], b))


def test_two_directions_take_no_state_and_no_step():
    stack = RecurrentStack("gru", F, H, bidirectional=True).double()
    packing = Packing(np.array([3, 1]))
    x = random_steps([3, 1])
    states, last = stack(x, packing)
    close(last[0], states[packing.last][:, :H])
    with pytest.raises(ValueError, match="bidirectional=False"):
        stack(x, packing, last)
    with pytest.raises(ValueError, match="bidirectional=False"):
        stack.step(x[:1])


def test_a_list_of_states_has_one_for_each_layer():
    stack = RecurrentStack("gru", F, H, 2).double()
    with pytest.raises(ValueError, match="1 entries for 2 layers"):
        stack.step(random_steps([1]), [torch.zeros(1, H).double()])


@all_cells
def test_states_are_on_any_device(cell, options):
    layer = make_layer(cell, F, H, options).to("meta")
    packing = Packing(np.array([3, 1, 2]), "meta")
    _, last = layer(torch.empty(6, F, device="meta"), packing)
    states, _ = layer(torch.empty(6, F, device="meta"), packing, last)
    assert states.shape == (6, H)
    assert output_of(layer.step(states[:3, :F], last)).shape == (3, H)


def test_a_cell_class_gets_its_options():
    network = RecurrentNetwork(
        n_features=F, n_outputs=1, cell=Scaled, hidden_size=H, cell_options={"scale": 0.0}
    ).double()
    packing = Packing(np.array([3, 2]))
    a, b = (network(random_steps([3, 2]), packing) for _ in range(2))
    assert torch.equal(a, b)
    with pytest.raises(ValueError, match="no_such_option"):
        make_layer(Scaled, F, H, {"no_such_option": 1})
