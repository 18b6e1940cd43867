"""Whole networks: the same from any batch, on any device, whatever the cell and the pooling."""

import numpy as np
import pytest
import torch
from torch import nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.ragged.pooling import POOLINGS
from sklseq.nn.recurrent.cells.registry import CELLS
from sklseq.nn.recurrent.network import NeighborNetwork, RecurrentNetwork

ALL_CELLS = [*CELLS, nn.GRUCell, nn.LSTMCell]
LENGTHS = np.array([3, 1, 5, 3])
PACKING = Packing(LENGTHS)


def build(network=RecurrentNetwork, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network(**{"n_features": 2, "n_outputs": 4, "hidden_size": 3, **kwargs}).double()


def random_steps(lengths=LENGTHS, n_features=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(int(lengths.sum()), n_features, generator=generator, dtype=torch.float64)


def split(values, lengths=LENGTHS):
    return values.split(lengths.tolist())


@pytest.mark.parametrize("cell", ALL_CELLS, ids=str)
@pytest.mark.parametrize("pooling", [*POOLINGS, None])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_forward_pass_runs_on_any_device(cell, pooling, bidirectional):
    network = build(cell=cell, pooling=pooling, bidirectional=bidirectional).to("meta")
    output = network(random_steps().to("meta"), Packing(LENGTHS, "meta"))
    assert output.device.type == "meta"
    assert output.shape == (LENGTHS.sum() if pooling is None else len(LENGTHS), 4)


@pytest.mark.parametrize("cell", ALL_CELLS, ids=str)
@pytest.mark.parametrize("pooling", [*POOLINGS, None])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_do_not_depend_on_the_batch(cell, pooling, bidirectional):
    network = build(cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2)
    steps = random_steps()
    together = network(steps, PACKING)
    parts = [network(item, Packing(np.array([len(item)]))) for item in split(steps)]
    torch.testing.assert_close(together, torch.cat(parts), rtol=0, atol=1e-13)
    order = [2, 0, 3, 1]
    shuffled = network(torch.cat([split(steps)[i] for i in order]), Packing(LENGTHS[order]))
    if pooling is None:
        shuffled = torch.cat([split(shuffled, LENGTHS[order])[order.index(i)] for i in range(4)])
    else:
        shuffled = shuffled[np.argsort(order)]
    torch.testing.assert_close(together, shuffled, rtol=0, atol=1e-13)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_last_pooling_takes_the_state_that_has_read_all(bidirectional):
    network = build(pooling="last", bidirectional=bidirectional)
    per_step = build(pooling=None, bidirectional=bidirectional)
    steps = random_steps()
    for item, last in zip(
        split(per_step.features(steps, PACKING)), network.features(steps, PACKING), strict=True
    ):
        assert torch.equal(last[:3], item[-1, :3])
        assert torch.equal(last[3:], item[0, 3:])


def test_the_same_layers_serve_all_poolings():
    steps = random_steps()
    states = split(build(pooling=None).features(steps, PACKING))
    means = build(pooling="mean").features(steps, PACKING)
    torch.testing.assert_close(means, torch.stack([s.mean(dim=0) for s in states]))
    largest = build(pooling="max").features(steps, PACKING)
    assert torch.equal(largest, torch.stack([s.max(dim=0).values for s in states]))


def test_embedded_symbols_are_rows_of_the_embedding():
    network = build(n_features=5, embedding_size=2)
    symbols = torch.tensor([1, 4, 0, 2])
    plain = build(n_features=2)
    plain.load_state_dict(network.state_dict(), strict=False)
    packing = Packing(np.array([3, 1]))
    embedded = network.embedding.weight[symbols]
    assert torch.equal(network(symbols, packing), plain(embedded, packing))


def test_the_unknown_symbol_is_zero_and_stays_so():
    network = build(n_features=5, embedding_size=2)
    assert (network.embedding.weight[0] == 0).all()
    network(torch.tensor([0, 1, 0]), Packing(np.array([3]))).sum().backward()
    assert (network.embedding.weight.grad[0] == 0).all()
    assert (network.embedding.weight.grad[1] != 0).any()


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        *((cell, {"num_layers": 1}) for cell in ALL_CELLS),
        ("lstm", {"num_layers": 3}),
        ("gru", {"num_layers": 2, "skip_connections": "residual", "normalization": "layer"}),
        ("rnn", {"num_layers": 3, "skip_connections": "dense", "zoneout": 0.1}),
    ],
    ids=str,
)
def test_no_direction_sees_what_it_predicts(cell, options):
    network = build(NeighborNetwork, n_outputs=2, cell=cell, bidirectional=True, **options)
    steps = random_steps().requires_grad_()
    starts = np.cumsum(LENGTHS) - LENGTHS
    ahead, behind = network(steps, PACKING)
    for i, (start, length) in enumerate(zip(starts, LENGTHS, strict=True)):
        for t in range(length):
            row = int(start + t)
            (forward,) = torch.autograd.grad(ahead[row].sum(), steps, retain_graph=True)
            (backward,) = torch.autograd.grad(behind[row].sum(), steps, retain_graph=True)
            seen = [set(np.flatnonzero(g.abs().sum(dim=1))) for g in (forward, backward)]
            assert seen[0] == set(range(start, row + 1)), (i, t)
            assert seen[1] == set(range(row, start + length)), (i, t)


def test_one_direction_predicts_ahead_alone():
    network = build(NeighborNetwork, n_outputs=2)
    (ahead,) = network(random_steps(), PACKING)
    assert ahead.shape == (LENGTHS.sum(), 2)
