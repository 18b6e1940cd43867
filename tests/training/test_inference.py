"""Outputs come in the order of the input, however the rows are cut into batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import sklseq.training.rows.sequences as sequences
import sklseq.training.run as inference
from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.training.context import seeded_construction
from sklseq.training.rows.batch import as_tensor
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import run_rows, run_sequences


def network(pooling=None, **kwargs):
    with seeded_construction(0):
        net = RecurrentNetwork(
            n_features=3, n_outputs=2, hidden_size=4, pooling=pooling, dropout=0.5, **kwargs
        )
    return net.double()


def run(net, steps, lengths):
    rows = SequenceRows(as_tensor(steps, next(net.parameters())), lengths)
    return run_sequences(net, net.forward, rows, per_step=net.pooling is None, n_threads=1)


@pytest.mark.parametrize("pooling", [None, "last"])
@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 8), min_size=1, max_size=8), max_steps=st.integers(1, 20))
def test_any_cut_into_batches_gives_the_same_outputs_in_order(pooling, lengths, max_steps):
    net, lengths = network(pooling), np.array(lengths)
    steps = np.random.default_rng(0).normal(size=(lengths.sum(), 3))
    whole = run(net, steps, lengths)
    with pytest.MonkeyPatch.context() as patch:
        widest = max(max(p.shape) for p in net.parameters())
        patch.setattr(sequences, "_MAX_NUMBERS", max_steps * widest)
        rows = sequences.SequenceRows(torch.from_numpy(steps), lengths)
        for _, chosen in rows.tiles(net, per_step=False):
            assert len(chosen) == 1 or len(chosen) * lengths[chosen].max() <= max_steps
        np.testing.assert_array_equal(run(net, steps, lengths), whole)
    with torch.no_grad():
        direct = net.eval()(torch.from_numpy(steps), Packing(lengths)).numpy()
    assert_allclose(whole, direct, rtol=0, atol=1e-13)


def test_running_leaves_gradients_mode_and_random_state_alone():
    net, lengths = network(), np.array([3, 1])
    state = torch.get_rng_state()
    output = run(net, np.ones((4, 3)), lengths)
    assert isinstance(output, np.ndarray)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in net.parameters())
    # Weights must stay usable in training: inference mode must not leak into them.
    net.train()(torch.ones(4, 3, dtype=torch.float64), Packing(lengths)).sum().backward()


def test_outputs_have_the_type_of_the_module():
    steps, lengths = np.ones((2, 3), dtype=np.float64), np.array([2])
    assert run(network(), steps, lengths).dtype == np.float64
    assert run(network().float(), steps, lengths).dtype == np.float32


def test_symbols_are_embedded():
    net = network(embedding_size=2)
    output = run(net, np.array([0, 2, 1]), np.array([1, 2]))
    assert output.shape == (3, 2)
    assert_allclose(output[1:], run(net, np.array([2, 1]), np.array([2])), rtol=0, atol=1e-14)


def test_inputs_need_not_be_writable():
    steps, lengths = np.ones((4, 3)), np.array([3, 1])
    expected = run(network(), steps, lengths)
    steps.setflags(write=False)
    assert_allclose(run(network(), steps, lengths), expected, rtol=0, atol=0)


@pytest.mark.parametrize("numbers", [1, 50, 1 << 18])
def test_rows_in_any_blocks_come_in_order(numbers, monkeypatch):
    with seeded_construction(0):
        net = FeedForward((3, 5, 2), dropout=0.5).double()
    X = np.random.default_rng(0).normal(size=(23, 3))
    monkeypatch.setattr(inference, "_CACHED_NUMBERS", numbers)
    rows = run_rows(net, net.forward, (X,), n_threads=1)
    with torch.no_grad():
        assert_allclose(rows, net(torch.from_numpy(X)).numpy(), rtol=0, atol=1e-14)


def test_a_row_alone_has_the_same_bits_as_among_others():
    with seeded_construction(0):
        net = FeedForward((10, 16, 3))
    X = np.random.default_rng(0).normal(size=(40, 10)).astype(np.float32)
    together = run_rows(net, net.forward, (X,), n_threads=1)
    alone = [run_rows(net, net.forward, (X[i : i + 1],), n_threads=1) for i in range(40)]
    np.testing.assert_array_equal(np.concatenate(alone), together)
