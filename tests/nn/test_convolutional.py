"""Convolutional autoencoders give images of any size back in their shape, on any device."""

import pytest
import torch

from sklseq.nn.codes.convolutional import ConvolutionalNetwork


def build(shape, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = {"n_components": 3, "channels": (4, 5)} | kwargs
        return ConvolutionalNetwork(image_shape=shape, **settings).double().eval()


def images(shape, n=6):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (1, 1), (1, 9), (6, 5, 3), (2, 9, 2)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("channels", [(4,), (4, 5), (2, 3, 4)])
def test_the_forward_pass_runs_on_any_device(shape, kernel_size, channels):
    network = build(shape, kernel_size=kernel_size, channels=channels).to("meta")
    x = images(shape).to("meta")
    assert network.encode(x).shape == (6, 3)
    assert network.reconstruct(x).shape == x.shape
    assert network.errors(x).shape == (6,)


def test_images_do_not_depend_on_the_batch():
    network, x = build((7, 5, 3)), images((7, 5, 3))
    alone = torch.cat([network.reconstruct(image[None]) for image in x])
    torch.testing.assert_close(network.reconstruct(x), alone)


def test_channels_come_last():
    network, x = build((8, 8, 2), channels=(4,)), images((8, 8, 2))
    convolution = network.encoder[0]
    changed = x.clone()
    changed[..., 1] = 0
    with torch.no_grad():
        convolution.weight[:, 1] = 0  # the second channel is not looked at
    torch.testing.assert_close(network.encode(x), network.encode(changed))


def test_filters_see_neighbors_only():
    network, x = build((9, 9), channels=(4,)), images((9, 9))
    changed = x.clone()
    changed[:, 0, 0] += 1
    convolve = network.encoder[0]
    moved = (convolve(x[:, None]) - convolve(changed[:, None])).abs().sum(dim=(0, 1)) > 0
    assert moved.nonzero().tolist() == [[0, 0]]
