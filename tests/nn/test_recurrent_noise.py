"""Noise within a recurrence: what is dropped stays dropped, what is kept is the value before."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklseq.nn.layers.randomness import drawing_from, dropout_mask
from sklseq.nn.ragged.packing import Lanes, Packing
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.layer import Layer, by_part, output_of
from sklseq.nn.recurrent.noise import SequenceDropout, StateNoise
from sklseq.nn.recurrent.stack import RecurrentStack

F, H = 2, 5
ALL = [*CELLS, nn.GRUCell, nn.LSTMCell]
all_cells = pytest.mark.parametrize("cell", ALL, ids=str)
some = settings(max_examples=8, deadline=None)
many_lengths = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def reads_apart(cell):
    return type(make_layer(cell, F, H)).step_reading is not Layer.step_reading


APART = [cell for cell in ALL if reads_apart(cell)]


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_steps(lengths):
    return torch.randn(sum(lengths), F, dtype=torch.float64)


def random_like(state):
    """A state of the same kind; counts stay as they are."""
    return by_part(lambda s: torch.randn_like(s) if s.is_floating_point() else s, state)


def close(a, b, bound=1e-12):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def run(layer, noise, steps, lengths, state=None, lanes=None):
    """Stacked states, and the last."""
    packing = Packing(np.array(lengths), lanes=lanes)
    with drawing_from(seeded()):
        states, last = noise(layer, steps[packing.to_packed], packing, state)
    return states[packing.to_stacked], last


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "leaky"])
def test_the_cells_that_are_named_drop_what_their_weights_read(cell):
    assert cell in APART


@pytest.mark.parametrize("cell", APART, ids=str)
def test_a_step_that_reads_the_state_is_a_step(cell):
    layer = make_layer(cell, F, H).double()
    before = random_like(layer.step(random_steps([3])))
    x = random_steps([3])
    by_part(
        lambda a, b: close(a, b) or a,
        layer.step_reading(x, before, output_of(before)),
        layer.step(x, before),
    )


@pytest.mark.parametrize("cell", APART, ids=str)
@some
@given(lengths=many_lengths)
def test_recurrent_dropout_is_a_network_without_some_columns_of_weights(cell, lengths):
    """A mask of the state that the weights read is one of their columns, in all of a sequence."""
    layer, noise = make_layer(cell, F, H).double(), StateNoise(recurrent_dropout=0.4)
    steps = random_steps(lengths)
    states, last = run(layer, noise, steps, lengths)
    packing = Packing(np.array(lengths))
    with drawing_from(seeded()):
        masks = dropout_mask(steps.new_empty(len(lengths), H), 0.4)[packing.rank]
    for i, (item, found) in enumerate(
        zip(steps.split(lengths), states.split(lengths), strict=True)
    ):
        thinned = deepcopy(layer)
        for parameter in thinned.parameters():
            if parameter.ndim == 2 and parameter.shape[1] == H:
                parameter.data *= masks[i]
        expected, end = thinned(item, Packing(np.array([len(item)])))
        close(found, expected)
        by_part(lambda a, b, i=i: close(a[i : i + 1], b) or a, last, end)


def test_a_cell_that_cannot_tell_what_its_weights_read_is_refused_by_name():
    with pytest.raises(ValueError, match=r"recurrent_dropout=0\.5.*GRUCell.*zoneout"):
        RecurrentStack(nn.GRUCell, F, H, recurrent_dropout=0.5)


@all_cells
@some
@given(lengths=many_lengths, p=st.sampled_from([0.0, 0.3]))
def test_zoneout_keeps_values_of_the_step_before(cell, lengths, p):
    layer = make_layer(cell, F, H).double()
    noise = StateNoise(p if cell in APART else 0.0, zoneout=0.5)
    packing, steps = Packing(np.array(lengths)), random_steps(lengths)
    x, found = steps[packing.to_packed], []
    with drawing_from(seeded()):
        noise(layer, x, packing, transitions=found)
    (transitions,) = found
    before = None
    for t, (x_t, after) in enumerate(
        zip(x.split(packing.batch_sizes), transitions.states, strict=True)
    ):
        if before is not None:
            n = len(x_t)
            before = by_part(lambda s, n=n: s[:n], before)
        if noise.recurrent_dropout and before is not None:
            with drawing_from(seeded()):
                mask = dropout_mask(x.new_empty(len(lengths), H), p)[: len(x_t)]
            new = layer.step_reading(x_t, before, output_of(before) * mask)
        else:
            new = layer.step(x_t, before)
        if before is None:
            before = by_part(torch.zeros_like, new)

        def check(old, candidate, value, t=t):
            taken = torch.isclose(value.double(), candidate.double(), rtol=1e-12, atol=1e-14)
            assert (taken | (value == old)).all(), t
            return value

        before = by_part(check, before, new, after)


def test_zoneout_keeps_complex_values_whole():
    layer, noise = make_layer("lru", F, 40).double(), StateNoise(zoneout=0.5)
    before, x = random_like(layer.step(random_steps([9]))), random_steps([9])
    new = layer.step(x, before)
    with drawing_from(seeded()):
        drawn = noise.step(layer, x, before)
    kept = drawn.real == before.real
    assert kept.any()
    assert (~kept).any()
    assert torch.equal(drawn.imaginary, torch.where(kept, before.imaginary, new.imaginary))
    assert not torch.equal(kept, drawn.output == before.output)


@all_cells
def test_zoneout_takes_the_expectation_outside_training(cell):
    layer, noise = make_layer(cell, F, H).double(), StateNoise(zoneout=0.3)
    before = random_like(layer.step(random_steps([1])))
    x = random_steps([1])
    n = 4000
    many = by_part(lambda part: part.expand(n, -1), before)
    with drawing_from(seeded()):
        drawn = noise.step(layer, x.expand(n, -1), many)
    noise.eval()
    expected = noise.step(layer, x, before)

    def check(old, new, mean, draws):
        if not new.is_floating_point() or torch.equal(mean, new):  # a count, or a value shifted
            assert torch.equal(draws, new.expand_as(draws))
            return mean
        close(mean, 0.3 * old + 0.7 * new)
        spread = (old - new).abs() * (0.3 * 0.7 / n) ** 0.5
        assert ((draws.mean(0) - mean).abs() <= 5 * spread + 1e-12).all()
        return mean

    new = layer.step(x, before)
    by_part(check, before, new, expected, drawn)
    assert not torch.equal(output_of(expected), output_of(new))


@all_cells
@some
@given(lengths=st.lists(st.integers(2, 7), min_size=1, max_size=5), data=st.data())
def test_outside_training_chunks_and_single_steps_are_the_whole(cell, lengths, data):
    layer, noise = make_layer(cell, F, H).double(), StateNoise(0.0, 0.4).eval()
    steps = random_steps(lengths)
    whole, last = run(layer, noise, steps, lengths)
    cuts = [data.draw(st.integers(1, n - 1)) for n in lengths]
    items = steps.split(lengths)
    parts = [(i[:c], i[c:]) for i, c in zip(items, cuts, strict=True)]
    first, second = (torch.cat(part) for part in zip(*parts, strict=True))
    _, state = run(layer, noise, first, cuts)
    rest = [n - c for n, c in zip(lengths, cuts, strict=True)]
    after, end = run(layer, noise, second, rest, state)
    wholes = whole.split(lengths)
    close(after, torch.cat([w[c:] for w, c in zip(wholes, cuts, strict=True)]))
    by_part(lambda a, b: close(a, b) or a, end, last)
    for item, expected in zip(items, wholes, strict=True):
        now = None
        for x_t, state_t in zip(item, expected, strict=True):
            now = noise.step(layer, x_t[None], now)
            close(output_of(now)[0], state_t)


@all_cells
@some
@given(lengths=many_lengths)
def test_lanes_give_the_same(cell, lengths):
    layer, noise = make_layer(cell, F, H).double(), StateNoise(zoneout=0.4).eval()
    steps = random_steps(lengths)
    with torch.inference_mode():
        expected, _ = run(layer, noise, steps, lengths)
        for lanes in (Lanes(2, 4, 2), Lanes(3, 4, 1, 1)):
            found, _ = run(layer, noise, steps, lengths, lanes=lanes)
            close(found, expected)


def test_sequence_dropout_drops_the_same_units_at_all_steps_of_a_sequence():
    lengths = [4, 1, 7]
    packing = Packing(np.array(lengths))
    layer = SequenceDropout(0.5)
    with drawing_from(seeded()):
        y = layer(torch.ones(12, 40), packing)[packing.to_stacked]
    masks = [part[0] for part in y.split(lengths)]
    for part, mask in zip(y.split(lengths), masks, strict=True):
        assert torch.equal(part, mask.expand_as(part))
        assert set(mask.tolist()) == {0.0, 2.0}
    assert not torch.equal(masks[0], masks[1])
    assert layer.eval()(y, packing) is y


@all_cells
def test_a_stack_without_noise_draws_nothing_and_runs_the_kernels(cell):
    stack = RecurrentStack(cell, F, H, 2, dropout_mask="sequence")
    packing, generator = Packing(np.array([3, 2])), seeded()
    x, before = torch.randn(5, F), generator.get_state()
    with drawing_from(generator):
        found, _ = stack(x, packing)
    expected = x
    for layer in stack.forward_layers:
        expected, _ = layer(expected, packing)
    assert torch.equal(found, expected)
    assert torch.equal(generator.get_state(), before)


@all_cells
def test_noise_runs_on_any_device(cell):
    stack = RecurrentStack(
        cell,
        F,
        H,
        2,
        True,
        dropout=0.1,
        dropout_mask="sequence",
        recurrent_dropout=0.2 if cell in APART else 0.0,
        zoneout=0.2,
    ).to("meta")
    packing = Packing(np.array([3, 1, 2]), "meta")
    states, _ = stack(torch.empty(6, F, device="meta"), packing)
    assert states.shape == (6, 2 * H)
