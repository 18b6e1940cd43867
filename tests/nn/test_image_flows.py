"""Multi-scale flows of images: invertible, exact, and convolutional where they say so."""

import pytest
import torch

from sklseq.nn.flows import ActNorm, LULinear
from sklseq.nn.flows.coupling_flow import CouplingFlow
from sklseq.nn.flows.images import OfPixels

SHAPES = [(4, 4), (2, 6, 3)]
CONTEXT = 2


def make(shape, coupling="affine", n_context=0):
    """In double precision, with weights as training may leave them."""
    torch.manual_seed(0)
    flow = CouplingFlow(
        n_features=torch.Size(shape).numel(),
        n_context=n_context,
        image_shape=shape,
        n_layers=2,
        hidden_layer_sizes=(6, 6),
        coupling=coupling,
        n_bins=4,
        mixing="linear",
    ).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return flow


def rows(shape, n_context=0, n=5):
    torch.manual_seed(1)
    context = torch.eye(CONTEXT, dtype=torch.float64)[torch.arange(n) % 2] if n_context else None
    return torch.randn(n, torch.Size(shape).numel(), dtype=torch.float64), context


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("coupling", ["affine", "spline"])
@pytest.mark.parametrize("n_context", [0, CONTEXT])
def test_invertible_with_the_determinant_of_the_jacobian(shape, coupling, n_context):
    flow, (x, context) = make(shape, coupling, n_context), rows(shape, n_context)
    flow.transform.initialize(x, context)
    z, log_det = flow.transform(x, context)
    back, log_det_back = flow.transform.inverse(z, context)
    torch.testing.assert_close(back, x, atol=1e-9, rtol=0)
    torch.testing.assert_close(log_det, -log_det_back)
    of_one = None if context is None else context[:1]
    jacobian = torch.autograd.functional.jacobian(lambda r: flow.encode(r[None], of_one)[0], x[0])
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian).logabsdet)


def test_pixels_share_their_map():
    linear = OfPixels(LULinear(3).double(), 3)
    torch.nn.init.normal_(linear.transform.lower)
    images = torch.randn(4, 3, 2, 5, dtype=torch.float64)
    kernel = torch.linalg.multi_dot([*linear.transform.factors()])[..., None, None]
    expected = torch.nn.functional.conv2d(images, kernel)
    torch.testing.assert_close(linear(images.flatten(1))[0].unflatten(1, (3, 2, 5)), expected)


def test_pixels_are_standardised_together():
    x, _ = rows((6,), n=40)
    weight = torch.rand(40, dtype=torch.float64)
    z = OfPixels(ActNorm(2).double(), 2).initialize(3 * x + 1, weight=weight)
    share = (weight / weight.sum())[:, None, None]
    channels = z.unflatten(1, (2, 3))
    torch.testing.assert_close(
        (share * channels).sum(0).mean(1), torch.zeros(2, dtype=torch.float64)
    )
    torch.testing.assert_close(
        (share * channels.square()).sum(0).mean(1), torch.ones(2, dtype=torch.float64)
    )


def test_a_pixel_is_not_moved_by_far_ones_at_the_first_scale():
    flow = make((2, 30))
    x, _ = rows((2, 30), n=1)
    other = x.clone()
    other[:, 0] += 1  # the left upper pixel
    moved = (flow.encode(x) != flow.encode(other)).squeeze(0).unflatten(0, (4, 15))
    assert moved[:, 0].any()
    assert not moved[:, 8:].any()


def test_on_the_meta_device():
    with torch.device("meta"):
        flow = CouplingFlow(n_features=16, n_context=2, image_shape=(4, 4), n_layers=1)
        x, context = torch.empty(3, 16), torch.empty(3, 2)
        assert flow(x, context).shape == (3,)
        assert flow.decode(x, context).shape == (3, 16)
