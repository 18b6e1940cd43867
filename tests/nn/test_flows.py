"""Flows: invertible, with the log-determinant that autograd finds, and the identity at first."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_t
from torch import nn

from sklseq.nn.flows import (
    ActNorm,
    AffineCoupling,
    ClassNorm,
    Composition,
    Flow,
    LULinear,
    Permutation,
    SplineCoupling,
)
from sklseq.nn.flows.density import StandardStudent
from sklseq.nn.flows.splines import n_spline_parameters, rational_quadratic
from sklseq.nn.layers.feedforward import FeedForward

N, D, CONTEXT = 6, 5, 3


def conditioner(n_inputs, n_outputs):
    last = nn.Linear(8, n_outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(n_inputs, 8), nn.Tanh(), last)


def feed_forward(hidden=(8,), activation="relu", **settings):
    """A conditioner for which couplings have their gradient written by hand."""

    def make(n_inputs, n_outputs):
        network = FeedForward((n_inputs, *hidden, n_outputs), activation=activation, **settings)
        nn.init.zeros_(network.output.weight)
        return network

    return make


def couplings(n_features=D, n_context=0):
    return {
        "affine": AffineCoupling(n_features, conditioner, n_context),
        "affine, turns": AffineCoupling(n_features, conditioner, n_context, turns=3),
        "spline": SplineCoupling(n_features, conditioner, n_context, n_bins=4, bound=2.5),
        "spline, turns": SplineCoupling(n_features, conditioner, n_context, turns=2),
    }


def transforms():
    every = {
        "actnorm": ActNorm(D),
        "linear": LULinear(D),
        **couplings(),
        "permutation": Permutation(torch.randperm(D)),
    }
    return every | {
        "composition": Composition((every | couplings()).values()),
        "affine, by hand": AffineCoupling(D, feed_forward(), turns=2),
    }


NAMES = list(transforms())


def make(name, noise=0.5):
    """A transform in double precision, with weights as training may leave them."""
    torch.manual_seed(0)
    transform = transforms()[name].double()
    with torch.no_grad():
        for parameter in transform.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    return transform


def rows():
    torch.manual_seed(1)
    return 2 * torch.randn(N, D, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_inverse_undoes_forward(name):
    transform, x = make(name), rows()
    z, log_det = transform(x)
    back, log_det_back = transform.inverse(z)
    torch.testing.assert_close(back, x, atol=1e-9, rtol=0)
    torch.testing.assert_close(log_det.expand(N), -log_det_back.expand(N), atol=1e-8, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_inverse_in_single_precision(name):
    # Slopes near zero, that larger noise makes, lose digits whatever the way back.
    transform, x = make(name, noise=0.2).float(), rows().float()
    back, _ = transform.inverse(transform(x)[0])
    torch.testing.assert_close(back, x, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_determinant_is_that_of_the_jacobian(name, direction):
    transform, x = make(name), rows()
    function = getattr(transform, direction)
    _, log_det = function(x)
    for i, row in enumerate(x):
        jacobian = torch.autograd.functional.jacobian(lambda r: function(r[None])[0][0], row)
        expected = torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_det.expand(N)[i], expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "permutation"])
def test_starts_as_the_identity(name):
    torch.manual_seed(0)
    transform, x = transforms()[name], rows().float()
    if name == "composition":
        transform = Composition(transform.transforms[:-1])
    z, log_det = transform(x)
    torch.testing.assert_close(z, x, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_det.expand(N), torch.zeros(N), atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_features", [1, 2, 3])
@pytest.mark.parametrize("n_context", [0, CONTEXT])
@pytest.mark.parametrize("kind", list(couplings()))
def test_couplings_of_few_features_with_context(kind, n_features, n_context):
    torch.manual_seed(0)
    coupling = couplings(n_features, n_context)[kind].double()
    with torch.no_grad():
        for parameter in coupling.parameters():
            parameter.add_(torch.randn_like(parameter))
    x = torch.randn(N, n_features, dtype=torch.float64)
    context = torch.randn(N, n_context, dtype=torch.float64) if n_context else None
    z, _ = coupling(x, context)
    torch.testing.assert_close(coupling.inverse(z, context)[0], x)
    assert (z != x).any()
    if context is not None:
        assert (coupling(x, context.flip(0))[0] != z).any()


@given(
    n=st.integers(1, 5),
    n_features=st.integers(1, 5),
    n_context=st.integers(0, 2),
    turns=st.integers(1, 3),
    hidden=st.lists(st.integers(1, 4), max_size=3),
    activation=st.sampled_from(["relu", "tanh"]),
    seed=st.integers(0, 1000),
)
def test_gradients_by_hand_are_those_of_autograd(
    n, n_features, n_context, turns, hidden, activation, seed
):
    torch.manual_seed(seed)
    coupling = AffineCoupling(n_features, feed_forward(hidden, activation), n_context, turns)
    coupling.double()
    with torch.no_grad():
        for parameter in coupling.parameters():
            parameter.copy_(torch.randn_like(parameter))
    x = torch.randn(n, n_features, dtype=torch.float64, requires_grad=True)
    context = torch.randn(n, n_context, dtype=torch.float64) if n_context else None
    weight_z, weight_log_det = torch.randn(n, n_features), torch.randn(n)
    results = []
    for forward in (coupling.forward, partial(coupling._take_turns, inverse=False)):
        z, log_det = forward(x, context)
        loss = (weight_z * z).sum() + (weight_log_det * log_det).sum()
        results.append([z, log_det, *torch.autograd.grad(loss, [x, *coupling.parameters()])])
    assert ("AffineKernel" in coupling(x, context)[0].grad_fn.name()) == (n_features > 1)
    for by_hand, by_autograd in zip(*results, strict=True):
        torch.testing.assert_close(by_hand, by_autograd)


@pytest.mark.parametrize("settings", [{"dropout": 0.5}, {"normalization": "layer"}])
def test_networks_with_more_than_the_kernel_knows_keep_it(settings):
    torch.manual_seed(0)
    coupling = AffineCoupling(D, feed_forward((8, 8), **settings), turns=2)
    nn.init.normal_(coupling.networks[0].output.weight)
    z, _ = coupling(rows().float())
    with torch.no_grad():
        plain = AffineCoupling(D, feed_forward((8, 8)), turns=2)
        for network, other in zip(plain.networks, coupling.networks, strict=True):
            for layer, trained in zip(network.linears(), other.linears(), strict=True):
                layer.load_state_dict(trained.state_dict())
    assert not torch.allclose(z, plain(rows().float())[0])


def test_actnorm_standardises_weighted_training_data():
    x = rows() * 3 + 7
    weight = torch.tensor([1.0, 2.0, 1.0, 0.0, 1.0, 3.0], dtype=torch.float64)
    norm = ActNorm(D).double()
    z = norm.initialize(x, weight=weight)
    repeated = z.repeat_interleave(weight.long(), dim=0)
    torch.testing.assert_close(repeated.mean(0), torch.zeros(D, dtype=torch.float64))
    torch.testing.assert_close(repeated.std(0, correction=0), torch.ones(D, dtype=torch.float64))


def test_a_constant_feature_keeps_its_size():
    norm = ActNorm(2)
    z = norm.initialize(torch.tensor([[1.0, 2.0], [1.0, 4.0]]))
    assert z.isfinite().all()
    assert norm.deviation[0] == 1


def test_class_norm_centres_each_class_and_scales_within():
    classes = torch.tensor([0, 1, 0, 1, 0, 1])
    context = torch.eye(3, dtype=torch.float64)[classes]
    x = rows() + 50 * classes[:, None]
    norm = ClassNorm(D, 3).double()
    z = norm.initialize(x, context)
    for c in (0, 1):
        zeros = torch.zeros(D, dtype=torch.float64)
        torch.testing.assert_close(z[classes == c].mean(0), zeros, atol=1e-12, rtol=0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(D, dtype=torch.float64))
    back, log_det_back = norm.inverse(z, context)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(log_det_back, -norm(x, context)[1])
    # Where a class has no rows, nothing is known, but nothing is broken.
    assert norm.mean.isfinite().all()


def test_lu_linear_whitens_weighted_training_data():
    x = rows() @ torch.randn(D, D, dtype=torch.float64) + 7
    x = torch.cat([x, rows()])
    weight = torch.tensor([1.0, 2.0, 1.0, 0.0, 1.0, 3.0] * 2, dtype=torch.float64)
    linear = LULinear(D).double()
    z = linear.initialize(x, weight=weight)
    torch.testing.assert_close(z, x @ linear.whitening.T)
    covariance = x.repeat_interleave(weight.long(), dim=0).T.cov(correction=0)
    noisy = covariance + 1e-4 * covariance.diagonal().diag()  # which keeps features apart
    white = linear.whitening @ noisy @ linear.whitening.T
    torch.testing.assert_close(white, torch.eye(D, dtype=torch.float64), atol=1e-6, rtol=0)


def test_features_that_determine_each_other_are_whitened_as_far_as_they_can_be():
    x = rows()[:, [0, 0, 1]]
    linear = LULinear(3).double()
    z = linear.initialize(x)
    assert z.isfinite().all()
    torch.testing.assert_close(linear.inverse(z)[0], x)


def test_composition_initializes_each_from_what_reaches_it():
    linear = LULinear(D).double()
    nn.init.normal_(linear.upper)
    flow = Composition([ActNorm(D).double(), linear, ActNorm(D).double()])
    z = flow.initialize(rows())
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(D, dtype=torch.float64))
    torch.testing.assert_close(z, flow(rows())[0])


def test_weights_of_any_size_give_finite_values():
    for name in couplings():
        transform = make(name, noise=1e3)
        for x in (rows(), 1e6 * rows()):
            z, log_det = transform(x)
            assert z.isfinite().all()
            assert log_det.isfinite().all()


def test_splines_are_monotonic_onto_their_interval_and_leave_the_rest():
    torch.manual_seed(0)
    parameters = 3 * torch.randn(n_spline_parameters(6), dtype=torch.float64)
    x = torch.linspace(-4, 4, 2001, dtype=torch.float64)
    y, log_slope = rational_quadratic(x, parameters.expand(len(x), -1), 3.0)
    assert (y.diff() > 0).all()
    outside = x.abs() >= 3
    torch.testing.assert_close(y[outside], x[outside])
    assert (log_slope[outside] == 0).all()
    assert y[~outside].abs().max() < 3


def test_density_integrates_to_one():
    torch.manual_seed(0)
    for kind in ("affine", "spline"):
        flow = Flow(Composition([ActNorm(2), couplings(2)[f"{kind}, turns"]])).double()
        with torch.no_grad():
            for parameter in flow.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
        line = torch.linspace(-20, 20, 401, dtype=torch.float64)
        density = flow(torch.cartesian_prod(line, line)).exp()
        assert density.sum().item() * (40 / 400) ** 2 == pytest.approx(1, abs=1e-3)


def test_student_noise_has_its_density():
    base, z = StandardStudent().double(), rows()
    with torch.no_grad():
        base.log_tens.fill_(-1.0)
    df = 10 * math.exp(-1)
    expected = multivariate_t(np.zeros(D), np.eye(D), df=df).logpdf(z.numpy())
    np.testing.assert_allclose(base(z).detach(), expected)


def test_the_identity_has_the_normal_density():
    x = rows()
    expected = torch.distributions.Normal(0, 1).log_prob(x).sum(1)
    torch.testing.assert_close(Flow(Composition([LULinear(D).double()]))(x), expected)
    at_zero = Flow(ActNorm(1))(torch.zeros(1, 1)).item()
    assert math.isclose(at_zero, -0.5 * math.log(2 * math.pi), rel_tol=1e-6)


def test_on_the_meta_device():
    with torch.device("meta"):
        parts = [
            ActNorm(D),
            ClassNorm(D, CONTEXT),
            LULinear(D),
            *couplings(n_context=CONTEXT).values(),
            AffineCoupling(D, feed_forward(), CONTEXT, turns=2),
        ]
        flow = Flow(Composition([Permutation(torch.arange(D)), *parts]), base="student")
        x, context = torch.empty(N, D), torch.empty(N, CONTEXT)
        assert flow(x, context).shape == (N,)
        assert flow.encode(x, context).shape == flow.decode(x, context).shape == (N, D)
