"""The variational autoencoder of sequences and its parts: closed forms, one by one, any device."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from sklseq.nn.codes.sequence_variational import SequenceVariationalNetwork
from sklseq.nn.layers.autoregressive_noise import AutoregressiveNoise
from sklseq.nn.layers.length_model import LengthModel, smoothed_frequencies
from sklseq.nn.ragged.packing import Packing

LENGTHS = np.array([4, 1, 7, 3])
PACKING = Packing(LENGTHS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(order=2):
    module = AutoregressiveNoise(2, order=order).double()
    with torch.no_grad():
        module.raw_partial.normal_(generator=generator())
        module.innovations.raw_log_scale.normal_(generator=generator(1))
    return module


def covariance(module, n):
    """Of n steps of each feature: noise is linear in the normal numbers that it is drawn of."""
    maps = []
    for t in range(n):
        normal = torch.zeros(n, 2).double()
        normal[t] = 1
        maps.append(module.draw(normal, Packing(np.array([n]))).detach().numpy())
    maps = np.stack(maps)
    return [maps[..., k].T @ maps[..., k] for k in range(2)]


@pytest.mark.parametrize("order", [0, 1, 3])
def test_noise_has_the_density_that_it_is_drawn_from(order):
    module = noise(order)
    values = torch.randn(LENGTHS.sum(), 2, generator=generator()).double()
    by_step = module.log_prob(values, PACKING).split(LENGTHS.tolist())
    for part, x in zip(by_step, values.split(LENGTHS.tolist()), strict=True):
        expected = sum(
            multivariate_normal(cov=c).logpdf(x[:, k])
            for k, c in enumerate(covariance(module, len(x)))
        )
        assert part.sum().item() == pytest.approx(expected)


def test_noise_is_stationary():
    for c in covariance(noise(2), 6):
        for lag in range(3):
            np.testing.assert_allclose(np.diag(c, lag), c[0, lag])


def test_frequencies_of_lengths():
    often = np.array([3, 3, 3, 7, 7])
    np.testing.assert_allclose(
        smoothed_frequencies(often, np.ones(5), 7), [0, 0, 0.6, 0, 0, 0, 0.4]
    )
    once = smoothed_frequencies(np.array([10, 14, 18]), np.ones(3), 18)
    assert once[:9].sum() == 0
    assert (once[9:] > 0).all()
    assert once[9:].sum() == pytest.approx(1)
    repeated = smoothed_frequencies(np.array([10, 14, 14]), np.ones(3), 14)
    weighted = smoothed_frequencies(np.array([10, 14]), np.array([1.0, 2]), 14)
    np.testing.assert_array_equal(repeated, weighted)
    np.testing.assert_array_equal(smoothed_frequencies(np.array([2]), np.ones(1), 2), [0, 1])


def length_model():
    model = LengthModel(2, 0, 7).double()
    with torch.no_grad():
        model.initialize(np.array([3, 3, 3, 7, 7]), np.ones(5), np.empty((5, 0)))
    return model


def test_lengths_are_drawn_as_they_were_seen_until_the_code_says_more():
    model = length_model()
    uniform = torch.arange(0.05, 1, 0.1).double()[:, None]
    drawn = model.quantile(torch.randn(10, 2).double(), uniform)
    assert drawn.tolist() == [3] * 6 + [7] * 4


def test_each_class_has_its_lengths():
    model = LengthModel(2, 2, 7).double()
    model.initialize(np.array([3, 3, 6, 7]), np.ones(4), np.eye(2)[[0, 0, 1, 1]])
    code = torch.eye(4).double()[2:]
    assert model.quantile(code, torch.full((2, 1), 0.2).double()).tolist() == [3, 6]
    probabilities = model.log_probabilities(code).exp().detach().numpy()
    np.testing.assert_allclose(probabilities[:, [2, 5, 6]], [[1, 0, 0], [0, 0.5, 0.5]])


def test_every_length_has_a_probability_and_they_sum_to_one():
    model = length_model()
    torch.nn.init.normal_(model.log_weights.output.weight, generator=generator())
    code = torch.randn(1, 2, generator=generator()).double().expand(500, -1)
    log_prob = model.log_prob(code, np.arange(1, 501))
    assert log_prob.isfinite().all()
    assert log_prob.exp().sum().item() == pytest.approx(1)
    seen = log_prob.exp()[[2, 6]].sum().item()
    assert seen > 1 - 1 / 6


def build(**kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = {"n_features": 2, "n_components": 3, "hidden_size": 5, "max_length": 7} | kwargs
        network = SequenceVariationalNetwork(**settings).double().eval()
    with torch.no_grad():
        network.log_volume.fill_(np.log(3.0))
        classes = np.eye(2)[[0, 1, 1, 0]] if kwargs.get("n_context") else np.empty((4, 0))
        network.length_model.initialize(LENGTHS, np.ones(4), classes)
    return network


def steps(n_context=0):
    x = torch.randn(LENGTHS.sum(), 2, generator=generator(1)).double()
    classes = torch.eye(2).double()[[0, 1, 1, 0]].repeat_interleave(torch.tensor(LENGTHS), dim=0)
    return torch.cat([x, classes], dim=1) if n_context else x


@pytest.mark.parametrize("n_context", [0, 2])
@pytest.mark.parametrize("name", ["encode", "elbo", "iwae"])
def test_sequences_together_are_as_one_by_one(name, n_context):
    network, x = build(n_context=n_context, num_layers=2, bidirectional=True), steps(n_context)
    method = getattr(network, name)
    parts = zip(x.split(LENGTHS.tolist()), LENGTHS, strict=True)
    expected = torch.cat([method(part, Packing(np.array([n]))) for part, n in parts])
    torch.testing.assert_close(method(x, PACKING), expected)


def test_the_likelihood_is_that_of_steps_and_their_number():
    network, x = build(noise_order=0), steps()
    z = torch.randn(4, 3, generator=generator()).double()
    fit = network.log_likelihood(z, x, PACKING)
    codes = z.repeat_interleave(torch.tensor(LENGTHS), dim=0)
    expected = network.decode(codes, PACKING).detach().numpy()
    scale = network.noise.innovations.log_scale().exp()
    by_step = norm(expected, scale.detach().numpy()).logpdf(x.numpy()).sum(axis=1)
    by_step -= np.log(3.0)  # a unit of the steps is so large in those of the data
    of_steps = [part.sum() for part in np.split(by_step, np.cumsum(LENGTHS)[:-1])]
    of_number = network.length_model.log_prob(z, LENGTHS).detach().numpy()
    np.testing.assert_allclose(fit.detach(), of_steps + of_number)


def test_draws_without_noise_are_the_expected_steps():
    network = build()
    codes = torch.randn(LENGTHS.sum(), 3, generator=generator()).double()
    silent = torch.cat([codes, torch.zeros(LENGTHS.sum(), 2).double()], dim=1)
    torch.testing.assert_close(network.draw(silent, PACKING), network.decode(codes, PACKING))


def test_the_forward_pass_runs_on_any_device():
    network, x = build(n_context=2).to("meta"), steps(2).to("meta")
    packing = Packing(LENGTHS, "meta")
    fit, divergence = network(x, packing)
    assert fit.shape == network.elbo(x, packing).shape == (4,)
    assert divergence.shape == (4, 3)
    columns = torch.empty(LENGTHS.sum(), 7, device="meta", dtype=torch.float64)
    assert network.draw(columns, packing).shape == (LENGTHS.sum(), 2)
    code, uniform = columns[:4, :5], columns[:4, :1]
    assert network.quantile_of_length(code, uniform).shape == (4,)
