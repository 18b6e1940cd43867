"""The start of recurrent weights: what each scheme promises, gate by gate, for all cells."""

import numpy as np
import pytest
import torch
from torch import nn

from sklseq.nn.ragged.packing import Packing
from sklseq.nn.recurrent.cells.registry import CELLS, make_layer
from sklseq.nn.recurrent.initialization import (
    RECURRENT_INITS,
    initialize_recurrent,
    set_forget_bias,
)
from sklseq.nn.recurrent.layer import output_of
from sklseq.nn.recurrent.stack import RecurrentStack

F, H = 3, 40


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def with_recurrent_weights():
    return [c for c in CELLS if any("weight_hh" in n for n, _ in named(make_layer(c, F, H)))]


def named(layer):
    return list(layer.named_parameters())


def with_gates():
    return [c for c in CELLS if {"keep", "take"} & set(make_layer(c, F, H).gates)]


@torch.no_grad()
def started(cell, init, seed=0, **options):
    layer = make_layer(cell, F, H, options).double()
    initialize_recurrent(layer, cell, init, generator(seed))
    return layer


def recurrent_blocks(layer):
    """Square weights of the state, one for each gate."""
    for name, weights in named(layer):
        if any(p.startswith("weight_hh") for p in name.split(".")) and weights.shape[0] % H == 0:
            yield from weights.detach().split(H)


# The weights between modules of "clockwork" are rectangles.
CELL_LIST = [*with_recurrent_weights(), nn.GRUCell, nn.LSTMCell]
CELL_LIST.remove("clockwork")


@pytest.mark.parametrize("cell", CELL_LIST, ids=str)
def test_each_gate_is_orthogonal(cell):
    blocks = list(recurrent_blocks(started(cell, "orthogonal")))
    assert blocks
    for block in blocks:
        torch.testing.assert_close(block @ block.T, torch.eye(H).double(), rtol=0, atol=1e-12)
    assert all(not torch.equal(a, b) for a in blocks for b in blocks if a is not b)


@pytest.mark.parametrize("cell", CELL_LIST, ids=str)
def test_each_gate_has_the_spectral_radius(cell):
    layer = make_layer(cell, F, H).double()
    with torch.no_grad():
        initialize_recurrent(layer, cell, "esn", generator(), 1.25)
    for block in recurrent_blocks(layer):
        assert np.abs(np.linalg.eigvals(block.numpy())).max() == pytest.approx(1.25)


@pytest.mark.parametrize("cell", CELL_LIST, ids=str)
def test_each_gate_is_the_identity(cell):
    layer = started(cell, "identity")
    for block in recurrent_blocks(layer):
        assert torch.equal(block, torch.eye(H).double())
    inputs = torch.cat([p.detach().ravel() for n, p in named(layer) if "weight_ih" in n])
    assert inputs.std() == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize("init", ["xavier", "he"])
@pytest.mark.parametrize("cell", CELL_LIST, ids=str)
def test_each_gate_has_the_variance_of_its_own_sizes(cell, init):
    for block in recurrent_blocks(started(cell, init)):
        expected = {"xavier": 2 / (H + H), "he": 2 / H}[init]
        assert block.var() == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("init", RECURRENT_INITS)
@pytest.mark.parametrize("cell", CELL_LIST, ids=str)
def test_the_same_seed_gives_the_same_start_and_biases_are_zero(cell, init):
    a, b, other = (started(cell, init, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], other[name]) for name in a)
    assert all(not value.any() for name, value in a.items() if "bias" in name)


def test_the_start_does_not_depend_on_the_type_of_the_weights():
    stack = RecurrentStack("lstm", F, 4, 2, bidirectional=True)
    double = RecurrentStack("lstm", F, 4, 2, bidirectional=True).double()
    with torch.no_grad():
        for one in (stack, double):
            initialize_recurrent(one, "lstm", "orthogonal", generator())
    for a, b in zip(stack.parameters(), double.parameters(), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0, atol=1e-7)


@torch.no_grad()
def test_relu_units_that_start_as_the_identity_sum_their_input():
    layer = started("rnn", "identity", activation="relu")
    weights = dict(named(layer))["rnn.weight_ih_l0"]
    weights.abs_()
    x = torch.rand(50, F, dtype=torch.float64)
    states, _ = layer(x, Packing(np.array([50])))
    torch.testing.assert_close(states[-1], x.sum(dim=0) @ weights.T, rtol=1e-12, atol=0)


