"""Parts of autoencoders equal what their papers write down, on any device."""

import numpy as np
import pytest
import torch
from torch.autograd.functional import jacobian

from sklseq.nn.codes.autoencoder import (
    NOISES,
    AutoencoderNetwork,
    contraction,
    corrupted,
    largest_only,
    noise_levels,
)
from sklseq.nn.layers.randomness import drawing_from

SETTINGS = [
    {},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": (6, 4), "tied_weights": True, "normalization": "layer"},
    {"decoder_layer_sizes": (3, 9), "residual": True, "normalization": "batch"},
    {"loss": "bce", "latent_activation": "logistic", "n_active": 1},
]


def build(**kwargs):
    sizes = {"n_features": 5, "n_components": 2, "hidden_layer_sizes": (6,)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoencoderNetwork(**(sizes | kwargs)).double().eval()


def rows(n=7, n_features=5):
    return torch.randn(n, n_features, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_forward_pass_runs_on_any_device(settings):
    network, x = build(**settings).to("meta"), rows().to("meta")
    assert network.encode(x).shape == (7, 2)
    assert network.reconstruct(x).shape == x.shape
    assert network.errors(x).shape == (7,)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_reconstructions_are_decoded_codes_and_errors_are_theirs(settings):
    network, x = build(**settings), rows().sigmoid()
    back = network.decode(network.encode(x))
    torch.testing.assert_close(network.reconstruct(x), back)
    if settings.get("loss") == "bce":
        errors = -(x * back.log() + (1 - x) * (1 - back).log()).mean(dim=1)
    else:
        errors = (x - back).square().mean(dim=1)
    torch.testing.assert_close(network.errors(x), errors)


def test_tied_maps_are_transposes():
    network = build(hidden_layer_sizes=(6, 4), tied_weights=True, activation="tanh")
    encoder, biases = network.encoder.linears(), network.decoder.biases
    code = rows(3, 2)
    h = torch.tanh(code @ encoder[2].weight + biases[0])
    h = torch.tanh(h @ encoder[1].weight + biases[1])
    torch.testing.assert_close(network.decode(code), h @ encoder[0].weight + biases[2])
    assert sum(p.numel() for p in network.decoder.parameters()) == 4 + 6 + 5


@pytest.mark.parametrize("tied", [True, False])
def test_a_network_starts_where_the_data_are(tied):
    network, x = build(tied_weights=tied), rows() + 100
    with torch.no_grad():
        network.initialize(x.mean(dim=0), x.amin(dim=0), x.amax(dim=0))
    assert network.encode(x).abs().max() < 20
    assert (network.reconstruct(x) - 100).abs().max() < 20


# -- noise ---------------------------------------------------------------------------------


def corrupt(x, noise, level, seed=0):
    with drawing_from(torch.Generator().manual_seed(seed)):
        return corrupted(x, noise, level, x.amin(dim=0), x.amax(dim=0))


@pytest.mark.parametrize("noise", NOISES)
def test_noise_is_what_it_says(noise):
    x = rows(20_000, 3) + 2
    noisy = corrupt(x, noise, 0.3)
    changed = noisy != x
    if noise == "gaussian":
        added = (noisy - x).numpy()
        np.testing.assert_allclose(added.std(), 0.3, rtol=0.02)
        np.testing.assert_allclose(added.mean(), 0, atol=0.01)
        return
    np.testing.assert_allclose(changed.double().mean(dim=0), 0.3, atol=0.02)
    if noise == "masking":
        assert (noisy[changed] == 0).all()
    else:
        low = (noisy == x.amin(dim=0)) & changed
        high = (noisy == x.amax(dim=0)) & changed
        assert (low | high)[changed].all()
        np.testing.assert_allclose(low.double().mean(), high.double().mean(), atol=0.02)


@pytest.mark.parametrize("noise", NOISES)
def test_no_noise_changes_nothing_and_the_global_generator_is_not_used(noise):
    x, state = rows(), torch.get_rng_state()
    assert corrupt(x, noise, 0) is x
    torch.testing.assert_close(corrupt(x, noise, 0.5), corrupt(x, noise, 0.5))
    assert torch.equal(torch.get_rng_state(), state)


# -- penalties -----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [s for s in SETTINGS if s.get("normalization") != "batch"])
def test_contraction_is_the_norm_of_autograds_jacobian(settings):
    network, x = build(**(settings | {"activation": "tanh"})), rows()
    expected = torch.stack(
        [jacobian(lambda r: network.encode(r[None])[0], row).square().sum() for row in x]
    )
    torch.testing.assert_close(contraction(network.encode, x), expected)


def test_contraction_of_one_layer_in_closed_form_and_its_gradient():
    network, x = build(hidden_layer_sizes=(), latent_activation="logistic"), rows()
    weight = network.encoder.output.weight
    h = network.encode(x)  # Rifai et al. (2011), equation 5
    closed = ((h * (1 - h)).square() * weight.square().sum(dim=1)).sum(dim=1)
    penalty = contraction(network.encode, x)
    torch.testing.assert_close(penalty, closed)
    (ours,) = torch.autograd.grad(penalty.sum(), weight)
    (theirs,) = torch.autograd.grad(closed.sum(), weight)
    torch.testing.assert_close(ours, theirs)


def test_largest_only():
    code = torch.tensor([[1.0, 5, 3], [-1, -2, -3]], requires_grad=True)
    kept = largest_only(code, 2)
    assert kept.tolist() == [[0, 5, 3], [-1, -2, 0]]
    kept.sum().backward()
    assert code.grad.tolist() == [[0, 1, 1], [1, 1, 0]]
    assert torch.equal(largest_only(code, 9), code)


def test_a_range_of_levels_is_one_level_a_row_evenly_on_a_log_scale():
    x = torch.zeros(4000, 3)
    with drawing_from(torch.Generator().manual_seed(0)):
        level = noise_levels(x, 0.1, 10.0)
        noisy = corrupted(x, "gaussian", level, x[0], x[0])
    assert level.shape == (4000, 1)
    assert 0.1 <= level.min() < level.max() <= 10
    shares = torch.histc(level.log10(), 4, -1, 1) / 4000
    assert (shares - 0.25).abs().max() < 0.03
    assert ((noisy / level).std() - 1).abs() < 0.05
    assert noise_levels(x, 0.3, 0.3) == 0.3
