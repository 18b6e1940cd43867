"""Sequences that a network reads part by part are the whole ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.carried import Carried
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.layer import output_of
from sklseq.nn.recurrent.network import NeighborNetwork, RecurrentNetwork

F, H = 2, 3
some = settings(max_examples=6, deadline=None)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@st.composite
def cuts(draw):
    """Lengths of sequences in each of several parts; all have a step in each."""
    n = draw(st.integers(1, 3))
    counts = st.lists(st.integers(1, 4), min_size=n, max_size=n)
    return np.array(draw(st.lists(counts, min_size=1, max_size=4)))


def in_parts(function, steps, parts):
    """Results of each part, with the states carried."""
    carried, taken, results = Carried(), np.zeros_like(parts[0]), []
    lengths = parts.sum(axis=0)
    starts = np.cumsum(lengths) - lengths
    for part in parts:
        index = np.concatenate(
            [np.arange(s + t, s + t + k) for s, t, k in zip(starts, taken, part, strict=True)]
        )
        results.append(function(steps[index], Packing(part), None, carried))
        taken = taken + part
    return results, carried


def joined(results, parts):
    """Stacked results per step of the whole sequences."""
    split = [r.split(p.tolist()) for r, p in zip(results, parts, strict=True)]
    return torch.cat([piece for sequence in zip(*split, strict=True) for piece in sequence])


@pytest.mark.parametrize("cell", [*CELLS, nn.LSTMCell], ids=str)
@some
@given(parts=cuts(), pooling=st.sampled_from([*POOLINGS, None]), training=st.booleans())
def test_parts_are_the_whole(cell, parts, pooling, training):
    network = RecurrentNetwork(
        n_features=F, n_outputs=2, cell=cell, hidden_size=H, num_layers=2, pooling=pooling
    )
    network = network.double().train(training)
    steps = torch.randn(parts.sum(), F, dtype=torch.float64)
    whole = Packing(parts.sum(axis=0))
    for name in ("forward", "features"):
        function = getattr(network, name)
        results, carried = in_parts(function, steps, parts)
        found = joined(results, parts) if pooling is None else results[-1]
        close(found, function(steps, whole))
    _, last = network.states(steps, whole)
    for state, expected in zip(carried.state, last, strict=True):
        close(output_of(state), output_of(expected))
    assert not any(tensor.requires_grad for tensor in carried.tensors())


@some
@given(parts=cuts())
def test_a_network_that_predicts_neighbors_reads_on(parts):
    network = NeighborNetwork(n_features=F, n_outputs=F, hidden_size=H, cell="lstm").double()
    steps = torch.randn(parts.sum(), F, dtype=torch.float64)
    results, _ = in_parts(lambda *inputs: network(*inputs)[0], steps, parts)
    close(joined(results, parts), network(steps, Packing(parts.sum(axis=0)))[0])


def test_gradients_end_where_a_part_begins():
    network = RecurrentNetwork(n_features=F, n_outputs=1, hidden_size=H, pooling=None).double()
    steps = torch.randn(6, F, dtype=torch.float64, requires_grad=True)
    carried = Carried()
    network(steps[:4], Packing(np.array([4])), None, carried)
    second = network(steps[4:], Packing(np.array([2])), None, carried)
    (gradient,) = torch.autograd.grad(second.sum(), steps)
    assert not gradient[:4].any()
    assert gradient[4:].all()


def test_what_is_carried_of_some_sequences_is_taken_and_put():
    carried = Carried([torch.arange(6.0).view(3, 2)], (torch.arange(3.0)[:, None],))
    rows = torch.tensor([2, 0])
    part = carried.take(rows)
    assert part.state[0].tolist() == [[4, 5], [0, 1]]
    doubled = part.mapped(lambda s: 2 * s)
    assert carried.put(rows, doubled).state[0].tolist() == [[0, 2], [2, 3], [8, 10]]
    assert doubled.spread(rows, 3).summary[0].tolist() == [[0], [0], [4]]
    assert carried.state[0].tolist() == [[0, 1], [2, 3], [4, 5]]
