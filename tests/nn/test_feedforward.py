"""Feed-forward networks: layers as written down, on any device, whatever they are made of."""

import numpy as np
import pytest
import torch

from sklseq.nn.layers.feedforward import ACTIVATIONS, INITS, NORMALIZATIONS, FeedForward


def build(sizes=(3, 5, 4, 2), **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FeedForward(sizes, **kwargs).double()


def rows(n=7, n_features=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, n_features, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalization", [*NORMALIZATIONS, None])
@pytest.mark.parametrize("residual", [False, True])
def test_the_forward_pass_runs_on_any_device(activation, normalization, residual):
    network = build(activation=activation, normalization=normalization, residual=residual)
    assert network.to("meta").eval()(rows().to("meta")).shape == (7, 2)


@pytest.mark.parametrize("residual", [False, True])
def test_layers_are_what_they_say(residual):
    network = build((3, 5, 5, 2), activation="tanh", residual=residual)
    x = rows()
    for layer in network.hidden:
        h = torch.tanh(x @ layer.linear.weight.T + layer.linear.bias)
        skip = x if layer.projection is None else x @ layer.projection.weight.T
        x = h + skip if residual else h
    expected = x @ network.output.weight.T + network.output.bias
    torch.testing.assert_close(network(rows()), expected)
    assert len(network.linears()) == 3


def test_no_hidden_layer_is_one_linear_map():
    network = build((3, 2))
    zero = network(torch.zeros(1, 3, dtype=torch.float64))
    x = rows()
    torch.testing.assert_close(network(2 * x) - zero, 2 * (network(x) - zero))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_normalised_layers(normalization):
    network = build((3, 6, 2), normalization=normalization, activation="identity").train()
    hidden = network.hidden(rows(50))
    axis = 0 if normalization == "batch" else 1
    torch.testing.assert_close(
        hidden.mean(axis), torch.zeros_like(hidden.mean(axis)), atol=1e-9, rtol=0
    )
    assert network(rows(1)).isfinite().all()
    network.eval()
    torch.testing.assert_close(network(rows()), torch.cat([network(r[None]) for r in rows()]))


@pytest.mark.parametrize("init", INITS)
def test_initial_weights(init):
    weight = build((40, 60, 2), init=init).linears()[0].weight.detach().numpy()
    if init == "orthogonal":
        np.testing.assert_allclose(weight.T @ weight, np.eye(40), atol=1e-6)
    else:  # uniform within the bound, up to which a value comes near
        bound = np.sqrt(6 / (100 if init == "xavier" else 40))
        assert 0.98 * bound < np.abs(weight).max() <= bound


def test_dropout_only_in_training():
    network = build(dropout=0.5)
    torch.testing.assert_close(network.eval()(rows()), network(rows()))
    assert not torch.equal(network.train()(rows()), network(rows()))
