"""The likelihood of mixed rows: each kind's own distribution, and nothing of what is missing."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from sklseq.nn.adversarial.gan import AdversarialNetwork
from sklseq.nn.adversarial.mixed_rows import FrequencyMatching
from sklseq.nn.codes.conditional import ConditionalAutoencoder
from sklseq.nn.layers.mixed import Mixed, interval_log_prob

# A number, a boolean and a category that may be missing, and each without an indicator.
KINDS = [("number", 1, -0.75), ("boolean", 1, 0.0), ("category", 3, 0.0)]
LAYOUT = [
    (kind, width, may_be_missing, log_step)
    for may_be_missing in (True, False)
    for kind, width, log_step in (*KINDS, ("category", 2, 0.0))
]
N_VALUES = sum(width + has for _, width, has, _ in LAYOUT)


def likelihood(dtype=torch.float64):
    torch.manual_seed(0)
    mixed = Mixed(LAYOUT, "learned").to(dtype)
    with torch.no_grad():
        mixed.noise.raw_log_scale.uniform_(-1, 1)
    return mixed.requires_grad_(False)


def rows(n=6, missing=()):
    """Encoded rows, drawn at random; columns of these numbers are missing."""
    generator = torch.Generator().manual_seed(1)
    values, widths = [], []
    for i, (kind, width, has, _) in enumerate(LAYOUT):
        gone = i in missing
        if has:
            values.append(torch.full((n, 1), float(gone)))
        if kind == "category":
            value = torch.eye(width)[torch.randint(width, (n,), generator=generator)]
        elif kind == "boolean":
            value = torch.randint(2, (n, 1), generator=generator).float()
        else:
            value = torch.randn(n, 1, generator=generator)
            widths.append(torch.full((n, 1), 0.0 if gone else 0.3))
        values.append(value * (not gone))
    return torch.cat([*values, *widths], dim=1).double()


def parameters(n=6):
    return torch.randn(n, N_VALUES, generator=torch.Generator().manual_seed(2)).double()


def expected(mixed, p, row, scale):
    """Column by column, in words."""
    total, at, k = 0.0, 0, 0
    for kind, width, has, log_step in LAYOUT:
        gone = False
        if has:
            gone = row[at] == 1
            share = 1 / (1 + math.exp(-p[at]))
            total += math.log(share if gone else 1 - share)
            at += 1
        if not gone and kind == "number":
            low, high = (
                norm.cdf((row[at] + side * row[N_VALUES + k] - p[at]) / scale[k])
                for side in (-1, 1)
            )
            total += math.log(high - low) - log_step
        elif not gone and kind == "boolean":
            share = 1 / (1 + math.exp(-p[at]))
            total += math.log(share if row[at] else 1 - share)
        elif not gone:
            logits = p[at : at + width]
            total += logits[row[at : at + width].argmax()] - np.logaddexp.reduce(logits)
        k += kind == "number"
        at += width
    return total


@pytest.mark.parametrize("missing", [(), (0,), (1,), (2, 3), (0, 1, 2, 3)])
def test_log_prob_is_the_sum_of_what_each_column_says(missing):
    mixed, p, x = likelihood(), parameters(), rows(missing=missing)
    scale = mixed.noise.log_scale().exp().numpy()
    each = [expected(mixed, p[i].numpy(), x[i].numpy(), scale) for i in range(len(x))]
    np.testing.assert_allclose(mixed.log_prob(p, x), each, rtol=1e-10)


def test_what_is_missing_has_no_gradient():
    mixed, x = likelihood(), rows(missing=(0, 1, 2, 3))
    p = parameters().requires_grad_()
    (gradient,) = torch.autograd.grad(mixed.log_prob(p, x).sum(), p)
    present = mixed.present(x)
    assert (gradient[present == 0] == 0).all()
    assert (gradient[present == 1] != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_intervals_far_out_narrow_or_wide_have_finite_logs_and_slopes(dtype):
    z = torch.tensor([0.0, 0.5, -3, 8, 40, 1e4], dtype=dtype)[:, None].requires_grad_()
    w = torch.tensor([1e-9, 1e-4, 0.0199, 0.0201, 1.0, 6.0], dtype=dtype)
    value = interval_log_prob(z, w)
    assert value.isfinite().all()
    assert (value <= 0).all()
    (slope,) = torch.autograd.grad(value.sum(), z)
    assert slope.isfinite().all()
    w = w[1:].double().numpy()
    exact = np.log(norm.cdf(0.5 + w) - norm.cdf(0.5 - w))
    np.testing.assert_allclose(value[1].detach()[1:], exact, rtol=1e-3, atol=1e-4)


def test_probabilities_of_discrete_columns_sum_to_one():
    layout = [("boolean", 1, True, 0.0), ("category", 3, True, 0.0)]
    mixed = Mixed(layout, "learned").double()
    booleans = [[1, 0], [0, 0], [0, 1]]
    categories = [[1, 0, 0, 0], *([0, *row] for row in np.eye(3))]
    every = np.array([[*a, *b] for a, b in itertools.product(booleans, categories)])
    p = torch.randn(6, generator=torch.Generator().manual_seed(0)).double().expand(len(every), -1)
    total = mixed.log_prob(p, torch.from_numpy(every).double()).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0).double())


def test_draws_have_the_distribution_of_the_parameters():
    mixed, p = likelihood(), parameters(1)
    uniform = torch.rand(20_000, N_VALUES, generator=torch.Generator().manual_seed(3)).double()
    drawn = mixed.draw(p.expand(len(uniform), -1), uniform)
    np.testing.assert_allclose(drawn.mean(dim=0), mixed.mean(p)[0], atol=0.03)
    spread = drawn[:, mixed.numbers].std(dim=0)
    torch.testing.assert_close(spread, mixed.noise.log_scale().exp(), rtol=0.03, atol=0)
    through = mixed.draw_through(p.expand(len(uniform), -1), uniform, 0.5)
    # Drawn alike, yet a number is its parameter, and nothing where it is missing.
    there = mixed.present(drawn)
    discrete = [i for i in range(N_VALUES) if i not in mixed.numbers]
    torch.testing.assert_close((drawn * there)[:, discrete], through[:, discrete])
    torch.testing.assert_close(through[:, mixed.numbers], (p * there)[:, mixed.numbers])


def test_gradients_pass_through_draws():
    mixed, p = likelihood(), parameters(50).requires_grad_()
    uniform = torch.rand(50, N_VALUES, generator=torch.Generator().manual_seed(3)).double()
    weights = torch.randn(N_VALUES, generator=torch.Generator().manual_seed(4)).double()
    (mixed.draw_through(p, uniform, 0.5) @ weights).sum().backward()
    assert (p.grad.abs().sum(dim=0) > 0).all()


def test_training_starts_where_each_column_fits_all_rows_alike():
    mixed = likelihood()
    x = torch.cat([rows(40), rows(20, missing=(0, 1, 2))])
    share = torch.full((60, 1), 1 / 60).double()
    start = mixed.initial_parameters(x, share)
    mixed.initialize(start.expand(60, -1), x, share)
    p = start.clone().requires_grad_()
    # The mean log-likelihood is at its top, as near as the width of intervals lets one say.
    (gradient,) = torch.autograd.grad(mixed.log_prob(p.expand(60, -1), x).mean(), p)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=0.02, rtol=0)


@pytest.mark.parametrize("layout", [[("number", 1, False, 0.0)], [("category", 0, True, 0.0)]])
def test_tables_of_one_kind(layout):
    n = sum(width + has for _, width, has, _ in layout)
    mixed = Mixed(layout, 0.5)
    p = torch.zeros(3, n)
    x = torch.ones(3, n + (layout[0][0] == "number"))
    assert mixed.log_prob(p, x).isfinite().all()
    assert mixed.draw(p, torch.full((3, n), 0.5)).shape == mixed.mean(p).shape == (3, n)


def test_everything_runs_on_another_device():
    network = ConditionalAutoencoder(
        n_features=N_VALUES + 2, n_components=2, n_encoded=2, likelihood=LAYOUT
    ).to("meta")
    x = rows().float().to("meta")
    p = network.parameters_of(network.encoded(x))
    network.likelihood.log_prob(p, x).sum().backward()
    for function in (network.likelihood.draw, lambda *a: network.likelihood.draw_through(*a, 0.5)):
        assert function(p, torch.rand(6, N_VALUES, device="meta")).device.type == "meta"
    assert network.likelihood.mean(p).device.type == "meta"


def adversaries(n_context=0):
    torch.manual_seed(0)
    return AdversarialNetwork(
        n_features=N_VALUES, n_components=3, n_context=n_context, columns=LAYOUT, pac_size=2
    )


@pytest.mark.parametrize("n_context", [0, 2])
def test_a_generator_starts_with_the_frequencies_of_the_data(n_context):
    x = torch.cat([rows(300), rows(200, missing=(0, 1, 2))]).float()
    context = torch.eye(2)[(torch.arange(500) < 300).long()][:, :n_context] if n_context else None
    network = adversaries(n_context)
    network.initialize(x, context, torch.ones(500))
    with torch.no_grad():
        z = torch.randn(500, network.n_noise, generator=torch.Generator().manual_seed(0))
        drawn = network.decode(z, context)
    np.testing.assert_allclose(drawn.mean(dim=0), x[:, :N_VALUES].mean(dim=0), atol=0.25)
    assert set(drawn[:, network.generator.heads.binary].unique().tolist()) <= {0.0, 1.0}
    if context is not None:  # what is missing in one class alone
        indicator = drawn[:, 0]
        assert indicator[300:].mean() > 0.9
        assert indicator[:300].mean() < 0.1


def test_adversaries_run_on_another_device():
    network = adversaries().to("meta")
    x = rows().float().to("meta")
    network.generator_loss(x, None, "hinge").backward()
    network.discriminator_loss(x, None, "relativistic", 0.1).backward()
    assert network.decode(network.noise(x)).device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_are_drawn_from_their_intervals(dtype):
    """Evenly by probability, far out too; what is no number, or missing, stays."""
    mixed = likelihood(dtype)
    x = rows(4, missing=(0,)).to(dtype)
    second = mixed.numbers[1]
    x[:, second] = torch.tensor([-5.0, -0.1, 0.1, 5.0])
    for share in (0.0, 0.25, 1.0):
        drawn = mixed.drawn_from_intervals(x, torch.full((4, 2), share, dtype=dtype))
        # Upper tails are drawn as lower ones, turned around.
        centre = -x[:, second].double().abs().numpy()
        low, high = norm.cdf(centre - 0.3), norm.cdf(centre + 0.3)
        sign = np.where(x[:, second] > 0, -1, 1)
        expected = norm.ppf(low + share * (high - low))
        np.testing.assert_allclose(sign * drawn[:, second].numpy(), expected, rtol=2e-3)
        drawn[:, second] = x[:, second]
        assert (drawn == x[:, :N_VALUES]).all()


def test_frequencies_pull_towards_those_of_the_data():
    """As far, no further: a rare value is in few batches, and none alone decides."""
    layout = [("category", 3, True, 0.0), ("boolean", 1, False, 0.0), ("number", 1, False, 0.0)]
    mixed, frequencies = Mixed(layout, 1.0), FrequencyMatching(layout, 2)
    generator = torch.Generator().manual_seed(0)
    # By class: logits of what is missing, of three categories and a boolean; a number.
    of_data = torch.tensor([[-4.0, -4.0, -1.0, 0.0, -4.0, 9.0], [0.0, 1.0, 0.0, 0.0, 2.0, 9.0]])
    logits = torch.nn.Parameter(torch.zeros(2, 6))
    optimizer = torch.optim.Adam([logits], lr=0.02)
    shares = torch.zeros(2, 2, 5)
    context = torch.eye(2)[torch.arange(128) % 2]
    for step in range(1500):
        real, made = (
            mixed.draw_through(context @ of, torch.rand(128, 6, generator=generator), 0.5)
            for of in (of_data, logits)
        )
        optimizer.zero_grad()
        frequencies(real, made, context).backward()
        assert not logits.grad[:, 5].any()
        optimizer.step()
        if step >= 500:
            shares += torch.stack([context.T @ rows.detach()[:, :5] for rows in (real, made)])
    wanted, reached = shares / (64 * 1000)
    assert wanted.min() < 0.02
    np.testing.assert_allclose(reached, wanted, rtol=0.15)
