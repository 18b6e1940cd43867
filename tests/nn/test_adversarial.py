"""Adversarial networks: their losses, packs and averages."""

import pytest
import torch
from torch import nn

from sklseq.nn.adversarial.discriminator import (
    DISCRIMINATOR_LOSSES,
    GENERATOR_LOSSES,
    discriminator_loss,
)
from sklseq.nn.adversarial.energy_distance import energy_distances
from sklseq.nn.adversarial.gan import AdversarialNetwork

N, D, K = 7, 3, 4
SIZES = {"hidden_layer_sizes": (8,), "discriminator_layer_sizes": (8,)}


def network(**settings):
    torch.manual_seed(0)
    return AdversarialNetwork(n_features=D, n_components=K, **SIZES | settings)


def rows(n=N):
    torch.manual_seed(1)
    return torch.randn(n, D)


def test_every_loss_pulls_its_own_way():
    real, fake = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    assert DISCRIMINATOR_LOSSES.keys() == GENERATOR_LOSSES.keys()
    for name, loss in DISCRIMINATOR_LOSSES.items():
        up, down = torch.autograd.grad(loss(real, fake).sum(), [real, fake], allow_unused=True)
        assert up < 0 <= down, name  # the discriminator rates data higher
        (wanted,) = torch.autograd.grad(GENERATOR_LOSSES[name](real, fake).sum(), [fake])
        assert wanted < 0, name  # the generator wants its rows rated higher


