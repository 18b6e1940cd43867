"""Autoencoder networks and their regularizers."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sklseq.nn.layers.feedforward import ACTIVATIONS, FeedForward, after_linear
from sklseq.nn.layers.randomness import normal_noise, uniform_noise

__all__ = [
    "LOSSES",
    "NOISES",
    "AutoencoderNetwork",
    "contraction",
    "corrupted",
    "largest_only",
    "noise_levels",
]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "bce": F.binary_cross_entropy_with_logits,
    "huber": F.huber_loss,
}
NOISES = ("gaussian", "masking", "salt_and_pepper")


class EncoderDecoder(nn.Module):
    """An encoder and a decoder, which subclasses make.

    ``decode`` gives values in the space of the data, ``forward`` what the loss compares with
    them: logits with the loss "bce", else the same values.
    """

    encoder: nn.Module
    decoder: nn.Module

    def __init__(self, loss: str):
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss={loss!r}; allowed: {list(LOSSES)}.")
        self.loss = loss

    def encode(self, x: Tensor) -> Tensor:
        """Latent representations ``(n, n_components)`` of rows."""
        return self.encoder(x)

    def raw(self, latent: Tensor) -> Tensor:
        """Reconstructions as the loss takes them."""
        return self.decoder(latent)

    def decode(self, latent: Tensor) -> Tensor:
        """Reconstructions, in the shape of the rows."""
        raw = self.raw(latent)
        return raw.sigmoid() if self.loss == "bce" else raw

    def forward(self, x: Tensor) -> Tensor:
        return self.raw(self.encode(x))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Rows through encoder and decoder."""
        return self.decode(self.within_bounds(self.encode(x)))

    def within_bounds(self, latent: Tensor) -> Tensor:
        """Latent representations as they are decoded outside of training."""
        return latent

    def value_losses(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each value, in the shape of the rows."""
        return LOSSES[self.loss](raw, target, reduction="none")

    def losses(self, raw: Tensor, target: Tensor) -> Tensor:
        """Mean loss over the values of each row, ``(n,)``."""
        return self.value_losses(raw, target).flatten(1).mean(dim=1)

    def value_errors(self, x: Tensor) -> Tensor:
        """Reconstruction loss of each value of each row."""
        return self.value_losses(self.raw(self.within_bounds(self.encode(x))), x)

    def errors(self, x: Tensor) -> Tensor:
        """Reconstruction loss of each row, ``(n,)``."""
        return self.losses(self.raw(self.within_bounds(self.encode(x))), x)


class TiedDecoder(nn.Module):
    """Decoder whose maps are the transposes of the encoder's; biases and norms are its own."""

    def __init__(
        self, sizes: Sequence[int], activation: str, normalization: str | None, dropout: float
    ):
        super().__init__()
        *hidden, n_features = sizes[1:]
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(n)) for n in (*hidden, n_features))
        self.rest = nn.ModuleList(
            after_linear(n, activation, normalization, dropout) for n in hidden
        )

    def forward(self, latent: Tensor, encoder: FeedForward) -> Tensor:
        x = latent
        for i, layer in enumerate(reversed(encoder.linears())):
            x = F.linear(x, layer.weight.t(), self.biases[i])
            if i < len(self.rest):
                x = self.rest[i](x)
        return x


