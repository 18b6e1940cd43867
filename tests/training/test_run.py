"""Outputs come in the order of the input, and those of a row are its own to the last bit."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.network import RecurrentNetwork
from sklseq.training.context import seeded_construction
from sklseq.training.placement import parameter_of
from sklseq.training.rows import dense
from sklseq.training.rows.dense import DenseRows
from sklseq.training.rows.sequences import SequenceRows
from sklseq.training.run import _Results, run


def network(pooling=None, **kwargs):
    with seeded_construction(0):
        net = RecurrentNetwork(
            n_features=3, n_outputs=2, hidden_size=4, pooling=pooling, dropout=0.5, **kwargs
        )
    return net.double()


def run_sequences(net, steps, lengths):
    rows = SequenceRows(steps, lengths, parameter_of(net))
    return run(net.forward, net, rows, per_part=net.pooling is None, n_threads=1)


def run_rows(net, *arrays):
    return run(net.forward, net, DenseRows(arrays, parameter_of(net)), n_threads=1)


@pytest.mark.parametrize("pooling", [None, "last"])
def test_outputs_are_those_of_the_module_in_the_order_of_the_input(pooling):
    net, lengths = network(pooling), np.array([3, 8, 1, 5, 5])
    steps = np.random.default_rng(0).normal(size=(lengths.sum(), 3))
    with torch.no_grad():
        direct = net.eval()(torch.from_numpy(steps), Packing(lengths)).numpy()
    assert_allclose(run_sequences(net, steps, lengths), direct, rtol=0, atol=1e-13)


def test_running_leaves_gradients_mode_and_random_state_alone():
    net, lengths = network(), np.array([3, 1])
    state = torch.get_rng_state()
    output = run_sequences(net, np.ones((4, 3)), lengths)
    assert isinstance(output, np.ndarray)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in net.parameters())
    # Weights must stay usable in training: inference mode must not leak into them.
    net.train()(torch.ones(4, 3, dtype=torch.float64), Packing(lengths)).sum().backward()


def test_outputs_have_the_type_of_the_module():
    steps, lengths = np.ones((2, 3), dtype=np.float64), np.array([2])
    assert run_sequences(network(), steps, lengths).dtype == np.float64
    assert run_sequences(network().float(), steps, lengths).dtype == np.float32


def test_symbols_are_embedded():
    net = network(embedding_size=2)
    output = run_sequences(net, np.array([0, 2, 1]), np.array([1, 2]))
    assert output.shape == (3, 2)
    alone = run_sequences(net, np.array([2, 1]), np.array([2]))
    assert_allclose(output[1:], alone, rtol=0, atol=1e-14)


def test_inputs_need_not_be_writable():
    steps, lengths = np.ones((4, 3)), np.array([3, 1])
    expected = run_sequences(network(), steps, lengths)
    steps.setflags(write=False)
    assert_array_equal(run_sequences(network(), steps, lengths), expected)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_rows_in_tiles_of_any_size_come_in_order(size, monkeypatch):
    with seeded_construction(0):
        net = FeedForward((3, 5, 2), dropout=0.5).double()
    X = np.random.default_rng(0).normal(size=(23, 3))
    monkeypatch.setattr(dense, "_tile_rows", lambda *_: size)
    rows = run_rows(net, X)
    with torch.no_grad():
        assert_allclose(rows, net(torch.from_numpy(X)).numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("sizes", [(10, 16, 3), (7, 300, 300, 1), (256, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_has_the_same_bits_alone_and_in_any_company(sizes, dtype):
    with seeded_construction(0):
        net = FeedForward(sizes).to(getattr(torch, np.dtype(dtype).name))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, sizes[0])).astype(dtype)
    together = run_rows(net, X)
    for rows in (slice(0, 1), slice(40, 57), rng.permutation(1500)[:1100]):
        assert_array_equal(run_rows(net, X[rows]), together[rows])


def test_results_are_awaited_on_the_device_that_computed_them(monkeypatch):
    """The stream of the current device would be another's."""
    awaited = []

    class Event:
        def record(self, stream):
            self.stream = stream

        def synchronize(self):
            awaited.append(self.stream)

    class Output:
        is_cuda, device = True, torch.device("cuda:1")

        def to(self, device, non_blocking):
            return torch.ones(2, 1)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", str)
    results = _Results(DenseRows((np.ones((2, 1)),), torch.zeros(1)), per_part=False)
    results.add(slice(None), Output())
    assert_array_equal(results.all(), np.ones((2, 1)))
    assert awaited == ["cuda:1"]
