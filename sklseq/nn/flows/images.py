"""Flows of images: the transforms of rows, applied pixel by pixel and scale by scale.

Images are rows, channel after channel, so that halves of a row are halves of its channels, and
couplings need only a network of images.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sklseq.nn.flows.linear import LULinear
from sklseq.nn.flows.scaling import ActNorm, ClassNorm
from sklseq.nn.flows.transforms import Composition, Permutation, Transform
from sklseq.nn.layers.feedforward import ACTIVATIONS

__all__ = ["ConvolutionalConditioner", "OfPixels", "OfTheFirst", "image_layers"]

Couple = Callable[[int, tuple[int, int]], Transform]


class OfPixels(Transform):
    """A transform of the channels of each pixel, the same for all: a 1x1 convolution.

    Kingma and Dhariwal 2018, Glow, section 3.2.

    Parameters
    ----------
    transform : Transform
    n_channels : int
    """

    def __init__(self, transform: Transform, n_channels: int):
        super().__init__()
        self.transform, self.n_channels = transform, n_channels

    def _pixels(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        pixels = x.unflatten(1, (self.n_channels, -1)).transpose(1, 2)
        if context is not None:
            context = context.repeat_interleave(pixels.shape[1], dim=0)
        return pixels.flatten(0, 1), context

    def _rows(self, pixels: Tensor, like: Tensor) -> Tensor:
        return pixels.unflatten(0, (len(like), -1)).transpose(1, 2).flatten(1)

    def _of_images(self, log_det: Tensor, pixels: Tensor, like: Tensor) -> Tensor:
        return log_det.expand(len(pixels)).unflatten(0, (len(like), -1)).sum(dim=1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, log_det = self.transform(*self._pixels(x, context))
        return self._rows(z, x), self._of_images(log_det, z, x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = self.transform.inverse(*self._pixels(z, context))
        return self._rows(x, z), self._of_images(log_det, x, z)

    def initialize(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        pixels, of_pixels = self._pixels(x, context)
        if weight is not None:
            weight = weight.repeat_interleave(len(pixels) // len(x))
        return self._rows(self.transform.initialize(pixels, of_pixels, weight), x)


class OfTheFirst(Transform):
    """A transform of the first features; the others are left as noise.

    Dinh et al. 2017, section 3.6.

    Parameters
    ----------
    transform : Transform
    n_first : int
    """

    def __init__(self, transform: Transform, n_first: int):
        super().__init__()
        self.transform, self.n_first = transform, n_first

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        first, log_det = self.transform(x[:, : self.n_first], context)
        return torch.cat([first, x[:, self.n_first :]], dim=1), log_det

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        first, log_det = self.transform.inverse(z[:, : self.n_first], context)
        return torch.cat([first, z[:, self.n_first :]], dim=1), log_det

    def initialize(
        self, x: Tensor, context: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        first = self.transform.initialize(x[:, : self.n_first], context, weight)
        return torch.cat([first, x[:, self.n_first :]], dim=1)


class ConvolutionalConditioner(nn.Module):
    """Convolutions of 3x3, 1x1, ..., 3x3 (Kingma and Dhariwal 2018, section 4); the last is zero.

    Parameters
    ----------
    size : tuple of int
        Height and width.
    n_inputs, n_outputs : int
        Numbers for each image; of the inputs the last `n_context` are the same for all pixels.
    n_context : int
    hidden : sequence of int
        Filters of the hidden layers.
    activation : str
    n_changed : int or None
        Values of an image that are transformed, if the parameters of each are adjacent.
    """

    def __init__(
        self,
        size: tuple[int, int],
        n_inputs: int,
        n_outputs: int,
        n_context: int,
        hidden: Sequence[int],
        activation: str,
        n_changed: int | None,
    ):
        super().__init__()
        self.size, self.n_context, self.n_changed = size, n_context, n_changed
        n_pixels = size[0] * size[1]
        n_channels = (n_inputs - n_context) // n_pixels + n_context
        sizes = [n_channels, *hidden, n_outputs // n_pixels]
        layers: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(pairwise(sizes)):
            width = 3 if i in (0, len(hidden)) else 1
            last = nn.Conv2d(n_in, n_out, width, padding=width // 2)
            layers += [last, ACTIVATIONS[activation]()]
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        n_values = x.shape[1] - self.n_context
        images = x[:, :n_values].unflatten(1, (-1, *self.size))
        if self.n_context:
            context = x[:, n_values:, None, None].expand(-1, -1, *self.size)
            images = torch.cat([images, context], dim=1)
        out = self.layers(images).flatten(1)
        if self.n_changed is None:
            return out
        return out.unflatten(1, (-1, self.n_changed)).transpose(1, 2).flatten(1)


def image_layers(
    image_shape: Sequence[int], n_layers: int, n_context: int, couple: Couple
) -> Iterator[Transform]:
    """The layers of a multi-scale flow of images (Kingma and Dhariwal 2018, figure 2b).

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (height, width, channels), of rows as numpy flattens them; height and
        width are even.
    n_layers : int
        Couplings at each scale.
    n_context : int
    couple : callable
        Makes a coupling from the number of features and the height and width.
    """
    height, width, *depth = image_shape
    shape = depth[0] if depth else 1, height, width
    places = torch.arange(height * width * shape[0])
    yield Permutation(places.reshape(height, width, shape[0]).permute(2, 0, 1).flatten())
    if n_context:
        yield ClassNorm(len(places), n_context)
    yield from _scale(shape, n_layers, couple)


def _scale(shape: tuple[int, int, int], n_layers: int, couple: Couple) -> Iterator[Transform]:
    """Squeeze, steps of flow, and the next scale for one half of the channels."""
    n_channels, height, width = shape[0] * 4, shape[1] // 2, shape[2] // 2
    places = torch.arange(n_channels * height * width)
    blocks = places.reshape(shape[0], height, 2, width, 2)
    yield Permutation(blocks.permute(0, 2, 4, 1, 3).flatten())
    for i in range(n_layers):
        yield _mixed_channels(n_channels)
        if i:
            yield Permutation(places.reshape(n_channels, -1).flip(0).flatten())
        yield couple(len(places), (height, width))
    if height % 2 == width % 2 == 0:
        rest = Composition(_scale((n_channels // 2, height, width), n_layers, couple))
        yield OfTheFirst(rest, len(places) // 2)
    else:
        yield _mixed_channels(n_channels)


def _mixed_channels(n_channels: int) -> OfPixels:
    return OfPixels(Composition([ActNorm(n_channels), LULinear(n_channels)]), n_channels)
