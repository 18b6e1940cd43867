"""The autoencoder of sequences: each for itself, in one pass, on any device."""

import numpy as np
import pytest
import torch

from sklseq.nn.codes.sequence_autoencoder import SequenceAutoencoderNetwork
from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import CELLS

LENGTHS = np.array([4, 1, 7, 3])
PACKING = Packing(LENGTHS)


def build(**kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = {"n_features": 2, "n_components": 3, "hidden_size": 5} | kwargs
        network = SequenceAutoencoderNetwork(**settings).double().eval()
    with torch.no_grad():
        network.length_scale.copy_(torch.tensor([1.0, 0.4]))
    return network


def steps():
    return torch.randn(LENGTHS.sum(), 2, generator=torch.Generator().manual_seed(1)).double()


def test_the_forward_pass_runs_on_any_device():
    network, x = build(bidirectional=True).to("meta"), steps().to("meta")
    packing = Packing(LENGTHS, "meta")
    raw, code = network(x, packing)
    assert raw.shape == x.shape
    assert code.shape == (4, 3)
    assert network.errors(x, packing).shape == (4,)
    assert network.lengths(code).shape == network.length_errors(code, LENGTHS).shape == (4,)


@pytest.mark.parametrize("cell", CELLS)
def test_sequences_together_are_as_one_by_one(cell):
    network, x = build(cell=cell, num_layers=2, bidirectional=True), steps()
    parts = x.split(LENGTHS.tolist())
    alone = [Packing(np.array([n])) for n in LENGTHS]
    for name, join in (("encode", torch.cat), ("reconstruct", torch.cat), ("errors", torch.cat)):
        method = getattr(network, name)
        expected = join([method(p, n) for p, n in zip(parts, alone, strict=True)])
        torch.testing.assert_close(method(x, PACKING), expected)


def test_errors_are_those_of_decoded_codes():
    network, x = build(), steps()
    code = network.encode(x, PACKING)
    back = network.decode(code.repeat_interleave(torch.tensor(LENGTHS), dim=0), PACKING)
    torch.testing.assert_close(network.reconstruct(x, PACKING), back)
    squares = (x - back).square().split(LENGTHS.tolist())
    torch.testing.assert_close(
        network.errors(x, PACKING), torch.stack([part.mean() for part in squares])
    )


def test_a_length_is_compared_by_its_logarithm():
    network = build()
    code = network.encode(steps(), PACKING)
    told = network.lengths(code)
    expected = ((told.log() - torch.tensor(LENGTHS).double().log()) / 0.4).square()
    torch.testing.assert_close(network.length_errors(code, LENGTHS), expected)


def test_a_step_sees_its_distance_from_both_ends():
    network = build()
    code = torch.zeros(LENGTHS.sum(), 3).double()
    seen = []
    hook = network.decoder.stack.register_forward_pre_hook(lambda _, args: seen.append(args))
    network.decode(code, PACKING)
    hook.remove()
    ((packed, packing),) = seen
    positions = packed.index_select(0, packing.to_stacked)[:, 3:].expm1().round()
    expected = [(t, n - 1 - t) for n in LENGTHS for t in range(n)]
    assert positions.tolist() == [list(map(float, pair)) for pair in expected]
