"""Convolutional autoencoder of images."""

from collections.abc import Sequence

from torch import Tensor, nn

from sklseq.nn.codes.autoencoder import EncoderDecoder
from sklseq.nn.layers.feedforward import ACTIVATIONS, initialize
from sklseq.nn.layers.randomness import Dropout

__all__ = ["ConvolutionalNetwork"]


class ConvolutionalNetwork(EncoderDecoder):
    """Strided convolutions to a latent representation, and their transposes back.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width) or (height, width, channels); channels come last, as in numpy.
    n_components : int
    channels : tuple of int
        Filters of each layer; each halves height and width, rounding up.
    kernel_size : int
        Odd.
    activation, dropout, init
        As in `FeedForward`.
    loss : {"mse", "bce", "huber"}, default="mse"
    """

    def __init__(
        self,
        *,
        image_shape: Sequence[int],
        n_components: int,
        channels: tuple[int, ...] = (16, 32),
        kernel_size: int = 3,
        activation: str = "relu",
        dropout: float = 0.0,
        loss: str = "mse",
        init: str = "xavier",
    ):
        super().__init__(loss)
        self.image_shape = tuple(image_shape)
        height, width, depth = *self.image_shape[:2], *(self.image_shape[2:] or (1,))
        depths, sizes = [depth, *channels], [(height, width)]
        for _ in channels:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        pad = kernel_size // 2
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for i in range(len(channels)):
            down += [
                nn.Conv2d(depths[i], depths[i + 1], kernel_size, stride=2, padding=pad),
                ACTIVATIONS[activation](),
                Dropout(dropout),
            ]
            # The last column of an image of even size is one that the stride has stepped over.
            rest = ((sizes[i][0] - 1) % 2, (sizes[i][1] - 1) % 2)
            layer = nn.ConvTranspose2d(
                depths[i + 1], depths[i], kernel_size, 2, padding=pad, output_padding=rest
            )
            up = [ACTIVATIONS[activation](), Dropout(dropout), layer, *up]
        inner = (depths[-1], *sizes[-1])
        n_inner = inner[0] * inner[1] * inner[2]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(n_inner, n_components))
        self.decoder = nn.Sequential(nn.Linear(n_components, n_inner), nn.Unflatten(1, inner), *up)
        initialize(self, init)

    def encode(self, x: Tensor) -> Tensor:
        images = x.reshape(x.shape[0], *self.image_shape[:2], -1)
        return self.encoder(images.permute(0, 3, 1, 2))

    def raw(self, latent: Tensor) -> Tensor:
        images = self.decoder(latent).permute(0, 2, 3, 1)
        return images.reshape(latent.shape[0], *self.image_shape)