def test_a_rectangle_has_orthonormal_columns_or_rows_and_no_spectral_radius():
    deep = started("deep_transition", "orthogonal", layer_sizes=(2 * H, 7), shortcut=True)
    for name, weights in [*named(deep), *named(started("clockwork", "orthogonal"))]:
        if "weight_hh" in name:
            wide = weights if weights.shape[0] <= weights.shape[1] else weights.T
            torch.testing.assert_close(wide @ wide.T, torch.eye(len(wide)).double())
    with pytest.raises(ValueError, match=r"square recurrent weights, not \(7, 40\)"):
        started("deep_transition", "esn", layer_sizes=(7,))
    with pytest.raises(ValueError, match="take 'orthogonal'"):
        started("clockwork", "esn")


class Plain(nn.Module):
    """A user's cell whose weights have names of its own."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, state):
        state = x.new_zeros(len(x), self.mix.out_features) if state is None else state
        return torch.tanh(self.mix(torch.cat([x, state], dim=1)))


class Gated(nn.GRUCell):
    """A user's cell that says what its gates are."""

    gates = ("reset", "keep", "new")


def test_a_cell_without_the_weights_or_gates_is_refused_by_name():
    with pytest.raises(ValueError, match="cell Plain has no recurrent weights"):
        started(Plain, "orthogonal")
    with pytest.raises(ValueError, match="cell 'rnn' has no gate that keeps"):
        set_forget_bias(make_layer("rnn", F, H), "rnn", 1.0, 10, generator())
    with pytest.raises(ValueError, match="cell GRUCell has no gate that keeps"):
        set_forget_bias(make_layer(nn.GRUCell, F, H), nn.GRUCell, 1.0, 10, generator())


def summed_biases(layer):
    """Bias of each gate, by what the gate is for."""
    size = len(layer.gates) * layer.hidden_size
    biases = [p.detach() for n, p in named(layer) if "bias" in n and len(p) == size]
    return dict(zip(layer.gates, sum(biases).split(layer.hidden_size), strict=True))


@pytest.mark.parametrize("cell", [*with_gates(), Gated], ids=str)
def test_a_number_is_the_bias_of_the_gates_that_keep(cell):
    layer = make_layer(cell, F, H).double()
    before = summed_biases(layer)
    with torch.no_grad():
        set_forget_bias(layer, cell, 1.5, 10, generator())
    after = summed_biases(layer)
    if "keep" in after:
        assert (after.pop("keep") == 1.5).all()
    else:
        assert (after.pop("take") == -1.5).all()
    assert all(torch.equal(bias, before[gate]) for gate, bias in after.items())


@pytest.mark.parametrize("cell", [*with_gates(), Gated], ids=str)
def test_chrono_biases_spread_time_scales_over_the_longest_sequence(cell):
    T, units = 500, 4000
    layer = make_layer(cell, 1, units).double()
    with torch.no_grad():
        set_forget_bias(layer, cell, "chrono", T, generator())
    biases = summed_biases(layer)
    kept = biases["keep"] if "keep" in biases else -biases["take"]
    u = np.sort(kept.exp().numpy())
    # The largest distance from the distribution function of the uniform law in [1, T - 1].
    distance = np.abs((u - 1) / (T - 2) - np.arange(1, units + 1) / units).max()
    assert distance < 2 / np.sqrt(units)
    if "keep" in biases and "take" in biases:
        assert torch.equal(biases["take"], -biases["keep"])


@torch.no_grad()
def test_units_with_chrono_biases_forget_as_slowly_as_they_should():
    # Without input, and without recurrent weights, a cell of an LSTM is kept by sigmoid(b_f).
    layer = make_layer("lstm", 1, 5).double()
    for parameter in layer.parameters():
        parameter.zero_()
    set_forget_bias(layer, "lstm", "chrono", 100, generator())
    u = summed_biases(layer)["keep"].exp()
    state = layer.step(torch.zeros(1, 1).double())
    state = state._replace(cell=torch.ones(1, 5).double())
    after = layer.step(torch.zeros(1, 1).double(), state)
    torch.testing.assert_close(after.cell[0], u / (1 + u))
    assert output_of(after).shape == (1, 5)
