"""Variational autoencoders and their likelihoods against what is known in closed form."""

import math

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from sklseq.nn.codes.bounds import divergence
from sklseq.nn.codes.variational import VariationalAutoencoder
from sklseq.nn.layers.likelihoods import Bernoulli, Gaussian

N, D, K = 7, 4, 2
DOUBLE = {"dtype": torch.float64}


def linear_vae(n_importance_samples=32, **settings):
    torch.manual_seed(0)
    settings = {"hidden_layer_sizes": (), "n_importance_samples": n_importance_samples, **settings}
    network = VariationalAutoencoder(n_features=D, n_components=K, **settings).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def rows():
    torch.manual_seed(1)
    return torch.randn(N, D, **DOUBLE)


def exact_log_density(network, x):
    weight, bias = network.decoder.output.weight, network.decoder.output.bias
    noise = network.likelihood.log_scale().exp() ** 2
    covariance = weight @ weight.T + noise * torch.eye(D, **DOUBLE)
    return MultivariateNormal(bias, covariance).log_prob(x)


def test_divergence_is_torchs():
    mean, log_variance = torch.randn(N, K, **DOUBLE), torch.randn(N, K, **DOUBLE)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, log_variance), expected)


@pytest.mark.parametrize("noise", ["learned", "diagonal", 0.3])
def test_gaussian_log_density_is_torchs(noise):
    likelihood, x, parameters = Gaussian(D, noise).double(), rows(), rows().flip(0)
    if likelihood.learned:
        torch.nn.init.normal_(likelihood.raw_log_scale)
    else:
        assert likelihood.log_scale().exp().item() == pytest.approx(0.3)
    expected = Normal(parameters, likelihood.log_scale().exp()).log_prob(x).sum(1)
    torch.testing.assert_close(likelihood.log_prob(parameters, x), expected)


def test_bernoulli_log_density_is_torchs():
    logits, x = rows(), (rows().flip(0) > 0).double()
    expected = TorchBernoulli(logits=logits).log_prob(x).sum(1)
    torch.testing.assert_close(Bernoulli(D).log_prob(logits, x), expected)


@pytest.mark.parametrize("likelihood", [Gaussian(1, 0.5), Bernoulli(1)])
def test_draws_have_the_mean_of_the_likelihood(likelihood):
    parameters = torch.full((20_000, 1), 0.7)
    uniform = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    drawn = likelihood.draw(parameters, uniform)
    assert drawn.mean().item() == pytest.approx(likelihood.mean(parameters[:1]).item(), abs=0.02)
    ends = likelihood.draw(parameters[:2], torch.tensor([[0.0], [1.0]]))
    assert ends.isfinite().all()


@pytest.mark.parametrize("likelihood", [Gaussian(D), Gaussian(D, "diagonal"), Bernoulli(D)])
def test_initialized_likelihoods_fit_rows_alike(likelihood):
    likelihood, x = likelihood.double(), rows().sigmoid()
    share = torch.full((N, 1), 1 / N, **DOUBLE)
    with torch.no_grad():
        start = likelihood.initial_parameters(x, share)
        likelihood.initialize(start.expand(N, D), x, share)
    start.requires_grad_()
    likelihood.log_prob(start.expand(N, D), x).mean().backward()
    for parameter in (start, *likelihood.parameters()):
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter), atol=1e-6, rtol=0)


def test_classes_start_where_their_rows_are():
    network = linear_vae(n_context=2)
    context = torch.eye(2, **DOUBLE)[torch.arange(N) % 2]
    x = rows() + 100 * context[:, :1]
    network.initialize(x, context, torch.ones(N, **DOUBLE))
    at_origin = network.decode(torch.zeros(N, K, **DOUBLE), context)
    expected = context @ torch.stack([x[0::2].mean(0), x[1::2].mean(0)])
    # The weights of the decoder's own context layer come on top.
    torch.testing.assert_close(at_origin, expected, atol=2.0, rtol=0)
    assert network.likelihood.log_scale().exp() < 3


def test_elbo_of_a_linear_decoder_needs_no_more_draws():
    few, many = linear_vae(4), linear_vae(512)
    torch.testing.assert_close(few.elbo(rows()), many.elbo(rows()), atol=1e-6, rtol=0)


def test_elbo_is_closed_form_for_a_linear_decoder():
    network, x = linear_vae(), rows()
    mean, log_variance = network.posterior(x)
    weight = network.decoder.output.weight
    log_scale = network.likelihood.log_scale()
    at_mean = network.likelihood.log_prob(network.decoder(mean), x)
    spread = (log_variance.exp() @ weight.T.square()).sum(1) / (2 * log_scale).exp()
    expected = at_mean - 0.5 * spread - divergence(mean, log_variance).sum(1)
    torch.testing.assert_close(network.elbo(x), expected, atol=1e-6, rtol=1e-6)


def test_bounds_lie_below_the_density():
    network, x = linear_vae(512), rows()
    exact = exact_log_density(network, x)
    assert (network.elbo(x) < exact).all()
    assert (network.elbo(x) < network.iwae(x)).all()


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_with_the_true_posterior_a_bound_is_the_density(bound):
    network, x = linear_vae(), rows()
    scale = torch.tensor([1.5, 0.5], **DOUBLE)
    with torch.no_grad():
        weight = network.decoder.output.weight
        weight.copy_(torch.linalg.qr(weight)[0] * scale)
        noise = (2 * network.likelihood.log_scale()).exp()
        # Posterior of probabilistic PCA with orthogonal axes (Tipping and Bishop 1999).
        precision = scale**2 / noise + 1
        encoder = network.encoder.output
        encoder.weight[:K] = (weight / noise / precision).T
        encoder.bias[:K] = -encoder.weight[:K] @ network.decoder.output.bias
        encoder.weight[K:] = 0
        encoder.bias[K:] = 12 * torch.atanh(-precision.log() / 12)
    exact = exact_log_density(network, x)
    torch.testing.assert_close(getattr(network, bound)(x), exact, atol=1e-6, rtol=0)


def test_posterior_variances_are_bounded():
    network = linear_vae()
    with torch.no_grad():
        network.encoder.output.bias.fill_(1e6)
    fit, kl = network(rows())
    assert fit.isfinite().all()
    assert kl.isfinite().all()


def test_one_draw_is_enough():
    assert linear_vae(1).elbo(rows()).isfinite().all()
    assert linear_vae(1).iwae(rows()).isfinite().all()


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_on_the_meta_device(likelihood):
    network = VariationalAutoencoder(
        n_features=D, n_components=K, n_context=3, likelihood=likelihood
    ).to("meta")
    x, context, z = (torch.empty(N, n, device="meta") for n in (D, 3, K))
    assert [t.shape for t in network(x, context)] == [(N,), (N, K)]
    assert network.elbo(x, context).shape == network.iwae(x, context).shape == (N,)
    assert network.decode(z, context).shape == network.draw(z, x, context).shape == (N, D)
    assert math.prod(network.encode(x, context).shape) == N * K
