"""Discriminators: their network, adversarial losses and the gradient penalty."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus
from torch.nn.utils.parametrizations import spectral_norm

from sklseq.nn.layers.feedforward import FeedForward
from sklseq.nn.layers.randomness import uniform_noise

__all__ = [
    "DISCRIMINATOR_LOSSES",
    "GENERATOR_LOSSES",
    "FourierFeatures",
    "discriminator_loss",
    "discriminator_network",
]

_Loss = Callable[[Tensor, Tensor], Tensor]
# Of the discriminator's outputs for real and for generated rows; both are minimized.
DISCRIMINATOR_LOSSES: dict[str, _Loss] = {
    "minimax": lambda real, fake: softplus(-real) + softplus(fake),
    "non_saturating": lambda real, fake: softplus(-real) + softplus(fake),
    "least_squares": lambda real, fake: (real - 1).square() + fake.square(),
    "hinge": lambda real, fake: relu(1 - real) + relu(1 + fake),
    "wasserstein": lambda real, fake: fake - real,
    "relativistic": lambda real, fake: softplus(fake - real),
}
GENERATOR_LOSSES: dict[str, _Loss] = {
    "minimax": lambda real, fake: -softplus(fake),
    "non_saturating": lambda real, fake: softplus(-fake),
    "least_squares": lambda real, fake: (fake - 1).square(),
    "hinge": lambda real, fake: -fake,
    "wasserstein": lambda real, fake: -fake,
    "relativistic": lambda real, fake: softplus(real - fake),
}


class FourierFeatures(nn.Module):
    """Each value with its sine and cosine at doubling frequencies.

    Networks learn low frequencies first; these inputs let them learn high ones early (Tancik et
    al. 2020, Fourier features let networks learn high frequency functions).

    Parameters
    ----------
    n_frequencies : int
        0 leaves the values alone.
    """

    frequencies: Tensor

    def __init__(self, n_frequencies: int):
        super().__init__()
        frequencies = math.pi / 2 * 2.0 ** torch.arange(n_frequencies)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        phases = (x.unsqueeze(-1) * self.frequencies).flatten(1)
        return torch.cat([x, phases.sin(), phases.cos()], dim=1)


def discriminator_network(
    n_inputs: int,
    sizes: Sequence[int],
    n_fourier_frequencies: int = 0,
    spectrally_normalized: bool = False,
) -> nn.Sequential:
    """A network with one output, ``(n, n_inputs)`` to ``(n, 1)``.

    Parameters
    ----------
    n_inputs : int
    sizes : sequence of int
        Units of the hidden layers, which have leaky rectifiers.
    n_fourier_frequencies : int, default=0
        Frequencies at which it sees each value, see `FourierFeatures`.
    spectrally_normalized : bool, default=False
        Whether the weights are divided by their spectral norm (Miyato et al. 2018).
    """
    n_features = n_inputs * (1 + 2 * n_fourier_frequencies)
    network = FeedForward((n_features, *sizes, 1), activation="leaky_relu", init="he")
    if spectrally_normalized:
        for layer in network.linears():
            spectral_norm(layer)
    return nn.Sequential(FourierFeatures(n_fourier_frequencies), network)


def discriminator_loss(
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    loss: str,
    penalty: float,
    weight: Tensor | None = None,
) -> Tensor:
    """Loss of a discriminator, with its gradient penalty.

    Parameters
    ----------
    discriminator : Module
    real, fake : Tensor of shape (n, n_inputs)
        Without gradients.
    loss : str
        Key of `DISCRIMINATOR_LOSSES`.
    penalty : float
        Weight of the squared gradient norm at real and generated rows (Huang et al. 2024); with
        "wasserstein" of the squared distance of the norm from 1 between them (Gulrajani et al.
        2017).
    weight : Tensor of shape (n,) or None, default=None
        Weight of each pair of a real and a generated row.
    """

    def mean(values: Tensor) -> Tensor:
        if weight is None:
            return values.mean()
        return (weight.repeat(len(values) // len(weight)) * values).mean()

    losses = DISCRIMINATOR_LOSSES[loss]
    if penalty and loss == "wasserstein":
        share = uniform_noise(real, len(real), 1)
        between = share * real + (1 - share) * fake
        _, squares = _with_gradient_norm(discriminator, between)
        cost = penalty * mean((squares.clamp(min=1e-12).sqrt() - 1).square())
        return mean(losses(discriminator(real), discriminator(fake))[:, 0]) + cost
    if not penalty:
        return mean(losses(discriminator(real), discriminator(fake))[:, 0])
    outputs, squares = _with_gradient_norm(discriminator, torch.cat([real, fake]))
    return mean(losses(*outputs.chunk(2))[:, 0]) + penalty * mean(squares)


def _with_gradient_norm(discriminator: nn.Module, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs of the discriminator, and their squared gradient norm at each row."""
    rows = rows.requires_grad_()
    outputs = discriminator(rows)
    (gradient,) = torch.autograd.grad(outputs.sum(), rows, create_graph=True)
    return outputs, gradient.square().sum(dim=1)
