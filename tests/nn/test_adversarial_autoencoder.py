"""Adversarial autoencoders: priors are what they say, and each side learns from its own loss."""

import math

import pytest
import torch

from sklseq.nn.adversarial.autoencoder import PRIORS, AdversarialAutoencoder, CodePrior

N, D, K = 7, 3, 2


def network(prior="gaussian", n_context=0):
    torch.manual_seed(0)
    return AdversarialAutoencoder(
        n_features=D, n_components=K, n_context=n_context, prior=prior, n_groups=4
    )


def draws(kind, n=4000, n_components=3):
    torch.manual_seed(0)
    prior = CodePrior(kind, n_components, 4)
    return prior(torch.randn(n, n_components), torch.rand(n, 1))


def test_priors_have_their_moments():
    torch.testing.assert_close(draws("gaussian").std(dim=0), torch.ones(3), atol=0.05, rtol=0)
    ring = draws("mixture")
    # Four means on a circle of radius 3, with a sixth of the way between neighbors as deviation.
    spread = math.sqrt(3**2 / 2 + (math.sqrt(2) * 3 / 6) ** 2)
    expected = torch.tensor([spread, spread, 1.0])
    torch.testing.assert_close(ring.std(dim=0), expected, atol=0.1, rtol=0)
    groups = draws("categorical")
    assert groups.shape[1] == 4 + 3
    assert set(groups[:, :4].unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(groups[:, :4].mean(dim=0), torch.full((4,), 0.25), atol=0.05, rtol=0)


@pytest.mark.parametrize("prior", PRIORS)
def test_each_side_learns_from_its_own_loss_alone(prior):
    net, weight = network(prior), torch.ones(N)
    torch.manual_seed(1)
    x = torch.randn(N, D)
    net.discriminator_loss(x, None, weight, "relativistic", 0.1).backward()
    assert all(p.grad is None for p in net.autoencoder.parameters())
    net.zero_grad()
    net.generator_loss(net.encode(x), None, weight, "relativistic").backward()
    assert all(p.grad.any() for p in net.autoencoder.encoder.output.parameters())
    assert all(p.grad is None for p in net.autoencoder.decoder.parameters())


@pytest.mark.parametrize("prior", PRIORS)
def test_on_the_meta_device(prior):
    net = network(prior, n_context=2).to("meta")
    x, context = torch.empty(N, D, device="meta"), torch.empty(N, 2, device="meta")
    weight = torch.empty(N, device="meta")
    fit, codes = net(x, context)
    assert fit.shape == net.distances(codes).shape == (N,)
    assert net.decode(codes, context).shape == (N, D)
    assert net.discriminator_loss(x, context, weight, "hinge", 0.1).shape == ()
    assert net.generator_loss(codes, context, weight, "hinge").shape == ()