class AutoencoderNetwork(EncoderDecoder):
    """Feed-forward encoder and decoder.

    Parameters
    ----------
    n_features, n_components : int
    hidden_layer_sizes : tuple of int
        Hidden layers of the encoder; ``()`` is one linear map each way.
    decoder_layer_sizes : tuple of int or None, default=None
        Hidden layers of the decoder; None mirrors those of the encoder.
    tied_weights : bool, default=False
        The decoder's maps are the transposes of the encoder's, which needs a mirrored decoder
        without residual layers.
    latent_activation : str, default="identity"
        Key of `ACTIVATIONS`, on the latent representation.
    n_active : int or None, default=None
        Keep this many of the largest activations of each row, see `largest_only`.
    bounded : bool, default=False
        Hold latent representations between the two rows of `bounds` for reconstructions and
        errors. These are the caller's to set; at first they are as far as numbers go.
    loss : {"mse", "bce", "huber"}, default="mse"
    activation, normalization, dropout, residual, init
        As in `FeedForward`.
    """

    low: Tensor
    high: Tensor
    bounds: Tensor

    def __init__(
        self,
        *,
        n_features: int,
        n_components: int,
        hidden_layer_sizes: tuple[int, ...],
        decoder_layer_sizes: tuple[int, ...] | None = None,
        tied_weights: bool = False,
        latent_activation: str = "identity",
        n_active: int | None = None,
        bounded: bool = False,
        loss: str = "mse",
        activation: str = "relu",
        normalization: str | None = None,
        dropout: float = 0.0,
        residual: bool = False,
        init: str = "xavier",
    ):
        super().__init__(loss)
        if decoder_layer_sizes is None:
            decoder_layer_sizes = hidden_layer_sizes[::-1]
        sizes = (n_components, *decoder_layer_sizes, n_features)
        rest: dict[str, Any] = {
            "activation": activation,
            "normalization": normalization,
            "dropout": dropout,
        }
        more: dict[str, Any] = {"residual": residual, "init": init}
        self.encoder: FeedForward = FeedForward(
            (n_features, *hidden_layer_sizes, n_components), **rest, **more
        )
        if n_active is not None and not n_active > 0:
            raise ValueError(f"n_active={n_active!r}; it must be positive.")
        self.tied, self.n_active = tied_weights, n_active
        self.decoder: nn.Module = (
            TiedDecoder(sizes, **rest) if tied_weights else FeedForward(sizes, **rest, **more)
        )
        self.latent_activation = ACTIVATIONS[latent_activation]()
        # The range of each feature in the training data, which salt-and-pepper noise jumps to.
        self.register_buffer("low", torch.zeros(n_features))
        self.register_buffer("high", torch.ones(n_features))
        self.bounded = bounded
        if bounded:
            most = torch.finfo(torch.get_default_dtype()).max
            self.register_buffer("bounds", torch.tensor([[-most], [most]]).repeat(1, n_components))

    def encode(self, x: Tensor) -> Tensor:
        latent = self.latent_activation(self.encoder(x))
        return latent if self.n_active is None else largest_only(latent, self.n_active)

    def within_bounds(self, latent: Tensor) -> Tensor:
        if not self.bounded:
            return latent
        low, high = self.bounds
        return latent.clamp(low, high)

    def raw(self, latent: Tensor) -> Tensor:
        return self.decoder(latent, self.encoder) if self.tied else self.decoder(latent)

    @property
    def decoder_norms(self) -> Tensor:
        """Length of the decoder's first weights, for each latent dimension."""
        decoder = self.decoder
        if isinstance(decoder, FeedForward):
            return decoder.linears()[0].weight.norm(dim=0)
        return self.encoder.linears()[-1].weight.norm(dim=1)

    def initialize(self, mean: Tensor, low: Tensor, high: Tensor) -> None:
        """Center the inputs of an untrained network, and its outputs at the mean of the data."""
        self.low.copy_(low)
        self.high.copy_(high)
        first = self.encoder.linears()[0]
        first.bias.copy_(-(first.weight @ mean))
        decoder: Any = self.decoder
        last = decoder.output.bias if isinstance(decoder, FeedForward) else decoder.biases[-1]
        last.copy_(mean.clamp(0.01, 0.99).logit() if self.loss == "bce" else mean)


def noise_levels(x: Tensor, low: float, high: float) -> float | Tensor:
    """`low` if both are one level, else a level for each row, log-uniform between the two."""
    if low == high:
        return low
    between = uniform_noise(x, len(x), *[1] * (x.ndim - 1))
    return low * (high / low) ** between


def corrupted(x: Tensor, noise: str, level: float | Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Rows with noise, drawn from the generator in force.

    Parameters
    ----------
    x : Tensor of shape (n, n_features)
    noise : {"gaussian", "masking", "salt_and_pepper"}
        Add a normal number of deviation `level`; or set a share `level` of the values to zero;
        or set that share to `low` or `high`, each with probability a half (Vincent et al. 2010,
        section 3.3).
    level : float or Tensor of shape (n, 1)
        One for all rows, or one for each.
    low, high : Tensor of shape (n_features,)
    """
    if isinstance(level, float | int) and level == 0:
        return x
    if noise == "gaussian":
        return x + level * normal_noise(x)
    chosen = uniform_noise(x)
    if noise == "masking":
        return x.masked_fill(chosen < level, 0)
    return torch.where(chosen < level / 2, low, torch.where(chosen < level, high, x))


def contraction(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Squared Frobenius norm of a function's Jacobian at each row, exactly, with gradients.

    Rifai et al. (2011), equation 4: the sum over outputs of squared gradients, one backward pass
    for all of them, whatever the layers; a row's outputs must not depend on other rows.

    Parameters
    ----------
    function : callable
        ``(n, n_features)`` to ``(n, n_outputs)``.
    x : Tensor of shape (n, n_features)

    Returns
    -------
    Tensor of shape (n,)
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        output = function(x)
        one_each = torch.eye(output.shape[1], dtype=x.dtype, device=x.device)
        directions = one_each[:, None, :].expand(-1, len(x), -1)
        (jacobian,) = torch.autograd.grad(
            output, x, directions, create_graph=True, is_grads_batched=True
        )
        return jacobian.square().sum(dim=(0, 2))


def largest_only(latent: Tensor, k: int) -> Tensor:
    """The `k` largest values of each row, zeros elsewhere (Makhzani & Frey 2014, section 2.1)."""
    values, places = latent.topk(min(k, latent.shape[1]), dim=1)
    return torch.zeros_like(latent).scatter(1, places, values)