@pytest.mark.parametrize("pack", [1, 2, 3, 10])
def test_packs_hold_all_rows(pack):
    net = network(pac_size=pack)
    real, fake = net(rows())
    assert real.shape == fake.shape == (-(-N // pack), pack * D)
    torch.testing.assert_close(real.reshape(-1, D)[:N], rows())


@pytest.mark.parametrize("loss", DISCRIMINATOR_LOSSES)
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_each_side_learns_from_its_own_loss_alone(loss, penalty):
    net = network(pac_size=2, n_fourier_frequencies=1)
    net.discriminator_loss(rows(), None, loss, penalty).backward()
    assert all(p.grad is None for p in net.generator.parameters())
    assert any(p.grad.any() for p in net.discriminator.parameters() if p.grad is not None)
    net.zero_grad()
    net.generator_loss(rows(), None, loss).backward()
    assert any(p.grad.any() for p in net.generator.parameters() if p.grad is not None)


def test_penalty_is_the_mean_squared_slope():
    net = network()

    class Linear(nn.Module):
        def forward(self, x):
            return x @ torch.tensor([[1.0], [2.0], [2.0]])

    net.discriminator = Linear()
    torch.manual_seed(0)
    with_penalty = net.discriminator_loss(rows(), None, "hinge", 0.5)
    torch.manual_seed(0)
    without = net.discriminator_loss(rows(), None, "hinge", 0.0)
    assert (with_penalty - without).item() == pytest.approx(0.5 * 9, rel=1e-4)
    torch.manual_seed(0)
    slope = net.discriminator_loss(rows(), None, "wasserstein", 1.0)
    assert slope.isfinite()


@pytest.mark.parametrize("loss", DISCRIMINATOR_LOSSES)
def test_rows_without_weight_do_not_count_for_the_discriminator(loss):
    discriminator, real, fake = network().discriminator, rows(), rows() + 1
    weight = torch.tensor([2.0, 0, 1, 1, 1, 0, 2])

    def cost(real, fake):
        torch.manual_seed(0)
        return discriminator_loss(discriminator, real.clone(), fake.clone(), loss, 1.0, weight)

    moved = 5.0 * (weight == 0).unsqueeze(1)
    torch.testing.assert_close(cost(real + moved, fake - moved), cost(real, fake))


def test_weights_count_as_so_many_pairs():
    discriminator, real, fake = network().discriminator, rows(), rows() + 1
    weight = torch.tensor([2, 0, 1, 1, 1, 0, 2])
    often = [side.repeat_interleave(weight, dim=0) for side in (real, fake)]
    torch.testing.assert_close(
        discriminator_loss(discriminator, real, fake, "relativistic", 1.0, weight),
        discriminator_loss(discriminator, *often, "relativistic", 1.0),
    )
    torch.testing.assert_close(
        energy_distances(real, fake, 1.0 * weight).repeat_interleave(weight),
        energy_distances(*often),
    )


def test_it_starts_with_rows_of_the_size_of_the_data():
    x, classes = 5 * rows(2000) + 100, torch.arange(2000) % 2
    context = torch.eye(2)[classes]
    x = x + 30 * classes[:, None]
    net = network(n_context=2)
    net.initialize(x, context, torch.ones(2000))
    made = net.decode(net.noise(x), context)
    for c in (0, 1):
        torch.testing.assert_close(
            made[classes == c].mean(0), x[classes == c].mean(0), atol=5.0, rtol=0
        )
        ratio = made[classes == c].std(0) / x[classes == c].std(0)
        assert ((ratio > 0.5) & (ratio < 2)).all()


def test_binary_latents_count_by_their_sign():
    net = network(n_binary_latents=3)
    z = torch.randn(50, K + 3)
    larger, turned = z.clone(), z.clone()
    larger[:, K:] *= 5
    turned[:, K:] *= -1
    torch.testing.assert_close(net.decode(larger), net.decode(z), atol=0, rtol=0)
    assert (net.decode(turned) != net.decode(z)).any(dim=1).all()
    assert net.noise(rows()).shape == (N, K + 3)


def test_the_density_ratio_learns_from_its_own_loss_alone():
    net = network(n_binary_latents=2, n_context=2, pac_size=3)
    context = torch.eye(2)[torch.arange(N) % 2]
    net.density_ratio_losses(rows(), context).sum().backward()
    learned = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert learned == {"density_ratio"}


def test_the_best_density_ratio_is_the_ratio_of_densities():
    net = network()
    net.density_ratio = nn.Linear(1, 1)  # enough for two normal distributions of the same width
    net.mean, net.scale = torch.full((1,), 2.0), torch.full((1,), 3.0)
    net.average = nn.Identity()  # decodes noise to a normal distribution: mean 2, deviation 3
    net.n_noise = 1
    x = 5 + 3 * torch.randn(20_000, 1)
    optimizer = torch.optim.LBFGS(net.density_ratio.parameters(), line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        torch.manual_seed(2)
        value = net.density_ratio_losses(x, None).mean()
        value.backward()
        return value

    net.average.forward = lambda z, context: z
    optimizer.step(loss)
    points = torch.linspace(-5, 10, 7)[:, None]
    ratio = ((points - 2).square() - (points - 5).square()) / (2 * 3**2)
    torch.testing.assert_close(net.log_density_ratio(points), ratio, atol=0.1, rtol=0)


def test_the_average_follows_the_generator():
    net = network()
    with torch.no_grad():
        for parameter in net.generator.parameters():
            parameter.fill_(1.0)
    for _ in range(3000):
        net.after_step()
    for parameter in net.average.parameters():
        torch.testing.assert_close(parameter, torch.ones_like(parameter), atol=1e-3, rtol=0)
        assert not parameter.requires_grad


def test_distance_is_least_for_what_is_generated():
    net = network()
    with torch.no_grad():
        alike = net.average(net.noise(rows(500)))
        assert net.distance(alike).mean() < 0.05 < net.distance(alike + 3).mean()


def test_spectral_norm_bounds_the_slope():
    net = network(spectrally_normalized=True)
    for _ in range(50):
        net.discriminator(rows())
    x = rows(100).requires_grad_()
    (slope,) = torch.autograd.grad(net.discriminator(x).sum(), x)
    assert slope.norm(dim=1).max() < 1.2


def test_on_the_meta_device():
    net = network(n_context=2, n_binary_latents=2, pac_size=2, n_fourier_frequencies=2).to("meta")
    x, context = torch.empty(N, D, device="meta"), torch.empty(N, 2, device="meta")
    assert net.log_density_ratio(x, context).shape == (N, 1)
    assert net.density_ratio_losses(x, context).shape == (N,)
    assert net.discriminator_loss(x, context, "hinge", 0.0).shape == ()
    assert net.generator_loss(x, context, "hinge").shape == ()
    assert net.decode(torch.empty(N, K + 2, device="meta"), context).shape == (N, D)
