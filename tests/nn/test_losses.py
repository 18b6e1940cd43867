"""Losses of real targets: torch's own where it has them, and what their outputs mean."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Normal, StudentT
from torch.nn import functional

from sklseq.nn.layers.losses import REGRESSION_LOSSES, make_loss

N, VALUES = 7, 3


def outputs_of(loss, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, VALUES * loss.n_parameters, generator=generator, dtype=torch.float64)


def target():
    return torch.rand(N, VALUES, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


THEIRS = {
    "squared_error": functional.mse_loss,
    "absolute_error": functional.l1_loss,
    "huber": functional.huber_loss,
    "poisson": functional.poisson_nll_loss,
}


@pytest.mark.parametrize("name", THEIRS)
def test_losses_are_those_of_torch(name):
    loss, y = make_loss(name), 2 * target()
    outputs = outputs_of(loss)
    theirs = THEIRS[name](outputs, y, reduction="none")
    torch.testing.assert_close(loss.losses(outputs, y), theirs)


@pytest.mark.parametrize("name", ["gaussian", "student_t"])
def test_a_likelihood_is_that_of_the_distribution_with_this_mean_and_deviation(name):
    loss, y = make_loss(name), target()
    outputs = outputs_of(loss)
    mean, std = loss.predicted(outputs.numpy()), loss.std(outputs.numpy())
    if name == "gaussian":
        theirs = functional.gaussian_nll_loss(
            torch.tensor(mean), y, torch.tensor(std) ** 2, full=True, reduction="none"
        )
        distribution = Normal(torch.tensor(mean), torch.tensor(std))
    else:
        freedom = loss._freedom(outputs.numpy())
        scale = std / np.sqrt(freedom / (freedom - 2))
        theirs = -torch.tensor(stats.t.logpdf(y, freedom, mean, scale))
        distribution = StudentT(*map(torch.tensor, (freedom, mean, scale)))
    torch.testing.assert_close(loss.losses(outputs, y), theirs)
    np.testing.assert_allclose(distribution.mean, mean)
    np.testing.assert_allclose(distribution.stddev, std)


@pytest.mark.parametrize("name", ["gaussian", "student_t"])
def test_what_is_drawn_has_the_mean_and_deviation(name):
    loss = make_loss(name)
    one = outputs_of(loss).numpy()[:1]
    drawn = loss.drawn(np.repeat(one, 20_000, axis=0), np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(axis=0), loss.predicted(one)[0], atol=0.1)
    np.testing.assert_allclose(drawn.std(axis=0), loss.std(one)[0], rtol=0.1)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_losses_stay_finite_at_the_edge(name):
    loss = make_loss(name)
    outputs = torch.full((2, loss.n_parameters), 50.0)
    outputs[1] = -50
    outputs.requires_grad_()
    loss.losses(outputs, torch.tensor([[0.0], [3.0]])).sum().backward()
    assert outputs.grad.isfinite().all()
    assert np.isfinite(loss.predicted(outputs.detach().numpy())).all()


def test_several_levels_are_the_mean_of_each_and_do_not_cross():
    loss, y = make_loss("quantile", (0.9, 0.2)), target()
    outputs = outputs_of(loss)
    alone = [
        make_loss("quantile", level).losses(part, y)
        for level, part in zip(loss.levels, loss.parameters(outputs), strict=True)
    ]
    torch.testing.assert_close(loss.losses(outputs, y), (alone[0] + alone[1]) / 2)
    predicted = loss.predicted(outputs.numpy())
    assert predicted.shape == (N, VALUES, 2)
    assert (predicted[..., 0] >= predicted[..., 1]).all()
